/*
 * rate.c - the arithmetic of a bucket.
 */
#include "storage/base/rate.h"

#include "storage/base/clock.h"

struct rate rate_of(uint64_t per_second)
{
    return (struct rate){ .per_second = per_second, .left = (int64_t)per_second, .at_ms = clock_mono_ms() };
}

uint64_t rate_left(struct rate *r)
{
    const uint64_t now = clock_mono_ms(), gained = (now - r->at_ms) * r->per_second / 1000;

    if (gained) { /* else the time is kept, until it is worth something */
        r->at_ms = now;
        r->left += (int64_t)gained;
        if (r->left > (int64_t)r->per_second) r->left = (int64_t)r->per_second;
    }
    return r->left > 0 ? (uint64_t)r->left : 0;
}

void rate_take(struct rate *r, uint64_t done)
{
    r->left -= (int64_t)done;
}
