/*
 * rate.h - so many a second: for background work that is not to be noticed.
 *
 * A bucket of one second's worth, full at first, so that nobody waits after a start. Work that cannot be cut to size takes more than is left: that is a debt, and nothing is left until it is made up for.
 * A rate belongs to one thread.
 */
#ifndef STORAGE_BASE_RATE_H
#define STORAGE_BASE_RATE_H

#include <stdint.h>

struct rate {
    uint64_t per_second;
    int64_t left;
    uint64_t at_ms; /* when that was so; clock_mono_ms */
};

struct rate rate_of(uint64_t per_second);
/* How much may be done now; 0: nothing. */
uint64_t rate_left(struct rate *r);
void rate_take(struct rate *r, uint64_t done);

#endif
