/*
 * rests.h - which places of other endpoints the background leaves alone for a while, after a failure.
 *
 * A place is a bucket at an endpoint, with certain credentials. Each has a rest of its own: a table of hashed times, where two places can share one, would let a bucket that is denied stop the maintenance of another,
 * for good if they take turns, and the other's successes would have the dead one asked each time.
 *
 * Any number of threads.
 */
#ifndef STORAGE_REMOTE_RESTS_H
#define STORAGE_REMOTE_RESTS_H

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/remote/remote.h"

enum { REST_KEY = 32 };

struct rests {
    struct mutex lock; /* guards: the rest */
    struct rest {
        uint8_t key[REST_KEY]; /* a digest of the place */
        uint64_t until_ms;     /* clock_mono_ms; what is past is free */
    } rows[LIMIT_REMOTE_RESTS];
};

void rests_init(struct rests *r);
void rests_done(struct rests *r);

/* Does it rest now? */
bool rests_has(struct rests *r, const struct remote_place *p, uint64_t now_ms);
/* It rests until then; 0: it does not. When LIMIT_REMOTE_RESTS others rest, the one that would end first ends now: it is asked too early, which costs one call. */
void rests_set(struct rests *r, const struct remote_place *p, uint64_t until_ms);

#endif
