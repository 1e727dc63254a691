/*
 * rows_test.c - rows from up to four sources are those of one sorted array to which everything was done in
 * order.
 */
#include "storage/meta/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "storage/base/thread.h"
#include "storage/meta/rows_model.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

enum { SPACES = 3 };

/* Layers with rows, and what they make together. */
struct layers {
    struct lmdb_store *store;
    struct lmdb_txn *read;
    struct memtable *frozen, *active, *overlay;
    struct rows_merged merged;
    struct model *want;
};

static uint8_t random_space(uint64_t *seed)
{
    return (uint8_t)(1 + random_below(seed, SPACES));
}

static void change(struct memtable *t, struct lmdb_txn *w, struct model *want, uint64_t *seed)
{
    char key_bytes[LIMIT_ROW_KEY], value_bytes[RANDOM_VALUE_MAX];
    const struct str key = model_some_key(want, seed, key_bytes);
    const struct str value = random_value(seed, value_bytes);
    const uint8_t space = random_space(seed);

    if (random_below(seed, 3)) {
        CHECK_OK(t ? memtable_put(t, space, key, value) : lmdb_put(w, space, key, value));
        model_put(want, space, key, value);
    } else {
        CHECK_OK(t ? memtable_del(t, space, key) : lmdb_del(w, space, key));
        model_del(want, space, key);
    }
}

static struct memtable *layer_of(struct model *want, uint64_t *seed)
{
    struct memtable *t = memtable_new();
    CHECK(t);
    for (uint64_t n = random_below(seed, 150); n; n--) change(t, NULL, want, seed);
    return t;
}

/* Any of the sources may be absent. */
static void layers_init(struct layers *l, const char *dir, uint64_t *seed)
{
    *l = (struct layers){ .want = model_new() };
    if (random_below(seed, 5)) {
        struct lmdb_txn *w;
        CHECK_OK(lmdb_open(dir, 64 * MIB, &l->store));
        CHECK_OK(lmdb_write_begin(l->store, &w));
        for (uint64_t n = random_below(seed, 200); n; n--) change(NULL, w, l->want, seed);
        CHECK_OK(lmdb_commit(w));
        CHECK_OK(lmdb_read_begin(l->store, &l->read));
    }
    if (random_below(seed, 2)) l->frozen = layer_of(l->want, seed);
    if (random_below(seed, 5)) l->active = layer_of(l->want, seed);
    if (random_below(seed, 2)) l->overlay = layer_of(l->want, seed);

    struct rows_sources from = { .overlay = l->overlay, .lmdb = l->read };
    if (l->frozen) from.frozen = memtable_working(l->frozen);
    if (l->active) from.active = memtable_working(l->active);
    rows_merged_init(&l->merged, &from);
}

static void layers_done(struct layers *l)
{
    model_free(l->want);
    memtable_free(l->overlay);
    memtable_free(l->active);
    memtable_free(l->frozen);
    lmdb_end(l->read);
    lmdb_close(l->store);
}

static void check_gets(struct rows *r, const struct model *want, uint64_t *seed)
{
    char bytes[LIMIT_ROW_KEY];
    struct str value;
    struct err e;

    for (int n = 0; n < 300; n++) {
        const struct str key = model_some_key(want, seed, bytes);
        const uint8_t space = random_space(seed);
        const struct model_row *row = model_find(want, space, key);
        CHECK(rows_have(r, space, key, &e) == (row != NULL));
        CHECK_OK(e);
        e = rows_get(r, space, key, &value);
        if (!row) CHECK_ERR(e, ERR_NOT_FOUND);
        else CHECK_STR(value, row->value);
    }
}

/* The row of the model that a scan is to give next; NULL at the end of the space. */
static const struct model_row *next_of(const struct model *want, uint8_t space, struct str from,
                                       bool is_behind, bool is_backward)
{
    const bool is_whole = is_backward && !from.len;
    size_t at = model_lower(want, is_whole ? (uint8_t)(space + 1) : space, from);

    if (is_backward) {
        if (at == 0) return NULL;
        at--;
    } else if (is_behind && model_find(want, space, from)) {
        at++;
    }
    return at < want->count && want->rows[at].space == space ? &want->rows[at] : NULL;
}

/* Scan, now and then seek on (forward), and change the overlay under it. */
static void check_scan(struct layers *l, uint64_t *seed)
{
    const uint8_t space = random_space(seed);
    const bool is_backward = random_below(seed, 2), is_changing = l->overlay && random_below(seed, 2);
    char from_bytes[LIMIT_ROW_KEY], seek_bytes[LIMIT_ROW_KEY];
    struct str from = random_below(seed, 2) ? model_some_key(l->want, seed, from_bytes) : STR_NONE;
    struct str key, value;
    struct rows_scan s;
    bool is_behind = false;

    rows_scan_begin(&s, &l->merged.rows, space, from, is_backward);
    for (;;) {
        for (uint64_t n = is_changing ? random_below(seed, 3) : 0; n; n--)
            change(l->overlay, NULL, l->want, seed);
        if (!is_backward && random_below(seed, 10) == 0) {
            const struct str to = model_some_key(l->want, seed, seek_bytes);
            if (str_cmp(to, from) > 0) {
                rows_scan_seek(&s, to);
                memcpy(from_bytes, to.data, to.len);
                from = str_of(from_bytes, to.len);
                is_behind = false;
            }
        }
        const struct model_row *row = next_of(l->want, space, from, is_behind, is_backward);
        CHECK(rows_scan_next(&s, &key, &value) == (row != NULL));
        CHECK_OK(s.err);
        if (!row) break;
        CHECK_STR(key, row->key);
        CHECK_STR(value, row->value);
        memcpy(from_bytes, key.data, key.len);
        from = str_of(from_bytes, key.len);
        is_behind = true;
    }
    rows_scan_done(&s);
}

TEST(rows_of_all_sources_are_those_of_one_sorted_array)
{
    uint64_t seed = 21;

    for (int round = 0; round < 60; round++) {
        struct layers l;
        layers_init(&l, test_dir(), &seed);
        check_gets(&l.merged.rows, l.want, &seed);
        for (int n = 0; n < 40; n++) check_scan(&l, &seed);
        layers_done(&l);
    }
}

TEST(a_scan_that_deletes_what_it_finds_finds_all)
{
    CLEANUP(memtable_freep) struct memtable *overlay = memtable_new();
    CLEANUP(memtable_freep) struct memtable *active = memtable_new();
    struct rows_merged m;
    struct rows_scan s;
    struct str key, value;
    int count = 0;

    for (char n = 0; n < 100; n++)
        CHECK_OK(memtable_put(n % 2 ? overlay : active, SPACE_OBJECTS, str_of(&n, 1), STR("v")));
    rows_merged_init(&m, &(struct rows_sources){ .overlay = overlay, .active = memtable_working(active) });
    rows_scan_begin(&s, &m.rows, SPACE_OBJECTS, STR_NONE, false);
    for (; rows_scan_next(&s, &key, &value); count++) {
        CHECK_OK(memtable_del(overlay, SPACE_OBJECTS, key));
        CHECK_STR(value, STR("v"));
    }
    rows_scan_done(&s);
    CHECK_U64(count, 100);
    rows_scan_begin(&s, &m.rows, SPACE_OBJECTS, STR_NONE, true);
    CHECK(!rows_scan_next(&s, &key, &value));
    rows_scan_done(&s);
}

TEST(a_scan_sees_what_is_put_behind_its_place_and_not_what_is_put_before)
{
    CLEANUP(memtable_freep) struct memtable *overlay = memtable_new();
    struct rows_merged m;
    struct rows_scan s;
    struct str key, value;

    CHECK_OK(memtable_put(overlay, 3, STR("m"), STR("1")));
    rows_merged_init(&m, &(struct rows_sources){ .overlay = overlay });
    rows_scan_begin(&s, &m.rows, 3, STR_NONE, false);
    CHECK(rows_scan_next(&s, &key, &value));
    CHECK_STR(key, STR("m"));
    CHECK_OK(memtable_put(overlay, 3, STR("a"), STR("2")));
    CHECK_OK(memtable_put(overlay, 3, STR("z"), STR("3")));
    CHECK(rows_scan_next(&s, &key, &value));
    CHECK_STR(key, STR("z"));
    CHECK(!rows_scan_next(&s, &key, &value));
    CHECK_OK(memtable_put(overlay, 3, STR("zz"), STR("4"))); /* even after the end */
    CHECK(rows_scan_next(&s, &key, &value));
    CHECK_STR(key, STR("zz"));
    rows_scan_done(&s);
}

TEST(impossible_keys_are_not_there)
{
    static const char zeros[LIMIT_ROW_KEY + 1];
    struct rows_merged m;
    struct str value;
    struct err e;

    rows_merged_init(&m, &(struct rows_sources){ .overlay = NULL });
    CHECK_ERR(rows_get(&m.rows, SPACE_OBJECTS, STR_NONE, &value), ERR_NOT_FOUND);
    CHECK(!rows_have(&m.rows, SPACE_OBJECTS, str_of(zeros, sizeof(zeros)), &e));
    CHECK_OK(e);
}

TEST(a_scan_that_cannot_read_ends_with_the_reason)
{
    struct layers l = { 0 };
    struct lmdb_txn *w;
    struct str key, value;
    struct rows_scan s;
    bool struck = true;

    CHECK_OK(lmdb_open(test_dir(), 64 * MIB, &l.store));
    CHECK_OK(lmdb_write_begin(l.store, &w));
    for (char n = 0; n < 10; n++) CHECK_OK(lmdb_put(w, SPACE_OBJECTS, str_of(&n, 1), STR("v")));
    CHECK_OK(lmdb_commit(w));
    CHECK_OK(lmdb_read_begin(l.store, &l.read));
    rows_merged_init(&l.merged, &(struct rows_sources){ .lmdb = l.read });
    for (uint64_t n = 0; struck; n++) {
        int count = 0;
        lmdb_fault_arm(n, EIO);
        rows_scan_begin(&s, &l.merged.rows, SPACE_OBJECTS, STR_NONE, false);
        rows_scan_seek(&s, STR("\1"));
        while (rows_scan_next(&s, &key, &value)) count++;
        struck = lmdb_fault_disarm();
        if (struck) CHECK_ERR(s.err, ERR_IO);
        else CHECK_OK(s.err);
        CHECK(!rows_scan_next(&s, &key, &value));
        CHECK(struck || count == 9);
        rows_scan_done(&s);
    }
    lmdb_end(l.read);
    lmdb_close(l.store);
}

TEST(the_key_after_a_prefix_is_behind_all_that_begin_with_it)
{
    static const struct {
        struct str prefix, want;
        bool has;
    } rows[] = {
        { { "a", 1 }, { "b", 1 }, true },          { { "a/", 2 }, { "a0", 2 }, true },
        { { "a\xff", 2 }, { "b", 1 }, true },      { { "a\xfe\xff\xff", 4 }, { "a\xff", 2 }, true },
        { { "\x7f", 1 }, { "\x80", 1 }, true },    { { "\0", 1 }, { "\1", 1 }, true },
        { { "\xff\xff", 2 }, { NULL, 0 }, false }, { { NULL, 0 }, { NULL, 0 }, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[8];
        size_t len = 0;
        CHECK(key_after_prefix(rows[i].prefix, out, &len) == rows[i].has);
        if (rows[i].has) CHECK_STR(str_of(out, len), rows[i].want);
    }
}
