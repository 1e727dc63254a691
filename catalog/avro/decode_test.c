#include "catalog/avro/decode.h"

#include "tests/unit/test.h"

TEST(numbers_are_zigzag_and_bounded)
{
    static const struct {
        struct str bytes;
        bool is_good;
        int64_t value;
    } rows[] = {
        { { "\x00", 1 }, true, 0 },
        { { "\x01", 1 }, true, -1 },
        { { "\x02", 1 }, true, 1 },
        { { "\x80\x01", 2 }, true, 64 },
        { { "\x80\x00", 2 }, true, 0 },
        { { "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, true, INT64_MAX },
        { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, true, INT64_MIN },
        { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 }, false, 0 },
        { { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11 }, false, 0 },
        { { "\x80", 1 }, false, 0 },
        { { NULL, 0 }, false, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cursor c = cursor_of(rows[i].bytes);
        const uint8_t *const before = c.at;
        int64_t value = 0;
        const bool is_good = decode_long(&c, &value);
        if (is_good != rows[i].is_good || value != rows[i].value)
            test_fail(__FILE__, __LINE__, "row %zu: %d, %lld", i, is_good, (long long)value);
        CHECK(c.at == (is_good ? c.end : before));
        CHECK(is_good || c.why);
    }
}

TEST(strings_and_pieces_end_inside_what_is_left)
{
    struct cursor c = cursor_of(STR("\x06"
                                    "abc"));
    struct str s;
    int64_t count, bytes;

    CHECK(decode_bytes(&c, &s));
    CHECK_STR(s, STR("abc"));
    c = cursor_of(STR("\x08"
                      "abc"));
    CHECK(!decode_bytes(&c, &s));
    c = cursor_of(STR("\x01"));
    CHECK(!decode_bytes(&c, &s));
    c = cursor_of(STR("\x03\x04"
                      "xy"));
    CHECK(decode_piece(&c, &count, &bytes));
    CHECK_U64(count, 2);
    CHECK_U64(bytes, 2);
    c = cursor_of(STR("\x03\x06"
                      "xy"));
    CHECK(!decode_piece(&c, &count, &bytes));
    c = cursor_of(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"));
    CHECK(!decode_piece(&c, &count, &bytes));
}
