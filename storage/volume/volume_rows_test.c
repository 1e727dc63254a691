/* volume_rows_test.c - rows come back as they were, order as they should, and what is not a row is refused. */
#include "storage/volume/volume_rows.h"

#include "storage/volume/record.h"
#include "tests/unit/test.h"

TEST(keys_of_places_order_by_volume_then_offset)
{
    static const uint64_t places[][2] = { { 0, 0 }, { 1, 0 },      { 1, 4096 },      { 1, 1ull << 33 },
                                          { 2, 0 }, { 256, 4096 }, { UINT64_MAX, 0 } };
    char previous[KEY_PLACE_BYTES] = { 0 };

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        char key[KEY_PLACE_BYTES];
        uint64_t volume, offset;

        const struct str s = key_place(places[i][0], places[i][1], key);
        CHECK(i == 0 || str_cmp(str_of(previous, sizeof(previous)), s) < 0);
        CHECK_OK(key_place_decode(s, &volume, &offset));
        CHECK(volume == places[i][0] && offset == places[i][1]);
        memcpy(previous, key, sizeof(key));
    }
    uint64_t volume, offset;
    CHECK_ERR(key_place_decode(STR("short"), &volume, &offset), ERR_CORRUPT);
    CHECK_ERR(key_volume_decode(STR("short"), &volume), ERR_CORRUPT);
}

TEST(the_row_of_a_body_comes_back_and_damaged_ones_are_refused)
{
    const struct extent x[2] = { { 3, 4096, 70000 }, { 4, 0, 1000 } };
    uint8_t value[ROW_BODY_BYTES(2)];
    struct body_row row;

    body_row_encode(71000, x, 2, value);
    CHECK_OK(body_row_decode(str_of(value, sizeof(value)), &row));
    CHECK_U64(row.length, 71000);
    CHECK_U64(body_row_extent(&row, 1).volume, 4);
    CHECK_U64(body_row_extent(&row, 0).offset, 4096);
    CHECK_U64(body_row_extent(&row, 0).data_len, 70000);

    for (size_t len = 0; len < sizeof(value); len++)
        CHECK_ERR(body_row_decode(str_of(value, len), &row), ERR_CORRUPT);
    body_row_encode(71001, x, 2, value);
    CHECK_ERR(body_row_decode(str_of(value, sizeof(value)), &row), ERR_CORRUPT);
    body_row_encode(71000, (struct extent[]){ { 3, 4097, 70000 }, x[1] }, 2, value);
    CHECK_ERR(body_row_decode(str_of(value, sizeof(value)), &row), ERR_CORRUPT);
    body_row_encode(70000, (struct extent[]){ x[0], { 4, 0, 0 } }, 2, value);
    CHECK_ERR(body_row_decode(str_of(value, sizeof(value)), &row), ERR_CORRUPT);
}

TEST(the_other_rows_come_back)
{
    const struct extent_row extent = { .body = ids_uid(), .data_len = 77, .index = 5 };
    const struct freed_row freed = { .body = ids_uid(), .data_len = 78, .txn = 1ull << 40 };
    const struct volume_row volume = {
        .state = VOLUME_SEALED, .is_own = true, .length = 8192, .bytes_taken = 4096
    };
    struct extent_row extent_out;
    struct freed_row freed_out;
    struct volume_row volume_out;
    uint8_t a[ROW_EXTENT_BYTES], b[ROW_FREED_BYTES], c[ROW_VOLUME_BYTES];

    CHECK_OK(extent_row_decode(extent_row_encode(&extent, a), &extent_out));
    CHECK(extent_out.data_len == 77 && extent_out.index == 5 && !memcmp(&extent.body, &extent_out.body, 16));
    CHECK_OK(freed_row_decode(freed_row_encode(&freed, b), &freed_out));
    CHECK(freed_out.data_len == 78 && freed_out.txn == 1ull << 40
          && !memcmp(&freed.body, &freed_out.body, 16));
    CHECK_OK(volume_row_decode(volume_row_encode(&volume, c), &volume_out));
    CHECK(volume_out.state == VOLUME_SEALED && volume_out.is_own && volume_out.length == 8192
          && volume_out.bytes_taken == 4096);

    CHECK_ERR(extent_row_decode(str_of(a, sizeof(a) - 1), &extent_out), ERR_CORRUPT);
    CHECK_ERR(freed_row_decode(str_of(b, sizeof(b) - 1), &freed_out), ERR_CORRUPT);
    CHECK_ERR(volume_row_decode(str_of(c, sizeof(c) - 1), &volume_out), ERR_CORRUPT);
    memset(a + 16, 0, 4);
    CHECK_ERR(extent_row_decode(str_of(a, sizeof(a)), &extent_out), ERR_CORRUPT);
    c[0] = 9;
    CHECK_ERR(volume_row_decode(str_of(c, sizeof(c)), &volume_out), ERR_CORRUPT);
}
