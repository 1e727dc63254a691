/*
 * repair.h - the rows of a store whose LMDB is broken, of the copy and the journal (embedded engine). For an operator's verbs: the store is closed.
 *
 * A start never does this by itself: who reads "damaged" should look at the disk first.
 */
#ifndef STORAGE_META_REPAIR_H
#define STORAGE_META_REPAIR_H

#include "storage/meta/meta.h"
#include "storage/meta/rows_copy.h"

/* Every page of LMDB, and every row against its checksum, with the store locked meanwhile. ERR_BUSY: somebody has it open. ERR_CORRUPT: `why` says what is damaged. ERR_NOT_FOUND: there is none. */
struct err meta_rows_check(const char *dir);

struct repaired {
    struct rows_copy copy; /* what it was begun with */
    char broken[40];        /* where the broken LMDB is now: a name in dir; "": there was none */
};

/* Put the copy in the place of LMDB, and replay the journal that was kept for it. options as for the store (dir, segment_bytes, disk_floor_bytes). What was there is kept under another name. All is verified:
 * the copy's checksum, each of its pages and rows, and that no batch of the journal is missing. When that fails, LMDB is where it was, and `why` says what is missing. The store is locked from beginning to end: who opens it meanwhile gets ERR_BUSY. A repair that is stopped at any point can
 * be begun again. ERR_NOT_FOUND: there is no copy. ERR_CORRUPT: the copy or the journal is damaged. ERR_BUSY: somebody has the store open. */
struct err meta_repair(const struct meta_options *options, struct repaired *ret);

#endif
