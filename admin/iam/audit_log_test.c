/* audit_log_test.c - events that are gathered, pages that are read, rows that go. */
#include "admin/iam/audit_log.h"

#include <errno.h>

#include "admin/iam/lake_test.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

static struct audit_event event(const char *principal, const char *object, const char *outcome)
{
    return (struct audit_event){
        .who = { .principal = str_from_z(principal), .request_id = STR("r"), .address = STR("127.0.0.1") },
        .operation = STR("LoadTable"),
        .object = str_from_z(object),
        .outcome = str_from_z(outcome),
        .status = 403
    };
}

static json_t *read_all(struct lake *l, struct audit_query q, struct str *ret_token)
{
    json_t *events = NULL;
    struct str token;

    if (!q.to_ms) q.to_ms = INT64_MAX;
    if (!q.size) q.size = 1000;
    CHECK_OK(audit_read(&l->store, &q, l->arena, &events, &token));
    if (ret_token) *ret_token = token;
    return events;
}

static struct str text(const json_t *events, size_t i, const char *field)
{
    return json_str(json_object_get(json_array_get(events, i), field));
}

TEST(events_that_are_alike_are_one_row_with_a_count)
{
    const struct audit_event a = event("alice", "n.t", "denied"), b = event("bob", "n.t", "denied");
    struct audit_log *log;
    struct lake l;

    lake_open(&l);
    CHECK_OK(audit_log_new(&l.store, &log));
    for (int i = 0; i < 1000; i++) audit_log_add(log, &a);
    audit_log_add(log, &b);
    CHECK_OK(audit_log_flush(log));
    CHECK_OK(audit_log_flush(log));
    json_t *events = read_all(&l, (struct audit_query){ .operation = STR("LoadTable") }, NULL);
    CHECK_U64(json_array_size(events), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *count = json_object_get(json_array_get(events, i), "count");
        CHECK(str_is(text(events, i, "principal"), "alice") ? json_integer_value(count) == 1000 : !count);
        CHECK_STR(text(events, i, "outcome"), STR("denied"));
    }
    json_decref(events);
    audit_log_free(log);
    lake_close(&l);
}

/* Of all events that a query finds. */
static json_int_t sum(struct lake *l, struct audit_query q)
{
    json_t *events = read_all(l, q, NULL), *e;
    json_int_t n = 0;
    size_t i;

    json_array_foreach(events, i, e)
    {
        const json_t *count = json_object_get(e, "count");
        n += count ? json_integer_value(count) : 1;
    }
    json_decref(events);
    return n;
}

TEST(bug_who_asked_for_many_names_crowded_out_what_others_did)
{
    const struct audit_event other = event("bob", "n.secrets", "denied");
    struct audit_log *log;
    char object[32];
    struct lake l;

    lake_open(&l);
    CHECK_OK(audit_log_new(&l.store, &log));
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(object, sizeof(object), "n.t%d", i);
        struct audit_event e = event("-", object, "denied");
        e.who.catalog = str_from_z(object);
        audit_log_add(log, &e);
    }
    audit_log_add(log, &other);
    CHECK_OK(audit_log_flush(log));
    CHECK_U64(sum(&l, (struct audit_query){ .principal = STR("bob") }), 1);
    CHECK_U64(sum(&l, (struct audit_query){ .principal = STR("-") }), 20000);
    CHECK_U64(sum(&l, (struct audit_query){ .operation = STR("NotRecorded") }), 0);
    json_t *events = read_all(&l, (struct audit_query){ .principal = STR("-") }, NULL);
    CHECK_U64(json_array_size(events), LIMIT_AUDIT_EVENTS / 2 + 1);
    json_decref(events);
    audit_log_free(log);
    lake_close(&l);
}

struct adder {
    struct audit_log *log;
    pthread_t thread;
};

static void add_many(void *arg)
{
    const struct adder *a = arg;
    const struct audit_event events[] = { event("alice", "n.t", "denied"), event("bob", "n.t", "denied") };

    for (int i = 0; i < 5000; i++) audit_log_add(a->log, &events[i % 2]);
}

TEST(many_threads_add_while_it_is_written_and_no_event_is_lost_or_told_twice)
{
    struct adder adders[4];
    struct lake l;

    lake_open(&l);
    struct audit_log *log;
    CHECK_OK(audit_log_new(&l.store, &log));
    for (int i = 0; i < 4; i++) {
        adders[i].log = log;
        CHECK_OK(thread_start("adder", add_many, &adders[i], &adders[i].thread));
    }
    for (int i = 0; i < 10; i++) CHECK_OK(audit_log_flush(log));
    for (int i = 0; i < 4; i++) thread_join(adders[i].thread);
    CHECK_OK(audit_log_flush(log));
    CHECK_U64(sum(&l, (struct audit_query){ .operation = STR("LoadTable") }), 20000);
    audit_log_free(log);
    lake_close(&l);
}

/* Swept: whichever call fails, an event is in a row at most once, now and after a restart; in one when nothing failed; and when its writing was refused the next row says so. */
TEST(an_event_is_told_at_most_once_whatever_fails)
{
    const struct audit_event a = event("alice", "n.t", "denied");
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct audit_log *log;
        struct lake l;
        lake_open(&l);
        CHECK_OK(audit_log_new(&l.store, &log));
        audit_log_add(log, &a);
        fault_arm(FAULT_WRITE | FAULT_SYNC, n, EIO);
        const struct err e = audit_log_flush(log);
        has_struck = fault_disarm();
        const bool is_told = audit_log_flush(log).code == ERR_OK;
        audit_log_free(log);
        lake_reopen(&l);
        const json_int_t rows = sum(&l, (struct audit_query){ .operation = STR("LoadTable") });
        const json_int_t lost = sum(&l, (struct audit_query){ .operation = STR("NotRecorded") });
        CHECK(rows <= 1);
        CHECK(e.code != ERR_OK || rows == 1);
        CHECK(!is_told || rows + lost >= 1);
        CHECK(has_struck || e.code == ERR_OK);
        lake_close(&l);
    }
}

TEST(a_flood_is_bounded_and_what_was_lost_is_said)
{
    struct audit_log *log;
    char name[32];
    struct lake l;

    lake_open(&l);
    CHECK_OK(audit_log_new(&l.store, &log));
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        const struct audit_event e = event(name, "n.t", "denied");
        audit_log_add(log, &e);
    }
    CHECK_OK(audit_log_flush(log));
    json_t *events = read_all(&l, (struct audit_query){ .operation = STR("LoadTable") }, NULL);
    CHECK_U64(json_array_size(events), LIMIT_AUDIT_EVENTS);
    json_decref(events);
    events = read_all(&l, (struct audit_query){ .operation = STR("NotRecorded") }, NULL);
    CHECK_U64(json_array_size(events), 1);
    CHECK_U64(json_integer_value(json_object_get(json_array_get(events, 0), "count")),
              20000 - LIMIT_AUDIT_EVENTS);
    json_decref(events);
    audit_log_free(log);
    lake_close(&l);
}

TEST(texts_of_any_length_and_bytes_are_kept_as_far_as_they_go)
{
    static char name[5000];
    struct audit_log *log;
    struct lake l;

    memset(name, 'x', sizeof(name));
    lake_open(&l);
    CHECK_OK(audit_log_new(&l.store, &log));
    struct audit_event e = event("alice", "\xff\xfe", "denied");
    audit_log_add(log, &e);
    e.object = e.who.principal = e.who.roles = e.who.address = e.who.request_id = e.who.catalog =
        e.operation = e.outcome = str_of(name, sizeof(name));
    audit_log_add(log, &e);
    CHECK_OK(audit_log_flush(log));
    json_t *events = read_all(&l, (struct audit_query){ .object = STR("xxx") }, NULL);
    CHECK_U64(json_array_size(events), 1);
    CHECK_U64(text(events, 0, "object").len, 256);
    json_decref(events);
    audit_log_free(log);
    lake_close(&l);
}

TEST(pages_are_newest_first_whole_and_without_repeats)
{
    struct audit_query q = { .size = 7, .object = STR("page") };
    struct str last = STR_NONE;
    char object[32];
    size_t seen = 0;
    struct lake l;

    lake_open(&l);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(object, sizeof(object), "page%02d", i);
        lake_namespace(&l, arena_str(l.arena, str_from_z(object)).data);
    }
    for (bool is_first = true; is_first || q.token.len; is_first = false) {
        json_t *events = read_all(&l, q, &q.token);
        CHECK(json_array_size(events) <= 7);
        for (size_t i = 0; i < json_array_size(events); i++, seen++) {
            const struct str now = arena_str(l.arena, text(events, i, "object"));
            CHECK(!last.len || str_cmp(now, last) < 0);
            last = now;
        }
        json_decref(events);
    }
    CHECK_U64(seen, 50);
    q.token = STR("0123");
    json_t *none = NULL;
    CHECK_ERR(audit_read(&l.store, &q, l.arena, &none, &last), ERR_INVALID);
    lake_close(&l);
}

TEST(filters_and_times_cut_what_is_shown)
{
    const int64_t before = clock_now_ms();
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_table(&l, "prod", "t");
    json_t *events = read_all(&l, (struct audit_query){ .operation = STR("CreateTable"), .from_ms = before },
                              NULL);
    CHECK_U64(json_array_size(events), 1);
    CHECK_STR(text(events, 0, "object"), STR("prod.t"));
    json_decref(events);
    events = read_all(&l, (struct audit_query){ .operation = STR("CreateTable"), .to_ms = before }, NULL);
    CHECK_U64(json_array_size(events), 0);
    json_decref(events);
    events = read_all(
        &l, (struct audit_query){ .operation = STR("CreateTable"), .from_ms = clock_now_ms() + 60000 }, NULL);
    CHECK_U64(json_array_size(events), 0);
    json_decref(events);
    events = read_all(&l, (struct audit_query){ .object = STR("pro"), .principal = STR("nobody") }, NULL);
    CHECK_U64(json_array_size(events), 0);
    json_decref(events);
    lake_close(&l);
}

/* ---- retention ---- */

static void sweep(struct lake *l, const struct audit_retention *rule)
{
    struct audit_sweep s = { .bytes = 0 };
    bool more = true;

    while (more) CHECK_OK(audit_sweep_step(&l->store, &s, rule, &more));
}

static size_t count_rows(struct lake *l)
{
    json_t *events = read_all(l, (struct audit_query){ .size = 100000 }, NULL);
    const size_t count = json_array_size(events);

    json_decref(events);
    return count;
}

TEST(old_rows_go_and_young_ones_stay)
{
    const struct audit_retention day = { .age_ms = 86400000 };
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "old");
    const size_t old = count_rows(&l);
    sweep(&l, &day);
    CHECK_U64(count_rows(&l), old);
    clock_set_offset_ms(2 * 86400000);
    lake_namespace(&l, "young");
    sweep(&l, &day);
    CHECK_U64(count_rows(&l), 1);
    clock_set_offset_ms(0);
    lake_close(&l);
}

TEST(above_its_size_the_oldest_rows_go)
{
    const struct audit_retention small = { .bytes_max = 20 * KIB };
    char name[32];
    struct lake l;

    lake_open(&l);
    for (int i = 0; i < 700; i++) {
        (void)snprintf(name, sizeof(name), "n%03d", i);
        lake_namespace(&l, name);
    }
    sweep(&l, &small);
    json_t *events = read_all(&l, (struct audit_query){ .size = 100000 }, NULL);
    CHECK(json_array_size(events) > 10 && json_array_size(events) < 200);
    CHECK_STR(text(events, 0, "object"), STR("n699"));
    json_decref(events);
    lake_close(&l);
}
