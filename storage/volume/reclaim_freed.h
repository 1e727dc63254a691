/*
 * reclaim_freed.h - the rows of SPACE_FREED: which may be acted on, and doing it. Called by one pass of reclaim at a time.
 */
#ifndef STORAGE_VOLUME_RECLAIM_FREED_H
#define STORAGE_VOLUME_RECLAIM_FREED_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"

struct blobs;

struct freed_outcome {
    uint64_t bytes_given_back;
    uint64_t bytes_waiting;             /* for whatever */
    uint64_t bytes_waiting_checkpoint;  /* of these, what a checkpoint now would release */
    bool is_waiting_for_pin;
};

/* Give back all that may be; *ret is set also when it fails half-way. */
struct err reclaim_freed(struct blobs *b, struct freed_outcome *ret);

#endif
