/*
 * str.h - a view of bytes: pointer and length, owned by somebody else.
 *
 * Not NUL-terminated; may hold any byte. An empty str may have a NULL pointer. Functions that take a struct str never keep it
 * unless their header says so.
 */
#ifndef STORAGE_BASE_STR_H
#define STORAGE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){ ("" literal), sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).len, (s).data

static inline struct str str_of(const void *data, size_t len)
{
    return (struct str){ data, len };
}

struct str str_from_z(const char *z); /* NULL gives STR_NONE */

bool str_eq(struct str a, struct str b);
bool str_is(struct str s, const char *z);
bool str_is_nocase(struct str s, const char *z); /* ASCII */
bool str_eq_nocase(struct str a, struct str b);  /* ASCII */
int str_cmp(struct str a, struct str b);         /* by bytes, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_from(struct str s, size_t start);             /* s without its first bytes; empty past the end */
struct str str_slice(struct str s, size_t start, size_t end); /* bytes [start, end), cut at s */
struct str str_trim(struct str s);                           /* without spaces and tabs at both ends */
bool str_contains(struct str s, struct str part);
/* Index of the first byte c, or of the first place of part; s.len if there is none. */
size_t str_find_char(struct str s, char c);
size_t str_find(struct str s, struct str part);
size_t str_rfind_char(struct str s, char c);

/* Cut s at the first c: *ret_head is what stands before, the result what stands behind. Without c, all is head. */
struct str str_cut(struct str s, char c, struct str *ret_head);

/* Iterate over the pieces between c: "a,,b" has three, "" has one (itself). Start with str_split_on; false when nothing is left. */
struct str_split {
    struct str rest;
    char c;
    bool is_done;
};
struct str_split str_split_on(struct str s, char c);
bool str_split_next(struct str_split *it, struct str *ret_piece);

/* Whole-string decimal numbers without sign, leading '+' or blanks; false when it is anything else or too large. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret); /* one leading '-' is allowed */

/* Is s valid UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF)? */
bool str_is_utf8(struct str s);

#endif
