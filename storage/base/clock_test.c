#include "storage/base/clock.h"

#include <time.h>

#include "tests/unit/test.h"

#define DAY INT64_C(86400000)

TEST(times_are_printed_in_three_forms)
{
    static const struct {
        int64_t ms;
        const char *http, *iso, *amz;
    } rows[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", "19700101T000000Z" },
        { 1795253400000, "Sat, 21 Nov 2026 09:30:00 GMT", "2026-11-21T09:30:00.000Z", "20261121T093000Z" },
        { 951782400123, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.123Z", "20000229T000000Z" },
        { -1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.999Z", "19691231T235959Z" },
        { 253402300799999, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z", "99991231T235959Z" },
        { INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z", "99991231T235959Z" },
        { INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00.000Z", "00000101T000000Z" },
    };
    char http[CLOCK_HTTP_SIZE], iso[CLOCK_ISO_SIZE], amz[CLOCK_AMZ_SIZE];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        clock_http(rows[i].ms, http);
        clock_iso(rows[i].ms, iso);
        clock_amz(rows[i].ms, amz);
        CHECK_STR(str_from_z(http), str_from_z(rows[i].http));
        CHECK_STR(str_from_z(iso), str_from_z(rows[i].iso));
        CHECK_STR(str_from_z(amz), str_from_z(rows[i].amz));
    }
}

/* Every day from 1600 to 2400, against the C library. */
TEST(the_calendar_is_that_of_the_c_library)
{
    for (int64_t day = -135140; day < 157054; day++) {
        const time_t t = day * 86400 + 43200;
        struct tm tm;
        char text[CLOCK_ISO_SIZE + 8], ours[CLOCK_HTTP_SIZE];
        int64_t ms;
        gmtime_r(&t, &tm);
        strftime(text, sizeof(text), "%a, %d %b %Y %T GMT", &tm);
        clock_http(t * 1000, ours);
        CHECK_STR(str_from_z(ours), str_from_z(text));
        CHECK(clock_parse(str_from_z(text), &ms) && ms == t * 1000);
    }
}

TEST(what_is_printed_is_read_back)
{
    for (int64_t ms = -62167219200000; ms < 253402300800000; ms += 37 * DAY + 12345678) {
        char iso[CLOCK_ISO_SIZE], http[CLOCK_HTTP_SIZE], amz[CLOCK_AMZ_SIZE];
        const int64_t second = (ms + 62167219200000) / 1000 * 1000 - 62167219200000;
        int64_t back;
        clock_iso(ms, iso);
        CHECK(clock_parse(str_from_z(iso), &back) && back == ms);
        clock_http(ms, http);
        CHECK(clock_parse(str_from_z(http), &back) && back == second);
        clock_amz(ms, amz);
        CHECK(clock_parse(str_from_z(amz), &back) && back == second);
    }
}

TEST(every_form_of_a_time_is_read)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000 },
        { "Sun Nov  6 08:49:37 1994", 784111777000 },
        { "Wed Nov 16 08:49:37 1994", 784111777000 + 10 * DAY },
        { "1994-11-06T08:49:37Z", 784111777000 },
        { "1994-11-06T08:49:37", 784111777000 },
        { "1994-11-06T08:49:37.5Z", 784111777500 },
        { "1994-11-06T08:49:37.123999999Z", 784111777123 },
        { "1994-11-06T08:49:37.1234", 784111777123 },
        { "1994-11-06T09:49:37+01:00", 784111777000 },
        { "1994-11-06T03:19:37.000-0530", 784111777000 },
        { "1994-11-06T08:49:37-00:00", 784111777000 },
        { "19941106T084937Z", 784111777000 },
        { "2016-12-31T23:59:60Z", 1483228800000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 0;
        if (!clock_parse(str_from_z(rows[i].text), &ms))
            test_fail(__FILE__, __LINE__, "refused: %s", rows[i].text);
        if (ms != rows[i].ms) test_fail(__FILE__, __LINE__, "%s gave %lld", rows[i].text, (long long)ms);
    }
}

TEST(what_is_no_time_is_refused)
{
    static const char *const rows[] = {
        "",
        "now",
        "0",
        "1994",
        "1994-11-06",
        "1994-11-06 08:49:37",
        "1994-11-06T08:49",
        "1994-11-06T08:49:37z",
        "1994-11-06T08:49:37.Z",
        "1994-11-06T08:49:37,5Z",
        "1994-11-06T08:49:37ZZ",
        "1994-11-06T08:49:37+1",
        "1994-11-06T08:49:37+24:00",
        "1994-11-06T08:49:37+01:60",
        "1994-11-06T08:49:37+01:0",
        "1994-11-06T08:49:37 ",
        " 1994-11-06T08:49:37Z",
        "1994-13-06T08:49:37Z",
        "1994-00-06T08:49:37Z",
        "1994-11-31T08:49:37Z",
        "1994-11-00T08:49:37Z",
        "1994-02-29T08:49:37Z",
        "1900-02-29T08:49:37Z",
        "1994-11-06T24:00:00Z",
        "1994-11-06T08:60:37Z",
        "1994-11-06T08:49:61Z",
        "94-11-06T08:49:37Z",
        "+994-11-06T08:49:37Z",
        "19941106T084937",
        "19941106T0849Z",
        "19941106",
        "19941306T084937Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 77;
        if (clock_parse(str_from_z(rows[i]), &ms) || ms != 77)
            test_fail(__FILE__, __LINE__, "taken: %s", rows[i]);
    }
}

/* RFC 9110 5.6.7. */
TEST(a_year_of_two_digits_is_at_most_fifty_years_ahead)
{
    int64_t wanted, ms;

    CHECK(clock_parse(STR("2026-11-21T09:30:00Z"), &ms));
    clock_set_offset_ms(ms - clock_now_ms());
    CHECK(clock_parse(STR("2076-01-01T00:00:00Z"), &wanted));
    CHECK(clock_parse(STR("Friday, 01-Jan-76 00:00:00 GMT"), &ms) && ms == wanted);
    CHECK(clock_parse(STR("1977-01-01T00:00:00Z"), &wanted));
    CHECK(clock_parse(STR("Friday, 01-Jan-77 00:00:00 GMT"), &ms) && ms == wanted);
}

TEST(now_moves_with_the_offset_and_the_monotonic_clock_does_not)
{
    const uint64_t mono = clock_mono_ms();
    const int64_t now = clock_now_ms();

    CHECK(now > 1700000000000);
    clock_set_offset_ms(3600000);
    CHECK(clock_now_ms() >= now + 3600000 && clock_now_ms() < now + 3600000 + 60000);
    CHECK(clock_mono_ms() >= mono && clock_mono_ms() < mono + 60000);
    clock_set_offset_ms(0);
    CHECK(clock_now_ms() < now + 60000);
    for (uint64_t i = 0, last = 0; i < 1000; i++) {
        const uint64_t ns = clock_mono_ns();
        CHECK(ns >= last);
        last = ns;
    }
}
