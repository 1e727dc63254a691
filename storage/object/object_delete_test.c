/* object_delete_test.c - deleting one object, or many. */
#include "storage/object/object_delete.h"

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/object/fixture_test.h"
#include "storage/object/garbage.h"
#include "tests/unit/test.h"

static struct err run(struct fixture *f, struct object_delete *d)
{
    d->store = &f->store;
    d->bucket = STR("bucket");
    return meta_run_freeing(f->store.meta, object_delete_fn, d);
}

TEST(deleting_nothing_is_fine)
{
    struct fixture f;
    struct object_delete d = { .key = STR("k"), .was_there = true };

    fixture_open(&f);
    CHECK_OK(run(&f, &d));
    CHECK(!d.was_there);
    CHECK_OK(fixture_put(&f, "k", STR("body")));
    CHECK_OK(run(&f, &d));
    CHECK(d.was_there);
    CHECK_OK(run(&f, &d));
    CHECK(!d.was_there);
    fixture_done(&f);
}

TEST(what_was_deleted_leaves_nothing)
{
    struct fixture f;
    struct blob_status status;
    struct str got;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "small", fixture_body(&f, 1, 1000)));
    CHECK_OK(fixture_put(&f, "large", fixture_body(&f, 2, 200 * KIB)));
    CHECK_OK(fixture_delete(&f, "small"));
    CHECK_OK(fixture_delete(&f, "large"));
    CHECK_ERR(fixture_get(&f, "small", &got), ERR_NO_SUCH_KEY);
    CHECK_ERR(fixture_get(&f, "large", &got), ERR_NO_SUCH_KEY);
    fixture_settle(&f);
    CHECK_U64(fixture_count(&f, SPACE_OBJECTS), 0);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 0);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), 0);
    blob_status(f.store.blobs, &status);
    CHECK_U64(status.bytes_live, 0);
    fixture_done(&f);
}

TEST(a_delete_may_have_conditions)
{
    struct fixture f;
    struct object_info info;
    char etag[ETAG_SIZE], time[CLOCK_HTTP_SIZE];

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "k", STR("body")));
    CHECK_OK(fixture_stat(&f, "k", &info));
    object_etag(&info, etag);
    clock_http(info.mtime_ms, time);

    const struct {
        const char *key, *if_match, *size, *mtime;
        enum err_code code;
    } rows[] = {
        { "none", "*", NULL, NULL, ERR_NO_SUCH_KEY },
        { "none", NULL, "4", NULL, ERR_NO_SUCH_KEY },
        { "none", NULL, NULL, time, ERR_NO_SUCH_KEY },
        { "k", "\"other\"", NULL, NULL, ERR_PRECONDITION },
        { "k", NULL, "5", NULL, ERR_PRECONDITION },
        { "k", NULL, "four", NULL, ERR_PRECONDITION },
        { "k", NULL, "", NULL, ERR_PRECONDITION },
        { "k", NULL, NULL, "Sat, 21 Nov 2015 09:30:00 GMT", ERR_PRECONDITION },
        { "k", NULL, NULL, "then", ERR_PRECONDITION },
        { "k", etag, "5", NULL, ERR_PRECONDITION },
        { "k", etag, "4", time, ERR_OK },
        { "k", etag, NULL, NULL, ERR_NO_SUCH_KEY }, /* it is gone now */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct object_delete d = {
            .key = str_from_z(rows[i].key),
            .conditions = { .if_match = str_from_z(rows[i].if_match) },
            .if_match_size = str_from_z(rows[i].size),
            .if_match_mtime = str_from_z(rows[i].mtime),
        };
        const struct err e = run(&f, &d);
        if (e.code != rows[i].code) test_fail(__FILE__, __LINE__, "row %zu: %s", i, err_name(e.code));
    }
    fixture_done(&f);
}

TEST(an_object_in_parts_is_left_to_the_background)
{
    static const size_t sizes[] = { 5000, 6000 };
    struct fixture f;

    fixture_open(&f);
    CHECK_OK(fixture_put_parts(&f, "k", fixture_body(&f, 1, 11000), sizes, 2));
    CHECK_OK(fixture_delete(&f, "k"));
    CHECK_U64(fixture_count(&f, SPACE_OBJECTS), 0);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 1);
    fixture_check_references(&f); /* through the garbage */
    fixture_reopen(&f);
    fixture_settle(&f);
    fixture_check_references(&f); /* the map is read: its bytes have a referrer */
    fixture_done(&f);
}

TEST(many_keys_have_an_outcome_each)
{
    enum { COUNT = 350 };
    struct fixture f;
    struct delete_item items[COUNT];
    char keys[COUNT][20], long_key[LIMIT_KEY + 1];

    fixture_open(&f);
    memset(long_key, 'k', sizeof(long_key));
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key-%03d", i / 2 * 2); /* every key twice */
        items[i] = (struct delete_item){ .key = str_from_z(keys[i]),
                                         .outcome = FAIL(ERR_INTERNAL, "not set") };
        if (i % 2 == 0 && i % 10)
            CHECK_OK(fixture_put(&f, keys[i], i % 50 ? STR("small") : fixture_body(&f, 1, 10000)));
    }
    items[4].if_match = STR("\"other\"");
    items[5].if_match = STR("\"other\"");
    items[7].key = str_of(long_key, sizeof(long_key));
    items[9].key = STR_NONE;
    items[11].if_match = STR("*"); /* its twin before it has deleted the key */

    CHECK_OK(object_delete_many(&f.store, STR("bucket"), items, COUNT, f.arena));
    for (int i = 0; i < COUNT; i++) {
        const enum err_code want = i == 4 || i == 5 ? ERR_PRECONDITION
            : i == 7                                ? ERR_KEY_TOO_LONG
            : i == 9                                ? ERR_INVALID_URI
            : i == 11                               ? ERR_NO_SUCH_KEY
                                                    : ERR_OK;
        if (items[i].outcome.code != want)
            test_fail(__FILE__, __LINE__, "item %d: %s", i, err_name(items[i].outcome.code));
    }
    CHECK_U64(fixture_count(&f, SPACE_OBJECTS), 1);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 0);
    CHECK_ERR(object_delete_many(&f.store, STR("none"), items, COUNT, f.arena), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(object_delete_many(&f.store, STR("none"), NULL, 0, f.arena), ERR_NO_SUCH_BUCKET);
    CHECK_OK(object_delete_many(&f.store, STR("bucket"), NULL, 0, f.arena));
    fixture_done(&f);
}
