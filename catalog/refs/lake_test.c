/*
 * lake_test.c - tables with manifests, written by hand: Avro container files of one block, without a codec.
 */
#include "catalog/refs/lake_test.h"

#include "catalog/commit/warehouse.h"

#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_put.h"
#include "tests/unit/test.h"

const struct actor lake_actor = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

/* ---- the store ---- */

struct err lake_start(struct lake *l)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/rows", l->dir);
    const struct meta_options m = { .dir = path,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .map_bytes = 64 * MIB,
                                    .is_checkpoint_manual = true };
    TRY(meta_open(&m, &l->store.meta));
    (void)snprintf(path, sizeof(path), "%s/volumes", l->dir);
    const struct blob_options b = { .dir = path,
                                    .meta = l->store.meta,
                                    .volume_bytes = 8 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .writers_open_max = 2,
                                    .is_reclaim_manual = true };
    const struct err e = blob_open(&b, &l->store.blobs);
    if (e.code != ERR_OK) l->store.meta = meta_close(l->store.meta);
    l->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    l->store.small_body_max = LIMIT_SMALL_BODY;
    return e;
}

void lake_stop(struct lake *l)
{
    l->store.blobs = blob_close(l->store.blobs);
    l->store.meta = meta_close(l->store.meta);
}

static void create_table(struct lake *l)
{
    const struct table_ident t = lake_ident();
    struct table_info info;
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", "t", "location",
                                "s3://lake/t", "schema", "type", "struct", "fields", "id", 1, "name", "a",
                                "required", 0, "type", "int");

    CHECK_OK(ns_create(&l->store, STR("lake"), &t.ns, NULL, &lake_actor));
    CHECK_OK(table_create(&l->store, STR("lake"), &t.ns, request, false, &lake_actor, l->arena, &info));
    memcpy(l->uuid, info.uuid, sizeof(l->uuid));
}

void lake_open(struct lake *l)
{
    log_set_level(LOG_LEVEL_ERROR);
    *l = (struct lake){ .dir = test_dir(), .arena = arena_new(256 * MIB) };
    CHECK_OK(lake_start(l));
    CHECK_OK(bucket_create(&l->store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&l->store, STR("lake"), STR("s3://lake"), &lake_actor));
    create_table(l);
}

static void create_far_catalog(struct lake *l)
{
    const struct remote_options o = {
        .access_key = STR("KEY"), .secret_key = STR("SECRET"), .timeout_ms = 10000, .cache_bytes = 1 * MIB
    };
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "default-base-location", "s3://lake");
    CLEANUP(json_freep)
    json_t *storage = json_pack("{s:s, s:s}", "storageType", "S3", "endpoint", l->far->url);
    const struct catalog_new made = { .name = STR("lake"), .properties = properties, .storage = storage };
    struct catalog_info info;

    CHECK_OK(remote_new(&o, &l->store.remote));
    CHECK_OK(catalog_create(&l->store, &made, &lake_actor, l->arena, &info));
    CHECK(info.is_external);
}

void lake_open_far(struct lake *l)
{
    log_set_level(LOG_LEVEL_ERROR);
    *l = (struct lake){ .dir = test_dir(), .arena = arena_new(256 * MIB), .far = calloc(1, sizeof(*l->far)) };
    CHECK(l->far);
    fake_s3_start(l->far);
    CHECK_OK(lake_start(l));
    create_far_catalog(l);
    create_table(l);
}

void lake_close(struct lake *l)
{
    lake_stop(l);
    l->store.remote = remote_free(l->store.remote);
    if (l->far) fake_s3_stop(l->far);
    free(l->far);
    l->arena = arena_free(l->arena);
}

struct table_ident lake_ident(void)
{
    struct table_ident t = { .ns = { .count = 1 }, .name = STR("t") };

    t.ns.levels[0] = STR("n");
    return t;
}

struct str lake_uuid(const struct lake *l)
{
    return str_from_z(l->uuid);
}

struct ref_table lake_table(struct lake *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table t = { 0 };

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(ref_table_get(view, lake_uuid(l), &t));
    return t;
}

bool lake_is_whole(struct lake *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const char *why;
    bool whole = false;

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(ref_table_is_whole(view, lake_uuid(l), &whole, &why));
    return whole;
}

/* ---- files ---- */

static struct str key_of(struct lake *l, const char *place)
{
    const struct str p = str_from_z(place);

    return str_starts(p, STR("../")) ? arena_str(l->arena, str_from(p, 3))
                                     : arena_printf(l->arena, "t/%s", place);
}

static const char *far_path(struct lake *l, const char *place)
{
    return arena_printf(l->arena, "/lake/%.*s", STR_ARG(key_of(l, place))).data;
}

struct put {
    struct object_bytes object;
    struct arena *arena;
};

static struct err put_fn(struct txn *txn, void *arg)
{
    struct put *p = arg;

    return object_bytes_fn(txn, &p->object, p->arena);
}

void lake_put(struct lake *l, const char *place, struct str bytes)
{
    struct put p = { .object = { .bucket = STR("lake"), .key = key_of(l, place), .bytes = bytes },
                     .arena = l->arena };

    if (l->far) {
        fake_s3_put(l->far, far_path(l, place), bytes);
        return;
    }
    object_bytes_prepare(&p.object);
    CHECK_OK(meta_run(l->store.meta, put_fn, &p));
}

bool lake_has(struct lake *l, const char *place)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    if (l->far) return fake_s3_find(l->far, far_path(l, place), l->arena).data != NULL;
    CHECK_OK(view_open(l->store.meta, &view));
    return object_stat(view, STR("lake"), key_of(l, place), NULL, &info).code == ERR_OK;
}

/* ---- Avro ---- */

static const char entry_schema[] =
    "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["
    "{\"name\":\"status\",\"type\":\"int\",\"field-id\":0},"
    "{\"name\":\"snapshot_id\",\"type\":[\"null\",\"long\"],\"field-id\":1},"
    "{\"name\":\"data_file\",\"field-id\":2,\"type\":{\"type\":\"record\",\"name\":\"r2\",\"fields\":["
    "{\"name\":\"content\",\"type\":\"int\",\"field-id\":134},"
    "{\"name\":\"file_path\",\"type\":\"string\",\"field-id\":100},"
    "{\"name\":\"file_format\",\"type\":\"string\",\"field-id\":101},"
    "{\"name\":\"record_count\",\"type\":\"long\",\"field-id\":103},"
    "{\"name\":\"file_size_in_bytes\",\"type\":\"long\",\"field-id\":104}]}}]}";

static const char list_schema[] = "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":["
                                  "{\"name\":\"manifest_path\",\"type\":\"string\",\"field-id\":500},"
                                  "{\"name\":\"manifest_length\",\"type\":\"long\",\"field-id\":501},"
                                  "{\"name\":\"partition_spec_id\",\"type\":\"int\",\"field-id\":502},"
                                  "{\"name\":\"added_snapshot_id\",\"type\":\"long\",\"field-id\":503}]}";

static void put_long(struct buf *out, int64_t value)
{
    uint64_t n = value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;

    for (; n >= 0x80; n >>= 7) buf_char(out, (char)(n | 0x80));
    buf_char(out, (char)n);
}

static void put_text(struct buf *out, struct str text)
{
    put_long(out, (int64_t)text.len);
    buf_str(out, text);
}

static void put_container(struct lake *l, const char *place, const char *schema, int64_t count,
                          struct buf *records)
{
    static const struct str sync = STR("0123456789abcdef");
    struct buf out;

    buf_init(&out, 16 * MIB);
    buf_str(&out, STR("Obj\1"));
    put_long(&out, 1);
    put_text(&out, STR("avro.schema"));
    put_text(&out, str_from_z(schema));
    put_long(&out, 0);
    buf_str(&out, sync);
    if (count) {
        put_long(&out, count);
        put_text(&out, buf_view(records));
        buf_str(&out, sync);
    }
    CHECK_OK(buf_err(&out));
    lake_put(l, place, buf_view(&out));
    buf_done(&out);
    buf_done(records);
}

static struct str url_of(struct lake *l, struct str place)
{
    return str_contains(place, STR("://")) ? place
                                           : arena_printf(l->arena, "s3://lake/t/%.*s", STR_ARG(place));
}

void lake_manifest(struct lake *l, const char *place, const char *names)
{
    struct buf records;
    struct str name;
    int64_t count = 0;

    buf_init(&records, 16 * MIB);
    for (struct str_split it = str_split_on(str_from_z(names), ' '); str_split_next(&it, &name); count++) {
        const bool is_deleted = name.data[0] == '-';
        if (is_deleted) name = str_from(name, 1);
        put_long(&records, is_deleted ? 2 : 1);
        put_long(&records, 0);
        put_long(&records, 0);
        put_text(&records, url_of(l, name));
        put_text(&records, STR("PARQUET"));
        put_long(&records, 1);
        put_long(&records, 10);
        if (!str_contains(name, STR("://"))) lake_put(l, arena_z(l->arena, name), STR("0123456789"));
    }
    put_container(l, place, entry_schema, count, &records);
}

void lake_list(struct lake *l, const char *place, const char *manifests)
{
    struct buf records;
    struct str name;
    int64_t count = 0;

    buf_init(&records, 1 * MIB);
    for (struct str_split it = str_split_on(str_from_z(manifests), ' '); str_split_next(&it, &name);
         count++) {
        put_text(&records, url_of(l, name));
        put_long(&records, 100);
        put_long(&records, 0);
        put_long(&records, 1);
    }
    put_container(l, place, list_schema, count, &records);
}

/* ---- commits ---- */

struct err lake_commit(struct lake *l, const char *updates)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct table_change change = { .ident = lake_ident() };
    struct table_info info;

    CHECK_OK(json_parse(str_from_z(updates), &json));
    change.updates = json;
    return table_commit(&l->store, STR("lake"), &change, 1, &lake_actor, l->arena, &info);
}

struct err lake_snapshot(struct lake *l, int id, const char *list)
{
    const struct str text = arena_printf(
        l->arena,
        "[{\"action\":\"add-snapshot\",\"snapshot\":{\"snapshot-id\":%d,\"sequence-number\":%d,\"timestamp-ms\":%lld,"
        "\"parent-snapshot-id\":%d,\"manifest-list\":\"%.*s\",\"summary\":{\"operation\":\"append\"},\"schema-id\":0}},"
        "{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\",\"snapshot-id\":%d}]",
        id, id, (long long)clock_now_ms(), id - 1, STR_ARG(url_of(l, str_from_z(list))), id);

    return lake_commit(l, text.data);
}

struct err lake_expire(struct lake *l, int id)
{
    const struct str text = arena_printf(l->arena,
                                         "[{\"action\":\"remove-snapshots\",\"snapshot-ids\":[%d]}]", id);

    return lake_commit(l, text.data);
}

struct err lake_property(struct lake *l, const char *name, const char *value)
{
    const struct str text = arena_printf(
        l->arena, "[{\"action\":\"set-properties\",\"updates\":{\"%s\":\"%s\"}}]", name, value);

    return lake_commit(l, text.data);
}
