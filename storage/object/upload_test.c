/* upload_test.c - beginning an upload, finding it, giving it up. */
#include "storage/object/multipart.h"

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static struct err get(struct fixture *f, const char *bucket, const char *key, struct uid id,
                      struct upload_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    CHECK_OK(view_open(f->store.meta, &view));
    TRY(upload_get(view, str_from_z(bucket), str_from_z(key), id, f->arena, ret));
    ret->owner = arena_str(f->arena, ret->owner);
    struct object_info said = { .meta = ret->meta };
    CHECK_OK(object_info_keep(&said, f->arena));
    ret->meta = said.meta;
    return OK;
}

TEST(an_upload_id_is_32_hex_digits)
{
    static const struct {
        struct str text;
        bool is_id;
    } rows[] = {
        { STR("0123456789abcdef0123456789abcdef"), true },
        { STR("0123456789ABCDEF0123456789abcdef"), true },
        { STR("0123456789abcdef0123456789abcde"), false },
        { STR("0123456789abcdef0123456789abcdef0"), false },
        { STR("0123456789abcdef0123456789abcdeg"), false },
        { STR(""), false },
    };
    char text[UPLOAD_ID_SIZE];
    struct uid id;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(upload_id_parse(rows[i].text, &id) == rows[i].is_id);
        if (!rows[i].is_id) continue;
        upload_id_print(id, text);
        CHECK(str_eq_nocase(str_from_z(text), rows[i].text));
    }
}

TEST(an_upload_is_found_as_it_was_begun)
{
    static const struct pair user[] = { { STR("a"), STR("1") }, { STR("b"), STR("") } };
    static const struct pair tags[] = { { STR("t"), STR("v") } };
    const struct upload_info what = {
        .owner = STR("me"),
        .checksum = DIGEST_SHA256,
        .checksum_type = CHECKSUM_COMPOSITE,
        .meta = { .headers[OBJECT_CONTENT_TYPE] = STR("text/x"),
                  .user = user,
                  .user_count = 2,
                  .tags = tags,
                  .tag_count = 1 },
    };
    struct upload_info got;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    const int64_t before = clock_now_ms();
    CHECK_OK(upload_create(&f.store, STR("bucket"), STR("key"), &what, &id));
    fixture_reopen(&f);

    CHECK_OK(get(&f, "bucket", "key", id, &got));
    CHECK(uid_eq(got.id, id));
    CHECK_STR(got.key, STR("key"));
    CHECK_STR(got.owner, STR("me"));
    CHECK_U64(got.checksum, DIGEST_SHA256);
    CHECK_U64(got.checksum_type, CHECKSUM_COMPOSITE);
    CHECK(got.created_ms >= before && got.created_ms <= clock_now_ms());
    CHECK(!got.is_completing);
    CHECK_STR(got.meta.headers[OBJECT_CONTENT_TYPE], STR("text/x"));
    CHECK_U64(got.meta.user_count, 2);
    CHECK_STR(got.meta.user[0].value, STR("1"));
    CHECK_U64(got.meta.tag_count, 1);
    CHECK_STR(got.meta.tags[0].name, STR("t"));

    CHECK_ERR(get(&f, "bucket", "other", id, &got), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(get(&f, "bucket", "", id, &got), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(get(&f, "bucket", "key", ids_uid(), &got), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(get(&f, "no-bucket", "key", id, &got), ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}

TEST(an_upload_that_makes_no_sense_is_refused)
{
    static const struct {
        enum digest_kind kind;
        enum checksum_type type;
        enum err_code code;
    } rows[] = {
        { DIGEST_NONE, CHECKSUM_FULL_OBJECT, ERR_OK },
        { DIGEST_NONE, CHECKSUM_COMPOSITE, ERR_OK },
        { DIGEST_CRC32, CHECKSUM_FULL_OBJECT, ERR_OK },
        { DIGEST_CRC32C, CHECKSUM_COMPOSITE, ERR_OK },
        { DIGEST_CRC64NVME, CHECKSUM_FULL_OBJECT, ERR_OK },
        { DIGEST_CRC64NVME, CHECKSUM_COMPOSITE, ERR_INVALID_REQUEST },
        { DIGEST_SHA256, CHECKSUM_COMPOSITE, ERR_OK },
        { DIGEST_SHA256, CHECKSUM_FULL_OBJECT, ERR_INVALID_REQUEST },
        { DIGEST_SHA1, CHECKSUM_FULL_OBJECT, ERR_INVALID_REQUEST },
    };
    const struct upload_info what = { .owner = STR("me") };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_ERR(upload_begin_with(&f, "key", rows[i].kind, rows[i].type, &id), rows[i].code);
    CHECK_ERR(upload_begin(&f, "", &id), ERR_INVALID_URI);
    CHECK_ERR(upload_create(&f.store, STR("no-bucket"), STR("key"), &what, &id), ERR_NO_SUCH_BUCKET);

    /* NULs count twice in the row's key (upload_row.h). */
    char nuls[LIMIT_KEY] = { 0 };
    CHECK_ERR(upload_create(&f.store, STR("bucket"), str_of(nuls, LIMIT_KEY), &what, &id), ERR_KEY_TOO_LONG);
    CHECK_OK(upload_create(&f.store, STR("bucket"), str_of(nuls, 1000), &what, &id));
    fixture_done(&f);
}

TEST(an_aborted_upload_is_gone_and_its_parts_are_cleared)
{
    struct upload_info info;
    struct fixture f;
    struct uid id, other;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_begin(&f, "key", &other));
    for (uint32_t n = 1; n <= 4; n++)
        CHECK_OK(upload_put(&f, "key", id, n, fixture_body(&f, n, n % 2 ? 100 : FIXTURE_LARGE)));
    CHECK_OK(upload_put(&f, "key", other, 1, fixture_body(&f, 9, FIXTURE_LARGE)));

    CHECK_ERR(upload_give_up(&f, "other", id), ERR_NO_SUCH_UPLOAD);
    CHECK_OK(upload_give_up(&f, "key", id));
    CHECK_ERR(upload_give_up(&f, "key", id), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(get(&f, "bucket", "key", id, &info), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(upload_put(&f, "key", id, 1, STR("late")), ERR_NO_SUCH_UPLOAD);
    upload_check_references(&f);

    fixture_reopen(&f); /* what is to be cleared survives a restart */
    upload_clear(&f);
    CHECK_U64(fixture_count(&f, SPACE_PARTS), 1);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 1);
    CHECK_OK(upload_give_up(&f, "key", other));
    upload_check_empty(&f);
    fixture_done(&f);
}

TEST(an_aborted_upload_without_parts_leaves_nothing_to_clear)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_give_up(&f, "key", id));
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 0);
    upload_check_clean(&f);
    fixture_done(&f);
}
