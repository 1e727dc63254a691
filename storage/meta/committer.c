/*
 * committer.c - the one thread that decides: queue, batch, flush, publish, answer.
 *
 * A batch takes what waits, runs it in order, goes on taking while more has come in meanwhile, and is closed by its limits or an
 * empty queue: no timer. While it is flushed the next one gathers in the queue.
 *
 * A work that finds no room is put back to the front and runs again in the next batch; if it was the first of its batch, the
 * batch turns to the next segment. All outcomes of a batch are answered after its flush, refusals too, since they may
 * rest on its rows (M5); when the batch wrote nothing, at once.
 *
 * Nothing of a batch is seen before it is durable: the memtable's working version is published after the flush, or rolled
 * back to the last publish when the batch could not be written.
 */
#include <assert.h>

#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/embedded.h"

#define WHY_SIZE 256
#define BACKGROUND_SHARE 4 /* one of so many in a batch may be background work */

/* One batch. */
struct run {
    struct embedded *m;
    struct batch *batch;
    struct rows_sources from;
    struct memtable_root *frozen;
    struct work_list decided;
    uint64_t txn_before; /* the last transaction before it */
    size_t background;   /* works of it */
    uint64_t background_bytes;
    struct err spoilt; /* why the batch as a whole cannot be written */
};

/* ---- submitting ---- */

static struct err enqueue(struct embedded *m, struct meta_work *work)
{
    struct err e = OK;

    mutex_lock(&m->queue_lock);
    if (m->is_closing) {
        e = FAIL(ERR_CLOSED, "the store is closing");
    } else if (m->is_stopped) {
        e = FAIL(ERR_UNAVAILABLE, m->stopped_why);
    } else if (m->foreground.count + m->background.count >= LIMIT_META_QUEUE) {
        e = FAIL(ERR_BUSY, "too many transactions are waiting");
    } else {
        work_push(work->is_background ? &m->background : &m->foreground, work);
        METRIC_ADD(meta_queue, 1);
        if (m->is_committer_waiting) cond_signal(&m->has_work);
    }
    mutex_unlock(&m->queue_lock);
    if (e.code) METRIC_ADD(journal_refused, 1);
    return e;
}

void embedded_submit(struct meta *meta, struct meta_work *work)
{
    struct embedded *m = embedded_of(meta);
    struct err e = disk_admit(m, work->is_freeing);
    if (!e.code) e = txn_dry_run(m, work->fn, work->arg);
    if (!e.code) e = enqueue(m, work);
    if (e.code) work->done(work->arg, e);
}

void embedded_stop(struct embedded *m, const char *why)
{
    mutex_lock(&m->queue_lock);
    const bool is_first = !m->is_stopped;
    if (is_first) {
        (void)err_keep(FAIL(ERR_UNAVAILABLE, why), m->stopped_why, sizeof(m->stopped_why));
        m->is_stopped = true;
    }
    cond_broadcast(&m->has_work);
    cond_broadcast(&m->has_checkpointed);
    mutex_unlock(&m->queue_lock);
    if (is_first) LOG_ERROR("the store takes no more writes", STRF("why", why));
}

/* ---- taking work ---- */

/* Move up to `most` works to m->taken: every fourth from the background, more while nothing else waits. */
static void take_locked(struct embedded *m, size_t most, size_t background_most)
{
    assert(mutex_is_held(&m->queue_lock));
    for (size_t n = 0, background = 0; n < most; n++) {
        const bool may_background = m->background.count && background < background_most;
        const bool is_its_turn = !m->foreground.count || n % BACKGROUND_SHARE == BACKGROUND_SHARE - 1;
        struct work_list *from = may_background && is_its_turn ? &m->background : &m->foreground;
        struct meta_work *w = work_pop(from);
        if (!w) return;
        background += w->is_background;
        METRIC_ADD(meta_queue, -1);
        work_push(&m->taken, w);
    }
}

/* The next work of this batch; NULL: close it. */
static struct meta_work *work_next(struct run *run)
{
    struct embedded *m = run->m;
    const size_t room = LIMIT_BATCH_TXNS - run->decided.count;
    const bool has_background_room = run->background < LIMIT_BATCH_TXNS / BACKGROUND_SHARE
        && run->background_bytes < LIMIT_BATCH_BYTES / BACKGROUND_SHARE;

    if (!room || run->batch->len >= LIMIT_BATCH_BYTES || run->spoilt.code) return NULL;
    if (!m->taken.count) {
        const size_t background = LIMIT_BATCH_TXNS / BACKGROUND_SHARE - run->background;
        mutex_lock(&m->queue_lock);
        take_locked(m, room, has_background_room ? background : 0);
        mutex_unlock(&m->queue_lock);
    }
    return work_pop(&m->taken);
}

/* ---- one transaction ---- */

enum decision { DECIDED, NO_ROOM };

static enum decision decide(struct run *run, struct meta_work *w)
{
    struct embedded *m = run->m;
    struct embedded_txn *et = m->txn;
    struct txn *t = &et->txn;

    run->from.active = memtable_working(m->active);
    embedded_txn_begin(et, &run->from, run->batch, m->txn_last + 1);
    if (!batch_record_begin(run->batch, t->number)) return NO_ROOM;
    struct err e = w->fn(t, w->arg);
    if (!e.code || et->is_batch_full) e = embedded_txn_finish(et);
    if (et->is_batch_full) {
        batch_record_undo(run->batch);
        return NO_ROOM;
    }
    const bool is_empty = txn_is_empty(t);
    if (!e.code && !is_empty) {
        /* Failing half-way leaves the working version spoilt: then the whole batch is rolled back. */
        run->spoilt = e = memtable_put_all(m->active, memtable_working(t->overlay));
    }
    if (e.code || is_empty) {
        batch_record_undo(run->batch);
    } else {
        batch_record_end(run->batch);
        m->txn_last++;
    }
    w->outcome = e.code ? err_keep(e, w->why, sizeof(w->why)) : OK;
    return DECIDED;
}

/* Begin the empty batch in the next segment. On a full disk the ballast makes room for it once. */
static struct err turn(struct run *run)
{
    struct err e = journal_turn(run->m->journal);
    if (e.code == ERR_NO_SPACE && disk_ballast_give(run->m)) e = journal_turn(run->m->journal);
    return e;
}

/* Decide w within this batch. False: it has to wait for the next one. */
static bool work_run(struct run *run, struct meta_work *w)
{
    const uint64_t len = run->batch->len;
    enum decision d = decide(run, w);

    if (d == NO_ROOM && run->batch->records) return false;
    if (d == NO_ROOM) {
        struct err e = turn(run);
        if (!e.code && decide(run, w) == NO_ROOM) {
            e = journal_is_cramped(run->m->journal)
                ? FAIL(ERR_NO_SPACE, "the disk is full, and the journal has no room for this")
                : FAIL(ERR_TOO_LARGE, "the transaction is larger than a journal segment");
        }
        if (e.code) w->outcome = err_keep(e, w->why, sizeof(w->why));
    }
    if (w->is_background) {
        run->background++;
        run->background_bytes += run->batch->len > len ? run->batch->len - len : 0;
    }
    return true;
}

/* ---- one batch ---- */

/* What the batch's transactions read from. As with views: the frozen root first, LMDB behind it. */
static struct err sources_take(struct run *run)
{
    struct embedded *m = run->m;

    mutex_lock(&m->views_lock);
    run->frozen = m->frozen.table ? memtable_root_take(m->frozen.table) : NULL;
    mutex_unlock(&m->views_lock);
    run->from = (struct rows_sources){ 0 };
    if (run->frozen) run->from.frozen = memtable_root_tree(run->frozen);
    return lmdb_read_begin(m->lmdb, &run->from.lmdb);
}

static void sources_release(struct run *run)
{
    run->from.lmdb = lmdb_end(run->from.lmdb);
    run->frozen = memtable_root_release(run->frozen);
}

/* Append, and publish. */
static struct err batch_commit(struct run *run)
{
    struct embedded *m = run->m;
    struct batch *b = run->batch;
    const struct str records = str_of(b->data + BATCH_HEADER_BYTES, b->len - BATCH_HEADER_BYTES);

    if (run->spoilt.code) return run->spoilt;
    if (!b->records) return OK;
    TRY(journal_append(m->journal, b));
    segments_count(m->segments, b->segment_id, records);
    memtable_publish(m->active);
    atomic_store(&m->published, m->txn_last);
    atomic_store(&m->batch_durable, journal_position(m->journal).batch);
    atomic_fetch_add(&m->transactions, b->records);
    atomic_fetch_add(&m->batches, 1);
    atomic_store(&m->memtable_bytes, memtable_bytes(m->active));
    atomic_store(&m->memtable_rows, memtable_rows(m->active));
    METRIC_SET(memtable_bytes, memtable_bytes(m->active));
    return OK;
}

/* Tell everybody: his own outcome, or the whole batch's failure. A work is not ours any more once its done is called. */
static void answer(struct work_list *works, struct err all)
{
    struct meta_work *w;

    while ((w = work_pop(works))) w->done(w->arg, all.code ? all : w->outcome);
}

static void batch_run(struct embedded *m)
{
    struct run run = { .m = m, .batch = journal_begin(m->journal), .txn_before = m->txn_last, .spoilt = OK };
    struct meta_work *w;

    struct err e = sources_take(&run);
    while ((w = work_next(&run))) {
        if (e.code) w->outcome = OK; /* they all get e */
        else if (!work_run(&run, w)) {
            work_push_front(&m->taken, w);
            break;
        }
        work_push(&run.decided, w);
    }
    sources_release(&run);
    if (!e.code) e = batch_commit(&run);
    if (e.code) {
        memtable_rollback(m->active);
        m->txn_last = run.txn_before;
    }
    if (e.code == ERR_OUTCOME_UNKNOWN) embedded_stop(m, e.why);
    answer(&run.decided, e);
}

/* Nothing that waits can be run. */
static void batch_refuse(struct embedded *m, struct err why)
{
    struct work_list all = { 0 };
    struct meta_work *w;

    mutex_lock(&m->queue_lock);
    take_locked(m, SIZE_MAX, SIZE_MAX);
    mutex_unlock(&m->queue_lock);
    while ((w = work_pop(&m->taken))) {
        METRIC_ADD(journal_refused, 1);
        work_push(&all, w);
    }
    answer(&all, why);
}

/* ---- the thread ---- */

static bool has_work_locked(const struct embedded *m)
{
    return m->taken.count || m->foreground.count || m->background.count;
}

enum wakeup { WAKE_RUN, WAKE_REFUSE, WAKE_END };

/* Nothing is run on a stopped engine; nor while there is no room for what it would leave in memory: nobody knows how long that lasts, so nobody waits for it. */
static bool must_refuse_locked(const struct embedded *m, char why[WHY_SIZE], struct err *ret)
{
    struct err e = OK;

    if (m->is_stopped) e = FAIL(ERR_UNAVAILABLE, m->stopped_why);
    else if (m->is_closing || !checkpoint_is_stuck_locked(m, &e)) return false;
    *ret = err_keep(e, why, WHY_SIZE);
    return true;
}

static enum wakeup wait_for_work(struct embedded *m, char why[WHY_SIZE], struct err *ret_refusal)
{
    enum wakeup wakeup = WAKE_RUN;

    mutex_lock(&m->queue_lock);
    for (;;) {
        checkpoint_freeze_if_due_locked(m);
        const bool has_work = has_work_locked(m);
        if (m->is_closing && !has_work) wakeup = WAKE_END;
        else if (has_work && must_refuse_locked(m, why, ret_refusal)) wakeup = WAKE_REFUSE;
        else if (!has_work || (checkpoint_is_full_locked(m) && !m->is_closing)) {
            m->is_committer_waiting = true;
            cond_wait(&m->has_work, &m->queue_lock);
            m->is_committer_waiting = false;
            continue;
        }
        break;
    }
    mutex_unlock(&m->queue_lock);
    return wakeup;
}

void committer_main(void *meta)
{
    struct embedded *m = meta;

    for (;;) {
        char why[WHY_SIZE];
        struct err refusal = OK;
        const enum wakeup wakeup = wait_for_work(m, why, &refusal);
        if (wakeup == WAKE_END) return;
        if (wakeup == WAKE_RUN) batch_run(m);
        else batch_refuse(m, refusal);
    }
}
