/*
 * decode.h - Avro's binary primitives over bytes in memory.
 *
 * A cursor walks forward and never past its end. A function gives false when what stands there is cut off or not allowed, and then says
 * why in the cursor; the cursor stays where it was. Source: Avro specification 1.12, "Binary Encoding".
 */
#ifndef CATALOG_AVRO_DECODE_H
#define CATALOG_AVRO_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

struct cursor {
    const uint8_t *at, *end;
    const char *why; /* a constant; set by what fails */
};

struct cursor cursor_of(struct str bytes);
bool cursor_fail(struct cursor *c, const char *why); /* false */

/* A zigzag number of at most 64 bits in at most ten bytes. `int` is the same with 32 bits. */
bool decode_long(struct cursor *c, int64_t *ret);
bool decode_int(struct cursor *c, int32_t *ret);
/* A string or bytes: a view. */
bool decode_bytes(struct cursor *c, struct str *ret);
/* Pass over len bytes. */
bool decode_skip(struct cursor *c, uint64_t len);
/* The head of a piece of an array or map: items in it, 0: the end. *ret_bytes: how long the piece is, if the writer said so, else -1;
 * never more than is left. */
bool decode_piece(struct cursor *c, int64_t *ret_count, int64_t *ret_bytes);

#endif
