/*
 * compact_test.c - sparse segments are emptied and go; whatever is read, written and deleted meanwhile is as if nothing had moved.
 */
#include "storage/object/compact.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/fixture_test.h"
#include "storage/object/object_get.h"
#include "tests/unit/test.h"

enum { KEYS = 600, KEPT_EVERY = 10, BODY = 3000 }; /* 10 segments of 256 KiB */

static struct compact *compact_of(struct fixture *f)
{
    const struct compact_options o = { .store = &f->store, .rate = GIB, .look_ms = 0, .spare = 1 };
    struct compact *c = NULL;

    CHECK_OK(compact_new(&o, &c));
    return c;
}

/* Until there is nothing more to do: a look that finds nothing ends it. */
static void compact_all(struct compact *c)
{
    bool more = true;

    for (int i = 0; more && i < 10000; i++) CHECK_OK(compact_step(c, &more));
    CHECK(!more);
}

static const char *key_of(struct fixture *f, uint32_t i)
{
    return arena_printf(f->arena, "key-%04u", i).data;
}

static void put_all(struct fixture *f)
{
    for (uint32_t i = 0; i < KEYS; i++) CHECK_OK(fixture_put(f, key_of(f, i), fixture_body(f, i, BODY)));
}

static bool is_kept(uint32_t i)
{
    return i % KEPT_EVERY == 0;
}

/* One in ten stays: in each segment some do. */
static void delete_most(struct fixture *f)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        if (!is_kept(i)) CHECK_OK(fixture_delete(f, key_of(f, i)));
    }
}

static void check_all(struct fixture *f)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        struct str body;
        const struct err e = fixture_get(f, key_of(f, i), &body);
        if (is_kept(i)) {
            CHECK_OK(e);
            CHECK_STR(body, fixture_body(f, i, BODY));
        } else {
            CHECK_U64(e.code, ERR_NO_SUCH_KEY);
        }
    }
}

static struct meta_status status_of(struct fixture *f)
{
    struct meta_status s;

    meta_status(f->store.meta, &s);
    return s;
}

static bool has_segments(struct fixture *f)
{
    return status_of(f).journal_segments > 0; /* PostgreSQL has none */
}

/* Files go behind the checkpoint that allows it, and a checkpoint needs something to carry. */
static void settle_until(struct fixture *f, uint64_t segments)
{
    for (int i = 0; i < 100 && status_of(f).journal_segments > segments; i++) {
        CHECK_OK(fixture_put(f, "key-0000", fixture_body(f, 0, BODY)));
        fixture_settle(f);
    }
    CHECK(status_of(f).journal_segments <= segments);
}

TEST(sparse_segments_are_emptied_and_go)
{
    struct fixture f;

    fixture_open(&f);
    put_all(&f);
    delete_most(&f);
    fixture_settle(&f);
    const uint64_t before = status_of(&f).journal_segments;
    struct compact *c = compact_of(&f);
    compact_all(c);
    check_all(&f);
    if (has_segments(&f)) {
        CHECK(before >= 9);
        settle_until(&f, 4);
    }
    check_all(&f);
    compact_free(c);
    fixture_reopen(&f);
    check_all(&f);
    fixture_done(&f);
}

TEST(headers_tags_and_part_maps_move_as_they_are)
{
    static const size_t sizes[] = { 5000, 0, 6000 };
    struct fixture f;
    struct object_info before, after;

    fixture_open(&f);
    put_all(&f);
    CHECK_OK(fixture_put_parts(&f, "parts", fixture_body(&f, 9000, 11000), sizes, 3));
    put_all(&f); /* what was put first is garbage now */
    delete_most(&f);
    CHECK_OK(fixture_stat(&f, "parts", &before));
    struct compact *c = compact_of(&f);
    compact_all(c);
    CHECK_OK(fixture_stat(&f, "parts", &after));
    CHECK(memcmp(before.uid.bytes, after.uid.bytes, 16) == 0 && before.mtime_ms == after.mtime_ms);
    CHECK_U64(after.part_count, 3);
    struct str body;
    CHECK_OK(fixture_get(&f, "parts", &body));
    CHECK_STR(body, fixture_body(&f, 9000, 11000));
    if (has_segments(&f)) CHECK(before.body.place.segment_id != after.body.place.segment_id);
    fixture_settle(&f);
    fixture_check_references(&f);
    compact_free(c);
    fixture_done(&f);
}

/* Bodies of ten bytes under long names seem sparse, by what is known without reading; all of them live, and nothing is gained by moving them, however often one looks. */
TEST(what_only_seems_sparse_is_not_moved)
{
    struct fixture f;

    fixture_open(&f);
    for (uint32_t i = 0; i < 1500; i++)
        CHECK_OK(fixture_put(&f, arena_printf(f.arena, "%0900u", i).data, fixture_body(&f, i, 10)));
    const uint64_t before = status_of(&f).transactions;
    struct compact *c = compact_of(&f);
    for (int i = 0; i < 3; i++) compact_all(c);
    CHECK_U64(status_of(&f).transactions, before);
    compact_free(c);
    fixture_done(&f);
}

TEST(who_reads_a_body_where_it_was_reads_it_to_the_end)
{
    struct fixture f;
    struct object_info info;
    struct object_reader *reader;
    struct rows *view;
    char bytes[BODY];

    fixture_open(&f);
    put_all(&f);
    delete_most(&f);
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(object_stat(view, STR("bucket"), STR("key-0000"), NULL, &info));
    CHECK_OK(object_reader_open(&f.store, view, &info, &reader));
    view_close(view);
    struct compact *c = compact_of(&f);
    compact_all(c);
    fixture_settle(&f);
    fixture_settle(&f);
    CHECK_OK(object_read(reader, 0, bytes, sizeof(bytes)));
    CHECK_STR(str_of(bytes, sizeof(bytes)), fixture_body(&f, 0, BODY));
    object_reader_close(reader);
    compact_free(c);
    fixture_done(&f);
}

/* ---- beside writers ---- */

struct writer {
    struct fixture *f;
    uint32_t first; /* keys first, first + 2 ... are its own */
    uint32_t rounds;
    atomic_bool is_done;
    uint32_t last[KEYS]; /* the round that wrote it last; 0: deleted */
    char *bytes;
};

static void write_some(void *arg)
{
    struct writer *w = arg;
    char key[16], body[BODY];

    for (uint32_t round = 1; round <= w->rounds; round++) {
        for (uint32_t i = w->first; i < KEYS; i += 2) {
            if ((i + round) % 3 == 0) continue;
            (void)snprintf(key, sizeof(key), "key-%04u", i);
            memset(body, (int)(i * 31 + round), sizeof(body));
            const bool is_deleted = (i + round) % 7 == 0;
            CHECK_OK(is_deleted ? fixture_delete(w->f, key)
                                : fixture_put(w->f, key, str_of(body, sizeof(body))));
            w->last[i] = is_deleted ? 0 : round;
        }
    }
    atomic_store(&w->is_done, true);
}

TEST(writers_and_compaction_never_meet)
{
    struct fixture f;
    struct writer writers[2] = { { .first = 0, .rounds = 6 }, { .first = 1, .rounds = 6 } };
    pthread_t threads[2];
    char body[BODY];
    bool more;

    fixture_open(&f);
    struct compact *c = compact_of(&f);
    for (int i = 0; i < 2; i++) {
        writers[i].f = &f;
        CHECK_OK(thread_start("writer", write_some, &writers[i], &threads[i]));
    }
    while (!atomic_load(&writers[0].is_done) || !atomic_load(&writers[1].is_done))
        CHECK_OK(compact_step(c, &more));
    for (int i = 0; i < 2; i++) thread_join(threads[i]);
    compact_all(c);
    fixture_settle(&f);
    for (uint32_t i = 0; i < KEYS; i++) {
        const uint32_t last = writers[i % 2].last[i];
        struct str got;
        const struct err e = fixture_get(&f, key_of(&f, i), &got);
        if (!last) {
            CHECK_U64(e.code, ERR_NO_SUCH_KEY);
            continue;
        }
        CHECK_OK(e);
        memset(body, (int)(i * 31 + last), sizeof(body));
        CHECK_STR(got, str_of(body, sizeof(body)));
    }
    compact_free(c);
    fixture_done(&f);
}

/* ---- faults ---- */

static void compact_through(struct fixture *f)
{
    struct compact *c = compact_of(f);
    bool more = true;

    for (int failures = 0, i = 0; more && failures < 5 && i < 1000; i++) {
        const struct err e = compact_step(c, &more);
        failures += e.code != ERR_OK;
        more |= e.code != ERR_OK;
    }
    compact_free(c);
}

static void sweep(unsigned kinds, int errno_value)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n += 1 + n / 4) { /* far apart where one batch is as another */
        struct fixture f;
        fixture_open(&f);
        put_all(&f);
        delete_most(&f);
        fixture_settle(&f);
        if (kinds) fault_arm(kinds, n, errno_value);
        else fault_arm_stop(n);
        compact_through(&f);
        has_struck = fault_disarm();
        fixture_reopen(&f);
        check_all(&f);
        compact_through(&f);
        fixture_settle(&f);
        check_all(&f);
        fixture_done(&f);
    }
}

TEST(a_failed_read_moves_nothing_wrong)
{
    sweep(FAULT_READ, EIO);
}

TEST(a_failed_write_or_flush_loses_nothing_that_moves)
{
    sweep(FAULT_WRITE | FAULT_SYNC, EIO);
}

TEST(a_full_disk_loses_nothing_that_moves)
{
    sweep(FAULT_WRITE | FAULT_SPACE, ENOSPC);
}

TEST(a_machine_that_stops_loses_nothing_that_moves)
{
    sweep(0, 0);
}
