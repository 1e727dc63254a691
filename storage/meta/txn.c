/*
 * txn.c - a transaction while its fn runs.
 *
 * Its rows gather in an overlay, its bodies in the batch. What a call refuses is remembered: a transaction of which
 * something is missing does not become durable, even if fn goes on and returns OK.
 *
 * A dry run is the same without a batch, on a view. Its overlay is thrown away; its places are not real; its number is a guess.
 */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/meta/embedded.h"

/* The segment id of places given in a dry run: it is not 0, and no segment gets there. */
#define DRY_SEGMENT UINT32_MAX

struct txn *txn_new(struct meta *m)
{
    struct txn *t = calloc(1, sizeof(*t));
    if (!t) return NULL;
    t->meta = m;
    t->overlay = memtable_new();
    return t->overlay ? t : txn_free(t);
}

struct txn *txn_free(struct txn *t)
{
    if (!t) return NULL;
    memtable_free(t->overlay);
    free(t);
    return NULL;
}

void txn_begin(struct txn *t, const struct rows_sources *from, struct batch *batch, uint64_t number)
{
    struct rows_sources sources = *from;

    memtable_clear(t->overlay);
    sources.overlay = t->overlay;
    rows_merged_init(&t->merged, &sources);
    t->batch = batch;
    t->number = number;
    t->row_bytes = t->body_bytes = 0;
    t->bodies = 0;
    t->is_batch_full = false;
    t->failed = OK;
}

static struct err fail(struct txn *t, struct err e)
{
    if (e.code && !t->failed.code) t->failed = e;
    return e;
}

static struct err batch_full(struct txn *t)
{
    t->is_batch_full = true;
    return fail(t, FAIL(ERR_BUSY, "there is no room in this batch"));
}

/* ---- what fn calls ---- */

struct rows *txn_rows(struct txn *txn)
{
    return &txn->merged.rows;
}

uint64_t txn_number(const struct txn *txn)
{
    return txn->number;
}

static struct err row_check(struct txn *t, enum space space, struct str key, struct str value)
{
    if (space < LMDB_SPACE_MIN || space > LMDB_SPACE_MAX)
        return FAIL(ERR_INVALID, "there is no such space of rows");
    if (!key.len || key.len > LIMIT_ROW_KEY) return FAIL(ERR_INVALID, "a row's key is empty or too long");
    if (value.len > LIMIT_ROW_VALUE) return FAIL(ERR_INVALID, "a row's value is too long");
    t->row_bytes += key.len + value.len;
    if (t->row_bytes > LIMIT_TXN_BYTES) return FAIL(ERR_TOO_LARGE, "a transaction's rows are too large");
    return OK;
}

static struct err rows_check(struct txn *t)
{
    const bool is_too_large = memtable_rows(t->overlay) > LIMIT_TXN_ROWS;
    return is_too_large ? FAIL(ERR_TOO_LARGE, "a transaction has too many rows") : OK;
}

struct err txn_put(struct txn *txn, enum space space, struct str key, struct str value)
{
    TRY(fail(txn, row_check(txn, space, key, value)));
    TRY(fail(txn, memtable_put(txn->overlay, (uint8_t)space, key, value)));
    return fail(txn, rows_check(txn));
}

struct err txn_del(struct txn *txn, enum space space, struct str key)
{
    TRY(fail(txn, row_check(txn, space, key, STR_NONE)));
    TRY(fail(txn, memtable_del(txn->overlay, (uint8_t)space, key)));
    return fail(txn, rows_check(txn));
}

struct err txn_prefetch(struct txn *txn, enum space space, const struct str *keys, size_t count)
{
    (void)txn, (void)space, (void)keys, (void)count;
    return OK;
}

static struct err body_check(struct txn *t, struct str key, struct str body)
{
    const uint64_t quarter = t->meta->options.segment_bytes / 4;

    if (!key.len || key.len > LIMIT_ROW_KEY)
        return FAIL(ERR_INVALID, "a body's row has no key or too long a one");
    if (body.len > LIMIT_JOURNAL_BODY || body.len > quarter)
        return FAIL(ERR_TOO_LARGE, "a body is too large for the journal");
    t->body_bytes += body.len;
    if (t->body_bytes > LIMIT_TXN_BODY_BYTES || ++t->bodies > LIMIT_TXN_ROWS)
        return FAIL(ERR_TOO_LARGE, "a transaction has too many bodies");
    return OK;
}

struct err txn_put_body(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret)
{
    TRY(fail(txn, body_check(txn, key, body)));
    if (!txn->batch) {
        *ret = (struct place){ .segment_id = DRY_SEGMENT, .length = (uint32_t)body.len };
        return OK;
    }
    return batch_body(txn->batch, space, key, body, ret) ? OK : batch_full(txn);
}

struct err txn_drop_body(struct txn *txn, struct place p)
{
    if (++txn->bodies > LIMIT_TXN_ROWS)
        return fail(txn, FAIL(ERR_TOO_LARGE, "a transaction drops too many bodies"));
    if (!txn->batch) return OK;
    return batch_drop(txn->batch, &p) ? OK : batch_full(txn);
}

/* ---- the end of a run ---- */

struct err txn_finish(struct txn *t)
{
    struct memtable_cursor c;
    struct memtable_row row;
    const struct memtable_tree rows = memtable_working(t->overlay);

    TRY(t->failed);
    for (bool more = memtable_seek(&c, rows, 0, STR_NONE, false); more; more = memtable_next(&c)) {
        memtable_at(&c, &row);
        const bool fits = row.is_deleted ? batch_del(t->batch, row.space, row.key)
                                         : batch_put(t->batch, row.space, row.key, row.value);
        if (!fits) return batch_full(t);
    }
    return OK;
}

/* ---- the dry run ---- */

static struct txn *txn_idle_take(struct meta *m)
{
    mutex_lock(&m->views_lock);
    struct txn *t = m->txns_idle;
    if (t) m->txns_idle = t->next;
    mutex_unlock(&m->views_lock);
    return t ? t : txn_new(m);
}

static void txn_idle_give(struct meta *m, struct txn *t)
{
    mutex_lock(&m->views_lock);
    t->next = m->txns_idle;
    m->txns_idle = t;
    mutex_unlock(&m->views_lock);
}

struct err txn_dry_run(struct meta *m, txn_fn *fn, void *arg)
{
    struct view *v;
    struct txn *t = txn_idle_take(m);
    if (!t) return FAIL(ERR_NO_MEMORY, "no memory for a transaction");

    struct err e = view_take(m, &v);
    if (!e.code) {
        txn_begin(t, &v->merged.from, NULL, v->number + 1);
        e = fn(t, arg);
        if (!e.code) e = t->failed;
        view_give(v);
    } else if (e.code == ERR_BUSY) {
        e = OK; /* the views are all taken: the committer decides, with less warmed up */
    }
    txn_idle_give(m, t);
    return e;
}

void txns_free(struct meta *m)
{
    while (m->txns_idle) {
        struct txn *t = m->txns_idle;
        m->txns_idle = t->next;
        txn_free(t);
    }
}
