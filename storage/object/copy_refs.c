/*
 * copy_refs.c - see copy_refs.h.
 */
#include "storage/object/copy_refs.h"

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define SLICE 400            /* one row each, of LIMIT_TXN_ROWS */
#define LEASE_MS (5 * 60000) /* of a copy that does nothing: a slice takes milliseconds */

struct err copy_refs_take(struct txn *txn, const struct part_map *map, struct uid referrer, size_t from,
                          size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct part_entry part = part_map_at(map, i);
        if (part.size) TRY(blob_ref(txn, part.body, referrer));
    }
    return OK;
}

/* Is the row still as we wrote it? */
static struct err check_row(struct txn *txn, const struct copy_refs *c)
{
    CLEANUP(buf_done) struct buf ours;
    uint8_t key[GARBAGE_KEY_BYTES];
    struct str row;

    buf_init(&ours, LIMIT_ROW_VALUE);
    garbage_encode(&c->garbage, &ours);
    TRY(buf_err(&ours));
    const struct err e = rows_get(txn_rows(txn), SPACE_GARBAGE, garbage_key(&c->garbage, key), &row);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    if (e.code == ERR_NOT_FOUND || !str_eq(row, buf_view(&ours)))
        return FAIL(ERR_CONFLICT, "the copy took too long and was taken apart");
    return OK;
}

static struct err begin_fn(struct txn *txn, void *arg)
{
    struct copy_refs *c = arg;
    uint8_t key[GARBAGE_KEY_BYTES];

    TRY(txn_put_body(txn, SPACE_GARBAGE, garbage_key(&c->next, key), c->map->bytes, &c->next.map));
    return garbage_put(txn, &c->next);
}

static struct err slice_fn(struct txn *txn, void *arg)
{
    struct copy_refs *c = arg;
    const size_t left = c->map->count - c->taken, count = left < SLICE ? left : SLICE;

    TRY(check_row(txn, c));
    TRY(copy_refs_take(txn, c->map, c->garbage.uid, c->taken, c->taken + count));
    return garbage_update(txn, &c->next);
}

static struct err undo_fn(struct txn *txn, void *arg)
{
    struct copy_refs *c = arg;

    TRY(check_row(txn, c));
    return garbage_update(txn, &c->next);
}

struct err copy_refs_begin(struct copy_refs *c, struct meta *m, const struct part_map *map,
                           struct uid referrer)
{
    *c = (struct copy_refs){ .map = map };
    c->next = (struct garbage){ .kind = GARBAGE_PART_MAP,
                                .uid = referrer,
                                .due_ms = clock_now_ms() + LEASE_MS };
    TRY(meta_run(m, begin_fn, c));

    for (c->garbage = c->next; c->taken < map->count; c->garbage = c->next) {
        c->next.due_ms = clock_now_ms() + LEASE_MS;
        TRY(meta_run(m, slice_fn, c));
        c->taken += map->count - c->taken < SLICE ? map->count - c->taken : SLICE;
    }
    return OK;
}

struct err copy_refs_publish(struct txn *txn, struct copy_refs *c)
{
    TRY(check_row(txn, c));
    TRY(garbage_del(txn, &c->garbage));
    return txn_drop_body(txn, c->garbage.map);
}

void copy_refs_undo(struct copy_refs *c, struct meta *m)
{
    if (!c->garbage.kind) return; /* the row was never written */
    c->next = c->garbage;
    c->next.due_ms = 0;
    /* If this fails, the row becomes due by itself. */
    err_ignore(meta_run_freeing(m, undo_fn, c));
}
