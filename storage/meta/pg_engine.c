/*
 * pg_engine.c - opening and closing the PostgreSQL engine, and what it tells of itself.
 *
 * Opening starts the writer's thread and waits for its first attempt. If that finds out that this server must not serve (another one holds the lease, the schema is of a later version, the connection
 * string is none), opening fails. If PostgreSQL is not there, opening is OK all the same: the writer goes on trying, reads and writes fail with ERR_UNAVAILABLE, and status says why.
 *
 * There is no checkpoint: what is committed is where it stays, so all that is published is checkpointed.
 */
#include "storage/meta/pg_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/ids.h"

#define SCHEMA_DEFAULT "firn"
#define SCHEMA_MAX 48 /* PostgreSQL's names have 63 bytes */

static const struct meta_ops pg_ops;

/* A plain word: it goes into statements as it is. */
static bool is_schema_name(const char *name)
{
    const size_t len = strlen(name);

    if (!len || len > SCHEMA_MAX || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
        return false;
    return (name[0] < '0' || name[0] > '9') && strncmp(name, "pg_", 3) != 0;
}

static struct err first_attempt(struct pg_engine *m)
{
    char why[PG_WHY_SIZE];
    struct err e = OK;

    mutex_lock(&m->queue_lock);
    while (!m->attempts && m->state == PG_CONNECTING) cond_wait(&m->has_state, &m->queue_lock);
    if (m->state == PG_REFUSED || (m->state == PG_CONNECTING && m->refusal.code == ERR_BUSY))
        e = err_keep(m->refusal, why, sizeof(why));
    mutex_unlock(&m->queue_lock);
    return e.code ? err_fail(e.code, "%s", why) : OK;
}

static struct err open_all(struct pg_engine *m, const struct meta_options *options)
{
    const char *schema = options->schema && options->schema[0] ? options->schema : SCHEMA_DEFAULT;

    if (!is_schema_name(schema))
        return err_fail(ERR_INVALID,
                        "'%s' is no name for a schema: up to %d of a-z, 0-9 and _, no digit first, not pg_",
                        schema, SCHEMA_MAX);
    m->number_after = options->number_after;
    m->is_offline = options->is_offline;
    m->is_shared = options->is_shared;
    m->read_ms = options->read_timeout_ms ? options->read_timeout_ms : LIMIT_PG_READ_MS;
    m->store = strdup(options->store);
    m->schema = strdup(schema);
    if (!m->store || !m->schema) return FAIL(ERR_NO_MEMORY, "no memory to open the store");
    ids_hex(m->session.holder, PG_HOLDER_DIGITS);
    TRY(pg_batch_init(m));
    TRY(thread_start("pg-writer", pg_writer_main, m, &m->writer));
    m->has_writer = true;
    return first_attempt(m);
}

static void close_all(struct pg_engine *m)
{
    mutex_lock(&m->queue_lock);
    m->is_closing = true;
    cond_broadcast(&m->has_work);
    mutex_unlock(&m->queue_lock);
    if (m->has_writer) thread_join(m->writer);
    if (m->is_shared) pg_shared_leave(m);
    pg_session_close(m);
    pg_batch_done(m);
    pg_views_free(m);
    pg_pins_free(m);
    cond_done(&m->has_work);
    cond_done(&m->has_state);
    cond_done(&m->has_idle);
    mutex_done(&m->queue_lock);
    mutex_done(&m->views_lock);
    free(m->store);
    free(m->schema);
    free(m);
}

static struct meta *pg_close(struct meta *m)
{
    close_all(pg_engine_of(m));
    return NULL;
}

struct err pg_open(const struct meta_options *options, struct meta **ret)
{
    char why[PG_WHY_SIZE];
    struct pg_engine *m = calloc(1, sizeof(*m));
    if (!m) return FAIL(ERR_NO_MEMORY, "no memory to open the store");

    m->meta.ops = &pg_ops;
    mutex_init(&m->queue_lock, LOCK_META_QUEUE);
    mutex_init(&m->views_lock, LOCK_META_VIEWS);
    cond_init(&m->has_work);
    cond_init(&m->has_state);
    cond_init(&m->has_idle);
    const struct err e = open_all(m, options);
    if (e.code) {
        const struct err kept = err_keep(e, why, sizeof(why));
        close_all(m);
        return err_fail(kept.code, "%s", why);
    }
    *ret = &m->meta;
    return OK;
}

/* ---- state ---- */

static struct meta_positions pg_positions(struct meta *meta)
{
    struct pg_engine *m = pg_engine_of(meta);
    /* In this order: viewed_by_all is the one that must not be ahead. */
    struct meta_positions p = { .viewed_by_all = pg_viewed_by_all(m) };

    p.published = p.checkpointed = atomic_load(&m->published);
    return p;
}

static struct err pg_checkpoint(struct meta *m)
{
    (void)m;
    return OK;
}

static void pg_status(struct meta *meta, struct meta_status *ret)
{
    struct pg_engine *m = pg_engine_of(meta);
    struct meta_status s = { .engine = "postgresql" };

    s.is_open = atomic_load(&m->is_open);
    mutex_lock(&m->queue_lock);
    s.is_writable = m->state == PG_SERVING;
    s.is_stopped = m->state == PG_REFUSED;
    (void)snprintf(s.why_not, sizeof(s.why_not), "%s", s.is_writable ? "" : m->why);
    s.servers = m->is_shared ? m->servers : 1;
    (void)snprintf(s.leader, sizeof(s.leader), "%s", m->leader);
    mutex_unlock(&m->queue_lock);
    mutex_lock(&m->views_lock);
    s.readers = (uint32_t)m->readers;
    s.readers_idle = (uint32_t)m->idle_count;
    s.readers_waiting = (uint32_t)m->waiting;
    mutex_unlock(&m->views_lock);
    s.is_shared = m->is_shared;
    s.is_leader = !m->is_shared || atomic_load(&m->is_leader);
    s.transactions = atomic_load(&m->transactions);
    s.batches = atomic_load(&m->batches);
    s.batches_retried = atomic_load(&m->retried);
    s.connections_lost = atomic_load(&m->lost);
    *ret = s;
}

static const struct meta_ops pg_ops = {
    .close = pg_close,
    .submit = pg_submit,
    .view_open = pg_view_open,
    .read_body = pg_read_body,
    .pin = pg_pin,
    .unpin = pg_unpin,
    .positions = pg_positions,
    .checkpoint = pg_checkpoint,
    .status = pg_status,
};
