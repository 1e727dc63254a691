/*
 * upload_row.h - the rows of uploads and of their parts: keys, content, and the mark of a Complete (docs/FORMAT.md, "Uploads and parts").
 *
 * Only the modules behind multipart.h use it. Decoded strings point into the row. Pure, but for the *_find functions, which read rows.
 *
 * The mark. A Complete that has more than a few parts to check marks the upload first. While the mark stands, no part was added, replaced
 * or removed: whoever would do that either waits (the mark's lease runs) or takes the mark away (it has run out: the completer
 * crashed, or hangs). The publishing transaction looks whether the mark it began with still stands. So the clock decides
 * only who waits, never what is true.
 */
#ifndef STORAGE_OBJECT_UPLOAD_ROW_H
#define STORAGE_OBJECT_UPLOAD_ROW_H

#include "storage/base/limits.h"
#include "storage/object/multipart.h"

#define UPLOAD_MARK_LEASE_MS 60000 /* checking 10,000 parts takes well under a second, copying as many small ones some seconds */

/* ---- keys ---- */

#define UPLOAD_KEY_BYTES (8 + 2 * LIMIT_KEY + 1 + 16)
#define PART_KEY_BYTES 20

/* Bucket id, key with each 0x00 as 0x00 0xff, 0x00, id. Ids begin with 0x00 (ids.h: milliseconds), so the rows of a bucket are ordered by key,
 * then by id, whatever bytes are in keys. May be longer than LIMIT_ROW_KEY only for keys with hundreds of NULs. */
struct str upload_row_key(uint64_t bucket_id, struct str key, struct uid id, uint8_t *out);
/* What the rows of all keys that begin with prefix begin with. */
struct str upload_row_prefix(uint64_t bucket_id, struct str prefix, uint8_t *out);
/* ERR_CORRUPT, ERR_NO_MEMORY. *ret_key is in the arena. */
struct err upload_row_key_parse(struct str row_key, struct arena *arena, struct str *ret_key, struct uid *ret_id);
/* The id alone. ERR_CORRUPT. */
struct err upload_row_key_id(struct str row_key, struct uid *ret);

struct str part_row_key(struct uid upload, uint32_t number, uint8_t out[PART_KEY_BYTES]);
struct err part_row_key_parse(struct str row_key, uint32_t *ret_number); /* ERR_CORRUPT */

/* ---- uploads ---- */

struct upload_row {
    int64_t created_ms;
    enum digest_kind checksum;
    enum checksum_type checksum_type;
    struct uid mark;         /* all zero: none */
    int64_t mark_until_ms;   /* end of its lease */
    struct str owner;
    struct str meta;         /* an object row (object.h) of which only the meta is used */
};

void upload_row_encode(const struct upload_row *row, struct buf *out);
struct err upload_row_decode(struct str bytes, struct upload_row *ret); /* ERR_CORRUPT */
bool upload_is_marked(const struct upload_row *row);
bool upload_is_marked_now(const struct upload_row *row); /* and its lease runs */

/* Where an upload is. */
struct upload_place {
    uint64_t bucket_id;
    struct str row_key; /* in bytes */
    uint8_t bytes[UPLOAD_KEY_BYTES];
};
/* ERR_NO_SUCH_BUCKET, ERR_NO_SUCH_UPLOAD. */
struct err upload_find(struct rows *r, struct str bucket, struct str key, struct uid id, struct upload_place *ret_place,
                       struct upload_row *ret_row);
/* In a transaction that changes parts: the same, and that it may. ERR_BUSY while a Complete is at work; a mark that has run out is taken away. */
struct err upload_find_open(struct txn *txn, struct str bucket, struct str key, struct uid id, struct upload_row *ret_row);
/* In a transaction: the row at that place. */
struct err upload_row_put(struct txn *txn, const struct upload_place *place, const struct upload_row *row);

/* ---- parts ---- */

struct part_row {
    uint64_t size;
    int64_t mtime_ms;
    uint8_t md5[16];
    struct object_checksum checksum; /* of the part's own bytes; type FULL_OBJECT */
    struct body_ref body;            /* NONE (size 0), SMALL, or BLOB under the upload's id */
};

#define PART_ROW_BYTES_MAX (60 + DIGEST_BYTES_MAX)
struct str part_row_encode(const struct part_row *row, uint8_t out[PART_ROW_BYTES_MAX]);
struct err part_row_decode(struct str bytes, struct part_row *ret); /* ERR_CORRUPT */
/* ERR_NOT_FOUND. */
struct err part_find(struct rows *r, struct uid upload, uint32_t number, struct part_row *ret);
struct err part_row_put(struct txn *txn, struct uid upload, uint32_t number, const struct part_row *row);
/* In a transaction: is the part's row just this one still? */
struct err part_is_unchanged(struct txn *txn, struct uid upload, uint32_t number, const struct part_row *row, bool *ret);
/* In a transaction: the row is going (or is replaced): what it refers to goes. */
struct err part_body_drop(struct txn *txn, struct uid upload, const struct part_row *row);

/* In the transaction that deletes the upload's row: if parts are left, leave them to multipart_clear. kept: the parts (as below) whose bodies in
 * volumes belong to the finished object. */
struct err upload_leave_parts(struct txn *txn, uint64_t bucket_id, struct uid upload, struct str kept);

/* ---- which parts a finished object kept: a bitmap over part numbers ---- */

#define PART_SET_BYTES_MAX ((LIMIT_PARTS + 7) / 8)
void part_set_add(uint8_t *set, uint32_t number);
bool part_set_has(struct str set, uint32_t number); /* numbers beyond its end are not in it */

static inline bool uid_eq(struct uid a, struct uid b)
{
    return __builtin_memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

#endif
