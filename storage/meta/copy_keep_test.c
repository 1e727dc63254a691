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
    CHECK(world_has_copy(&w));
    o.disk_floor_bytes = 1024 * TIB;
    CHECK_OK(meta_open(&o, &w.meta)); /* where it goes at once */
    CHECK_OK(meta_run_freeing(w.meta, world_change_fn, &c));
    wait_for_segments(w.meta, 3);
    CHECK(!world_has_copy(&w));
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("given up"));
    CHECK_ERR(copy_keep_make(embedded_of(w.meta)), ERR_NO_SPACE);
    meta_close(w.meta);
}

/* ---- a disk that fills up under a server ---- */

static void wait_for_copy(struct world *w, bool is_there)
{
    const uint64_t deadline = clock_mono_ms() + 10000;

    while (world_has_copy(w) != is_there && clock_mono_ms() < deadline) sched_yield();
    CHECK(world_has_copy(w) == is_there);
}

/* The disk has so much free, and somebody looks. */
static void set_free(struct world *w, uint64_t bytes)
{
    fault_set_free(bytes);
    (void)world_status_of(w->meta);
}

TEST(a_copy_goes_at_the_moment_the_disk_is_seen_below_its_floor)
{
    struct world w = { .dir = test_dir() };
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    world_change(&w, 20);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    CHECK_U64(world_status_of(w.meta).copy.held_bytes, 0);
    set_free(&w, MIB); /* the floor: nothing is held, so nothing but the copy itself would come back */
    CHECK_OK(meta_checkpoint(w.meta));
    CHECK(world_has_copy(&w));
    set_free(&w, MIB - 1);
    wait_for_copy(&w, false); /* no checkpoint is made, and nothing is written */
    const struct meta_copy_status copy = world_status_of(w.meta).copy;
    CHECK_STR(str_from_z(copy.state), STR("given up"));
    CHECK(!copy.made_ms && !copy.bytes);
    fault_set_free(UINT64_MAX);
    world_check_rows(&w);
    meta_close(w.meta);
    test_quiet_end(kept);
}

TEST(segments_kept_for_a_copy_go_at_the_moment_the_disk_is_seen_to_have_no_room)
{
    struct world w = { .dir = test_dir() };
    const uint64_t deadline = clock_mono_ms() + 10000;
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    world_die(&w);
    while (world_status_of(w.meta).copy.held_bytes < MIB && clock_mono_ms() < deadline) sched_yield();
    const struct meta_status before = world_status_of(w.meta);
    const uint64_t held = before.copy.held_bytes / (256 * KIB);
    CHECK(held >= 4);
    set_free(&w, MIB + 2 * 256 * KIB - 1); /* writes are still admitted */
    wait_for_copy(&w, false);
    while (is_waiting(w.meta, before.journal_segments - held) && clock_mono_ms() < deadline) sched_yield();
    CHECK(!is_waiting(w.meta, before.journal_segments - held));
    fault_set_free(UINT64_MAX);
    world_check_rows(&w);
    meta_close(w.meta);
    test_quiet_end(kept);
}

/* As if a copy was under way, or none. *ret_void: was the one that was is to be thrown away? */
static void set_making(struct embedded *m, bool is_making, bool *ret_void)
{
    mutex_lock(&m->copy.lock);
    m->copy.making_from = is_making ? m->copy.kept_from : SEGMENT_NONE;
    *ret_void = m->copy.is_void;
    mutex_unlock(&m->copy.lock);
}

static bool set_damaged(struct embedded *m, bool is_damaged)
{
    mutex_lock(&m->copy.lock);
    const bool before = m->copy.is_damaged;
    m->copy.is_damaged = is_damaged;
    mutex_unlock(&m->copy.lock);
    return before;
}

/* It is what takes the room: the good one before it stays while it can be this one that goes. */
TEST(one_that_is_being_made_goes_before_the_one_that_is_kept)
{
    struct world w = { .dir = test_dir() };
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    struct embedded *m = embedded_of(w.meta);
    bool is_void = true;
    world_change(&w, 20);
    CHECK_OK(copy_keep_make(m));
    set_making(m, true, &is_void);
    CHECK(!is_void);
    fault_set_free(MIB + 1); /* above the floor, and no room for two segments */
    CHECK(!copy_keep_held(m, 1000));
    CHECK(world_has_copy(&w));
    set_making(m, false, &is_void);
    CHECK(is_void);
    (void)copy_keep_held(m, 1000);
    wait_for_copy(&w, false);
    fault_set_free(UINT64_MAX);
    meta_close(w.meta);
    test_quiet_end(kept);
}

/* Then the copy, and the journal since, may be all that is left of the rows. */
TEST(a_copy_stays_on_a_full_disk_when_lmdb_is_damaged)
{
    struct world w = { .dir = test_dir() };
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    struct embedded *m = embedded_of(w.meta);
    world_change(&w, 20);
    CHECK_OK(copy_keep_make(m));
    CHECK(!set_damaged(m, true));
    fault_set_free(MIB - 1);
    CHECK(!copy_keep_held(m, 1000));
    CHECK(world_has_copy(&w));
    fault_set_free(UINT64_MAX);
    CHECK_OK(copy_keep_make(m)); /* it was not, after all */
    CHECK(!set_damaged(m, false));
    fault_set_free(MIB - 1);
    (void)copy_keep_held(m, 1000);
    wait_for_copy(&w, false);
    fault_set_free(UINT64_MAX);
    meta_close(w.meta);
    test_quiet_end(kept);
}

TEST(a_copy_that_was_given_up_is_made_again_when_there_is_room_and_some_more)
{
    struct world w = { .dir = test_dir() };
    const int kept = test_quiet_begin();

    w.meta = world_open(w.dir);
    world_change(&w, 20);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    const struct meta_status s = world_status_of(w.meta);
    const uint64_t tenth = s.disk_total_bytes / 10,
                   margin = tenth < LIMIT_COPY_MARGIN ? tenth : LIMIT_COPY_MARGIN;
    const uint64_t room = MIB + 2 * 256 * KIB
        + 2 * MIB; /* for a copy of less than 2 MiB, to the floor and two segments */
    CHECK(s.lmdb_bytes_used < 2 * MIB && margin > 4 * MIB);
    set_free(&w, room);
    CHECK_OK(copy_keep_make(embedded_of(w.meta))); /* in the place of another */
    set_free(&w, 0);
    wait_for_copy(&w, false);
    set_free(&w, room + margin - 3 * MIB);
    CHECK_ERR(copy_keep_make(embedded_of(w.meta)), ERR_NO_SPACE);
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("given up"));
    set_free(&w, room + margin);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    CHECK_STR(str_from_z(world_status_of(w.meta).copy.state), STR("kept"));
    fault_set_free(UINT64_MAX);
    world_check_repair(&w);
    meta_close(w.meta);
    test_quiet_end(kept);
}

TEST(a_copy_that_was_given_up_comes_back_by_itself)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = world_options(w.dir);
    const int kept = test_quiet_begin();

    o.is_checkpoint_manual = false;
    CHECK_OK(meta_open(&o, &w.meta));
    wait_for_copy(&w, true);
    for (int round = 0; round < 3; round++) {
        set_free(&w, 0);
        wait_for_copy(&w, false);
        set_free(&w, UINT64_MAX);
        wait_for_copy(&w, true);
    }
    meta_close(w.meta);
    test_quiet_end(kept);
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
