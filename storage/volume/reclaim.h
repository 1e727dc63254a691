/*
 * reclaim.h - giving space back: what was freed, what was never published, and volumes in which nothing is left.
 *
 * Freed space (rows in SPACE_FREED) is given back when the freeing transaction is in LMDB (checkpointed), every view older than it is
 * closed, and no reader or writer pins the body: first punched or unlinked, and made durable; then the rows are deleted.
 *
 * Invariants:
 *   R1  space of a pinned body, or of one that an open view may find, is not touched
 *   R2  a row in SPACE_FREED goes only after its space is given back for good: a crash in between repeats the work
 *   R3  space without rows is punched only by whoever knows that no reservation is open for it: here, of a closed writer; at the seal of a
 *       volume that has no reservation; at the start
 *
 * A thread in the background wakes when something is abandoned or unpinned, when a write found no space, and looks once a second
 * whether the store's positions have moved (a checkpoint, a closed view). When much waits for a checkpoint, it asks for one.
 */
#ifndef STORAGE_VOLUME_RECLAIM_H
#define STORAGE_VOLUME_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"

struct blobs;
struct blob_writer;
struct reclaim;

#define RECLAIM_ASK_BYTES (256 * MIB) /* waiting for a checkpoint: then one is asked for; as much as a checkpoint's journal */

struct err reclaim_start(struct blobs *b, bool is_manual, struct reclaim **ret);
struct reclaim *reclaim_stop(struct reclaim *r); /* clears up after abandoned writers; NULL is fine; returns NULL */

/* One pass, as blob_reclaim. Every step is tried; the first error is returned. */
struct err reclaim_pass(struct reclaim *r, uint64_t *ret_bytes);

/* A closed writer whose body was published: its reservations end, nothing is punched. Frees w. Does not wait. */
void reclaim_settle(struct reclaim *r, struct blob_writer *w);
/* A closed writer that was not published, or of which it is not known: the next pass finds out and punches. Takes w over. Does not wait. */
void reclaim_abandon(struct reclaim *r, struct blob_writer *w);
/* A pin has gone. */
void reclaim_unpinned(struct reclaim *r);
/* There is something to do; urgent: somebody found no space, so a checkpoint is worth its cost. */
void reclaim_wake(struct reclaim *r, bool is_urgent);

#endif
