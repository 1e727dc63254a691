/* part_test.c - the parts of an upload: put, replaced, listed, refused. */
#include "storage/object/multipart.h"

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static struct err list(struct fixture *f, struct uid id, uint32_t after, uint32_t max, struct part_page *ret)
{
    return upload_list_parts(&f->store, STR("bucket"), STR("key"), id, after, max, f->arena, ret);
}

TEST(parts_are_listed_page_by_page)
{
    static const uint32_t numbers[] = { 1, 2, 300, 9999, 10000 };
    struct part_page page;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    for (size_t i = 5; i > 0; i--)
        CHECK_OK(upload_put(&f, "key", id, numbers[i - 1], fixture_body(&f, 1, 100 * i)));

    uint32_t after = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct str body = fixture_body(&f, 1, 100 * (i + 1));
        CHECK_OK(list(&f, id, after, 1, &page));
        CHECK_U64(page.count, 1);
        CHECK(page.is_truncated == (i < 4));
        CHECK_U64(page.parts[0].number, numbers[i]);
        CHECK_U64(page.parts[0].size, body.len);
        CHECK(memcmp(page.parts[0].md5, digest_of(DIGEST_MD5, body.data, body.len).bytes, 16) == 0);
        CHECK_U64(page.parts[0].checksum.kind, DIGEST_CRC64NVME);
        CHECK(memcmp(page.parts[0].checksum.value.bytes,
                     digest_of(DIGEST_CRC64NVME, body.data, body.len).bytes, 8)
              == 0);
        CHECK(page.parts[0].mtime_ms > 0);
        after = page.next_marker;
    }
    CHECK_OK(list(&f, id, after, 1, &page));
    CHECK(page.count == 0 && !page.is_truncated);
    CHECK_OK(list(&f, id, UINT32_MAX, 1, &page));
    CHECK_U64(page.count, 0);
    CHECK_OK(list(&f, id, 0, 0, &page));
    CHECK(page.count == 0 && !page.is_truncated);
    CHECK_OK(list(&f, id, 0, UINT32_MAX, &page));
    CHECK_U64(page.count, 5);
    CHECK_ERR(list(&f, ids_uid(), 0, 1, &page), ERR_NO_SUCH_UPLOAD);
    fixture_done(&f);
}

TEST(a_part_that_is_put_again_replaces_the_first)
{
    static const size_t sizes[] = { 0, 100, FIXTURE_LARGE, 5 };
    struct part_page page;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    for (size_t from = 0; from < 4; from++) {
        for (size_t to = 0; to < 4; to++) {
            CHECK_OK(upload_put(&f, "key", id, 3, fixture_body(&f, 1, sizes[from])));
            CHECK_OK(upload_put(&f, "key", id, 3, fixture_body(&f, 2, sizes[to])));
            CHECK_OK(list(&f, id, 0, 10, &page));
            CHECK_U64(page.count, 1);
            CHECK_U64(page.parts[0].size, sizes[to]);
            upload_check_references(&f);
        }
    }
    CHECK_OK(upload_give_up(&f, "key", id));
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(a_part_that_fits_nowhere_is_refused)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_ERR(upload_put(&f, "key", id, 0, STR("x")), ERR_INVALID_ARGUMENT);
    CHECK_ERR(upload_put(&f, "key", id, 10001, STR("x")), ERR_INVALID_ARGUMENT);
    CHECK_ERR(upload_put(&f, "other", id, 1, STR("x")), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(upload_put(&f, "key", ids_uid(), 1, fixture_body(&f, 1, FIXTURE_LARGE)), ERR_NO_SUCH_UPLOAD);
    CHECK_U64(fixture_count(&f, SPACE_PARTS), 0);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 0);
    fixture_done(&f);
}

TEST(a_part_has_the_checksum_of_its_upload)
{
    struct part_page page;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin_with(&f, "key", DIGEST_SHA256, CHECKSUM_COMPOSITE, &id));
    CHECK_ERR(upload_put_sum(&f, "key", id, 1, STR("abc"), DIGEST_CRC32), ERR_INVALID_REQUEST);
    CHECK_ERR(upload_put_sum(&f, "key", id, 1, STR("abc"), DIGEST_NONE), ERR_INVALID_REQUEST);
    CHECK_OK(upload_put_sum(&f, "key", id, 1, STR("abc"), DIGEST_SHA256));
    CHECK_OK(upload_put_sum(&f, "key", id, 2, STR(""), DIGEST_NONE)); /* an empty part has every checksum */
    CHECK_OK(list(&f, id, 0, 10, &page));
    CHECK_U64(page.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct digest_value want = i ? digest_of(DIGEST_SHA256, "", 0)
                                           : digest_of(DIGEST_SHA256, "abc", 3);
        CHECK_U64(page.parts[i].checksum.kind, DIGEST_SHA256);
        CHECK(memcmp(page.parts[i].checksum.value.bytes, want.bytes, 32) == 0);
    }
    fixture_done(&f);
}

static struct err mark_fn(struct txn *txn, void *arg)
{
    const struct uid *id = arg;
    struct upload_place place;
    struct upload_row row;

    TRY(upload_find(txn_rows(txn), STR("bucket"), STR("key"), *id, &place, &row));
    row.mark = *id;
    row.mark_until_ms = clock_now_ms() + UPLOAD_MARK_LEASE_MS;
    return upload_row_put(txn, &place, &row);
}

/* What a Complete that crashed leaves behind must not make the upload useless. */
TEST(a_part_waits_for_a_complete_but_not_longer_than_its_mark)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct upload_info info;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(meta_run(f.store.meta, mark_fn, &id));
    CHECK_ERR(upload_put(&f, "key", id, 1, STR("x")), ERR_BUSY);
    fixture_reopen(&f);
    CHECK_ERR(upload_put(&f, "key", id, 1, STR("x")), ERR_BUSY);

    clock_set_offset_ms(UPLOAD_MARK_LEASE_MS + 1);
    CHECK_OK(upload_put(&f, "key", id, 1, STR("x")));
    clock_set_offset_ms(0);
    CHECK_OK(upload_put(&f, "key", id, 2, STR("y"))); /* the mark is gone, not only old */
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(upload_get(view, STR("bucket"), STR("key"), id, f.arena, &info));
    CHECK(!info.is_completing);
    view = view_close(view);
    fixture_done(&f);
}
