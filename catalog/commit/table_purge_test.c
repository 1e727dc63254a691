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
