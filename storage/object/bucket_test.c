/* bucket_test.c - buckets come, go, and leave nothing for those of the same name. */
#include "storage/object/bucket.h"

#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/fixture_test.h"
#include "storage/object/garbage.h"
#include "tests/unit/test.h"

static struct err get(struct fixture *f, const char *name, struct bucket_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(f->store.meta, &view));
    TRY(bucket_get(view, str_from_z(name), f->arena, ret));
    ret->owner = arena_str(f->arena, ret->owner);
    ret->region = arena_str(f->arena, ret->region);
    for (size_t i = 0; i < ret->tag_count; i++) {
        struct pair *tag = (struct pair *)&ret->tags[i];
        *tag = (struct pair){ arena_str(f->arena, tag->name), arena_str(f->arena, tag->value) };
    }
    return OK;
}

TEST(a_bucket_is_made_once)
{
    struct fixture f;
    struct bucket_info info;

    fixture_open(&f);
    const int64_t before = clock_now_ms();
    CHECK_OK(bucket_create(&f.store, STR("made"), STR("me"), STR("eu-west-1")));
    CHECK_ERR(bucket_create(&f.store, STR("made"), STR("me"), STR("eu-west-1")), ERR_BUCKET_OWNED_BY_YOU);
    CHECK_ERR(bucket_create(&f.store, STR("made"), STR("you"), STR("eu-west-1")), ERR_EXISTS);
    CHECK_ERR(bucket_create(&f.store, STR("health"), STR("me"), STR_NONE), ERR_INVALID_BUCKET_NAME);

    fixture_reopen(&f);
    CHECK_OK(get(&f, "made", &info));
    CHECK_STR(info.owner, STR("me"));
    CHECK_STR(info.region, STR("eu-west-1"));
    CHECK(info.created_ms >= before && info.created_ms <= clock_now_ms());
    CHECK_U64(info.tag_count, 0);
    CHECK_ERR(get(&f, "other", &info), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(get(&f, "", &info), ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}

TEST(tags_of_a_bucket_replace_each_other)
{
    const struct pair tags[] = { { STR("team"), STR("ice") }, { STR("empty"), STR("") } };
    struct fixture f;
    struct bucket_info info;

    fixture_open(&f);
    CHECK_OK(bucket_set_tags(&f.store, STR("bucket"), tags, 2));
    CHECK_OK(get(&f, "bucket", &info));
    CHECK_U64(info.tag_count, 2);
    CHECK_STR(info.tags[0].value, STR("ice"));
    CHECK_STR(info.tags[1].name, STR("empty"));
    CHECK_STR(info.owner, STR("owner"));
    CHECK_OK(bucket_set_tags(&f.store, STR("bucket"), NULL, 0));
    CHECK_OK(get(&f, "bucket", &info));
    CHECK_U64(info.tag_count, 0);
    CHECK_ERR(bucket_set_tags(&f.store, STR("none"), tags, 2), ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}

TEST(a_bucket_goes_only_when_it_is_empty)
{
    struct fixture f;
    struct bucket_info info;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "k", STR("body")));
    CHECK_ERR(bucket_delete(&f.store, STR("bucket")), ERR_BUCKET_NOT_EMPTY);
    CHECK_OK(fixture_delete(&f, "k"));
    CHECK_OK(bucket_delete(&f.store, STR("bucket")));
    CHECK_ERR(bucket_delete(&f.store, STR("bucket")), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(get(&f, "bucket", &info), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(fixture_put(&f, "k", STR("body")), ERR_NO_SUCH_BUCKET);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 0);
    fixture_done(&f);
}

TEST(the_id_of_a_bucket_is_never_used_again)
{
    struct fixture f;
    struct bucket_info first, second;

    fixture_open(&f);
    CHECK_OK(bucket_create(&f.store, STR("again"), STR("me"), STR_NONE));
    CHECK_OK(get(&f, "again", &first));
    CHECK_OK(bucket_delete(&f.store, STR("again")));
    fixture_reopen(&f);
    CHECK_OK(bucket_create(&f.store, STR("again"), STR("me"), STR_NONE));
    CHECK_OK(get(&f, "again", &second));
    CHECK(second.id > first.id);
    fixture_done(&f);
}

static struct err put_upload_row(struct txn *txn, void *arg)
{
    uint8_t key[8 + 20] = { 0 };

    put_be64(key, *(const uint64_t *)arg);
    return txn_put(txn, SPACE_UPLOADS, str_of(key, sizeof(key)), STR("upload"));
}

TEST(open_uploads_of_a_deleted_bucket_are_left_to_the_background)
{
    struct fixture f;
    struct bucket_info info;
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, row;
    struct garbage g;

    fixture_open(&f);
    CHECK_OK(get(&f, "bucket", &info));
    CHECK_OK(meta_run(f.store.meta, put_upload_row, &info.id));
    CHECK_OK(bucket_delete(&f.store, STR("bucket")));

    CHECK_OK(view_open(f.store.meta, &view));
    rows_scan_begin(&scan, view, SPACE_GARBAGE, STR_NONE, false);
    CHECK(rows_scan_next(&scan, &key, &row));
    CHECK_OK(garbage_decode(key, row, &g));
    CHECK(!rows_scan_next(&scan, &key, &row));
    rows_scan_done(&scan);
    view = view_close(view);
    CHECK_U64(g.kind, GARBAGE_BUCKET);
    CHECK_U64(g.bucket_id, info.id);
    CHECK(garbage_is_ripe(f.store.meta, &g));
    fixture_done(&f);
}

/* A bucket that is deleted while others write into it: either it was empty then, and every later PUT is
 * refused; or it is there. */
struct racer {
    struct fixture *f;
    struct err outcome;
    int number;
    char why[100];
};

static void put_racing(void *arg)
{
    struct racer *r = arg;
    char key[20];

    snprintf(key, sizeof(key), "key-%d", r->number);
    struct object_put put = { .store = &r->f->store, .bucket = STR("bucket"), .key = str_from_z(key) };
    r->outcome = err_keep(meta_run(r->f->store.meta, object_put_fn, &put), r->why, sizeof(r->why));
}

TEST(a_put_never_lands_in_a_deleted_bucket)
{
    enum { PUTTERS = 4, ROUNDS = 20 };
    struct fixture f;
    struct bucket_info info;

    fixture_open(&f);
    for (int round = 0; round < ROUNDS; round++) {
        struct racer racers[PUTTERS];
        pthread_t threads[PUTTERS];
        int landed = 0;

        for (int i = 0; i < PUTTERS; i++) {
            racers[i] = (struct racer){ .f = &f, .number = i };
            CHECK_OK(thread_start("putter", put_racing, &racers[i], &threads[i]));
        }
        const struct err deleted = bucket_delete(&f.store, STR("bucket"));
        for (int i = 0; i < PUTTERS; i++) {
            thread_join(threads[i]);
            landed += racers[i].outcome.code == ERR_OK;
            CHECK(racers[i].outcome.code == ERR_OK || racers[i].outcome.code == ERR_NO_SUCH_BUCKET);
        }
        CHECK(deleted.code == ERR_OK || deleted.code == ERR_BUCKET_NOT_EMPTY);
        CHECK((deleted.code == ERR_OK) == (get(&f, "bucket", &info).code == ERR_NO_SUCH_BUCKET));
        CHECK_U64(fixture_count(&f, SPACE_OBJECTS), landed);
        if (!deleted.code) CHECK_U64(landed, 0);
        if (!deleted.code) CHECK_OK(bucket_create(&f.store, STR("bucket"), STR("owner"), STR_NONE));
        for (int i = 0; i < PUTTERS; i++) {
            char key[20];
            snprintf(key, sizeof(key), "key-%d", i);
            CHECK_OK(fixture_delete(&f, key));
        }
    }
    fixture_done(&f);
}

static void check_names(struct fixture *f, const char *prefix, const char *after, const char *want)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_iter it;
    struct bucket_info info;
    struct str name;
    char got[200] = "";

    CHECK_OK(view_open(f->store.meta, &view));
    bucket_iter_begin(&it, view, str_from_z(prefix), str_from_z(after), f->arena);
    while (bucket_iter_next(&it, &name, &info)) {
        CHECK_STR(info.owner, STR("owner"));
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s ", STR_ARG(name));
    }
    bucket_iter_done(&it);
    CHECK_OK(it.err);
    CHECK_STR(str_from_z(got), str_from_z(want));
}

TEST(buckets_are_listed_by_name_from_behind_one)
{
    static const char *const names[] = { "alpha", "beta", "beta.2", "beta-3", "gamma" };
    struct fixture f;

    fixture_open(&f);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CHECK_OK(bucket_create(&f.store, str_from_z(names[i]), STR("owner"), STR_NONE));

    check_names(&f, "", "", "alpha beta beta-3 beta.2 bucket gamma ");
    check_names(&f, "beta", "", "beta beta-3 beta.2 ");
    check_names(&f, "", "beta", "beta-3 beta.2 bucket gamma ");
    check_names(&f, "", "beta!", "beta-3 beta.2 bucket gamma ");
    check_names(&f, "beta", "beta-3", "beta.2 ");
    check_names(&f, "beta", "alpha", "beta beta-3 beta.2 ");
    check_names(&f, "beta", "gamma", "");
    check_names(&f, "x", "", "");
    check_names(&f, "", "gamma", "");
    fixture_done(&f);
}
