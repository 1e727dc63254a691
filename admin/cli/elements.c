/*
 * elements.c - <name>...</name> in a bounded text.
 */
#include "admin/cli/elements.h"

#include "storage/base/buf.h"

/* Where "<name" stands as a whole tag, and where that tag ends. */
static bool open_tag_find(struct str text, struct str name, size_t *ret_end, bool *ret_is_empty)
{
    for (size_t at = 0; at < text.len;) {
        at += str_find_char(str_from(text, at), '<') + 1;
        const struct str tag = str_from(text, at);
        if (!str_starts(tag, name) || tag.len == name.len) continue;
        if (str_find_char(STR(" \t\r\n/>"), tag.data[name.len]) == 6) continue;
        const size_t end = str_find_char(tag, '>');
        if (end == tag.len) return false;
        *ret_is_empty = tag.data[end - 1] == '/';
        *ret_end = at + end + 1;
        return true;
    }
    return false;
}

bool element_next(struct str *text, const char *name, struct str *ret_content)
{
    const struct str n = str_from_z(name);
    bool is_empty;
    size_t start;

    if (!open_tag_find(*text, n, &start, &is_empty)) return false;
    const struct str rest = str_from(*text, start);
    if (is_empty) {
        *ret_content = STR("");
        *text = rest;
        return true;
    }
    for (size_t at = 0; at < rest.len;) {
        at += str_find(str_from(rest, at), STR("</"));
        const struct str tag = str_from(rest, at + 2);
        if (str_starts(tag, n) && tag.len > n.len && tag.data[n.len] == '>') {
            *ret_content = str_slice(rest, 0, at);
            *text = str_from(rest, at + 2 + n.len + 1);
            return true;
        }
        at += 2;
    }
    return false;
}

/* ---- references ---- */

static void utf8_to(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_char(out, (char)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_char(out, (char)(0xe0 | c >> 12));
        } else {
            buf_char(out, (char)(0xf0 | c >> 18));
            buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        }
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_char(out, (char)(0x80 | (c & 0x3f)));
}

/* "#38" or "#x26" */
static bool number_of(struct str reference, uint32_t *ret)
{
    const bool is_hex = reference.len > 1 && reference.data[1] == 'x';
    const struct str digits = str_from(reference, is_hex ? 2 : 1);
    uint32_t value = 0;

    if (digits.len == 0 || digits.len > 7) return false;
    for (size_t i = 0; i < digits.len; i++) {
        const char c = digits.data[i];
        const int digit = c >= '0' && c <= '9' ? c - '0'
            : is_hex && c >= 'a' && c <= 'f'   ? c - 'a' + 10
            : is_hex && c >= 'A' && c <= 'F'   ? c - 'A' + 10
                                               : -1;
        if (digit < 0) return false;
        value = value * (is_hex ? 16 : 10) + (uint32_t)digit;
    }
    *ret = value;
    return value > 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

static bool reference_to(struct buf *out, struct str reference)
{
    static const struct {
        const char *name;
        char c;
    } names[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
    uint32_t number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!str_is(reference, names[i].name)) continue;
        buf_char(out, names[i].c);
        return true;
    }
    if (reference.len == 0 || reference.data[0] != '#' || !number_of(reference, &number)) return false;
    utf8_to(out, number);
    return true;
}

static bool unescape_to(struct buf *out, struct str text)
{
    while (text.len) {
        const size_t plain = str_find_char(text, '&');
        buf_str(out, str_slice(text, 0, plain));
        text = str_from(text, plain);
        if (text.len == 0) break;
        const size_t end = str_find_char(text, ';');
        if (end == text.len || !reference_to(out, str_slice(text, 1, end))) return false;
        text = str_from(text, end + 1);
    }
    return true;
}

struct str element_text(struct str within, const char *name, struct arena *arena)
{
    struct str content, text = STR_NONE;
    struct buf out;

    if (!element_next(&within, name, &content) || str_find_char(content, '<') < content.len) return STR_NONE;
    buf_init(&out, content.len + 8);
    if (unescape_to(&out, content) && buf_err(&out).code == ERR_OK) text = arena_str(arena, buf_view(&out));
    buf_done(&out);
    return text;
}
