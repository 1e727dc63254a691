/*
 * embedded_sweep_test.c - the embedded engine under every single failure: of a system call, of a call of LMDB, and of the machine.
 *
 * One script runs over and over, with the fault one call later each time, until none strikes. It writes rows with bodies over several
 * segments, overwrites, deletes, and makes checkpoints. After it the store is opened again, and every row must be what its
 * acknowledgements said: as acknowledged; as before when it was refused; one of both when the outcome is unknown.
 */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/embedded.h"
#include "tests/unit/test.h"

#define KEYS 10
#define STEPS 30
#define BODY_BYTES (30 * KIB)

/* What a row may be: its version, 0 for absent. */
struct expected {
    int version, or_version; /* the same unless something is unknown */
};

struct sweep {
    const char *dir;
    struct meta *meta;
    struct expected rows[KEYS];
    bool is_stopped; /* an outcome was unknown: nothing more may be acknowledged */
};

static struct err sweep_open(struct sweep *s)
{
    return meta_open(&(struct meta_options){ .dir = s->dir,
                                             .segment_bytes = 256 * KIB,
                                             .disk_floor_bytes = MIB,
                                             .map_bytes = 64 * MIB,
                                             .is_checkpoint_manual = true },
                     &s->meta);
}

struct step {
    int key, version; /* version 0: delete */
};

static struct str body_of(int version, char *out)
{
    memset(out, 'a' + version % 26, BODY_BYTES);
    return str_of(out, BODY_BYTES);
}

static struct err step_fn(struct txn *txn, void *arg)
{
    static char body[STEPS + 1][BODY_BYTES];
    const struct step *step = arg;
    const uint8_t key[1] = { (uint8_t)('a' + step->key) };
    uint8_t value[4 + PLACE_BYTES] = { (uint8_t)step->version };
    struct place p;
    struct str old;

    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, str_of(key, 1), &old);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    if (!e.code) {
        place_decode((const uint8_t *)old.data + 4, &p);
        TRY(txn_drop_body(txn, p));
    }
    if (!step->version) return txn_del(txn, SPACE_OBJECTS, str_of(key, 1));
    TRY(txn_put_body(txn, SPACE_OBJECTS, str_of(key, 1), body_of(step->version, body[step->version]), &p));
    place_encode(&p, value + 4);
    return txn_put(txn, SPACE_OBJECTS, str_of(key, 1), str_of(value, sizeof(value)));
}

static void step_run(struct sweep *s, int i)
{
    struct step step = { .key = i * 7 % KEYS, .version = i % 5 == 4 ? 0 : i + 1 };
    struct expected *x = &s->rows[step.key];

    const struct err e = meta_run(s->meta, step_fn, &step);
    CHECK(!(s->is_stopped && !e.code));
    if (!e.code) *x = (struct expected){ step.version, step.version };
    else if (e.code == ERR_OUTCOME_UNKNOWN) {
        x->or_version = step.version;
        s->is_stopped = true;
    }
}

static void script(struct sweep *s)
{
    for (int i = 0; i < STEPS; i++) {
        step_run(s, i);
        if (i % 9 == 8) err_ignore(meta_checkpoint(s->meta));
    }
}

static void check_rows(struct sweep *s)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    static char got[BODY_BYTES], want[BODY_BYTES];
    struct str value;
    struct place p;

    CHECK_OK(view_open(s->meta, &view));
    for (int k = 0; k < KEYS; k++) {
        const uint8_t key[1] = { (uint8_t)('a' + k) };
        const struct err e = rows_get(view, SPACE_OBJECTS, str_of(key, 1), &value);
        const int version = e.code ? 0 : (uint8_t)value.data[0];
        if (e.code) CHECK_ERR(e, ERR_NOT_FOUND);
        CHECK(version == s->rows[k].version || version == s->rows[k].or_version);
        if (!version) continue;
        place_decode((const uint8_t *)value.data + 4, &p);
        CHECK_OK(meta_read_body(s->meta, p, got));
        (void)body_of(version, want);
        CHECK(!memcmp(got, want, BODY_BYTES));
    }
    view = view_close(view);
}

/* As many bodies are counted live as rows refer to one. */
static void check_counts(struct sweep *s)
{
    uint64_t live = 0;

    for (int k = 0; k < KEYS; k++) {
        CHECK(s->rows[k].version == s->rows[k].or_version);
        live += s->rows[k].version != 0;
    }
    CHECK_U64(segments_figures(embedded_of(s->meta)->segments).live_bodies, live);
}

/* The store is whole again, and of use: twice, since the first opening may have to repair. */
static void check_reopened(struct sweep *s)
{
    CHECK_OK(sweep_open(s));
    check_rows(s);
    s->is_stopped = false;
    for (int k = 0; k < KEYS; k++) { /* settle what is unknown */
        struct step step = { .key = k, .version = 3 };
        CHECK_OK(meta_run(s->meta, step_fn, &step));
        s->rows[k] = (struct expected){ 3, 3 };
    }
    check_rows(s);
    CHECK_OK(meta_checkpoint(s->meta));
    s->meta = meta_close(s->meta);
    CHECK_OK(sweep_open(s));
    check_rows(s);
    check_counts(s);
    s->meta = meta_close(s->meta);
}

static void sweep(unsigned kinds, int errno_value, uint64_t stride)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n += stride) {
        struct sweep s = { .dir = test_dir() };
        CHECK_OK(sweep_open(&s));
        step_run(&s, 0);
        const int kept = test_quiet_begin();
        fault_arm(kinds, n, errno_value);
        script(&s);
        s.meta = meta_close(s.meta);
        struck = fault_disarm();
        test_quiet_end(kept);
        if (kinds & FAULT_STICKY && n > 60) struck = false;
        check_reopened(&s);
    }
}

TEST(a_failed_write_loses_nothing)
{
    sweep(FAULT_WRITE, EIO, 1);
}

TEST(a_short_write_on_a_full_disk_loses_nothing)
{
    sweep(FAULT_WRITE | FAULT_SHORT, ENOSPC, 1);
}

TEST(a_failed_flush_loses_nothing)
{
    sweep(FAULT_SYNC, EIO, 1);
}

TEST(a_failed_call_for_space_names_or_files_loses_nothing)
{
    sweep(FAULT_SPACE | FAULT_NAME | FAULT_OPEN, ENOSPC, 1);
}

TEST(a_failed_read_loses_nothing)
{
    sweep(FAULT_READ, EIO, 1);
}

TEST(a_disk_that_stays_full_loses_nothing)
{
    sweep(FAULT_WRITE | FAULT_SPACE | FAULT_SHORT | FAULT_STICKY, ENOSPC, 3);
}

TEST(a_machine_that_stops_loses_nothing)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n += 2) { /* two at a time: each costs 40 ms */
        struct sweep s = { .dir = test_dir() };
        const int kept = test_quiet_begin();
        fault_arm_stop(n);
        const struct err e = sweep_open(&s);
        if (!e.code) script(&s);
        s.meta = meta_close(s.meta);
        struck = fault_disarm();
        test_quiet_end(kept);
        check_reopened(&s);
    }
}

TEST(a_failed_call_of_lmdb_loses_nothing)
{
    const int codes[] = { ENOSPC, EIO, -30792 /* MDB_MAP_FULL */ };

    for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
        bool struck = true;
        for (uint64_t n = 7 * c; struck; n += 23) {
            struct sweep s = { .dir = test_dir() };
            CHECK_OK(sweep_open(&s));
            step_run(&s, 0);
            const int kept = test_quiet_begin();
            lmdb_fault_arm(n, codes[c]);
            script(&s);
            s.meta = meta_close(s.meta);
            struck = lmdb_fault_disarm();
            test_quiet_end(kept);
            check_reopened(&s);
        }
    }
}
