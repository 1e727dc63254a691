/*
 * recover.h - what a journal says after its process or machine has stopped.
 *
 * The rows behind the checkpoint's position are read into a memtable, the live bodies counted. Then the end of the journal is settled: what
 * may have been in the page cache only is written again and flushed, what is torn behind it is cut off, files that were made and
 * not used are removed. Damage is looked for before anything is changed. Killed at any point, the next recovery gives the same.
 *
 * A torn tail is an incomplete last batch: it was never acknowledged. Damage (ERR_CORRUPT, `why` has file, place and batch) is
 *   - a batch that is not whole though a later one is (J2 of journal.h: it had been durable),
 *   - an end below a batch that the checkpoint knew durable,
 *   - a segment that has no valid header, or one of another journal, though batches were written to it,
 *   - a whole batch that is not of the form.
 */
#ifndef STORAGE_META_RECOVER_H
#define STORAGE_META_RECOVER_H

#include "storage/meta/journal.h"
#include "storage/meta/memtable.h"

struct recovery {
    struct journal_position end; /* of what is there */
    uint64_t batches, transactions, rows; /* replayed */
};

/* Where rows go when the memtable has so many bytes: a journal that was kept for a copy may be many gigabytes. Called between batches, when all that are in it are durable, and to leave it empty. */
struct recover_spill {
    uint64_t bytes_max;
    struct err (*fn)(void *arg, struct memtable *rows);
    void *arg;
};

/* Replay from `from`, where batches up to known_durable were known to be whole, into the memtable (the rows are put, not published). spill may be NULL:
 * then all rows are in the memtable. Rows that were spilled stay so when damage is found later; a replay from the same position puts them again. */
struct err recover(struct segment_set *segments, const struct journal_position *from, uint64_t known_durable,
                   struct memtable *into, const struct recover_spill *spill, struct recovery *ret);

#endif
