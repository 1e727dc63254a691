/* copy_source_test.c - a copy is what its source was at one moment, however often the source is overwritten meanwhile. */
#include "storage/object/copy_source.h"

#include <stdatomic.h>

#include "storage/base/thread.h"
#include "storage/object/object_copy.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define VERSIONS 5
#define COPIES 150

struct race {
    struct fixture f;
    struct str versions[VERSIONS];
    struct uid upload;
    atomic_bool is_over;
};

static void put_version(struct race *r, int v)
{
    const size_t sizes[] = { FIXTURE_LARGE, FIXTURE_LARGE };

    if (v == VERSIONS - 1) CHECK_OK(fixture_put_parts(&r->f, "source", r->versions[v], sizes, 2));
    else CHECK_OK(fixture_put(&r->f, "source", r->versions[v]));
}

static void overwrite(void *arg)
{
    struct race *r = arg;
    bool is_more;

    for (int i = 0; !atomic_load(&r->is_over); i++) {
        put_version(r, i % VERSIONS);
        CHECK_OK(multipart_clear(&r->f.store, &is_more));
    }
}

static struct err copy_to(struct race *r, int i, struct arena *arena)
{
    char key[24];

    snprintf(key, sizeof(key), "copy %d", i);
    struct object_copy c = {
        .store = &r->f.store,
        .source_bucket = STR("bucket"),
        .source_key = STR("source"),
        .bucket = STR("bucket"),
        .key = str_from_z(key),
        .checksum = i % 2 ? DIGEST_CRC32 : DIGEST_NONE,
    };
    return object_copy(&c, arena);
}

static struct err copy_part(struct race *r, int i, struct arena *arena, uint8_t md5[16])
{
    struct part_copy c = {
        .store = &r->f.store,
        .source_bucket = STR("bucket"),
        .source_key = STR("source"),
        .bucket = STR("bucket"),
        .key = STR("key"),
        .upload = r->upload,
        .number = (uint32_t)i + 1,
    };
    const struct err e = part_copy(&c, arena);
    memcpy(md5, c.ret_md5, 16);
    return e;
}

static bool is_version(const struct race *r, const uint8_t md5[16])
{
    for (int v = 0; v < VERSIONS; v++)
        if (memcmp(digest_of(DIGEST_MD5, r->versions[v].data, r->versions[v].len).bytes, md5, 16) == 0)
            return true;
    return false;
}

static void check_copies(struct race *r)
{
    struct part_page page;

    for (int i = 0; i < COPIES; i++) {
        char key[24];
        struct str got;
        snprintf(key, sizeof(key), "copy %d", i);
        const struct err e = fixture_get(&r->f, key, &got);
        if (e.code == ERR_NO_SUCH_KEY) continue;
        CHECK_OK(e);
        CHECK(is_version(r, digest_of(DIGEST_MD5, got.data, got.len).bytes));
        CHECK_OK(fixture_delete(&r->f, key));
    }
    CHECK_OK(
        upload_list_parts(&r->f.store, STR("bucket"), STR("key"), r->upload, 0, 1000, r->f.arena, &page));
    CHECK(page.count > 0);
    for (size_t i = 0; i < page.count; i++) CHECK(is_version(r, page.parts[i].md5));
}

TEST(a_copy_of_a_source_that_is_being_overwritten_is_one_of_its_versions)
{
    struct arena *arena = arena_new(16 << 20);
    struct race r = { 0 };
    pthread_t thread;
    uint8_t md5[16];

    fixture_open(&r.f);
    for (uint32_t v = 0; v < VERSIONS; v++) {
        const size_t size = v == VERSIONS - 1 ? 2 * FIXTURE_LARGE : v ? FIXTURE_LARGE : 100;
        r.versions[v] = fixture_body(&r.f, v, size);
    }
    put_version(&r, 0);
    CHECK_OK(upload_begin(&r.f, "key", &r.upload));
    CHECK_OK(thread_start("overwrite", overwrite, &r, &thread));
    /* Whoever is overtaken again and again is told so, and nothing is done. */
    for (int i = 0; i < COPIES; i++) {
        const struct err e = copy_part(&r, i, arena, md5);
        CHECK(e.code == ERR_OK || e.code == ERR_CONFLICT);
        if (e.code == ERR_OK) CHECK(is_version(&r, md5));
    }
    for (int i = 0; i < COPIES; i++) {
        const struct err e = copy_to(&r, i, arena);
        CHECK(e.code == ERR_OK || e.code == ERR_CONFLICT);
    }
    atomic_store(&r.is_over, true);
    thread_join(thread);

    upload_check_references(&r.f);
    check_copies(&r);
    CHECK_OK(upload_give_up(&r.f, "key", r.upload));
    CHECK_OK(fixture_delete(&r.f, "source"));
    upload_check_empty(&r.f);
    arena_free(arena);
    fixture_done(&r.f);
}

/* ---- sums ---- */

TEST(the_sums_of_a_source_are_those_of_its_bytes)
{
    const size_t sizes[] = { FIXTURE_LARGE, (size_t)3 << 20, 1 };
    struct object_reader *reader;
    struct digest_value sum = { 0 };
    struct object_info info;
    struct rows *view;
    struct fixture f;
    uint8_t md5[16];

    fixture_open(&f);
    const struct str body = fixture_body(&f, 1, sizes[0] + sizes[1] + sizes[2]);
    CHECK_OK(fixture_put_parts(&f, "key", body, sizes, 3));
    CHECK_OK(fixture_stat(&f, "key", &info));
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(object_reader_open(&f.store, view, &info, &reader));
    view_close(view);
    CHECK_OK(copy_source_sums(reader, body.len, md5, DIGEST_SHA1, &sum));
    CHECK(memcmp(md5, digest_of(DIGEST_MD5, body.data, body.len).bytes, 16) == 0);
    CHECK(memcmp(sum.bytes, digest_of(DIGEST_SHA1, body.data, body.len).bytes, 20) == 0);
    CHECK_OK(copy_source_sums(reader, 10, NULL, DIGEST_CRC32, &sum));
    CHECK(memcmp(sum.bytes, digest_of(DIGEST_CRC32, body.data, 10).bytes, 4) == 0);
    object_reader_close(reader);
    fixture_done(&f);
}
