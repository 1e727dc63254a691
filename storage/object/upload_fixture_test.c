/* upload_fixture_test.c - uploads for tests (upload_fixture_test.h). */
#include "storage/object/upload_fixture_test.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/garbage.h"
#include "storage/object/object_get.h"
#include "storage/object/part_map.h"
#include "storage/object/part_sums.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define REFS_MAX 20000

struct err upload_begin_with(struct fixture *f, const char *key, enum digest_kind kind,
                             enum checksum_type type, struct uid *ret)
{
    const struct upload_info what = { .owner = STR("owner"), .checksum = kind, .checksum_type = type };

    return upload_create(&f->store, STR("bucket"), str_from_z(key), &what, ret);
}

struct err upload_begin(struct fixture *f, const char *key, struct uid *ret)
{
    return upload_begin_with(f, key, DIGEST_NONE, CHECKSUM_FULL_OBJECT, ret);
}

struct err upload_put_sum(struct fixture *f, const char *key, struct uid id, uint32_t number, struct str body,
                          enum digest_kind kind)
{
    struct part_put put = { .store = &f->store,
                            .bucket = STR("bucket"),
                            .key = str_from_z(key),
                            .upload = id,
                            .number = number,
                            .checksum.kind = kind };

    if (body.len)
        TRY(body_writer_new(&f->store, (struct body_sums_wanted){ .checksum = kind }, body.len, &put.body));
    struct err e = put.body ? body_writer_write(put.body, body) : OK;
    if (!e.code && put.body) e = body_writer_finish_wait(put.body);
    if (!e.code) e = meta_run(f->store.meta, part_put_fn, &put);
    if (e.code) e = err_fail(e.code, "%s", e.why); /* its text may be the writer's */
    put.body = body_writer_free(put.body);
    if (!e.code) CHECK(memcmp(put.ret_md5, digest_of(DIGEST_MD5, body.data, body.len).bytes, 16) == 0);
    return e;
}

struct err upload_put(struct fixture *f, const char *key, struct uid id, uint32_t number, struct str body)
{
    return upload_put_sum(f, key, id, number, body, DIGEST_NONE);
}

struct err upload_put_all(struct fixture *f, const char *key, struct uid id, const struct sent_part *parts,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) TRY(upload_put(f, key, id, parts[i].number, parts[i].body));
    return OK;
}

struct upload_complete upload_list_of(struct fixture *f, const char *key, struct uid id,
                                      const struct sent_part *parts, size_t count)
{
    struct complete_part *list = arena_array(f->arena, struct complete_part, count + 1);

    for (size_t i = 0; i < count; i++) {
        struct object_info part = { 0 };
        char *etag = arena_alloc(f->arena, ETAG_SIZE);
        memcpy(part.etag_md5, digest_of(DIGEST_MD5, parts[i].body.data, parts[i].body.len).bytes, 16);
        object_etag(&part, etag);
        list[i] = (struct complete_part){ .number = parts[i].number, .etag = str_from_z(etag) };
    }
    return (struct upload_complete){ .store = &f->store,
                                     .bucket = STR("bucket"),
                                     .key = str_from_z(key),
                                     .upload = id,
                                     .parts = list,
                                     .part_count = count };
}

struct err upload_finish(struct fixture *f, const char *key, struct uid id, const struct sent_part *parts,
                         size_t count, struct object_info *ret)
{
    struct upload_complete c = upload_list_of(f, key, id, parts, count);

    TRY(upload_complete(&c, f->arena));
    if (ret) *ret = c.ret;
    return OK;
}

struct err upload_give_up(struct fixture *f, const char *key, struct uid id)
{
    return upload_abort(&f->store, STR("bucket"), str_from_z(key), id);
}

void upload_check_object(struct fixture *f, const char *key, const struct sent_part *parts, size_t count)
{
    struct object_info info;
    struct str got;
    size_t at = 0;
    uint8_t md5s[16 * 400], *end = md5s;

    CHECK(count <= sizeof(md5s) / 16);
    CHECK_OK(fixture_stat(f, key, &info));
    CHECK_OK(fixture_get(f, key, &got));
    for (size_t i = 0; i < count; i++, end += 16) {
        CHECK(str_eq(str_slice(got, at, at + parts[i].body.len), parts[i].body));
        at += parts[i].body.len;
        memcpy(end, digest_of(DIGEST_MD5, parts[i].body.data, parts[i].body.len).bytes, 16);
    }
    CHECK_U64(got.len, at);
    CHECK_U64(info.size, at);
    CHECK_U64(info.part_count, count);
    CHECK(memcmp(info.etag_md5, digest_of(DIGEST_MD5, md5s, 16 * count).bytes, 16) == 0);
}

void upload_clear(struct fixture *f)
{
    bool is_more = true;

    while (is_more) CHECK_OK(multipart_clear(&f->store, &is_more));
}

/* ---- references ---- */

struct refs {
    uint8_t (*pairs)[32];
    size_t count;
};

static void add_ref(struct refs *refs, struct uid body, struct uid referrer)
{
    CHECK(refs->count < REFS_MAX);
    memcpy(refs->pairs[refs->count], body.bytes, 16);
    memcpy(refs->pairs[refs->count++] + 16, referrer.bytes, 16);
}

static void add_map(struct fixture *f, struct refs *refs, struct place place, struct uid referrer,
                    uint32_t from)
{
    char *bytes = malloc(place.length);
    struct part_entry part;
    struct part_map map;

    CHECK_OK(meta_read_body(f->store.meta, place, bytes));
    CHECK_OK(part_map_open(str_of(bytes, place.length), &map));
    for (struct part_cursor c = part_map_from(&map, from); part_map_next(&c, &part);)
        if (part.size) add_ref(refs, part.body, referrer);
    free(bytes);
}

static void add_row(struct fixture *f, struct rows *view, struct refs *refs, enum space space, struct str key,
                    struct str row)
{
    if (space == SPACE_OBJECTS) {
        struct object_info info;
        CHECK_OK(object_decode(row, NULL, &info));
        if (info.body.kind == BODY_BLOB) add_ref(refs, info.body.uid, info.uid);
        if (info.body.kind == BODY_PARTS) add_map(f, refs, info.body.place, info.uid, 0);
    } else if (space == SPACE_GARBAGE) {
        struct garbage g;
        CHECK_OK(garbage_decode(key, row, &g));
        if (g.kind == GARBAGE_PART_MAP) add_map(f, refs, g.map, g.uid, g.progress);
    } else {
        struct garbage g = { .kind = GARBAGE_UPLOAD };
        struct part_row part;
        uint32_t number;
        uint8_t garbage_key_bytes[GARBAGE_KEY_BYTES];
        struct str left;
        CHECK_OK(part_row_key_parse(key, &number));
        CHECK_OK(part_row_decode(row, &part));
        memcpy(g.uid.bytes, key.data, 16);
        const struct str at = garbage_key(&g, garbage_key_bytes);
        if (!rows_get(view, SPACE_GARBAGE, at, &left).code) CHECK_OK(garbage_decode(at, left, &g));
        if (part.body.kind == BODY_BLOB && !part_set_has(g.kept, number)) add_ref(refs, part.body.uid, g.uid);
    }
}

static void scan_refs(struct fixture *f, struct rows *view, struct refs *refs, enum space space)
{
    struct rows_scan scan;
    struct str key, row;

    rows_scan_begin(&scan, view, space, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &row)) {
        if (space != SPACE_BODY_REFS) {
            add_row(f, view, refs, space, key, row);
            continue;
        }
        CHECK_U64(key.len, 32);
        CHECK(refs->count < REFS_MAX);
        memcpy(refs->pairs[refs->count++], key.data, 32);
    }
    rows_scan_done(&scan);
    CHECK_OK(scan.err);
}

static int compare_refs(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static bool has_ref(const struct refs *refs, const uint8_t *pair)
{
    return bsearch(pair, refs->pairs, refs->count, 32, compare_refs) != NULL;
}

/* What a part map that is being taken apart (or put together by a copy) names may be there or not. */
void upload_check_references(struct fixture *f)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct refs wanted = { .pairs = malloc(REFS_MAX * 32) }, allowed = { .pairs = malloc(REFS_MAX * 32) };
    struct refs there = { .pairs = malloc(REFS_MAX * 32) };
    struct err e;

    CHECK_OK(view_open(f->store.meta, &view));
    scan_refs(f, view, &wanted, SPACE_OBJECTS);
    scan_refs(f, view, &wanted, SPACE_PARTS);
    scan_refs(f, view, &allowed, SPACE_GARBAGE);
    scan_refs(f, view, &there, SPACE_BODY_REFS);
    qsort(wanted.pairs, wanted.count, 32, compare_refs);
    qsort(allowed.pairs, allowed.count, 32, compare_refs);
    for (size_t i = 0; i < wanted.count; i++) {
        CHECK(has_ref(&there, wanted.pairs[i])); /* lost */
        CHECK(rows_have(view, SPACE_BODIES, str_of(wanted.pairs[i], 16), &e));
    }
    for (size_t i = 0; i < there.count; i++)
        CHECK(has_ref(&wanted, there.pairs[i]) || has_ref(&allowed, there.pairs[i])); /* leaked */
    free(wanted.pairs);
    free(allowed.pairs);
    free(there.pairs);
}

void upload_check_clean(struct fixture *f)
{
    /* Part maps are ripe once no view is older than their deletion. */
    upload_clear(f);
    fixture_settle(f);
    upload_check_references(f);
    CHECK_U64(fixture_count(f, SPACE_UPLOADS), 0);
    CHECK_U64(fixture_count(f, SPACE_PARTS), 0);
    CHECK_U64(fixture_count(f, SPACE_GARBAGE), 0);
    CHECK_U64(fixture_count(f, SPACE_FREED), 0);
}

/* Something for the next checkpoint to carry. */
static struct err touch_fn(struct txn *txn, void *arg)
{
    (void)arg;
    return txn_put(txn, SPACE_SYSTEM, STR("touched by a test"), STR("x"));
}

void upload_check_empty(struct fixture *f)
{
    struct meta_status status;

    upload_check_clean(f);
    fixture_reopen(f); /* begins a new segment, so that all that were written can go */
    upload_check_clean(f);
    CHECK_U64(fixture_count(f, SPACE_OBJECTS), 0);
    CHECK_U64(fixture_count(f, SPACE_BODIES), 0);
    CHECK_U64(fixture_count(f, SPACE_BODY_REFS), 0);

    /* Unlinking is behind the checkpoint that allows it; what stays is kept by a body that nobody dropped. */
    meta_status(f->store.meta, &status);
    for (int i = 0; i < 20 && status.journal_segments > 1; i++) {
        CHECK_OK(meta_run(f->store.meta, touch_fn, NULL));
        CHECK_OK(meta_checkpoint(f->store.meta));
        meta_status(f->store.meta, &status);
    }
    fixture_check_no_small_bodies(f);
}
