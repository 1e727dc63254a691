/*
 * garbage.c - the rows of SPACE_GARBAGE.
 *
 *   OFFSET  SIZE  MEANING
 *   0       1     version of the row: 1
 *   1       1     kind (enum garbage_kind)
 *   2       8     number of the transaction that made it, little endian
 *   10      8     bucket id, little endian; 0 for a part map
 *   18      20    place of a part map (meta.h); all zero when there is none
 *   38      4     progress, little endian
 *   42      8     due, milliseconds since 1970, little endian; 0: at once
 *   50      k     kept, to the end of the row (garbage.h)
 * The key is a uid of 16 bytes, the object's, the upload's, or (BUCKET) eight zeros and the bucket id be64,
 * and the kind.
 */
#include "storage/object/garbage.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/object/object_get.h"

#define ROW_VERSION 1
#define FIXED_BYTES 50

_Static_assert(FIXED_BYTES == 1 + 1 + 8 + 8 + PLACE_BYTES + 4 + 8, "the row is what the table says");
_Static_assert(GARBAGE_KEPT_MAX * 8 >= LIMIT_PARTS, "a bit for each part");

struct str garbage_key(const struct garbage *g, uint8_t out[GARBAGE_KEY_BYTES])
{
    memcpy(out, g->uid.bytes, sizeof(g->uid.bytes));
    out[GARBAGE_KEY_BYTES - 1] = (uint8_t)g->kind;
    return str_of(out, GARBAGE_KEY_BYTES);
}

void garbage_encode(const struct garbage *g, struct buf *out)
{
    uint8_t fixed[FIXED_BYTES];

    fixed[0] = ROW_VERSION;
    fixed[1] = (uint8_t)g->kind;
    put_le64(fixed + 2, g->since);
    put_le64(fixed + 10, g->bucket_id);
    place_encode(&g->map, fixed + 18);
    put_le32(fixed + 38, g->progress);
    put_le64(fixed + 42, (uint64_t)g->due_ms);
    buf_append(out, fixed, sizeof(fixed));
    buf_str(out, g->kept);
}

struct err garbage_decode(struct str key, struct str row, struct garbage *ret)
{
    const uint8_t *in = (const uint8_t *)row.data;
    struct garbage g = { 0 };

    if (key.len != GARBAGE_KEY_BYTES || row.len < FIXED_BYTES || row.len > FIXED_BYTES + GARBAGE_KEPT_MAX
        || in[0] != ROW_VERSION || in[1] < GARBAGE_PART_MAP || in[1] > GARBAGE_BUCKET
        || in[1] != (uint8_t)key.data[GARBAGE_KEY_BYTES - 1])
        return FAIL(ERR_CORRUPT, "a row of garbage is not well formed");
    g.kind = (enum garbage_kind)in[1];
    memcpy(g.uid.bytes, key.data, sizeof(g.uid.bytes));
    g.since = get_le64(in + 2);
    g.bucket_id = get_le64(in + 10);
    place_decode(in + 18, &g.map);
    g.progress = get_le32(in + 38);
    g.due_ms = (int64_t)get_le64(in + 42);
    g.kept = str_from(row, FIXED_BYTES);

    *ret = g;
    return OK;
}

struct err garbage_update(struct txn *txn, const struct garbage *g)
{
    uint8_t key[GARBAGE_KEY_BYTES];
    struct buf row;

    buf_init(&row, FIXED_BYTES + GARBAGE_KEPT_MAX);
    garbage_encode(g, &row);
    struct err e = buf_err(&row);
    if (!e.code) e = txn_put(txn, SPACE_GARBAGE, garbage_key(g, key), buf_view(&row));
    buf_done(&row);
    return e;
}

struct err garbage_put(struct txn *txn, struct garbage *g)
{
    g->since = txn_number(txn);
    return garbage_update(txn, g);
}

struct err garbage_del(struct txn *txn, const struct garbage *g)
{
    uint8_t key[GARBAGE_KEY_BYTES];
    return txn_del(txn, SPACE_GARBAGE, garbage_key(g, key));
}

/* A uid begins with a time in milliseconds, which is not 0. */
struct uid garbage_bucket_uid(uint64_t bucket_id)
{
    struct uid uid = { { 0 } };

    put_be64(uid.bytes + 8, bucket_id);
    return uid;
}

/* The order matters: once no view that is open can see the object's row, every reader that will ever come
 * from it has entered itself. */
bool garbage_is_ripe(struct meta *m, const struct garbage *g)
{
    if (g->due_ms > clock_now_ms()) return false;
    if (g->kind != GARBAGE_PART_MAP) return true;
    return meta_positions(m).viewed_by_all >= g->since && !object_is_being_read(g->uid);
}
