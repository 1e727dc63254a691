/*
 * meta_contract_test.c - the promises of meta.h, on every engine that there is.
 *
 * An engine is a row of `engines`. A test runs once on each; what it says holds for all of them.
 */
#include "storage/meta/meta.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

/* What a test works on. */
struct store {
    const struct engine *engine;
    const char *dir, *schema;
    struct meta *meta;
    uint64_t number_after; /* for the next opening */
};

struct engine {
    const char *name;
    struct err (*open)(struct store *s); /* also opens again what was closed */
    bool has_memtable;                   /* and a disk of its own */
};

static struct err open_embedded(struct store *s)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/meta", s->dir);
    return meta_open(&(struct meta_options){ .dir = path,
                                             .segment_bytes = 256 * KIB,
                                             .disk_floor_bytes = MIB,
                                             .number_after = s->number_after },
                     &s->meta);
}

static struct err open_postgresql(struct store *s)
{
    return meta_open(&(struct meta_options){ .store = test_postgresql(),
                                             .schema = s->schema,
                                             .number_after = s->number_after },
                     &s->meta);
}

static struct err open_shared(struct store *s)
{
    return meta_open(&(struct meta_options){ .store = test_postgresql(),
                                             .schema = s->schema,
                                             .number_after = s->number_after,
                                             .is_shared = true },
                     &s->meta);
}

static const struct engine engines[] = {
    { "embedded", open_embedded, true },
    { "postgresql", open_postgresql, false },
    { "postgresql", open_shared, false },
};

static void store_open(struct store *s)
{
    CHECK_OK(s->engine->open(s));
}

static void store_reopen(struct store *s)
{
    s->meta = meta_close(s->meta);
    store_open(s);
}

#define CONTRACT(name_)                                                                                      \
    static void contract_##name_(struct store *s);                                                           \
    TEST(name_)                                                                                              \
    {                                                                                                        \
        for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {                                  \
            struct store s = { .engine = &engines[i], .dir = test_dir(), .schema = test_schema() };          \
            store_open(&s);                                                                                  \
            contract_##name_(&s);                                                                            \
            meta_close(s.meta);                                                                              \
        }                                                                                                    \
    }                                                                                                        \
    static void contract_##name_(struct store *s)

/* ---- small transactions ---- */

struct row {
    enum space space;
    const char *key, *value; /* value NULL: delete */
};

static struct err put_row(struct txn *txn, void *arg)
{
    const struct row *r = arg;
    if (!r->value) return txn_del(txn, r->space, str_from_z(r->key));
    return txn_put(txn, r->space, str_from_z(r->key), str_from_z(r->value));
}

static struct err put(struct store *s, const char *key, const char *value)
{
    return meta_run(s->meta, put_row, &(struct row){ SPACE_OBJECTS, key, value });
}

/* The value as seen by a view opened now; "-" when there is no row. */
static const char *get(struct store *s, const char *key)
{
    static char out[4096];
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str value;

    CHECK_OK(view_open(s->meta, &view));
    const struct err e = rows_get(view, SPACE_OBJECTS, str_from_z(key), &value);
    if (e.code == ERR_NOT_FOUND) return "-";
    CHECK_OK(e);
    snprintf(out, sizeof(out), "%.*s", STR_ARG(value));
    return out;
}

#define CHECK_ROW(key_, want_) CHECK_STR(str_from_z(get(s, key_)), STR(want_))

/* All rows of a space as "k=v k=v ". */
static struct err rows_print(struct rows *view, enum space space, char *out, size_t size)
{
    size_t len = 0;
    struct rows_scan scan;
    struct str key, value;

    out[0] = 0;
    rows_scan_begin(&scan, view, space, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &value))
        len += (size_t)snprintf(out + len, size - len, "%.*s=%.*s ", STR_ARG(key), STR_ARG(value));
    rows_scan_done(&scan);
    return scan.err;
}

static const char *all_rows(struct rows *view, enum space space)
{
    static char out[65536];
    CHECK_OK(rows_print(view, space, out, sizeof(out)));
    return out;
}

/* ---- the promises ---- */

CONTRACT(what_is_acknowledged_is_seen_and_survives_reopening)
{
    CHECK_OK(put(s, "a", "1"));
    CHECK_OK(put(s, "b", "2"));
    CHECK_OK(put(s, "a", "3"));
    CHECK_OK(put(s, "b", NULL));
    CHECK_ROW("a", "3");
    CHECK_ROW("b", "-");
    store_reopen(s);
    CHECK_ROW("a", "3");
    CHECK_ROW("b", "-");
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK_ROW("a", "3");
    CHECK_ROW("b", "-");
    store_reopen(s);
    CHECK_ROW("a", "3");
    CHECK_ROW("b", "-");
}

CONTRACT(deleting_an_absent_row_is_fine)
{
    CHECK_OK(put(s, "nothing", NULL));
    CHECK_ROW("nothing", "-");
}

static struct err put_and_refuse(struct txn *txn, void *arg)
{
    struct place p;
    TRY(put_row(txn, arg));
    TRY(txn_put_body(txn, SPACE_OBJECTS, STR("x"), STR("body of nobody"), &p));
    return FAIL(ERR_PRECONDITION, "no, thanks");
}

CONTRACT(a_refusal_leaves_no_trace_and_keeps_its_words)
{
    struct row r = { SPACE_OBJECTS, "a", "1" };
    const struct err e = meta_run(s->meta, put_and_refuse, &r);
    CHECK_U64(e.code, ERR_PRECONDITION);
    CHECK_STR(str_from_z(e.why), STR("no, thanks"));
    CHECK_ROW("a", "-");
    store_reopen(s);
    CHECK_ROW("a", "-");
}

static struct err count_up(struct txn *txn, void *arg)
{
    struct str value;
    uint8_t bytes[8] = { 0 };
    const struct err e = rows_get(txn_rows(txn), SPACE_SYSTEM, STR("counter"), &value);

    if (e.code && e.code != ERR_NOT_FOUND) return e;
    put_be64(bytes, (e.code ? 0 : get_be64(value.data)) + 1);
    *(uint64_t *)arg = get_be64(bytes);
    return txn_put(txn, SPACE_SYSTEM, STR("counter"), str_of(bytes, 8));
}

struct counter_thread {
    struct meta *meta;
    uint64_t rounds, sum;
};

static void count_rounds(void *arg)
{
    struct counter_thread *t = arg;

    for (uint64_t i = 0; i < t->rounds; i++) {
        uint64_t value;
        CHECK_OK(meta_run(t->meta, count_up, &value));
        t->sum += value;
    }
}

/* M1: every transaction saw exactly those before it, so each value was given once. */
CONTRACT(transactions_of_many_threads_are_serial)
{
    enum { THREADS = 8, ROUNDS = 200, N = THREADS * ROUNDS };
    struct counter_thread t[THREADS];
    pthread_t threads[THREADS];
    uint64_t sum = 0, last;

    for (int i = 0; i < THREADS; i++) {
        t[i] = (struct counter_thread){ s->meta, ROUNDS, 0 };
        CHECK_OK(thread_start("count", count_rounds, &t[i], &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        sum += t[i].sum;
    }
    CHECK_U64(sum, (uint64_t)N * (N + 1) / 2);
    store_reopen(s);
    CHECK_OK(meta_run(s->meta, count_up, &last));
    CHECK_U64(last, N + 1);
}

CONTRACT(a_view_sees_one_moment)
{
    CLEANUP(view_closep) struct rows *before = NULL;
    CLEANUP(view_closep) struct rows *after = NULL;

    CHECK_OK(put(s, "a", "1"));
    CHECK_OK(put(s, "b", "1"));
    CHECK_OK(view_open(s->meta, &before));
    CHECK_OK(put(s, "a", "2"));
    CHECK_OK(put(s, "b", NULL));
    CHECK_OK(put(s, "c", "2"));
    CHECK_STR(str_from_z(all_rows(before, SPACE_OBJECTS)), STR("a=1 b=1 "));
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK_OK(put(s, "c", "3"));
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK_STR(str_from_z(all_rows(before, SPACE_OBJECTS)), STR("a=1 b=1 "));
    CHECK_OK(view_open(s->meta, &after));
    CHECK_STR(str_from_z(all_rows(after, SPACE_OBJECTS)), STR("a=2 c=3 "));
    before = view_close(before);
    after = view_close(after);
}

static struct err read_own(struct txn *txn, void *arg)
{
    struct rows *r = txn_rows(txn);
    struct str value;
    struct err e;
    char all[100];

    (void)arg;
    TRY(txn_prefetch(txn, SPACE_OBJECTS, &STR("a"), 1));
    TRY(txn_put(txn, SPACE_OBJECTS, STR("b"), STR("own")));
    TRY(txn_del(txn, SPACE_OBJECTS, STR("a")));
    CHECK(!rows_have(r, SPACE_OBJECTS, STR("a"), &e));
    TRY(e);
    TRY(rows_get(r, SPACE_OBJECTS, STR("b"), &value));
    CHECK_STR(value, STR("own"));
    TRY(rows_print(r, SPACE_OBJECTS, all, sizeof(all))); /* a run to warm up may end here */
    CHECK_STR(str_from_z(all), STR("b=own c=old "));
    return OK;
}

CONTRACT(a_transaction_reads_its_own_rows)
{
    CHECK_OK(put(s, "a", "old"));
    CHECK_OK(put(s, "b", "old"));
    CHECK_OK(put(s, "c", "old"));
    CHECK_OK(meta_run(s->meta, read_own, NULL));
    CHECK_ROW("a", "-");
    CHECK_ROW("b", "own");
}

CONTRACT(spaces_are_apart)
{
    CHECK_OK(meta_run(s->meta, put_row, &(struct row){ SPACE_BUCKETS, "k", "bucket" }));
    CHECK_OK(meta_run(s->meta, put_row, &(struct row){ SPACE_UPLOADS, "k", "upload" }));
    CHECK_ROW("k", "-");
    CHECK_OK(put(s, "k", "object"));
    CHECK_ROW("k", "object");
}

/* ---- limits ---- */

static struct err put_long(struct txn *txn, void *arg)
{
    const struct str *pair = arg;
    return txn_put(txn, SPACE_OBJECTS, pair[0], pair[1]);
}

CONTRACT(keys_and_values_have_limits)
{
    char *big = calloc(1, LIMIT_ROW_VALUE + 1);
    const struct {
        size_t key, value;
        enum err_code want;
    } rows[] = {
        { 0, 1, ERR_INVALID },        { 1, 0, ERR_OK },
        { LIMIT_ROW_KEY, 1, ERR_OK }, { LIMIT_ROW_KEY + 1, 1, ERR_INVALID },
        { 1, 100 * KIB, ERR_OK },     { 1, LIMIT_ROW_VALUE + 1, ERR_INVALID },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str pair[2] = { str_of(big, rows[i].key), str_of(big, rows[i].value) };
        CHECK_ERR(meta_run(s->meta, put_long, pair), rows[i].want);
    }
    free(big);
}

static struct err put_many(struct txn *txn, void *arg)
{
    for (uint32_t i = 0; i < *(uint32_t *)arg; i++) {
        uint8_t key[4];
        put_be32(key, i);
        TRY(txn_put(txn, SPACE_PARTS, str_of(key, 4), STR("part")));
    }
    return OK;
}

static struct err put_many_and_go_on(struct txn *txn, void *arg)
{
    err_ignore(put_many(txn, arg));
    return OK;
}

CONTRACT(a_transaction_has_a_limit_of_rows)
{
    uint32_t most = LIMIT_TXN_ROWS, over = LIMIT_TXN_ROWS + 1;

    CHECK_OK(meta_run(s->meta, put_many, &most));
    CHECK_ERR(meta_run(s->meta, put_many, &over), ERR_TOO_LARGE);
    CHECK_ERR(meta_run(s->meta, put_many_and_go_on, &over), ERR_TOO_LARGE);
}

/* ---- bodies ---- */

struct body {
    const char *key;
    struct str bytes;
    struct place place;
};

static struct err put_body(struct txn *txn, void *arg)
{
    struct body *b = arg;
    uint8_t value[PLACE_BYTES];

    TRY(txn_put_body(txn, SPACE_OBJECTS, str_from_z(b->key), b->bytes, &b->place));
    place_encode(&b->place, value);
    return txn_put(txn, SPACE_OBJECTS, str_from_z(b->key), str_of(value, sizeof(value)));
}

static struct err drop_body(struct txn *txn, void *arg)
{
    const struct body *b = arg;
    TRY(txn_drop_body(txn, b->place));
    return txn_del(txn, SPACE_OBJECTS, str_from_z(b->key));
}

static void check_body(struct store *s, const struct body *b)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str value;
    struct place p;

    CHECK_OK(view_open(s->meta, &view));
    CHECK_OK(rows_get(view, SPACE_OBJECTS, str_from_z(b->key), &value));
    CHECK_U64(value.len, PLACE_BYTES);
    place_decode((const uint8_t *)value.data, &p);
    CHECK_U64(p.length, b->bytes.len);
    char *out = malloc(p.length + 1);
    CHECK_OK(meta_read_body(s->meta, p, out));
    CHECK(memcmp(out, b->bytes.data, p.length) == 0 || !p.length);
    free(out);
    view = view_close(view);
}

CONTRACT(a_body_is_where_its_row_says)
{
    char *large = malloc(60 * KIB);
    memset(large, 'x', 60 * KIB);
    struct body bodies[] = {
        { .key = "empty", .bytes = STR("") },
        { .key = "small", .bytes = STR("some bytes") },
        { .key = "large", .bytes = str_of(large, 60 * KIB) },
    };
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++) CHECK_OK(meta_run(s->meta, put_body, &bodies[i]));
        for (size_t i = 0; i < 3; i++) check_body(s, &bodies[i]);
        if (round == 1) CHECK_OK(meta_checkpoint(s->meta));
        store_reopen(s);
        for (size_t i = 0; i < 3; i++) check_body(s, &bodies[i]);
    }
    free(large);
}

CONTRACT(a_pinned_body_is_readable_after_its_row_and_view_are_gone)
{
    struct body b = { .key = "b", .bytes = STR("held") }, other = { .key = "c", .bytes = STR("other") };
    char out[4];

    CHECK_OK(meta_run(s->meta, put_body, &b));
    meta_pin(s->meta, b.place);
    CHECK_OK(meta_run(s->meta, drop_body, &b));
    for (int i = 0; i < 20; i++) {
        char *filler = calloc(1, 60 * KIB);
        other.bytes = str_of(filler, 60 * KIB);
        CHECK_OK(meta_run(s->meta, put_body, &other));
        CHECK_OK(meta_run(s->meta, drop_body, &other));
        free(filler);
    }
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK_OK(meta_read_body(s->meta, b.place, out));
    CHECK_STR(str_of(out, 4), STR("held"));
    meta_unpin(s->meta, b.place);
}

static struct err put_body_too_large(struct txn *txn, void *arg)
{
    struct place p;
    const struct str *body = arg;
    return txn_put_body(txn, SPACE_OBJECTS, STR("k"), *body, &p);
}

CONTRACT(a_body_has_a_limit)
{
    char *large = calloc(1, LIMIT_JOURNAL_BODY + 1);
    struct str body = str_of(large, LIMIT_JOURNAL_BODY + 1);
    CHECK_ERR(meta_run(s->meta, put_body_too_large, &body), ERR_TOO_LARGE);
    free(large);
}

/* ---- positions, answers ---- */

static struct err remember_number(struct txn *txn, void *arg)
{
    *(uint64_t *)arg = txn_number(txn);
    return txn_put(txn, SPACE_SYSTEM, STR("n"), STR("x"));
}

/* With several servers, once it is known of all. */
static void wait_until_viewed(const struct store *s, uint64_t number)
{
    const uint64_t deadline = clock_mono_ms() + 60000;

    while (meta_positions(s->meta).viewed_by_all < number) {
        CHECK(clock_mono_ms() < deadline);
        sched_yield();
    }
}

CONTRACT(transactions_are_numbered_and_positions_follow)
{
    uint64_t first = 0, second = 0, third = 0;
    CLEANUP(view_closep) struct rows *view = NULL;

    CHECK_OK(meta_run(s->meta, remember_number, &first));
    CHECK_OK(view_open(s->meta, &view));
    CHECK_OK(meta_run(s->meta, remember_number, &second));
    CHECK(second > first);
    CHECK(meta_positions(s->meta).published >= second);
    CHECK(meta_positions(s->meta).viewed_by_all < second);
    CHECK_OK(meta_checkpoint(s->meta));
    CHECK(meta_positions(s->meta).checkpointed >= second);
    view = view_close(view);
    wait_until_viewed(s, second);
    store_reopen(s);
    CHECK_OK(meta_run(s->meta, remember_number, &third));
    CHECK(third > second);
}

CONTRACT(numbers_begin_above_a_given_one_and_never_go_back_to_it)
{
    uint64_t first = 0, second = 0, third = 0;

    CHECK_OK(meta_run(s->meta, remember_number, &first));
    s->number_after = first + 1000000;
    store_reopen(s);
    CHECK_OK(meta_run(s->meta, remember_number, &second));
    CHECK(second > first + 1000000);
    wait_until_viewed(s, second);
    store_reopen(s);
    CHECK_OK(meta_run(s->meta, remember_number, &third));
    CHECK(third > second);
    s->number_after = 0;
    store_reopen(s);
    CHECK_OK(meta_run(s->meta, remember_number, &first));
    CHECK(first > third);
}

struct answer {
    struct meta_work work;
    struct row row;
    char key[16];
    _Atomic int calls;
    enum err_code code;
};

static struct err answer_fn(struct txn *txn, void *arg)
{
    return put_row(txn, &((struct answer *)arg)->row);
}

static void answer_done(void *arg, struct err e)
{
    struct answer *a = arg;
    a->code = e.code;
    atomic_fetch_add(&a->calls, 1);
}

/* M4, and meta_close finishes what was submitted. */
CONTRACT(every_submission_is_answered_once)
{
    enum { N = 1500 };
    struct answer *a = calloc(N, sizeof(*a));

    for (int i = 0; i < N; i++) {
        snprintf(a[i].key, sizeof(a[i].key), "k%d", i);
        a[i].row = (struct row){ SPACE_OBJECTS, a[i].key, "v" };
        a[i].work = (struct meta_work){
            .fn = answer_fn, .done = answer_done, .arg = &a[i], .is_background = i % 3 == 0
        };
        meta_submit(s->meta, &a[i].work);
    }
    store_reopen(s);
    for (int i = 0; i < N; i++) {
        CHECK_U64(atomic_load(&a[i].calls), 1);
        CHECK_U64(a[i].code, ERR_OK);
        CHECK_ROW(a[i].key, "v");
    }
    free(a);
}

CONTRACT(status_tells_what_was_done)
{
    struct meta_status status;

    CHECK_OK(put(s, "a", "1"));
    meta_status(s->meta, &status);
    CHECK(status.is_writable);
    CHECK_U64(status.transactions, 1);
    CHECK(status.batches >= 1);
    CHECK_STR(str_from_z(status.engine), str_from_z(s->engine->name));
    if (!s->engine->has_memtable) return;
    CHECK(status.memtable_rows == 1 && status.disk_total_bytes > 0);
    CHECK_U64(status.checkpoint_last_ms, 0);
    CHECK_OK(meta_checkpoint(s->meta));
    meta_status(s->meta, &status);
    CHECK_U64(status.memtable_rows, 0);
    CHECK(status.checkpoint_last_ms > 0);
}
