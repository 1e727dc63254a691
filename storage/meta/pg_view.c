/*
 * pg_view.c - readers: a pool of connections, each with one view at a time.
 *
 * A view is a transaction, REPEATABLE READ and READ ONLY; its snapshot is taken when it is opened, in one round trip. Closing it waits for nothing: the end of
 * the transaction is sent, and its answer read by the next user of the connection.
 *
 * Which moments are looked at is known here, if this server is the only one, and else told to the others with each heartbeat (pg_shared.c): the list of open views is in the order of opening, and a view's
 * number is taken before its snapshot, so viewed_by_all errs to the safe side (as in view.c).
 *
 * While PostgreSQL is away, connecting is refused by the system at once, or after connect_timeout: a view then fails with ERR_UNAVAILABLE.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/meta/pg_engine.h"

#define SNAPSHOT_BEGIN "begin isolation level repeatable read, read only"

/* ---- the pool ---- */

static struct pg_view *reader_free(struct pg_view *v)
{
    pg_disconnect(v->pg);
    pg_reader_done(&v->reader);
    free(v);
    return NULL;
}

static void reader_forget(struct pg_view *v)
{
    struct pg_engine *m = v->engine;

    reader_free(v);
    mutex_lock(&m->views_lock);
    m->readers--;
    cond_signal(&m->has_idle);
    mutex_unlock(&m->views_lock);
}

static void reader_give(struct pg_view *v)
{
    struct pg_engine *m = v->engine;

    if (pg_is_lost(v->pg)) {
        reader_forget(v);
        return;
    }
    mutex_lock(&m->views_lock);
    v->newer = m->idle;
    m->idle = v;
    m->idle_count++;
    cond_signal(&m->has_idle);
    mutex_unlock(&m->views_lock);
}

/* An idle one, or room for a new one (*ret NULL). */
static struct err reader_wait(struct pg_engine *m, struct pg_view **ret)
{
    const uint64_t deadline = clock_mono_ms()
        + (m->read_ms < LIMIT_PG_READER_MS ? m->read_ms : LIMIT_PG_READER_MS);
    struct err e = OK;

    mutex_lock(&m->views_lock);
    m->waiting++;
    while (!m->idle && m->readers >= LIMIT_PG_READERS && !e.code) {
        if (!cond_wait_until(&m->has_idle, &m->views_lock, deadline))
            e = FAIL(ERR_BUSY, "too many views are open");
    }
    m->waiting--;
    *ret = e.code ? NULL : m->idle;
    if (*ret) {
        m->idle = (*ret)->newer;
        m->idle_count--;
    } else if (!e.code) {
        m->readers++;
    }
    mutex_unlock(&m->views_lock);
    return e;
}

static struct err reader_new(struct pg_engine *m, struct pg_view **ret)
{
    struct pg_view *v = calloc(1, sizeof(*v));
    if (!v) return FAIL(ERR_NO_MEMORY, "no memory for a view");

    v->engine = m;
    struct err e = pg_reader_init(&v->reader);
    if (!e.code) e = pg_connect(m->store, m->schema, &v->pg);
    if (!e.code && m->is_offline) e = pg_command(v->pg, "set idle_in_transaction_session_timeout = 0");
    if (e.code) {
        reader_free(v);
        return e;
    }
    pg_answer_within(v->pg, m->read_ms);
    *ret = v;
    return OK;
}

static struct err reader_take(struct pg_engine *m, struct pg_view **ret)
{
    struct pg_view *v;

    if (!atomic_load(&m->is_open)) return FAIL(ERR_UNAVAILABLE, "PostgreSQL was not reached yet");
    TRY(reader_wait(m, &v));
    if (v) {
        *ret = v;
        return OK;
    }
    const struct err e = reader_new(m, ret);
    if (!e.code) return OK;
    mutex_lock(&m->views_lock);
    m->readers--;
    cond_signal(&m->has_idle);
    mutex_unlock(&m->views_lock);
    return e;
}

/* ---- views ---- */

static void view_enter(struct pg_view *v)
{
    struct pg_engine *m = v->engine;

    mutex_lock(&m->views_lock);
    v->number = atomic_load(&m->published);
    v->newer = NULL;
    v->older = m->view_newest;
    if (v->older) v->older->newer = v;
    else m->view_oldest = v;
    m->view_newest = v;
    mutex_unlock(&m->views_lock);
}

static void view_leave(struct pg_view *v)
{
    struct pg_engine *m = v->engine;

    mutex_lock(&m->views_lock);
    if (v->older) v->older->newer = v->newer;
    else m->view_oldest = v->newer;
    if (v->newer) v->newer->older = v->older;
    else m->view_newest = v->older;
    mutex_unlock(&m->views_lock);
}

/* Take a reader and run these on it. Connections that were idle while PostgreSQL was restarted are all lost: each is tried, then a new one; not when it hangs, since each would wait as long. A view is in the list
 * before its snapshot is taken. */
static struct err reader_run(struct pg_engine *m, const struct pg_query *queries, size_t count,
                             struct pg_answer **answers, bool is_view, struct pg_view **ret)
{
    const uint64_t deadline = clock_mono_ms() + m->read_ms;

    for (int i = 0;; i++) {
        struct pg_view *v;
        TRY(reader_take(m, &v));
        if (is_view) view_enter(v);
        const struct err e = pg_run(v->pg, queries, count, answers);
        if (!e.code) {
            *ret = v;
            return OK;
        }
        const bool is_lost = pg_is_lost(v->pg);
        if (is_view) view_leave(v);
        reader_give(v);
        if (!is_lost || i >= LIMIT_PG_READERS || clock_mono_ms() >= deadline) return e;
    }
}

static void pg_view_close(struct rows *rows)
{
    struct pg_view *v = (struct pg_view *)(void *)rows; /* its first member */

    pg_post(v->pg, "rollback");
    view_leave(v);
    reader_give(v);
}

struct err pg_view_open(struct meta *meta, struct rows **ret)
{
    static const struct pg_query begin[] = { { .number = PG_S_SNAPSHOT, .sql = SNAPSHOT_BEGIN },
                                             { .number = PG_S_LOOK, .sql = "select 1" } };
    struct pg_engine *m = pg_engine_of(meta);
    struct pg_answer *answers[2];
    struct pg_view *v;

    TRY(reader_run(m, begin, 2, answers, true, &v));
    pg_answer_free(answers[0]);
    pg_answer_free(answers[1]);
    pg_reader_begin(&v->reader, v->pg);
    v->reader.rows.close = pg_view_close;
    *ret = &v->reader.rows;
    return OK;
}

uint64_t pg_viewed_here(struct pg_engine *m)
{
    mutex_lock(&m->views_lock);
    const uint64_t n = m->view_oldest ? m->view_oldest->number : atomic_load(&m->published);
    mutex_unlock(&m->views_lock);
    return n;
}

uint64_t pg_viewed_by_all(struct pg_engine *m)
{
    return m->is_shared ? atomic_load(&m->seen_by_all) : pg_viewed_here(m);
}

void pg_views_free(struct pg_engine *m)
{
    assert(!m->view_oldest);
    while (m->idle) {
        struct pg_view *v = m->idle;
        m->idle = v->newer;
        reader_free(v);
    }
}

/* ---- bodies ---- */

/* The other servers no longer know what is looked at here: a body may be gone that a reader still wants. */
static bool is_forgotten(struct pg_engine *m)
{
    return m->is_shared && clock_mono_ms() > atomic_load(&m->beat_ms) + LIMIT_PG_SERVER_S * 1000 / 2;
}

struct err pg_read_body(struct meta *meta, struct place p, void *out)
{
    uint8_t id[8];
    const struct str param = str_of(id, sizeof(id));
    const struct pg_query q = { .number = PG_S_READ_BODY,
                                .sql = "select bytes from small_bodies where id = $1::bigint",
                                .params = &param,
                                .count = 1 };
    struct pg_answer *a;
    struct pg_view *v;
    struct err e = OK;

    put_be64(id, p.offset);
    TRY(reader_run(pg_engine_of(meta), &q, 1, &a, false, &v));
    reader_give(v);
    if (!pg_answer_rows(a) && is_forgotten(pg_engine_of(meta))) {
        e = FAIL(ERR_UNAVAILABLE,
                 "PostgreSQL was not reached for so long that the others went on without this server");
    } else if (!pg_answer_rows(a)) {
        e = err_fail(ERR_CORRUPT, "the small body %llu is not there", (unsigned long long)p.offset);
    } else {
        const struct str bytes = pg_answer_str(a, 0, 0);
        if (bytes.len != p.length || crc32c(0, bytes.data, bytes.len) != p.crc32c)
            e = err_fail(ERR_CORRUPT, "the small body %llu is damaged", (unsigned long long)p.offset);
        else if (bytes.len) memcpy(out, bytes.data, bytes.len);
    }
    pg_answer_free(a);
    return e;
}
