/*
 * pg_session.c - the writer's session: one server at a time (or those that share), and what became of a commit.
 *
 * The lease is an advisory lock of the session, named by the schema; the row in `lease` says for people who holds it, and has the number of the last
 * batch. A lock of a lost session goes when its backend has ended, and so has its transaction then. So a new session first ends the backend of the lost one
 * (by process id and start, which together are never another's), then waits for the lock.
 *
 * A commit in doubt, once the lock is ours:
 *   the row of the mark has its batch number                        it was committed: only it writes that number there
 *   it has not, pg_xact_status says "aborted" or knows no such xid  it was not: its transaction is over, and it did not do its part
 *   anything else, or another timeline than before                  not known. A standby that took over may have lost what was committed; an xid that the
 *                                                                   crash of a server took back may be another's now
 * That the number is not there is no proof alone, nor is the status. The mark is in the lease's row or, of servers that share, in the own row of each (pg_shared.c): there the lease's goes on. They take the
 * lease's lock shared, and one of their own, for which a session waits until the one before it has ended.
 *
 * When the lease was another's in between, what this process has in memory (volumes, pins, identities) is of an older time: it must not write any more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/log.h"
#include "storage/meta/pg_engine.h"

#define PAUSE_MS 100
#define STATUS_TRIES 20

#define LOCK_KEY "hashtextextended('firn lease ' || $1::text, 0)"

static void copy(char *out, size_t size, struct str s)
{
    (void)snprintf(out, size, "%.*s", STR_ARG(s));
}

/* ---- the lock ---- */

/* End the process of the session that we lost, if it is still there. */
static struct err end_old_backend(struct pg_engine *m, struct pg *pg)
{
    const struct str backend = str_from_z(m->session.backend);
    struct pg_answer *a;

    if (!backend.len) return OK;
    TRY(pg_ask(
        pg,
        "select pg_terminate_backend(pid) from pg_stat_activity where pid || ' ' || backend_start = $1::text",
        &backend, 1, &a));
    pg_answer_free(a);
    return OK;
}

/* Who has it, in words. The rows may not be there yet. */
static struct err lease_is_taken(struct pg_engine *m, struct pg *pg)
{
    static const char sql[] =
        "select case when holder = '" PG_SHARED_HOLDER
        "' then 'servers that share the store in PostgreSQL hold it: ' || "
        "coalesce((select string_agg('host ' || host || ', process ' || pid, '; ') from server "
        "where beat > now() - interval '1 min'), 'unknown ones') || '. This one is to have it alone' "
        "else 'another server holds the store in PostgreSQL: host ' || host || ', process ' || pid || ', since ' || "
        "date_trunc('second', since) || case when $1::text = 't' then '. It does not share it' else '' end end "
        "|| ' (setting store-shared)' from lease";
    const struct str shares = m->is_shared ? STR("t") : STR("f");
    struct pg_answer *a;
    const struct err e = pg_ask(pg, sql, &shares, 1, &a);

    if (e.code) return FAIL(ERR_BUSY, "another server holds the store in PostgreSQL");
    const struct err taken = pg_answer_rows(a)
        ? err_fail(ERR_BUSY, "%.*s", STR_ARG(pg_answer_str(a, 0, 0)))
        : FAIL(ERR_BUSY, "another server holds the store in PostgreSQL");
    pg_answer_free(a);
    return taken;
}

/* The lock of our own lost session goes with the transaction that it may still be in: waiting for it is knowing that this is over. */
static struct err own_lock_take(struct pg_engine *m, struct pg *pg)
{
    const struct str holder = str_from_z(m->session.holder);
    struct pg_answer *a;

    TRY(pg_ask(pg, "select pg_advisory_lock(hashtextextended('firn server ' || $1::text, 0))", &holder, 1,
               &a));
    pg_answer_free(a);
    return OK;
}

/* Waits for as long as lock_timeout: a server that was killed lets go within that time. */
static struct err lock_take(struct pg_engine *m, struct pg *pg)
{
    const struct str schema = str_from_z(m->schema);
    struct pg_answer *a;

    TRY(end_old_backend(m, pg));
    if (m->is_shared) TRY(own_lock_take(m, pg));
    const struct err e = pg_ask(pg,
                                m->is_shared ? "select pg_advisory_lock_shared(" LOCK_KEY ")"
                                             : "select pg_advisory_lock(" LOCK_KEY ")",
                                &schema, 1, &a);
    if (e.code) return strcmp(pg_sqlstate(pg), "55P03") == 0 ? lease_is_taken(m, pg) : e;
    pg_answer_free(a);
    return OK;
}

/* ---- the row ---- */

void pg_who(struct pg_who *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (gethostname(ret->host, sizeof(ret->host) - 1)) ret->host[0] = 0;
    (void)snprintf(ret->pid, sizeof(ret->pid), "%ld", (long)getpid());
}

static struct err lease_row_take(struct pg_engine *m, struct pg *pg)
{
    struct pg_who who;
    char batch[24];
    struct pg_answer *a;

    pg_who(&who);
    (void)snprintf(batch, sizeof(batch), "%" PRIu64, m->number_after / PG_NUMBERS_OF_BATCH);
    const struct str params[] = { str_from_z(m->session.holder), str_from_z(who.host), str_from_z(who.pid),
                                  m->session.was_held ? STR("f") : STR("t"), str_from_z(batch) };
    TRY(pg_ask(
        pg,
        "update lease set holder = $1::text, host = $2::text, pid = $3::text::bigint, since = now(), "
        "batch = greatest(batch, $5::text::bigint) where holder = $1::text or $4::text = 't' returning batch",
        params, 5, &a));
    const bool is_ours = pg_answer_rows(a) == 1;
    if (is_ours) m->session.batch = m->session.newest = get_be64(pg_answer_str(a, 0, 0).data);
    pg_answer_free(a);
    if (!is_ours)
        return FAIL(
            ERR_CLOSED,
            "another server held the store in PostgreSQL meanwhile: this one has to be started again");
    m->session.was_held = true;
    return OK;
}

static struct err backend_learn(struct pg_engine *m, struct pg *pg)
{
    struct pg_answer *a;

    TRY(pg_ask(pg,
               "select pid || ' ' || backend_start, left(pg_walfile_name(pg_current_wal_lsn()), 8) "
               "from pg_stat_activity where pid = pg_backend_pid()",
               NULL, 0, &a));
    if (pg_answer_rows(a)) {
        copy(m->session.backend, sizeof(m->session.backend), pg_answer_str(a, 0, 0));
        copy(m->session.timeline, sizeof(m->session.timeline), pg_answer_str(a, 0, 1));
    }
    pg_answer_free(a);
    return OK;
}

/* ---- doubt ---- */

/* "aborted", "committed", "in progress"; "" when it is too old to be known, "future" when there is no such xid. */
static struct err xact_status(struct pg *pg, const char *xid, char out[16])
{
    const struct str param = str_from_z(xid);
    struct pg_answer *a;
    const struct err e = pg_ask(pg, "select pg_xact_status($1::text::xid8)", &param, 1, &a);

    if (e.code && strcmp(pg_sqlstate(pg), "22023") == 0) {
        (void)snprintf(out, 16, "future");
        return OK;
    }
    TRY(e);
    copy(out, 16, pg_answer_rows(a) ? pg_answer_str(a, 0, 0) : STR_NONE);
    pg_answer_free(a);
    return OK;
}

static void pause_for(struct pg_engine *m, uint64_t ms)
{
    const uint64_t deadline = clock_mono_ms() + ms;

    mutex_lock(&m->queue_lock);
    while (cond_wait_until(&m->has_work, &m->queue_lock, deadline)) continue;
    mutex_unlock(&m->queue_lock);
}

static struct err doubt_settle(struct pg_engine *m, struct pg *pg)
{
    struct pg_doubt *d = &m->doubt;
    char status[16] = "";

    if (!d->is_open) return OK;
    d->verdict = ERR_OUTCOME_UNKNOWN;
    if (m->session.batch == d->batch) {
        d->verdict = ERR_OK;
    } else if (strcmp(d->timeline, m->session.timeline) == 0) {
        for (int i = 0; i < STATUS_TRIES; i++) {
            TRY(xact_status(pg, d->xid, status));
            if (strcmp(status, "in progress") != 0) break;
            pause_for(m, PAUSE_MS);
        }
        if (strcmp(status, "aborted") == 0 || strcmp(status, "future") == 0) d->verdict = ERR_UNAVAILABLE;
    }
    d->is_open = false;
    LOG_WARN("a commit whose connection was lost was looked into", STRF("xid", d->xid),
             STRF("status", status),
             STRF("outcome",
                  d->verdict == ERR_OK                ? "committed"
                      : d->verdict == ERR_UNAVAILABLE ? "not committed"
                                                      : "unknown"));
    if (d->verdict == ERR_OK) atomic_store(&m->published, d->number);
    return OK;
}

/* ---- opening ---- */

static struct err take_all(struct pg_engine *m, struct pg *pg)
{
    TRY(lock_take(m, pg));
    if (!m->session.was_held) TRY(pg_migrate(pg, m->schema, m->is_offline));
    TRY(m->is_shared ? pg_shared_enter(m, pg) : lease_row_take(m, pg));
    TRY(backend_learn(m, pg));
    return doubt_settle(m, pg);
}

struct err pg_session_open(struct pg_engine *m)
{
    struct pg *pg;

    TRY(pg_connect(m->store, m->schema, &pg));
    struct err e = take_all(m, pg);
    if (e.code) {
        pg_disconnect(pg);
        return e;
    }
    m->session.pg = pg;
    if (m->is_shared) e = pg_shared_beat(m);
    if (e.code) pg_session_close(m);
    return e;
}

void pg_session_close(struct pg_engine *m)
{
    m->session.pg = pg_disconnect(m->session.pg);
    atomic_store(&m->is_leader, false); /* the lock went with the session */
}

struct err pg_session_resolve(struct pg_engine *m)
{
    const uint64_t deadline = clock_mono_ms() + LIMIT_PG_RESOLVE_MS;

    for (;;) {
        const struct err e = pg_session_open(m);
        if (!m->doubt.is_open) break;
        if (e.code == ERR_CLOSED || clock_mono_ms() >= deadline)
            return err_fail(
                ERR_OUTCOME_UNKNOWN,
                "the connection to PostgreSQL was lost while it committed, and what became of it is not known: %s",
                e.why);
        pause_for(m, PAUSE_MS);
    }
    switch (m->doubt.verdict) {
    case ERR_OK: return OK;
    case ERR_UNAVAILABLE:
        return FAIL(ERR_UNAVAILABLE, "the connection to PostgreSQL was lost; nothing was written");
    default:
        return FAIL(
            ERR_OUTCOME_UNKNOWN,
            "the connection to PostgreSQL was lost while it committed, and it cannot say what became of it");
    }
}
