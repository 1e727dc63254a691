/*
 * txn.c - a transaction while its fn runs: the part that all engines share (engine.h).
 *
 * Its rows gather in an overlay; bodies are the engine's. Limits are held here, so they are the same everywhere.
 */
#include "storage/base/limits.h"
#include "storage/meta/engine.h"

struct err txn_init(struct txn *t, const struct txn_ops *ops, uint64_t body_max)
{
    *t = (struct txn){ .ops = ops, .body_max = body_max, .overlay = memtable_new() };
    return t->overlay ? OK : FAIL(ERR_NO_MEMORY, "no memory for a transaction");
}

void txn_done(struct txn *t)
{
    t->overlay = memtable_free(t->overlay);
}

void txn_begin(struct txn *t, const struct rows_sources *from, uint64_t number)
{
    struct rows_sources sources = *from;

    memtable_clear(t->overlay);
    sources.overlay = t->overlay;
    rows_merged_init(&t->merged, &sources);
    t->number = number;
    t->row_bytes = t->body_bytes = 0;
    t->bodies = 0;
    t->failed = OK;
}

struct err txn_noted(struct txn *t, struct err e)
{
    if (e.code && !t->failed.code) t->failed = e;
    return e;
}

bool txn_is_empty(const struct txn *t)
{
    return !memtable_rows(t->overlay) && !t->bodies;
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
    TRY(txn_noted(txn, row_check(txn, space, key, value)));
    TRY(txn_noted(txn, memtable_put(txn->overlay, (uint8_t)space, key, value)));
    return txn_noted(txn, rows_check(txn));
}

struct err txn_del(struct txn *txn, enum space space, struct str key)
{
    TRY(txn_noted(txn, row_check(txn, space, key, STR_NONE)));
    TRY(txn_noted(txn, memtable_del(txn->overlay, (uint8_t)space, key)));
    return txn_noted(txn, rows_check(txn));
}

struct err txn_prefetch(struct txn *txn, enum space space, const struct str *keys, size_t count)
{
    return txn->ops->prefetch ? txn->ops->prefetch(txn, space, keys, count) : OK;
}

static struct err body_check(struct txn *t, struct str key, struct str body)
{
    if (!key.len || key.len > LIMIT_ROW_KEY)
        return FAIL(ERR_INVALID, "a body's row has no key or too long a one");
    if (body.len > LIMIT_JOURNAL_BODY || body.len > t->body_max)
        return FAIL(ERR_TOO_LARGE, "a body is too large for the journal");
    t->body_bytes += body.len;
    if (t->body_bytes > LIMIT_TXN_BODY_BYTES || ++t->bodies > LIMIT_TXN_ROWS)
        return FAIL(ERR_TOO_LARGE, "a transaction has too many bodies");
    return OK;
}

struct err txn_put_body(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret)
{
    TRY(txn_noted(txn, body_check(txn, key, body)));
    return txn_noted(txn, txn->ops->put_body(txn, space, key, body, ret));
}

struct err txn_drop_body(struct txn *txn, struct place p)
{
    if (++txn->bodies > LIMIT_TXN_ROWS)
        return txn_noted(txn, FAIL(ERR_TOO_LARGE, "a transaction drops too many bodies"));
    return txn_noted(txn, txn->ops->drop_body(txn, p));
}
