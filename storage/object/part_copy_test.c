/* part_copy_test.c - parts from what is there: shared when they can be, moved when not. */
#include "storage/object/multipart.h"

#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static struct part_copy copy_of(struct fixture *f, const char *source, struct uid id, uint32_t number)
{
    return (struct part_copy){
        .store = &f->store,
        .source_bucket = STR("bucket"),
        .source_key = str_from_z(source),
        .bucket = STR("bucket"),
        .key = STR("key"),
        .upload = id,
        .number = number,
    };
}

static void check_copied(const struct part_copy *c, struct str bytes)
{
    CHECK(memcmp(c->ret_md5, digest_of(DIGEST_MD5, bytes.data, bytes.len).bytes, 16) == 0);
    CHECK(c->ret_mtime_ms > 0);
    if (!c->ret_checksum.kind) return;
    const struct digest_value want = digest_of(c->ret_checksum.kind, bytes.data, bytes.len);
    CHECK(want.len == c->ret_checksum.value.len
          && memcmp(want.bytes, c->ret_checksum.value.bytes, want.len) == 0);
}

TEST(a_whole_body_in_volumes_is_shared)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    const struct sent_part parts[] = { { 1, fixture_body(&f, 1, FIXTURE_LARGE) },
                                       { 2, fixture_body(&f, 2, 50) } };
    CHECK_OK(fixture_put(&f, "source", parts[0].body));
    CHECK_OK(upload_begin(&f, "key", &id));
    struct part_copy c = copy_of(&f, "source", id, 1);
    CHECK_OK(part_copy(&c, f.arena));
    check_copied(&c, parts[0].body);
    CHECK_U64(c.ret_checksum.kind, DIGEST_CRC64NVME);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 1);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), 2);

    /* Again, after a lost answer: nothing changes. */
    CHECK_OK(part_copy(&c, f.arena));
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), 2);
    upload_check_references(&f);

    CHECK_OK(fixture_delete(&f, "source"));
    CHECK_OK(upload_put_all(&f, "key", id, parts + 1, 1));
    CHECK_OK(upload_finish(&f, "key", id, parts, 2, NULL));
    upload_check_object(&f, "key", parts, 2);
    upload_check_clean(&f);
    fixture_done(&f);
}

/* U3: references are not counts. */
TEST(a_body_is_shared_once_into_an_upload_so_that_replacing_a_part_harms_no_other)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    const struct str body = fixture_body(&f, 1, FIXTURE_LARGE);
    const struct sent_part parts[] = { { 1, body }, { 2, body }, { 3, body } };
    CHECK_OK(fixture_put(&f, "source", body));
    CHECK_OK(upload_begin(&f, "key", &id));
    for (uint32_t n = 1; n <= 3; n++) {
        struct part_copy c = copy_of(&f, "source", id, n);
        CHECK_OK(part_copy(&c, f.arena));
        check_copied(&c, body);
    }
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 3);
    CHECK_OK(fixture_delete(&f, "source"));
    CHECK_OK(upload_put(&f, "key", id, 1, STR("other")));
    upload_check_references(&f);
    CHECK_OK(upload_finish(&f, "key", id, parts + 1, 2, NULL));
    upload_check_object(&f, "key", parts + 1, 2);
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(a_range_and_whatever_is_not_one_body_are_moved)
{
    static const struct {
        const char *source;
        uint64_t offset, len;
    } rows[] = {
        { "large", 0, FIXTURE_LARGE - 1 },
        { "large", 1, FIXTURE_LARGE - 1 },
        { "large", 7, 1 },
        { "small", 0, 0 },
        { "small", 0, 100 },
        { "small", 50, 50 },
        { "parts", 0, 0 },
        { "parts", 4000, 9000 },
        { "empty", 0, 0 },
    };
    const size_t sizes[] = { FIXTURE_LARGE, FIXTURE_LARGE };
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    const struct str small = fixture_body(&f, 1, 100), large = fixture_body(&f, 2, FIXTURE_LARGE);
    const struct str twice = fixture_body(&f, 3, 2 * FIXTURE_LARGE);
    CHECK_OK(fixture_put(&f, "small", small));
    CHECK_OK(fixture_put(&f, "large", large));
    CHECK_OK(fixture_put(&f, "empty", STR("")));
    CHECK_OK(fixture_put_parts(&f, "parts", twice, sizes, 2));
    CHECK_OK(upload_begin(&f, "key", &id));

    struct sent_part parts[sizeof(rows) / sizeof(rows[0])];
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct part_copy c = copy_of(&f, rows[i].source, id, i + 1);
        struct str bytes;
        c.has_range = rows[i].len > 0;
        c.range_offset = rows[i].offset;
        c.range_len = rows[i].len;
        CHECK_OK(part_copy(&c, f.arena));
        CHECK_OK(fixture_get(&f, rows[i].source, &bytes));
        parts[i] = (struct sent_part){
            i + 1, rows[i].len ? str_slice(bytes, rows[i].offset, rows[i].offset + rows[i].len) : bytes
        };
        check_copied(&c, parts[i].body);
    }
    CHECK_OK(upload_finish(&f, "key", id, parts, sizeof(rows) / sizeof(rows[0]), NULL));
    upload_check_object(&f, "key", parts, sizeof(rows) / sizeof(rows[0]));
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(a_shared_part_has_the_md5_and_the_checksum_of_its_bytes_whatever_the_source_has)
{
    struct fixture f;
    struct uid id, other;

    fixture_open(&f);
    const struct sent_part part = { 1, fixture_body(&f, 1, FIXTURE_LARGE) };
    CHECK_OK(upload_begin(&f, "source", &other)); /* its ETag is the MD5 of an MD5 */
    CHECK_OK(upload_put_all(&f, "source", other, &part, 1));
    CHECK_OK(upload_finish(&f, "source", other, &part, 1, NULL));

    CHECK_OK(upload_begin_with(&f, "key", DIGEST_SHA256, CHECKSUM_COMPOSITE, &id));
    struct part_copy c = copy_of(&f, "source", id, 1);
    CHECK_OK(part_copy(&c, f.arena));
    check_copied(&c, part.body);
    CHECK_U64(c.ret_checksum.kind, DIGEST_SHA256);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 1);
    CHECK_OK(upload_finish(&f, "key", id, &part, 1, NULL));
    upload_check_object(&f, "key", &part, 1);
    upload_check_clean(&f);
    fixture_done(&f);
}

TEST(a_part_copy_that_cannot_be_is_refused)
{
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "source", STR("0123456789")));
    CHECK_OK(upload_begin(&f, "key", &id));

    struct part_copy c = copy_of(&f, "nothing", id, 1);
    CHECK_ERR(part_copy(&c, f.arena), ERR_NO_SUCH_KEY);
    c = copy_of(&f, "source", ids_uid(), 1);
    CHECK_ERR(part_copy(&c, f.arena), ERR_NO_SUCH_UPLOAD);
    c = copy_of(&f, "source", id, 0);
    CHECK_ERR(part_copy(&c, f.arena), ERR_INVALID_ARGUMENT);

    static const uint64_t ranges[][2] = {
        { 0, 11 }, { 10, 1 }, { 11, 1 }, { UINT64_MAX, 2 }, { 2, UINT64_MAX }
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        c = copy_of(&f, "source", id, 1);
        c.has_range = true;
        c.range_offset = ranges[i][0];
        c.range_len = ranges[i][1];
        CHECK_ERR(part_copy(&c, f.arena), ERR_INVALID_RANGE);
    }
    c = copy_of(&f, "source", id, 1);
    c.source_conditions.if_none_match = STR("*"); /* a read would be 304 */
    CHECK_ERR(part_copy(&c, f.arena), ERR_PRECONDITION);
    c.source_conditions = (struct conditions){ .if_match = STR("\"no\"") };
    CHECK_ERR(part_copy(&c, f.arena), ERR_PRECONDITION);
    CHECK_U64(fixture_count(&f, SPACE_PARTS), 0);
    fixture_done(&f);
}
