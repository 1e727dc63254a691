/*
 * table_purge_test.c - purges of tables whose files lie at another endpoint. Those of files here: catalog_test.c.
 */
#include "catalog/commit/far_test.h"
#include "catalog/commit/warehouse.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

/* Until nothing is due. */
static void purge_all(struct far *w)
{
    bool more = true;

    while (more) CHECK_OK(purge_step(&w->store, &more));
}

TEST(a_purge_deletes_the_files_of_that_table_alone)
{
    struct far w;
    struct table_info t, other;
    char path[300];

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    CHECK_OK(far_create(&w, "other", false, &other));
    for (int i = 0; i < LIMIT_REMOTE_PAGE + 20; i++) { /* two pages */
        (void)snprintf(path, sizeof(path), "/%.*s/data/%d", STR_ARG(str_from(t.location, 5)), i);
        fake_s3_put(&w.fake, path, STR("bytes"));
    }
    (void)snprintf(path, sizeof(path), "/%.*s-2/data", STR_ARG(str_from(t.location, 5)));
    fake_s3_put(&w.fake, path, STR("not below it"));
    const struct table_ident ident_t = far_ident("t");
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    far_stop(&w); /* it survives this */
    CHECK_OK(far_start(&w));
    purge_all(&w);
    CHECK_U64(fake_s3_count(&w.fake), 2);
    CHECK(fake_s3_find(&w.fake, path, w.arena).data);
    far_close(&w);
}

TEST(a_purge_waits_for_its_endpoint_and_needs_no_catalog)
{
    struct far w;
    struct table_info t;
    bool more = false;
    const struct ns_path n = { .levels = { STR("n") }, .count = 1 };
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    CHECK_OK(ns_drop(&w.store, STR("far"), &n, &far_actor));
    CHECK_OK(catalog_drop(&w.store, STR("far"), NULL, &far_actor));
    w.fake.fail_status = 503;
    w.fake.fail_next = 1000;
    CHECK_ERR(purge_step(&w.store, &more), ERR_UNAVAILABLE);
    w.fake.fail_next = 0;
    CHECK_OK(purge_step(&w.store, &more));
    CHECK(!more); /* not due yet */
    clock_set_offset_ms(60 * 1000);
    far_give_keys(&w); /* without memory of the failure */
    purge_all(&w);
    CHECK_U64(fake_s3_count(&w.fake), 0);
    far_close(&w);
}

/* The listing of a bucket that is gone ends a purge; a proxy's 404 is not that. */
TEST(a_purge_does_not_take_a_proxys_404_for_a_bucket_that_is_gone)
{
    struct far w;
    struct table_info t;
    bool more = false;
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    w.fake.fail_status = 404;
    w.fake.fail_page = "<html>404 Not Found</html>";
    w.fake.fail_next = 1000;
    CHECK_ERR(purge_step(&w.store, &more), ERR_UNAVAILABLE);
    w.fake.fail_next = 0;
    clock_set_offset_ms(60 * 1000);
    far_give_keys(&w); /* without memory of the failure */
    purge_all(&w);
    CHECK_U64(fake_s3_count(&w.fake), 0);
    far_close(&w);
}

/* Steps until nothing is due; how many failed. Rests are over then, as if their time had passed. */
static int purge_steps(struct far *w)
{
    int failures = 0;
    bool more = true;

    for (int i = 0; more && i < 300; i++) failures += purge_step(&w->store, &more).code != ERR_OK;
    if (failures) far_give_keys(w);
    return failures;
}

static bool has_purges(struct far *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;

    CHECK_OK(view_open(w->store.meta, &view));
    rows_scan_begin(&scan, view, SPACE_PURGES, STR_NONE, false);
    const bool has = rows_scan_next(&scan, &key, &value);
    CHECK_OK(scan.err);
    rows_scan_done(&scan);
    return has;
}

#define HOUR_MS (3600 * 1000)

TEST(a_purge_goes_on_behind_a_file_that_is_denied_and_comes_back_to_it)
{
    struct far w;
    struct table_info t;
    char path[300];
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof(path), "/%.*s/data/%d", STR_ARG(str_from(t.location, 5)), i);
        fake_s3_put(&w.fake, path, STR("bytes"));
        if (i == 2) w.fake.fail_path = arena_z(w.arena, str_from_z(path));
    }
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    w.fake.fail_status = 403;
    w.fake.fail_code = "AccessDenied";
    w.fake.fail_next = 1000;
    CHECK_U64(purge_steps(&w), 1);
    CHECK_U64(w.fake.fail_next, 999);
    clock_set_offset_ms(60 * 1000);
    CHECK_U64(purge_steps(&w), 0);
    CHECK_U64(w.fake.fail_next, 999);
    CHECK_U64(fake_s3_count(&w.fake), 1); /* the one that was denied */
    CHECK(has_purges(&w));                /* and the purge knows of it */
    w.fake.fail_next = 0;
    clock_set_offset_ms(2 * HOUR_MS);
    CHECK_U64(purge_steps(&w), 0);
    CHECK_U64(fake_s3_count(&w.fake), 0);
    CHECK(!has_purges(&w));
    far_close(&w);
}

/* Who may list and not delete: the pauses grow, or the bucket would rest all the time, and other tables of it would wait. */
TEST(a_purge_of_which_everything_is_denied_is_tried_less_and_less)
{
    struct far w;
    struct table_info t;
    char path[300];
    int failures = 0;
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    for (int i = 0; i < 50; i++) {
        (void)snprintf(path, sizeof(path), "/%.*s/data/%d", STR_ARG(str_from(t.location, 5)), i);
        fake_s3_put(&w.fake, path, STR("bytes"));
    }
    (void)snprintf(path, sizeof(path), "/%.*s/*", STR_ARG(str_from(t.location, 5)));
    w.fake.fail_path = path;
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    w.fake.fail_status = 403;
    w.fake.fail_code = "AccessDenied";
    w.fake.fail_next = 1000;
    for (int minute = 0; minute < 3 * 60; minute++) {
        clock_set_offset_ms(minute * 60 * 1000);
        failures += purge_steps(&w);
    }
    CHECK(failures >= 7 && failures <= 10); /* 30 s, 1 min, 2, 4, 8, 16, 32, 60, 60 */
    far_close(&w);
}

/* The table's files, more than a page of them. */
static void put_two_pages(struct far *w, const struct table_info *t)
{
    char path[300];

    for (int i = 0; i < LIMIT_REMOTE_PAGE + 20; i++) {
        (void)snprintf(path, sizeof(path), "/%.*s/data/%d", STR_ARG(str_from(t->location, 5)), i);
        fake_s3_put(&w->fake, path, STR("bytes"));
    }
}

/* Who may delete and not list. A page that went is the end of that: the next failure is a first one again. */
TEST(a_purge_whose_place_may_not_be_listed_is_tried_less_and_less)
{
    struct far w;
    struct table_info t;
    int failures = 0;
    bool more = false;
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    put_two_pages(&w, &t);
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    w.fake.fail_path = "/lake";
    w.fake.fail_status = 403;
    w.fake.fail_code = "AccessDenied";
    w.fake.fail_next = 1000;
    for (int minute = 0; minute < 3 * 60 && failures < 20; minute++) {
        clock_set_offset_ms(minute * 60 * 1000);
        failures += purge_steps(&w);
    }
    CHECK(failures >= 7 && failures <= 10); /* 30 s, 1 min, 2, 4, 8, 16, 32, 60, 60 */
    w.fake.fail_next = 0;
    clock_set_offset_ms(5 * HOUR_MS);
    CHECK_OK(purge_step(&w.store, &more));
    w.fake.fail_next = 2;
    CHECK_U64(purge_steps(&w), 1);
    clock_set_offset_ms(5 * HOUR_MS + 45 * 1000);
    CHECK_U64(purge_steps(&w), 1);
    clock_set_offset_ms(5 * HOUR_MS + 60 * 1000);
    CHECK_U64(purge_steps(&w), 0);
    CHECK(has_purges(&w));
    clock_set_offset_ms(5 * HOUR_MS + 120 * 1000);
    CHECK_U64(purge_steps(&w), 0);
    CHECK(!has_purges(&w));
    CHECK_U64(fake_s3_count(&w.fake), 0);
    far_close(&w);
}

static struct err bad_purges_fn(struct txn *txn, void *arg)
{
    const struct far *w = arg;
    char key[16] = { 0 };
    CLEANUP(json_freep)
    json_t *nowhere = json_pack("{s:s, s:[s], s:{s:s}}", "owner", "nobody", "places", "@lake/x/", "storage",
                                "endpoint", "nonsense");
    CLEANUP(json_freep)
    json_t *lost = json_pack("{s:s, s:[s], s:{s:s}, s:s}", "owner", "nobody", "places", "@lake/y/", "storage",
                             "endpoint", w->fake.url, "place", "first");

    TRY(txn_put(txn, SPACE_PURGES, str_of(key, sizeof(key)), STR("[]")));
    key[15] = 1;
    TRY(entity_put(txn, SPACE_PURGES, str_of(key, sizeof(key)), nowhere));
    key[15] = 2;
    return entity_put(txn, SPACE_PURGES, str_of(key, sizeof(key)), lost);
}

/* Rows before it in the space: one that is damaged, one whose endpoint is no address, one that does not say how far it got. */
TEST(a_purge_behind_others_that_cannot_be_done_is_done)
{
    struct far w;
    struct table_info t;
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    CHECK_OK(meta_run(w.store.meta, bad_purges_fn, &w));
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    CHECK(purge_steps(&w) >= 3); /* each was told */
    CHECK_U64(fake_s3_count(&w.fake), 0);
    far_close(&w);
}

static struct err put_purge(struct txn *txn, uint8_t number, const char *endpoint, int64_t not_before_ms)
{
    char key[16] = { 0 };
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:s, s:[s], s:{s:s}, s:I}", "owner", "nobody", "places", "@lake/x/", "storage",
                             "endpoint", endpoint, "not-before-ms", (json_int_t)not_before_ms);

    key[15] = (char)number;
    return entity_put(txn, SPACE_PURGES, str_of(key, sizeof(key)), json);
}

/* The endpoint of the first two is no address. The last waits the longest. */
static struct err waiting_purges_fn(struct txn *txn, void *arg)
{
    const struct far *w = arg;

    TRY(put_purge(txn, 0, "nonsense", 3000));
    TRY(put_purge(txn, 1, "nonsense", 2000));
    return put_purge(txn, 2, w->fake.url, 1000);
}

/* There may be so many purges of a dead endpoint that the first is due again before the last had its turn. */
TEST(of_purges_that_are_due_the_one_that_waits_the_longest_is_next)
{
    struct far w;
    struct table_info t;
    bool more = false;
    const struct table_ident ident_t = far_ident("t");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &t));
    CHECK_OK(meta_run(w.store.meta, waiting_purges_fn, &w));
    fake_s3_put(&w.fake, "/lake/x/file", STR("bytes"));
    CHECK_OK(purge_step(&w.store, &more));
    CHECK_U64(fake_s3_count(&w.fake), 1); /* the table's metadata */
    CHECK_OK(table_drop(&w.store, STR("far"), &ident_t, true, &far_actor));
    CHECK_OK(purge_step(&w.store, &more)); /* one that was never put off comes before all others */
    CHECK_U64(fake_s3_count(&w.fake), 0);
    far_close(&w);
}
