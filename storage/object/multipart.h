/*
 * multipart.h - uploads in parts.
 *
 * An upload is a row in SPACE_UPLOADS; each part a row in SPACE_PARTS, with its body: small ones in the journal, larger ones in volumes, there
 * under the upload's id as referrer. Complete (design.md 4) checks the parts and publishes them in one small transaction; a retry
 * resumes from any step and answers the same. What was not used is cleared in the background (SPACE_GARBAGE), also after a restart.
 *
 * Invariants:
 *   U1  an object made by Complete has the upload's id as its uid: so its bodies have their referrer from the first part on, and a repeated Complete
 *       knows the object that it made (there are no rows in SPACE_FINISHED)
 *   U2  a part row always refers to a whole, durable body; a number has one part
 *   U3  one body is at most once in one upload (references are not counts): UploadPartCopy shares it, or moves its bytes
 *   U4  an upload's row and the object that it became are never there together
 *
 * What becomes of the parts: one part is an object like any other (NONE, SMALL, BLOB) with part_count 1; two or more get a part map (PARTS), and
 * small ones among them are moved to volumes first.
 *
 * upload.c, upload_list.c    beginning, finding, giving up, listing
 * part.c, part_copy.c        parts
 * complete.c, complete_*.c   Complete
 * clear.c                    clearing
 */
#ifndef STORAGE_OBJECT_MULTIPART_H
#define STORAGE_OBJECT_MULTIPART_H

#include "storage/object/object_put.h"

#define UPLOAD_ID_SIZE 33 /* 32 hex digits and NUL: what clients see */

struct upload_info {
    struct uid id;
    struct str key;
    int64_t created_ms;
    struct str owner;
    enum digest_kind checksum;      /* x-amz-checksum-algorithm; NONE: not asked for */
    enum checksum_type checksum_type;
    struct object_meta meta;        /* upload_list tells the storage class alone */
    bool is_completing;             /* a Complete is at work: part_put_fn says ERR_BUSY */
};
void upload_id_print(struct uid id, char out[UPLOAD_ID_SIZE]);
bool upload_id_parse(struct str text, struct uid *ret);

/* Waiting call. Of what: owner, checksum, checksum_type, meta. ERR_NO_SUCH_BUCKET, ERR_INVALID_REQUEST (FULL_OBJECT of an algorithm that is no CRC,
 * COMPOSITE of CRC64NVME), object_key_check's. */
struct err upload_create(struct store *s, struct str bucket, struct str key, const struct upload_info *what, struct uid *ret_id);
/* ERR_NO_SUCH_UPLOAD (also for another key's upload), ERR_NO_SUCH_BUCKET. Strings live in the view. */
struct err upload_get(struct rows *r, struct str bucket, struct str key, struct uid id, struct arena *arena, struct upload_info *ret);

/* One part: the transaction behind a finished body writer. A part number that exists is replaced. ERR_NO_SUCH_UPLOAD, ERR_NO_SUCH_BUCKET,
 * ERR_INVALID_ARGUMENT (number), ERR_INVALID_REQUEST (another checksum algorithm than the upload's), ERR_BUSY (a Complete is at work: it may fail, and then
 * the part is welcome again, so this is not yet "no such upload"; a mark that a crash left stands for a minute at most). */
struct part_put {
    struct store *store;
    struct str bucket, key;
    struct uid upload;
    uint32_t number;
    struct object_checksum checksum; /* what the client sent; NONE, or no value: the writer's */
    struct body_writer *body;        /* NULL: empty */
    /* out: */
    uint8_t ret_md5[16];
    int64_t ret_mtime_ms;
};
struct err part_put_fn(struct txn *txn, void *arg); /* txn_fn */

/* UploadPartCopy: shares volume bodies when the range is a whole one, else moves bytes. Waiting. range_len 0: the whole source. Errors: part_put_fn's, and
 * ERR_NO_SUCH_KEY, ERR_PRECONDITION, ERR_INVALID_RANGE, ERR_ENTITY_TOO_LARGE (over 5 GiB), ERR_CONFLICT (overwritten again and again meanwhile). */
struct part_copy {
    struct store *store;
    struct str source_bucket, source_key;
    struct conditions source_conditions;
    bool has_range;
    uint64_t range_offset, range_len;
    struct str bucket, key;
    struct uid upload;
    uint32_t number;
    uint8_t ret_md5[16];
    int64_t ret_mtime_ms;
    struct object_checksum ret_checksum;
};
struct err part_copy(struct part_copy *c, struct arena *arena);

struct part_info {
    uint32_t number;
    uint64_t size;
    int64_t mtime_ms;
    uint8_t md5[16];
    struct object_checksum checksum;
};
struct part_page {
    struct part_info *parts;
    size_t count;
    bool is_truncated;
    uint32_t next_marker;
};
struct err upload_list_parts(struct store *s, struct str bucket, struct str key, struct uid id, uint32_t after, uint32_t max,
                             struct arena *arena, struct part_page *ret);

struct upload_query {
    struct str bucket, prefix, delimiter, key_marker;
    struct str upload_id_marker; /* only with key_marker */
    uint32_t max;
};
struct upload_entry {
    struct str key;      /* or the common prefix */
    bool is_prefix;
    struct upload_info info;
};
struct upload_page {
    struct upload_entry *entries;
    size_t count;
    bool is_truncated;
    struct str next_key_marker, next_upload_id_marker;
};
struct err upload_list(struct store *s, const struct upload_query *q, struct arena *arena, struct upload_page *ret);

struct complete_part {
    uint32_t number;
    struct str etag;                    /* with or without quotes */
    struct object_checksum checksum;    /* as sent per part; kind NONE: not sent */
};
struct upload_complete {
    struct store *store;
    struct str bucket, key;
    struct uid upload;
    const struct complete_part *parts;
    size_t part_count;
    struct conditions conditions;
    struct object_checksum checksum;    /* of the whole, as sent; kind NONE: not sent */
    bool has_object_size;               /* x-amz-mp-object-size */
    uint64_t object_size;
    struct object_guard *guard;         /* of what is there; NULL: nobody is asked */
    /* out: */
    struct object_info ret;
};
/* Waiting. ERR_NO_SUCH_UPLOAD, ERR_NO_SUCH_BUCKET, ERR_MALFORMED_XML (an empty list), ERR_INVALID_PART_ORDER, ERR_INVALID_PART, ERR_ENTITY_TOO_SMALL,
 * ERR_ENTITY_TOO_LARGE, ERR_PRECONDITION, ERR_NO_SUCH_KEY (If-Match on nothing), ERR_CHECKSUM_MISMATCH, ERR_INVALID_REQUEST, ERR_CONFLICT (others change the upload again
 * and again), what the guard refuses with. After any failure the upload is there as before. Repeated after success: the same answer while the object is still that upload's,
 * whatever list and conditions come with it; then ERR_NO_SUCH_UPLOAD. */
struct err upload_complete(struct upload_complete *c, struct arena *arena);
/* ERR_NO_SUCH_UPLOAD, ERR_NO_SUCH_BUCKET. Its parts are garbage from then on. */
struct err upload_abort(struct store *s, struct str bucket, struct str key, struct uid id);

/* Clear up to some rows of SPACE_GARBAGE; *ret_more says whether there was something to do, so there may be more. Background work calls it until
 * not, and again from time to time: what may still be read, or is being copied, is not ripe yet. ERR_CORRUPT when nothing is left but what cannot be read. */
struct err multipart_clear(struct store *s, bool *ret_more);

/* ---- part maps, for readers and copies ---- */

/* One row of a part map (64 bytes on disk: FORMAT.md). */
struct part_entry {
    uint32_t number;
    uint64_t size, offset; /* offset in the object */
    struct uid body;       /* all parts of a map are bodies in volumes; an empty part has none (size 0) */
};

#endif
