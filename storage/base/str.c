/*
 * str.c - views of bytes.
 *
 * An empty view may have a NULL pointer, and the C library may not be given one even for no bytes, so every call into it is
 * guarded by the length. ASCII case is folded here and not by tolower, which asks the locale.
 */
#include "storage/base/str.h"

#include <string.h>

struct str str_from_z(const char *z)
{
    return z ? str_of(z, strlen(z)) : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_is(struct str s, const char *z)
{
    return str_eq(s, str_from_z(z));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    }
    return true;
}

bool str_is_nocase(struct str s, const char *z)
{
    return str_eq_nocase(s, str_from_z(z));
}

int str_cmp(struct str a, struct str b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len ? memcmp(a.data, b.data, len) : 0;

    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_of(s.data, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

struct str str_from(struct str s, size_t start)
{
    return str_slice(s, start, s.len);
}

struct str str_slice(struct str s, size_t start, size_t end)
{
    if (end > s.len) end = s.len;
    if (start > end) start = end;
    return s.data ? str_of(s.data + start, end - start) : STR_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    size_t start = 0, end = s.len;

    while (start < end && is_blank(s.data[start])) start++;
    while (end > start && is_blank(s.data[end - 1])) end--;
    return str_slice(s, start, end);
}

bool str_contains(struct str s, struct str part)
{
    return part.len == 0 || str_find(s, part) < s.len;
}

size_t str_find_char(struct str s, char c)
{
    const char *p = s.len ? memchr(s.data, c, s.len) : NULL;
    return p ? (size_t)(p - s.data) : s.len;
}

size_t str_rfind_char(struct str s, char c)
{
    const char *p = s.len ? memrchr(s.data, c, s.len) : NULL;
    return p ? (size_t)(p - s.data) : s.len;
}

size_t str_find(struct str s, struct str part)
{
    if (part.len == 0) return 0;
    const char *p = s.len ? memmem(s.data, s.len, part.data, part.len) : NULL;
    return p ? (size_t)(p - s.data) : s.len;
}

struct str str_cut(struct str s, char c, struct str *ret_head)
{
    const size_t at = str_find_char(s, c);

    *ret_head = str_slice(s, 0, at);
    return str_from(s, at < s.len ? at + 1 : s.len);
}

struct str_split str_split_on(struct str s, char c)
{
    return (struct str_split){ .rest = s, .c = c };
}

bool str_split_next(struct str_split *it, struct str *ret_piece)
{
    if (it->is_done) return false;
    it->is_done = str_find_char(it->rest, it->c) == it->rest.len;
    it->rest = str_cut(it->rest, it->c, ret_piece);
    return true;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
    uint64_t value = 0;

    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.data[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) return false;
    }
    *ret = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    const bool is_negative = s.len > 0 && s.data[0] == '-';
    uint64_t value;

    if (!str_to_u64(is_negative ? str_from(s, 1) : s, &value)) return false;
    if (value > (uint64_t)INT64_MAX + is_negative) return false;
    *ret = (int64_t)(is_negative ? 0 - value : value);
    return true;
}

/* Length of the character that s begins with; 0 if it is not well formed. RFC 3629 section 4: the second byte's range depends on
 * the first, and that is all it takes to refuse overlong forms, surrogates and what lies beyond U+10FFFF. */
static size_t utf8_char(const unsigned char *s, size_t len)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) size = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef) size = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4) size = 4;
    else return 0;

    if (s[0] == 0xe0) low = 0xa0;
    if (s[0] == 0xed) high = 0x9f;
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f;
    if (len < size || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    return size;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *bytes = (const unsigned char *)s.data;

    for (size_t at = 0, size; at < s.len; at += size) {
        size = utf8_char(bytes + at, s.len - at);
        if (size == 0) return false;
    }
    return true;
}
