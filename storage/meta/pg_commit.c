/*
 * pg_commit.c - the writer: queue, batches whatever happens to them, answers, the session.
 *
 * What goes wrong:
 *   a conflict with another's transaction    the whole batch again, LIMIT_PG_RETRIES times, then ERR_BUSY
 *   a failure of the server's                each transaction again in a batch of its own: only the one that it is about fails
 *   the connection is lost before COMMIT     nothing was written. A new connection and the batch again, or ERR_UNAVAILABLE
 *   the connection is lost at COMMIT         pg_session_resolve
 * Refusals are answered when the batch is committed, since they may rest on its rows (M5).
 *
 * Measured (docs/decisions/0010-postgresql.md): why batches and one connection, and not a pool of writers.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/meta/pg_engine.h"

#define BACKGROUND_SHARE 4 /* one of so many in a batch may be background work */
#define LOOK_MS 1000       /* an idle writer looks whether its session is there, and clears bodies away */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

/* ---- submitting ---- */

static struct err enqueue(struct pg_engine *m, struct meta_work *work)
{
    struct err e = OK;

    mutex_lock(&m->queue_lock);
    if (m->is_closing) {
        e = FAIL(ERR_CLOSED, "the store is closing");
    } else if (m->state != PG_SERVING) {
        e = err_fail(ERR_UNAVAILABLE, "%s", m->why);
    } else if (m->foreground.count + m->background.count >= LIMIT_META_QUEUE) {
        e = FAIL(ERR_BUSY, "too many transactions are waiting");
    } else {
        work_push(work->is_background ? &m->background : &m->foreground, work);
        if (m->is_writer_waiting) cond_signal(&m->has_work);
    }
    mutex_unlock(&m->queue_lock);
    if (e.code) METRIC_ADD(journal_refused, 1);
    return e;
}

void pg_submit(struct meta *meta, struct meta_work *work)
{
    const struct err e = enqueue(pg_engine_of(meta), work);
    if (e.code) work->done(work->arg, e);
}

/* ---- taking work ---- */

/* Every fourth from the background, more while nothing else waits. */
static void take_locked(struct pg_engine *m)
{
    for (size_t n = m->taken.count, background = 0; n < LIMIT_BATCH_TXNS; n++) {
        const bool may_background = m->background.count && background < LIMIT_BATCH_TXNS / BACKGROUND_SHARE;
        const bool is_its_turn = !m->foreground.count || n % BACKGROUND_SHARE == BACKGROUND_SHARE - 1;
        struct work_list *from = may_background && is_its_turn ? &m->background : &m->foreground;
        struct meta_work *w = work_pop(from);
        if (!w) return;
        background += w->is_background;
        work_push(&m->taken, w);
    }
}

static void works_take(struct pg_engine *m, struct work_list *ret)
{
    mutex_lock(&m->queue_lock);
    take_locked(m);
    mutex_unlock(&m->queue_lock);
    const size_t most = m->alone ? 1 : LIMIT_BATCH_TXNS;
    for (struct meta_work *w; ret->count < most && (w = work_pop(&m->taken));) work_push(ret, w);
    if (m->alone) m->alone--;
}

/* Back to the front, in their order. */
static void works_put_back(struct pg_engine *m, struct work_list *works)
{
    struct work_list all = *works;
    struct meta_work *w;

    while ((w = work_pop(&m->taken))) work_push(&all, w);
    m->taken = all;
    *works = (struct work_list){ 0 };
}

static void answer(struct work_list *works, struct err all)
{
    struct meta_work *w;

    while ((w = work_pop(works))) w->done(w->arg, all.code ? all : w->outcome);
}

/* What is committed is seen by views opened now. Works that found no room go back. */
static void batch_publish(struct pg_batch *b)
{
    struct pg_engine *m = b->m;
    struct work_list decided = { 0 };

    if (b->txns) {
        m->session.batch = b->batch;
        atomic_store(&m->published, b->number - 1);
        atomic_fetch_add(&m->transactions, b->txns);
        atomic_fetch_add(&m->batches, 1);
        METRIC_ADD(journal_transactions, b->txns);
        METRIC_ADD(journal_batches, 1);
    }
    for (size_t i = 0; i < m->bodies.count && !m->is_sweep_due; i++)
        m->is_sweep_due = m->bodies.items[i].is_drop;
    for (size_t i = 0; i < b->decided; i++) work_push(&decided, work_pop(&b->works));
    works_put_back(m, &b->works);
    answer(&decided, OK);
}

/* ---- the session ---- */

static void pause_until(struct pg_engine *m, uint64_t deadline)
{
    mutex_lock(&m->queue_lock);
    while (!m->is_closing && cond_wait_until(&m->has_work, &m->queue_lock, deadline)) continue;
    mutex_unlock(&m->queue_lock);
}

/* A little, and not the same for all. */
static void pause_jitter(struct pg_engine *m, int attempt)
{
    uint8_t random;

    ids_random(&random, 1);
    pause_until(m, clock_mono_ms() + (1u << attempt) + random % (4u << attempt));
}

static void state_set(struct pg_engine *m, enum pg_state state, struct err e)
{
    mutex_lock(&m->queue_lock);
    const bool is_news = m->state != state || strcmp(m->why, e.code ? e.why : "") != 0;
    m->state = state;
    m->attempts = state == PG_SERVING ? 0 : m->attempts + 1;
    (void)snprintf(m->why, sizeof(m->why), "%s", e.code ? e.why : "");
    m->refusal = (struct err){ e.code, m->why };
    cond_broadcast(&m->has_state);
    mutex_unlock(&m->queue_lock);
    if (!is_news || m->is_offline) return; /* a verb says it itself */
    if (state == PG_SERVING && m->is_shared)
        LOG_INFO("PostgreSQL holds the rows, and this server shares them", STRF("schema", m->schema));
    else if (state == PG_SERVING)
        LOG_INFO("PostgreSQL holds the rows, and this server its lease", STRF("schema", m->schema));
    else if (state == PG_REFUSED) LOG_ERROR("the store takes no more writes", ERRF(e));
    else LOG_WARN("PostgreSQL cannot be used, it is tried again", ERRF(e));
}

/* Another try at a session. */
static void session_try(struct pg_engine *m)
{
    const struct err e = pg_session_open(m);

    if (!e.code) {
        if (!atomic_load(&m->published))
            atomic_store(&m->published, m->session.newest * PG_NUMBERS_OF_BATCH + PG_NUMBERS_OF_BATCH - 1);
        atomic_store(&m->is_open, true);
        state_set(m, PG_SERVING, OK);
        return;
    }
    const bool is_final = e.code == ERR_CLOSED || e.code == ERR_UNSUPPORTED || e.code == ERR_INVALID
        || e.code == ERR_NOT_FOUND;
    state_set(m, is_final ? PG_REFUSED : PG_CONNECTING, e);
}

static void session_lost(struct pg_engine *m, struct err e)
{
    pg_session_close(m);
    state_set(m, PG_CONNECTING, e);
}

/* ---- a batch, whatever happens ---- */

static struct err doubt_resolve(struct pg_batch *b)
{
    struct pg_engine *m = b->m;

    m->doubt = (struct pg_doubt){ .is_open = true, .batch = b->batch, .number = b->number - 1 };
    memcpy(m->doubt.xid, b->xid, sizeof(m->doubt.xid));
    memcpy(m->doubt.timeline, m->session.timeline, sizeof(m->doubt.timeline));
    pg_session_close(m);
    return pg_session_resolve(m);
}

/* The batch came to nothing: everybody is told. */
static void batch_fail(struct pg_batch *b, struct err e)
{
    for (const struct meta_work *w = b->works.first; w; w = w->next) METRIC_ADD(journal_refused, 1);
    answer(&b->works, e);
}

static void connection_count(struct pg_engine *m)
{
    atomic_fetch_add(&m->lost, 1);
    METRIC_ADD(postgresql_connections_lost, 1);
}

/* Another server's batch took too long: each of ours alone would wait as long again. */
static bool was_locked_out(const struct pg_engine *m)
{
    return m->session.pg && strcmp(pg_sqlstate(m->session.pg), "55P03") == 0;
}

/* True: once more. */
static bool batch_again(struct pg_batch *b, enum pg_verdict verdict, int attempt, struct err *e)
{
    struct pg_engine *m = b->m;

    switch (verdict) {
    case PG_CONFLICT:
        if (attempt >= LIMIT_PG_RETRIES) {
            *e = FAIL(ERR_BUSY, "other transactions in PostgreSQL were in the way each time");
            return false;
        }
        atomic_fetch_add(&m->retried, 1);
        METRIC_ADD(postgresql_batches_retried, 1);
        pause_jitter(m, attempt);
        return true;
    case PG_LOST:
        connection_count(m);
        pg_session_close(m);
        if (attempt >= LIMIT_PG_RETRIES || pg_session_open(m).code) return false;
        return true;
    case PG_COMMITTED:
    case PG_IN_DOUBT:
    case PG_FAILED: return false;
    }
    return false;
}

static void batch_run(struct pg_engine *m)
{
    struct pg_batch b = { .m = m };
    enum pg_verdict verdict;
    struct err e = OK;

    works_take(m, &b.works);
    for (int attempt = 0;; attempt++) {
        verdict = pg_batch_try(&b, &e);
        if (!batch_again(&b, verdict, attempt, &e)) break;
    }
    if (verdict == PG_IN_DOUBT) {
        connection_count(m);
        e = doubt_resolve(&b);
        if (!e.code) verdict = PG_COMMITTED;
        if (!m->session.pg) session_lost(m, e);
    } else if (verdict == PG_LOST) {
        session_lost(m, e);
    }
    if (verdict == PG_COMMITTED) {
        batch_publish(&b);
    } else if (verdict == PG_FAILED && e.code == ERR_CLOSED) {
        pg_session_close(m);
        state_set(m, PG_REFUSED, e);
        batch_fail(&b, FAIL(ERR_UNAVAILABLE, e.why));
    } else if (verdict == PG_FAILED && b.works.count > 1 && !was_locked_out(m)) {
        m->alone = b.works.count;
        works_put_back(m, &b.works);
    } else {
        batch_fail(&b, e);
    }
}

/* ---- the thread ---- */

enum wakeup { WAKE_BATCH, WAKE_LOOK, WAKE_END };

static enum wakeup wait_for_work(struct pg_engine *m)
{
    const uint64_t deadline = clock_mono_ms() + LOOK_MS;
    enum wakeup wakeup = WAKE_BATCH;

    mutex_lock(&m->queue_lock);
    while (!m->taken.count && !m->foreground.count && !m->background.count) {
        if (m->is_closing) wakeup = WAKE_END;
        if (wakeup != WAKE_BATCH) break;
        m->is_writer_waiting = true;
        if (!cond_wait_until(&m->has_work, &m->queue_lock, deadline)) wakeup = WAKE_LOOK;
        m->is_writer_waiting = false;
    }
    mutex_unlock(&m->queue_lock);
    return wakeup;
}

/* Is the session there? So that readiness tells the truth when nothing is written. */
static struct err session_look(struct pg_engine *m)
{
    if (m->is_shared) return pg_shared_beat(m);
    return pg_run(m->session.pg, &(struct pg_query){ .number = PG_S_LOOK, .sql = "select 1" }, 1, NULL);
}

/* Who leads clears away behind the others too, of whose drops it is not told. */
static bool is_sweep_due(const struct pg_engine *m)
{
    return m->is_shared ? atomic_load(&m->is_leader) : m->is_sweep_due;
}

static void look(struct pg_engine *m)
{
    struct err e = session_look(m);

    if (e.code) {
        connection_count(m);
        session_lost(m, e);
        return;
    }
    if (is_sweep_due(m)) e = pg_sweep(m, &m->is_sweep_due);
    if (!e.code) return;
    if (pg_is_lost(m->session.pg)) session_lost(m, e);
    else LOG_WARN("dropped bodies were not cleared away, it is tried again", ERRF(e));
}

/* Nothing can be run: everybody who waits is told why. */
static void refuse_all(struct pg_engine *m)
{
    struct work_list works = { 0 };
    char why[PG_WHY_SIZE];

    mutex_lock(&m->queue_lock);
    take_locked(m);
    memcpy(why, m->why, sizeof(why));
    mutex_unlock(&m->queue_lock);
    for (struct meta_work *w; (w = work_pop(&m->taken));) work_push(&works, w);
    m->alone = 0;
    answer(&works, FAIL(ERR_UNAVAILABLE, why));
}

static bool has_waiting(struct pg_engine *m, bool *ret_is_closing, bool *ret_is_refused)
{
    mutex_lock(&m->queue_lock);
    const bool has = m->taken.count || m->foreground.count || m->background.count;
    *ret_is_closing = m->is_closing;
    *ret_is_refused = m->state == PG_REFUSED;
    mutex_unlock(&m->queue_lock);
    return has;
}

/* Without a session: refuse, try, wait. False: the end. */
static bool be_without_session(struct pg_engine *m, uint64_t *backoff_ms)
{
    bool is_closing, is_refused;

    while (has_waiting(m, &is_closing, &is_refused)) refuse_all(m);
    if (is_closing) return false;
    if (!is_refused) session_try(m);
    if (m->session.pg) {
        *backoff_ms = BACKOFF_FIRST_MS;
        return true;
    }
    pause_until(m, clock_mono_ms() + *backoff_ms);
    *backoff_ms = *backoff_ms * 2 < BACKOFF_MAX_MS ? *backoff_ms * 2 : BACKOFF_MAX_MS;
    return true;
}

void pg_writer_main(void *engine)
{
    struct pg_engine *m = engine;
    uint64_t backoff_ms = BACKOFF_FIRST_MS, looked_ms = clock_mono_ms();

    for (;;) {
        if (!m->session.pg) {
            if (!be_without_session(m, &backoff_ms)) return;
            continue;
        }
        const enum wakeup wakeup = wait_for_work(m);
        if (wakeup == WAKE_END) return;
        if (wakeup == WAKE_BATCH) batch_run(m);
        if (m->session.pg && clock_mono_ms() >= looked_ms + LOOK_MS) {
            look(m);
            looked_ms = clock_mono_ms();
        }
    }
}
