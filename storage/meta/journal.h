/*
 * journal.h - the log of everything that was acknowledged.
 *
 * What is appended becomes durable in batches: one write, one fdatasync, however many transactions are in the batch. Rows are later
 * carried to LMDB (checkpoint.h); small bodies stay where they were written and are found by their place. Why not LMDB alone:
 * docs/decisions/0003-journal.md. The bytes: record.h, docs/FORMAT.md.
 *
 * Invariants (assertions in journal.c name them):
 *   J1  a batch at or below the last durable one is whole on disk
 *   J2  a batch is written only after all before it are durable; so at most the last one of a journal may be torn
 *   J3  a write that failed is cut away, durably, before anything else happens; where that fails, or a flush does, the journal is
 *       stopped and takes no more: only recovery tells what is there
 *
 * The next segment is made, and written with zeros, by a thread of the journal while the current one fills (a flush of blocks that were
 * written before needs no change of the file's extents: half the time).
 *
 * Threads: all functions belong to the committer.
 */
#ifndef STORAGE_META_JOURNAL_H
#define STORAGE_META_JOURNAL_H

#include "storage/base/limits.h"
#include "storage/meta/segment.h"

/* The smallest segment; on a full disk, where a whole one finds no room, one of this size is made. */
#define SEGMENT_BYTES_MIN (256 * KIB)

struct journal;

/* The end of a batch: where the next one may lie, and the numbers up to there. */
struct journal_position {
    uint64_t offset;     /* in its segment */
    uint64_t batch;      /* the last batch before it */
    uint64_t txn;        /* the last transaction before it; the journal itself does not know it */
    uint32_t segment_id; /* 0: nothing was ever written */
};

/* Go on behind the last durable batch, in a new segment. The segments are the caller's and outlive the journal. */
struct err journal_open(struct segment_set *segments, uint64_t last_batch, struct journal **ret);
struct journal *journal_close(struct journal *j); /* what was appended is durable; NULL is fine; returns NULL */

/* The batch to gather into, empty: begun at the journal's end, with the room that its segment has left. */
struct batch *journal_begin(struct journal *j);
/* There is not enough room: begin the same batch, still empty, in the next segment. ERR_NO_SPACE and others: no segment could be made, nothing
 * has changed, and the next call tries again. ERR_TOO_LARGE: it is at the begin of a whole segment already. */
struct err journal_turn(struct journal *j);
/* Write the batch and make it durable. ERR_OUTCOME_UNKNOWN: the journal is stopped (J3). Other failures: nothing of it is there. */
struct err journal_append(struct journal *j, struct batch *b);

/* The current segment is a small one, for want of space. */
bool journal_is_cramped(const struct journal *j);
struct journal_position journal_position(const struct journal *j);
uint64_t journal_bytes_appended(const struct journal *j); /* since it was opened */

/* Bytes that one batch may have at most, blocks included, in segments of that size. */
uint64_t journal_batch_max(uint64_t segment_bytes);

#endif
