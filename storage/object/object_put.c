/*
 * object_put.c - publishing objects: one row in place of another.
 *
 * Everything that can be done outside was done when this runs: the body is in memory with its sums, or
 * durable in volumes. Inside stay the bucket's row (which a deleted bucket lacks, and which orders a PUT
 * against bucket_delete), the conditions against the row that is there *now*, and the exchange of rows. So of
 * racing writers with If-None-Match: * exactly one finds no row.
 *
 * A small body costs one row and the body itself; a large one its rows in volumes too. What the old row
 * referred to goes in the same transaction (object_delete.h).
 */
#include "storage/object/object_put.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/object/bucket.h"
#include "storage/object/object_delete.h"

/* *ret_old is NULL, or old decoded. */
static struct err find_old(struct txn *txn, struct str row_key, struct object_info *old,
                           const struct object_info **ret_old)
{
    struct str row;

    *ret_old = NULL;
    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, row_key, &row);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(object_decode(row, NULL, old));
    *ret_old = old;
    return OK;
}

/* Exchange the rows. old is NULL if there is none. */
static struct err exchange(struct txn *txn, struct str row_key, const struct object_info *old,
                           const struct object_info *info)
{
    struct buf row;

    if (old) TRY(object_drop_body(txn, old));
    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(info, &row);
    struct err e = buf_err(&row);
    if (!e.code) e = txn_put(txn, SPACE_OBJECTS, row_key, buf_view(&row));
    buf_done(&row);
    return e;
}

struct err object_publish(struct txn *txn, uint64_t bucket_id, struct str key, const struct object_info *info,
                          struct arena *arena)
{
    uint8_t key_bytes[OBJECT_ROW_KEY_SIZE];
    struct object_info old_info;
    const struct object_info *old;

    (void)arena; /* the old row is decoded without its metadata */
    TRY(object_key_check(key));
    const struct str row_key = object_row_key(bucket_id, key, key_bytes);
    TRY(find_old(txn, row_key, &old_info, &old));
    return exchange(txn, row_key, old, info);
}

/* What an object is by its body alone: size, ETag, checksum. */
static void describe(struct object_put *put, struct object_info *info)
{
    struct body_writer *w = put->body;
    const struct digest_value md5 = w ? body_writer_md5(w) : digest_of(DIGEST_MD5, "", 0);

    memcpy(info->etag_md5, md5.bytes, sizeof(info->etag_md5));
    info->size = w ? body_writer_size(w) : 0;
    info->checksum = put->checksum;
    if (info->checksum.kind != DIGEST_NONE && info->checksum.value.len > 0) return;

    const enum digest_kind asked = info->checksum.kind ? info->checksum.kind : DIGEST_CRC64NVME;
    info->checksum.kind = w ? body_writer_checksum_kind(w) : asked;
    info->checksum.type = CHECKSUM_FULL_OBJECT;
    info->checksum.value = w ? body_writer_checksum(w) : digest_of(asked, "", 0);
}

struct err object_put_fn(struct txn *txn, void *arg)
{
    struct object_put *put = arg;
    uint8_t key_bytes[OBJECT_ROW_KEY_SIZE];
    struct object_info old_info, info = { .uid = ids_uid(), .mtime_ms = clock_now_ms(), .meta = put->meta };
    const struct object_info *old;
    uint64_t bucket_id;

    TRY(object_key_check(put->key));
    TRY(object_guard_prefetch(put->guard, txn, put->bucket));
    TRY(bucket_id_get(txn_rows(txn), put->bucket, &bucket_id));
    const struct str row_key = object_row_key(bucket_id, put->key, key_bytes);
    TRY(find_old(txn, row_key, &old_info, &old));
    TRY(conditions_write(&put->conditions, old));
    if (old) TRY(object_guard_ask(put->guard, txn_rows(txn), put->bucket, put->key));

    describe(put, &info);
    TRY(body_writer_publish(txn, put->body, info.uid, SPACE_OBJECTS, row_key, &info.body));
    TRY(exchange(txn, row_key, old, &info));
    put->ret = info;
    return OK;
}

/* ---- small objects of other modules ---- */

void object_bytes_prepare(struct object_bytes *o)
{
    struct object_info info = { .size = o->bytes.len };

    const struct digest_value md5 = digest_of(DIGEST_MD5, o->bytes.data, o->bytes.len);
    memcpy(info.etag_md5, md5.bytes, sizeof(info.etag_md5));
    info.checksum.kind = DIGEST_CRC64NVME;
    info.checksum.value = digest_of(DIGEST_CRC64NVME, o->bytes.data, o->bytes.len);
    info.meta.headers[OBJECT_CONTENT_TYPE] = o->content_type;
    o->info = info;
}

struct err object_bytes_fn(struct txn *txn, struct object_bytes *o, struct arena *arena)
{
    uint8_t key_bytes[OBJECT_ROW_KEY_SIZE];
    struct body_ref body = { .kind = BODY_NONE_AT_ALL };
    uint64_t bucket_id;

    TRY(object_key_check(o->key));
    TRY(bucket_id_get(txn_rows(txn), o->bucket, &bucket_id));
    if (o->bytes.len) {
        body.kind = BODY_SMALL;
        TRY(txn_put_body(txn, SPACE_OBJECTS, object_row_key(bucket_id, o->key, key_bytes), o->bytes,
                         &body.place));
    }
    o->info.uid = ids_uid();
    o->info.mtime_ms = clock_now_ms();
    o->info.body = body;
    return object_publish(txn, bucket_id, o->key, &o->info, arena);
}
