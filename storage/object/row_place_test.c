/* row_place_test.c - the place of a row is found where its encoder put it, and only there. */
#include "storage/object/row_place.h"

#include "storage/base/limits.h"
#include "storage/object/garbage.h"
#include "storage/object/object.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static const struct place here = {
    .offset = 0x0102030405060708, .segment_id = 0x11121314, .length = 1000, .crc32c = 0x21222324
};

static void check_found(enum space space, struct str key, struct str value, const struct place *want)
{
    uint8_t bytes[PLACE_BYTES];
    struct row_place found;

    place_encode(want, bytes);
    CHECK_OK(row_place_find(space, key, value, &found));
    CHECK(found.at > 0 && found.at + PLACE_BYTES <= value.len);
    CHECK_STR(str_slice(value, found.at, found.at + PLACE_BYTES), str_of(bytes, sizeof(bytes)));
    CHECK(found.place.offset == want->offset && found.place.segment_id == want->segment_id);
    CHECK(found.place.length == want->length && found.place.crc32c == want->crc32c);
}

static void check_none(enum space space, struct str key, struct str value)
{
    struct row_place found = { .at = 1 };

    CHECK_OK(row_place_find(space, key, value, &found));
    CHECK_U64(found.at, 0);
}

TEST(the_place_of_an_object_is_found_however_long_the_numbers_before_it)
{
    static const uint64_t sizes[] = { 1, 127, 128, 1000, 5 * TIB };
    static const uint32_t counts[] = { 0, 1, 127, 128, 10000 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            struct object_info info = { .size = sizes[i], .part_count = counts[j], .mtime_ms = 1 };
            struct place small = here;
            struct buf row;

            small.length = (uint32_t)sizes[i];
            info.body.kind = counts[j] ? BODY_PARTS : BODY_SMALL;
            info.body.place = counts[j] ? here : small;
            info.checksum = (struct object_checksum){ .kind = DIGEST_CRC32C, .value = { .len = 4 } };
            info.meta.headers[0] = STR("text/plain");
            buf_init(&row, LIMIT_ROW_VALUE);
            object_encode(&info, &row);
            if (counts[j] || sizes[i] <= LIMIT_JOURNAL_BODY)
                check_found(SPACE_OBJECTS, STR("k"), buf_view(&row), &info.body.place);
            buf_done(&row);
        }
    }
}

TEST(an_object_without_a_small_body_has_no_place)
{
    struct object_info info = { .size = 0, .mtime_ms = 1 };
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(&info, &row);
    check_none(SPACE_OBJECTS, STR("k"), buf_view(&row));
    buf_clear(&row);
    info.size = 1;
    info.body.kind = BODY_BLOB;
    object_encode(&info, &row);
    check_none(SPACE_OBJECTS, STR("k"), buf_view(&row));
    buf_done(&row);
}

TEST(the_place_of_a_part_is_found)
{
    struct part_row row = { .size = here.length, .body = { .kind = BODY_SMALL, .place = here } };
    uint8_t bytes[PART_ROW_BYTES_MAX];

    row.checksum = (struct object_checksum){ .kind = DIGEST_SHA256, .value = { .len = 32 } };
    check_found(SPACE_PARTS, STR("k"), part_row_encode(&row, bytes), &here);
    row.body.kind = BODY_BLOB;
    check_none(SPACE_PARTS, STR("k"), part_row_encode(&row, bytes));
    row = (struct part_row){ 0 };
    check_none(SPACE_PARTS, STR("k"), part_row_encode(&row, bytes));
}

TEST(the_place_of_a_map_that_is_garbage_is_found)
{
    struct garbage g = { .kind = GARBAGE_PART_MAP, .map = here, .kept = STR("abc") };
    uint8_t key[GARBAGE_KEY_BYTES];
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    garbage_encode(&g, &row);
    check_found(SPACE_GARBAGE, garbage_key(&g, key), buf_view(&row), &here);
    buf_clear(&row);
    g = (struct garbage){ .kind = GARBAGE_UPLOAD };
    garbage_encode(&g, &row);
    check_none(SPACE_GARBAGE, garbage_key(&g, key), buf_view(&row));
    buf_done(&row);
}

TEST(a_row_that_does_not_decode_is_told_and_others_are_not_looked_into)
{
    struct row_place found;

    CHECK_ERR(row_place_find(SPACE_OBJECTS, STR("k"), STR("?"), &found), ERR_CORRUPT);
    CHECK_ERR(row_place_find(SPACE_PARTS, STR("k"), STR("?"), &found), ERR_CORRUPT);
    CHECK_ERR(row_place_find(SPACE_GARBAGE, STR("k"), STR("?"), &found), ERR_CORRUPT);
    check_none(SPACE_TABLES, STR("k"), STR("?"));
}
