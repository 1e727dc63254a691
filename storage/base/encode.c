/*
 * encode.c - hex, base64 and percent-encoding.
 *
 * Encoders ask the buf for their room once and fill it. Decoders refuse what no encoder makes (blanks, missing or extra padding,
 * bits behind the last byte): two texts for the same bytes are a way around a signature or a comparison.
 */
#include "storage/base/encode.h"

#include <string.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static void hex_fill(const unsigned char *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        *out++ = hex_lower[bytes[i] >> 4];
        *out++ = hex_lower[bytes[i] & 15];
    }
}

void hex_to(struct buf *out, struct str bytes)
{
    char *place = buf_extend(out, 2 * bytes.len);
    if (place) hex_fill((const unsigned char *)bytes.data, bytes.len, place);
}

void hex_z(const void *bytes, size_t len, char *out)
{
    hex_fill(bytes, len, out);
    out[2 * len] = '\0';
}

bool hex_from(struct str text, void *out, size_t out_len)
{
    unsigned char *bytes = out;

    if (text.len % 2 != 0 || text.len / 2 != out_len) return false;
    for (size_t i = 0; i < out_len; i++) {
        const int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- base64 ---- */

/* Two alphabets that differ in their last two digits, and in whether the text is padded to fours. */
struct base64 {
    const char *digits;
    bool is_padded;
};

static const struct base64 base64_plain = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true
};
static const struct base64 base64_url = { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                                          false };

static size_t encoded_len(const struct base64 *form, size_t len)
{
    static const size_t rest[] = { 0, 2, 3 };
    const size_t whole = len / 3 * 4;

    if (len % 3 == 0) return whole;
    return whole + (form->is_padded ? 4 : rest[len % 3]);
}

static void base64_fill(const struct base64 *form, struct str bytes, char *out)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    const size_t out_len = encoded_len(form, bytes.len);

    for (size_t i = 0, o = 0; i < bytes.len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16;
        if (i + 1 < bytes.len) group |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < bytes.len) group |= in[i + 2];
        for (size_t d = 0; d < 4 && o < out_len; d++) {
            const bool is_padding = i + d > bytes.len;
            out[o++] = is_padding ? '=' : form->digits[group >> (18 - 6 * d) & 63];
        }
    }
}

static void encode64(const struct base64 *form, struct buf *out, struct str bytes)
{
    char *place = buf_extend(out, encoded_len(form, bytes.len));
    if (place) base64_fill(form, bytes, place);
}

void base64_to(struct buf *out, struct str bytes)
{
    encode64(&base64_plain, out, bytes);
}

void base64url_to(struct buf *out, struct str bytes)
{
    encode64(&base64_url, out, bytes);
}

struct str base64_str(struct arena *a, struct str bytes)
{
    const size_t len = encoded_len(&base64_plain, bytes.len);
    char *text = arena_alloc(a, len + 1);

    if (!text) return STR_NONE;
    base64_fill(&base64_plain, bytes, text);
    return str_of(text, len);
}

static int base64_value(const struct base64 *form, char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == form->digits[62]) return 62;
    if (c == form->digits[63]) return 63;
    return -1;
}

static bool decode64(const struct base64 *form, struct str text, void *out, size_t out_size, size_t *ret_len)
{
    size_t digits = text.len, len = 0;
    unsigned char *bytes = out;
    uint32_t group = 0;

    if (form->is_padded) {
        if (text.len % 4 != 0) return false;
        while (digits > 0 && text.len - digits < 2 && text.data[digits - 1] == '=') digits--;
    }
    if (digits % 4 == 1 || digits / 4 * 3 + digits % 4 * 3 / 4 > out_size) return false;

    for (size_t i = 0; i < digits; i++) {
        const int value = base64_value(form, text.data[i]);
        if (value < 0) return false;
        group = group << 6 | (uint32_t)value;
        /* The first digit of four completes no byte; each other one does. */
        const unsigned spare = 6 - 2 * (unsigned)(i % 4);
        if (i % 4 != 0) bytes[len++] = (unsigned char)(group >> spare);
        group &= (1u << spare) - 1;
    }
    if (digits % 4 != 0 && group != 0) return false; /* bits that belong to no byte */
    *ret_len = len;
    return true;
}

bool base64_from(struct str text, void *out, size_t out_size, size_t *ret_len)
{
    return decode64(&base64_plain, text, out, out_size, ret_len);
}

bool base64url_from(struct str text, void *out, size_t out_size, size_t *ret_len)
{
    return decode64(&base64_url, text, out, out_size, ret_len);
}

/* ---- percent-encoding ---- */

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
        || c == '.' || c == '~';
}

void percent_to(struct buf *out, struct str bytes, const char *keep)
{
    for (size_t i = 0; i < bytes.len; i++) {
        const char c = bytes.data[i];
        if (is_unreserved(c) || (c && strchr(keep, c))) {
            buf_char(out, c);
        } else {
            const unsigned char byte = (unsigned char)c;
            buf_append(out, (char[]){ '%', hex_upper[byte >> 4], hex_upper[byte & 15] }, 3);
        }
    }
}

bool percent_from(struct str text, bool plus_is_space, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (text.len - i < 3) return false;
            const int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
            if (high < 0 || low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    *ret_len = len;
    return true;
}

struct str percent_str(struct arena *a, struct str text, bool plus_is_space)
{
    char *out = arena_alloc(a, text.len + 1);
    size_t len;

    if (!out || !percent_from(text, plus_is_space, out, &len)) return STR_NONE;
    out[len] = '\0';
    return str_of(out, len);
}

/* ---- XML ---- */

/* U+FFFE and U+FFFF are the only characters outside of ASCII that XML 1.0 section 2.2 leaves out and UTF-8 can say. */
static bool is_noncharacter(struct str s)
{
    return str_starts(s, STR("\xef\xbf\xbe")) || str_starts(s, STR("\xef\xbf\xbf"));
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    }
    return NULL;
}

void xml_escape_to(struct buf *out, struct str text)
{
    size_t begin = 0; /* of what can be copied as it is */

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const char *name = entity(text.data[i]);
        /* Tab and line ends could stand raw, but readers change them (sections 2.11 and 3.3.3). */
        const bool is_control = c < 0x20;
        if (!name && !is_control && !(c == 0xef && is_noncharacter(str_from(text, i)))) continue;

        buf_str(out, str_slice(text, begin, i));
        if (name) {
            buf_z(out, name);
        } else if (is_control) {
            buf_printf(out, "&#x%X;", c);
        } else {
            i += 2;
            buf_z(out, text.data[i] == '\xbe' ? "&#xFFFE;" : "&#xFFFF;");
        }
        begin = i + 1;
    }
    buf_str(out, str_from(text, begin));
}
