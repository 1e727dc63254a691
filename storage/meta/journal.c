/*
 * journal.c - appending batches, and the thread that has the next segment ready.
 *
 * States of the next segment, under the lock:
 *
 *   IDLE --(wanted)--> MAKING --> READY --(turn takes it)--> MAKING (the one after it)
 *                        \--> FAILED --(turn reports it)--> IDLE
 *
 * A failed id is not tried again: its file may be half there. Where a whole segment finds no room a small one may, and what it takes to delete
 * and to make a checkpoint fits in it: so a full disk still has a way out.
 *
 * Cutting away (J3): a write that failed may all the same have left a whole batch behind, which recovery would believe. So
 * its header is written over with zeros, and flushed, before the failure is told. If either step fails, nobody knows.
 */
#include "storage/meta/journal.h"

#include <assert.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

/* The first segment after a start is not zeroed, and is left as soon as one that is stands ready, if this much of it is unused. */
#define LEAVE_EARLY_BYTES (8 * MIB)

enum next_state { NEXT_IDLE, NEXT_WANTED, NEXT_MAKING, NEXT_READY, NEXT_FAILED };

struct journal {
    /* the committer's */
    struct segment_set *segments;
    struct segment current;
    struct journal_position end;
    struct batch batch;
    uint64_t bytes_appended;
    bool is_stopped;
    bool is_zeroed; /* the current segment */

    struct mutex lock; /* guards: state, next, failure, why */
    struct cond changed;
    enum next_state state;
    struct segment next;
    struct err failure;
    char why[256];

    atomic_bool is_closing;
    bool has_thread;
    pthread_t thread;
};

uint64_t journal_batch_max(uint64_t segment_bytes)
{
    /* A batch is closed at LIMIT_BATCH_BYTES, so one transaction of the largest kind may still follow. */
    const uint64_t largest = LIMIT_BATCH_BYTES + LIMIT_TXN_BODY_BYTES + 2 * LIMIT_TXN_BYTES;
    const uint64_t most = segment_bytes - JOURNAL_BLOCK;
    return (largest < most ? largest : most) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* ---- the next segment ---- */

static struct err create(struct journal *j, bool is_zeroed, struct segment *ret)
{
    const uint64_t bytes = segments_bytes_each(j->segments);
    const struct err e = segments_create(j->segments, bytes, is_zeroed, &j->is_closing, ret);

    if (e.code != ERR_NO_SPACE || bytes == SEGMENT_BYTES_MIN) return e;
    return segments_create(j->segments, SEGMENT_BYTES_MIN, is_zeroed, &j->is_closing, ret);
}

static void make_next(void *arg)
{
    struct journal *j = arg;

    mutex_lock(&j->lock);
    while (!atomic_load(&j->is_closing)) {
        if (j->state != NEXT_WANTED) {
            cond_wait(&j->changed, &j->lock);
            continue;
        }
        j->state = NEXT_MAKING;
        mutex_unlock(&j->lock);
        struct segment made;
        const struct err e = create(j, true, &made);
        mutex_lock(&j->lock);
        j->state = e.code ? NEXT_FAILED : NEXT_READY;
        if (e.code) j->failure = err_keep(e, j->why, sizeof(j->why));
        else j->next = made;
        cond_broadcast(&j->changed);
    }
    mutex_unlock(&j->lock);
}

static void want_next_locked(struct journal *j)
{
    assert(mutex_is_held(&j->lock));
    j->state = NEXT_WANTED;
    cond_broadcast(&j->changed);
}

static struct err take_next(struct journal *j, struct segment *ret)
{
    struct err e = OK;

    mutex_lock(&j->lock);
    if (j->state == NEXT_IDLE) want_next_locked(j);
    while (j->state != NEXT_READY && j->state != NEXT_FAILED) cond_wait(&j->changed, &j->lock);
    if (j->state == NEXT_READY) {
        *ret = j->next;
        want_next_locked(j);
    } else {
        e = err_fail(j->failure.code, "no new journal segment: %s", j->why);
        j->state = NEXT_IDLE;
    }
    mutex_unlock(&j->lock);
    return e;
}

/* ---- opening ---- */

static void use_segment(struct journal *j, const struct segment *segment)
{
    segments_add(j->segments, segment);
    if (j->current.id) segments_retire(j->segments, j->current.id);
    j->current = *segment;
    j->end.segment_id = segment->id;
    j->end.offset = JOURNAL_BLOCK;
}

static struct err begin(struct journal *j)
{
    struct segment first;

    TRY(batch_init(&j->batch, journal_batch_max(segments_bytes_each(j->segments))));
    /* Not zeroed: the start does not wait for it, and its flushes cost more until the next one is there. */
    TRY(create(j, false, &first));
    use_segment(j, &first);
    j->state = NEXT_WANTED;
    TRY(thread_start("segments", make_next, j, &j->thread));
    j->has_thread = true;
    return OK;
}

struct err journal_open(struct segment_set *segments, uint64_t last_batch, struct journal **ret)
{
    struct journal *j = calloc(1, sizeof(*j));
    if (!j) return FAIL(ERR_NO_MEMORY, "no memory for the journal");
    mutex_init(&j->lock, LOCK_JOURNAL);
    cond_init(&j->changed);
    j->segments = segments;
    j->end.batch = last_batch;
    const struct err e = begin(j);
    if (e.code) {
        journal_close(j);
        return e;
    }
    *ret = j;
    return OK;
}

struct journal *journal_close(struct journal *j)
{
    if (!j) return NULL;

    mutex_lock(&j->lock);
    atomic_store(&j->is_closing, true);
    cond_broadcast(&j->changed);
    mutex_unlock(&j->lock);
    if (j->has_thread) thread_join(j->thread);
    if (j->state == NEXT_READY) {
        char path[SEGMENT_PATH_MAX];
        segments_path(j->segments, j->next.id, path);
        sys_close(j->next.fd);
        err_ignore(sys_unlink(path)); /* unused; otherwise the next start removes it */
    }
    batch_done(&j->batch);
    cond_done(&j->changed);
    mutex_done(&j->lock);
    free(j);
    return NULL;
}

/* ---- appending ---- */

static void batch_begin(struct journal *j)
{
    batch_clear(&j->batch, j->current.id, j->end.offset, j->current.bytes - j->end.offset);
}

/* From the segment of the start to the first zeroed one. What is cut off holds nothing; if it stays, that is only space. */
static void leave_first(struct journal *j)
{
    struct segment next = { 0 };

    mutex_lock(&j->lock);
    const bool is_ready = j->state == NEXT_READY;
    mutex_unlock(&j->lock);
    if (!is_ready || take_next(j, &next).code) return;
    if (!sys_ftruncate(j->current.fd, j->end.offset).code)
        segments_set_bytes(j->segments, j->current.id, j->end.offset);
    use_segment(j, &next);
    j->is_zeroed = true;
}

struct batch *journal_begin(struct journal *j)
{
    const bool is_worth_it = !j->is_zeroed && j->current.bytes - j->end.offset >= LEAVE_EARLY_BYTES;

    if (is_worth_it && j->end.offset > JOURNAL_BLOCK) leave_first(j);
    batch_begin(j);
    return &j->batch;
}

struct err journal_turn(struct journal *j)
{
    struct segment next = { 0 };

    assert(!j->batch.records);
    if (j->end.offset == JOURNAL_BLOCK && !journal_is_cramped(j))
        return FAIL(ERR_TOO_LARGE, "the transaction is larger than a journal segment");
    TRY(take_next(j, &next));
    use_segment(j, &next);
    j->is_zeroed = true;
    batch_begin(j);
    return OK;
}

static struct err stop(struct journal *j, struct err e)
{
    j->is_stopped = true;
    return FAIL(ERR_OUTCOME_UNKNOWN, e.why);
}

static struct err cut_away(struct journal *j, struct err failed)
{
    static const uint8_t zeros[BATCH_HEADER_BYTES];

    struct err e = sys_pwrite_all(j->current.fd, zeros, sizeof(zeros), j->end.offset);
    if (!e.code) e = sys_fdatasync(j->current.fd);
    return e.code ? stop(j, e) : failed;
}

/* Fill in the header, and zeros up to the block's end. */
static size_t finish(struct journal *j, struct batch *b)
{
    const size_t bytes = b->len - BATCH_HEADER_BYTES, span = batch_span(bytes);

    assert(span <= b->room);
    batch_header_encode(
        &(struct batch_header){
            .salt = j->current.salt,
            .number = j->end.batch + 1,
            .durable = j->end.batch, /* J2 */
            .segment_id = j->current.id,
            .bytes = (uint32_t)bytes,
            .records = b->records,
            .crc32c = batch_crc(j->current.salt, b->data + BATCH_HEADER_BYTES, bytes),
        },
        b->data);
    for (size_t i = b->len; i < span; i++) b->data[i] = 0;
    return span;
}

struct err journal_append(struct journal *j, struct batch *b)
{
    if (j->is_stopped) return FAIL(ERR_UNAVAILABLE, "the journal takes no more writes");
    const size_t span = finish(j, b);

    struct err e = sys_pwrite_all(j->current.fd, b->data, span, j->end.offset);
    if (e.code) return cut_away(j, e);
    METRIC_ADD(journal_syncs, 1);
    const uint64_t begin_ns = clock_mono_ns();
    e = sys_fdatasync(j->current.fd);
    METRIC_OBSERVE(journal_flush, clock_mono_ns() - begin_ns);
    if (e.code) return stop(j, e);

    j->end.offset += span;
    j->end.batch++;
    j->bytes_appended += span;
    METRIC_ADD(journal_batches, 1);
    METRIC_ADD(journal_transactions, b->records);
    METRIC_ADD(journal_bytes, span);
    return OK;
}

bool journal_is_cramped(const struct journal *j)
{
    return j->current.bytes < segments_bytes_each(j->segments);
}

struct journal_position journal_position(const struct journal *j)
{
    return j->end;
}

uint64_t journal_bytes_appended(const struct journal *j)
{
    return j->bytes_appended;
}
