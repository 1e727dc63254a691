/*
 * object.h - what an object is: its names, its row, its conditions. Every other module of storage/object stands on this.
 *
 * An object is a row in SPACE_OBJECTS under (bucket id, key). Its body is one of
 *   NONE    empty
 *   SMALL   in the journal, at a place (meta.h), referred to by this row alone
 *   BLOB    one body in volumes (blob.h), referred to under the object's own uid
 *   PARTS   a part map: a journal body listing bodies in volumes, in order (multipart.h)
 * Keys are bytes; the edge sees to it that they are UTF-8 (other bytes are 400 InvalidURI).
 */
#ifndef STORAGE_OBJECT_OBJECT_H
#define STORAGE_OBJECT_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/digest.h"
#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/base/str.h"
#include "storage/meta/meta.h"
#include "storage/volume/blob.h"

struct md5_streams; /* storage/base/md5_streams.h */
struct remote; /* storage/remote; nothing here looks into it */

/* The object store: rows and bodies together. Values; both outlive it. */
struct store {
    struct meta *meta;
    struct blobs *blobs;
    uint64_t part_bytes_min;   /* LIMIT_PART_BYTES_MIN; a setting relaxes it */
    uint64_t small_body_max;   /* LIMIT_SMALL_BODY */
    struct md5_streams *md5;   /* of large bodies; NULL: each is computed by who writes it */
    struct remote *remote;     /* for catalogs whose files lie at other S3 endpoints; NULL: this process reaches none */
};

/* ---- names ---- */

/* AWS naming rules (s3.md 34) and names of the server's own routes: ERR_INVALID_BUCKET_NAME. */
struct err bucket_name_check(struct str name);
/* 1 to LIMIT_KEY bytes: ERR_KEY_TOO_LONG, ERR_INVALID_URI (empty, or not UTF-8). */
struct err object_key_check(struct str key);

/* ---- a row's content ---- */

struct pair {
    struct str name, value;
};

/* Headers that are stored and given back as they came, and the order of their ids in the row. */
enum object_header {
    OBJECT_CONTENT_TYPE,
    OBJECT_CACHE_CONTROL,
    OBJECT_CONTENT_DISPOSITION,
    OBJECT_CONTENT_ENCODING,
    OBJECT_CONTENT_LANGUAGE,
    OBJECT_EXPIRES,
    OBJECT_WEBSITE_REDIRECT,
    OBJECT_STORAGE_CLASS,
    OBJECT_HEADER_COUNT,
};

/* What a client says about an object. Strings are borrowed. */
struct object_meta {
    struct str headers[OBJECT_HEADER_COUNT]; /* .data NULL: not given */
    const struct pair *user;                 /* x-amz-meta-*: names without the prefix, lower case */
    size_t user_count;
    const struct pair *tags;
    size_t tag_count;
};

enum body_kind { BODY_NONE_AT_ALL, BODY_SMALL, BODY_BLOB, BODY_PARTS };

struct body_ref {
    enum body_kind kind;
    struct place place; /* SMALL: the body; PARTS: the part map */
    struct uid uid;     /* BLOB */
};

enum checksum_type { CHECKSUM_FULL_OBJECT, CHECKSUM_COMPOSITE };

struct object_checksum {
    enum digest_kind kind; /* DIGEST_NONE: none is stored */
    enum checksum_type type;
    struct digest_value value;
};

struct object_info {
    struct uid uid;          /* of this version; new with every write; the referrer of its bodies */
    uint64_t size;
    int64_t mtime_ms;
    uint8_t etag_md5[16];
    uint32_t part_count;     /* 0: not multipart; else the ETag is hex-part_count */
    struct object_checksum checksum;
    struct object_meta meta;
    struct body_ref body;
};

/* Encode and decode a row (version byte first; FORMAT.md). Decoded strings point into `row`. ERR_CORRUPT; ERR_NO_MEMORY. Without an
 * arena (NULL) user metadata and tags are checked but not given: counts are 0, and nothing is allocated. */
void object_encode(const struct object_info *info, struct buf *out);
struct err object_decode(struct str row, struct arena *arena, struct object_info *ret);

/* "d41d8cd98f00b204e9800998ecf8427e" or "...-3", without quotes. */
#define ETAG_SIZE 40
void object_etag(const struct object_info *info, char out[ETAG_SIZE]);

/* The row's key: bucket id be64 and key, which has at most LIMIT_KEY bytes (object_key_check). out has OBJECT_ROW_KEY_SIZE
 * bytes. */
#define OBJECT_BUCKET_ID_BYTES 8
#define OBJECT_ROW_KEY_SIZE (OBJECT_BUCKET_ID_BYTES + 1024)
struct str object_row_key(uint64_t bucket_id, struct str key, uint8_t *out);

/* ---- conditions (RFC 9110 13, s3.md 19-21) ---- */

/* As the client sent them; .data NULL: not sent. Times are HTTP dates; unparsable ones are ignored. */
struct conditions {
    struct str if_match, if_none_match, if_modified_since, if_unmodified_since;
};
bool conditions_any(const struct conditions *c);

/* May an object that exists be read? OK, ERR_NOT_MODIFIED, ERR_PRECONDITION. Lists, *, W/ and unquoted forms are understood. */
struct err conditions_read(const struct conditions *c, const struct object_info *info);

/* May a key be written (or deleted)? current is NULL when there is no object: If-Match on nothing is ERR_NO_SUCH_KEY; If-None-Match: * on
 * something, or a mismatch, ERR_PRECONDITION. If-None-Match with anything but * is ERR_UNSUPPORTED. */
struct err conditions_write(const struct conditions *c, const struct object_info *current);

/* ---- looking ---- */

/* Bucket and object in a view. ERR_NO_SUCH_BUCKET, ERR_NO_SUCH_KEY. Strings of *ret live in the view; copy with object_info_keep. arena as in object_decode. */
struct err object_stat(struct rows *r, struct str bucket, struct str key, struct arena *arena, struct object_info *ret);
struct err object_info_keep(struct object_info *info, struct arena *arena); /* all strings now live in the arena */

#endif
