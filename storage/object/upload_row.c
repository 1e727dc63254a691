/*
 * upload_row.c - see upload_row.h.
 *
 *   upload row     OFFSET SIZE                       part row       OFFSET SIZE
 *   version 1           0    1                       version 1           0    1
 *   checksum kind       1    1                       body kind           1    1
 *   checksum type       2    1                       checksum kind       2    1
 *   zero                3    1                       checksum length     3    1
 *   owner length        4    4                       zero                4    4
 *   created ms          8    8                       size                8    8
 *   mark               16   16                       mtime ms           16    8
 *   mark until ms      32    8                       MD5                24   16
 *   owner              40    n                       place, or uid, 0   40   20
 *   meta           40 + n  rest                      checksum           60    n
 *
 * The meta of an upload is an object row with nothing else in it: one codec for what clients say about objects, not two.
 */
#include "storage/object/upload_row.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/garbage.h"

#define ROW_VERSION 1
#define UPLOAD_HEAD 40
#define PART_HEAD 60

/* ---- keys ---- */

static size_t escape(struct str key, uint8_t *out)
{
    size_t len = 0;

    for (size_t i = 0; i < key.len; i++) {
        out[len++] = (uint8_t)key.data[i];
        if (!key.data[i]) out[len++] = 0xff;
    }
    return len;
}

struct str upload_row_prefix(uint64_t bucket_id, struct str prefix, uint8_t *out)
{
    put_be64(out, bucket_id);
    return str_of(out, 8 + escape(prefix, out + 8));
}

struct str upload_row_key(uint64_t bucket_id, struct str key, struct uid id, uint8_t *out)
{
    size_t len = upload_row_prefix(bucket_id, key, out).len;

    out[len++] = 0;
    memcpy(out + len, id.bytes, sizeof(id.bytes));
    return str_of(out, len + sizeof(id.bytes));
}

struct err upload_row_key_id(struct str row_key, struct uid *ret)
{
    if (row_key.len < 8 + 1 + 1 + 16) return FAIL(ERR_CORRUPT, "the key of an upload's row is too short");
    memcpy(ret->bytes, row_key.data + row_key.len - 16, 16);
    return OK;
}

struct err upload_row_key_parse(struct str row_key, struct arena *arena, struct str *ret_key,
                                struct uid *ret_id)
{
    struct uid id;
    TRY(upload_row_key_id(row_key, &id));

    const struct str escaped = str_slice(row_key, 8, row_key.len - 17);
    char *key = arena_alloc(arena, escaped.len + 1);
    size_t len = 0;
    if (!key) return FAIL(ERR_NO_MEMORY, "no memory for the key of an upload");

    for (size_t i = 0; i < escaped.len; i++) {
        key[len++] = escaped.data[i];
        if (escaped.data[i]) continue;
        if (++i == escaped.len || (uint8_t)escaped.data[i] != 0xff)
            return FAIL(ERR_CORRUPT, "the key of an upload's row is not well formed");
    }
    *ret_key = str_of(key, len);
    *ret_id = id;
    return OK;
}

struct str part_row_key(struct uid upload, uint32_t number, uint8_t out[PART_KEY_BYTES])
{
    memcpy(out, upload.bytes, 16);
    put_be32(out + 16, number);
    return str_of(out, PART_KEY_BYTES);
}

struct err part_row_key_parse(struct str row_key, uint32_t *ret_number)
{
    if (row_key.len != PART_KEY_BYTES) return FAIL(ERR_CORRUPT, "the key of a part's row has a wrong length");
    const uint32_t number = get_be32(row_key.data + 16);
    if (number < 1 || number > LIMIT_PARTS) return FAIL(ERR_CORRUPT, "a part's row has an impossible number");
    *ret_number = number;
    return OK;
}

/* ---- uploads ---- */

void upload_row_encode(const struct upload_row *row, struct buf *out)
{
    uint8_t *head = (uint8_t *)buf_extend(out, UPLOAD_HEAD);

    if (head) {
        memset(head, 0, UPLOAD_HEAD);
        head[0] = ROW_VERSION;
        head[1] = (uint8_t)row->checksum;
        head[2] = (uint8_t)row->checksum_type;
        put_le32(head + 4, (uint32_t)row->owner.len);
        put_le64(head + 8, (uint64_t)row->created_ms);
        memcpy(head + 16, row->mark.bytes, 16);
        put_le64(head + 32, (uint64_t)row->mark_until_ms);
    }
    buf_str(out, row->owner);
    buf_str(out, row->meta);
}

struct err upload_row_decode(struct str bytes, struct upload_row *ret)
{
    const uint8_t *head = (const uint8_t *)bytes.data;

    if (bytes.len < UPLOAD_HEAD || head[0] != ROW_VERSION)
        return FAIL(ERR_CORRUPT, "an upload's row has an unknown form");
    const uint32_t owner_len = get_le32(head + 4);
    if (head[1] >= DIGEST_KIND_COUNT || head[2] > CHECKSUM_COMPOSITE || owner_len > bytes.len - UPLOAD_HEAD)
        return FAIL(ERR_CORRUPT, "an upload's row has impossible fields");

    *ret = (struct upload_row){
        .created_ms = (int64_t)get_le64(head + 8),
        .checksum = (enum digest_kind)head[1],
        .checksum_type = (enum checksum_type)head[2],
        .mark_until_ms = (int64_t)get_le64(head + 32),
        .owner = str_slice(bytes, UPLOAD_HEAD, UPLOAD_HEAD + owner_len),
        .meta = str_from(bytes, UPLOAD_HEAD + owner_len),
    };
    memcpy(ret->mark.bytes, head + 16, 16);
    return OK;
}

bool upload_is_marked(const struct upload_row *row)
{
    return !uid_eq(row->mark, (struct uid){ { 0 } });
}

bool upload_is_marked_now(const struct upload_row *row)
{
    return upload_is_marked(row) && clock_now_ms() < row->mark_until_ms;
}

struct err upload_find(struct rows *r, struct str bucket, struct str key, struct uid id,
                       struct upload_place *ret_place, struct upload_row *ret_row)
{
    struct str value;

    if (key.len == 0 || key.len > LIMIT_KEY) return FAIL(ERR_NO_SUCH_UPLOAD, err_text(ERR_NO_SUCH_UPLOAD));
    TRY(bucket_id_get(r, bucket, &ret_place->bucket_id));
    ret_place->row_key = upload_row_key(ret_place->bucket_id, key, id, ret_place->bytes);
    if (ret_place->row_key.len > LIMIT_ROW_KEY) return FAIL(ERR_NO_SUCH_UPLOAD, err_text(ERR_NO_SUCH_UPLOAD));

    const struct err e = rows_get(r, SPACE_UPLOADS, ret_place->row_key, &value);
    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NO_SUCH_UPLOAD, err_text(ERR_NO_SUCH_UPLOAD));
    TRY(e);
    return upload_row_decode(value, ret_row);
}

struct err upload_find_open(struct txn *txn, struct str bucket, struct str key, struct uid id,
                            struct upload_row *ret_row)
{
    struct upload_place place;

    TRY(upload_find(txn_rows(txn), bucket, key, id, &place, ret_row));
    if (!upload_is_marked(ret_row)) return OK;
    if (upload_is_marked_now(ret_row)) return FAIL(ERR_BUSY, "The upload is being completed.");
    ret_row->mark = (struct uid){ { 0 } };
    return upload_row_put(txn, &place, ret_row);
}

struct err upload_row_put(struct txn *txn, const struct upload_place *place, const struct upload_row *row)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, LIMIT_ROW_VALUE);
    upload_row_encode(row, &out);
    TRY(buf_err(&out));
    return txn_put(txn, SPACE_UPLOADS, place->row_key, buf_view(&out));
}

/* ---- parts ---- */

struct str part_row_encode(const struct part_row *row, uint8_t out[PART_ROW_BYTES_MAX])
{
    const struct digest_value *sum = &row->checksum.value;

    memset(out, 0, PART_HEAD);
    out[0] = ROW_VERSION;
    out[1] = (uint8_t)row->body.kind;
    out[2] = (uint8_t)row->checksum.kind;
    out[3] = row->checksum.kind ? sum->len : 0;
    put_le64(out + 8, row->size);
    put_le64(out + 16, (uint64_t)row->mtime_ms);
    memcpy(out + 24, row->md5, 16);
    if (row->body.kind == BODY_SMALL) place_encode(&row->body.place, out + 40);
    if (row->body.kind == BODY_BLOB) memcpy(out + 40, row->body.uid.bytes, 16);
    memcpy(out + PART_HEAD, sum->bytes, out[3]);
    return str_of(out, PART_HEAD + out[3]);
}

struct err part_row_decode(struct str bytes, struct part_row *ret)
{
    const uint8_t *p = (const uint8_t *)bytes.data;

    if (bytes.len < PART_HEAD || p[0] != ROW_VERSION)
        return FAIL(ERR_CORRUPT, "a part's row has an unknown form");
    if (p[1] > BODY_BLOB || p[2] >= DIGEST_KIND_COUNT || p[3] > DIGEST_BYTES_MAX
        || bytes.len != (size_t)PART_HEAD + p[3])
        return FAIL(ERR_CORRUPT, "a part's row has impossible fields");
    if (p[2] != DIGEST_NONE && p[3] != digest_bytes((enum digest_kind)p[2]))
        return FAIL(ERR_CORRUPT, "the checksum in a part's row has a wrong length");

    *ret = (struct part_row){
        .size = get_le64(p + 8),
        .mtime_ms = (int64_t)get_le64(p + 16),
        .checksum = { .kind = (enum digest_kind)p[2], .type = CHECKSUM_FULL_OBJECT, .value.len = p[3] },
        .body.kind = (enum body_kind)p[1],
    };
    memcpy(ret->md5, p + 24, 16);
    memcpy(ret->checksum.value.bytes, p + PART_HEAD, p[3]);
    if (ret->body.kind == BODY_SMALL) place_decode(p + 40, &ret->body.place);
    if (ret->body.kind == BODY_BLOB) memcpy(ret->body.uid.bytes, p + 40, 16);
    if ((ret->body.kind == BODY_NONE_AT_ALL) != (ret->size == 0)
        || (ret->body.kind == BODY_SMALL && ret->body.place.length != ret->size))
        return FAIL(ERR_CORRUPT, "the size in a part's row is not that of its body");
    return OK;
}

struct err part_find(struct rows *r, struct uid upload, uint32_t number, struct part_row *ret)
{
    uint8_t key[PART_KEY_BYTES];
    struct str value;

    TRY(rows_get(r, SPACE_PARTS, part_row_key(upload, number, key), &value));
    return part_row_decode(value, ret);
}

struct err part_row_put(struct txn *txn, struct uid upload, uint32_t number, const struct part_row *row)
{
    uint8_t key[PART_KEY_BYTES], value[PART_ROW_BYTES_MAX];

    return txn_put(txn, SPACE_PARTS, part_row_key(upload, number, key), part_row_encode(row, value));
}

struct err part_is_unchanged(struct txn *txn, struct uid upload, uint32_t number, const struct part_row *row,
                             bool *ret)
{
    uint8_t key[PART_KEY_BYTES], value[PART_ROW_BYTES_MAX];
    struct str now;

    const struct err e = rows_get(txn_rows(txn), SPACE_PARTS, part_row_key(upload, number, key), &now);
    if (e.code != ERR_OK && e.code != ERR_NOT_FOUND) return e;
    *ret = e.code == ERR_OK && str_eq(now, part_row_encode(row, value));
    return OK;
}

struct err part_body_drop(struct txn *txn, struct uid upload, const struct part_row *row)
{
    switch (row->body.kind) {
    case BODY_NONE_AT_ALL:
    case BODY_PARTS: return OK;
    case BODY_SMALL: return txn_drop_body(txn, row->body.place);
    case BODY_BLOB: return blob_unref(txn, row->body.uid, upload);
    }
    return FAIL(ERR_CORRUPT, "a part has a body of no known kind");
}

struct err upload_leave_parts(struct txn *txn, uint64_t bucket_id, struct uid upload, struct str kept)
{
    struct str key, value;
    struct rows_scan scan;

    rows_scan_begin(&scan, txn_rows(txn), SPACE_PARTS, str_of(upload.bytes, sizeof(upload.bytes)), false);
    const bool is_any = rows_scan_next(&scan, &key, &value)
        && str_starts(key, str_of(upload.bytes, sizeof(upload.bytes)));
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    if (!is_any) return OK;

    struct garbage left = { .kind = GARBAGE_UPLOAD, .uid = upload, .bucket_id = bucket_id, .kept = kept };
    return garbage_put(txn, &left);
}

/* ---- sets of part numbers ---- */

void part_set_add(uint8_t *set, uint32_t number)
{
    set[(number - 1) / 8] |= (uint8_t)(1u << (number - 1) % 8);
}

bool part_set_has(struct str set, uint32_t number)
{
    const size_t at = (number - 1) / 8;

    return at < set.len && ((uint8_t)set.data[at] & 1u << (number - 1) % 8);
}
