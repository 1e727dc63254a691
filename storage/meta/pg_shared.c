/*
 * pg_shared.c - several servers on one database: what each says of itself, and which of them does what one alone is to do.
 *
 * Order. Every batch of every server takes the lock on the lease's row with its first statement (pg_batch.c) and holds it until it has committed: so batches are one after the other, whoever's they are.
 * They are READ COMMITTED: each of their statements sees all that was committed before it, and nobody commits between the first and the last. That is as serialisable as one writer, and nobody has to give
 * way; under SERIALIZABLE the snapshot is taken before the lock, so two busy servers would throw away nearly each other batch (docs/decisions/0016-several-servers.md). Views are REPEATABLE READ in either case.
 *
 * A server that stops within a batch holds the others up until PostgreSQL ends its idle session (LIMIT_PG_IDLE_MS); it finds its connection lost then, and what became of its commit, as ever.
 *
 * The row in `server`, one for each:
 *   batch   the number of its last batch, written in that batch's transaction: the witness of a commit in doubt
 *   seen    every view of it, open now or later, sees all transactions up to this number; and every body that it has pinned was there at it
 *   beat    when it last said so: each second
 *   leads   whether it has the advisory lock of the leader, which its session loses with its life
 * A body may be swept when it was dropped at or below the lowest `seen`. A row whose beat is LIMIT_PG_SERVER_S old counts no more: PostgreSQL has ended whatever view its server had, since a session may not
 * be idle in a transaction for longer. A server that comes later sees all that was committed before it came.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/log.h"
#include "storage/meta/pg_engine.h"

#define PARAMS(...)                                                                                          \
    (const struct str[]){ __VA_ARGS__ }, sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str)

static struct str seen_here(struct pg_engine *m, uint8_t out[8])
{
    put_be64(out, pg_pinned_since(m, pg_viewed_here(m)));
    return str_of(out, 8);
}

/* ---- coming and going ---- */

/* meta_options.number_after. */
static struct err numbers_begin(struct pg_engine *m, struct pg *pg)
{
    struct pg_answer *a;
    char batch[24];

    if (!m->number_after) return OK;
    (void)snprintf(batch, sizeof(batch), "%" PRIu64, m->number_after / PG_NUMBERS_OF_BATCH);
    TRY(pg_ask(pg, "update lease set batch = greatest(batch, $1::text::bigint)", PARAMS(str_from_z(batch)),
               &a));
    pg_answer_free(a);
    return OK;
}

/* The lease is everybody's who shares. */
static struct err lease_share(struct pg_engine *m, struct pg *pg)
{
    struct pg_answer *a;

    if (!m->session.was_held)
        TRY(pg_command(pg,
                       "update lease set holder = '" PG_SHARED_HOLDER "', host = '', pid = 0, since = now() "
                       "where holder <> '" PG_SHARED_HOLDER "'"));
    TRY(numbers_begin(m, pg));
    TRY(pg_ask(pg, "select batch from lease where holder = '" PG_SHARED_HOLDER "'", NULL, 0, &a));
    const bool is_shared = pg_answer_rows(a) == 1;
    if (is_shared) m->session.newest = get_be64(pg_answer_str(a, 0, 0).data);
    pg_answer_free(a);
    if (!is_shared)
        return FAIL(
            ERR_CLOSED,
            "a server held the store in PostgreSQL alone meanwhile: this one has to be started again");
    m->session.was_held = true;
    return OK;
}

static struct err row_make(struct pg_engine *m, struct pg *pg)
{
    struct pg_who who;
    struct pg_answer *a;
    uint8_t seen[8];

    pg_who(&who);
    TRY(pg_command(pg, "delete from server where beat < now() - interval '1 day'"));
    TRY(pg_ask(
        pg,
        "insert into server (holder, host, pid, since, beat, seen, leads, batch) "
        "values ($1::text, $2::text, $3::text::bigint, now(), now(), $4::bigint, false, 0) "
        "on conflict (holder) do update set since = now(), beat = now(), leads = false returning batch",
        PARAMS(str_from_z(m->session.holder), str_from_z(who.host), str_from_z(who.pid), seen_here(m, seen)),
        &a));
    m->session.batch = get_be64(pg_answer_str(a, 0, 0).data);
    pg_answer_free(a);
    return OK;
}

/* A stop within a batch holds up all; waiting for a batch of another's is not a failure. */
static struct err timeouts_set(struct pg *pg)
{
    char sql[160];

    (void)snprintf(
        sql, sizeof(sql),
        "select set_config('idle_in_transaction_session_timeout', '%d', false), set_config('lock_timeout', '%d', false)",
        LIMIT_PG_IDLE_MS, LIMIT_PG_LOCK_MS);
    return pg_command(pg, sql);
}

struct err pg_shared_enter(struct pg_engine *m, struct pg *pg)
{
    TRY(lease_share(m, pg));
    TRY(row_make(m, pg));
    atomic_store(&m->beat_ms, clock_mono_ms());
    return timeouts_set(pg);
}

void pg_shared_leave(struct pg_engine *m)
{
    struct pg_answer *a;

    if (!m->session.pg) return;
    const struct err e = pg_ask(m->session.pg, "delete from server where holder = $1::text",
                                PARAMS(str_from_z(m->session.holder)), &a);
    if (!e.code) pg_answer_free(a);
}

/* ---- the heartbeat ---- */

static void others_learn(struct pg_engine *m, uint64_t servers, struct str leader)
{
    mutex_lock(&m->queue_lock);
    m->servers = (uint32_t)servers;
    (void)snprintf(m->leader, sizeof(m->leader), "%.*s", STR_ARG(leader));
    mutex_unlock(&m->queue_lock);
}

static void lead(struct pg_engine *m, bool leads)
{
    if (atomic_exchange(&m->is_leader, leads) == leads) return;
    if (leads) LOG_INFO("this server leads: it does the background work of all that share the store");
}

/* Columns of the answer to a heartbeat. */
enum { B_BATCH, B_SEEN, B_SERVERS, B_LEADER, B_LEADS, B_IS_THERE };

static struct err beat_take(struct pg_engine *m, const struct pg_answer *a, uint64_t seen_here_now)
{
    const uint64_t newest = get_be64(pg_answer_str(a, 0, B_BATCH).data) * PG_NUMBERS_OF_BATCH
        + PG_NUMBERS_OF_BATCH - 1;
    const uint64_t others = get_be64(pg_answer_str(a, 0, B_SEEN).data);

    if (!pg_answer_str(a, 0, B_IS_THERE).data[0])
        return FAIL(ERR_UNAVAILABLE, "PostgreSQL: this server's row is gone");
    if (newest > atomic_load(&m->published)) atomic_store(&m->published, newest);
    atomic_store(&m->seen_by_all, others < seen_here_now ? others : seen_here_now);
    others_learn(m, get_be64(pg_answer_str(a, 0, B_SERVERS).data), pg_answer_str(a, 0, B_LEADER));
    lead(m, pg_answer_str(a, 0, B_LEADS).data[0] != 0);
    return OK;
}

struct err pg_shared_beat(struct pg_engine *m)
{
    static const char sql[] =
        "with me as (update server set beat = now(), seen = $2::bigint, leads = $3::text = 't' "
        "where holder = $1::text returning holder) "
        "select (select batch from lease), "
        "(select coalesce(min(seen), 9223372036854775807) from server "
        "where holder <> $1::text and beat > now() - $5::bigint * interval '1 s'), "
        "(select count(*) from server where holder = $1::text or beat > now() - interval '5 s'), "
        "(select coalesce(min('host ' || host || ', process ' || pid), '') from server "
        "where case when holder = $1::text then $3::text = 't' else leads and beat > now() - interval '5 s' end), "
        "$3::text = 't' or pg_try_advisory_lock(hashtextextended('firn leader ' || $4::text, 0)), "
        "exists (select from me)";
    const uint64_t now = clock_mono_ms();
    uint8_t seen[8], age[8];
    struct pg_answer *a;

    put_be64(age, LIMIT_PG_SERVER_S);
    const struct str params[] = { str_from_z(m->session.holder), seen_here(m, seen),
                                  atomic_load(&m->is_leader) ? STR("t") : STR("f"), str_from_z(m->schema),
                                  str_of(age, sizeof(age)) };
    TRY(pg_run(m->session.pg,
               &(struct pg_query){ .number = PG_S_BEAT, .sql = sql, .params = params, .count = 5 }, 1, &a));
    const struct err e = beat_take(m, a, get_be64(seen));
    pg_answer_free(a);
    if (!e.code) atomic_store(&m->beat_ms, now);
    return e;
}
