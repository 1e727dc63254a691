/*
 * format.h - sizes and times for people, and durations as people write them.
 */
#ifndef ADMIN_CLI_FORMAT_H
#define ADMIN_CLI_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/str.h"

/* "512 B", "1.5 KiB", "20 GiB": three figures at most before the unit. */
void size_to(struct buf *out, uint64_t bytes);

/* "2026-11-21 09:30:00Z" */
void time_to(struct buf *out, int64_t ms);

/* "90s", "30m", "12h", "7d", "4w": a whole number and a unit, in milliseconds. 0 only as "0s" and the like. False: anything else, or beyond 1,000 years. */
bool duration_parse(struct str text, int64_t *ret_ms);

/* Text for a terminal: control characters become '?', so that a name on the server cannot steer it. */
void text_to(struct buf *out, struct str text);

/* Columns that valid UTF-8 text takes: one a character (wide ones are not known). */
size_t text_width(struct str text);

#endif
