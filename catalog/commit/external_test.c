/*
 * external_test.c - catalogs whose files lie at another S3 endpoint: whose they are, what is written there, and that nothing of it is lost or left behind.
 */
#include "catalog/commit/far_test.h"
#include "catalog/commit/warehouse.h"

#include <errno.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

static bool is_external(struct far *w, const char *name)
{
    struct catalog_info info;

    CHECK_OK(catalog_get(&w->store, str_from_z(name), w->arena, &info));
    return info.is_external;
}

/* ---- whose a catalog is ---- */

TEST(a_bucket_that_is_here_is_ours_whatever_the_endpoint)
{
    struct far w;

    far_begin(&w);
    CHECK_OK(bucket_create(&w.store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(far_make_at(&w, "c", "s3://lake", w.fake.url));
    CHECK(!is_external(&w, "c"));
    CHECK_U64(w.fake.requests, 0);
    far_close(&w);
}

TEST(a_bucket_that_is_there_makes_an_external_catalog)
{
    struct far w;
    char text[256];

    far_begin(&w);
    CHECK_OK(far_make_at(&w, "c", "s3://lake/base", w.fake.url));
    CHECK(is_external(&w, "c"));
    CHECK_ERR(far_make_at(&w, "d", "s3://lake/base/below", w.fake.url), ERR_INVALID);
    /* What clients find under one name the server may find under another. */
    (void)snprintf(text, sizeof(text), "\"endpoint\":\"http://nobody.invalid\",\"endpointInternal\":\"%s\"",
                   w.fake.url);
    CHECK_OK(far_make(&w, "e", "s3://lake/other", text));
    far_close(&w);
}

TEST(a_bucket_that_is_nowhere_makes_no_catalog)
{
    struct far w;
    struct catalog_info info;

    far_begin(&w);
    CHECK_ERR(far_make_at(&w, "c", "s3://nowhere", w.fake.url), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(far_make(&w, "c", "s3://lake", ""), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(far_make_at(&w, "c", "s3://lake", "nonsense"), ERR_INVALID);
    char text[256];
    (void)snprintf(text, sizeof(text), "\"endpoint\":\"%s\",\"storageName\":\"unknown\"", w.fake.url);
    const struct err e = far_make(&w, "c", "s3://lake", text);
    CHECK_ERR(e, ERR_NO_SUCH_BUCKET);
    CHECK(str_contains(str_from_z(e.why), STR("external-credentials")));
    w.fake.fail_status = 403;
    w.fake.fail_next = 1;
    const struct err refused = far_make_at(&w, "c", "s3://lake", w.fake.url);
    CHECK_ERR(refused, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(refused.why), STR("is not in this store")));
    CHECK(str_contains(str_from_z(refused.why), STR("it answered 403")));
    w.store.remote = remote_free(w.store.remote);
    CHECK_ERR(far_make_at(&w, "c", "s3://lake", w.fake.url), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(catalog_get(&w.store, STR("c"), w.arena, &info), ERR_NO_SUCH_WAREHOUSE);
    far_close(&w);
}

TEST(an_external_catalog_keeps_an_endpoint_and_moves_only_by_who_may)
{
    struct far w;
    struct catalog_info info;

    far_open(&w);
    CLEANUP(json_freep) json_t *none = json_pack("{s:s}", "storageType", "S3");
    CLEANUP(json_freep)
    json_t *other = json_pack("{s:s, s:s}", "storageType", "S3", "endpoint", "http://other");
    struct catalog_change change = { .version = 1, .storage = none, .may_move = true };
    CHECK_ERR(catalog_update(&w.store, STR("far"), &change, &far_actor, w.arena, &info), ERR_INVALID);
    change = (struct catalog_change){ .version = 1, .storage = other };
    CHECK_ERR(catalog_update(&w.store, STR("far"), &change, &far_actor, w.arena, &info), ERR_DENIED);
    change.may_move = true;
    CHECK_OK(catalog_update(&w.store, STR("far"), &change, &far_actor, w.arena, &info));
    CHECK(info.is_external && is_external(&w, "far"));
    far_close(&w);
}

/* ---- tables ---- */

static struct err set_property(struct far *w, struct arena *arena, const char *table, const char *name,
                               struct table_info *ret)
{
    char text[256];
    CLEANUP(json_freep) json_t *updates = NULL;
    struct table_change change = { .ident = far_ident(table) };

    (void)snprintf(text, sizeof(text), "[{\"action\":\"set-properties\",\"updates\":{\"%s\":\"1\"}}]", name);
    CHECK_OK(json_parse(str_from_z(text), &updates));
    change.updates = updates;
    return table_commit(&w->store, STR("far"), &change, 1, &far_actor, arena, ret);
}

static struct err load(struct far *w, const char *name, struct table_info *ret)
{
    const struct table_ident t = far_ident(name);
    return table_load(&w->store, STR("far"), &t, w->arena, ret);
}

/* "/lake/..." of "s3://lake/...": where the fake has it. */
static const char *path_of(struct far *w, struct str location)
{
    return arena_z(w->arena, arena_join(w->arena, STR("/"), str_from(location, 5)));
}

TEST(a_table_s_metadata_lies_there_and_its_row_here)
{
    struct far w;
    struct table_info made, changed, got;

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &made));
    CHECK(str_starts(made.metadata_location, STR("s3://lake/base/n/t-")));
    CHECK(made.is_external && str_starts(made.places[0], STR("lake/base/n/t-")));
    CHECK_STR(fake_s3_find(&w.fake, path_of(&w, made.metadata_location), w.arena), made.metadata);
    CHECK_OK(set_property(&w, w.arena, "t", "p", &changed));
    CHECK_U64(fake_s3_count(&w.fake), 2);
    CHECK_OK(load(&w, "t", &got));
    CHECK_STR(got.metadata, changed.metadata);
    CHECK_STR(got.metadata_location, changed.metadata_location);
    CHECK_U64(w.fake.gets, 0); /* what was written is in memory */
    far_give_keys(&w);         /* as after a restart */
    for (int i = 0; i < 3; i++) CHECK_OK(load(&w, "t", &got));
    CHECK_STR(got.metadata, changed.metadata);
    CHECK_U64(w.fake.gets, 1);
    far_close(&w);
}

TEST(no_object_of_this_store_is_ever_in_its_place)
{
    struct far w;
    struct table_info made;
    struct str uuid;
    bool more = true;

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &made));
    CHECK_OK(bucket_create(&w.store, STR("lake"), STR("root"), STR_NONE));
    CLEANUP(view_closep) struct rows *view = NULL;
    CHECK_OK(view_open(w.store.meta, &view));
    CHECK_ERR(table_of_key(view, STR("lake"), str_from(made.metadata_location, 10), w.arena, &uuid),
              ERR_NOT_FOUND);
    view = view_close(view);
    /* Two tables still do not share one. */
    char text[600];
    json_t *request = NULL;
    const struct table_ident t = far_ident("u");
    (void)snprintf(text, sizeof(text), "{\"name\":\"u\",\"location\":\"%.*s/below\"," FAR_SCHEMA "}",
                   STR_ARG(made.location));
    CHECK_OK(json_parse(str_from_z(text), &request));
    CHECK_ERR(table_create(&w.store, STR("far"), &t.ns, request, false, &far_actor, w.arena, &made),
              ERR_LOCATION_TAKEN);
    json_decref(request);
    CHECK_U64(fake_s3_count(&w.fake), 1); /* the refused one's file is gone again */
    const struct table_ident mine = far_ident("t");
    CHECK_OK(table_drop(&w.store, STR("far"), &mine, false, &far_actor));
    CHECK_OK(purge_step(&w.store, &more));
    CHECK(!more);
    CHECK_OK(far_create(&w, "t", false, &made));
    far_close(&w);
}

TEST(a_table_is_staged_registered_and_renamed)
{
    struct far w;
    struct table_info made, info;
    const struct table_ident t = far_ident("t"), u = far_ident("u"), r = far_ident("r");

    far_open(&w);
    CHECK_OK(far_create(&w, "t", true, &info));
    CHECK_U64(w.fake.puts, 0);
    CHECK_OK(far_create(&w, "t", false, &made));
    CHECK_OK(table_rename(&w.store, STR("far"), &t, &u, &far_actor));
    CHECK_OK(load(&w, "u", &info));
    CHECK_OK(table_drop(&w.store, STR("far"), &u, false, &far_actor));
    CHECK_ERR(table_register(&w.store, STR("far"), &r, STR("s3://lake/base/none.json"), false, &far_actor,
                             w.arena, &info),
              ERR_INVALID);
    CHECK_OK(
        table_register(&w.store, STR("far"), &r, made.metadata_location, false, &far_actor, w.arena, &info));
    CHECK_STR(info.metadata, made.metadata);
    CHECK_OK(load(&w, "r", &info));
    far_close(&w);
}

TEST(views_are_there_too)
{
    static const char text[] =
        "{\"name\":\"v\",\"schema\":{\"type\":\"struct\",\"fields\":[]},\"view-version\":{\"version-id\":1,\"timestamp-ms\":1,\"schema-id\":0,"
        "\"summary\":{},\"representations\":[{\"type\":\"sql\",\"sql\":\"select 1\",\"dialect\":\"x\"}],\"default-namespace\":[\"n\"]}}";
    struct far w;
    struct table_info made, info;
    struct table_ident v = far_ident("v");
    CLEANUP(json_freep) json_t *request = NULL;

    far_open(&w);
    v.kind = METADATA_VIEW;
    CHECK_OK(json_parse(str_from_z(text), &request));
    CHECK_OK(view_create(&w.store, STR("far"), &v.ns, request, &far_actor, w.arena, &made));
    CHECK_U64(fake_s3_count(&w.fake), 1);
    CHECK_OK(table_load(&w.store, STR("far"), &v, w.arena, &info));
    CHECK_STR(info.metadata, made.metadata);
    CHECK_OK(table_drop(&w.store, STR("far"), &v, false, &far_actor));
    far_close(&w);
}

TEST(while_the_endpoint_is_down_nothing_changes_and_what_is_in_memory_is_read)
{
    struct far w;
    struct table_info made, info;

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &made));
    fake_s3_stop(&w.fake);
    CHECK_OK(load(&w, "t", &info));
    const struct err e = set_property(&w, w.arena, "t", "p", &info);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), str_from_z(w.fake.url)));
    CHECK_ERR(far_create(&w, "u", false, &info), ERR_UNAVAILABLE);
    CHECK_ERR(load(&w, "u", &info), ERR_NO_SUCH_TABLE);
    CHECK_OK(load(&w, "t", &info));
    CHECK_STR(info.metadata_location, made.metadata_location);
    far_give_keys(&w);
    CHECK_ERR(load(&w, "t", &info), ERR_UNAVAILABLE);
    far_close(&w);
}

TEST(a_refused_write_is_no_conflict)
{
    struct far w;
    struct table_info info;

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &info));
    w.fake.fail_code = "InvalidAccessKeyId";
    w.fake.fail_status = 403;
    w.fake.fail_next = 2; /* the PUT, and the DELETE behind it */
    const struct err e = set_property(&w, w.arena, "t", "p", &info);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("403 InvalidAccessKeyId")));
    CHECK_OK(set_property(&w, w.arena, "t", "p", &info));
    far_close(&w);
}

struct hand {
    struct far *w;
    int number, committed;
};

static void commit_some(void *arg)
{
    struct hand *h = arg;
    CLEANUP(arena_freep) struct arena *arena = arena_new(64 * MIB);

    for (int i = 0; i < 8; i++) {
        char name[32];
        struct table_info info;
        (void)snprintf(name, sizeof(name), "p%d-%d", h->number, i);
        CHECK_OK(set_property(h->w, arena, "t", name, &info));
        h->committed++;
    }
}

TEST(lost_races_leave_no_files_behind)
{
    struct far w;
    struct table_info info;
    struct hand hands[4];
    pthread_t threads[4];
    int committed = 0;
    json_t *metadata = NULL;

    far_open(&w);
    CHECK_OK(far_create(&w, "t", false, &info));
    for (int i = 0; i < 4; i++) {
        hands[i] = (struct hand){ .w = &w, .number = i };
        CHECK_OK(thread_start("hand", commit_some, &hands[i], &threads[i]));
    }
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        committed += hands[i].committed;
    }
    CHECK_U64(committed, 32);
    CHECK_U64(fake_s3_count(&w.fake), 1 + committed);
    CHECK_U64(w.fake.puts, 1 + committed + w.fake.deletes);
    CHECK_OK(load(&w, "t", &info));
    CHECK_OK(metadata_parse(METADATA_TABLE, info.metadata, &metadata));
    CHECK(json_object_size(json_object_get(metadata, "properties")) >= (size_t)committed);
    json_decref(metadata);
    far_close(&w);
}

/* Whichever call of the system fails: the table can be read afterwards, with the change if it was told as made; what was refused has left no file. */
TEST(a_commit_is_whole_or_absent_whichever_call_fails)
{
    bool struck = true;

    if (test_store()) return; /* the sweep is of our own engine's calls */
    log_set_level(LOG_LEVEL_ERROR);
    for (uint64_t n = 0; struck; n++) {
        struct far w;
        struct table_info info, got;
        far_open(&w);
        w.dir = arena_printf(w.arena, "%s/%llu", test_dir(), (unsigned long long)n).data;
        far_stop(&w);
        CHECK_OK(sys_mkdir(w.dir, 0700));
        CHECK_OK(far_start(&w));
        const struct ns_path path = { .levels = { STR("n") }, .count = 1 };
        CHECK_OK(far_make_at(&w, "far", "s3://lake/base", w.fake.url));
        CHECK_OK(ns_create(&w.store, STR("far"), &path, NULL, &far_actor));
        CHECK_OK(far_create(&w, "t", false, &info));
        const int before = fake_s3_count(&w.fake);

        fault_arm(FAULT_WRITE | FAULT_SYNC | FAULT_STICKY, n, EIO);
        const struct err e = set_property(&w, w.arena, "t", "p", &info);
        struck = fault_disarm();
        const bool is_made = e.code == ERR_OK, is_unknown = e.code == ERR_OUTCOME_UNKNOWN;
        CHECK_U64(fake_s3_count(&w.fake), before + (is_made || is_unknown));
        far_stop(&w);
        CHECK_OK(far_start(&w));
        far_give_keys(&w);
        CHECK_OK(load(&w, "t", &got));
        if (is_made) CHECK_STR(got.metadata_location, info.metadata_location);
        far_close(&w);
    }
}
