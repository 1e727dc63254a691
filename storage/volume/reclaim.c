/*
 * reclaim.c - the passes, their thread, and writers that were given up.
 *
 * A pass: abandoned writers first (their space has never been seen by anybody), then freed rows, then seals, so that a volume whose last
 * space was given back a moment ago is removed rather than sealed.
 *
 * Whether a closed writer was published is mostly known from a view. When not (the transaction was refused, or its outcome is unknown), a
 * transaction of our own finds out: if it can be made durable, whatever came before it is decided. If it cannot, the space
 * stays reserved until the next start, where the rows tell.
 *
 * Locks: a pass holds LOCK_RECLAIM throughout, over I/O and transactions: it is what keeps passes apart. The queue has a lock of its own.
 */
#include "storage/volume/reclaim.h"

#include <assert.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"
#include "storage/volume/reclaim_freed.h"

#define LOOK_EVERY_MS 1000

struct reclaim {
    struct blobs *b;
    bool is_manual;
    struct mutex pass_lock;  /* guards: one pass at a time */
    struct mutex queue_lock; /* guards: abandoned, is_woken, is_urgent, is_stopping */
    struct cond wake;
    struct blob_writer *abandoned;
    bool is_woken, is_urgent, is_stopping;
    _Atomic bool is_waiting_for_pin;
    _Atomic uint64_t bytes_waiting_checkpoint;
    pthread_t thread;
};

/* ---- closed writers ---- */

/* The reservations end, with their space as it is. */
static void release(struct blobs *b, struct blob_writer *w)
{
    for (uint32_t i = 0; i < w->count; i++) volume_release(w->volumes[i]);
    pins_remove(&b->pins, &w->pin);
    writer_free(w);
}

static void count_taken(struct blobs *b, const struct blob_writer *w)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < w->count; i++) bytes += record_bytes(w->extents[i].data_len);
    atomic_fetch_add(&b->bytes_taken, bytes);
}

void reclaim_settle(struct reclaim *r, struct blob_writer *w)
{
    count_taken(r->b, w);
    release(r->b, w);
}

void reclaim_abandon(struct reclaim *r, struct blob_writer *w)
{
    mutex_lock(&r->queue_lock);
    w->next = r->abandoned;
    r->abandoned = w;
    r->is_woken = true;
    cond_signal(&r->wake);
    mutex_unlock(&r->queue_lock);
}

struct question {
    const struct blob_writer *w;
    bool is_published;
};

static struct err ask(struct txn *txn, void *arg)
{
    struct question *q = arg;

    return writer_is_published(txn_rows(txn), q->w, &q->is_published);
}

/* Punch what the writer had, from the last extent on, so that the tail can go back over all of them. */
static struct err punch(const struct blob_writer *w, uint64_t *bytes)
{
    for (uint32_t i = w->count; i-- > 0;) {
        struct volume *v = w->volumes[i];
        const uint64_t offset = w->extents[i].offset, end = writer_extent_end(w, i);

        TRY(sys_punch(v->fd, offset, end - offset));
        volume_give_back(v, offset, end);
        METRIC_ADD(volume_punched_bytes, end - offset);
        *bytes += end - offset;
    }
    return OK;
}

/* An error: it is not known whether w was published, and w is still there. */
static struct err settle_abandoned(struct reclaim *r, struct blob_writer *w, uint64_t *bytes)
{
    struct question q = { .w = w };

    if (atomic_load(&w->state) == WRITER_DURABLE) TRY(meta_run_freeing(r->b->meta, ask, &q));
    if (q.is_published) {
        reclaim_settle(r, w);
        return OK;
    }
    const struct err e = punch(w, bytes);
    if (e.code)
        LOG_WARN("space of an unpublished body is not given back before its volume is sealed", ERRF(e));
    release(r->b, w);
    return OK;
}

static struct err settle_all(struct reclaim *r, uint64_t *bytes)
{
    mutex_lock(&r->queue_lock);
    struct blob_writer *w = r->abandoned;
    r->abandoned = NULL;
    mutex_unlock(&r->queue_lock);

    struct err result = OK;
    while (w) {
        struct blob_writer *next = w->next;
        const struct err e = settle_abandoned(r, w, bytes);
        if (e.code) {
            mutex_lock(&r->queue_lock);
            w->next = r->abandoned;
            r->abandoned = w;
            mutex_unlock(&r->queue_lock);
            if (!result.code) result = e;
        }
        w = next;
    }
    return result;
}

/* ---- seals ---- */

static struct err seal_all(struct reclaim *r)
{
    struct volume *failed = NULL, *v;
    struct err result = OK;

    while ((v = volume_set_take_idle(r->b->set))) {
        const struct err e = volume_seal(r->b, v->id, v->fd, v->is_own);
        if (!e.code) {
            volume_free(v);
            continue;
        }
        if (!result.code) result = e;
        v->next = failed;
        failed = v;
    }
    while ((v = failed)) {
        failed = v->next;
        volume_set_put_back(r->b->set, v);
    }
    return result;
}

/* ---- passes ---- */

static struct err pass_locked(struct reclaim *r, uint64_t *bytes)
{
    struct freed_outcome freed;

    /* Set before the pins are looked at, so that one that goes meanwhile wakes us. */
    atomic_store(&r->is_waiting_for_pin, true);
    const struct err settled = settle_all(r, bytes);
    const struct err given_back = reclaim_freed(r->b, &freed);
    const struct err sealed = seal_all(r);

    *bytes += freed.bytes_given_back;
    atomic_store(&r->b->bytes_waiting, freed.bytes_waiting);
    atomic_store(&r->bytes_waiting_checkpoint, freed.bytes_waiting_checkpoint);
    if (!freed.is_waiting_for_pin) atomic_store(&r->is_waiting_for_pin, false);
    METRIC_SET(volume_count, atomic_load(&r->b->volumes_sealed));
    TRY(settled);
    TRY(given_back);
    return sealed;
}

struct err reclaim_pass(struct reclaim *r, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;

    mutex_lock(&r->pass_lock);
    const struct err e = pass_locked(r, &bytes);
    mutex_unlock(&r->pass_lock);
    *ret_bytes = bytes;
    return e;
}

/* ---- the thread ---- */

void reclaim_wake(struct reclaim *r, bool is_urgent)
{
    mutex_lock(&r->queue_lock);
    r->is_woken = true;
    r->is_urgent |= is_urgent;
    cond_signal(&r->wake);
    mutex_unlock(&r->queue_lock);
}

void reclaim_unpinned(struct reclaim *r)
{
    if (atomic_load(&r->is_waiting_for_pin)) reclaim_wake(r, false);
}

/* Wait to be woken or for the next look. False: stop. */
static bool wait_for_work(struct reclaim *r, bool *ret_is_woken, bool *ret_is_urgent)
{
    const uint64_t deadline = clock_mono_ms() + LOOK_EVERY_MS;

    mutex_lock(&r->queue_lock);
    while (!r->is_woken && !r->is_stopping && cond_wait_until(&r->wake, &r->queue_lock, deadline)) {
    }
    *ret_is_woken = r->is_woken;
    *ret_is_urgent = r->is_urgent;
    r->is_woken = r->is_urgent = false;
    const bool go_on = !r->is_stopping;
    mutex_unlock(&r->queue_lock);
    return go_on;
}

static bool has_moved(struct meta_positions a, struct meta_positions b)
{
    return a.published != b.published || a.checkpointed != b.checkpointed
        || a.viewed_by_all != b.viewed_by_all;
}

static void pass_and_log(struct reclaim *r)
{
    uint64_t bytes;
    const struct err e = reclaim_pass(r, &bytes);

    if (e.code) LOG_WARN("reclaim could not do all of its work", ERRF(e));
    if (bytes) LOG_DEBUG("space given back", U64("bytes", bytes));
}

/* The error is the checkpoint's own to report; the space goes on waiting. */
static void ask_for_checkpoint(struct reclaim *r, bool is_urgent)
{
    const uint64_t waiting = atomic_load(&r->bytes_waiting_checkpoint);

    if (waiting < (is_urgent ? 1 : RECLAIM_ASK_BYTES)) return;
    if (!meta_checkpoint(r->b->meta).code) pass_and_log(r);
}

static void reclaim_run(void *arg)
{
    struct reclaim *r = arg;
    struct meta_positions seen = { 0 };
    bool is_woken, is_urgent;

    while (wait_for_work(r, &is_woken, &is_urgent)) {
        const struct meta_positions now = meta_positions(r->b->meta);
        if (!is_woken && !has_moved(seen, now)) continue;
        pass_and_log(r);
        ask_for_checkpoint(r, is_urgent);
        seen = now;
    }
}

struct err reclaim_start(struct blobs *b, bool is_manual, struct reclaim **ret)
{
    struct reclaim *r = calloc(1, sizeof(*r));

    if (!r) return FAIL(ERR_NO_MEMORY, "no memory for reclaim");
    r->b = b;
    r->is_manual = is_manual;
    mutex_init(&r->pass_lock, LOCK_RECLAIM);
    mutex_init(&r->queue_lock, LOCK_PINS);
    cond_init(&r->wake);
    const struct err e = is_manual ? OK : thread_start("reclaim", reclaim_run, r, &r->thread);
    if (e.code) {
        r->is_manual = true;
        reclaim_stop(r);
        return e;
    }
    *ret = r;
    return OK;
}

/* What is still not known to be published keeps its space: the next start reads the rows. */
struct reclaim *reclaim_stop(struct reclaim *r)
{
    uint64_t bytes = 0;

    if (!r) return NULL;
    if (!r->is_manual) {
        mutex_lock(&r->queue_lock);
        r->is_stopping = true;
        cond_signal(&r->wake);
        mutex_unlock(&r->queue_lock);
        thread_join(r->thread);
    }
    err_ignore(settle_all(r, &bytes));
    for (struct blob_writer *w = r->abandoned, *next; w; w = next) {
        next = w->next;
        release(r->b, w);
    }
    cond_done(&r->wake);
    mutex_done(&r->queue_lock);
    mutex_done(&r->pass_lock);
    free(r);
    return NULL;
}
