/*
 * memtable_test.c - compared with a sorted array, at every version that is held.
 */
#include "storage/meta/memtable.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/meta/rows_model.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

static struct memtable *table_new(void)
{
    struct memtable *t = memtable_new();
    CHECK(t);
    return t;
}

static void check_row(const struct memtable_row *got, const struct model_row *want)
{
    CHECK_U64(got->space, want->space);
    CHECK_STR(got->key, want->key);
    CHECK_STR(got->value, want->value);
    CHECK(got->is_deleted == want->is_deleted);
}

static void check_tree(struct memtable_tree tree, const struct model *want)
{
    struct memtable_cursor c;
    struct memtable_row row;
    size_t i = 0;

    for (bool more = memtable_seek(&c, tree, 0, STR_NONE, false); more; more = memtable_next(&c), i++) {
        CHECK(i < want->count && memtable_at(&c, &row));
        check_row(&row, &want->rows[i]);
        CHECK(memtable_find(tree, row.space, row.key, &row));
        check_row(&row, &want->rows[i]);
    }
    CHECK_U64(i, want->count);
    CHECK(!memtable_next(&c) && !memtable_prev(&c) && !memtable_at(&c, &row));
    for (bool more = memtable_seek(&c, tree, 255, STR_NONE, true); more; more = memtable_prev(&c)) {
        CHECK(i > 0 && memtable_at(&c, &row));
        check_row(&row, &want->rows[--i]);
    }
    CHECK_U64(i, 0);
}

/* One random put or del, in both. */
static void change(struct memtable *t, struct model *m, uint64_t *seed)
{
    char key_bytes[LIMIT_ROW_KEY], value_bytes[RANDOM_VALUE_MAX];
    const struct str key = random_key(seed, random_below(seed, 4) ? 40 : LIMIT_ROW_KEY, key_bytes);
    const uint8_t space = (uint8_t)(1 + random_below(seed, 3));

    if (random_below(seed, 3)) {
        const struct str value = random_value(seed, value_bytes);
        CHECK_OK(memtable_put(t, space, key, value));
        model_put(m, space, key, value);
    } else {
        CHECK_OK(memtable_del(t, space, key));
        model_bury(m, space, key);
    }
}

TEST(a_memtable_holds_what_a_sorted_array_holds)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    CLEANUP(model_freep) struct model *m = model_new();
    uint64_t seed = 1;

    for (int round = 0; round < 40; round++) {
        for (int n = 0; n < 50; n++) change(t, m, &seed);
        if (random_below(&seed, 2)) memtable_publish(t);
        check_tree(memtable_working(t), m);
        CHECK_U64(memtable_rows(t), m->count);
    }
    memtable_clear(t);
    CHECK_U64(memtable_rows(t) + memtable_bytes(t), 0);
    CHECK(!memtable_working(t).top);
}

TEST(a_seek_finds_the_first_row_at_or_behind_and_the_last_before)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    CLEANUP(model_freep) struct model *m = model_new();
    uint64_t seed = 2;

    for (int n = 0; n < 500; n++) change(t, m, &seed);
    for (int n = 0; n < 2000; n++) {
        char bytes[LIMIT_ROW_KEY];
        struct memtable_cursor c;
        struct memtable_row row;
        const struct str key = random_below(&seed, 20) ? random_key(&seed, LIMIT_ROW_KEY, bytes) : STR_NONE;
        const uint8_t space = (uint8_t)random_below(&seed, 5);
        const size_t at = model_lower(m, space, key);

        CHECK(memtable_seek(&c, memtable_working(t), space, key, false) == (at < m->count));
        if (memtable_at(&c, &row)) check_row(&row, &m->rows[at]);
        if (memtable_prev(&c) && memtable_at(&c, &row)) check_row(&row, &m->rows[at - 1]);
        CHECK(memtable_seek(&c, memtable_working(t), space, key, true) == (at > 0));
        if (memtable_at(&c, &row)) check_row(&row, &m->rows[at - 1]);
        if (memtable_next(&c) && memtable_at(&c, &row)) check_row(&row, &m->rows[at]);
    }
}

/* T1 */
TEST(a_held_root_does_not_change)
{
    enum { HELD = 30 };
    struct memtable *t = table_new();
    CLEANUP(model_freep) struct model *m = model_new();
    struct memtable_root *roots[HELD] = { NULL };
    struct model *wanted[HELD] = { NULL };
    uint64_t seed = 3;

    for (int round = 0; round < 200; round++) {
        const size_t slot = random_below(&seed, HELD);
        if (roots[slot]) check_tree(memtable_root_tree(roots[slot]), wanted[slot]);
        roots[slot] = memtable_root_release(roots[slot]);
        wanted[slot] = model_free(wanted[slot]);

        for (int n = (int)random_below(&seed, 20); n; n--) change(t, m, &seed);
        memtable_publish(t);
        if (random_below(&seed, 4) == 0) continue;
        roots[slot] = memtable_root_take(t);
        wanted[slot] = model_copy(m);
    }
    memtable_free(t); /* the held roots live on */
    for (int i = 0; i < HELD; i++) {
        if (roots[i]) check_tree(memtable_root_tree(roots[i]), wanted[i]);
        roots[i] = memtable_root_release(roots[i]);
        model_free(wanted[i]);
    }
}

TEST(a_rollback_goes_back_to_the_published_rows)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    CLEANUP(model_freep) struct model *published = model_new();
    uint64_t seed = 4, memory = 0;

    for (int round = 0; round < 300; round++) {
        CLEANUP(model_freep) struct model *lost = model_copy(published);
        const uint64_t bytes = memtable_bytes(t);
        for (int n = 0; n < 20; n++) change(t, lost, &seed);
        memtable_rollback(t);
        check_tree(memtable_working(t), published);
        CHECK_U64(memtable_bytes(t), bytes);
        CHECK_U64(memtable_rows(t), published->count);
        if (round == 20) memory = memtable_memory(t);
        if (round >= 20) continue; /* from here on every round is undone: memory is used again */
        for (int n = 0; n < 20; n++) change(t, published, &seed);
        memtable_publish(t);
    }
    CHECK(memtable_memory(t) < memory + 4 * MIB);
}

TEST(a_row_that_is_written_again_and_again_takes_no_more_memory)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    char key[8], value[300] = { 0 };

    for (uint64_t n = 0; n < 20000; n++) {
        put_be64(key, n % 50);
        put_le64(value, n);
        for (int i = 0; i < 2; i++)
            CHECK_OK(memtable_put(t, 1, str_of(key, 8), str_of(value, sizeof(value))));
        memtable_publish(t);
    }
    CHECK_U64(memtable_rows(t), 50);
    CHECK(memtable_memory(t) < 1 * MIB);
}

TEST(keys_in_order_make_a_low_tree)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    struct memtable_cursor c;
    int deepest = 0;
    char key[8];

    for (uint64_t n = 0; n < 1 << 16; n++) {
        put_be64(key, n);
        CHECK_OK(memtable_put(t, 1, str_of(key, 8), STR("v")));
    }
    for (bool more = memtable_seek(&c, memtable_working(t), 0, STR_NONE, false); more;
         more = memtable_next(&c))
        deepest = c.depth > deepest ? c.depth : deepest;
    CHECK(deepest >= 17 && deepest <= 24); /* 1.44 * 16 and a little */
}

TEST(a_replaced_value_is_readable_until_the_publish)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    struct memtable_row row;

    CHECK_OK(memtable_put(t, 1, STR("k"), STR("first")));
    CHECK(memtable_find(memtable_working(t), 1, STR("k"), &row));
    CHECK_OK(memtable_put(t, 1, STR("k"), STR("other")));
    CHECK_OK(memtable_put(t, 1, STR("l"), STR("more!")));
    CHECK_STR(row.value, STR("first"));
}

TEST(an_overlay_is_poured_into_a_table)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    CLEANUP(memtable_freep) struct memtable *overlay = table_new();
    CLEANUP(model_freep) struct model *m = model_new();
    uint64_t seed = 5;

    for (int round = 0; round < 20; round++) {
        memtable_clear(overlay);
        for (int n = 0; n < 30; n++) change(overlay, m, &seed);
        CHECK_OK(memtable_put_all(t, memtable_working(overlay)));
        check_tree(memtable_working(t), m);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* T2 */
TEST(without_memory_the_rows_stay_as_they_were)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    static char value[100 * KIB];
    struct err e = OK;
    uint64_t n = 0;
    char key[8];

    memtable_publish(t);
    CHECK(!setrlimit(RLIMIT_AS, &(struct rlimit){ 400 * MIB, 400 * MIB }));
    for (; !e.code && n < 100000; n++) {
        put_be64(key, n);
        e = memtable_put(t, 1, str_of(key, 8), str_of(value, sizeof(value)));
    }
    CHECK_ERR(e, ERR_NO_MEMORY);
    CHECK_U64(memtable_rows(t), n - 1);
    struct memtable_cursor c;
    uint64_t seen = 0;
    for (bool more = memtable_seek(&c, memtable_working(t), 0, STR_NONE, false); more;
         more = memtable_next(&c))
        seen++;
    CHECK_U64(seen, n - 1);
    memtable_publish(t); /* cannot fail */
    struct memtable_root *root = memtable_root_take(t);
    CHECK(memtable_root_tree(root).top);
    memtable_root_release(root);
}
#endif

/* Each batch sets all keys to its number: whoever sees two numbers at once has not seen one moment. */
enum { SHARED_KEYS = 40, SHARED_BATCHES = 2000, SHARED_READERS = 3 };

static _Atomic bool shared_is_over;
static _Atomic int shared_started;

static void shared_read(void *arg)
{
    struct memtable *t = arg;
    uint64_t before = 0;

    shared_started++;
    while (!shared_is_over) {
        struct memtable_root *root = memtable_root_take(t);
        struct memtable_cursor c;
        struct memtable_row row;
        uint64_t number = 0, count = 0;
        for (bool more = memtable_seek(&c, memtable_root_tree(root), 0, STR_NONE, false); more;
             more = memtable_next(&c), count++) {
            memtable_at(&c, &row);
            if (!count) number = get_le64(row.value.data);
            CHECK_U64(get_le64(row.value.data), number);
        }
        CHECK_U64(count, SHARED_KEYS);
        CHECK(number >= before);
        before = number;
        memtable_root_release(root);
    }
}

TEST(readers_on_other_threads_see_whole_batches)
{
    CLEANUP(memtable_freep) struct memtable *t = table_new();
    pthread_t readers[SHARED_READERS];
    uint64_t seed = 6;

    for (uint64_t batch = 1; batch <= SHARED_BATCHES; batch++) {
        for (uint64_t i = 0; i < SHARED_KEYS; i++) {
            char key[8], value[100] = { 0 };
            put_be64(key, i);
            put_le64(value, batch);
            CHECK_OK(memtable_put(t, 1, str_of(key, 8), str_of(value, 8 + random_below(&seed, 90))));
        }
        memtable_publish(t);
        if (batch > 1) continue;
        for (int i = 0; i < SHARED_READERS; i++)
            CHECK_OK(thread_start("reader", shared_read, t, &readers[i]));
        while (shared_started < SHARED_READERS) sched_yield();
    }
    shared_is_over = true;
    for (int i = 0; i < SHARED_READERS; i++) thread_join(readers[i]);
}
