/*
 * embedded_test.c - what the embedded engine does beside its contract: what it refuses, how it shares, what it removes, and that many
 * threads, checkpoints and reopenings leave exactly what was acknowledged.
 */
#include "storage/meta/embedded.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "tests/unit/test.h"

static struct meta *open_with(const char *dir, struct meta_options options)
{
    struct meta *m;

    options.dir = dir;
    if (!options.segment_bytes) options.segment_bytes = 256 * KIB;
    if (!options.disk_floor_bytes) options.disk_floor_bytes = MIB;
    if (!options.map_bytes) options.map_bytes = 256 * MIB;
    CHECK_OK(meta_open(&options, &m));
    return m;
}

static struct err put_x(struct txn *txn, void *arg)
{
    return txn_put(txn, SPACE_OBJECTS, str_from_z(arg), STR("x"));
}

static bool has_row(struct meta *m, const char *key)
{
    struct rows *view = NULL;
    struct err e;

    CHECK_OK(view_open(m, &view));
    const bool has_it = rows_have(view, SPACE_OBJECTS, str_from_z(key), &e);
    CHECK_OK(e);
    view = view_close(view);
    return has_it;
}

/* ---- what is refused ---- */

TEST(a_store_is_held_by_one_at_a_time)
{
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ 0 }), *second;

    CHECK_ERR(meta_open(&(struct meta_options){ .dir = dir, .disk_floor_bytes = MIB }, &second), ERR_BUSY);
    meta_close(m);
}

TEST(a_wrong_segment_size_is_refused)
{
    struct meta *m;
    const uint64_t sizes[] = { 1, 128 * KIB, 256 * KIB + 1, 2 * GIB };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        CHECK_ERR(meta_open(&(struct meta_options){ .dir = test_dir(), .segment_bytes = sizes[i] }, &m),
                  ERR_INVALID);
}

TEST(below_the_floor_only_freeing_work_is_admitted)
{
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ .disk_floor_bytes = 1024 * TIB });
    struct meta_status status;

    CHECK_ERR(meta_run(m, put_x, "a"), ERR_NO_SPACE);
    CHECK_OK(meta_run_freeing(m, put_x, "b"));
    CHECK(!has_row(m, "a") && has_row(m, "b"));
    CHECK_OK(meta_checkpoint(m));
    meta_status(m, &status);
    CHECK(!status.is_writable && status.why_not[0]);
    meta_close(m);
    m = open_with(dir, (struct meta_options){ 0 });
    CHECK_OK(meta_run(m, put_x, "a"));
    meta_close(m);
}

/* Segments go only behind a checkpoint, so whoever deletes to make room must not have to wait until much was written. */
TEST(below_the_floor_a_checkpoint_is_made_without_being_due)
{
    struct meta *m = open_with(test_dir(), (struct meta_options){ .disk_floor_bytes = 1024 * TIB });
    const uint64_t deadline = clock_mono_ms() + 10000;
    struct meta_positions now;

    CHECK_OK(meta_run_freeing(m, put_x, "a"));
    do {
        CHECK_ERR(meta_run(m, put_x, "b"), ERR_NO_SPACE);
        now = meta_positions(m);
    } while (now.checkpointed < now.published && clock_mono_ms() < deadline);
    CHECK_U64(now.checkpointed, now.published);
    meta_close(m);
}

TEST(the_ballast_is_known_after_a_restart_on_a_full_disk)
{
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ 0 });

    CHECK(atomic_load(&embedded_of(m)->has_ballast));
    meta_close(m);
    m = open_with(dir, (struct meta_options){ .disk_floor_bytes = 1024 * TIB });
    CHECK(atomic_load(&embedded_of(m)->has_ballast));
    CHECK(disk_ballast_give(embedded_of(m)) && !disk_ballast_give(embedded_of(m)));
    meta_close(m);
}

/* Recovery cuts the old journal's end with the first call for space; the second one is for the new segment. */
TEST(a_start_without_room_for_a_whole_segment_makes_a_small_one)
{
    const char *dir = test_dir();
    const struct meta_options options = { .segment_bytes = 4 * MIB };
    struct meta *m = open_with(dir, options);

    CHECK_OK(meta_run(m, put_x, "a"));
    meta_close(m);
    fault_arm(FAULT_SPACE, 1, ENOSPC);
    m = open_with(dir, options);
    CHECK(fault_disarm());
    CHECK(has_row(m, "a"));
    CHECK_OK(meta_run(m, put_x, "b"));
    meta_close(m);
    m = open_with(dir, options);
    CHECK(has_row(m, "a") && has_row(m, "b"));
    meta_close(m);
}

TEST(after_a_failed_flush_reads_go_on_and_writes_do_not)
{
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ 0 });
    struct meta_status status;

    CHECK_OK(meta_run(m, put_x, "before"));
    fault_arm(FAULT_SYNC | FAULT_STICKY, 0, EIO);
    CHECK_ERR(meta_run(m, put_x, "unknown"), ERR_OUTCOME_UNKNOWN);
    fault_disarm();
    CHECK_ERR(meta_run(m, put_x, "after"), ERR_UNAVAILABLE);
    CHECK(has_row(m, "before") && !has_row(m, "unknown") && !has_row(m, "after"));
    CHECK_ERR(meta_checkpoint(m), ERR_UNAVAILABLE);
    meta_status(m, &status);
    CHECK(!status.is_writable && status.why_not[0]);
    meta_close(m);
    m = open_with(dir, (struct meta_options){ 0 });
    CHECK(has_row(m, "before") && !has_row(m, "after"));
    CHECK_OK(meta_run(m, put_x, "after"));
    meta_close(m);
}

static struct err read_only(struct txn *txn, void *arg)
{
    struct err e;
    *(bool *)arg = rows_have(txn_rows(txn), SPACE_OBJECTS, STR("a"), &e);
    return e;
}

TEST(what_writes_nothing_costs_no_flush)
{
    struct meta *m = open_with(test_dir(), (struct meta_options){ 0 });
    struct meta_status before, after;
    bool has_a = true;

    meta_status(m, &before);
    CHECK_OK(meta_run(m, read_only, &has_a));
    CHECK(!has_a);
    meta_status(m, &after);
    CHECK_U64(after.batches, before.batches);
    meta_close(m);
}

/* ---- the queue ---- */

/* A work that holds up the committer until it is let go. */
struct gate {
    struct meta_work work;
    struct mutex lock; /* guards: runs, is_open, is_done */
    struct cond changed;
    int runs;
    bool is_open, is_done;
};

static struct err gate_fn(struct txn *txn, void *arg)
{
    struct gate *g = arg;

    mutex_lock(&g->lock);
    g->runs++; /* the first is the dry run */
    cond_broadcast(&g->changed);
    while (g->runs > 1 && !g->is_open) cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
    return txn_put(txn, SPACE_SYSTEM, STR("gate"), STR("x"));
}

static void gate_done(void *arg, struct err e)
{
    struct gate *g = arg;

    CHECK_OK(e);
    mutex_lock(&g->lock);
    g->is_done = true;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

static void gate_shut(struct gate *g, struct meta *m)
{
    *g = (struct gate){ .work = { .fn = gate_fn, .done = gate_done, .arg = g } };
    mutex_init(&g->lock, LOCK_LOG - 1);
    cond_init(&g->changed);
    meta_submit(m, &g->work);
    mutex_lock(&g->lock);
    while (g->runs < 2) cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    mutex_lock(&g->lock);
    g->is_open = true;
    cond_broadcast(&g->changed);
    while (!g->is_done) cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
}

struct queued {
    struct meta_work work;
    char key[16];
    enum err_code code;
    int order; /* of its answer, from 1 */
};
static _Atomic int answers;

static struct err queued_fn(struct txn *txn, void *arg)
{
    return put_x(txn, ((struct queued *)arg)->key);
}

static void queued_done(void *arg, struct err e)
{
    struct queued *q = arg;
    q->code = e.code;
    q->order = atomic_fetch_add(&answers, 1) + 1;
}

static void queued_submit(struct meta *m, struct queued *q, int i, bool is_background)
{
    snprintf(q->key, sizeof(q->key), "k%d", i);
    q->work = (struct meta_work){
        .fn = queued_fn, .done = queued_done, .arg = q, .is_background = is_background
    };
    meta_submit(m, &q->work);
}

TEST(a_full_queue_is_busy_and_forgets_nobody)
{
    enum { N = LIMIT_META_QUEUE + LIMIT_BATCH_TXNS + 100 };
    struct meta *m = open_with(test_dir(), (struct meta_options){ .segment_bytes = 4 * MIB });
    struct queued *q = calloc(N, sizeof(*q));
    struct gate g;
    int busy = 0;

    gate_shut(&g, m);
    for (int i = 0; i < N; i++) queued_submit(m, &q[i], i, false);
    for (int i = 0; i < N; i++) busy += q[i].code == ERR_BUSY;
    CHECK_U64(busy, N - LIMIT_META_QUEUE);
    gate_open(&g);
    meta_close(m);
    CHECK_U64(answers, N);
    for (int i = 0; i < N; i++) CHECK(q[i].code == (i < (int)LIMIT_META_QUEUE ? ERR_OK : ERR_BUSY));
    free(q);
}

TEST(background_work_has_at_most_a_quarter_of_a_batch_and_always_some)
{
    enum { N = 600 };
    struct meta *m = open_with(test_dir(), (struct meta_options){ .segment_bytes = 4 * MIB });
    struct queued *q = calloc(2 * N, sizeof(*q));
    struct gate g;

    gate_shut(&g, m);
    for (int i = 0; i < 2 * N; i++) queued_submit(m, &q[i], i, i % 2);
    gate_open(&g);
    meta_close(m);
    for (int first = 1; first + (int)LIMIT_BATCH_TXNS <= N; first += LIMIT_BATCH_TXNS) {
        int background = 0;
        for (int i = 1; i < 2 * N; i += 2)
            background += q[i].order >= first && q[i].order < first + (int)LIMIT_BATCH_TXNS;
        CHECK(background > 0 && background <= (int)LIMIT_BATCH_TXNS / 4);
    }
    free(q);
}

/* LMDB's writer is held up, so a checkpoint stands still: the memtables fill, then work waits, and is done when it goes on. */
TEST(when_both_memtables_are_full_work_waits_for_the_checkpoint)
{
    enum { N = 3000 };
    struct meta *m = open_with(test_dir(), (struct meta_options){ .checkpoint_rows_bytes = 32 * KIB });
    struct embedded *em = embedded_of(m);
    struct queued *q = calloc(N, sizeof(*q));
    struct lmdb_txn *w;
    bool is_waiting = false;

    CHECK_OK(lmdb_write_begin(embedded_of(m)->lmdb, &w));
    for (int i = 0; i < N; i++) queued_submit(m, &q[i], i, false);
    while (!is_waiting) {
        mutex_lock(&em->queue_lock);
        is_waiting = em->is_committer_waiting && em->foreground.count && em->frozen.table;
        mutex_unlock(&em->queue_lock);
    }
    CHECK(answers < N);
    lmdb_end(w);
    meta_close(m);
    CHECK_U64(answers, N);
    for (int i = 0; i < N; i++) CHECK_U64(q[i].code, ERR_OK);
    free(q);
}

static struct err put_numbered(struct txn *txn, void *arg)
{
    const uint32_t *n = arg;
    char key[16];

    return txn_put(txn, SPACE_OBJECTS, str_of(key, (size_t)snprintf(key, sizeof(key), "%08u", *n)),
                   STR("0123456789abcdef0123456789abcdef"));
}

/* LMDB finds no room for a checkpoint, and the memtables are full: everybody gets an answer, what was acknowledged is there, and a start with room goes on. */
TEST(when_no_checkpoint_finds_room_work_is_refused_and_nothing_is_lost)
{
    const char *dir = test_dir();
    struct meta_options small = { .checkpoint_rows_bytes = 32 * KIB, .map_bytes = 256 * KIB };
    struct meta *m = open_with(dir, small);
    struct meta_status status;
    struct err e = OK;
    uint32_t n = 0;
    char key[16];

    while (!e.code && n < 1000000) {
        e = meta_run(m, put_numbered, &n);
        n += e.code == ERR_OK;
    }
    CHECK_ERR(e, ERR_NO_SPACE);
    meta_status(m, &status);
    CHECK(!status.is_writable && !status.is_stopped && status.why_not[0]);
    CHECK_ERR(meta_run_freeing(m, put_numbered, &n), ERR_NO_SPACE);
    meta_close(m);
    m = open_with(dir, (struct meta_options){ .checkpoint_rows_bytes = 32 * KIB });
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "%08u", i);
        CHECK(has_row(m, key));
    }
    CHECK_OK(meta_run(m, put_numbered, &n));
    CHECK_OK(meta_checkpoint(m));
    meta_close(m);
}

TEST(views_have_a_limit_and_writing_goes_on_beside_it)
{
    struct meta *m = open_with(test_dir(), (struct meta_options){ 0 });
    struct rows **views = calloc(LIMIT_META_VIEWS, sizeof(struct rows *)), *more;

    for (int i = 0; i < LIMIT_META_VIEWS; i++) CHECK_OK(view_open(m, &views[i]));
    CHECK_ERR(view_open(m, &more), ERR_BUSY);
    CHECK_OK(meta_run(m, put_x, "a"));
    CHECK_OK(meta_checkpoint(m));
    views[7] = view_close(views[7]);
    CHECK(has_row(m, "a"));
    for (int i = 0; i < LIMIT_META_VIEWS; i++) view_close(views[i]);
    free(views);
    meta_close(m);
}

/* ---- segments that are dead ---- */

struct body {
    struct place place;
    uint8_t key[4];
};

static struct err put_body(struct txn *txn, void *arg)
{
    static char bytes[40 * KIB];
    struct body *b = arg;
    uint8_t value[PLACE_BYTES];

    TRY(txn_put_body(txn, SPACE_OBJECTS, str_of(b->key, 4), str_of(bytes, sizeof(bytes)), &b->place));
    place_encode(&b->place, value);
    return txn_put(txn, SPACE_OBJECTS, str_of(b->key, 4), str_of(value, sizeof(value)));
}

static struct err drop_body(struct txn *txn, void *arg)
{
    const struct body *b = arg;
    TRY(txn_drop_body(txn, b->place));
    return txn_del(txn, SPACE_OBJECTS, str_of(b->key, 4));
}

static uint64_t segments_of(struct meta *m)
{
    struct meta_status status;
    meta_status(m, &status);
    return status.journal_segments;
}

/* Checkpoints until no more than `most` segments are left: unlinking is behind the checkpoint that allows it. */
static void checkpoint_until(struct meta *m, uint64_t most)
{
    for (int i = 0; i < 100 && segments_of(m) > most; i++) {
        CHECK_OK(meta_run(m, put_x, "z"));
        CHECK_OK(meta_checkpoint(m));
    }
    CHECK(segments_of(m) <= most);
}

TEST(segments_go_when_nothing_in_them_is_live_and_only_then)
{
    enum { N = 30 };
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ .is_checkpoint_manual = true });
    struct body bodies[N];
    char *out = malloc(40 * KIB);

    for (uint32_t i = 0; i < N; i++) {
        put_be32(bodies[i].key, i);
        CHECK_OK(meta_run(m, put_body, &bodies[i]));
    }
    const uint64_t before = segments_of(m);
    CHECK(before >= 5);
    CHECK_OK(meta_checkpoint(m));
    meta_close(m);

    m = open_with(dir, (struct meta_options){ .is_checkpoint_manual = true });
    CHECK(segments_of(m) >= before);
    for (int i = 0; i < N; i++) CHECK_OK(meta_read_body(m, bodies[i].place, out));
    for (int i = 0; i < N; i++) {
        if (i != 7) CHECK_OK(meta_run(m, drop_body, &bodies[i]));
    }
    checkpoint_until(m, 2); /* that of body 7, and what is written to now */
    CHECK_OK(meta_read_body(m, bodies[7].place, out));
    meta_close(m);

    m = open_with(dir, (struct meta_options){ .is_checkpoint_manual = true });
    CHECK_OK(meta_read_body(m, bodies[7].place, out));
    struct rows *view;
    CHECK_OK(view_open(m, &view)); /* sees the body */
    CHECK_OK(meta_run(m, drop_body, &bodies[7]));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(meta_run(m, put_x, "z"));
        CHECK_OK(meta_checkpoint(m));
    }
    CHECK_OK(meta_read_body(m, bodies[7].place, out));
    meta_pin(m, bodies[7].place);
    view = view_close(view);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(meta_run(m, put_x, "z"));
        CHECK_OK(meta_checkpoint(m));
    }
    CHECK_OK(meta_read_body(m, bodies[7].place, out));
    meta_unpin(m, bodies[7].place);
    checkpoint_until(m, 1);
    CHECK_ERR(meta_read_body(m, bodies[7].place, out), ERR_CORRUPT);
    meta_close(m);
    free(out);
}

static struct err count_name(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return OK;
}

static int open_files(void)
{
    int count = 0;
    CHECK_OK(sys_list_dir("/proc/self/fd", count_name, &count));
    return count;
}

static uint64_t files_like(const char *dir, const char *suffix)
{
    char path[600];
    struct dirent *entry;
    uint64_t count = 0;

    (void)snprintf(path, sizeof(path), "%s/journal", dir);
    DIR *d = opendir(path);
    CHECK(d != NULL);
    while ((entry = readdir(d))) {
        const size_t len = strlen(entry->d_name), want = strlen(suffix);
        count += len > want && strcmp(entry->d_name + len - want, suffix) == 0;
    }
    closedir(d);
    return count;
}

/* What was written before stays in the file behind the new batches, and is never taken for one of them. */
TEST(files_of_dead_segments_are_written_over_and_show_no_ghosts)
{
    enum { N = 40, ROUNDS = 6 };
    const char *dir = test_dir();
    const struct meta_options manual = { .is_checkpoint_manual = true };
    const int64_t reused = METRIC_GET(journal_segments_reused);
    char *out = malloc(40 * KIB);
    struct body bodies[N];

    for (int round = 0; round < ROUNDS; round++) {
        struct meta *m = open_with(dir, manual);
        for (uint32_t i = 0; i < N; i++) {
            put_be32(bodies[i].key, i);
            if (round) CHECK_OK(meta_run(m, drop_body, &bodies[i]));
            CHECK_OK(meta_run(m, put_body, &bodies[i]));
            if (i % 8 == 7) CHECK_OK(meta_checkpoint(m));
        }
        checkpoint_until(m, 12);
        CHECK(files_like(dir, ".old") <= 4);
        meta_close(m);
        m = open_with(
            dir, manual); /* what is not checkpointed is replayed from segments that were others before */
        CHECK_U64(files_like(dir, ".old"), 0);
        for (uint32_t i = 0; i < N; i++) CHECK_OK(meta_read_body(m, bodies[i].place, out));
        meta_close(m);
    }
    CHECK(METRIC_GET(journal_segments_reused) > reused + 5);
    free(out);
}

TEST(many_old_segments_are_read_with_few_files_open)
{
    enum { N = LIMIT_SEGMENT_FILES + 40 };
    const char *dir = test_dir();
    struct meta *m = open_with(dir, (struct meta_options){ .is_checkpoint_manual = true });
    struct body *bodies = calloc(N * 4, sizeof(*bodies));
    char *out = malloc(40 * KIB);

    for (uint32_t i = 0; i < N * 4; i++) {
        put_be32(bodies[i].key, i);
        CHECK_OK(meta_run(m, put_body, &bodies[i]));
    }
    CHECK(open_files() < LIMIT_SEGMENT_FILES + 40);
    meta_close(m);
    m = open_with(dir, (struct meta_options){ .is_checkpoint_manual = true });
    CHECK(segments_of(m) >= N / 2);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N * 4; i++) CHECK_OK(meta_read_body(m, bodies[i].place, out));
        CHECK(open_files() < LIMIT_SEGMENT_FILES + 40);
    }
    meta_close(m);
    free(bodies);
    free(out);
}
