/* upload_row_test.c - rows of uploads and parts come back as they were, and stand in the order of the answer. */
#include "storage/object/upload_row.h"

#include "storage/base/clock.h"
#include "tests/unit/test.h"

static const struct uid low = { { 0, 0, 1, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } };
static const struct uid high = { { 0, 0, 1, 0x91, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff } };

static const struct str ordered[] = {
    STR("a"),     STR("a\0"), STR("a\0\0"), STR("a\0\1"), STR("a\0b"), STR("a\0\xff"), STR("a\1"),
    STR("a\1\0"), STR("ab"),  STR("ab\0c"), STR("abc"),   STR("b"),    STR("\xff"),    STR("\xff\xff"),
};

TEST(upload_rows_are_ordered_by_key_then_id_whatever_bytes_are_in_keys)
{
    uint8_t last_bytes[UPLOAD_KEY_BYTES], bytes[UPLOAD_KEY_BYTES];
    struct str last = STR_NONE;

    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        const struct uid ids[] = { low, high };
        for (size_t j = 0; j < 2; j++) {
            const struct str key = upload_row_key(7, ordered[i], ids[j], bytes);
            CHECK(str_cmp(last, key) < 0);
            memcpy(last_bytes, bytes, key.len);
            last = str_of(last_bytes, key.len);
        }
    }
}

TEST(an_upload_rows_key_comes_back_as_it_was)
{
    struct arena *arena = arena_new(1 * MIB);
    uint8_t bytes[UPLOAD_KEY_BYTES], prefix[UPLOAD_KEY_BYTES];

    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        struct str key;
        struct uid id;
        const struct str row_key = upload_row_key(7, ordered[i], high, bytes);
        CHECK_OK(upload_row_key_parse(row_key, arena, &key, &id));
        CHECK_STR(key, ordered[i]);
        CHECK(uid_eq(id, high));
        CHECK(str_starts(row_key, upload_row_prefix(7, str_slice(ordered[i], 0, 1), prefix)));
        CHECK(!str_starts(row_key, upload_row_prefix(8, STR_NONE, prefix)));
    }
    arena_free(arena);
}

TEST(an_upload_rows_key_that_is_not_well_formed_is_corrupt)
{
    struct arena *arena = arena_new(1 * MIB);
    uint8_t bytes[UPLOAD_KEY_BYTES];
    struct str key;
    struct uid id;

    CHECK_ERR(upload_row_key_parse(STR("short"), arena, &key, &id), ERR_CORRUPT);
    const struct str row_key = upload_row_key(7, STR("a\0b"), low, bytes);
    bytes[10] = 'x'; /* behind the NUL */
    CHECK_ERR(upload_row_key_parse(row_key, arena, &key, &id), ERR_CORRUPT);
    arena_free(arena);
}

TEST(an_upload_row_comes_back_as_it_was)
{
    const struct upload_row row = {
        .created_ms = 1234567890123,
        .checksum = DIGEST_SHA256,
        .checksum_type = CHECKSUM_COMPOSITE,
        .mark = high,
        .mark_until_ms = 99,
        .owner = STR("me"),
        .meta = STR("meta"),
    };
    struct upload_row got;
    struct buf b;

    buf_init(&b, 4096);
    upload_row_encode(&row, &b);
    CHECK_OK(upload_row_decode(buf_view(&b), &got));
    CHECK_U64(got.created_ms, row.created_ms);
    CHECK_U64(got.checksum, row.checksum);
    CHECK_U64(got.checksum_type, row.checksum_type);
    CHECK(uid_eq(got.mark, high));
    CHECK_U64(got.mark_until_ms, 99);
    CHECK_STR(got.owner, row.owner);
    CHECK_STR(got.meta, row.meta);
    CHECK(upload_is_marked(&got) && !upload_is_marked_now(&got));
    got.mark_until_ms = clock_now_ms() + 10000;
    CHECK(upload_is_marked_now(&got));

    for (size_t len = 0; len < 42; len++)
        CHECK_ERR(upload_row_decode(str_of(b.data, len), &got), ERR_CORRUPT);
    b.data[1] = DIGEST_KIND_COUNT;
    CHECK_ERR(upload_row_decode(buf_view(&b), &got), ERR_CORRUPT);
    b.data[1] = 0;
    b.data[0] = 2;
    CHECK_ERR(upload_row_decode(buf_view(&b), &got), ERR_CORRUPT);
    buf_done(&b);
}

static const struct part_row parts[] = {
    { .size = 0, .mtime_ms = 5 },
    { .size = 9,
      .mtime_ms = 5,
      .md5 = { 1, 2 },
      .body = { .kind = BODY_SMALL, .place = { 1, 2, 9, 4 } },
      .checksum = { .kind = DIGEST_CRC32, .value = { { 1, 2, 3, 4 }, 4 } } },
    { .size = UINT64_MAX,
      .mtime_ms = -1,
      .body = { .kind = BODY_BLOB, .uid = { { 1, 2, 3 } } },
      .checksum = { .kind = DIGEST_SHA256, .value = { { 9 }, 32 } } },
};

TEST(a_part_row_comes_back_as_it_was)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint8_t bytes[PART_ROW_BYTES_MAX], again[PART_ROW_BYTES_MAX];
        struct part_row got;
        const struct str row = part_row_encode(&parts[i], bytes);

        CHECK_OK(part_row_decode(row, &got));
        CHECK_U64(got.size, parts[i].size);
        CHECK_U64(got.mtime_ms, parts[i].mtime_ms);
        CHECK(memcmp(got.md5, parts[i].md5, 16) == 0);
        CHECK_U64(got.checksum.kind, parts[i].checksum.kind);
        CHECK_U64(got.body.kind, parts[i].body.kind);
        CHECK(uid_eq(got.body.uid, parts[i].body.uid));
        CHECK_STR(part_row_encode(&got, again), row);

        for (size_t len = 0; len < row.len; len++)
            CHECK_ERR(part_row_decode(str_of(bytes, len), &got), ERR_CORRUPT);
    }
}

TEST(a_part_row_that_contradicts_itself_is_corrupt)
{
    static const struct {
        size_t part, at;
        uint8_t value;
    } rows[] = {
        { 0, 0, 2 }, { 0, 1, BODY_SMALL },  { 0, 1, BODY_PARTS },
        { 0, 8, 1 }, { 1, 8, 1 },           { 1, 1, 0 },
        { 1, 3, 3 }, { 1, 2, DIGEST_SHA1 }, { 1, 2, DIGEST_KIND_COUNT },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[PART_ROW_BYTES_MAX];
        struct part_row got;
        const struct str row = part_row_encode(&parts[rows[i].part], bytes);
        bytes[rows[i].at] = rows[i].value;
        CHECK_ERR(part_row_decode(row, &got), ERR_CORRUPT);
    }
}

TEST(a_set_of_part_numbers_has_what_was_added)
{
    uint8_t set[PART_SET_BYTES_MAX] = { 0 };
    const uint32_t in[] = { 1, 8, 9, 17, 9999, 10000 };
    size_t next = 0;

    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) part_set_add(set, in[i]);
    for (uint32_t n = 1; n <= LIMIT_PARTS; n++) {
        const bool is_in = next < sizeof(in) / sizeof(in[0]) && n == in[next];
        if (is_in) next++;
        CHECK(part_set_has(str_of(set, sizeof(set)), n) == is_in);
        CHECK(part_set_has(str_of(set, 2), n) == (is_in && n <= 16));
    }
}
