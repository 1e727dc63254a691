/*
 * pg.c - libpq behind pg.h.
 *
 * Pipeline mode in libpq wants three things: the socket is not blocking, or a large pipeline would stop both sides (each waiting for the other to read); the result of
 * every statement is followed by a NULL, but that of a sync is not; and after a failure the server skips all up to the sync, so a COMMIT behind
 * it is not done.
 *
 * A FATAL or PANIC message is the server saying goodbye: the connection is lost then, though its socket may still be open. Whoever was committing does not know.
 */
#include "storage/meta/pg.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"

struct pg {
    PGconn *conn;
    bool is_lost;
    uint64_t answer_ms;
    char sqlstate[6];
    unsigned posted; /* statements whose outcomes nobody waits for, each with its sync */
    uint8_t prepared[PG_STATEMENTS / 8];
};

/* ---- failures ---- */

static const struct {
    const char *state; /* or its class, the first two */
    enum err_code code;
} states[] = {
    { "40001", ERR_CONFLICT },    /* serialization_failure */
    { "40P01", ERR_CONFLICT },    /* deadlock_detected */
    { "25006", ERR_UNAVAILABLE }, /* read_only_sql_transaction: a standby */
    { "53100", ERR_NO_SPACE },    { "53200", ERR_NO_MEMORY }, { "53", ERR_BUSY },
    { "55P03", ERR_BUSY }, /* lock_not_available */
    { "57014", ERR_BUSY }, /* query_canceled: statement_timeout */
    { "57", ERR_UNAVAILABLE },    { "08", ERR_UNAVAILABLE },  { "22", ERR_INVALID },
    { "XX001", ERR_CORRUPT },     { "XX002", ERR_CORRUPT },
};

static enum err_code code_of(const char *state)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strncmp(state, states[i].state, strlen(states[i].state)) == 0) return states[i].code;
    }
    return ERR_IO;
}

/* A text of libpq without the line ends that it has. */
static struct err failure(enum err_code code, const char *what, const char *text)
{
    char line[400];
    size_t len = 0;

    for (const char *p = text ? text : ""; *p && len + 1 < sizeof(line); p++) {
        const char c = *p == '\n' || *p == '\t' ? ' ' : *p;
        if (c != ' ' || (len && line[len - 1] != ' ')) line[len++] = c;
    }
    while (len && line[len - 1] == ' ') len--;
    return err_fail(code, "PostgreSQL: %s%.*s", what, (int)len, line);
}

static struct err lost(struct pg *pg, const char *what)
{
    pg->is_lost = true;
    return failure(ERR_UNAVAILABLE, what, PQerrorMessage(pg->conn));
}

static struct err refused(struct pg *pg, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    if (!state || PQstatus(pg->conn) == CONNECTION_BAD) return lost(pg, "");
    (void)snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", state);
    pg->is_lost = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    return failure(pg->is_lost ? ERR_UNAVAILABLE : code_of(state), "", text);
}

void pg_answer_within(struct pg *pg, uint64_t ms)
{
    pg->answer_ms = ms;
}

bool pg_is_lost(const struct pg *pg)
{
    return pg->is_lost;
}

bool pg_must_retry(const struct pg *pg)
{
    return !pg->is_lost && code_of(pg->sqlstate) == ERR_CONFLICT;
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

/* ---- waiting ---- */

static struct err wait_for(struct pg *pg, short events, uint64_t deadline)
{
    struct pollfd p = { .fd = PQsocket(pg->conn), .events = events };

    for (;;) {
        const uint64_t now = clock_mono_ms();
        const int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return lost(pg, "no answer in time. ");
        break;
    }
    if ((p.revents & (POLLIN | POLLERR | POLLHUP)) && !PQconsumeInput(pg->conn)) return lost(pg, "");
    return OK;
}

static struct err flush(struct pg *pg, uint64_t deadline)
{
    for (;;) {
        const int left = PQflush(pg->conn);
        if (left < 0) return lost(pg, "");
        if (!left) return OK;
        TRY(wait_for(pg, POLLIN | POLLOUT, deadline));
    }
}

static struct err result_next(struct pg *pg, uint64_t deadline, PGresult **ret)
{
    while (PQisBusy(pg->conn)) TRY(wait_for(pg, POLLIN, deadline));
    *ret = PQgetResult(pg->conn);
    return OK;
}

/* The result of one statement, and the NULL behind it. */
static struct err statement_result(struct pg *pg, uint64_t deadline, PGresult **ret)
{
    PGresult *r = NULL, *end = NULL;

    TRY(result_next(pg, deadline, &r));
    if (!r) return lost(pg, "an answer is missing. ");
    const struct err e = result_next(pg, deadline, &end);
    if (e.code || end) {
        PQclear(r);
        PQclear(end);
        return e.code ? e : lost(pg, "there is an answer too many. ");
    }
    *ret = r;
    return OK;
}

static struct err sync_result(struct pg *pg, uint64_t deadline)
{
    PGresult *r = NULL;

    TRY(result_next(pg, deadline, &r));
    const bool is_sync = r && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
    PQclear(r);
    return is_sync ? OK : lost(pg, "the end of a pipeline is missing. ");
}

static struct err drain_posted(struct pg *pg, uint64_t deadline)
{
    for (; pg->posted; pg->posted--) {
        PGresult *r;
        TRY(statement_result(pg, deadline, &r));
        PQclear(r);
        TRY(sync_result(pg, deadline));
    }
    return OK;
}

/* ---- running ---- */

static bool is_prepared(const struct pg *pg, unsigned number)
{
    return pg->prepared[number / 8] >> number % 8 & 1;
}

static void prepared_set(struct pg *pg, unsigned number, bool is)
{
    const uint8_t bit = (uint8_t)(1u << number % 8);

    if (is) pg->prepared[number / 8] |= bit;
    else pg->prepared[number / 8] &= (uint8_t)~bit;
}

enum { PARAMS_MAX = 8 };

/* Queue one statement; *ret_prepares: and its preparation before it. */
static bool send_one(struct pg *pg, const struct pg_query *q, bool *ret_prepares)
{
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    char name[16];
    const int count = (int)(q->count < PARAMS_MAX ? q->count : PARAMS_MAX);

    for (int i = 0; i < count; i++) {
        values[i] = q->params[i].data ? q->params[i].data : "";
        lengths[i] = (int)q->params[i].len;
        formats[i] = 1;
    }
    *ret_prepares = false;
    if (!q->number) return PQsendQueryParams(pg->conn, q->sql, count, NULL, values, lengths, formats, 1);
    (void)snprintf(name, sizeof(name), "s%u", q->number);
    if (!is_prepared(pg, q->number)) {
        if (!PQsendPrepare(pg->conn, name, q->sql, count, NULL)) return false;
        prepared_set(pg, q->number, true);
        *ret_prepares = true;
    }
    return PQsendQueryPrepared(pg->conn, name, count, values, lengths, formats, 1);
}

static bool is_good(const PGresult *r)
{
    const ExecStatusType status = PQresultStatus(r);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* One answer; the first failure of a run stays in *failed, those that it took along add nothing. */
static struct err receive(struct pg *pg, uint64_t deadline, struct err *failed, PGresult **ret)
{
    PGresult *r = NULL;

    TRY(statement_result(pg, deadline, &r));
    if (is_good(r)) {
        *ret = r;
        return OK;
    }
    if (!failed->code && PQresultStatus(r) != PGRES_PIPELINE_ABORTED) *failed = refused(pg, r);
    PQclear(r);
    *ret = NULL;
    return pg->is_lost ? *failed : OK;
}

struct run {
    const struct pg_query *queries;
    size_t count;
    bool prepares[PG_RUN_MAX];
    PGresult *results[PG_RUN_MAX];
    struct err failed;
};

static struct err receive_all(struct pg *pg, struct run *run, uint64_t deadline)
{
    PGresult *r;

    for (size_t i = 0; i < run->count; i++) {
        if (run->prepares[i]) {
            TRY(receive(pg, deadline, &run->failed, &r));
            if (!r) prepared_set(pg, run->queries[i].number, false);
            PQclear(r);
        }
        TRY(receive(pg, deadline, &run->failed, &run->results[i]));
    }
    return sync_result(pg, deadline);
}

/* ---- faults, for tests ---- */

static struct {
    atomic_bool is_armed, has_struck;
    _Atomic int64_t left;
    _Atomic enum pg_fault how;
} fault;

void pg_fault_arm(uint64_t nth, enum pg_fault how)
{
    fault.how = how;
    atomic_store(&fault.left, (int64_t)nth);
    atomic_store(&fault.has_struck, false);
    atomic_store(&fault.is_armed, true);
}

bool pg_fault_disarm(void)
{
    atomic_store(&fault.is_armed, false);
    return atomic_load(&fault.has_struck);
}

static bool fault_strikes(void)
{
    if (!atomic_load_explicit(&fault.is_armed, memory_order_relaxed)) return false;
    if (atomic_fetch_sub(&fault.left, 1) != 0) return false;
    atomic_store(&fault.has_struck, true);
    return true;
}

static struct err fault_lose(struct pg *pg)
{
    (void)shutdown(PQsocket(pg->conn), SHUT_RDWR);
    return lost(pg, "a test cut the connection. ");
}

static struct err exchange(struct pg *pg, struct run *run)
{
    const uint64_t deadline = clock_mono_ms() + pg->answer_ms;

    TRY(drain_posted(pg, deadline));
    for (size_t i = 0; i < run->count; i++) {
        if (!send_one(pg, &run->queries[i], &run->prepares[i])) return lost(pg, "");
    }
    if (!PQpipelineSync(pg->conn)) return lost(pg, "");
    TRY(flush(pg, deadline));
    return receive_all(pg, run, deadline);
}

struct err pg_run(struct pg *pg, const struct pg_query *queries, size_t count, struct pg_answer **ret_answers)
{
    struct run run = { .queries = queries, .count = count, .failed = OK };

    if (count > PG_RUN_MAX) return FAIL(ERR_INTERNAL, "PostgreSQL: too many statements for one round trip");
    if (pg->is_lost) return FAIL(ERR_UNAVAILABLE, "PostgreSQL: the connection was lost");
    pg->sqlstate[0] = 0;
    const bool strikes = fault_strikes();
    struct err e = strikes && fault.how == PG_FAULT_BEFORE ? fault_lose(pg) : exchange(pg, &run);
    if (strikes && !e.code) e = fault_lose(pg);
    if (!e.code) e = run.failed;
    for (size_t i = 0; i < count; i++) {
        if (!e.code && ret_answers) ret_answers[i] = (struct pg_answer *)run.results[i];
        else PQclear(run.results[i]);
    }
    return e;
}

struct err pg_ask(struct pg *pg, const char *sql, const struct str *params, size_t count,
                  struct pg_answer **ret)
{
    return pg_run(pg, &(struct pg_query){ .sql = sql, .params = params, .count = count }, 1, ret);
}

struct err pg_command(struct pg *pg, const char *sql)
{
    return pg_run(pg, &(struct pg_query){ .sql = sql }, 1, NULL);
}

void pg_post(struct pg *pg, const char *sql)
{
    bool prepares;

    if (pg->is_lost) return;
    if (!send_one(pg, &(struct pg_query){ .sql = sql }, &prepares) || !PQpipelineSync(pg->conn)
        || PQflush(pg->conn) < 0)
        pg->is_lost = true;
    else pg->posted++;
}

/* ---- connecting ---- */

/* Notices are for people at a prompt. */
static void no_notice(void *arg, const PGresult *r)
{
    (void)arg, (void)r;
}

/* What a session has: its schema, and an end to whatever may hang. A client that is gone is noticed by keepalives, so that its locks go. */
static struct err session_set(struct pg *pg, const char *schema)
{
    static const char sql[] =
        "select set_config('search_path', $1::text, false), set_config('statement_timeout', '30s', false), "
        "set_config('lock_timeout', '3s', false), set_config('idle_in_transaction_session_timeout', '60s', false), "
        "set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false), "
        "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '15000', false), "
        "set_config('synchronous_commit', case when current_setting('synchronous_commit') in ('off', 'local') then 'on' "
        "else current_setting('synchronous_commit') end, false)";
    const struct str param = str_from_z(schema);

    return pg_run(pg, &(struct pg_query){ .sql = sql, .params = &param, .count = 1 }, 1, NULL);
}

static struct err connect_to(struct pg *pg, const char *store, const char *schema)
{
    /* What stands before dbname is a default: the string may say otherwise. */
    static const char *const names[] = { "connect_timeout",      "application_name",
                                         "target_session_attrs", "keepalives_idle",
                                         "keepalives_interval",  "keepalives_count",
                                         "tcp_user_timeout",     "dbname",
                                         "client_encoding",      NULL };
    const char *const values[] = { "3", "firn", "read-write", "5", "2", "3", "15000", store, "UTF8", NULL };
    char *wrong = NULL;
    PQconninfoOption *parsed = PQconninfoParse(store, &wrong);

    if (!parsed) {
        /* libpq's text may quote the string, which may hold a password. */
        PQfreemem(wrong);
        return FAIL(ERR_INVALID,
                    "the store is no connection string of PostgreSQL (postgresql://user@host:port/database)");
    }
    PQconninfoFree(parsed);
    pg->conn = PQconnectdbParams(names, values, 1);
    if (!pg->conn) return FAIL(ERR_NO_MEMORY, "no memory for a connection");
    if (PQstatus(pg->conn) != CONNECTION_OK) return lost(pg, "");
    PQsetNoticeReceiver(pg->conn, no_notice, NULL);
    if (PQserverVersion(pg->conn) < 130000)
        return FAIL(ERR_UNSUPPORTED, "PostgreSQL has to be of version 13 or later");
    if (PQsetnonblocking(pg->conn, 1) || !PQenterPipelineMode(pg->conn)) return lost(pg, "");
    return session_set(pg, schema);
}

struct err pg_connect(const char *store, const char *schema, struct pg **ret)
{
    struct pg *pg = calloc(1, sizeof(*pg));
    if (!pg) return FAIL(ERR_NO_MEMORY, "no memory for a connection");

    pg->answer_ms = LIMIT_PG_ANSWER_MS;
    const struct err e = connect_to(pg, store, schema);
    if (e.code) {
        pg_disconnect(pg);
        return e;
    }
    *ret = pg;
    return OK;
}

struct pg *pg_disconnect(struct pg *pg)
{
    if (!pg) return NULL;
    PQfinish(pg->conn);
    free(pg);
    return NULL;
}

void pg_disconnectp(struct pg **pg)
{
    *pg = pg_disconnect(*pg);
}

/* ---- answers ---- */

static const PGresult *result_of(const struct pg_answer *a)
{
    return (const PGresult *)a;
}

size_t pg_answer_rows(const struct pg_answer *a)
{
    return (size_t)PQntuples(result_of(a));
}

struct str pg_answer_str(const struct pg_answer *a, size_t row, int column)
{
    const PGresult *r = result_of(a);
    return str_of(PQgetvalue(r, (int)row, column), (size_t)PQgetlength(r, (int)row, column));
}

bool pg_answer_is_null(const struct pg_answer *a, size_t row, int column)
{
    return PQgetisnull(result_of(a), (int)row, column);
}

bool pg_answer_is(const struct pg_answer *a, const char *tag)
{
    return strcmp(PQcmdStatus((PGresult *)a), tag) == 0;
}

struct pg_answer *pg_answer_free(struct pg_answer *a)
{
    PQclear((PGresult *)a);
    return NULL;
}
