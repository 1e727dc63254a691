/*
 * buf.c - bytes that grow, with a ceiling.
 *
 * Every append goes through buf_extend, and it through buf_reserve, which alone grows and marks. An append is taken whole or not
 * at all. The size doubles, so appending is linear in all; it is never above the ceiling.
 */
#include "storage/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 256

void buf_init(struct buf *b, size_t bytes_max)
{
    *b = (struct buf){ .bytes_max = bytes_max };
}

void buf_done(struct buf *b)
{
    free(b->data);
    buf_init(b, b->bytes_max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_failed = b->is_too_large = false;
}

bool buf_reserve(struct buf *b, size_t len)
{
    if (b->is_failed) return false;
    if (len <= b->size - b->len) return true;
    if (len > b->bytes_max - b->len) {
        b->is_failed = b->is_too_large = true;
        return false;
    }
    const size_t needed = b->len + len;
    size_t size = b->size > b->bytes_max / 2 ? b->bytes_max : b->size * 2;
    if (size < SIZE_FIRST) size = b->bytes_max < SIZE_FIRST ? b->bytes_max : SIZE_FIRST;
    if (size < needed) size = needed;

    char *data = realloc(b->data, size);
    if (!data) {
        b->is_failed = true;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

char *buf_extend(struct buf *b, size_t len)
{
    static char nothing; /* extending an empty buf by no bytes is no failure, so it gives a pointer */

    if (!buf_reserve(b, len)) return NULL;
    if (!b->data) return &nothing;
    char *place = b->data + b->len;
    b->len += len;
    return place;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0) return;
    char *place = buf_extend(b, len);
    if (place) memcpy(place, data, len);
}

void buf_str(struct buf *b, struct str s)
{
    buf_append(b, s.data, s.len);
}

void buf_z(struct buf *b, const char *z)
{
    buf_append(b, z, strlen(z));
}

void buf_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t value)
{
    if (value < 0) buf_char(b, '-');
    buf_u64(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char small[512], *large = NULL;
    va_list args;

    if (b->is_failed) return;
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len >= (int)sizeof(small)) {
        va_start(args, format);
        len = vasprintf(&large, format, args);
        va_end(args);
    }
    if (len < 0) {
        b->is_failed = true;
        return;
    }
    buf_append(b, large ? large : small, (size_t)len);
    free(large);
}

struct str buf_view(const struct buf *b)
{
    return str_of(b->data, b->len);
}

struct err buf_err(const struct buf *b)
{
    if (b->is_too_large) return err_fail(ERR_TOO_LARGE, "larger than the %zu bytes allowed", b->bytes_max);
    if (b->is_failed) return FAIL(ERR_NO_MEMORY, "out of memory");
    return OK;
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data = b->data;

    *ret_len = b->len;
    buf_init(b, b->bytes_max);
    return data;
}
