/*
 * checkpoint.c - freeze, slices, the position.
 *
 * Positions in LMDB (docs/FORMAT.md):
 *   "journal"            0 4 format, 1    4 4 segment id   8 8 offset   16 8 batch   24 8 transaction
 *                       32 8 highest batch known durable  40 16 journal id
 *   "segment/XXXXXXXX"   0 8 live bodies  8 8 their bytes
 *
 * The position and the counts are those of the freeze; the batch known durable is that of the moment of writing, so that a
 * journal which lost its tail since is found out.
 */
#include "storage/meta/checkpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/meta/lmdb_rows.h"

#define POSITION_NAME STR("journal")
#define POSITION_FORMAT 1
#define POSITION_BYTES 56
#define LIVE_BYTES 16
#define RETRY_MS                                                                                             \
    1000 /* after a failure for space or memory; also how often dead segments that are still seen are looked at */

/* ---- positions ---- */

static struct err position_write(struct lmdb_txn *w, const struct embedded *m,
                                 const struct journal_position *p, uint64_t durable)
{
    uint8_t out[POSITION_BYTES];

    put_le32(out, POSITION_FORMAT);
    put_le32(out + 4, p->segment_id);
    put_le64(out + 8, p->offset);
    put_le64(out + 16, p->batch);
    put_le64(out + 24, p->txn);
    put_le64(out + 32, durable);
    memcpy(out + 40, m->journal_id, sizeof(m->journal_id));
    return lmdb_put_position(w, POSITION_NAME, str_of(out, sizeof(out)));
}

static struct err position_parse(struct str value, struct journal_position *ret, uint64_t *ret_durable,
                                 uint8_t ret_journal_id[16])
{
    const uint8_t *in = (const uint8_t *)value.data;

    if (value.len != POSITION_BYTES || get_le32(in) != POSITION_FORMAT)
        return FAIL(ERR_CORRUPT, "the journal's position in LMDB is not of a known form");
    *ret = (struct journal_position){
        .segment_id = get_le32(in + 4),
        .offset = get_le64(in + 8),
        .batch = get_le64(in + 16),
        .txn = get_le64(in + 24),
    };
    *ret_durable = get_le64(in + 32);
    memcpy(ret_journal_id, in + 40, 16);
    return OK;
}

struct err checkpoint_position_read(struct embedded *m, bool *ret_found, struct journal_position *ret,
                                    uint64_t *ret_durable)
{
    struct lmdb_txn *t;
    struct str value;

    TRY(lmdb_read_begin(m->lmdb, &t));
    struct err e = lmdb_get_position(t, POSITION_NAME, &value);
    *ret_found = !e.code;
    if (e.code == ERR_NOT_FOUND) e = OK;
    else if (!e.code) e = position_parse(value, ret, ret_durable, m->journal_id);
    lmdb_end(t);
    return e;
}

struct err checkpoint_position_now(struct embedded *m, struct journal_position *ret)
{
    uint8_t journal_id[16];
    uint64_t durable;
    struct lmdb_txn *t;
    struct str value;

    TRY(lmdb_read_begin(m->lmdb, &t));
    struct err e = lmdb_get_position(t, POSITION_NAME, &value);
    if (!e.code) e = position_parse(value, ret, &durable, journal_id);
    lmdb_end(t);
    return e;
}

bool checkpoint_position_batch(struct str name, struct str value, uint64_t *ret_batch)
{
    struct journal_position p;
    uint8_t journal_id[16];
    uint64_t durable;

    if (!str_eq(name, POSITION_NAME) || position_parse(value, &p, &durable, journal_id).code) return false;
    *ret_batch = p.batch;
    return true;
}

struct err checkpoint_position_begin(struct embedded *m)
{
    struct lmdb_txn *w;

    TRY(lmdb_write_begin(m->lmdb, &w));
    const struct err e = position_write(w, m, &(struct journal_position){ 0 }, 0);
    if (!e.code) return lmdb_commit(w);
    lmdb_end(w);
    return e;
}

static struct str live_name(uint32_t id, char out[32])
{
    return str_of(out, (size_t)snprintf(out, 32, "segment/%08x", id));
}

static struct err live_read(struct embedded *m, struct lmdb_txn *t, uint32_t id)
{
    char name[32];
    struct str value;

    const struct err e = lmdb_get_position(t, live_name(id, name), &value);
    if (e.code == ERR_NOT_FOUND) return OK; /* younger than the last checkpoint */
    TRY(e);
    if (value.len != LIVE_BYTES) return FAIL(ERR_CORRUPT, "a segment's count in LMDB is not of a known form");
    segments_set_live(m->segments,
                      &(struct segment_live){
                          .bodies = get_le64(value.data),
                          .bytes = get_le64(value.data + 8),
                          .id = id,
                      });
    return OK;
}

struct err checkpoint_live_read(struct embedded *m)
{
    struct lmdb_txn *t;
    struct err e = OK;
    uint32_t id;

    TRY(lmdb_read_begin(m->lmdb, &t));
    for (uint32_t next = 1; !e.code && segments_find(m->segments, next, &id); next = id + 1)
        e = live_read(m, t, id);
    lmdb_end(t);
    return e;
}

static struct err live_write(struct lmdb_txn *w, struct embedded *m)
{
    struct segment_live live;
    char name[32];
    uint8_t out[LIVE_BYTES];

    for (uint32_t id = 1; segments_frozen_find(m->segments, id, &live); id = live.id + 1) {
        put_le64(out, live.bodies);
        put_le64(out + 8, live.bytes);
        TRY(live.is_gone ? lmdb_del_position(w, live_name(live.id, name))
                         : lmdb_put_position(w, live_name(live.id, name), str_of(out, sizeof(out))));
    }
    return OK;
}

/* ---- the freeze ---- */

static bool is_over(const struct embedded *m)
{
    return memtable_bytes(m->active) >= m->options.checkpoint_rows_bytes
        || journal_bytes_appended(m->journal) - m->bytes_at_freeze >= m->options.checkpoint_log_bytes;
}

bool checkpoint_is_full_locked(const struct embedded *m)
{
    return m->frozen.table && !m->is_stopped && !m->options.is_checkpoint_manual && is_over(m);
}

bool checkpoint_is_stuck_locked(const struct embedded *m, struct err *ret)
{
    if (!m->is_checkpoint_failing || !checkpoint_is_full_locked(m)) return false;
    *ret = m->checkpoint_failure;
    return true;
}

/* Tell those who wait for a checkpoint. */
static void failed_locked(struct embedded *m, struct err e)
{
    m->checkpoint_failure = err_keep(e, m->checkpoint_why, sizeof(m->checkpoint_why));
    m->checkpoints_failed++;
    m->is_checkpoint_failing = true;
    m->is_freeze_wanted = false;
    cond_broadcast(&m->has_checkpointed);
    cond_signal(&m->has_work); /* those who wait for room are told that there is none */
}

static void freeze_locked(struct embedded *m)
{
    assert(mutex_is_held(&m->queue_lock));
    struct memtable *fresh = m->spare ? m->spare : memtable_new();
    m->spare = NULL;
    if (!fresh) { /* tried again after the next batch */
        failed_locked(m, FAIL(ERR_NO_MEMORY, "no memory for a memtable"));
        return;
    }
    segments_freeze(m->segments);
    mutex_lock(&m->views_lock);
    m->frozen = (struct frozen){ .table = m->active, .position = journal_position(m->journal) };
    m->frozen.position.txn = m->txn_last;
    m->active = fresh;
    m->freeze_number++;
    mutex_unlock(&m->views_lock);
    m->bytes_at_freeze = journal_bytes_appended(m->journal);
    m->batch_at_freeze = m->frozen.position.batch;
    m->is_freeze_wanted = false;
    atomic_store(&m->memtable_bytes, 0);
    atomic_store(&m->memtable_rows, 0);
    cond_signal(&m->has_frozen);
}

void checkpoint_freeze_if_due_locked(struct embedded *m)
{
    if (m->frozen.table || m->is_stopped) return;
    if (journal_position(m->journal).batch == m->batch_at_freeze && !memtable_rows(m->active)) {
        m->is_freeze_wanted = false; /* nothing to carry */
        return;
    }
    if (m->is_freeze_wanted || (!m->options.is_checkpoint_manual && is_over(m))) freeze_locked(m);
}

/* ---- carrying ---- */

/* Rows from the cursor on, until the slice is full or they end. */
static struct err slice_fill(struct lmdb_txn *w, struct memtable_cursor *c, bool *more, uint64_t *rows)
{
    struct memtable_row row;
    uint64_t bytes = 0;

    for (int n = 0; *more && n < LIMIT_SLICE_ROWS && bytes < LIMIT_SLICE_BYTES; n++) {
        memtable_at(c, &row);
        TRY(row.is_deleted ? lmdb_del(w, row.space, row.key) : lmdb_put(w, row.space, row.key, row.value));
        bytes += row.key.len + row.value.len;
        *rows += 1;
        *more = memtable_next(c);
    }
    return OK;
}

struct err checkpoint_spill(void *meta, struct memtable *rows)
{
    struct embedded *m = meta;
    struct memtable_cursor c;
    struct lmdb_txn *w;
    uint64_t carried = 0;
    bool more = memtable_seek(&c, memtable_working(rows), 0, STR_NONE, false);

    while (more) {
        TRY(lmdb_write_begin(m->lmdb, &w));
        const struct err e = slice_fill(w, &c, &more, &carried);
        if (e.code) {
            lmdb_end(w);
            return e;
        }
        TRY(lmdb_commit(w));
    }
    memtable_clear(rows);
    return OK;
}

static bool is_closing(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    const bool is_it = m->is_closing;
    mutex_unlock(&m->queue_lock);
    return is_it;
}

static struct err carry(struct embedded *m, const struct frozen *f, struct memtable_tree tree)
{
    struct memtable_cursor c;
    uint64_t rows = 0;
    bool more = memtable_seek(&c, tree, 0, STR_NONE, false);

    do {
        struct lmdb_txn *w;
        if (is_closing(m)) return FAIL(ERR_CLOSED, "the store is closing");
        TRY(lmdb_write_begin(m->lmdb, &w));
        struct err e = slice_fill(w, &c, &more, &rows);
        if (!e.code && !more) e = live_write(w, m);
        if (!e.code && !more) e = position_write(w, m, &f->position, atomic_load(&m->batch_durable));
        if (e.code) {
            lmdb_end(w);
            return e;
        }
        TRY(lmdb_commit(w));
    } while (more);
    METRIC_ADD(checkpoint_rows, rows);
    return OK;
}

static void drop_frozen(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    mutex_lock(&m->views_lock);
    struct memtable *table = m->frozen.table;
    m->frozen.table = NULL;
    mutex_unlock(&m->views_lock);
    m->checkpoint_last_ms = clock_now_ms();
    m->is_checkpoint_failing = false;
    atomic_store(&m->checkpointed, m->frozen.position.txn);
    cond_broadcast(&m->has_checkpointed);
    cond_signal(&m->has_work);
    const bool has_spare = m->spare != NULL;
    mutex_unlock(&m->queue_lock);
    memtable_free(table);
    if (has_spare) return;

    struct memtable *spare = memtable_new(); /* NULL: the freeze tries itself */
    mutex_lock(&m->queue_lock);
    m->spare = spare; /* a freeze takes one and makes none, and only this thread gives one */
    mutex_unlock(&m->queue_lock);
}

/* Carry what is frozen. On success it is dropped. */
static struct err checkpoint(struct embedded *m)
{
    const struct frozen f = m->frozen; /* only this thread ends it */
    struct memtable_root *root = memtable_root_take(f.table);
    const uint64_t begin_ns = clock_mono_ns();

    struct err e = carry(m, &f, memtable_root_tree(root));
    if (e.code == ERR_NO_SPACE && disk_ballast_give(m)) e = carry(m, &f, memtable_root_tree(root));
    memtable_root_release(root);
    TRY(e);
    segments_frozen_done(m->segments, f.position.segment_id, f.position.txn);
    drop_frozen(m);
    METRIC_ADD(checkpoints, 1);
    METRIC_OBSERVE(checkpoint, clock_mono_ns() - begin_ns);
    return OK;
}

/* ---- the thread ---- */

static void failed(struct embedded *m, struct err e)
{
    const bool may_pass = e.code == ERR_NO_SPACE || e.code == ERR_NO_MEMORY || e.code == ERR_CLOSED;

    mutex_lock(&m->queue_lock);
    failed_locked(m, e);
    mutex_unlock(&m->queue_lock);
    if (!may_pass) embedded_stop(m, e.why);
    else if (e.code != ERR_CLOSED) LOG_WARN("a checkpoint failed and is tried again", ERRF(e));
}

/* Wait until something is frozen, or a pause is over. False: the end. */
static bool wait_for_frozen(struct embedded *m, bool is_paused, bool is_watching)
{
    const uint64_t deadline = clock_mono_ms() + RETRY_MS;
    bool is_in_time = true;

    mutex_lock(&m->queue_lock);
    while (!m->is_closing && is_in_time) {
        if (m->frozen.table && !m->is_stopped && (!is_paused || m->is_retry_wanted)) break;
        if (m->is_look_wanted) break;
        if (is_paused || is_watching) is_in_time = cond_wait_until(&m->has_frozen, &m->queue_lock, deadline);
        else cond_wait(&m->has_frozen, &m->queue_lock);
    }
    m->is_retry_wanted = m->is_look_wanted = false;
    const bool goes_on = !m->is_closing;
    mutex_unlock(&m->queue_lock);
    return goes_on;
}

static bool has_frozen(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    const bool has_one = m->frozen.table && !m->is_stopped;
    mutex_unlock(&m->queue_lock);
    return has_one;
}

/* Twice when the copy that some were kept for was given up. */
static struct err unlink_dead(struct embedded *m, bool *ret_watching)
{
    struct segment_waiting waiting;

    do {
        const struct segment_burial b = { .viewed_by_all = views_seen_by_all(m),
                                          .kept_from = copy_keep_from(m),
                                          .keeps_spares = disk_has_room(m) };
        TRY(segments_unlink_dead(m->segments, &b, &waiting));
        *ret_watching = waiting.is_seen;
    } while (copy_keep_held(m, waiting.held_bytes));
    return OK;
}

void checkpoint_main(void *meta)
{
    struct embedded *m = meta;
    bool is_paused = false, is_watching = false;

    while (wait_for_frozen(m, is_paused, is_watching)) {
        is_paused = false;
        if (has_frozen(m)) {
            const struct err e = checkpoint(m);
            is_paused = e.code != ERR_OK;
            if (e.code) failed(m, e);
            else disk_ballast_take(m);
        }
        const struct err e = unlink_dead(m, &is_watching);
        if (e.code) LOG_WARN("a dead journal segment was not removed", ERRF(e));
    }
}

void checkpoint_ask(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    m->is_freeze_wanted = true;
    if (m->is_committer_waiting) cond_signal(&m->has_work);
    mutex_unlock(&m->queue_lock);
}

void checkpoint_look_again(struct embedded *m)
{
    mutex_lock(&m->queue_lock);
    m->is_look_wanted = true;
    cond_signal(&m->has_frozen);
    mutex_unlock(&m->queue_lock);
}

struct err embedded_checkpoint(struct meta *meta)
{
    struct embedded *m = embedded_of(meta);
    const uint64_t wanted = atomic_load(&m->published);
    struct err e = OK;

    mutex_lock(&m->queue_lock);
    const uint64_t failures = m->checkpoints_failed;
    while (!e.code && atomic_load(&m->checkpointed) < wanted) {
        if (m->is_closing) e = FAIL(ERR_CLOSED, "the store is closing");
        else if (m->checkpoints_failed != failures)
            e = err_fail(m->checkpoint_failure.code, "%s", m->checkpoint_why);
        else if (m->is_stopped) e = err_fail(ERR_UNAVAILABLE, "%s", m->stopped_why);
        if (e.code) break;
        if (m->frozen.table) {
            m->is_retry_wanted = true;
            cond_signal(&m->has_frozen);
        } else {
            m->is_freeze_wanted = true;
            cond_signal(&m->has_work);
        }
        cond_wait(&m->has_checkpointed, &m->queue_lock);
    }
    mutex_unlock(&m->queue_lock);
    return e;
}
