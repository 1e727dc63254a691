/*
 * volume.h - one volume file that is being written to.
 *
 * A volume is filled from its start to its end. Writers reserve space at its tail as bytes arrive; a reservation that still ends at the tail
 * can grow, so a body that is alone in its volume lies in one piece. The file is allocated in steps ahead of the tail. A volume is
 * held in memory only while it is open (a few); sealed ones are rows and files.
 *
 * Invariants:
 *   V1  what lies at or beyond the tail holds zeros: it was never written, or was punched
 *   V2  while there is a reservation, nothing but its owner touches its space
 *   V3  after a failed flush the volume hands out nothing and flushes nothing any more: what the page cache had may be lost
 *   V4  the first flush that succeeds has made the file's name durable too
 *
 * Threads: reserve, grow, give back and release from any thread; volume_flush from one thread (its flusher).
 */
#ifndef STORAGE_VOLUME_VOLUME_H
#define STORAGE_VOLUME_VOLUME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/thread.h"

#define VOLUME_STEP_MIN (4 * MIB) /* of allocation; then as much again as the volume holds, up to LIMIT_EXTENT_STEP */

struct volume_place {
    const char *dir;
    uint64_t bytes;       /* takes new reservations below this length */
    uint64_t floor_bytes; /* of free space */
};

struct volume {
    uint64_t id;
    const struct volume_place *place;
    int fd;
    bool is_own;                /* holds one body only */
    struct mutex lock;          /* guards: tail, allocated, reservations, is_failed, is_full, why */
    uint64_t tail, allocated;
    uint32_t reservations;
    bool is_failed, is_full;
    char why[200];              /* of the failure; set once, with is_failed */
    /* the flusher's: */
    bool is_name_durable;
    uint64_t flush_round;       /* the flusher's round in which it was flushed last */
    struct err flush_result;
    /* the volume set's, under its list lock: */
    struct volume *next;
    bool is_current;            /* some slot or writer may still reserve in it */
};

/* "DIR/0000000012.vol", and the id back from a name; false when it is not one. */
void volume_path(const char *dir, uint64_t id, char out[PATH_MAX]);
bool volume_id_from(const char *name, uint64_t *ret);

/* Make the file of a new volume; its name is durable after the first volume_flush. ERR_NO_SPACE, ERR_IO: nothing is left behind, or (if even
 * that fails) a file without rows, which the next start removes. */
struct err volume_create(const struct volume_place *place, uint64_t id, bool is_own, struct volume **ret);
/* Go on behind `tail` in a file whose space beyond was cut off. */
struct err volume_reopen(const struct volume_place *place, uint64_t id, uint64_t tail, struct volume **ret);
struct volume *volume_free(struct volume *v); /* closes; no reservation is left; NULL is fine; returns NULL */

/* Reserve `bytes` (of RECORD_ALIGN) at the tail. ERR_BUSY: it is full or has failed, take another volume. ERR_NO_SPACE, ERR_IO. */
struct err volume_reserve(struct volume *v, uint64_t bytes, uint64_t *ret_offset);
/* Make the reservation that ends at `end` longer by `bytes`. ERR_BUSY: something stands behind it, or the volume is full. */
struct err volume_grow(struct volume *v, uint64_t end, uint64_t bytes);
/* The owner of [.., end) needs it only up to new_end. What cannot go back to the tail stays a gap until the volume is sealed. */
void volume_give_back(struct volume *v, uint64_t new_end, uint64_t end);
/* The reservation is no more: its space has rows, or was punched and given back. */
void volume_release(struct volume *v);

struct err volume_write(struct volume *v, const void *data, size_t len, uint64_t offset);
/* Make durable all that was written before the call. ERR_IO for good after a failure (V3). `why` lives as long as v. */
struct err volume_flush(struct volume *v);

/* Nobody can reserve in it any more, and nobody has. */
bool volume_is_idle(struct volume *v);
/* Takes no more from now on. */
void volume_close_to_writers(struct volume *v);

#endif
