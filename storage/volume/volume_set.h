/*
 * volume_set.h - the volumes that are open for writing, and who writes where.
 *
 * There are a few slots, each with a current volume and a flusher. A writer joins the slot with the fewest writers, so that uploads do not
 * queue behind each other and a lone one always fills the first. When a slot's volume is full or has failed, the slot makes a new
 * one. A body that grows large continues in volumes of its own, flushed by the same flusher.
 *
 * A volume that is no slot's current one any more is given to the reclaimer to be sealed once its last reservation is gone.
 *
 * Threads: any. Locks: a slot's (LOCK_VOLUME_SET), then the list's (LOCK_VOLUME_LIST), then a volume's (LOCK_VOLUME).
 */
#ifndef STORAGE_VOLUME_VOLUME_SET_H
#define STORAGE_VOLUME_VOLUME_SET_H

#include "storage/volume/flusher.h"
#include "storage/volume/volume.h"

enum {
    LOCK_RECLAIM = LOCK_VOLUME_SET - 2,  /* one pass of reclaim */
    LOCK_VOLUME_LIST = LOCK_VOLUME - 1,
};

#define VOLUME_SLOTS_MAX 64 /* each has a thread once it is used */

struct volume_set;

struct err volume_set_open(const struct volume_place *place, int slots, uint64_t next_id, struct volume_set **ret);
/* Answers all flush requests, cuts the allocated rest of each file, closes. No writer is left. NULL is fine; returns NULL. */
struct volume_set *volume_set_close(struct volume_set *set);

/* At start: an open volume with room goes on as some slot's current one. False when every slot has one. */
bool volume_set_adopt(struct volume_set *set, struct volume *v);

/* A writer comes: the slot it is to use until it leaves. ERR_NO_MEMORY. */
struct err volume_set_join(struct volume_set *set, int *ret_slot);
void volume_set_leave(struct volume_set *set, int slot);

/* Reserve in the slot's current volume, or in a new one. ERR_NO_SPACE, ERR_IO. */
struct err volume_set_reserve(struct volume_set *set, int slot, uint64_t bytes, struct volume **ret, uint64_t *ret_offset);
/* A new volume for one body; and: nothing more will be put into it. */
struct err volume_set_create_own(struct volume_set *set, struct volume **ret);
void volume_set_retire(struct volume_set *set, struct volume *v);

void volume_set_flush(struct volume_set *set, int slot, struct flush_request *r);

/* For the reclaimer: a volume to be sealed, taken out of the set (NULL: none); and back, to be tried again. */
struct volume *volume_set_take_idle(struct volume_set *set);
void volume_set_put_back(struct volume_set *set, struct volume *v);

struct volume_set_state {
    uint64_t volumes, bytes_ahead; /* allocated behind the tails */
    bool has_failed;               /* some volume's flush failed */
};
void volume_set_state(struct volume_set *set, struct volume_set_state *ret);

#endif
