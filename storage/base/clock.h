/*
 * clock.h - time: what people read, and what is measured. Tests may set an offset.
 */
#ifndef STORAGE_BASE_CLOCK_H
#define STORAGE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

int64_t clock_now_ms(void);    /* since 1970, UTC */
uint64_t clock_mono_ns(void);  /* never goes back */
uint64_t clock_mono_ms(void);
void clock_set_offset_ms(int64_t offset_ms); /* tests only: added to clock_now_ms */

/* "Sat, 21 Nov 2026 09:30:00 GMT" (RFC 9110 5.6.7), 29 bytes + NUL. */
#define CLOCK_HTTP_SIZE 30
void clock_http(int64_t ms, char out[CLOCK_HTTP_SIZE]);
/* "2026-11-21T09:30:00.000Z", 24 bytes + NUL. */
#define CLOCK_ISO_SIZE 25
void clock_iso(int64_t ms, char out[CLOCK_ISO_SIZE]);
/* "20261121T093000Z", 16 bytes + NUL. */
#define CLOCK_AMZ_SIZE 17
void clock_amz(int64_t ms, char out[CLOCK_AMZ_SIZE]);

/* Any of the three HTTP date forms (RFC 1123, RFC 850, asctime), ISO 8601 with or without fraction and zone, or the amz form. */
bool clock_parse(struct str text, int64_t *ret_ms);

#endif
