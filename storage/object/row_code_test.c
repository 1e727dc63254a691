/* row_code_test.c - numbers and strings inside rows. */
#include "storage/object/row_code.h"

#include "tests/unit/test.h"

/* clang-format off */
static const uint64_t numbers[] = { 0, 1, 127, 128, 300, 16383, 16384, UINT32_MAX, 1ull << 62, 1ull << 63, UINT64_MAX };
/* clang-format on */

TEST(varints_come_back_as_they_were)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct buf b;
        buf_init(&b, 100);
        row_put_varint(&b, numbers[i]);
        row_put_uint(&b, numbers[i], 8);
        row_put_str(&b, STR("tail"));

        struct row_reader r = row_reader_of(buf_view(&b));
        CHECK_U64(row_varint(&r), numbers[i]);
        CHECK_U64(row_uint(&r, 8), numbers[i]);
        CHECK_STR(row_str(&r), STR("tail"));
        CHECK(!r.is_bad && !row_more(&r));
        buf_done(&b);
    }
}

TEST(a_varint_has_one_form)
{
    static const struct {
        struct str bytes;
        bool is_good;
    } rows[] = {
        { { "\x00", 1 }, true },
        { { "\x80\x01", 2 }, true },
        { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, true },
        { { "", 0 }, false },
        { { "\x80", 1 }, false },                                          /* ends too early */
        { { "\x80\x00", 2 }, false },                                      /* 0, longer than needed */
        { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 }, false },     /* over 64 bits */
        { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11 }, false }, /* eleven bytes */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct row_reader r = row_reader_of(rows[i].bytes);
        row_varint(&r);
        if (r.is_bad == rows[i].is_good) test_fail(__FILE__, __LINE__, "row %zu", i);
    }
}

TEST(a_reader_that_met_the_end_gives_zeros)
{
    struct row_reader r = row_reader_of(STR("\x05"
                                            "abc"));

    CHECK(row_str(&r).data == NULL);
    CHECK(r.is_bad);
    CHECK_U64(row_uint(&r, 1), 0);
    CHECK_U64(row_varint(&r), 0);
    CHECK(row_bytes(&r, 0) == NULL);
    CHECK(!row_more(&r));
}
