/*
 * pg_shared_test.c - two servers on one database, both in this process: whatever one acknowledges the other sees, and nobody does anything twice.
 */
#include <sched.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/meta/pg_engine.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

struct pair {
    const char *store, *schema;
    struct meta *a, *b;
};

static struct err open_one(const struct pair *p, bool is_shared, struct meta **ret)
{
    log_set_level(LOG_LEVEL_ERROR);
    return meta_open(&(struct meta_options){ .store = p->store, .schema = p->schema, .is_shared = is_shared },
                     ret);
}

static struct pair pair_open(void)
{
    struct pair p = { .store = test_postgresql(), .schema = test_schema() };

    CHECK_OK(open_one(&p, true, &p.a));
    CHECK_OK(open_one(&p, true, &p.b));
    return p;
}

static void pair_close(struct pair *p)
{
    meta_close(p->a);
    meta_close(p->b);
}

static void sql(const struct pair *p, const char *statement)
{
    CLEANUP(pg_disconnectp) struct pg *pg = NULL;

    CHECK_OK(pg_connect(p->store, p->schema, &pg));
    CHECK_OK(pg_command(pg, statement));
}

static struct meta_status status_of(struct meta *m)
{
    struct meta_status s;

    meta_status(m, &s);
    return s;
}

/* Until a condition on a server's status holds. */
#define WAIT(condition_)                                                                                     \
    do {                                                                                                     \
        const uint64_t deadline_ = clock_mono_ms() + 60000;                                                  \
        while (!(condition_)) {                                                                              \
            CHECK(clock_mono_ms() < deadline_);                                                              \
            sched_yield();                                                                                   \
        }                                                                                                    \
    } while (0)

struct row {
    const char *key, *value;
};

static struct err put_fn(struct txn *txn, void *arg)
{
    const struct row *r = arg;
    return txn_put(txn, SPACE_OBJECTS, str_from_z(r->key), str_from_z(r->value));
}

static struct err put(struct meta *m, const char *key, const char *value)
{
    return meta_run(m, put_fn, &(struct row){ key, value });
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

/* ---- one order ---- */

TEST(what_one_server_acknowledged_the_others_see_at_once)
{
    struct pair p = pair_open();

    for (int i = 0; i < 20; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        CHECK_OK(put(i % 2 ? p.a : p.b, "k", value));
        CHECK_ROW(i % 2 ? p.b : p.a, "k", value);
    }
    pair_close(&p);
}

/* Adds one to the row that all add to, and says which number that made. */
struct adder {
    struct meta *m;
    int times, done;
    uint64_t number, numbers_wrong;
    atomic_bool *stop; /* instead of times */
    pthread_t thread;
};

static struct err add_fn(struct txn *txn, void *arg)
{
    struct adder *a = arg;
    char text[24] = "0";
    struct str value;

    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, STR("n"), &value);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    if (!e.code) snprintf(text, sizeof(text), "%.*s", STR_ARG(value));
    snprintf(text, sizeof(text), "%lld", strtoll(text, NULL, 10) + 1);
    a->number = txn_number(txn);
    return txn_put(txn, SPACE_OBJECTS, STR("n"), str_from_z(text));
}

static void add_all(void *arg)
{
    struct adder *a = arg;
    uint64_t last = 0;

    for (int i = 0; a->stop ? !atomic_load(a->stop) : i < a->times; i++) {
        const struct err e = meta_run(a->m, add_fn, a);
        if (e.code) {
            CHECK_U64(e.code, ERR_UNAVAILABLE); /* and then it was certainly not done */
            continue;
        }
        a->done++;
        a->numbers_wrong += a->number <= last;
        last = a->number;
    }
}

static int adders_run(struct adder *adders, size_t count)
{
    int done = 0;

    for (size_t i = 0; i < count; i++)
        CHECK_OK(thread_start("adder", add_all, &adders[i], &adders[i].thread));
    for (size_t i = 0; i < count; i++) {
        thread_join(adders[i].thread);
        CHECK_U64(adders[i].numbers_wrong, 0);
        done += adders[i].done;
    }
    return done;
}

TEST(of_what_two_servers_add_nothing_is_lost)
{
    struct pair p = pair_open();
    struct adder adders[] = { { .m = p.a, .times = 60 },
                              { .m = p.a, .times = 60 },
                              { .m = p.b, .times = 60 },
                              { .m = p.b, .times = 60 } };

    CHECK_U64(adders_run(adders, 4), 240);
    CHECK_ROW(p.a, "n", "240");
    CHECK_ROW(p.b, "n", "240");
    CHECK_U64(status_of(p.a).batches_retried + status_of(p.b).batches_retried, 0);
    pair_close(&p);
}

/* ---- doubt ---- */

/* While one server goes on adding, the other's connections are lost at each round trip in turn. What became of each commit is found out, though the lease's row has long gone on. */
static void sweep(enum pg_fault how)
{
    struct pair p = pair_open();
    atomic_bool stop = false;
    struct adder rival = { .m = p.b, .stop = &stop }, mine = { .m = p.a, .times = 1 };
    bool has_struck = true;
    int struck = 0;
    char want[24];

    CHECK_OK(thread_start("rival", add_all, &rival, &rival.thread));
    for (uint64_t n = 0; n < 60; n++) {
        pg_fault_arm(n % 12, how);
        add_all(&mine);
        has_struck = pg_fault_disarm();
        struck += has_struck;
        WAIT(status_of(p.a).is_writable && status_of(p.b).is_writable);
    }
    atomic_store(&stop, true);
    thread_join(rival.thread);
    CHECK(struck > 0 && mine.done > 0 && rival.done > 0);
    snprintf(want, sizeof(want), "%d", mine.done + rival.done);
    CHECK_ROW(p.a, "n", want);
    CHECK_ROW(p.b, "n", want);
    pair_close(&p);
}

TEST(a_connection_lost_before_a_round_trip_is_found_out_while_others_commit)
{
    sweep(PG_FAULT_BEFORE);
}

TEST(a_connection_lost_after_a_round_trip_is_found_out_while_others_commit)
{
    sweep(PG_FAULT_AFTER);
}

/* ---- a server that stops ---- */

struct gate {
    struct meta *m;
    atomic_bool is_in, is_open;
    struct err e;
    pthread_t thread;
};

static struct err gate_fn(struct txn *txn, void *arg)
{
    struct gate *g = arg;
    struct str value;

    TRY(rows_get(txn_rows(txn), SPACE_OBJECTS, STR("k"), &value));
    atomic_store(&g->is_in, true);
    while (!atomic_load(&g->is_open)) sched_yield();
    return txn_put(txn, SPACE_OBJECTS, STR("k"), STR("late"));
}

static void gate_run(void *arg)
{
    struct gate *g = arg;
    g->e = meta_run(g->m, gate_fn, g);
}

TEST(a_server_that_stops_within_a_batch_does_not_stop_the_others)
{
    struct pair p = pair_open();
    struct gate g = { .m = p.a };

    CHECK_OK(put(p.a, "k", "first"));
    CHECK_OK(thread_start("gate", gate_run, &g, &g.thread));
    WAIT(atomic_load(&g.is_in));
    CHECK_OK(put(p.b, "k", "second")); /* once PostgreSQL has ended the session of the first */
    atomic_store(&g.is_open, true);
    thread_join(g.thread);
    CHECK_U64(g.e.code, ERR_UNAVAILABLE); /* certainly not committed */
    CHECK_ROW(p.b, "k", "second");
    WAIT(status_of(p.a).is_writable);
    CHECK_OK(put(p.a, "k", "third"));
    CHECK_ROW(p.b, "k", "third");
    CHECK(status_of(p.a).connections_lost > 0);
    pair_close(&p);
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
    return txn_put(txn, SPACE_OBJECTS, str_from_z(b->key), str_from_z(b->key));
}

static struct err drop_body(struct txn *txn, void *arg)
{
    const struct body *b = arg;

    TRY(txn_drop_body(txn, b->place));
    return txn_del(txn, SPACE_OBJECTS, str_from_z(b->key));
}

/* How often the servers have said what they look at: so that "not swept yet" is more than "not yet come to it". */
static void wait_beats(const struct pair *p)
{
    struct pg_engine *engines[] = { pg_engine_of(p->a), pg_engine_of(p->b) };

    for (size_t i = 0; i < 2; i++) {
        for (int n = 0; n < 2; n++) {
            const uint64_t before = atomic_load(&engines[i]->beat_ms);
            WAIT(atomic_load(&engines[i]->beat_ms) != before);
        }
    }
}

static void wait_bodies(const struct pair *p, const char *want)
{
    char out[32], text[200];

    snprintf(text, sizeof(text), "select count(*) from %s.small_bodies", p->schema);
    WAIT((test_postgresql_sql(p->store, text, out, sizeof(out)), strcmp(out, want) == 0));
}

static void check_kept_for(struct pair *p, struct meta *writer, struct meta *reader)
{
    struct body viewed = { .key = "v" }, pinned = { .key = "p" };
    struct rows *view;
    char out[5];

    CHECK_OK(meta_run(writer, put_body, &viewed));
    CHECK_OK(meta_run(writer, put_body, &pinned));
    CHECK_OK(view_open(reader, &view));
    meta_pin(reader, pinned.place);
    view_close(view);
    CHECK_OK(view_open(reader, &view));
    CHECK_OK(meta_run(writer, drop_body, &pinned));
    CHECK_OK(meta_run(writer, drop_body, &viewed));
    wait_beats(p);
    CHECK_OK(meta_read_body(reader, viewed.place, out));
    view_close(view);
    wait_beats(p);
    CHECK_OK(meta_read_body(reader, pinned.place, out));
    meta_unpin(reader, pinned.place);
    wait_bodies(p, "0");
    CHECK_ERR(meta_read_body(reader, viewed.place, out), ERR_CORRUPT);
}

/* Whichever of the two is the one that clears away. */
TEST(a_body_is_kept_while_any_server_may_read_it)
{
    struct pair p = pair_open();

    check_kept_for(&p, p.a, p.b);
    check_kept_for(&p, p.b, p.a);
    pair_close(&p);
}

TEST(a_server_that_is_dead_keeps_no_body)
{
    struct pair p = pair_open();
    struct body b = { .key = "b" };

    sql(&p, "insert into server values ('dead', 'host', 1, now(), now() - interval '61 s', 0, false, 0)");
    CHECK_OK(meta_run(p.a, put_body, &b));
    CHECK_OK(meta_run(p.b, drop_body, &b));
    wait_bodies(&p, "0");
    pair_close(&p);
}

/* ---- who leads ---- */

TEST(one_of_them_leads_and_another_when_that_one_is_gone)
{
    struct pair p = pair_open();

    WAIT(status_of(p.a).is_leader || status_of(p.b).is_leader);
    struct meta **leader = status_of(p.a).is_leader ? &p.a : &p.b;
    struct meta **other = leader == &p.a ? &p.b : &p.a;
    WAIT(status_of(*other).servers == 2 && status_of(*other).leader[0]);
    CHECK(!status_of(*other).is_leader && status_of(*other).is_shared);
    *leader = meta_close(*leader);
    WAIT(status_of(*other).is_leader && status_of(*other).servers == 1);
    pair_close(&p);
}

/* ---- alone or together ---- */

TEST(who_shares_and_who_does_not_exclude_each_other)
{
    struct pair p = pair_open();
    struct meta *alone = NULL;

    struct err e = open_one(&p, false, &alone);
    CHECK_U64(e.code, ERR_BUSY);
    CHECK(strstr(e.why, "servers that share") && strstr(e.why, "store-shared") && strstr(e.why, "process "));
    CHECK_OK(put(p.a, "k", "1"));
    pair_close(&p);
    CHECK_OK(open_one(&p, false, &alone));
    CHECK_ROW(alone, "k", "1");
    CHECK_OK(put(alone, "k", "2"));
    p.a = p.b = NULL;
    e = open_one(&p, true, &p.a);
    CHECK_U64(e.code, ERR_BUSY);
    CHECK(strstr(e.why, "another server holds") && strstr(e.why, "does not share"));
    meta_close(alone);
    CHECK_OK(open_one(&p, true, &p.a));
    CHECK_ROW(p.a, "k", "2");
    pair_close(&p);
}

TEST(a_server_that_shares_does_not_write_after_another_had_the_store_alone)
{
    struct pair p = pair_open();

    sql(&p, "update lease set holder = 'another'");
    CHECK_ERR(put(p.a, "k", "1"), ERR_UNAVAILABLE);
    WAIT(status_of(p.a).is_stopped);
    CHECK_ROW(p.a, "k", "-");
    pair_close(&p);
}

/* Both find nothing there; one makes it. */
struct opener {
    struct pair *p;
    struct meta *m;
    struct err e;
    pthread_t thread;
};

static void open_run(void *arg)
{
    struct opener *o = arg;
    o->e = open_one(o->p, true, &o->m);
}

TEST(servers_that_start_together_make_one_schema)
{
    struct pair p = { .store = test_postgresql(), .schema = test_schema() };
    struct opener o[4] = { { .p = &p }, { .p = &p }, { .p = &p }, { .p = &p } };

    for (size_t i = 0; i < 4; i++) CHECK_OK(thread_start("opener", open_run, &o[i], &o[i].thread));
    for (size_t i = 0; i < 4; i++) thread_join(o[i].thread);
    for (size_t i = 0; i < 4; i++) CHECK_OK(o[i].e);
    CHECK_OK(put(o[0].m, "k", "1"));
    for (size_t i = 0; i < 4; i++) {
        CHECK_ROW(o[i].m, "k", "1");
        meta_close(o[i].m);
    }
}
