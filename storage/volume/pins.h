/*
 * pins.h - which bodies are in use by open readers and writers, by uid.
 *
 * A pin is a list node that stands in its owner (reader, writer), so pinning takes no memory and cannot fail; ten million bodies cost
 * nothing. Shards by uid, each with a lock of its own.
 *
 * Reclaim asks pins_have only for bodies whose freeing transaction no open view precedes. A reader pins before the view in which it found
 * the body is closed, so for such a body no new pin can come that would lead to its bytes.
 */
#ifndef STORAGE_VOLUME_PINS_H
#define STORAGE_VOLUME_PINS_H

#include <stdbool.h>

#include "storage/base/ids.h"
#include "storage/base/thread.h"

#define PINS_SHARDS 64   /* by 32 lists: with 10,000 connections a list has five pins */
#define PINS_LISTS 32

struct pin {
    struct uid uid;
    struct pin *next, **link;
};

struct pins {
    struct pins_shard {
        struct mutex lock; /* guards: lists */
        struct pin *lists[PINS_LISTS];
    } shards[PINS_SHARDS];
};

void pins_init(struct pins *p);
void pins_done(struct pins *p); /* asserts that no pin is left */

void pins_add(struct pins *p, struct pin *pin, struct uid uid);
void pins_remove(struct pins *p, struct pin *pin);
bool pins_have(struct pins *p, struct uid uid);

#endif
