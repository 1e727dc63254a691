/* far_test.c - see far_test.h; it has no tests of its own. */
#include "catalog/commit/far_test.h"

#include "catalog/commit/warehouse.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

const struct actor far_actor = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

struct err far_start(struct far *w)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/rows", w->dir);
    const struct meta_options m = { .store = test_store(),
                                    .schema = test_store_schema(w->dir),
                                    .dir = path,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    TRY(meta_open(&m, &w->store.meta));
    (void)snprintf(path, sizeof(path), "%s/volumes", w->dir);
    const struct blob_options b = {
        .dir = path, .meta = w->store.meta, .volume_bytes = 4 * MIB, .disk_floor_bytes = 1 * MIB
    };
    w->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    w->store.small_body_max = LIMIT_SMALL_BODY;
    return blob_open(&b, &w->store.blobs);
}

void far_stop(struct far *w)
{
    w->store.blobs = blob_close(w->store.blobs);
    w->store.meta = meta_close(w->store.meta);
}

void far_give_keys(struct far *w)
{
    const struct remote_options o = {
        .access_key = STR("KEY"), .secret_key = STR("SECRET"), .timeout_ms = 10000, .cache_bytes = 1 * MIB
    };

    w->store.remote = remote_free(w->store.remote);
    CHECK_OK(remote_new(&o, &w->store.remote));
}

struct err far_make(struct far *w, const char *name, const char *location, const char *more)
{
    char text[512];
    struct catalog_info info;
    json_t *storage = NULL;
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "default-base-location", location);

    (void)snprintf(text, sizeof(text), "{\"storageType\":\"S3\"%s%s}", more[0] ? "," : "", more);
    CHECK_OK(json_parse(str_from_z(text), &storage));
    json_defer(w->arena, storage);
    const struct catalog_new made = { .name = str_from_z(name),
                                      .properties = properties,
                                      .storage = storage };
    return catalog_create(&w->store, &made, &far_actor, w->arena, &info);
}

struct err far_make_at(struct far *w, const char *name, const char *location, const char *endpoint)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "\"endpoint\":\"%s\"", endpoint);
    return far_make(w, name, location, text);
}

void far_begin(struct far *w)
{
    *w = (struct far){ .dir = test_dir(), .arena = arena_new(256 * MIB) };
    fake_s3_start(&w->fake);
    CHECK_OK(far_start(w));
    far_give_keys(w);
}

void far_open(struct far *w)
{
    const struct ns_path n = { .levels = { STR("n") }, .count = 1 };

    far_begin(w);
    CHECK_OK(far_make_at(w, "far", "s3://lake/base", w->fake.url));
    CHECK_OK(ns_create(&w->store, STR("far"), &n, NULL, &far_actor));
}

void far_close(struct far *w)
{
    far_stop(w);
    w->store.remote = remote_free(w->store.remote);
    if (w->fake.state) fake_s3_stop(&w->fake);
    w->arena = arena_free(w->arena);
}

struct table_ident far_ident(const char *name)
{
    return (struct table_ident){ .ns = { .levels = { STR("n") }, .count = 1 }, .name = str_from_z(name) };
}

struct err far_create(struct far *w, const char *name, bool is_staged, struct table_info *ret)
{
    char text[512];
    json_t *request = NULL;
    const struct table_ident t = far_ident(name);

    (void)snprintf(text, sizeof(text), "{\"name\":\"%s\"," FAR_SCHEMA "}", name);
    CHECK_OK(json_parse(str_from_z(text), &request));
    const struct err e = table_create(&w->store, STR("far"), &t.ns, request, is_staged, &far_actor, w->arena,
                                      ret);
    json_decref(request);
    return e;
}
