/* clear_test.c - taking apart what was left behind, whatever the order, the number and the interruptions. */
#include "storage/object/multipart.h"

#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/garbage.h"
#include "storage/object/object_get.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

TEST(there_is_nothing_to_clear_in_a_new_store)
{
    struct fixture f;
    bool is_more = true;

    fixture_open(&f);
    CHECK_OK(multipart_clear(&f.store, &is_more));
    CHECK(!is_more);
    fixture_done(&f);
}

TEST(an_upload_of_many_parts_is_cleared_in_slices)
{
    struct fixture f;
    struct uid id;
    bool is_more = true;
    int calls = 0;

    fixture_open(&f);
    f.store.small_body_max = 16;
    CHECK_OK(upload_begin(&f, "key", &id));
    for (uint32_t n = 1; n <= 200; n++)
        CHECK_OK(upload_put(&f, "key", id, n, fixture_body(&f, n, n % 2 ? 10 : 20)));
    CHECK_OK(upload_give_up(&f, "key", id));
    for (; is_more; calls++) {
        CHECK_OK(multipart_clear(&f.store, &is_more));
        upload_check_references(&f);
        if (calls % 2) fixture_reopen(&f);
    }
    CHECK(calls > 3);
    upload_check_empty(&f);
    fixture_done(&f);
}

TEST(a_deleted_buckets_uploads_are_cleared)
{
    const struct upload_info what = { .owner = STR("owner") };
    struct fixture f;

    fixture_open(&f);
    for (uint32_t i = 0; i < 150; i++) {
        char key[20];
        struct uid id;
        snprintf(key, sizeof(key), "key %u", i % 50);
        CHECK_OK(upload_begin(&f, key, &id));
        if (i % 10 == 0)
            CHECK_OK(upload_put(&f, key, id, 1, fixture_body(&f, i, i % 20 ? 10 : FIXTURE_LARGE)));
    }
    CHECK_OK(bucket_create(&f.store, STR("stays"), STR("owner"), STR_NONE));
    struct uid stays;
    CHECK_OK(upload_create(&f.store, STR("stays"), STR("key"), &what, &stays));

    CHECK_OK(bucket_delete(&f.store, STR("bucket")));
    upload_clear(&f);
    CHECK_U64(fixture_count(&f, SPACE_UPLOADS), 1);
    CHECK_OK(upload_abort(&f.store, STR("stays"), STR("key"), stays));
    upload_check_empty(&f);
    fixture_done(&f);
}

/* A part map goes only when nobody reads by it (garbage.h). */
TEST(an_object_in_parts_that_is_being_read_is_not_taken_apart)
{
    const size_t sizes[] = { FIXTURE_LARGE, FIXTURE_LARGE };
    struct object_reader *reader;
    struct object_info info;
    struct rows *view;
    struct fixture f;
    bool is_more;
    char byte;

    fixture_open(&f);
    CHECK_OK(fixture_put_parts(&f, "key", fixture_body(&f, 1, 2 * FIXTURE_LARGE), sizes, 2));
    CHECK_OK(fixture_stat(&f, "key", &info));
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(object_reader_open(&f.store, view, &info, &reader));
    view_close(view);
    CHECK_OK(fixture_delete(&f, "key"));

    CHECK_OK(multipart_clear(&f.store, &is_more));
    CHECK(!is_more);
    fixture_settle(&f);
    CHECK_OK(object_read(reader, FIXTURE_LARGE, &byte, 1));
    object_reader_close(reader);
    upload_check_empty(&f);
    fixture_done(&f);
}

/* ---- two at once ---- */

static void clear_all(void *arg)
{
    struct fixture *f = arg;
    bool is_more = true;

    while (is_more) CHECK_OK(multipart_clear(&f->store, &is_more));
}

TEST(clearing_may_be_done_by_two_at_once)
{
    const size_t sizes[] = { 30, 30, 30, 30, 30, 30, 30, 30 };
    struct fixture f;
    pthread_t threads[2];
    struct uid id;

    fixture_open(&f);
    f.store.small_body_max = 16;
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_OK(fixture_put_parts(&f, "object", fixture_body(&f, i, 240), sizes, 8));
        CHECK_OK(upload_begin(&f, "key", &id));
        for (uint32_t n = 1; n <= 70; n += 3)
            CHECK_OK(upload_put(&f, "key", id, n, fixture_body(&f, n, n % 2 ? 10 : 20)));
        CHECK_OK(upload_give_up(&f, "key", id));
    }
    for (int i = 0; i < 2; i++) CHECK_OK(thread_start("clear", clear_all, &f, &threads[i]));
    for (int i = 0; i < 2; i++) thread_join(threads[i]);
    CHECK_OK(fixture_delete(&f, "object"));
    upload_check_empty(&f);
    fixture_done(&f);
}
