/*
 * copy_file.h - one file copied, durably, with its length and checksum. Holes stay holes.
 */
#ifndef ADMIN_STORE_COPY_FILE_H
#define ADMIN_STORE_COPY_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/base/err.h"

struct copy_job {
    const char *from, *to;        /* to is made, or begun anew */
    uint64_t bytes_max;           /* only so many from the start; UINT64_MAX: as many as there are */
    uint64_t deadline_ms;         /* clock_mono_ms; 0: none */
    const atomic_bool *is_stopping; /* NULL: nobody stops it */
};

struct copied {
    uint64_t bytes;
    uint32_t crc32c;
};

/* ERR_NOT_FOUND: there is no such file. ERR_UNAVAILABLE: the deadline has passed. ERR_CLOSED: it was stopped. What was begun at `to` is left to be removed. */
struct err copy_file(const struct copy_job *job, struct copied *ret);
/* The same of a file that stays where it is: `to` is NULL. */
struct err copy_sum(const struct copy_job *job, struct copied *ret);

#endif
