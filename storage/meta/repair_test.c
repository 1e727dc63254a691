/*
 * repair_test.c - a broken LMDB is made anew with every row that was acknowledged, or nothing is changed; however often that is stopped, and whoever starts meanwhile.
 */
#include "storage/meta/repair.h"

#include <errno.h>
#include <stdio.h>

#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/embedded.h"
#include "storage/meta/world_test.h"
#include "tests/unit/test.h"

TEST(a_broken_lmdb_is_made_anew_of_copy_and_journal)
{
    struct world w = { .dir = test_dir() };

    w.meta = world_open(w.dir);
    for (int round = 0; round < 6; round++) {
        world_change(&w, 25);
        if (round % 3 == 0) CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        world_change(&w, 25);
        if (round % 2) CHECK_OK(meta_checkpoint(w.meta));
        world_change(&w, 3);
        world_check_repair(&w);
    }
    meta_close(w.meta);
}

TEST(damage_in_pages_of_rows_is_repaired_too)
{
    struct world w = { .dir = test_dir() };
    const struct meta_options o = world_options(w.dir);
    struct repaired r;

    w.meta = world_open(w.dir);
    world_change(&w, 40);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_change(&w, 40);
    CHECK_OK(meta_checkpoint(w.meta));
    w.meta = meta_close(w.meta);
    world_break_lmdb(&w, 2 * 4096);
    CHECK_ERR(meta_rows_check(w.dir), ERR_CORRUPT);
    CHECK_OK(meta_repair(&o, &r));
    w.meta = world_open(w.dir);
    world_check_rows(&w);
    meta_close(w.meta);
}

TEST(a_repair_without_a_copy_or_with_a_gap_in_the_journal_changes_nothing)
{
    struct world w = { .dir = test_dir() };
    const struct meta_options o = world_options(w.dir);
    struct repaired r;
    char path[600], away[600];

    w.meta = world_open(w.dir);
    CHECK_ERR(meta_repair(&o, &r), ERR_BUSY);
    world_change(&w, 40);
    w.meta = meta_close(w.meta);
    CHECK_ERR(meta_repair(&o, &r), ERR_NOT_FOUND);
    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    const uint32_t from = embedded_of(w.meta)->copy.kept_from;
    world_change(&w, 40);
    CHECK_OK(meta_checkpoint(w.meta));
    w.meta = meta_close(w.meta);
    (void)snprintf(path, sizeof(path), "%s/journal/%08x.seg", w.dir, from + 2);
    CHECK_OK(sys_rename(path, world_path(&w, "away", away)));
    CHECK_ERR(meta_repair(&o, &r), ERR_CORRUPT);
    CHECK_OK(sys_rename(away, path));
    w.meta = world_open(w.dir);
    world_check_rows(&w);
    meta_close(w.meta);
}

TEST(a_long_journal_is_replayed_through_a_small_memory)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = world_options(w.dir);
    struct repaired r;

    w.meta = world_open(w.dir);
    world_change(&w, 3);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_change(&w, 200);
    w.meta = meta_close(w.meta);
    world_break_lmdb(&w, 0);
    o.checkpoint_rows_bytes = 64; /* a row or two */
    CHECK_OK(meta_repair(&o, &r));
    w.meta = world_open(w.dir);
    world_check_rows(&w);
    meta_close(w.meta);
}

/* Else a repair on a disk that its two sets of rows filled would throw away what it repairs from. */
TEST(a_repair_on_a_full_disk_leaves_the_copy)
{
    struct world w = { .dir = test_dir() };
    const struct meta_options o = world_options(w.dir);
    struct repaired r;
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_die(&w);
    w.meta = meta_close(w.meta);
    world_break_lmdb(&w, 0);
    fault_set_free(0);
    CHECK_OK(meta_repair(&o, &r));
    CHECK(world_has_copy(&w));
    CHECK_OK(meta_repair(&o, &r));
    fault_set_free(UINT64_MAX);
    w.meta = world_open(w.dir);
    world_check_rows(&w);
    meta_close(w.meta);
    test_quiet_end(kept);
}

static uint64_t rows_file_of(const char *dir)
{
    char path[600];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/rows/data.mdb", dir);
    CHECK_OK(sys_stat(path, &st));
    return st.st_ino;
}

/* Whichever call of a repair fails: it is done, or LMDB is where it was. */
TEST(a_repair_that_fails_leaves_what_was_there)
{
    static const unsigned kinds[] = { FAULT_NAME, FAULT_SYNC, FAULT_OPEN, FAULT_WRITE };

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct world w = { .dir = test_dir() };
        const struct meta_options o = world_options(w.dir);
        const int kept = test_quiet_begin();
        bool struck = true;

        w.meta = world_open(w.dir);
        world_change(&w, 20);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        w.meta = meta_close(w.meta);
        world_break_lmdb(&w, 0);
        for (uint64_t n = 0; struck; n++) {
            const uint64_t before = rows_file_of(w.dir);
            struct repaired r;
            fault_arm(kinds[k], n, EIO);
            const struct err e = meta_repair(&o, &r);
            struck = fault_disarm();
            CHECK(!e.code || rows_file_of(w.dir) == before);
        }
        w.meta = world_open(w.dir);
        world_check_rows(&w);
        meta_close(w.meta);
        test_quiet_end(kept);
    }
}

/* Stopped after each call of a repair, the next one ends it. */
TEST(a_repair_that_is_stopped_is_ended_by_the_next)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n += 3) {
        struct world w = { .dir = test_dir() };
        const struct meta_options o = world_options(w.dir);
        struct repaired r;
        const int kept = test_quiet_begin();

        w.meta = world_open(w.dir);
        world_change(&w, 20);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        world_change(&w, 20);
        w.meta = meta_close(w.meta);
        world_break_lmdb(&w, 0);
        fault_arm_stop(n);
        err_ignore(meta_repair(&o, &r));
        struck = fault_disarm();
        const struct err e = meta_open(&o, &w.meta);
        if (e.code) {
            CHECK_ERR(e, ERR_CORRUPT);
            CHECK_OK(meta_repair(&o, &r));
            w.meta = world_open(w.dir);
        }
        world_check_rows(&w);
        w.meta = meta_close(w.meta);
        test_quiet_end(kept);
    }
}

/* ---- two at once ---- */

/* Somebody who starts a server while a repair is at one of its calls. */
struct starter {
    struct meta_options options;
    struct meta *meta; /* NULL: he was refused */
    struct err refusal;
    uint64_t rows_file; /* LMDB's, as he found it */
};

static void start_main(void *arg)
{
    struct starter *s = arg;

    s->refusal = meta_open(&s->options, &s->meta);
    if (!s->refusal.code) s->rows_file = rows_file_of(s->options.dir);
}

/* On a thread of its own, as the call may be made under locks. */
static void start(void *arg)
{
    pthread_t thread;

    CHECK_OK(thread_start("starter", start_main, arg, &thread));
    thread_join(thread);
}

/* He is in before the repair is, and keeps what he found; or the repair is, and he is refused until its end. */
static bool repair_against_a_start(uint64_t n)
{
    struct world w = { .dir = test_dir() };
    struct starter s = { .options = world_options(w.dir) };
    struct repaired r;

    w.meta = world_open(w.dir);
    world_change(&w, 3);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_change(&w, 2);
    meta_close(w.meta);
    fault_arm_visit(FAULT_OPEN | FAULT_NAME, n, start, &s);
    const struct err e = meta_repair(&s.options, &r);
    const bool struck = fault_disarm();
    if (s.meta) {
        CHECK_ERR(e, ERR_BUSY);
        CHECK_U64(rows_file_of(w.dir), s.rows_file);
    } else {
        CHECK_OK(e);
        if (struck) CHECK_ERR(s.refusal, ERR_BUSY);
    }
    w.meta = s.meta ? s.meta : world_open(w.dir);
    world_change(&w, 2);
    w.meta = meta_close(w.meta);
    w.meta = world_open(w.dir);
    world_check_rows(&w);
    w.meta = meta_close(w.meta);
    return struck;
}

TEST(a_server_that_starts_while_a_repair_is_under_way_is_refused_or_is_first)
{
    const int kept = test_quiet_begin();
    uint64_t n = 0;

    while (repair_against_a_start(n)) n++;
    test_quiet_end(kept);
    CHECK(n > 20); /* calls that a repair makes by name at the least */
}
