/*
 * memtable.h - the rows that are not in LMDB yet: an ordered tree in memory, written by one thread, read by
 * many.
 *
 * The tree is persistent: the writer works on its own version and publishes it from time to time (the
 * committer: once a batch). A reader takes the last published root and sees it unchanged for as long as it
 * holds it, whatever the writer does. A delete is a row too, a tombstone, because it must hide a row of an
 * older source. The same type serves as the overlay of one transaction: then nothing is published, and
 * memtable_clear makes it new.
 *
 * Invariants (assertions name them):
 *   T1  a node or value that a held root reaches is neither changed nor freed
 *   T2  what fails (ERR_NO_MEMORY) leaves the rows as they were; publishing never fails
 *
 * Threads: put, del, publish, rollback, clear, working and free belong to the writer. Taking and releasing
 * roots, and reading through a held root, may happen on any thread. A cursor belongs to the thread that uses
 * it.
 */
#ifndef STORAGE_META_MEMTABLE_H
#define STORAGE_META_MEMTABLE_H

#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"
#include "storage/meta/memtable_tree.h"

struct memtable;
struct memtable_root;

/* Empty, with an empty published version. NULL: no memory. */
struct memtable *memtable_new(void);
/* The writer lets go. The memory is freed with the last held root, perhaps by another thread. NULL is fine;
 * returns NULL. */
struct memtable *memtable_free(struct memtable *t);
void memtable_freep(struct memtable **t); /* for CLEANUP(memtable_freep) */
/* Empty again, keeping a little memory. No root may be held (asserted). */
void memtable_clear(struct memtable *t);

/* Set a row, or its tombstone, in the working version. Key and value are copied. ERR_NO_MEMORY: nothing was
 * changed. */
struct err memtable_put(struct memtable *t, uint8_t space, struct str key, struct str value);
struct err memtable_del(struct memtable *t, uint8_t space, struct str key);
/* Set all rows of another tree (a transaction's overlay). ERR_NO_MEMORY: some were set; the caller rolls
 * back. */
struct err memtable_put_all(struct memtable *t, struct memtable_tree rows);

/* Make the working version the published one. Cannot fail; the cost does not depend on the number of rows. */
void memtable_publish(struct memtable *t);
/* Make the published version the working one again: for a batch that could not be written. */
void memtable_rollback(struct memtable *t);

/* Hold the last published version; each is released once. Never NULL. */
struct memtable_root *memtable_root_take(struct memtable *t);
struct memtable_root *memtable_root_release(struct memtable_root *root); /* NULL is fine; returns NULL */
struct memtable_tree memtable_root_tree(const struct memtable_root *root);
/* The working version: what the writer has put so far. */
struct memtable_tree memtable_working(const struct memtable *t);
/* Grows with every change of the working version: a cursor on it that was set before is not to be used any
 * more. */
uint64_t memtable_changes(const struct memtable *t);

/* Of the working version; tombstones count. bytes: keys and values and what a row costs besides. */
uint64_t memtable_rows(const struct memtable *t);
uint64_t memtable_bytes(const struct memtable *t);
/* Taken from the system for all held versions. */
uint64_t memtable_memory(const struct memtable *t);

#endif
