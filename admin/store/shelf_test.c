/* shelf_test.c - see shelf_test.h. */
#include "admin/store/shelf_test.h"

#include "catalog/commit/catalog.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/multipart.h"
#include "storage/object/object_delete.h"
#include "storage/object/object_get.h"
#include "storage/object/object_put.h"
#include "tests/unit/body.h"
#include "tests/unit/test.h"

#define BUCKET STR("shelf")

static const struct actor who = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

/* Each test runs in a process of its own. */
const char *shelf_path(const char *name)
{
    static const char *dir;
    static char paths[8][280];
    static unsigned next;
    char *path = paths[next++ % 8];

    if (!dir) dir = test_dir();
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

void shelf_start(struct shelf *s, const char *dir)
{
    char rows[320], volumes[320];

    *s = (struct shelf){ .arena = arena_new(256 * MIB),
                         .store = { .part_bytes_min = 1, .small_body_max = 4096 } };
    (void)snprintf(s->dir, sizeof(s->dir), "%s", dir);
    (void)snprintf(rows, sizeof(rows), "%s/rows", dir);
    (void)snprintf(volumes, sizeof(volumes), "%s/volumes", dir);
    const struct meta_options m = { .dir = rows,
                                    .segment_bytes = 256 * KIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .map_bytes = 64 * MIB,
                                    .is_checkpoint_manual = true };
    CHECK_OK(sys_mkdir(dir, 0700));
    CHECK_OK(meta_open(&m, &s->store.meta));
    const struct blob_options b = { .dir = volumes,
                                    .meta = s->store.meta,
                                    .volume_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .writers_open_max = 2,
                                    .is_reclaim_manual = true };
    CHECK_OK(blob_open(&b, &s->store.blobs));
}

void shelf_stop(struct shelf *s)
{
    s->store.blobs = blob_close(s->store.blobs);
    s->store.meta = meta_close(s->store.meta);
}

void shelf_close(struct shelf *s)
{
    shelf_stop(s);
    s->arena = arena_free(s->arena);
}

struct str shelf_body(struct shelf *s, uint32_t seed, size_t size)
{
    return test_body(s->arena, seed, size);
}

static struct body_writer *written(struct shelf *s, struct str body)
{
    struct body_writer *w;

    CHECK_OK(body_writer_new(&s->store, (struct body_sums_wanted){ 0 }, 0, &w));
    CHECK_OK(body_writer_write(w, body));
    CHECK_OK(body_writer_finish_wait(w));
    return w;
}

void shelf_put(struct shelf *s, const char *key, struct str body)
{
    struct object_put put = { .store = &s->store, .bucket = BUCKET, .key = str_from_z(key) };

    put.body = written(s, body);
    CHECK_OK(meta_run(s->store.meta, object_put_fn, &put));
    body_writer_free(put.body);
}

void shelf_delete(struct shelf *s, const char *key)
{
    struct object_delete d = { .store = &s->store, .bucket = BUCKET, .key = str_from_z(key) };

    CHECK_OK(meta_run_freeing(s->store.meta, object_delete_fn, &d));
}

struct err shelf_get(struct shelf *s, const char *key, struct str *ret)
{
    return object_read_all(&s->store, BUCKET, str_from_z(key), 64 * MIB, s->arena, ret);
}

/* ---- what is in it ---- */

static void put_part(struct shelf *s, const char *key, struct uid upload, uint32_t number, size_t size)
{
    struct part_put part = {
        .store = &s->store, .bucket = BUCKET, .key = str_from_z(key), .upload = upload, .number = number
    };

    part.body = written(s, shelf_body(s, 100 + number, size));
    CHECK_OK(meta_run(s->store.meta, part_put_fn, &part));
    body_writer_free(part.body);
}

static struct uid begin_upload(struct shelf *s, const char *key)
{
    const struct upload_info what = { .owner = STR("root") };
    struct uid id;

    CHECK_OK(upload_create(&s->store, BUCKET, str_from_z(key), &what, &id));
    put_part(s, key, id, 1, SHELF_BIG);
    put_part(s, key, id, 2, 1000);
    put_part(s, key, id, 3, SHELF_BIG);
    return id;
}

static void put_parts(struct shelf *s, const char *key)
{
    const struct uid id = begin_upload(s, key);
    struct part_page page;
    struct complete_part list[3];
    char etags[3][ETAG_SIZE];

    CHECK_OK(upload_list_parts(&s->store, BUCKET, str_from_z(key), id, 0, 10, s->arena, &page));
    CHECK_U64(page.count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct object_info part = { 0 };
        memcpy(part.etag_md5, page.parts[i].md5, 16);
        object_etag(&part, etags[i]);
        list[i] = (struct complete_part){ .number = page.parts[i].number, .etag = str_from_z(etags[i]) };
    }
    struct upload_complete c = { .store = &s->store,
                                 .bucket = BUCKET,
                                 .key = str_from_z(key),
                                 .upload = id,
                                 .parts = list,
                                 .part_count = 3 };
    CHECK_OK(upload_complete(&c, s->arena));
}

static void make_catalog(struct shelf *s)
{
    struct ns_path ns = { .count = 1 };
    struct table_info info;

    ns.levels[0] = STR("n");
    CHECK_OK(bucket_create(&s->store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&s->store, STR("lake"), STR("s3://lake"), &who));
    CHECK_OK(ns_create(&s->store, STR("lake"), &ns, NULL, &who));
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", "t", "schema", "type",
                                "struct", "fields", "id", 1, "name", "a", "required", 0, "type", "int");
    CHECK_OK(table_create(&s->store, STR("lake"), &ns, request, false, &who, s->arena, &info));
    const struct table_ident t = { .ns = ns, .name = STR("t") };
    json_object_set_new(request, "name", json_string("gone"));
    CHECK_OK(table_create(&s->store, STR("lake"), &ns, request, false, &who, s->arena, &info));
    const struct table_ident gone = { .ns = ns, .name = STR("gone") },
                             moved = { .ns = ns, .name = STR("moved") };
    CHECK_OK(table_rename(&s->store, STR("lake"), &t, &moved, &who));
    CHECK_OK(table_drop(&s->store, STR("lake"), &gone, true, &who));
}

void shelf_open(struct shelf *s, const char *name)
{
    log_set_level(LOG_LEVEL_ERROR);
    shelf_start(s, shelf_path(name));
    CHECK_OK(bucket_create(&s->store, BUCKET, STR("root"), STR_NONE));
    shelf_put(s, "empty", STR(""));
    shelf_put(s, "small", shelf_body(s, 1, 1000));
    shelf_put(s, "big", shelf_body(s, 2, SHELF_BIG));
    shelf_put(s, "gone", shelf_body(s, 3, SHELF_BIG));
    put_parts(s, "parts");
    (void)begin_upload(s, "open");
    make_catalog(s);
    shelf_delete(s, "gone");
}
