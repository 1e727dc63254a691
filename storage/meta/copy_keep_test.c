/*
 * copy_keep_test.c - whatever happens to LMDB, copy and journal give the same rows (C1), at every moment and after every failure; and the journal is not kept for longer than that needs.
 */
#include "storage/meta/copy_keep.h"

#include <errno.h>
#include <sched.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/embedded.h"
#include "storage/meta/world_test.h"
#include "tests/unit/test.h"

/* ---- how long the journal is kept ---- */

static bool is_waiting(struct meta *m, uint64_t at_most)
{
    const struct meta_status s = world_status_of(m);
    return s.journal_segments > at_most || s.copy.held_bytes;
}

static void wait_for_segments(struct meta *m, uint64_t at_most)
{
    const uint64_t deadline = clock_mono_ms() + 10000;

    while (is_waiting(m, at_most) && clock_mono_ms() < deadline) {
        CHECK_OK(meta_checkpoint(m));
        checkpoint_look_again(embedded_of(m));
        sched_yield();
    }
    CHECK(!is_waiting(m, at_most));
}

TEST(dead_segments_are_kept_until_the_next_copy_and_no_longer)
{
    struct world w = { .dir = test_dir() };

    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_die(&w);
    world_change(&w, 1);
    CHECK_OK(meta_checkpoint(w.meta));
    CHECK(world_status_of(w.meta).journal_segments >= 7);
    world_check_repair(&w);
    CHECK(world_status_of(w.meta).journal_segments >= 7);
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("kept"));
    world_change(&w, 1); /* which segments are dead is known after a checkpoint */
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    wait_for_segments(w.meta, 3);
    CHECK_U64(world_status_of(w.meta).copy.held_bytes, 0);
    world_check_repair(&w);
    meta_close(w.meta);
}

TEST(without_copies_the_one_that_is_there_goes_first)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = world_options(w.dir);

    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_die(&w);
    w.meta = meta_close(w.meta);
    CHECK(world_has_copy(&w));
    o.copy_interval_ms = 0;
    o.is_offline = true; /* an operator's verb leaves it */
    CHECK_OK(meta_open(&o, &w.meta));
    w.meta = meta_close(w.meta);
    CHECK(world_has_copy(&w));
    o.is_offline = false;
    CHECK_OK(meta_open(&o, &w.meta));
    CHECK(!world_has_copy(&w));
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("off"));
    world_change(&w, 1);
    wait_for_segments(w.meta, 3);
    meta_close(w.meta);
}

TEST(where_space_runs_out_the_copy_is_given_up)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = world_options(w.dir);
    struct change c = { .key = 1 };

    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_die(&w);
    w.meta = meta_close(w.meta);
    o.disk_floor_bytes = 1024 * TIB;
    CHECK_OK(meta_open(&o, &w.meta));
    CHECK(world_has_copy(&w));
    CHECK_OK(meta_run_freeing(w.meta, world_change_fn, &c));
    wait_for_segments(w.meta, 3);
    CHECK(!world_has_copy(&w));
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("given up"));
    CHECK_ERR(copy_keep_make(embedded_of(w.meta)), ERR_NO_SPACE);
    meta_close(w.meta);
}

TEST(the_first_copy_is_made_by_itself)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = world_options(w.dir);
    const uint64_t deadline = clock_mono_ms() + 10000;

    o.is_checkpoint_manual = false;
    CHECK_OK(meta_open(&o, &w.meta));
    while (!world_has_copy(&w) && clock_mono_ms() < deadline) sched_yield();
    CHECK(world_has_copy(&w));
    meta_close(w.meta);
}

/* ---- failures ---- */

/* A second copy over the first, with rows changed around it: whatever failed, what is acknowledged is there, and copy and journal say the same. */
static void sweep(unsigned kinds, int errno_value, bool is_stop, uint64_t stride)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n += stride) {
        struct world w = { .dir = test_dir() };
        const int kept = test_quiet_begin();
        w.meta = world_open(w.dir);
        world_change(&w, 20);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        world_change(&w, 30);
        CHECK_OK(meta_checkpoint(w.meta)); /* the copy has nothing to wait for */
        if (is_stop) fault_arm_stop(n);
        else fault_arm(kinds, n, errno_value);
        err_ignore(copy_keep_make(embedded_of(w.meta)));
        struck = fault_count() > n;
        if (!is_stop) struck = fault_disarm();
        w.meta = meta_close(w.meta);
        if (is_stop) struck = fault_disarm();
        w.meta = world_open(w.dir);
        world_check_rows(&w);
        CHECK(world_has_copy(&w));
        world_check_repair(&w);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        world_check_repair(&w);
        w.meta = meta_close(w.meta);
        test_quiet_end(kept);
    }
}

TEST(a_copy_that_fails_at_any_call_leaves_one_that_repairs)
{
    sweep(FAULT_WRITE, EIO, false, 1);
    sweep(FAULT_SYNC, EIO, false, 1);
    sweep(FAULT_NAME | FAULT_OPEN, EIO, false, 1);
    sweep(FAULT_READ, EIO, false, 5);
}

TEST(a_machine_that_stops_while_it_copies_has_one_that_repairs)
{
    sweep(0, 0, true, 1);
}
