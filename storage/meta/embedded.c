/*
 * embedded.c - opening and closing the embedded engine, and what it tells of itself.
 *
 * In its directory:
 *   lock        held while the engine is open: one process at a time
 *   rows/       LMDB
 *   journal/    segments (segment.h)
 *   rows.copy   what a broken LMDB is replaced by (copy_keep.h)
 *   ballast     space to be given up (disk.c)
 *
 * Opening: lock, LMDB, the position in it, the segments, recovery, a new segment; only then threads, so nothing is served before
 * the end of the old journal is on disk. A failure on the way closes what was opened, and the next opening does it all again.
 */
#include "storage/meta/embedded.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/lmdb_pages.h"
#include "storage/meta/recover.h"

#define SEGMENT_BYTES_DEFAULT (64 * MIB)
#define SEGMENT_BYTES_STEP 4096
#define REPLAY_ROWS_FACTOR                                                                                   \
    4 /* a start finds two memtables' worth of rows in the journal; a repair may find more than memory holds */
#define CHECKPOINT_ROWS_DEFAULT (32 * MIB)
#define CHECKPOINT_LOG_DEFAULT (256 * MIB)
#define DISK_FLOOR_DEFAULT (256 * MIB)

/* ---- opening ---- */

static struct err options_fill(struct embedded *m, const struct meta_options *options)
{
    struct meta_options *o = &m->options;

    *o = *options;
    if (!o->segment_bytes) o->segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (!o->checkpoint_rows_bytes) o->checkpoint_rows_bytes = CHECKPOINT_ROWS_DEFAULT;
    if (!o->checkpoint_log_bytes) o->checkpoint_log_bytes = CHECKPOINT_LOG_DEFAULT;
    if (!o->disk_floor_bytes) o->disk_floor_bytes = DISK_FLOOR_DEFAULT;
    if (o->segment_bytes < SEGMENT_BYTES_MIN || o->segment_bytes > GIB
        || o->segment_bytes % SEGMENT_BYTES_STEP)
        return FAIL(ERR_INVALID, "a segment has 256 KiB to 1 GiB, in steps of 4 KiB");
    m->dir = strdup(options->dir);
    o->dir = m->dir;
    return m->dir ? OK : FAIL(ERR_NO_MEMORY, "no memory to open the store");
}

/* The path of a file of the store; valid until the next call with the same out. */
static const char *path_of(const struct embedded *m, const char *name, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/%s", m->dir, name);
    return out;
}

static struct err is_not_empty(void *arg, const char *name)
{
    (void)name;
    return err_fail(ERR_CORRUPT, "%s has files, but LMDB beside it is not there", (const char *)arg);
}

static struct err unlink_if_there(const struct embedded *m, const char *name)
{
    char path[SEGMENT_PATH_MAX];

    return sys_unlink_if_there(path_of(m, name, path));
}

/* A new store's LMDB with the first position in it, in rows.new. */
static struct err rows_make(struct embedded *m)
{
    char path[SEGMENT_PATH_MAX];

    TRY(unlink_if_there(m, "rows.new/data.mdb"));
    TRY(unlink_if_there(m, "rows.new/lock.mdb"));
    TRY(lmdb_open(path_of(m, "rows.new", path), m->options.map_bytes, &m->lmdb));
    ids_random(m->journal_id, sizeof(m->journal_id));
    const struct err e = checkpoint_position_begin(m);
    m->lmdb = lmdb_close(m->lmdb);
    return e;
}

/* What is cut short would end the process when it is mapped. */
static struct err rows_look(const struct embedded *m)
{
    char path[SEGMENT_PATH_MAX];
    const struct err e = lmdb_pages_look(path_of(m, "rows/data.mdb", path));

    return e.code == ERR_NOT_FOUND ? err_fail(ERR_CORRUPT, "%s is not there", path) : e;
}

/* LMDB. A new one is made beside and takes its name when it is whole: a power cut between the writes of its first pages
 * would leave one that never opens. */
static struct err rows_take(struct embedded *m)
{
    char rows[SEGMENT_PATH_MAX], fresh[SEGMENT_PATH_MAX], journal[SEGMENT_PATH_MAX];
    struct stat st;

    const struct err e = sys_stat(path_of(m, "rows", rows), &st);
    if (e.code == ERR_NOT_FOUND) {
        TRY(sys_list_dir(path_of(m, "journal", journal), is_not_empty, journal));
        TRY(rows_make(m));
        TRY(sys_rename(path_of(m, "rows.new", fresh), rows));
        TRY(sys_sync_dir(m->dir));
    } else {
        TRY(e);
        TRY(rows_look(m));
    }
    return lmdb_open(rows, m->options.map_bytes, &m->lmdb);
}

/* The lock is the open file's, so a second descriptor of it holds it until both are closed. */
static struct err lock_take(struct embedded *m, int lock_fd)
{
    char path[SEGMENT_PATH_MAX];

    if (lock_fd >= 0) return sys_dup(lock_fd, &m->lock_fd);
    TRY(sys_open(path_of(m, "lock", path), O_RDWR | O_CREAT, 0600, &m->lock_fd));
    return sys_lock(m->lock_fd);
}

/* The directory itself, its lock, and what is in it. */
static struct err dir_take(struct embedded *m, int lock_fd)
{
    char path[SEGMENT_PATH_MAX];

    TRY(sys_mkdir(m->dir, 0700));
    TRY(lock_take(m, lock_fd));
    TRY(sys_sync_dir(path_of(m, "..", path)));
    TRY(sys_mkdir(path_of(m, "journal", path), 0700));
    TRY(rows_take(m));
    return sys_sync_dir(m->dir);
}

static struct err segments_take(struct embedded *m, struct journal_position *ret, uint64_t *ret_durable)
{
    char path[SEGMENT_PATH_MAX];
    bool is_found = false;

    TRY(checkpoint_position_read(m, &is_found, ret, ret_durable));
    if (!is_found)
        return err_fail(ERR_CORRUPT, "%s has no position of the journal", path_of(m, "rows", path));
    TRY(segments_open(path_of(m, "journal", path), m->journal_id, m->options.segment_bytes, &m->segments));
    return checkpoint_live_read(m);
}

static struct err replay(struct embedded *m)
{
    struct journal_position from;
    struct recovery found;
    uint64_t durable;
    const uint64_t began = clock_mono_ms();

    TRY(segments_take(m, &from, &durable));
    const struct recover_spill spill = { REPLAY_ROWS_FACTOR * m->options.checkpoint_rows_bytes,
                                         checkpoint_spill, m };
    TRY(recover(m->segments, &from, durable, m->active, &spill, &found));
    memtable_publish(m->active);
    if (found.end.txn < m->options.number_after) found.end.txn = m->options.number_after;
    m->txn_last = found.end.txn;
    m->batch_at_freeze = from.batch;
    atomic_store(&m->published, found.end.txn);
    atomic_store(&m->checkpointed, from.txn);
    atomic_store(&m->batch_durable, found.end.batch);
    atomic_store(&m->memtable_bytes, memtable_bytes(m->active));
    atomic_store(&m->memtable_rows, memtable_rows(m->active));
    if (found.batches) {
        LOG_INFO("journal replayed", U64("batches", found.batches), U64("transactions", found.transactions),
                 U64("rows", found.rows), U64("ms", clock_mono_ms() - began));
    }
    const struct err e = journal_open(m->segments, found.end.batch, &m->journal);
    if (e.code != ERR_NO_SPACE || !disk_ballast_give(m)) return e;
    return journal_open(m->segments, found.end.batch, &m->journal);
}

static struct err memory_take(struct embedded *m)
{
    m->active = memtable_new();
    m->spare = memtable_new();
    m->txn = embedded_txn_new(m);
    return m->active && m->spare && m->txn ? OK : FAIL(ERR_NO_MEMORY, "no memory to open the store");
}

static struct err threads_start(struct embedded *m)
{
    TRY(thread_start("committer", committer_main, m, &m->committer));
    m->has_committer = true;
    TRY(thread_start("checkpoint", checkpoint_main, m, &m->checkpointer));
    m->has_checkpointer = true;
    return copy_keep_start(m);
}

static struct err open_all(struct embedded *m, const struct meta_options *options, int lock_fd)
{
    TRY(options_fill(m, options));
    TRY(memory_take(m));
    TRY(dir_take(m, lock_fd));
    disk_ballast_find(m);
    TRY(replay(m));
    TRY(copy_keep_open(m));
    disk_look(m);
    disk_ballast_take(m);
    return threads_start(m);
}

static void close_all(struct embedded *m);
static const struct meta_ops embedded_ops;

struct err embedded_open_in_lock(const struct meta_options *options, int lock_fd, struct meta **ret)
{
    char why[512];
    struct embedded *m = calloc(1, sizeof(*m));
    if (!m) return FAIL(ERR_NO_MEMORY, "no memory to open the store");

    m->meta.ops = &embedded_ops;
    m->lock_fd = -1;
    mutex_init(&m->queue_lock, LOCK_META_QUEUE);
    mutex_init(&m->views_lock, LOCK_META_VIEWS);
    copy_keep_init(m);
    cond_init(&m->has_work);
    cond_init(&m->has_frozen);
    cond_init(&m->has_checkpointed);
    const struct err e = open_all(m, options, lock_fd);
    if (e.code) {
        const struct err kept = err_keep(e, why, sizeof(why)); /* closing may fail and use up the ring */
        close_all(m);
        return err_fail(kept.code, "%s", why);
    }
    *ret = &m->meta;
    return OK;
}

struct err embedded_open(const struct meta_options *options, struct meta **ret)
{
    return embedded_open_in_lock(options, -1, ret);
}

/* ---- closing ---- */

static void threads_end(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    m->is_closing = true;
    cond_broadcast(&m->has_work);
    cond_broadcast(&m->has_frozen);
    cond_broadcast(&m->has_checkpointed);
    mutex_unlock(&m->queue_lock);
    if (m->has_committer) thread_join(m->committer);
    if (m->has_checkpointer) thread_join(m->checkpointer);
}

static void close_all(struct embedded *m)
{
    copy_keep_stop(m);
    threads_end(m);
    m->journal = journal_close(m->journal);
    m->segments = segments_close(m->segments);
    views_free(m);
    txns_free(m);
    embedded_txn_free(m->txn);
    memtable_free(m->frozen.table);
    memtable_free(m->active);
    memtable_free(m->spare);
    m->lmdb = lmdb_close(m->lmdb);
    sys_close(m->lock_fd);
    cond_done(&m->has_work);
    cond_done(&m->has_frozen);
    cond_done(&m->has_checkpointed);
    copy_keep_done(m);
    mutex_done(&m->queue_lock);
    mutex_done(&m->views_lock);
    free(m->dir);
    free(m);
}

static struct meta *embedded_close(struct meta *m)
{
    close_all(embedded_of(m));
    return NULL;
}

/* ---- bodies ---- */

static struct err embedded_read_body(struct meta *m, struct place p, void *out)
{
    return segments_read(embedded_of(m)->segments, p, out);
}

static void embedded_pin(struct meta *m, struct place p)
{
    segments_pin(embedded_of(m)->segments, p);
}

static void embedded_unpin(struct meta *m, struct place p)
{
    segments_unpin(embedded_of(m)->segments, p);
}

/* ---- segments ---- */

static bool embedded_segment_find(struct meta *m, uint32_t id, struct meta_segment *ret)
{
    return segments_find_full(embedded_of(m)->segments, id, ret);
}

static bool embedded_segment_is_dead(struct meta *meta, uint32_t id)
{
    struct embedded *m = embedded_of(meta);
    return segments_is_dead(m->segments, id, views_seen_by_all(m));
}

static struct err embedded_walk_bodies(struct meta *m, struct meta_body_walk *w, meta_body_fn *fn, void *arg)
{
    return segments_walk(embedded_of(m)->segments, w, fn, arg);
}

/* ---- state ---- */

static struct meta_positions embedded_positions(struct meta *meta)
{
    struct embedded *m = embedded_of(meta);
    /* In this order: none of them goes back, and viewed_by_all is the one that must not be ahead. */
    struct meta_positions p = { .viewed_by_all = views_seen_by_all(m) };

    p.checkpointed = atomic_load(&m->checkpointed);
    p.published = atomic_load(&m->published);
    return p;
}

static void embedded_status(struct meta *meta, struct meta_status *ret)
{
    struct embedded *m = embedded_of(meta);
    struct meta_status s = { 0 };
    struct lmdb_usage usage = { 0 };
    const struct segment_figures journal = segments_figures(m->segments);

    disk_look(m);
    err_ignore(lmdb_usage(m->lmdb, &usage));
    s.engine = "embedded";
    s.is_open = true;
    s.is_leader = true;
    s.servers = 1;
    s.is_writable = !atomic_load(&m->is_below_floor);
    if (!s.is_writable)
        (void)err_keep(FAIL(ERR_NO_SPACE, "the disk is almost full"), s.why_not, sizeof(s.why_not));
    mutex_lock(&m->queue_lock);
    struct err stuck;
    if (checkpoint_is_stuck_locked(m, &stuck)) {
        s.is_writable = false;
        (void)err_keep(stuck, s.why_not, sizeof(s.why_not));
    }
    if (m->is_stopped) {
        s.is_stopped = true;
        s.is_writable = false;
        (void)err_keep(FAIL(ERR_UNAVAILABLE, m->stopped_why), s.why_not, sizeof(s.why_not));
    }
    s.checkpoint_last_ms = m->checkpoint_last_ms;
    s.memtable_bytes = m->frozen.table ? memtable_bytes(m->frozen.table) : 0; /* frozen: nobody changes it */
    s.memtable_rows = m->frozen.table ? memtable_rows(m->frozen.table) : 0;
    mutex_unlock(&m->queue_lock);
    s.memtable_bytes += atomic_load(&m->memtable_bytes);
    s.memtable_rows += atomic_load(&m->memtable_rows);
    s.rows_damaged = (uint64_t)METRIC_GET(rows_damaged);
    s.journal_segments = journal.count;
    s.journal_bytes = journal.bytes;
    s.lmdb_bytes_used = usage.bytes_live;
    s.lmdb_bytes_map = usage.bytes_map;
    s.transactions = atomic_load(&m->transactions);
    s.batches = atomic_load(&m->batches);
    s.disk_free_bytes = atomic_load(&m->disk_free);
    s.disk_total_bytes = atomic_load(&m->disk_total);
    copy_keep_status(m, &s.copy);
    *ret = s;
}

static const struct meta_ops embedded_ops = {
    .close = embedded_close,
    .submit = embedded_submit,
    .view_open = embedded_view_open,
    .read_body = embedded_read_body,
    .pin = embedded_pin,
    .unpin = embedded_unpin,
    .positions = embedded_positions,
    .checkpoint = embedded_checkpoint,
    .segment_find = embedded_segment_find,
    .segment_is_dead = embedded_segment_is_dead,
    .walk_bodies = embedded_walk_bodies,
    .copy_rows = embedded_copy_rows,
    .status = embedded_status,
};
