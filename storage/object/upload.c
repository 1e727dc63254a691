/*
 * upload.c - uploads in parts: beginning one, finding it, giving it up.
 *
 * An upload is one row. Giving it up deletes that row, and from then on no part is accepted and no Complete succeeds; the parts,
 * which may be 10,000, are left to the background as one row of garbage (clear.c), in the same transaction.
 */
#include "storage/object/multipart.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/upload_row.h"

void upload_id_print(struct uid id, char out[UPLOAD_ID_SIZE])
{
    hex_z(id.bytes, sizeof(id.bytes), out);
}

bool upload_id_parse(struct str text, struct uid *ret)
{
    struct uid id;

    if (!hex_from(text, id.bytes, sizeof(id.bytes))) return false;
    *ret = id;
    return true;
}

/* ---- create ---- */

/* AWS: CRC64NVME covers the whole object only; SHA and MD5 sums of parts cannot be put together to one of the whole. */
static struct err checksum_type_check(enum digest_kind kind, enum checksum_type type)
{
    switch (kind) {
    case DIGEST_NONE:
    case DIGEST_KIND_COUNT:
    case DIGEST_CRC32:
    case DIGEST_CRC32C: return OK;
    case DIGEST_CRC64NVME:
        if (type == CHECKSUM_FULL_OBJECT) return OK;
        return FAIL(ERR_INVALID_REQUEST,
                    "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.");
    case DIGEST_MD5:
    case DIGEST_SHA1:
    case DIGEST_SHA256:
        if (type == CHECKSUM_COMPOSITE) return OK;
        return FAIL(ERR_INVALID_REQUEST,
                    "The FULL_OBJECT checksum type cannot be used with this checksum algorithm.");
    }
    return FAIL(ERR_INVALID_REQUEST, "The checksum algorithm is not known.");
}

struct creation {
    struct str bucket, key, value;
    struct uid id;
};

static struct err create_fn(struct txn *txn, void *arg)
{
    const struct creation *c = arg;
    uint8_t key[UPLOAD_KEY_BYTES];
    uint64_t bucket_id;

    TRY(bucket_id_get(txn_rows(txn), c->bucket, &bucket_id));
    const struct str row_key = upload_row_key(bucket_id, c->key, c->id, key);
    if (row_key.len > LIMIT_ROW_KEY) return FAIL(ERR_KEY_TOO_LONG, err_text(ERR_KEY_TOO_LONG));
    return txn_put(txn, SPACE_UPLOADS, row_key, c->value);
}

struct err upload_create(struct store *s, struct str bucket, struct str key, const struct upload_info *what,
                         struct uid *ret_id)
{
    CLEANUP(buf_done) struct buf meta, value;
    struct creation c = { .bucket = bucket, .key = key, .id = ids_uid() };

    buf_init(&meta, LIMIT_ROW_VALUE);
    buf_init(&value, LIMIT_ROW_VALUE);
    TRY(object_key_check(key));
    TRY(checksum_type_check(what->checksum, what->checksum_type));

    object_encode(&(struct object_info){ .meta = what->meta }, &meta);
    TRY(buf_err(&meta));
    upload_row_encode(
        &(struct upload_row){
            .created_ms = clock_now_ms(),
            .checksum = what->checksum,
            .checksum_type = what->checksum_type,
            .owner = what->owner,
            .meta = buf_view(&meta),
        },
        &value);
    TRY(buf_err(&value));

    c.value = buf_view(&value);
    TRY(meta_run(s->meta, create_fn, &c));
    *ret_id = c.id;
    return OK;
}

/* ---- get ---- */

struct err upload_get(struct rows *r, struct str bucket, struct str key, struct uid id, struct arena *arena,
                      struct upload_info *ret)
{
    struct upload_place place;
    struct upload_row row;
    struct object_info said;

    TRY(upload_find(r, bucket, key, id, &place, &row));
    TRY(object_decode(row.meta, arena, &said));
    const struct str own_key = arena_str(arena, key);
    if (!own_key.data) return FAIL(ERR_NO_MEMORY, "no memory for the key of an upload");

    *ret = (struct upload_info){
        .id = id,
        .key = own_key,
        .created_ms = row.created_ms,
        .owner = row.owner,
        .checksum = row.checksum,
        .checksum_type = row.checksum_type,
        .meta = said.meta,
        .is_completing = upload_is_marked_now(&row),
    };
    return OK;
}

/* ---- abort ---- */

struct aborting {
    struct str bucket, key;
    struct uid id;
};

static struct err abort_fn(struct txn *txn, void *arg)
{
    const struct aborting *a = arg;
    struct upload_place place;
    struct upload_row row;

    TRY(upload_find(txn_rows(txn), a->bucket, a->key, a->id, &place, &row));
    TRY(txn_del(txn, SPACE_UPLOADS, place.row_key));
    return upload_leave_parts(txn, place.bucket_id, a->id, STR_NONE);
}

struct err upload_abort(struct store *s, struct str bucket, struct str key, struct uid id)
{
    struct aborting a = { bucket, key, id };

    return meta_run_freeing(s->meta, abort_fn, &a);
}
