/*
 * object_row.c - the row of an object, as bytes.
 *
 *   OFFSET  SIZE  MEANING
 *   0       1     version of the row: 1
 *   1       1     bits 0-1 kind of the body (0 none, 1 small, 2 blob, 3 parts), 2-4 kind of the checksum (enum
 *                 digest_kind), 5 the checksum is COMPOSITE, 6 multipart (a part count follows), 7 zero
 *   2       16    uid
 *   18      6     mtime, milliseconds since 1970, little endian
 *   24      16    MD5 of the ETag
 *   40      v     size (varint)
 *           v     part count (varint, 1 to 10,000), if multipart
 *           b     body: none 0 bytes; small, parts 20 (place: meta.h); blob 16 (uid)
 *           c     checksum, as long as its kind is
 *   then fields to the end of the row, each: an id of one byte, then
 *           0x01 to 0x08   header (1 + enum object_header), a string
 *           0x40           user metadata, two strings: name, value
 *           0x41           tag, two strings: name, value
 *   A string is a varint of its length and its bytes. Ids ascend; only 0x40 and 0x41 repeat.
 *
 * Most of the row is fixed because it is there for every object. A plain small one with a content type of 24
 * bytes has 96 bytes; with a key of 40 bytes, a bucket's id, LMDB's node and the row's CRC that makes 156,
 * and 234 in pages that random inserts leave two thirds full (the aim is 250). Ids of the kinds are on disk:
 * enum digest_kind, body_kind and object_header only grow at their ends.
 */
#include "storage/object/object.h"

#include <assert.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/object/row_code.h"

#define ROW_VERSION 1
#define FIELD_USER 0x40
#define FIELD_TAG 0x41
#define MTIME_BYTES 6

_Static_assert(DIGEST_KIND_COUNT <= 8, "a checksum's kind has three bits of the row");
_Static_assert(OBJECT_HEADER_COUNT < FIELD_USER, "header ids end before the fields that repeat");
_Static_assert(DIGEST_CRC64NVME == 6 && BODY_PARTS == 3 && OBJECT_STORAGE_CLASS == 7,
               "numbers on disk do not change");

/* ---- encoding ---- */

static void put_pairs(struct buf *out, uint8_t id, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append(out, &id, 1);
        row_put_str(out, pairs[i].name);
        row_put_str(out, pairs[i].value);
    }
}

static void put_body(struct buf *out, const struct body_ref *body)
{
    uint8_t place[PLACE_BYTES];

    switch (body->kind) {
    case BODY_NONE_AT_ALL: return;
    case BODY_SMALL:
    case BODY_PARTS:
        place_encode(&body->place, place);
        buf_append(out, place, sizeof(place));
        return;
    case BODY_BLOB: buf_append(out, body->uid.bytes, sizeof(body->uid.bytes)); return;
    }
}

void object_encode(const struct object_info *info, struct buf *out)
{
    const struct object_checksum *sum = &info->checksum;

    assert(info->mtime_ms >= 0);
    assert(sum->kind == DIGEST_NONE || sum->value.len == digest_bytes(sum->kind));
    assert((info->size == 0) == (info->body.kind == BODY_NONE_AT_ALL) || info->body.kind == BODY_PARTS);

    row_put_uint(out, ROW_VERSION, 1);
    row_put_uint(out,
                 (unsigned)info->body.kind | (unsigned)sum->kind << 2
                     | (sum->type == CHECKSUM_COMPOSITE ? 1u << 5 : 0) | (info->part_count ? 1u << 6 : 0),
                 1);
    buf_append(out, info->uid.bytes, sizeof(info->uid.bytes));
    row_put_uint(out, (uint64_t)info->mtime_ms, MTIME_BYTES);
    buf_append(out, info->etag_md5, sizeof(info->etag_md5));
    row_put_varint(out, info->size);
    if (info->part_count) row_put_varint(out, info->part_count);
    put_body(out, &info->body);
    buf_append(out, sum->value.bytes, digest_bytes(sum->kind));

    for (unsigned i = 0; i < OBJECT_HEADER_COUNT; i++) {
        if (!info->meta.headers[i].data) continue;
        row_put_uint(out, i + 1, 1);
        row_put_str(out, info->meta.headers[i]);
    }
    put_pairs(out, FIELD_USER, info->meta.user, info->meta.user_count);
    put_pairs(out, FIELD_TAG, info->meta.tags, info->meta.tag_count);
}

/* ---- decoding ---- */

static void read_body(struct row_reader *r, struct body_ref *body)
{
    const uint8_t *bytes;

    switch (body->kind) {
    case BODY_NONE_AT_ALL: return;
    case BODY_SMALL:
    case BODY_PARTS:
        bytes = row_bytes(r, PLACE_BYTES);
        if (bytes) place_decode(bytes, &body->place);
        return;
    case BODY_BLOB:
        bytes = row_bytes(r, sizeof(body->uid.bytes));
        if (bytes) memcpy(body->uid.bytes, bytes, sizeof(body->uid.bytes));
        return;
    }
}

/* All before the fields. */
static void read_fixed(struct row_reader *r, struct object_info *info)
{
    const uint64_t bits = row_uint(r, 1);
    const uint8_t *uid = row_bytes(r, sizeof(info->uid.bytes));
    if (uid) memcpy(info->uid.bytes, uid, sizeof(info->uid.bytes));
    info->mtime_ms = (int64_t)row_uint(r, MTIME_BYTES);
    const uint8_t *md5 = row_bytes(r, sizeof(info->etag_md5));
    if (md5) memcpy(info->etag_md5, md5, sizeof(info->etag_md5));
    info->size = row_varint(r);

    if (bits & 1 << 6) {
        const uint64_t count = row_varint(r);
        if (count < 1 || count > LIMIT_PARTS) r->is_bad = true;
        info->part_count = (uint32_t)count;
    }
    info->body.kind = (enum body_kind)(bits & 3);
    read_body(r, &info->body);

    const unsigned kind = bits >> 2 & 7;
    if (kind >= DIGEST_KIND_COUNT || bits & 1 << 7) {
        r->is_bad = true;
        return;
    }
    info->checksum.kind = (enum digest_kind)kind;
    info->checksum.type = bits & 1 << 5 ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
    info->checksum.value.len = (uint8_t)digest_bytes(info->checksum.kind);
    const uint8_t *sum = row_bytes(r, info->checksum.value.len);
    if (sum) memcpy(info->checksum.value.bytes, sum, info->checksum.value.len);
}

/* Fields: count pairs, and check ids; headers are kept. The reader is by value: the pairs are read by a
 * second pass. */
static bool read_fields(struct row_reader r, struct object_meta *meta)
{
    unsigned last_id = 0;

    while (row_more(&r)) {
        const unsigned id = (unsigned)row_uint(&r, 1);
        const bool is_pair = id == FIELD_USER || id == FIELD_TAG;
        if (id < last_id || (id == last_id && !is_pair) || (!is_pair && id > OBJECT_HEADER_COUNT))
            return false;
        last_id = id;

        const struct str first = row_str(&r);
        if (is_pair) {
            row_str(&r);
            *(id == FIELD_USER ? &meta->user_count : &meta->tag_count) += 1;
        } else {
            meta->headers[id - 1] = first;
        }
    }
    return !r.is_bad;
}

/* What read_fields found is well formed; now the pairs' memory is known. */
static struct err read_pairs(struct row_reader r, struct arena *arena, struct object_meta *meta)
{
    struct pair *user = arena_array(arena, struct pair, meta->user_count);
    struct pair *tags = arena_array(arena, struct pair, meta->tag_count);
    if (!user || !tags) return FAIL(ERR_NO_MEMORY, "no memory for an object's metadata");

    meta->user = user;
    meta->tags = tags;
    while (row_more(&r)) {
        const unsigned id = (unsigned)row_uint(&r, 1);
        const struct str first = row_str(&r);
        if (id == FIELD_USER) *user++ = (struct pair){ first, row_str(&r) };
        else if (id == FIELD_TAG) *tags++ = (struct pair){ first, row_str(&r) };
    }
    return OK;
}

/* Do size and body agree? A part map is not looked into here, but it is never empty and holds whole entries.
 */
static bool body_agrees(const struct object_info *info)
{
    switch (info->body.kind) {
    case BODY_NONE_AT_ALL: return info->size == 0;
    case BODY_SMALL: return info->size > 0 && info->size == info->body.place.length;
    case BODY_BLOB: return info->size > 0;
    case BODY_PARTS: return info->part_count > 0 && info->body.place.length > 0;
    }
    return false;
}

struct err object_decode(struct str row, struct arena *arena, struct object_info *ret)
{
    struct row_reader r = row_reader_of(row);
    struct object_info info = { 0 };

    if (row_uint(&r, 1) != ROW_VERSION) return FAIL(ERR_CORRUPT, "an object's row has an unknown version");
    read_fixed(&r, &info);
    if (r.is_bad || !body_agrees(&info) || !read_fields(r, &info.meta))
        return FAIL(ERR_CORRUPT, "an object's row is not well formed");
    if (!arena) info.meta.user_count = info.meta.tag_count = 0;
    if (info.meta.user_count + info.meta.tag_count > 0) TRY(read_pairs(r, arena, &info.meta));

    *ret = info;
    return OK;
}
