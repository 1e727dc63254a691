/*
 * checkpoint.h - carrying rows from the memtable to LMDB, so that the journal need not be kept and replayed for them.
 *
 * The committer freezes: the memtable becomes the frozen one, an empty one takes its place, and the journal's end at that moment is
 * remembered. The checkpoint thread writes the frozen rows to LMDB, in key order, in slices, each a synced transaction; the last
 * slice also writes the journal's position, and what lives in its segments. Then the frozen memtable is dropped, and segments that are
 * dead go.
 *
 * A checkpoint that was cut short is harmless: its rows are final values of durable transactions, and replay from the old position
 * puts them, or later ones, on top.
 *
 * A checkpoint that fails for space or memory is tried again: at once when the ballast could be given up, else after a while. Any other
 * failure stops the engine's writes: LMDB cannot be believed before it is opened again.
 */
#ifndef STORAGE_META_CHECKPOINT_H
#define STORAGE_META_CHECKPOINT_H

#include "storage/meta/embedded.h"

/* Of the committer, between batches, with queue_lock held. */
void checkpoint_freeze_if_due_locked(struct embedded *m);
/* Have one made soon, if there is anything to carry. Does not wait. */
void checkpoint_ask(struct embedded *m);
/* Have dead segments looked at soon. */
void checkpoint_look_again(struct embedded *m);
/* Both memtables are full: nothing can be run until a checkpoint is done. */
bool checkpoint_is_full_locked(const struct embedded *m);
/* They are, and the last checkpoint failed: there may not be one for long. Why it failed; its text is valid while the lock is held. */
bool checkpoint_is_stuck_locked(const struct embedded *m, struct err *ret);

void checkpoint_main(void *meta); /* the thread */
struct err embedded_checkpoint(struct meta *m); /* meta_checkpoint */
struct err embedded_copy_rows(struct meta *m, const char *dir, struct meta_copied *ret); /* meta_copy_rows; copy.c */

/* At start: rows of a long journal to LMDB, without a position; then the memtable is empty. (recover_spill.fn of struct embedded) */
struct err checkpoint_spill(void *meta, struct memtable *rows);

/* What LMDB keeps of the journal. *ret_durable: the highest batch that was known durable then. A store without one: *ret_found is false. */
struct err checkpoint_position_read(struct embedded *m, bool *ret_found, struct journal_position *ret, uint64_t *ret_durable);
/* The same of a store that is open: where the last checkpoint ended. */
struct err checkpoint_position_now(struct embedded *m, struct journal_position *ret);
/* Is that the journal's position, of all that LMDB keeps under names? Up to which batch it has been carried: of a file that is not opened any more (lmdb_rows_scavenge). */
bool checkpoint_position_batch(struct str name, struct str value, uint64_t *ret_batch);
/* For a new store: remember which journal is its own, before there is one. */
struct err checkpoint_position_begin(struct embedded *m);
/* Tell the segments what lives in them, as the last checkpoint knew it. */
struct err checkpoint_live_read(struct embedded *m);

#endif
