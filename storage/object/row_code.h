/*
 * row_code.h - numbers and strings inside rows: how they are written, and read without ever leaving the row.
 *
 * A reader that meets the end too early, or a number that is not in its shortest form, is marked bad and gives zeros from then
 * on; so a decoder reads straight through and looks once at the end. Strings that it gives are views of the row.
 */
#ifndef STORAGE_OBJECT_ROW_CODE_H
#define STORAGE_OBJECT_ROW_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/str.h"

struct row_reader {
    const uint8_t *at, *end;
    bool is_bad;
};

struct row_reader row_reader_of(struct str row);
bool row_more(const struct row_reader *r);                    /* something is left, and all is well so far */
uint64_t row_uint(struct row_reader *r, size_t bytes);        /* little endian, 1 to 8 bytes */
uint64_t row_varint(struct row_reader *r);                    /* seven bits a byte, lowest first, the high bit says that more follow */
const uint8_t *row_bytes(struct row_reader *r, size_t len);   /* NULL when there are not as many */
struct str row_str(struct row_reader *r);                     /* a varint of length, then as many bytes */

void row_put_uint(struct buf *out, uint64_t value, size_t bytes);
void row_put_varint(struct buf *out, uint64_t value);
void row_put_str(struct buf *out, struct str s);

#endif
