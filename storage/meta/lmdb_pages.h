/*
 * lmdb_pages.h - is a file of LMDB whole, page for page? Found out without LMDB, which believes what it maps.
 *
 * LMDB has no checksums: a number that changed in one of its pages is followed, wherever it leads, and ends the process with a signal, or frees a page that is in use. This
 * reads the file with pread and holds every number against what it may be, so nothing that a file may hold ends it. A file that passes can be given to LMDB: each page of
 * both trees (rows, free pages) is where its parent says and is in use once; keys ascend; counts are those of the head. What the values are is the caller's to check (lmdb_rows_check).
 *
 * Why not a child process that walks with LMDB, and may die: what only a later write follows (the number that a page has of itself, the list of free pages) is not met by a walk.
 *
 * Threads: none of its own; a file that is written to meanwhile is not to be checked.
 */
#ifndef STORAGE_META_LMDB_PAGES_H
#define STORAGE_META_LMDB_PAGES_H

#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

/* For each entry, in the order of keys; what it returns ends the check. Both are valid during the call. */
typedef struct err lmdb_entry_fn(void *arg, struct str key, struct str value);

/* The whole file, up to the last page of its newest commit; bytes behind that are not looked at. fn may be NULL. ERR_CORRUPT: `why` has file and page. ERR_IO, ERR_NOT_FOUND, ERR_NO_MEMORY:
 * nothing can be said of it. */
struct err lmdb_pages_check(const char *path, lmdb_entry_fn *fn, void *arg);
/* Only its head, and that it is as long as that says: what a start can afford. */
struct err lmdb_pages_look(const char *path);

/* What is left of a broken file: entries of every page that looks like one of a tree's leaves, in no order, also of pages that were freed long ago, so the same key may come several times with
 * different values, and what was deleted may come too. Values of several pages only where these are in order. What is no leaf, or cannot be read, is passed over. Errors: as of lmdb_pages_check, without ERR_CORRUPT. */
struct err lmdb_pages_scavenge(const char *path, lmdb_entry_fn *fn, void *arg);

#endif
