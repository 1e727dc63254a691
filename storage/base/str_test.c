#include "storage/base/str.h"

#include "tests/unit/test.h"

TEST(an_empty_view_may_have_no_pointer)
{
    CHECK(str_eq(STR_NONE, STR("")));
    CHECK(str_is(STR_NONE, ""));
    CHECK(str_cmp(STR_NONE, STR("")) == 0);
    CHECK(str_starts(STR("x"), STR_NONE) && str_ends(STR_NONE, STR_NONE));
    CHECK(str_is_utf8(STR_NONE));
    CHECK_STR(str_trim(STR_NONE), STR(""));
    CHECK_STR(str_slice(STR_NONE, 1, 2), STR(""));
    CHECK_U64(str_find_char(STR_NONE, 'x'), 0);
    CHECK_U64(str_rfind_char(STR_NONE, 'x'), 0);
    CHECK_STR(str_from_z(NULL), STR(""));
}

TEST(equality_is_by_all_bytes)
{
    CHECK(str_is(STR("abc"), "abc") && !str_is(STR("abc"), "ab") && !str_is(STR("ab"), "abc"));
    CHECK(str_eq(STR("a\0b"), STR("a\0b")) && !str_eq(STR("a\0b"), STR("a\0c")));
    CHECK(str_is_nocase(STR("Content-MD5"), "content-md5") && !str_is_nocase(STR("a["), "A{"));
    CHECK(!str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

TEST(order_is_by_bytes_and_the_shorter_comes_first)
{
    CHECK(str_cmp(STR("a"), STR("b")) < 0);
    CHECK(str_cmp(STR("a"), STR("ab")) < 0);
    CHECK(str_cmp(STR("a\x80"), STR("a\x7f")) > 0);
    CHECK(str_cmp(STR("ab"), STR("ab")) == 0);
}

TEST(slices_are_cut_at_the_view)
{
    const struct str s = STR("firn");

    CHECK_STR(str_from(s, 1), STR("irn"));
    CHECK_STR(str_from(s, 9), STR(""));
    CHECK_STR(str_slice(s, 1, 3), STR("ir"));
    CHECK_STR(str_slice(s, 3, 99), STR("n"));
    CHECK_STR(str_slice(s, 3, 1), STR(""));
    CHECK_STR(str_trim(STR(" \t a b\t ")), STR("a b"));
    CHECK_STR(str_trim(STR(" \t ")), STR(""));
    CHECK(str_starts(s, STR("fi")) && !str_starts(s, STR("firns")));
    CHECK(str_ends(s, STR("rn")) && !str_ends(s, STR("xfirn")));
}

TEST(finding_gives_the_length_when_there_is_none)
{
    const struct str s = STR("a/b/c");

    CHECK_U64(str_find_char(s, '/'), 1);
    CHECK_U64(str_rfind_char(s, '/'), 3);
    CHECK_U64(str_find_char(s, 'x'), 5);
    CHECK_U64(str_rfind_char(s, 'x'), 5);
    CHECK_U64(str_find(s, STR("/c")), 3);
    CHECK_U64(str_find(s, STR("/d")), 5);
    CHECK_U64(str_find(s, STR("")), 0);
    CHECK(str_contains(s, STR("b/")) && !str_contains(s, STR("b/d")));
    CHECK(str_contains(s, STR("")) && str_contains(STR_NONE, STR_NONE) && !str_contains(STR_NONE, STR("x")));
}

TEST(cut_splits_at_the_first_and_without_one_all_is_head)
{
    struct str head;

    CHECK_STR(str_cut(STR("a=b=c"), '=', &head), STR("b=c"));
    CHECK_STR(head, STR("a"));
    CHECK_STR(str_cut(STR("abc"), '=', &head), STR(""));
    CHECK_STR(head, STR("abc"));
    CHECK_STR(str_cut(STR("abc="), '=', &head), STR(""));
    CHECK_STR(head, STR("abc"));
}

TEST(split_gives_one_piece_more_than_separators)
{
    static const struct {
        const char *text, *joined;
    } rows[] = { { "a,,b", "<a><><b>" }, { "a", "<a>" }, { "a,", "<a><>" }, { ",", "<><>" }, { "", "<>" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char joined[64] = "";
        struct str piece;
        for (struct str_split it = str_split_on(str_from_z(rows[i].text), ','); str_split_next(&it, &piece);)
            snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "<%.*s>", STR_ARG(piece));
        CHECK_STR(str_from_z(joined), str_from_z(rows[i].joined));
    }
}

TEST(numbers_are_whole_plain_and_in_range)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "1a", "0x1", "18446744073709551616", "99999999999999999999", "1.0"
    };
    static const char *const bad_signed[] = {
        "", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809"
    };
    uint64_t u = 7;
    int64_t i = 7;

    CHECK(str_to_u64(STR("0"), &u) && u == 0);
    CHECK(str_to_u64(STR("007"), &u) && u == 7);
    CHECK(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(str_to_i64(STR("-0"), &i) && i == 0);
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        if (str_to_u64(str_from_z(bad[n]), &u)) test_fail(__FILE__, __LINE__, "taken: '%s'", bad[n]);
    }
    for (size_t n = 0; n < sizeof(bad_signed) / sizeof(bad_signed[0]); n++) {
        if (str_to_i64(str_from_z(bad_signed[n]), &i))
            test_fail(__FILE__, __LINE__, "taken: '%s'", bad_signed[n]);
    }
    CHECK(u == UINT64_MAX && i == 0);
}

/* The other way to say it: decode, then look at the number. */
static bool is_utf8_by_decoding(const unsigned char *s, size_t len)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

    for (size_t at = 0, n; at < len; at += n) {
        const unsigned char c = s[at];
        n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
        if (n == 0 || n > len - at) return false;
        uint32_t code = n == 1 ? c : c & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
            if ((s[at + i] & 0xc0) != 0x80) return false;
            code = code << 6 | (s[at + i] & 0x3f);
        }
        if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    }
    return true;
}

TEST(utf8_is_what_decoding_says_it_is)
{
    static const unsigned char tails[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
    const size_t n = sizeof(tails);

    for (unsigned first = 0; first < 256; first++) {
        for (size_t i = 0; i < n * n * n; i++) {
            const unsigned char s[4] = { (unsigned char)first, tails[i % n], tails[i / n % n],
                                         tails[i / n / n] };
            for (size_t len = 1; len <= 4; len++)
                CHECK(str_is_utf8(str_of(s, len)) == is_utf8_by_decoding(s, len));
        }
    }
}
