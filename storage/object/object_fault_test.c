/*
 * object_fault_test.c - puts, overwrites and deletes while the machine fails.
 *
 * One script runs again and again, each time with the next system call failing (or the machine stopping
 * there), until none is left to fail. A model keeps what each key must hold: what was acknowledged; what was
 * there before, when the store refused; either of both, when it said that the outcome is unknown, and then it
 * must be the same after every later restart. Afterwards the store is opened again, everything is read,
 * references are counted, and it must take new writes.
 */
#include <errno.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/object/fixture_test.h"
#include "storage/object/multipart.h"
#include "tests/unit/test.h"

/* What a key holds: a body of this seed and size, or nothing (size SIZE_MAX). */
struct state {
    uint32_t seed;
    size_t size;
};
#define ABSENT ((struct state){ 0, SIZE_MAX })

enum { SMALL, LARGE, SWAP, NEW, PARTS, PARTS_TOO, KEY_COUNT };
static const char *const keys[KEY_COUNT] = { "small", "large", "swap", "new", "parts", "parts too" };

struct model {
    struct state sure[KEY_COUNT], maybe[KEY_COUNT];
    bool is_unsure[KEY_COUNT];
};

static const struct step {
    int key;
    struct state then;
} script[] = {
    { NEW, { 11, 100 } },     /* new and small */
    { SMALL, { 12, 200 } },   /* small over small */
    { LARGE, { 13, 20000 } }, /* large over large */
    { SWAP, { 14, 9000 } },   /* large over small */
    { SWAP, { 15, 300 } },    /* small over large */
    { SWAP, { 0, SIZE_MAX } },      { LARGE, { 0, SIZE_MAX } }, { LARGE, { 16, 70000 } }, /* new and large */
    { SMALL, { 0, SIZE_MAX } },     { PARTS, { 17, 400 } }, /* small over parts */
    { PARTS_TOO, { 0, SIZE_MAX } },
};
#define STEP_COUNT (sizeof(script) / sizeof(script[0]))

static void prepare(struct fixture *f, struct model *m)
{
    static const size_t sizes[] = { 5000, 0, 6000 };

    *m = (struct model){ .sure = {
                             { 1, 150 }, { 2, 30000 }, { 3, 250 }, ABSENT, { 4, 11000 }, { 5, 11000 } } };
    fixture_open(f);
    for (int k = 0; k < KEY_COUNT; k++) {
        if (m->sure[k].size == SIZE_MAX) continue;
        const struct str body = fixture_body(f, m->sure[k].seed, m->sure[k].size);
        CHECK_OK(k < PARTS ? fixture_put(f, keys[k], body) : fixture_put_parts(f, keys[k], body, sizes, 3));
    }
    fixture_settle(f); /* so that the script frees what is in LMDB, too */
}

static void run_script(struct fixture *f, struct model *m)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        const struct step *s = &script[i];
        const struct err e = s->then.size == SIZE_MAX
            ? fixture_delete(f, keys[s->key])
            : fixture_put(f, keys[s->key], fixture_body(f, s->then.seed, s->then.size));
        if (e.code == ERR_OK) {
            m->sure[s->key] = s->then;
            m->is_unsure[s->key] = false;
        } else if (e.code == ERR_OUTCOME_UNKNOWN) {
            m->maybe[s->key] = s->then;
            m->is_unsure[s->key] = true;
        }
    }
}

static bool holds(struct fixture *f, const char *key, struct state want)
{
    struct str got;

    const struct err e = fixture_get(f, key, &got);
    if (want.size == SIZE_MAX) return e.code == ERR_NO_SUCH_KEY;
    return e.code == ERR_OK && str_eq(got, fixture_body(f, want.seed, want.size));
}

/* What was unsure is settled by a restart. */
static void check_model(struct fixture *f, struct model *m, const char *when, uint64_t n)
{
    for (int k = 0; k < KEY_COUNT; k++) {
        if (m->is_unsure[k] && holds(f, keys[k], m->maybe[k])) m->sure[k] = m->maybe[k];
        if (!holds(f, keys[k], m->sure[k]))
            test_fail(__FILE__, __LINE__, "fault %llu, %s: %s is wrong", (unsigned long long)n, when,
                      keys[k]);
        m->is_unsure[k] = false;
    }
}

static uint64_t bytes_of_bodies(const struct model *m)
{
    uint64_t bytes = 0;

    for (int k = 0; k < KEY_COUNT; k++) {
        if (m->sure[k].size != SIZE_MAX && m->sure[k].size > FIXTURE_SMALL) bytes += m->sure[k].size;
    }
    return bytes;
}

static void clear(struct fixture *f)
{
    bool is_more = true;

    while (is_more) CHECK_OK(multipart_clear(&f->store, &is_more));
    CHECK_U64(fixture_count(f, SPACE_GARBAGE), 0);
    fixture_settle(f);
}

/* With everything deleted nothing is left, neither in volumes nor in the journal: every segment but the one
 * in use goes, which it does when all bodies in it were dropped. */
static void check_emptied(struct fixture *f, const struct model *m)
{
    struct blob_status blobs;

    for (int k = 0; k < KEY_COUNT; k++) {
        if (m->sure[k].size != SIZE_MAX) CHECK_OK(fixture_delete(f, keys[k]));
    }
    clear(f);
    blob_status(f->store.blobs, &blobs);
    CHECK_U64(blobs.bytes_live, 0);
    CHECK_U64(fixture_count(f, SPACE_BODIES) + fixture_count(f, SPACE_BODY_REFS), 0);
    fixture_check_no_small_bodies(f);
}

/* After a restart: all is there, nothing leaked, and it takes writes. */
static void check_restarted(struct fixture *f, struct model *m, uint64_t n)
{
    struct blob_status status;

    check_model(f, m, "after a restart", n);
    fixture_check_references(f);
    clear(f);
    check_model(f, m, "after reclaim", n);
    fixture_check_references(f);
    blob_status(f->store.blobs, &status);
    CHECK(status.bytes_live >= bytes_of_bodies(m));
    CHECK(status.bytes_live <= bytes_of_bodies(m) + KEY_COUNT * 8 * KIB); /* headers, alignment */

    CHECK_OK(fixture_put(f, keys[NEW], fixture_body(f, 99, 8000)));
    m->sure[NEW] = (struct state){ 99, 8000 };
    fixture_reopen(f);
    check_model(f, m, "after one more write", n);
    check_emptied(f, m);
}

/* Sweep n from 0 until no fault strikes. kinds 0: the machine stops at the nth call. */
static void sweep(unsigned kinds, int errno_value)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct fixture f;
        struct model m;

        prepare(&f, &m);
        if (kinds) fault_arm(kinds, n, errno_value);
        else fault_arm_stop(n);
        run_script(&f, &m);
        if (kinds) { /* the disk is well again, but what it said stays said */
            has_struck = fault_disarm();
            for (int k = 0; k < KEY_COUNT; k++) {
                if (!m.is_unsure[k] && !holds(&f, keys[k], m.sure[k]))
                    test_fail(__FILE__, __LINE__, "fault %llu: %s is wrong before a restart",
                              (unsigned long long)n, keys[k]);
            }
        }
        fixture_stop(&f);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(fixture_start(&f));
        check_restarted(&f, &m, n);
        fixture_done(&f);
    }
}

TEST(nothing_acknowledged_is_lost_when_a_call_fails)
{
    sweep(FAULT_ALL, EIO);
}

TEST(nothing_acknowledged_is_lost_when_writes_are_cut_short)
{
    sweep(FAULT_WRITE | FAULT_SHORT, EIO);
}

TEST(nothing_acknowledged_is_lost_when_the_disk_is_full)
{
    sweep(FAULT_WRITE | FAULT_SPACE, ENOSPC);
}

TEST(nothing_acknowledged_is_lost_when_the_machine_stops)
{
    sweep(0, 0);
}
