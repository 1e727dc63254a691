/*
 * row_code.c - numbers and strings inside rows.
 *
 * Numbers of varying size are LEB128, as in protocol buffers: lengths and sizes are mostly small, and an
 * index of 10^9 objects pays for every byte. Only the shortest form is accepted, so that a row has one
 * encoding.
 */
#include "storage/object/row_code.h"

#include <assert.h>

#define VARINT_BYTES_MAX 10

struct row_reader row_reader_of(struct str row)
{
    const uint8_t *at = (const uint8_t *)row.data;
    return (struct row_reader){ .at = at, .end = row.len ? at + row.len : at };
}

bool row_more(const struct row_reader *r)
{
    return !r->is_bad && r->at < r->end;
}

const uint8_t *row_bytes(struct row_reader *r, size_t len)
{
    if (r->is_bad || len > (size_t)(r->end - r->at)) {
        r->is_bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    return bytes;
}

uint64_t row_uint(struct row_reader *r, size_t bytes)
{
    const uint8_t *p = row_bytes(r, bytes);
    uint64_t value = 0;

    for (size_t i = 0; p && i < bytes; i++) value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint64_t row_varint(struct row_reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        const uint8_t *p = row_bytes(r, 1);
        if (!p) return 0;
        const uint64_t bits = *p & 0x7f;
        /* The tenth byte has room for one bit; a last byte of zero means that the number has a shorter form.
         */
        if ((shift == 63 && bits > 1) || (shift > 0 && *p == 0)) break;
        value |= bits << shift;
        if (!(*p & 0x80)) return value;
    }
    r->is_bad = true;
    return 0;
}

struct str row_str(struct row_reader *r)
{
    const uint64_t len = row_varint(r);
    const uint8_t *bytes = row_bytes(r, len);
    return bytes ? str_of(bytes, len) : STR_NONE;
}

void row_put_uint(struct buf *out, uint64_t value, size_t bytes)
{
    uint8_t le[8];

    assert(bytes <= sizeof(le) && (bytes == 8 || value >> (8 * bytes) == 0));
    for (size_t i = 0; i < bytes; i++) le[i] = (uint8_t)(value >> (8 * i));
    buf_append(out, le, bytes);
}

void row_put_varint(struct buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    buf_append(out, bytes, len);
}

void row_put_str(struct buf *out, struct str s)
{
    row_put_varint(out, s.len);
    buf_append(out, s.data, s.len);
}
