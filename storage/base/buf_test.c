#include "storage/base/buf.h"

#include <stdlib.h>

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(what_is_appended_is_there_in_order)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1000);
    CHECK_STR(buf_view(&b), STR(""));
    buf_append(&b, NULL, 0);
    CHECK(b.data == NULL);
    buf_str(&b, STR("a\0"));
    buf_z(&b, "bc");
    buf_char(&b, 'd');
    buf_u64(&b, 0);
    buf_u64(&b, UINT64_MAX);
    buf_i64(&b, INT64_MIN);
    buf_i64(&b, 5);
    buf_printf(&b, "%s=%d", "x", -1);
    CHECK_STR(buf_view(&b), STR("a\0bcd018446744073709551615-92233720368547758085x=-1"));
    CHECK_OK(buf_err(&b));
}

TEST(a_buf_fills_to_its_ceiling_exactly_and_then_takes_nothing)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) buf_char(&b, 'x');
    CHECK_OK(buf_err(&b));
    CHECK(b.size <= 1000);
    buf_append(&b, NULL, 0);
    CHECK_OK(buf_err(&b));

    buf_char(&b, 'y');
    CHECK_ERR(buf_err(&b), ERR_TOO_LARGE);
    CHECK_U64(b.len, 1000);

    buf_clear(&b);
    buf_z(&b, "again");
    CHECK_OK(buf_err(&b));
    CHECK_STR(buf_view(&b), STR("again"));
}

TEST(an_append_that_does_not_fit_is_refused_whole_and_so_are_those_behind_it)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 5);
    buf_z(&b, "abc");
    buf_z(&b, "def");
    buf_z(&b, "g");
    buf_printf(&b, "h");
    CHECK(!buf_extend(&b, 1) && !buf_reserve(&b, 0));
    CHECK_STR(buf_view(&b), STR("abc"));
    CHECK_ERR(buf_err(&b), ERR_TOO_LARGE);
}

TEST(long_texts_are_printed_whole)
{
    static char text[5000];
    CLEANUP(buf_done) struct buf b;

    memset(text, 'x', sizeof(text) - 1);
    for (size_t len = 505; len < 520; len++) {
        buf_init(&b, len);
        buf_printf(&b, "%.*s", (int)len, text);
        CHECK_STR(buf_view(&b), str_of(text, len));
        CHECK_OK(buf_err(&b));
        buf_done(&b);
    }
    buf_init(&b, 4998);
    buf_printf(&b, "%s", text);
    CHECK_ERR(buf_err(&b), ERR_TOO_LARGE);
}

TEST(extended_room_is_the_callers_to_fill)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, SIZE_MAX);
    CHECK(buf_extend(&b, 0));
    memcpy(buf_extend(&b, 3), "abc", 3);
    CHECK(buf_reserve(&b, 5000) && b.len == 3);
    const char *before = b.data;
    memcpy(buf_extend(&b, 5000), "test", 4);
    CHECK(b.data == before && b.len == 5003);
    CHECK_STR(str_slice(buf_view(&b), 0, 7), STR("abctest"));
    CHECK(!buf_extend(&b, SIZE_MAX));
    CHECK_ERR(buf_err(&b), ERR_TOO_LARGE);
}

TEST(taken_bytes_are_the_callers_and_the_buf_is_empty)
{
    CLEANUP(buf_done) struct buf b;
    size_t len;

    buf_init(&b, 100);
    buf_z(&b, "abc");
    char *bytes = buf_take(&b, &len);
    CHECK_STR(str_of(bytes, len), STR("abc"));
    free(bytes);
    buf_z(&b, "d");
    CHECK_STR(buf_view(&b), STR("d"));
}
