/* complete_test.c - Complete: what comes of parts, what is refused, and what a repetition answers. */
#include "storage/object/multipart.h"

#include <stdlib.h>

#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"
#include "storage/object/part_sums.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static struct part_page list_parts(struct fixture *f, struct uid id)
{
    struct part_page page;

    CHECK_OK(upload_list_parts(&f->store, STR("bucket"), STR("key"), id, 0, 1000, f->arena, &page));
    return page;
}

TEST(one_part_becomes_a_plain_object_with_a_part_count)
{
    static const struct {
        size_t size;
        enum body_kind kind;
    } rows[] = { { 0, BODY_NONE_AT_ALL },
                 { 1, BODY_SMALL },
                 { FIXTURE_SMALL, BODY_SMALL },
                 { FIXTURE_SMALL + 1, BODY_BLOB } };
    struct object_info info;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sent_part part = { 7, fixture_body(&f, (uint32_t)i, rows[i].size) };
        CHECK_OK(upload_begin(&f, "key", &id));
        CHECK_OK(upload_put_all(&f, "key", id, &part, 1));
        CHECK_OK(upload_finish(&f, "key", id, &part, 1, &info));
        CHECK_U64(info.body.kind, rows[i].kind);
        CHECK(uid_eq(info.uid, id));
        upload_check_object(&f, "key", &part, 1);
        upload_check_clean(&f);
        fixture_reopen(&f);
        upload_check_object(&f, "key", &part, 1);
    }
    CHECK_OK(fixture_delete(&f, "key"));
    upload_check_empty(&f);
    fixture_done(&f);
}

/* Sizes of parts, 0 ends. A part of 1 stands for an empty one. */
static const size_t mixes[][6] = {
    { FIXTURE_LARGE, FIXTURE_LARGE },
    { FIXTURE_LARGE, 100 },
    { 100, FIXTURE_LARGE },
    { 10, 20, 30 },
    { 1, 1 },
    { 1, 50, 1 },
    { FIXTURE_LARGE, 1, 5, FIXTURE_LARGE, 1 },
};

TEST(several_parts_become_one_object_in_parts)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    f.store.part_bytes_min = 0;
    for (size_t m = 0; m < sizeof(mixes) / sizeof(mixes[0]); m++) {
        struct sent_part parts[6];
        size_t count = 0;
        for (; count < 6 && mixes[m][count]; count++) {
            const size_t size = mixes[m][count] == 1 ? 0 : mixes[m][count];
            parts[count] = (struct sent_part){ (uint32_t)(3 * count + 2),
                                               fixture_body(&f, (uint32_t)(10 * m + count), size) };
        }
        CHECK_OK(upload_begin(&f, "key", &id));
        CHECK_OK(upload_put(&f, "key", id, 1, fixture_body(&f, 99, FIXTURE_LARGE))); /* not listed */
        CHECK_OK(upload_put(&f, "key", id, 10000, STR("nor this")));
        CHECK_OK(upload_put_all(&f, "key", id, parts, count));
        CHECK_OK(upload_finish(&f, "key", id, parts, count, NULL));
        upload_check_object(&f, "key", parts, count);
        upload_check_clean(&f);
        upload_check_object(&f, "key", parts, count);
        fixture_reopen(&f);
        f.store.part_bytes_min = 0;
        upload_check_object(&f, "key", parts, count);
    }
    CHECK_OK(fixture_delete(&f, "key"));
    upload_check_empty(&f);
    fixture_done(&f);
}

/* More than are compared one by one: the way with a mark. */
TEST(many_parts_become_one_object_and_only_unlisted_ones_are_cleared)
{
    struct sent_part parts[100];
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    for (uint32_t i = 0; i < 100; i++) {
        const size_t size = i % 10 == 3 ? 20 + i : FIXTURE_SMALL + 1 + i;
        CHECK_OK(
            upload_put(&f, "key", id, 2 * i + 1, fixture_body(&f, 1000 + i, i % 7 ? FIXTURE_SMALL + 1 : 9)));
        parts[i] = (struct sent_part){ 2 * i + 2, fixture_body(&f, i, size) };
    }
    CHECK_OK(upload_put_all(&f, "key", id, parts, 100));
    CHECK_OK(upload_finish(&f, "key", id, parts, 100, NULL));
    upload_check_object(&f, "key", parts, 100);
    upload_check_references(&f);
    CHECK_ERR(upload_put(&f, "key", id, 1, STR("late")), ERR_NO_SUCH_UPLOAD);

    fixture_reopen(&f);
    upload_check_clean(&f);
    upload_check_object(&f, "key", parts, 100);
    fixture_done(&f);
}

TEST(an_object_that_is_deleted_before_its_upload_was_cleared_leaves_nothing)
{
    struct sent_part parts[40];
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    for (uint32_t i = 0; i < 40; i++)
        parts[i] = (struct sent_part){ i + 1, fixture_body(&f, i, FIXTURE_SMALL + 1) };
    CHECK_OK(upload_put_all(&f, "key", id, parts, 40));
    CHECK_OK(upload_put(&f, "key", id, 50, parts[0].body));
    CHECK_OK(upload_finish(&f, "key", id, parts, 40, NULL));
    CHECK_OK(fixture_delete(&f, "key"));
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 2); /* under the same uid */
    upload_check_references(&f);
    upload_check_empty(&f);
    fixture_done(&f);
}

/* ---- refusals ---- */

struct refusal {
    const char *name;
    struct sent_part parts[3];
    size_t count;
    enum err_code code;
};

TEST(a_list_that_is_not_what_was_uploaded_is_refused_and_the_upload_stays)
{
    const struct str a = STR("the first part"), b = STR("second");
    const struct refusal rows[] = {
        { "empty", { { 0 } }, 0, ERR_MALFORMED_XML },
        { "descending", { { 2, b }, { 1, a } }, 2, ERR_INVALID_PART_ORDER },
        { "twice", { { 1, a }, { 1, a } }, 2, ERR_INVALID_PART_ORDER },
        { "missing", { { 1, a }, { 3, b } }, 2, ERR_INVALID_PART },
        { "out of range", { { 0, a }, { 10001, b } }, 2, ERR_INVALID_PART },
        { "another ETag", { { 1, b } }, 1, ERR_INVALID_PART },
        { "too small", { { 1, a }, { 2, b } }, 2, ERR_ENTITY_TOO_SMALL },
        { "too small and another ETag", { { 1, a }, { 2, a } }, 2, ERR_INVALID_PART },
    };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    f.store.part_bytes_min = 1000;
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_put(&f, "key", id, 1, a));
    CHECK_OK(upload_put(&f, "key", id, 2, b));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_ERR(upload_finish(&f, "key", id, rows[i].parts, rows[i].count, NULL), rows[i].code);
        CHECK_U64(list_parts(&f, id).count, 2);
    }
    CHECK_ERR(upload_finish(&f, "other", id, (struct sent_part[]){ { 1, a } }, 1, NULL), ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(upload_finish(&f, "key", ids_uid(), (struct sent_part[]){ { 1, a } }, 1, NULL),
              ERR_NO_SUCH_UPLOAD);
    CHECK_ERR(fixture_stat(&f, "key", &(struct object_info){ 0 }), ERR_NO_SUCH_KEY);

    f.store.part_bytes_min = a.len;
    CHECK_OK(upload_finish(&f, "key", id, (struct sent_part[]){ { 1, a }, { 2, b } }, 2, NULL));
    fixture_done(&f);
}

TEST(a_refused_complete_of_many_parts_takes_its_mark_away)
{
    struct sent_part parts[40];
    struct upload_info info;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    for (uint32_t i = 0; i < 40; i++) parts[i] = (struct sent_part){ i + 1, fixture_body(&f, i, 30) };
    CHECK_OK(upload_put_all(&f, "key", id, parts, 39));
    CHECK_ERR(upload_finish(&f, "key", id, parts, 40, NULL), ERR_INVALID_PART);
    struct rows *view;
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(upload_get(view, STR("bucket"), STR("key"), id, f.arena, &info));
    view_close(view);
    CHECK(!info.is_completing);
    CHECK_OK(upload_put_all(&f, "key", id, parts + 39, 1));
    CHECK_OK(upload_finish(&f, "key", id, parts, 40, NULL));
    upload_check_object(&f, "key", parts, 40);
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(an_etag_is_compared_with_or_without_quotes_in_either_case)
{
    static const struct {
        const char *etag;
        enum err_code code;
    } rows[] = {
        { "", ERR_INVALID_PART },
        { "\"", ERR_INVALID_PART },
        { "900150983cd24fb0d6963f7d28e17f7", ERR_INVALID_PART },
        { "900150983cd24fb0d6963f7d28e17f72-1", ERR_INVALID_PART },
        { "900150983CD24FB0D6963F7D28E17F72", ERR_OK },
        { "900150983cd24fb0d6963f7d28e17f72", ERR_OK },
        { "\"900150983cd24fb0d6963f7d28e17f72\"", ERR_OK },
    };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct complete_part part = { .number = 1, .etag = str_from_z(rows[i].etag) };
        CHECK_OK(upload_begin(&f, "key", &id));
        CHECK_OK(upload_put(&f, "key", id, 1, STR("abc")));
        struct upload_complete c = { .store = &f.store,
                                     .bucket = STR("bucket"),
                                     .key = STR("key"),
                                     .upload = id,
                                     .parts = &part,
                                     .part_count = 1 };
        CHECK_ERR(upload_complete(&c, f.arena), rows[i].code);
    }
    fixture_done(&f);
}

TEST(a_complete_obeys_its_conditions_and_the_upload_stays)
{
    const struct sent_part part = { 1, STR("abc") };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_put_all(&f, "key", id, &part, 1));
    struct upload_complete c = upload_list_of(&f, "key", id, &part, 1);
    c.conditions.if_match = STR("\"900150983cd24fb0d6963f7d28e17f72\"");
    CHECK_ERR(upload_complete(&c, f.arena), ERR_NO_SUCH_KEY);

    CHECK_OK(fixture_put(&f, "key", STR("there")));
    CHECK_ERR(upload_complete(&c, f.arena), ERR_PRECONDITION);
    c.conditions = (struct conditions){ .if_none_match = STR("*") };
    CHECK_ERR(upload_complete(&c, f.arena), ERR_PRECONDITION);
    CHECK_OK(fixture_delete(&f, "key"));
    CHECK_OK(upload_complete(&c, f.arena));
    CHECK_OK(upload_complete(&c, f.arena)); /* repeated: it is its own object that is there */
    upload_check_object(&f, "key", &part, 1);
    upload_check_clean(&f);
    fixture_done(&f);
}

/* ---- checksums ---- */

static const struct {
    enum digest_kind upload, parts, whole;
    enum checksum_type type, whole_type;
} sums[] = {
    { DIGEST_NONE, DIGEST_NONE, DIGEST_CRC64NVME, CHECKSUM_FULL_OBJECT, CHECKSUM_FULL_OBJECT },
    { DIGEST_NONE, DIGEST_CRC32, DIGEST_CRC32, CHECKSUM_FULL_OBJECT, CHECKSUM_FULL_OBJECT },
    { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA256, CHECKSUM_FULL_OBJECT, CHECKSUM_COMPOSITE },
    { DIGEST_CRC32, DIGEST_CRC32, DIGEST_CRC32, CHECKSUM_FULL_OBJECT, CHECKSUM_FULL_OBJECT },
    { DIGEST_CRC32, DIGEST_CRC32, DIGEST_CRC32, CHECKSUM_COMPOSITE, CHECKSUM_COMPOSITE },
    { DIGEST_CRC32C, DIGEST_CRC32C, DIGEST_CRC32C, CHECKSUM_FULL_OBJECT, CHECKSUM_FULL_OBJECT },
    { DIGEST_CRC64NVME, DIGEST_NONE, DIGEST_CRC64NVME, CHECKSUM_FULL_OBJECT, CHECKSUM_FULL_OBJECT },
    { DIGEST_SHA1, DIGEST_SHA1, DIGEST_SHA1, CHECKSUM_COMPOSITE, CHECKSUM_COMPOSITE },
    { DIGEST_SHA256, DIGEST_SHA256, DIGEST_SHA256, CHECKSUM_COMPOSITE, CHECKSUM_COMPOSITE },
};

static struct digest_value whole_sum(struct str a, struct str b, enum digest_kind kind,
                                     enum checksum_type type)
{
    char all[512];

    if (type == CHECKSUM_FULL_OBJECT) {
        memcpy(all, a.data, a.len);
        memcpy(all + a.len, b.data, b.len);
        return digest_of(kind, all, a.len + b.len);
    }
    const struct digest_value x = digest_of(kind, a.data, a.len), y = digest_of(kind, b.data, b.len);
    memcpy(all, x.bytes, x.len);
    memcpy(all + x.len, y.bytes, y.len);
    return digest_of(kind, all, (size_t)x.len + y.len);
}

TEST(the_checksum_of_the_whole_is_composed_compared_and_stored)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        const struct sent_part parts[] = { { 1, fixture_body(&f, 1, 200) }, { 2, fixture_body(&f, 2, 100) } };
        const struct digest_value want = whole_sum(parts[0].body, parts[1].body, sums[i].whole,
                                                   sums[i].whole_type);
        CHECK_OK(upload_begin_with(&f, "key", sums[i].upload, sums[i].type, &id));
        for (size_t p = 0; p < 2; p++)
            CHECK_OK(upload_put_sum(&f, "key", id, parts[p].number, parts[p].body, sums[i].parts));

        struct upload_complete c = upload_list_of(&f, "key", id, parts, 2);
        struct complete_part *list = (struct complete_part *)(uintptr_t)c.parts;
        list[1].checksum = (struct object_checksum){ .kind = sums[i].whole,
                                                     .value = digest_of(sums[i].whole, "x", 1) };
        CHECK_ERR(upload_complete(&c, f.arena), ERR_INVALID_PART);
        list[1].checksum.value = digest_of(sums[i].whole, parts[1].body.data, parts[1].body.len);
        c.checksum = (struct object_checksum){ .kind = sums[i].whole,
                                               .type = sums[i].whole_type,
                                               .value = want };
        c.checksum.value.bytes[0] ^= 1;
        CHECK_ERR(upload_complete(&c, f.arena), ERR_CHECKSUM_MISMATCH);
        c.checksum.value.bytes[0] ^= 1;
        c.has_object_size = true;
        c.object_size = 299;
        CHECK_ERR(upload_complete(&c, f.arena), ERR_INVALID_REQUEST);
        c.object_size = 300;
        CHECK_OK(upload_complete(&c, f.arena));
        CHECK_U64(c.ret.checksum.kind, sums[i].whole);
        CHECK_U64(c.ret.checksum.type, sums[i].whole_type);
        CHECK(c.ret.checksum.value.len == want.len
              && memcmp(c.ret.checksum.value.bytes, want.bytes, want.len) == 0);
    }
    fixture_done(&f);
}

TEST(a_whole_checksum_of_another_algorithm_is_refused_and_mixed_parts_have_none)
{
    const struct sent_part parts[] = { { 1, STR("abc") }, { 2, STR("def") } };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_put_sum(&f, "key", id, 1, parts[0].body, DIGEST_CRC32));
    CHECK_OK(upload_put_sum(&f, "key", id, 2, parts[1].body, DIGEST_CRC32C));
    struct upload_complete c = upload_list_of(&f, "key", id, parts, 2);
    c.checksum = (struct object_checksum){ .kind = DIGEST_CRC32,
                                           .value = digest_of(DIGEST_CRC32, "abcdef", 6) };
    CHECK_ERR(upload_complete(&c, f.arena), ERR_INVALID_REQUEST);
    c.checksum.kind = DIGEST_NONE;
    CHECK_OK(upload_complete(&c, f.arena));
    CHECK_U64(c.ret.checksum.kind, DIGEST_NONE);
    fixture_done(&f);
}

/* ---- repeating ---- */

TEST(a_repeated_complete_answers_the_same_while_the_object_is_that_uploads)
{
    static const struct pair user[] = { { STR("a"), STR("1") } };
    const struct upload_info what = { .meta = { .user = user, .user_count = 1 } };
    const struct sent_part parts[] = { { 1, STR("abc") }, { 2, STR("def") } };
    struct object_info first, again;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_create(&f.store, STR("bucket"), STR("key"), &what, &id));
    CHECK_OK(upload_put_all(&f, "key", id, parts, 2));
    CHECK_OK(upload_finish(&f, "key", id, parts, 2, &first));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(upload_finish(&f, "key", id, parts, 2, &again));
        CHECK(uid_eq(first.uid, again.uid));
        CHECK(memcmp(first.etag_md5, again.etag_md5, 16) == 0);
        CHECK_U64(again.part_count, 2);
        CHECK_U64(again.size, first.size);
        CHECK_U64(again.mtime_ms, first.mtime_ms);
        CHECK_U64(again.checksum.kind, first.checksum.kind);
        CHECK_U64(again.meta.user_count, 1);
        upload_clear(&f);
        fixture_reopen(&f);
    }
    CHECK_OK(fixture_put(&f, "key", STR("overwritten")));
    CHECK_ERR(upload_finish(&f, "key", id, parts, 2, &again), ERR_NO_SUCH_UPLOAD);
    CHECK_OK(fixture_delete(&f, "key"));
    CHECK_ERR(upload_finish(&f, "key", id, parts, 2, &again), ERR_NO_SUCH_UPLOAD);
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(a_part_of_an_object_is_read_by_its_place_also_when_parts_are_small)
{
    const struct sent_part parts[] = { { 1, STR("abc") }, { 5, STR("defg") } };
    struct object_reader *reader;
    struct object_info info;
    uint64_t offset, len;
    struct rows *view;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_put_all(&f, "key", id, parts, 2));
    CHECK_OK(upload_finish(&f, "key", id, parts, 2, &info));
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(object_reader_open(&f.store, view, &info, &reader));
    view_close(view);
    CHECK_OK(object_part_range(reader, 5, &offset, &len));
    CHECK_U64(offset, 3);
    CHECK_U64(len, 4);
    object_reader_close(reader);
    fixture_done(&f);
}

/* design.md 3.1: Create, a tiny part and Complete are three transactions, and no volume is touched. */
TEST(a_tiny_upload_costs_three_transactions_and_no_volume)
{
    const struct sent_part part = { 1, STR("tiny") };
    struct meta_status before, after;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    meta_status(f.store.meta, &before);
    CHECK_OK(upload_begin(&f, "key", &id));
    CHECK_OK(upload_put_all(&f, "key", id, &part, 1));
    CHECK_OK(upload_finish(&f, "key", id, &part, 1, NULL));
    meta_status(f.store.meta, &after);
    CHECK_U64(after.transactions - before.transactions, 3);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 0);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 0);
    CHECK_U64(fixture_count(&f, SPACE_PARTS), 0);
    fixture_done(&f);
}
