/*
 * format_test.c
 */
#include "admin/cli/format.h"

#include "tests/unit/test.h"

TEST(sizes_are_readable)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" },
        { 999, "999 B" },
        { 1000, "0.9 KiB" },
        { 1536, "1.5 KiB" },
        { 10240, "10 KiB" },
        { 1024 * 1024 - 1, "0.9 MiB" },
        { 1ull << 30, "1.0 GiB" },
        { UINT64_MAX, "15 EiB" },
    };
    struct buf b;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_init(&b, 64);
        size_to(&b, cases[i].bytes);
        CHECK_STR(buf_view(&b), str_from_z(cases[i].text));
        buf_done(&b);
    }
}

TEST(times_are_readable)
{
    struct buf b;

    buf_init(&b, 64);
    time_to(&b, 1795253400123);
    CHECK_STR(buf_view(&b), STR("2026-11-21 09:30:00Z"));
    buf_done(&b);
}

TEST(durations_have_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        { "0s", 0 },         { "90s", 90000 },    { "30m", 1800000 },
        { "12h", 43200000 }, { "7d", 604800000 }, { "4w", 2419200000 },
        { "", -1 },          { "7", -1 },         { "d", -1 },
        { "-7d", -1 },       { "7 d", -1 },       { "1.5h", -1 },
        { "7y", -1 },        { "+7d", -1 },       { "9223372036854775807w", -1 },
        { "400000d", -1 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        if (duration_parse(str_from_z(cases[i].text), &ms) != (cases[i].ms >= 0) || ms != cases[i].ms)
            test_fail(__FILE__, __LINE__, "'%s' gave %lld", cases[i].text, (long long)ms);
    }
}

TEST(names_cannot_steer_a_terminal)
{
    struct buf b;

    buf_init(&b, 64);
    text_to(&b, STR("a\x1b[2Jb\n\x7f\xc2\x9b\xc3\xbc"));
    CHECK_STR(buf_view(&b), STR("a?[2Jb???\xc3\xbc"));
    CHECK_U64(text_width(STR("\xc3\xbc\xe2\x82\xacx")), 3);
    buf_done(&b);
}
