/*
 * pg_model_test.c - random transactions in PostgreSQL against a sorted array: rows of every length and order, scans in both directions with leaps, in views and in transactions, across
 * the ends of chunks.
 */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/meta/meta.h"
#include "storage/meta/rows_model.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

static const enum space spaces[] = { SPACE_OBJECTS, SPACE_UPLOADS, SPACE_PARTS };
enum { SPACES = 3, CHANGES_MAX = 60 };

struct work {
    uint64_t seed;
    const struct model *before;
    struct model *after; /* made anew by every run */
};

/* A scan from anywhere, forward with leaps or backward, is what the model says. */
static struct err check_scan(struct rows *r, const struct model *want, uint64_t *seed)
{
    const enum space space = spaces[random_below(seed, SPACES)];
    const bool is_backward = random_below(seed, 2);
    char key_bytes[LIMIT_ROW_KEY];
    struct str from = random_below(seed, 3) ? model_some_key(want, seed, key_bytes) : STR_NONE, key, value;
    size_t at = is_backward && !from.len ? model_lower(want, (uint8_t)(space + 1), STR_NONE)
                                         : model_lower(want, (uint8_t)space, from);
    struct rows_scan scan;

    rows_scan_begin(&scan, r, space, from, is_backward);
    for (uint64_t steps = random_below(seed, 3) ? random_below(seed, 30) : 2000; steps; steps--) {
        if (!is_backward && random_below(seed, 10) == 0) {
            from = model_some_key(want, seed, key_bytes);
            if (at < want->count && want->rows[at].space == space && str_cmp(from, want->rows[at].key) > 0) {
                rows_scan_seek(&scan, from);
                at = model_lower(want, (uint8_t)space, from);
            }
        }
        const struct model_row *row = is_backward ? (at ? &want->rows[--at] : NULL)
                                                  : (at < want->count ? &want->rows[at++] : NULL);
        const bool has = row && row->space == space, got = rows_scan_next(&scan, &key, &value);
        if (scan.err.code) break;
        CHECK_U64(got, has);
        if (!got) break;
        CHECK_STR(key, row->key);
        CHECK_STR(value, row->value);
    }
    rows_scan_done(&scan);
    return scan.err;
}

static struct err check_get(struct rows *r, const struct model *want, uint64_t *seed)
{
    const enum space space = spaces[random_below(seed, SPACES)];
    char key_bytes[LIMIT_ROW_KEY];
    const struct str key = model_some_key(want, seed, key_bytes);
    const struct model_row *row = model_find(want, (uint8_t)space, key);
    struct str value;

    const struct err e = rows_get(r, space, key, &value);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    CHECK_U64(!e.code, row != NULL);
    if (row) CHECK_STR(value, row->value);
    return OK;
}

static struct err change(struct txn *txn, struct work *w, uint64_t *seed)
{
    char key_bytes[LIMIT_ROW_KEY], value_bytes[RANDOM_VALUE_MAX];
    const struct str key = model_some_key(w->after, seed, key_bytes), value = random_value(seed, value_bytes);
    const enum space space = spaces[random_below(seed, SPACES)];

    if (random_below(seed, 3)) {
        TRY(txn_put(txn, space, key, value));
        model_put(w->after, (uint8_t)space, key, value);
    } else {
        TRY(txn_del(txn, space, key));
        model_del(w->after, (uint8_t)space, key);
    }
    return OK;
}

static struct err random_fn(struct txn *txn, void *arg)
{
    struct work *w = arg;
    uint64_t seed = w->seed;

    model_free(w->after);
    w->after = model_copy(w->before);
    for (uint64_t n = 1 + random_below(&seed, CHANGES_MAX); n; n--) {
        const uint64_t kind = random_below(&seed, 8);
        if (kind == 0) TRY(check_scan(txn_rows(txn), w->after, &seed));
        else if (kind == 1) TRY(check_get(txn_rows(txn), w->after, &seed));
        else TRY(change(txn, w, &seed));
    }
    return random_below(&seed, 10) ? OK : FAIL(ERR_PRECONDITION, "refused");
}

TEST(random_transactions_in_postgresql_are_those_of_a_sorted_array)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct model *now = model_new();
    uint64_t seed = 20261126;
    struct meta *m;

    log_set_level(LOG_LEVEL_ERROR);
    CHECK_OK(meta_open(&(struct meta_options){ .store = store, .schema = schema }, &m));
    for (int round = 0; round < 150; round++) {
        struct work w = { .seed = random_next(&seed), .before = now };
        struct rows *view;
        const struct err e = meta_run(m, random_fn, &w);
        if (e.code) CHECK_U64(e.code, ERR_PRECONDITION);
        model_free(e.code ? w.after : now);
        if (!e.code) now = w.after;
        CHECK_OK(view_open(m, &view));
        for (int i = 0; i < 4; i++) CHECK_OK(check_scan(view, now, &seed));
        for (int i = 0; i < 4; i++) CHECK_OK(check_get(view, now, &seed));
        view_close(view);
    }
    CHECK(now->count > LIMIT_PG_CHUNK);
    model_free(now);
    meta_close(m);
}
