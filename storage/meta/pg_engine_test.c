/*
 * pg_engine_test.c - what only the PostgreSQL engine can meet: conflicts, lost connections, another server, a server that is killed.
 */
#include "storage/meta/pg_engine.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/log.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

static struct meta *open_at(const char *store, const char *schema)
{
    struct meta *m;

    log_set_level(LOG_LEVEL_ERROR);
    CHECK_OK(meta_open(&(struct meta_options){ .store = store, .schema = schema }, &m));
    return m;
}

static void wait_writable(struct meta *m, bool is)
{
    const uint64_t deadline = clock_mono_ms() + 60000;
    struct meta_status status;

    do {
        CHECK(clock_mono_ms() < deadline);
        sched_yield();
        meta_status(m, &status);
    } while (status.is_writable != is);
}

struct row {
    enum space space;
    const char *key, *value;
};

static struct err put_fn(struct txn *txn, void *arg)
{
    const struct row *r = arg;
    return txn_put(txn, r->space, str_from_z(r->key), str_from_z(r->value));
}

static struct err put(struct meta *m, const char *key, const char *value)
{
    return meta_run(m, put_fn, &(struct row){ SPACE_OBJECTS, key, value });
}

/* "-": there is no such row. */
static const char *get(struct meta *m, const char *key)
{
    static char out[256];
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str value;

    CHECK_OK(view_open(m, &view));
    const struct err e = rows_get(view, SPACE_OBJECTS, str_from_z(key), &value);
    if (e.code == ERR_NOT_FOUND) return "-";
    CHECK_OK(e);
    snprintf(out, sizeof(out), "%.*s", STR_ARG(value));
    return out;
}

#define CHECK_ROW(m_, key_, want_) CHECK_STR(str_from_z(get(m_, key_)), str_from_z(want_))

/* ---- conflicts ---- */

/* A transaction under which somebody else changes the row that it has read, so often. */
struct rival {
    struct pg *pg;
    int times, runs;
};

static struct err rival_fn(struct txn *txn, void *arg)
{
    struct rival *r = arg;
    char sql[200], next[32];
    struct str value;

    TRY(rows_get(txn_rows(txn), SPACE_OBJECTS, STR("k"), &value));
    r->runs++; /* a run that only warms up ends before */
    if (r->runs <= r->times) {
        snprintf(sql, sizeof(sql), "update rows_objects set value = 'rival %d' where key = 'k'", r->runs);
        CHECK_OK(pg_command(r->pg, sql));
    }
    snprintf(next, sizeof(next), "%.*s, seen", STR_ARG(value));
    return txn_put(txn, SPACE_OBJECTS, STR("k"), str_from_z(next));
}

TEST(a_transaction_that_lost_against_another_runs_again_and_sees_it)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    CLEANUP(pg_disconnectp) struct pg *pg = NULL;

    CHECK_OK(put(m, "k", "first"));
    CHECK_OK(pg_connect(store, schema, &pg));
    struct rival r = { .pg = pg, .times = 2 };
    CHECK_OK(meta_run(m, rival_fn, &r));
    CHECK(r.runs > 2);
    CHECK_ROW(m, "k", "rival 2, seen");
    meta_close(m);
}

TEST(a_transaction_that_loses_each_time_is_refused_and_leaves_no_trace)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    CLEANUP(pg_disconnectp) struct pg *pg = NULL;

    CHECK_OK(put(m, "k", "first"));
    CHECK_OK(pg_connect(store, schema, &pg));
    struct rival r = { .pg = pg, .times = 1000 };
    CHECK_ERR(meta_run(m, rival_fn, &r), ERR_BUSY);
    char last[32];
    snprintf(last, sizeof(last), "rival %d", r.runs);
    CHECK_ROW(m, "k", last);
    CHECK_OK(put(m, "k", "mine"));
    CHECK_ROW(m, "k", "mine");
    meta_close(m);
}

/* ---- a batch ---- */

struct gate {
    struct meta_work work;
    atomic_bool is_in, is_open;
};

static struct err gate_fn(struct txn *txn, void *arg)
{
    struct gate *g = arg;

    atomic_store(&g->is_in, true);
    while (!atomic_load(&g->is_open)) sched_yield();
    return txn_put(txn, SPACE_OBJECTS, STR("gate"), STR("x"));
}

struct queued {
    struct meta_work work;
    struct row row;
    _Atomic int answers;
    enum err_code code;
};

static void gate_done(void *arg, struct err e)
{
    (void)arg;
    CHECK_OK(e);
}

static struct err queued_fn(struct txn *txn, void *arg)
{
    return put_fn(txn, &((struct queued *)arg)->row);
}

static void queued_done(void *arg, struct err e)
{
    struct queued *q = arg;
    q->code = e.code;
    atomic_fetch_add(&q->answers, 1);
}

/* The column is json, so PostgreSQL refuses the second: not its neighbours, which were in the same batch. */
TEST(what_postgresql_refuses_fails_alone)
{
    struct meta *m = open_at(test_postgresql(), test_schema());
    struct gate g = { .work = { .fn = gate_fn, .done = gate_done, .arg = &g } };
    struct queued q[] = { { .row = { SPACE_TABLES, "a", "{}" } },
                          { .row = { SPACE_TABLES, "b", "{ no json" } },
                          { .row = { SPACE_OBJECTS, "c", "3" } } };

    meta_submit(m, &g.work);
    while (!atomic_load(&g.is_in)) sched_yield();
    for (int i = 0; i < 3; i++) {
        q[i].work = (struct meta_work){ .fn = queued_fn, .done = queued_done, .arg = &q[i] };
        meta_submit(m, &q[i].work);
    }
    atomic_store(&g.is_open, true);
    for (int i = 0; i < 3; i++) {
        while (!atomic_load(&q[i].answers)) sched_yield();
        CHECK_U64(q[i].code, i == 1 ? ERR_INVALID : ERR_OK);
        CHECK_U64(q[i].answers, 1);
    }
    CHECK_ROW(m, "c", "3");
    meta_close(m);
}

/* ---- lost connections ---- */

/* Whichever round trip loses its connection, and whether the server had done it or not: what was acknowledged is there, and what was not is not, since the engine finds out. */
static void sweep(enum pg_fault how)
{
    struct meta *m = open_at(test_postgresql(), test_schema());
    bool has_struck = true;
    char want[32] = "-";

    for (uint64_t n = 0; has_struck && n < 1000; n++) {
        char value[32];
        snprintf(value, sizeof(value), "%llu", (unsigned long long)n);
        pg_fault_arm(n, how);
        const struct err e = put(m, "k", value);
        has_struck = pg_fault_disarm();
        if (!e.code) snprintf(want, sizeof(want), "%s", value);
        else CHECK_U64(e.code, ERR_UNAVAILABLE);
        wait_writable(m, true);
        CHECK_ROW(m, "k", want);
    }
    CHECK(!has_struck);
    CHECK(strcmp(want, "-") != 0);
    meta_close(m);
}

TEST(a_connection_lost_before_a_round_trip_loses_nothing)
{
    sweep(PG_FAULT_BEFORE);
}

TEST(a_connection_lost_after_a_round_trip_loses_nothing_and_does_nothing_twice)
{
    sweep(PG_FAULT_AFTER);
}

/* The backend ends itself in the middle of COMMIT. */
TEST(a_backend_that_dies_while_it_commits_is_found_out)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    CLEANUP(pg_disconnectp) struct pg *pg = NULL;

    CHECK_OK(put(m, "k", "1"));
    CHECK_OK(pg_connect(store, schema, &pg));
    CHECK_OK(pg_command(pg,
                        "create function die() returns trigger language plpgsql as "
                        "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$"));
    CHECK_OK(pg_command(
        pg,
        "create constraint trigger die after insert or update on rows_objects deferrable initially deferred "
        "for each row execute function die()"));
    CHECK_ERR(put(m, "k", "2"), ERR_UNAVAILABLE);
    CHECK_OK(pg_command(pg, "drop trigger die on rows_objects"));
    CHECK_ROW(m, "k", "1");
    wait_writable(m, true);
    CHECK_OK(put(m, "k", "3"));
    CHECK_ROW(m, "k", "3");
    meta_close(m);
}

static struct err ask(struct meta *m, const char *store, const char *schema, const char *sql)
{
    struct pg *pg;

    (void)m;
    TRY(pg_connect(store, schema, &pg));
    const struct err e = pg_command(pg, sql);
    pg_disconnect(pg);
    return e;
}

#define END_WRITER                                                                                           \
    "select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and "                  \
    "(l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('firn lease ' || current_schema(), 0)"

TEST(an_idle_writer_that_was_ended_comes_back)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);

    CHECK_OK(put(m, "k", "1"));
    CHECK_OK(ask(m, store, schema, END_WRITER));
    CHECK_OK(put(m, "k", "2"));
    CHECK_ROW(m, "k", "2");
    meta_close(m);
}

/* ---- one server at a time ---- */

TEST(a_second_engine_is_refused_and_told_who_is_there)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema), *second = NULL;
    char pid[32];

    const struct err e = meta_open(&(struct meta_options){ .store = store, .schema = schema }, &second);
    CHECK_U64(e.code, ERR_BUSY);
    snprintf(pid, sizeof(pid), "process %ld,", (long)getpid());
    CHECK(strstr(e.why, pid));
    CHECK_OK(put(m, "k", "1"));
    meta_close(m);
    second = open_at(store, schema);
    CHECK_ROW(second, "k", "1");
    meta_close(second);
}

TEST(a_server_does_not_write_after_another_one_had_the_store)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    struct meta_status status;

    CHECK_OK(put(m, "k", "1"));
    CHECK_OK(ask(m, store, schema, "update lease set holder = 'another', batch = batch + 7"));
    CHECK_ERR(put(m, "k", "2"), ERR_UNAVAILABLE);
    CHECK_ERR(put(m, "k", "3"), ERR_UNAVAILABLE);
    meta_status(m, &status);
    CHECK(!status.is_writable && status.is_stopped && strstr(status.why_not, "another server"));
    CHECK_ROW(m, "k", "1");
    meta_close(m);
}

TEST(nor_when_that_happened_while_it_had_no_connection)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    struct meta_status status;

    CHECK_OK(ask(m, store, schema, "update lease set holder = 'another'"));
    CHECK_OK(ask(m, store, schema, END_WRITER));
    CHECK_ERR(put(m, "k", "2"), ERR_UNAVAILABLE);
    do meta_status(m, &status);
    while (!status.is_stopped);
    CHECK_ERR(put(m, "k", "3"), ERR_UNAVAILABLE);
    CHECK_ROW(m, "k", "-");
    meta_close(m);
}

/* ---- the schema ---- */

TEST(a_schema_is_made_once_and_a_later_one_is_refused)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    char out[64], sql[200];

    CHECK_OK(put(m, "k", "1"));
    meta_close(m);
    meta_close(open_at(store, schema));
    snprintf(sql, sizeof(sql), "select string_agg(version::text, ',') from %s.firn_schema", schema);
    test_postgresql_sql(store, sql, out, sizeof(out));
    CHECK_STR(str_from_z(out), STR("1,2,3"));
    CHECK_OK(ask(NULL, store, schema, "drop table rows_freed")); /* as if the space were new */
    CHECK_OK(ask(NULL, store, schema,
                 "delete from firn_schema where version > 1")); /* and the schema the first one */
    CHECK_OK(ask(NULL, store, schema,
                 "create or replace view audit as select null::timestamptz as time, null as principal, "
                 "null as roles, null as operation, null as catalog, null as object, null as outcome, "
                 "1 as status, 1::bigint as count, null::timestamptz as last_time, null as address, "
                 "null as request_id, null::jsonb as details"));
    m = open_at(store, schema);
    CHECK_OK(meta_run(m, put_fn, &(struct row){ SPACE_FREED, "k", "1" }));
    CHECK_ROW(m, "k", "1");
    meta_close(m);
    test_postgresql_sql(store, sql, out, sizeof(out));
    CHECK_STR(str_from_z(out), STR("1,2,3"));
    snprintf(sql, sizeof(sql), "select count(*) from %s.audit", schema);
    test_postgresql_sql(store, sql, out, sizeof(out));
    CHECK_STR(str_from_z(out), STR("0"));
    CHECK_OK(ask(NULL, store, schema, "insert into firn_schema values (99)"));
    CHECK_ERR(meta_open(&(struct meta_options){ .store = store, .schema = schema }, &m), ERR_UNSUPPORTED);
}

TEST(a_verb_makes_no_schema_where_there_is_none)
{
    const char *store = test_postgresql(), *schema = test_schema();
    const struct meta_options o = { .store = store, .schema = schema, .is_offline = true };
    struct meta *m;

    CHECK_ERR(meta_open(&o, &m), ERR_NOT_FOUND);
    CHECK_ERR(meta_open(&o, &m), ERR_NOT_FOUND);
    meta_close(open_at(store, schema));
    CHECK_OK(meta_open(&o, &m));
    meta_close(m);
}

TEST(strings_that_are_none_are_refused_without_being_told)
{
    struct meta *m;

    const struct err e = meta_open(&(struct meta_options){ .store = "postgresql://u:secret@[::1/d" }, &m);
    CHECK_U64(e.code, ERR_INVALID);
    CHECK(!strstr(e.why, "secret"));
    CHECK_ERR(meta_open(&(struct meta_options){ .store = test_postgresql(), .schema = "a\"; drop" }, &m),
              ERR_INVALID);
    CHECK_ERR(meta_open(&(struct meta_options){ .store = test_postgresql(), .schema = "pg_x" }, &m),
              ERR_INVALID);
}

/* ---- bodies ---- */

struct body {
    const char *key;
    struct place place;
};

static struct err put_body(struct txn *txn, void *arg)
{
    struct body *b = arg;
    TRY(txn_put_body(txn, SPACE_OBJECTS, str_from_z(b->key), STR("bytes"), &b->place));
    return txn_put(txn, SPACE_OBJECTS, str_from_z(b->key), STR("x"));
}

static struct err drop_body(struct txn *txn, void *arg)
{
    const struct body *b = arg;
    TRY(txn_drop_body(txn, b->place));
    return txn_del(txn, SPACE_OBJECTS, str_from_z(b->key));
}

static void wait_bodies(const char *store, const char *schema, const char *want)
{
    const uint64_t deadline = clock_mono_ms() + 60000;
    char out[32], sql[200];

    snprintf(sql, sizeof(sql), "select count(*) from %s.small_bodies", schema);
    do {
        CHECK(clock_mono_ms() < deadline);
        test_postgresql_sql(store, sql, out, sizeof(out));
    } while (strcmp(out, want) != 0);
}

TEST(dropped_bodies_go_once_nobody_can_read_them)
{
    const char *store = test_postgresql(), *schema = test_schema();
    struct meta *m = open_at(store, schema);
    struct body pinned = { .key = "a" }, viewed = { .key = "b" }, kept = { .key = "c" };
    struct rows *view;
    char out[5];

    CHECK_OK(meta_run(m, put_body, &pinned));
    CHECK_OK(meta_run(m, put_body, &viewed));
    CHECK_OK(meta_run(m, put_body, &kept));
    meta_pin(m, pinned.place);
    meta_pin(m, pinned.place);
    CHECK_OK(meta_run(m, drop_body, &pinned));
    CHECK_OK(view_open(m, &view));
    CHECK_OK(meta_run(m, drop_body, &viewed));
    CHECK_OK(meta_read_body(m, viewed.place, out));
    view_close(view);
    wait_bodies(store, schema, "2");
    CHECK_OK(meta_read_body(m, pinned.place, out));
    CHECK_ERR(meta_read_body(m, viewed.place, out), ERR_CORRUPT);
    meta_unpin(m, pinned.place);
    meta_unpin(m, pinned.place);
    wait_bodies(store, schema, "1");
    CHECK_OK(meta_read_body(m, kept.place, out));
    kept.place.crc32c++;
    CHECK_ERR(meta_read_body(m, kept.place, out), ERR_CORRUPT);
    meta_close(m);
}

/* ---- a server that is not there ---- */

TEST(an_engine_opens_before_postgresql_is_up_and_serves_once_it_is)
{
    struct test_postgresql p;
    struct meta_status status;
    struct rows *view;

    test_postgresql_init(&p, test_dir());
    struct meta *m = open_at(p.store, "firn");
    meta_status(m, &status);
    CHECK(!status.is_open && !status.is_writable && !status.is_stopped && status.why_not[0]);
    CHECK_ERR(put(m, "k", "1"), ERR_UNAVAILABLE);
    CHECK_ERR(view_open(m, &view), ERR_UNAVAILABLE);
    test_postgresql_start(&p);
    wait_writable(m, true);
    CHECK_OK(put(m, "k", "2"));
    CHECK_ROW(m, "k", "2");
    meta_close(m);
    test_postgresql_stop(&p);
}

struct writer {
    struct meta *meta;
    int id;
    atomic_bool *is_ending;
    uint64_t sent;
    uint8_t outcomes[1 << 20]; /* enum err_code of each */
};

struct numbered {
    char key[48];
};

static struct err numbered_fn(struct txn *txn, void *arg)
{
    const struct numbered *n = arg;
    return txn_put(txn, SPACE_OBJECTS, str_from_z(n->key), STR("x"));
}

static void write_rows(void *arg)
{
    struct writer *w = arg;

    while (!atomic_load(w->is_ending) && w->sent < sizeof(w->outcomes)) {
        struct numbered n;
        snprintf(n.key, sizeof(n.key), "%d-%llu", w->id, (unsigned long long)w->sent);
        w->outcomes[w->sent] = (uint8_t)meta_run(w->meta, numbered_fn, &n).code;
        if (w->outcomes[w->sent++]) wait_writable(w->meta, true);
    }
}

/* SIGKILL to the server under load, again and again. An answer that says "certainly not" is as binding as an OK. */
TEST(a_server_that_is_killed_loses_nothing_that_was_acknowledged)
{
    enum { WRITERS = 4, ROUNDS = 3 };
    struct test_postgresql p;
    struct writer *w = calloc(WRITERS, sizeof(*w));
    pthread_t threads[WRITERS];
    atomic_bool is_ending = false;
    uint64_t acknowledged = 0, refused = 0;

    test_postgresql_init(&p, test_dir());
    test_postgresql_start(&p);
    struct meta *m = open_at(p.store, "firn");
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){ .meta = m, .id = i, .is_ending = &is_ending };
        CHECK_OK(thread_start("write", write_rows, &w[i], &threads[i]));
    }
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t before = meta_positions(m).published;
        while (meta_positions(m).published < before + 100 * PG_NUMBERS_OF_BATCH) sched_yield();
        test_postgresql_kill(&p);
        test_postgresql_start(&p);
        wait_writable(m, true);
    }
    atomic_store(&is_ending, true);
    for (int i = 0; i < WRITERS; i++) thread_join(threads[i]);
    CLEANUP(view_closep) struct rows *view = NULL;
    CHECK_OK(view_open(m, &view));
    for (int i = 0; i < WRITERS; i++) {
        for (uint64_t n = 0; n < w[i].sent; n++) {
            char key[48];
            struct err e;
            if (w[i].outcomes[n] == ERR_OUTCOME_UNKNOWN) continue;
            snprintf(key, sizeof(key), "%d-%llu", i, (unsigned long long)n);
            const bool is_there = rows_have(view, SPACE_OBJECTS, str_from_z(key), &e);
            CHECK_OK(e);
            if (is_there != !w[i].outcomes[n])
                test_fail(__FILE__, __LINE__, "%s was answered %s", key, err_name(w[i].outcomes[n]));
            *(is_there ? &acknowledged : &refused) += 1;
        }
    }
    CHECK(acknowledged > 100 && refused);
    view = view_close(view);
    meta_close(m);
    test_postgresql_stop(&p);
    free(w);
}
