/*
 * flusher.h - the thread that flushes the volumes of one slot, for whoever waits, in groups.
 *
 * While a flush runs, the next requests gather; then each volume that they name is flushed once, and all are answered. No timer. A volume
 * belongs to one flusher for good, so its flushes never run side by side.
 */
#ifndef STORAGE_VOLUME_FLUSHER_H
#define STORAGE_VOLUME_FLUSHER_H

#include <stddef.h>

#include "storage/base/err.h"
#include "storage/volume/volume.h"

struct flusher;

/* The requester's memory, untouched until finish is called. */
struct flush_request {
    struct volume *const *volumes; /* what was written to; each with a reservation of the requester's */
    size_t count;
    struct err refused;            /* not OK: nothing is flushed, finish gets it (whoever fails before is answered in the same way) */
    void (*finish)(struct flush_request *r, struct err e); /* on the flusher's thread; short; the request may be gone afterwards */
    struct flush_request *next;    /* the flusher's */
};

struct err flusher_start(int number, struct flusher **ret);
struct flusher *flusher_stop(struct flusher *f); /* answers what is queued, then joins; NULL is fine; returns NULL */
void flusher_submit(struct flusher *f, struct flush_request *r);

#endif
