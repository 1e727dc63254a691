/*
 * s3_range.c - which bytes a request asks for. RFC 9110 14.1.2, and s3.md 17 for what AWS does with the rest: several ranges, other units and what cannot
 * be read are as if the header had not been sent.
 */
#include "server/s3/s3_range.h"

/* Digits alone, at least one. A number too large for 64 bits is the largest: it lies behind every object. */
static bool number(struct str text, uint64_t *ret)
{
    if (text.len == 0) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    if (!str_to_u64(text, ret)) *ret = UINT64_MAX;
    return true;
}

/* What stands before and behind the '-' of a single byte range. */
static bool split(struct str text, struct str *ret_first, struct str *ret_last)
{
    const struct str unit = STR("bytes=");

    text = str_trim(text);
    if (text.len < unit.len || !str_eq_nocase(str_slice(text, 0, unit.len), unit)) return false;
    text = str_trim(str_from(text, unit.len));
    if (str_find_char(text, '-') == text.len) return false;
    *ret_last = str_cut(text, '-', ret_first);
    return true;
}

enum s3_range_result s3_range_parse(struct str text, uint64_t size, struct s3_range *ret)
{
    struct str first, last;
    uint64_t a, b = UINT64_MAX;

    if (!split(text, &first, &last)) return RANGE_IGNORED;
    if (first.len == 0) {
        if (!number(last, &b)) return RANGE_IGNORED;
        if (b == 0 || size == 0) return RANGE_UNSATISFIABLE;
        const uint64_t len = b < size ? b : size;
        *ret = (struct s3_range){ size - len, len };
        return RANGE_GIVEN;
    }
    if (!number(first, &a) || (last.len && !number(last, &b)) || b < a) return RANGE_IGNORED;
    if (a >= size) return RANGE_UNSATISFIABLE;
    const uint64_t end = b < size ? b + 1 : size;
    *ret = (struct s3_range){ a, end - a };
    return RANGE_GIVEN;
}

bool s3_range_parse_both(struct str text, struct s3_range *ret)
{
    struct str first, last;
    uint64_t a, b;

    if (!split(text, &first, &last) || !str_to_u64(first, &a) || !str_to_u64(last, &b) || b < a
        || b == UINT64_MAX)
        return false;
    *ret = (struct s3_range){ a, b - a + 1 };
    return true;
}
