/*
 * reply.c - the code of an error document. It is looked for, not parsed: what is taken goes into messages and is compared with known words, so anything that is not plainly a word is nothing.
 */
#include "storage/remote/reply.h"

#include <string.h>

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.data[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.') return false;
    }
    return s.len > 0 && s.len <= REMOTE_CODE_MAX;
}

struct str remote_error_code(struct str body)
{
    const struct str open = STR("<Code>"), close = STR("</Code>");
    const struct str rest = str_from(body, str_find(body, open) + open.len);
    const size_t end = str_find(rest, close);
    const struct str word = str_slice(rest, 0, end);

    return end < rest.len && is_word(word) ? word : STR("");
}
