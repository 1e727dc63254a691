/*
 * embedded_txn.c - a transaction of the embedded engine: its bodies go to the batch as fn puts them, its rows when fn has returned.
 *
 * A dry run is the same without a batch, on a view. Its overlay is thrown away; its places are not real; its number is a guess.
 */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/meta/embedded.h"

/* The segment id of places given in a dry run: it is not 0, and no segment gets there. */
#define DRY_SEGMENT UINT32_MAX

static const struct txn_ops embedded_txn_ops;

struct embedded_txn *embedded_txn_new(struct embedded *m)
{
    struct embedded_txn *t = calloc(1, sizeof(*t));
    if (!t) return NULL;
    return txn_init(&t->txn, &embedded_txn_ops, m->options.segment_bytes / 4).code ? embedded_txn_free(t) : t;
}

struct embedded_txn *embedded_txn_free(struct embedded_txn *t)
{
    if (!t) return NULL;
    txn_done(&t->txn);
    free(t);
    return NULL;
}

void embedded_txn_begin(struct embedded_txn *t, const struct rows_sources *from, struct batch *batch,
                        uint64_t number)
{
    txn_begin(&t->txn, from, number);
    t->batch = batch;
    t->is_batch_full = false;
}

static struct err batch_full(struct embedded_txn *t)
{
    t->is_batch_full = true;
    return txn_noted(&t->txn, FAIL(ERR_BUSY, "there is no room in this batch"));
}

/* ---- bodies ---- */

static struct embedded_txn *embedded_txn_of(struct txn *txn)
{
    return (struct embedded_txn *)txn; /* its first member */
}

static struct err embedded_put_body(struct txn *txn, enum space space, struct str key, struct str body,
                                    struct place *ret)
{
    struct embedded_txn *t = embedded_txn_of(txn);

    if (!t->batch) {
        *ret = (struct place){ .segment_id = DRY_SEGMENT, .length = (uint32_t)body.len };
        return OK;
    }
    return batch_body(t->batch, space, key, body, ret) ? OK : batch_full(t);
}

static struct err embedded_drop_body(struct txn *txn, struct place p)
{
    struct embedded_txn *t = embedded_txn_of(txn);

    if (!t->batch) return OK;
    return batch_drop(t->batch, &p) ? OK : batch_full(t);
}

static const struct txn_ops embedded_txn_ops = {
    .put_body = embedded_put_body,
    .drop_body = embedded_drop_body,
};

/* ---- the end of a run ---- */

struct err embedded_txn_finish(struct embedded_txn *t)
{
    struct memtable_cursor c;
    struct memtable_row row;
    const struct memtable_tree rows = memtable_working(t->txn.overlay);

    TRY(t->txn.failed);
    for (bool more = memtable_seek(&c, rows, 0, STR_NONE, false); more; more = memtable_next(&c)) {
        memtable_at(&c, &row);
        const bool fits = row.is_deleted ? batch_del(t->batch, row.space, row.key)
                                         : batch_put(t->batch, row.space, row.key, row.value);
        if (!fits) return batch_full(t);
    }
    return OK;
}

/* ---- the dry run ---- */

static struct embedded_txn *txn_idle_take(struct embedded *m)
{
    mutex_lock(&m->views_lock);
    struct embedded_txn *t = m->txns_idle;
    if (t) m->txns_idle = t->next;
    mutex_unlock(&m->views_lock);
    return t ? t : embedded_txn_new(m);
}

static void txn_idle_give(struct embedded *m, struct embedded_txn *t)
{
    mutex_lock(&m->views_lock);
    t->next = m->txns_idle;
    m->txns_idle = t;
    mutex_unlock(&m->views_lock);
}

struct err txn_dry_run(struct embedded *m, txn_fn *fn, void *arg)
{
    struct view *v;
    struct embedded_txn *t = txn_idle_take(m);
    if (!t) return FAIL(ERR_NO_MEMORY, "no memory for a transaction");

    struct err e = view_take(m, &v);
    if (!e.code) {
        embedded_txn_begin(t, &v->merged.from, NULL, v->number + 1);
        e = fn(&t->txn, arg);
        if (!e.code) e = t->txn.failed;
        view_give(v);
    } else if (e.code == ERR_BUSY) {
        e = OK; /* the views are all taken: the committer decides, with less warmed up */
    }
    txn_idle_give(m, t);
    return e;
}

void txns_free(struct embedded *m)
{
    while (m->txns_idle) {
        struct embedded_txn *t = m->txns_idle;
        m->txns_idle = t->next;
        embedded_txn_free(t);
    }
}
