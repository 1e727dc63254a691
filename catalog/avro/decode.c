/*
 * decode.c - Avro's binary primitives over bytes in memory.
 *
 * A number is little-endian groups of seven bits, the top bit says that another follows, and the sign is in the lowest bit (zigzag).
 * Ten bytes hold 70 bits: of the tenth only the lowest may be set. Longer forms of a small number (trailing zero groups) are
 * allowed, as every reader allows them.
 */
#include "catalog/avro/decode.h"

struct cursor cursor_of(struct str bytes)
{
    const uint8_t *at = bytes.len ? (const uint8_t *)bytes.data : (const uint8_t *)"";
    return (struct cursor){ .at = at, .end = at + bytes.len };
}

bool cursor_fail(struct cursor *c, const char *why)
{
    c->why = why;
    return false;
}

bool decode_long(struct cursor *c, int64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 10; i++) {
        if (c->at + i == c->end) return cursor_fail(c, "a number is cut off");
        const uint64_t byte = c->at[i];
        if (i == 9 && byte > 1) return cursor_fail(c, "a number has more than 64 bits");
        value |= (byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        c->at += i + 1;
        *ret = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
        return true;
    }
    return cursor_fail(c, "a number has more than 64 bits");
}

bool decode_int(struct cursor *c, int32_t *ret)
{
    const uint8_t *const before = c->at;
    int64_t value;

    if (!decode_long(c, &value)) return false;
    if (value < INT32_MIN || value > INT32_MAX) {
        c->at = before;
        return cursor_fail(c, "an int has more than 32 bits");
    }
    *ret = (int32_t)value;
    return true;
}

bool decode_skip(struct cursor *c, uint64_t len)
{
    if (len > (uint64_t)(c->end - c->at)) return cursor_fail(c, "a value is cut off");
    c->at += len;
    return true;
}

bool decode_bytes(struct cursor *c, struct str *ret)
{
    const uint8_t *const before = c->at;
    int64_t len;

    if (!decode_long(c, &len)) return false;
    const char *why = len < 0  ? "a string of negative length"
        : len > c->end - c->at ? "a string is longer than what is left"
                               : NULL;
    if (why) {
        c->at = before;
        return cursor_fail(c, why);
    }
    *ret = str_of(c->at, (size_t)len);
    c->at += len;
    return true;
}

bool decode_piece(struct cursor *c, int64_t *ret_count, int64_t *ret_bytes)
{
    const uint8_t *const before = c->at;
    int64_t count, bytes = -1;

    if (!decode_long(c, &count)) return false;
    if (count < 0 && !decode_long(c, &bytes)) {
        c->at = before;
        return false;
    }
    const char *why = count == INT64_MIN ? "a count that is no number"
        : count >= 0                     ? NULL
        : bytes < 0                      ? "a piece of negative length"
        : bytes > c->end - c->at         ? "a piece is longer than what is left"
                                         : NULL;
    if (why) {
        c->at = before;
        return cursor_fail(c, why);
    }
    *ret_count = count < 0 ? -count : count;
    *ret_bytes = bytes;
    return true;
}
