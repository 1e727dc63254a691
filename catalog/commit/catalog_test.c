/*
 * catalog_test.c - catalogs, namespaces and tables on a real store: names, places, races, commits.
 */
#include "catalog/commit/catalog.h"

#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_get.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

struct world {
    struct store store;
    struct arena *arena;
    const char *dir;
};

static const struct actor who = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

static void world_open(struct world *w)
{
    char path[512];

    w->arena = arena_new(64 * MIB);
    (void)snprintf(path, sizeof(path), "%s/rows", w->dir);
    const struct meta_options m = { .store = test_store(),
                                    .schema = test_store_schema(w->dir),
                                    .dir = path,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    CHECK_OK(meta_open(&m, &w->store.meta));
    (void)snprintf(path, sizeof(path), "%s/volumes", w->dir);
    const struct blob_options b = {
        .dir = path, .meta = w->store.meta, .volume_bytes = 4 * MIB, .disk_floor_bytes = 1 * MIB
    };
    CHECK_OK(blob_open(&b, &w->store.blobs));
    w->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    w->store.small_body_max = LIMIT_SMALL_BODY;
}

static void world_close(struct world *w)
{
    w->store.blobs = blob_close(w->store.blobs);
    w->store.meta = meta_close(w->store.meta);
    w->arena = arena_free(w->arena);
}

static struct world world(void)
{
    struct world w = { .dir = test_dir() };

    world_open(&w);
    CHECK_OK(bucket_create(&w.store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&w.store, STR("lake"), STR("s3://lake"), &who));
    return w;
}

static struct ns_path ns(const char *a, const char *b)
{
    struct ns_path path = { .count = b ? 2 : 1 };

    path.levels[0] = str_from_z(a);
    if (b) path.levels[1] = str_from_z(b);
    return path;
}

static json_t *parsed(const char *text)
{
    json_t *json = NULL;
    CHECK_OK(json_parse(str_from_z(text), &json));
    return json;
}

static struct err create(struct world *w, const char *name, const char *location, struct table_info *ret)
{
    char text[1024];
    const struct ns_path path = ns("n", NULL);

    (void)snprintf(
        text, sizeof(text),
        "{\"name\":\"%s\"%s%s%s,\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"}]}}",
        name, location ? ",\"location\":\"" : "", location ? location : "", location ? "\"" : "");
    CLEANUP(json_freep) json_t *request = parsed(text);
    return table_create(&w->store, STR("lake"), &path, request, false, &who, w->arena, ret);
}

static struct err set_property(struct world *w, const char *table, const char *name, const char *value)
{
    char text[256];
    struct table_info info;
    struct table_change change = { .ident = { .ns = ns("n", NULL), .name = str_from_z(table) } };

    (void)snprintf(text, sizeof(text), "[{\"action\":\"set-properties\",\"updates\":{\"%s\":\"%s\"}}]", name,
                   value);
    CLEANUP(json_freep) json_t *updates = parsed(text);
    change.updates = updates;
    return table_commit(&w->store, STR("lake"), &change, 1, &who, w->arena, &info);
}

TEST(namespaces_nest_and_are_dropped_only_when_empty)
{
    struct world w = world();
    const struct ns_path a = ns("a", NULL), ab = ns("a", "b"), xb = ns("x", "b"), a2 = ns("a!", NULL);
    struct ns_path top = { .count = 0 };
    struct name_page page;

    CHECK_OK(ns_create(&w.store, STR("lake"), &a, NULL, &who));
    CHECK_ERR(ns_create(&w.store, STR("lake"), &a, NULL, &who), ERR_NAMESPACE_EXISTS);
    CHECK_ERR(ns_create(&w.store, STR("lake"), &xb, NULL, &who), ERR_NO_SUCH_NAMESPACE);
    CHECK_OK(ns_create(&w.store, STR("lake"), &ab, NULL, &who));
    CHECK_OK(ns_create(&w.store, STR("lake"), &a2, NULL, &who));
    CHECK_OK(ns_list(&w.store, STR("lake"), &top, STR(""), 0, w.arena, &page));
    CHECK_U64(page.count, 2);
    CHECK_OK(ns_list(&w.store, STR("lake"), &top, STR("a"), 1, w.arena, &page));
    CHECK_U64(page.count, 1);
    CHECK_STR(page.names[0], STR("a!"));
    CHECK_OK(ns_list(&w.store, STR("lake"), &a, STR(""), 0, w.arena, &page));
    CHECK_U64(page.count, 1);
    CHECK_ERR(ns_drop(&w.store, STR("lake"), &a, &who), ERR_NAMESPACE_NOT_EMPTY);
    CHECK_OK(ns_drop(&w.store, STR("lake"), &ab, &who));
    CHECK_OK(ns_drop(&w.store, STR("lake"), &a, &who));
    CHECK_ERR(ns_drop(&w.store, STR("lake"), &a, &who), ERR_NO_SUCH_NAMESPACE);
    CHECK_ERR(ns_list(&w.store, STR("none"), &top, STR(""), 0, w.arena, &page), ERR_NO_SUCH_WAREHOUSE);
    world_close(&w);
}

TEST(properties_are_set_removed_and_told)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    CLEANUP(json_freep) json_t *p = parsed("{\"a\":\"1\",\"b\":\"2\"}");
    CLEANUP(json_freep) json_t *u = parsed("{\"c\":\"3\"}");
    CLEANUP(json_freep) json_t *r = parsed("[\"a\",\"zz\"]");
    CLEANUP(json_freep) json_t *both = parsed("[\"c\"]");
    json_t *answer = NULL;
    struct ns_info info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, p, &who));
    CHECK_ERR(ns_set_properties(&w.store, STR("lake"), &n, u, both, &who, &answer), ERR_UNPROCESSABLE);
    CHECK_OK(ns_set_properties(&w.store, STR("lake"), &n, u, r, &who, &answer));
    CHECK_U64(json_array_size(json_object_get(answer, "updated")), 1);
    CHECK_U64(json_array_size(json_object_get(answer, "removed")), 1);
    CHECK_U64(json_array_size(json_object_get(answer, "missing")), 1);
    json_decref(answer);
    CHECK_OK(ns_get(&w.store, STR("lake"), &n, w.arena, &info));
    CHECK_U64(json_object_size(info.properties), 2);
    world_close(&w);
}

TEST(a_table_is_there_with_its_metadata_file_after_a_restart)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident ident = { .ns = n, .name = STR("t") };
    struct table_info made, loaded;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "t", NULL, &made));
    CHECK_ERR(create(&w, "t", NULL, &made), ERR_TABLE_EXISTS);
    CHECK(str_starts(made.location, STR("s3://lake/n/t-")));
    CHECK_OK(set_property(&w, "t", "x", "1"));
    CHECK_OK(table_load(&w.store, STR("lake"), &ident, w.arena, &made));
    CHECK_U64(made.version, 2);
    char *before = strndup(made.metadata.data, made.metadata.len);
    world_close(&w);
    world_open(&w);
    CHECK_OK(table_load(&w.store, STR("lake"), &ident, w.arena, &loaded));
    CHECK_STR(loaded.metadata, str_from_z(before));
    CHECK(str_contains(loaded.metadata_location, STR("/metadata/00001-")));
    free(before);
    world_close(&w);
}

TEST(d8_no_table_overlaps_another_in_any_spelling)
{
    static const struct {
        const char *location;
        enum err_code want;
    } rows[] = {
        { "s3://lake/x/t", ERR_LOCATION_TAKEN },
        { "s3://lake/x/t/", ERR_LOCATION_TAKEN },
        { "s3a://lake/x/t", ERR_LOCATION_TAKEN },
        { "S3://lake/x/t/inner", ERR_LOCATION_TAKEN },
        { "s3://lake/x", ERR_LOCATION_TAKEN },
        { "s3://lake/x//t", ERR_INVALID },
        { "s3://lake/x/./t", ERR_INVALID },
        { "s3://lake/x/../x/t", ERR_INVALID },
        { "s3://other/x/t", ERR_INVALID },
        { "file:///etc/passwd", ERR_INVALID },
        { "s3://lake", ERR_INVALID },
        { "s3://lake/x/t2", ERR_OK },
    };
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    struct table_info info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "first", "s3://lake/x/t", &info));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = create(&w, "second", rows[i].location, &info);
        if (e.code != rows[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s (%s)", rows[i].location,
                      err_name(rows[i].want), err_name(e.code), e.why ? e.why : "");
    }
    world_close(&w);
}

TEST(d5_a_property_cannot_send_files_to_a_foreign_place)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    struct table_info info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", "s3://lake/a", &info));
    CHECK_OK(create(&w, "b", "s3://lake/b", &info));
    CHECK_ERR(set_property(&w, "b", "write.metadata.path", "s3://elsewhere/m"), ERR_INVALID);
    CHECK_ERR(set_property(&w, "b", "write.metadata.path", "s3://lake/a/m"), ERR_INVALID);
    CHECK_OK(set_property(&w, "b", "write.data.path", "s3://lake/b-data"));
    CHECK_ERR(create(&w, "c", "s3://lake/b-data/x", &info), ERR_LOCATION_TAKEN);
    world_close(&w);
}

TEST(several_tables_change_together_or_not_at_all)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    CLEANUP(json_freep)
    json_t *updates = parsed("[{\"action\":\"set-properties\",\"updates\":{\"k\":\"v\"}}]");
    CLEANUP(json_freep)
    json_t *impossible = parsed("[{\"type\":\"assert-current-schema-id\",\"current-schema-id\":9}]");
    struct table_change changes[2] = { { .ident = { .ns = n, .name = STR("a") }, .updates = updates },
                                       { .ident = { .ns = n, .name = STR("b") }, .updates = updates } };
    struct table_info infos[2], info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", NULL, &info));
    CHECK_OK(create(&w, "b", NULL, &info));
    changes[1].requirements = impossible;
    CHECK_ERR(table_commit(&w.store, STR("lake"), changes, 2, &who, w.arena, infos), ERR_COMMIT_FAILED);
    CHECK_OK(table_stat(&w.store, STR("lake"), &changes[0].ident, w.arena, &info));
    CHECK_U64(info.version, 1);
    changes[1].requirements = NULL;
    CHECK_OK(table_commit(&w.store, STR("lake"), changes, 2, &who, w.arena, infos));
    CHECK_OK(table_stat(&w.store, STR("lake"), &changes[0].ident, w.arena, &info));
    CHECK_U64(info.version, 2);
    CHECK_OK(table_stat(&w.store, STR("lake"), &changes[1].ident, w.arena, &info));
    CHECK_U64(info.version, 2);
    world_close(&w);
}

TEST(rename_keeps_the_place_and_drop_frees_it)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident a = { .ns = n, .name = STR("a") }, b = { .ns = n, .name = STR("b") };
    struct table_info info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", "s3://lake/place", &info));
    CHECK_OK(table_rename(&w.store, STR("lake"), &a, &b, &who));
    CHECK_ERR(table_stat(&w.store, STR("lake"), &a, w.arena, &info), ERR_NO_SUCH_TABLE);
    CHECK_ERR(create(&w, "a", "s3://lake/place", &info), ERR_LOCATION_TAKEN);
    CHECK_OK(table_drop(&w.store, STR("lake"), &b, false, &who));
    CHECK_OK(create(&w, "a", "s3://lake/place", &info));
    world_close(&w);
}

TEST(d12_purge_deletes_the_tables_own_files_and_no_others)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident a = { .ns = n, .name = STR("a") };
    struct table_info info, other;
    struct str bucket, key, bytes;
    bool more = true;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", "s3://lake/place", &info));
    CHECK_OK(create(&w, "b", "s3://lake/place2", &other));
    CHECK_OK(table_drop(&w.store, STR("lake"), &a, true, &who));
    for (int i = 0; more && i < 100; i++) CHECK_OK(purge_step(&w.store, &more));
    CHECK(!more);
    CHECK_OK(location_parse(info.metadata_location, w.arena, &bucket, &key));
    CHECK_ERR(object_read_all(&w.store, bucket, key, 1 * MIB, w.arena, &bytes), ERR_NO_SUCH_KEY);
    CHECK_OK(location_parse(other.metadata_location, w.arena, &bucket, &key));
    CHECK_OK(object_read_all(&w.store, bucket, key, 1 * MIB, w.arena, &bytes));
    CHECK_OK(create(&w, "a", "s3://lake/place", &info));
    world_close(&w);
}

static struct err spoil_fn(struct txn *txn, void *arg)
{
    const struct str *key = arg;
    uint8_t row_key[OBJECT_ROW_KEY_SIZE];
    uint64_t bucket_id;

    TRY(bucket_id_get(txn_rows(txn), STR("lake"), &bucket_id));
    return txn_put(txn, SPACE_OBJECTS, object_row_key(bucket_id, *key, row_key), STR("no object"));
}

/* A damaged row among the files of the first of two purged tables: found, told, and everything else goes. */
TEST(a_file_that_cannot_be_deleted_holds_up_no_other_purge)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident a = { .ns = n, .name = STR("a") }, b = { .ns = n, .name = STR("b") };
    struct table_info first, second;
    struct str spoilt = STR("one/data/spoilt"), bucket, key, bytes;
    bool more = true;
    int failures = 0;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", "s3://lake/one", &first));
    CHECK_OK(create(&w, "b", "s3://lake/two", &second));
    CHECK_OK(meta_run(w.store.meta, spoil_fn, &spoilt));
    CHECK_OK(table_drop(&w.store, STR("lake"), &a, true, &who));
    CHECK_OK(table_drop(&w.store, STR("lake"), &b, true, &who));
    for (int i = 0; more && i < 100; i++) failures += purge_step(&w.store, &more).code != ERR_OK;
    CHECK(!more);
    CHECK_U64(failures, 1);
    CHECK_OK(location_parse(first.metadata_location, w.arena, &bucket, &key));
    CHECK_ERR(object_read_all(&w.store, bucket, key, 1 * MIB, w.arena, &bytes), ERR_NO_SUCH_KEY);
    CHECK_OK(location_parse(second.metadata_location, w.arena, &bucket, &key));
    CHECK_ERR(object_read_all(&w.store, bucket, key, 1 * MIB, w.arena, &bytes), ERR_NO_SUCH_KEY);
    CHECK_OK(create(&w, "b", "s3://lake/two", &second));
    CHECK_ERR(create(&w, "a", "s3://lake/one", &first), ERR_LOCATION_TAKEN); /* not done yet */
    clock_set_offset_ms(2 * 3600 * 1000);
    CHECK_ERR(purge_step(&w.store, &more), ERR_CORRUPT); /* it is tried again */
    world_close(&w);
}

/* ---- races ---- */

enum { WRITERS = 4, COMMITS = 25 };

struct writer {
    struct store *store;
    int number;
    pthread_t thread;
};

static void write_many(void *arg)
{
    struct writer *me = arg;
    CLEANUP(arena_freep) struct arena *arena = arena_new(256 * MIB);

    for (int i = 0; i < COMMITS; i++) {
        char text[256];
        struct table_info info;
        struct table_change change = { .ident = { .ns = ns("n", NULL), .name = STR("t") } };
        (void)snprintf(text, sizeof(text), "[{\"action\":\"set-properties\",\"updates\":{\"w%d-%d\":\"x\"}}]",
                       me->number, i);
        CLEANUP(json_freep) json_t *updates = parsed(text);
        change.updates = updates;
        CHECK_OK(table_commit(me->store, STR("lake"), &change, 1, &who, arena, &info));
    }
}

TEST(racing_commits_lose_nothing)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident t = { .ns = n, .name = STR("t") };
    struct writer writers[WRITERS];
    struct table_info info;
    json_t *metadata = NULL;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "t", NULL, &info));
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .store = &w.store, .number = i };
        CHECK_OK(thread_start("writer", write_many, &writers[i], &writers[i].thread));
    }
    for (int i = 0; i < WRITERS; i++) thread_join(writers[i].thread);
    CHECK_OK(table_load(&w.store, STR("lake"), &t, w.arena, &info));
    CHECK_U64(info.version, 1 + WRITERS * COMMITS);
    CHECK_OK(json_parse(info.metadata, &metadata));
    CHECK_U64(json_object_size(json_object_get(metadata, "properties")), 1 + WRITERS * COMMITS);
    json_decref(metadata);
    world_close(&w);
}

/* A second table with the uuid of a first would own the first one's place. */
TEST(d11_no_second_table_takes_anothers_uuid)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident twin = { .ns = n, .name = STR("twin") };
    struct table_info info, twin_info;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", NULL, &info));
    CHECK_ERR(table_register(&w.store, STR("lake"), &twin, info.metadata_location, false, &who, w.arena,
                             &twin_info),
              ERR_LOCATION_TAKEN);
    CHECK_ERR(table_stat(&w.store, STR("lake"), &twin, w.arena, &twin_info), ERR_NO_SUCH_TABLE);
    world_close(&w);
}

/* While the files of a purged table are deleted, nobody gets its place: not even the same table, registered again. */
TEST(d12_a_place_that_is_being_purged_is_nobodys)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    const struct table_ident a = { .ns = n, .name = STR("a") };
    struct table_info info, again;
    bool more = true;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", "s3://lake/place", &info));
    CHECK_OK(table_drop(&w.store, STR("lake"), &a, true, &who));
    CHECK_ERR(table_register(&w.store, STR("lake"), &a, info.metadata_location, false, &who, w.arena, &again),
              ERR_LOCATION_TAKEN);
    CHECK_ERR(create(&w, "b", "s3://lake/place", &again), ERR_LOCATION_TAKEN);
    for (int i = 0; more && i < 100; i++) CHECK_OK(purge_step(&w.store, &more));
    CHECK_OK(create(&w, "b", "s3://lake/place", &again));
    world_close(&w);
}

TEST(several_changes_to_one_table_are_one_new_file_and_one_entry_of_its_log)
{
    struct world w = world();
    const struct ns_path n = ns("n", NULL);
    CLEANUP(json_freep) json_t *one = parsed("[{\"action\":\"set-properties\",\"updates\":{\"k\":\"1\"}}]");
    CLEANUP(json_freep) json_t *two = parsed("[{\"action\":\"set-properties\",\"updates\":{\"k\":\"2\"}}]");
    struct table_change changes[2] = { { .ident = { .ns = n, .name = STR("a") }, .updates = one },
                                       { .ident = { .ns = n, .name = STR("a") }, .updates = two } };
    struct table_info infos[2], info;
    json_t *metadata = NULL;

    CHECK_OK(ns_create(&w.store, STR("lake"), &n, NULL, &who));
    CHECK_OK(create(&w, "a", NULL, &info));
    CHECK_OK(table_commit(&w.store, STR("lake"), changes, 2, &who, w.arena, infos));
    CHECK_U64(infos[1].version, 2);
    CHECK_OK(json_parse(infos[1].metadata, &metadata));
    CHECK_U64(json_array_size(json_object_get(metadata, "metadata-log")), 1);
    CHECK_STR(json_str(json_object_get(json_object_get(metadata, "properties"), "k")), STR("2"));
    json_decref(metadata);
    world_close(&w);
}
