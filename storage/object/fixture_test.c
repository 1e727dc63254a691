/* fixture_test.c - a store of its own for a test (fixture_test.h). */
#include "storage/object/fixture_test.h"

#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/garbage.h"
#include "storage/object/object_delete.h"
#include "storage/object/object_get.h"
#include "storage/object/part_map.h"
#include "tests/unit/body.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

#define PARTS_MAX 16

/* ---- opening and closing ---- */

struct err fixture_start(struct fixture *f)
{
    char meta_dir[300], blob_dir[300];

    snprintf(meta_dir, sizeof(meta_dir), "%s/meta", f->dir);
    snprintf(blob_dir, sizeof(blob_dir), "%s/volumes", f->dir);
    const struct meta_options meta = {
        .store = test_store(),
        .schema = test_store_schema(f->dir),
        .dir = meta_dir,
        .segment_bytes = 256 * KIB,
        .disk_floor_bytes = 1 * MIB,
        .map_bytes = 64 * MIB,
        .is_checkpoint_manual = true,
    };
    f->store = (struct store){ .part_bytes_min = 1, .small_body_max = FIXTURE_SMALL };
    TRY(meta_open(&meta, &f->store.meta));
    const struct blob_options blobs = {
        .dir = blob_dir,
        .meta = f->store.meta,
        .volume_bytes = 4 * MIB,
        .disk_floor_bytes = 1 * MIB,
        .writers_open_max = 2,
        .is_reclaim_manual = true,
    };
    const struct err e = blob_open(&blobs, &f->store.blobs);
    if (e.code) f->store.meta = meta_close(f->store.meta);
    return e;
}

void fixture_stop(struct fixture *f)
{
    f->store.blobs = blob_close(f->store.blobs);
    f->store.meta = meta_close(f->store.meta);
}

void fixture_open(struct fixture *f)
{
    log_set_level(LOG_LEVEL_ERROR); /* restarts and faults are what these tests are about */
    *f = (struct fixture){ .dir = test_dir(), .arena = arena_new(256 * MIB) };
    CHECK_OK(fixture_start(f));
    CHECK_OK(bucket_create(&f->store, STR("bucket"), STR("owner"), STR_NONE));
}

void fixture_done(struct fixture *f)
{
    fixture_stop(f);
    f->arena = arena_free(f->arena);
}

void fixture_reopen(struct fixture *f)
{
    fixture_stop(f);
    CHECK_OK(fixture_start(f));
}

/* ---- objects ---- */

struct str fixture_body(struct fixture *f, uint32_t seed, size_t size)
{
    return test_body(f->arena, seed, size);
}

struct err fixture_put_if(struct fixture *f, const char *key, struct str body, struct conditions conditions)
{
    struct object_put put = {
        .store = &f->store, .bucket = STR("bucket"), .key = str_from_z(key), .conditions = conditions
    };

    TRY(body_writer_new(&f->store, (struct body_sums_wanted){ 0 }, 0, &put.body));
    struct err e = body_writer_write(put.body, body);
    if (!e.code) e = body_writer_finish_wait(put.body);
    if (!e.code) e = meta_run(f->store.meta, object_put_fn, &put);
    body_writer_free(put.body);
    return e;
}

struct err fixture_put(struct fixture *f, const char *key, struct str body)
{
    return fixture_put_if(f, key, body, (struct conditions){ 0 });
}

struct err fixture_get(struct fixture *f, const char *key, struct str *ret_body)
{
    return object_read_all(&f->store, STR("bucket"), str_from_z(key), 64 * MIB, f->arena, ret_body);
}

struct err fixture_delete(struct fixture *f, const char *key)
{
    struct object_delete d = { .store = &f->store, .bucket = STR("bucket"), .key = str_from_z(key) };
    return meta_run_freeing(f->store.meta, object_delete_fn, &d);
}

struct err fixture_stat(struct fixture *f, const char *key, struct object_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(f->store.meta, &view));
    TRY(object_stat(view, STR("bucket"), str_from_z(key), f->arena, ret));
    return object_info_keep(ret, f->arena);
}

/* ---- an object in parts ---- */

struct parts_put {
    struct str key, map;
    struct object_info info;
    struct blob_writer *bodies[PARTS_MAX]; /* NULL: an empty part */
    size_t count;
};

static struct err parts_put_fn(struct txn *txn, void *arg)
{
    struct parts_put *p = arg;
    uint8_t row_key[OBJECT_ROW_KEY_SIZE];
    uint64_t bucket_id;

    TRY(bucket_id_get(txn_rows(txn), STR("bucket"), &bucket_id));
    const struct str key = object_row_key(bucket_id, p->key, row_key);
    for (size_t i = 0; i < p->count; i++) {
        if (p->bodies[i]) TRY(blob_publish(txn, p->bodies[i], p->info.uid));
    }
    TRY(txn_put_body(txn, SPACE_OBJECTS, key, p->map, &p->info.body.place));
    return object_publish(txn, bucket_id, p->key, &p->info, NULL);
}

static struct err write_part(struct fixture *f, struct str bytes, struct blob_writer **ret,
                             struct uid *ret_uid)
{
    if (bytes.len == 0) return OK;
    TRY(blob_write_begin(f->store.blobs, bytes.len, ret));
    TRY(blob_write(*ret, bytes.data, bytes.len));
    TRY(blob_write_flush_wait(*ret));
    *ret_uid = blob_writer_uid(*ret);
    return OK;
}

struct err fixture_put_parts(struct fixture *f, const char *key, struct str body, const size_t *sizes,
                             size_t count)
{
    struct parts_put p = { .key = str_from_z(key), .count = count };
    struct buf map;
    uint64_t offset = 0;
    struct err e = OK;

    CHECK(count <= PARTS_MAX);
    buf_init(&map, MIB);
    for (size_t i = 0; i < count && !e.code; i++) {
        struct part_entry part = { .number = (uint32_t)(2 * i + 2), .size = sizes[i], .offset = offset };
        e = write_part(f, str_slice(body, offset, offset + sizes[i]), &p.bodies[i], &part.body);
        part_map_append(&map, &part, (const uint8_t[16]){ 0 });
        offset += sizes[i];
    }
    p.map = buf_view(&map);
    p.info = (struct object_info){
        .uid = ids_uid(), .size = offset, .mtime_ms = clock_now_ms(), .part_count = (uint32_t)count
    };
    p.info.body.kind = BODY_PARTS;
    if (!e.code) e = meta_run(f->store.meta, parts_put_fn, &p);
    for (size_t i = 0; i < count; i++) blob_write_close(p.bodies[i]);
    buf_done(&map);
    return e;
}

/* ---- looking behind ---- */

void fixture_settle(struct fixture *f)
{
    uint64_t bytes;

    /* Twice: what reclaim has done is rows again, which the next checkpoint carries. */
    for (int i = 0; i < 2; i++) {
        CHECK_OK(meta_checkpoint(f->store.meta));
        CHECK_OK(blob_reclaim(f->store.blobs, &bytes));
    }
}

uint64_t fixture_count(struct fixture *f, enum space space)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    uint64_t count = 0;

    CHECK_OK(view_open(f->store.meta, &view));
    rows_scan_begin(&scan, view, space, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &value)) count++;
    rows_scan_done(&scan);
    CHECK_OK(scan.err);
    return count;
}

static void check_reference(struct rows *view, struct uid body, struct uid referrer, uint64_t *count)
{
    uint8_t ref[32];
    struct err e;

    memcpy(ref, body.bytes, 16);
    memcpy(ref + 16, referrer.bytes, 16);
    CHECK(rows_have(view, SPACE_BODY_REFS, str_of(ref, 32), &e));
    CHECK(rows_have(view, SPACE_BODIES, str_of(body.bytes, 16), &e));
    *count += 1;
}

static void check_map_references(struct fixture *f, struct rows *view, struct place place,
                                 struct uid referrer, uint64_t *count)
{
    char *bytes = arena_alloc(f->arena, place.length);
    struct part_entry part;
    struct part_map map;

    CHECK_OK(meta_read_body(f->store.meta, place, bytes));
    CHECK_OK(part_map_open(str_of(bytes, place.length), &map));
    for (struct part_cursor c = part_map_from(&map, 0); part_map_next(&c, &part);) {
        if (part.size) check_reference(view, part.body, referrer, count);
    }
}

void fixture_check_references(struct fixture *f)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, row;
    uint64_t count = 0;

    CHECK_OK(view_open(f->store.meta, &view));
    rows_scan_begin(&scan, view, SPACE_OBJECTS, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &row)) {
        struct object_info info;
        CHECK_OK(object_decode(row, NULL, &info));
        if (info.body.kind == BODY_BLOB) check_reference(view, info.body.uid, info.uid, &count);
        if (info.body.kind == BODY_PARTS) check_map_references(f, view, info.body.place, info.uid, &count);
    }
    rows_scan_done(&scan);
    CHECK_OK(scan.err);

    rows_scan_begin(&scan, view, SPACE_GARBAGE, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &row)) {
        struct garbage g;
        CHECK_OK(garbage_decode(key, row, &g));
        if (g.kind == GARBAGE_PART_MAP) check_map_references(f, view, g.map, g.uid, &count);
    }
    rows_scan_done(&scan);
    CHECK_OK(scan.err);

    CHECK_U64(fixture_count(f, SPACE_BODY_REFS), count);
    CHECK(fixture_count(f, SPACE_BODIES) <= count);
}

void fixture_check_no_small_bodies(struct fixture *f)
{
    struct meta_status status;
    char out[32], sql[200];

    if (test_store()) {
        snprintf(sql, sizeof(sql), "select count(*) from %s.small_bodies where dropped is null",
                 test_store_schema(f->dir));
        test_postgresql_sql(test_store(), sql, out, sizeof(out));
        CHECK_STR(str_from_z(out), STR("0"));
        return;
    }
    meta_status(f->store.meta, &status);
    CHECK_U64(status.journal_segments, 1);
}
