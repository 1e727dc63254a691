/*
 * copy_keep_test.c - whatever happens to LMDB, copy and journal give the same rows (C1), at every moment and after every failure; and the journal is not kept for longer than that needs.
 */
#include "storage/meta/copy_keep.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/embedded.h"
#include "storage/meta/repair.h"
#include "tests/unit/test.h"

#define KEYS 12
#define BODY_BYTES (30 * KIB)

static struct meta_options options_of(const char *dir)
{
    return (struct meta_options){ .dir = dir,
                                  .segment_bytes = 256 * KIB,
                                  .disk_floor_bytes = MIB,
                                  .map_bytes = 64 * MIB,
                                  .copy_interval_ms = 86400000,
                                  .is_checkpoint_manual = true };
}

static struct meta *open_at(const char *dir)
{
    const struct meta_options o = options_of(dir);
    struct meta *m;

    CHECK_OK(meta_open(&o, &m));
    return m;
}

/* ---- rows with bodies ---- */

struct change {
    uint32_t key, version; /* 0: delete */
};

static void fill_body(struct change c, uint8_t out[BODY_BYTES])
{
    memset(out, (int)(c.key * 31 + c.version), BODY_BYTES);
}

static struct err change_fn(struct txn *txn, void *arg)
{
    static uint8_t body[BODY_BYTES];
    const struct change *c = arg;
    uint8_t key[4], value[4 + PLACE_BYTES];
    struct place p;
    struct str old;

    put_be32(key, c->key);
    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, str_of(key, 4), &old);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    if (!e.code) {
        place_decode((const uint8_t *)old.data + 4, &p);
        TRY(txn_drop_body(txn, p));
    }
    if (!c->version) return txn_del(txn, SPACE_OBJECTS, str_of(key, 4));
    fill_body(*c, body);
    TRY(txn_put_body(txn, SPACE_OBJECTS, str_of(key, 4), str_of(body, BODY_BYTES), &p));
    put_be32(value, c->version);
    place_encode(&p, value + 4);
    return txn_put(txn, SPACE_OBJECTS, str_of(key, 4), str_of(value, sizeof(value)));
}

struct world {
    const char *dir;
    struct meta *meta;
    uint32_t version[KEYS], next;
};

/* Change n rows, one after the other; every fifth change deletes. What fails is not done. */
static void change(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        w->next++;
        struct change c = { .key = w->next * 7 % KEYS, .version = w->next % 5 ? w->next : 0 };
        if (!meta_run(w->meta, change_fn, &c).code) w->version[c.key] = c.version;
    }
}

static void check_rows(struct world *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    static uint8_t got[BODY_BYTES], want[BODY_BYTES];
    struct str value;
    struct place p;
    uint8_t key[4];

    CHECK_OK(view_open(w->meta, &view));
    for (uint32_t k = 0; k < KEYS; k++) {
        put_be32(key, k);
        const struct err e = rows_get(view, SPACE_OBJECTS, str_of(key, 4), &value);
        if (e.code) CHECK_ERR(e, ERR_NOT_FOUND);
        CHECK_U64(e.code ? 0 : get_be32(value.data), w->version[k]);
        if (e.code) continue;
        place_decode((const uint8_t *)value.data + 4, &p);
        CHECK_OK(meta_read_body(w->meta, p, got));
        fill_body((struct change){ k, w->version[k] }, want);
        CHECK(!memcmp(got, want, BODY_BYTES));
    }
}

/* ---- breaking and repairing ---- */

static const char *path_in(const struct world *w, const char *name, char out[600])
{
    (void)snprintf(out, 600, "%s/%s", w->dir, name);
    return out;
}

static bool has_copy(const struct world *w)
{
    char path[600];
    struct stat st;
    return !sys_stat(path_in(w, "rows.copy", path), &st).code;
}

/* LMDB of a closed store becomes noise, from byte `from` on. */
static void break_lmdb(struct world *w, uint64_t from)
{
    uint8_t noise[4096];
    char path[600];
    struct stat st;
    int fd;

    memset(noise, 0x5a, sizeof(noise));
    CHECK_OK(sys_open(path_in(w, "rows/data.mdb", path), O_RDWR, 0, &fd));
    CHECK_OK(sys_fstat(fd, &st));
    for (uint64_t at = from; at < (uint64_t)st.st_size; at += sizeof(noise))
        CHECK_OK(sys_pwrite_all(fd, noise, sizeof(noise), at));
    sys_close(fd);
}

/* Closed, broken, repaired, opened: the same rows. */
static void check_repair(struct world *w)
{
    const struct meta_options o = options_of(w->dir);
    struct repaired r;

    w->meta = meta_close(w->meta);
    break_lmdb(w, 0);
    CHECK_ERR(meta_open(&o, &w->meta), ERR_CORRUPT);
    CHECK_ERR(meta_rows_check(w->dir), ERR_CORRUPT);
    CHECK_OK(meta_repair(&o, &r));
    CHECK(r.broken[0]);
    CHECK_OK(meta_rows_check(w->dir));
    w->meta = open_at(w->dir);
    check_rows(w);
}

TEST(a_broken_lmdb_is_made_anew_of_copy_and_journal)
{
    struct world w = { .dir = test_dir() };

    w.meta = open_at(w.dir);
    for (int round = 0; round < 6; round++) {
        change(&w, 25);
        if (round % 3 == 0) CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        change(&w, 25);
        if (round % 2) CHECK_OK(meta_checkpoint(w.meta));
        change(&w, 3);
        check_repair(&w);
    }
    meta_close(w.meta);
}

TEST(damage_in_pages_of_rows_is_repaired_too)
{
    struct world w = { .dir = test_dir() };
    const struct meta_options o = options_of(w.dir);
    struct repaired r;

    w.meta = open_at(w.dir);
    change(&w, 40);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    change(&w, 40);
    CHECK_OK(meta_checkpoint(w.meta));
    w.meta = meta_close(w.meta);
    break_lmdb(&w, 2 * 4096);
    CHECK_ERR(meta_rows_check(w.dir), ERR_CORRUPT);
    CHECK_OK(meta_repair(&o, &r));
    w.meta = open_at(w.dir);
    check_rows(&w);
    meta_close(w.meta);
}

TEST(a_repair_without_a_copy_or_with_a_gap_in_the_journal_changes_nothing)
{
    struct world w = { .dir = test_dir() };
    const struct meta_options o = options_of(w.dir);
    struct repaired r;
    char path[600], away[600];

    w.meta = open_at(w.dir);
    CHECK_ERR(meta_repair(&o, &r), ERR_BUSY);
    change(&w, 40);
    w.meta = meta_close(w.meta);
    CHECK_ERR(meta_repair(&o, &r), ERR_NOT_FOUND);
    w.meta = open_at(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    const uint32_t from = embedded_of(w.meta)->copy.kept_from;
    change(&w, 40);
    CHECK_OK(meta_checkpoint(w.meta));
    w.meta = meta_close(w.meta);
    (void)snprintf(path, sizeof(path), "%s/journal/%08x.seg", w.dir, from + 2);
    CHECK_OK(sys_rename(path, path_in(&w, "away", away)));
    CHECK_ERR(meta_repair(&o, &r), ERR_CORRUPT);
    CHECK_OK(sys_rename(away, path));
    w.meta = open_at(w.dir);
    check_rows(&w);
    meta_close(w.meta);
}

TEST(a_long_journal_is_replayed_through_a_small_memory)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = options_of(w.dir);
    struct repaired r;

    w.meta = open_at(w.dir);
    change(&w, 3);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    change(&w, 200);
    w.meta = meta_close(w.meta);
    break_lmdb(&w, 0);
    o.checkpoint_rows_bytes = 64; /* a row or two */
    CHECK_OK(meta_repair(&o, &r));
    w.meta = open_at(w.dir);
    check_rows(&w);
    meta_close(w.meta);
}

/* ---- how long the journal is kept ---- */

static struct meta_status status_of(struct meta *m)
{
    struct meta_status s;
    meta_status(m, &s);
    return s;
}

static bool is_waiting(struct meta *m, uint64_t at_most)
{
    const struct meta_status s = status_of(m);
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

/* Written, deleted, checkpointed: dead, but for the copy. */
static void die(struct world *w)
{
    change(w, 60);
    for (uint32_t k = 0; k < KEYS; k++) {
        struct change c = { .key = k };
        CHECK_OK(meta_run(w->meta, change_fn, &c));
        w->version[k] = 0;
    }
    CHECK_OK(meta_checkpoint(w->meta));
}

TEST(dead_segments_are_kept_until_the_next_copy_and_no_longer)
{
    struct world w = { .dir = test_dir() };

    w.meta = open_at(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    die(&w);
    change(&w, 1);
    CHECK_OK(meta_checkpoint(w.meta));
    CHECK(status_of(w.meta).journal_segments >= 7);
    check_repair(&w);
    CHECK(status_of(w.meta).journal_segments >= 7);
    CHECK_STR(str_from_z(status_of(w.meta).copy.state), STR("kept"));
    change(&w, 1); /* which segments are dead is known after a checkpoint */
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    wait_for_segments(w.meta, 3);
    CHECK_U64(status_of(w.meta).copy.held_bytes, 0);
    check_repair(&w);
    meta_close(w.meta);
}

TEST(without_copies_the_one_that_is_there_goes_first)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = options_of(w.dir);

    w.meta = open_at(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    die(&w);
    w.meta = meta_close(w.meta);
    CHECK(has_copy(&w));
    o.copy_interval_ms = 0;
    o.is_offline = true; /* an operator's verb leaves it */
    CHECK_OK(meta_open(&o, &w.meta));
    w.meta = meta_close(w.meta);
    CHECK(has_copy(&w));
    o.is_offline = false;
    CHECK_OK(meta_open(&o, &w.meta));
    CHECK(!has_copy(&w));
    CHECK_STR(str_from_z(status_of(w.meta).copy.state), STR("off"));
    change(&w, 1);
    wait_for_segments(w.meta, 3);
    meta_close(w.meta);
}

TEST(where_space_runs_out_the_copy_is_given_up)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = options_of(w.dir);
    struct change c = { .key = 1 };

    w.meta = open_at(w.dir);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    die(&w);
    w.meta = meta_close(w.meta);
    o.disk_floor_bytes = 1024 * TIB;
    CHECK_OK(meta_open(&o, &w.meta));
    CHECK(has_copy(&w));
    CHECK_OK(meta_run_freeing(w.meta, change_fn, &c));
    wait_for_segments(w.meta, 3);
    CHECK(!has_copy(&w));
    CHECK_STR(str_from_z(status_of(w.meta).copy.state), STR("given up"));
    CHECK_ERR(copy_keep_make(embedded_of(w.meta)), ERR_NO_SPACE);
    meta_close(w.meta);
}

TEST(the_first_copy_is_made_by_itself)
{
    struct world w = { .dir = test_dir() };
    struct meta_options o = options_of(w.dir);
    const uint64_t deadline = clock_mono_ms() + 10000;

    o.is_checkpoint_manual = false;
    CHECK_OK(meta_open(&o, &w.meta));
    while (!has_copy(&w) && clock_mono_ms() < deadline) sched_yield();
    CHECK(has_copy(&w));
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
        w.meta = open_at(w.dir);
        change(&w, 20);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        change(&w, 30);
        CHECK_OK(meta_checkpoint(w.meta)); /* the copy has nothing to wait for */
        if (is_stop) fault_arm_stop(n);
        else fault_arm(kinds, n, errno_value);
        err_ignore(copy_keep_make(embedded_of(w.meta)));
        struck = fault_count() > n;
        if (!is_stop) struck = fault_disarm();
        w.meta = meta_close(w.meta);
        if (is_stop) struck = fault_disarm();
        w.meta = open_at(w.dir);
        check_rows(&w);
        CHECK(has_copy(&w));
        check_repair(&w);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        check_repair(&w);
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

/* ---- two at once ---- */

/* Somebody who starts a server while a repair is at one of its calls. */
struct starter {
    struct meta_options options;
    struct meta *meta; /* NULL: he was refused */
    struct err refusal;
    uint64_t rows_file; /* LMDB's, as he found it */
};

static uint64_t rows_file_of(const char *dir)
{
    char path[600];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/rows/data.mdb", dir);
    CHECK_OK(sys_stat(path, &st));
    return st.st_ino;
}

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
    struct starter s = { .options = options_of(w.dir) };
    struct repaired r;

    w.meta = open_at(w.dir);
    change(&w, 3);
    CHECK_OK(copy_keep_make(embedded_of(w.meta)));
    change(&w, 2);
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
    w.meta = s.meta ? s.meta : open_at(w.dir);
    change(&w, 2);
    w.meta = meta_close(w.meta);
    w.meta = open_at(w.dir);
    check_rows(&w);
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

/* Stopped after each call of a repair, the next one ends it. */
TEST(a_repair_that_is_stopped_is_ended_by_the_next)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n += 3) {
        struct world w = { .dir = test_dir() };
        const struct meta_options o = options_of(w.dir);
        struct repaired r;
        const int kept = test_quiet_begin();

        w.meta = open_at(w.dir);
        change(&w, 20);
        CHECK_OK(copy_keep_make(embedded_of(w.meta)));
        change(&w, 20);
        w.meta = meta_close(w.meta);
        break_lmdb(&w, 0);
        fault_arm_stop(n);
        err_ignore(meta_repair(&o, &r));
        struck = fault_disarm();
        const struct err e = meta_open(&o, &w.meta);
        if (e.code) {
            CHECK_ERR(e, ERR_CORRUPT);
            CHECK_OK(meta_repair(&o, &r));
            w.meta = open_at(w.dir);
        }
        check_rows(&w);
        w.meta = meta_close(w.meta);
        test_quiet_end(kept);
    }
}
