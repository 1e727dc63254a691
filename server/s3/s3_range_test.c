#include "server/s3/s3_range.h"

#include "tests/unit/test.h"

TEST(a_single_range_is_cut_to_the_object_and_anything_else_is_ignored)
{
    static const struct {
        const char *text;
        uint64_t size;
        enum s3_range_result result;
        uint64_t offset, len;
    } rows[] = {
        { "bytes=0-9", 100, RANGE_GIVEN, 0, 10 },
        { "bytes=0-0", 100, RANGE_GIVEN, 0, 1 },
        { "bytes=99-", 100, RANGE_GIVEN, 99, 1 },
        { "bytes=5-", 10, RANGE_GIVEN, 5, 5 },
        { "bytes=5-4000", 10, RANGE_GIVEN, 5, 5 },
        { "bytes=-3", 10, RANGE_GIVEN, 7, 3 },
        { "bytes=-3000", 10, RANGE_GIVEN, 0, 10 },
        { "Bytes=0-9", 100, RANGE_GIVEN, 0, 10 },
        { " bytes=0-9 ", 100, RANGE_GIVEN, 0, 10 },
        { "bytes=0-99999999999999999999999", 10, RANGE_GIVEN, 0, 10 },
        { "bytes=0-18446744073709551615", 10, RANGE_GIVEN, 0, 10 },
        { "bytes=-99999999999999999999999", 10, RANGE_GIVEN, 0, 10 },
        { "bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=10-20", 10, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=-1", 0, RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=5-2", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=0-1,3-4", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=-", 10, RANGE_IGNORED, 0, 0 },
        { "bytes", 10, RANGE_IGNORED, 0, 0 },
        { "items=0-1", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=a-b", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=1-b", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=--1", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=+1-2", 10, RANGE_IGNORED, 0, 0 },
        { "bytes=1-2-3", 10, RANGE_IGNORED, 0, 0 },
        { "", 10, RANGE_IGNORED, 0, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct s3_range r = { 0, 0 };
        const enum s3_range_result result = s3_range_parse(str_from_z(rows[i].text), rows[i].size, &r);
        if (result != rows[i].result || r.offset != rows[i].offset || r.len != rows[i].len)
            test_fail(__FILE__, __LINE__, "\"%s\" of %llu", rows[i].text, (unsigned long long)rows[i].size);
    }
}

TEST(the_range_of_a_copy_has_both_ends)
{
    static const struct {
        const char *text;
        bool is_good;
        uint64_t offset, len;
    } rows[] = {
        { "bytes=0-0", true, 0, 1 },      { "bytes=5-9", true, 5, 5 },
        { "bytes=5-", false, 0, 0 },      { "bytes=-5", false, 0, 0 },
        { "bytes=9-5", false, 0, 0 },     { "5-9", false, 0, 0 },
        { "bytes=0-2,3-5", false, 0, 0 }, { "bytes=0-18446744073709551615", false, 0, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct s3_range r = { 0, 0 };
        const bool is_good = s3_range_parse_both(str_from_z(rows[i].text), &r);
        if (is_good != rows[i].is_good || r.offset != rows[i].offset || r.len != rows[i].len)
            test_fail(__FILE__, __LINE__, "\"%s\"", rows[i].text);
    }
}
