/*
 * lmdb_store.h - LMDB: opening it, its transactions, and entries. lmdb_store.c is the only file that knows
 * LMDB.
 *
 * A transaction is synced to disk when lmdb_commit returns OK (never NOSYNC, NOMETASYNC or WRITEMAP:
 * reliability.md 2.2). Users see rows (lmdb_rows.h); an entry is what LMDB holds for them: a short key,
 * bytes.
 *
 * Promises:
 *   L1  After a failed put or del a write transaction can only be ended: lmdb_commit then refuses with that
 *       error.
 *   L2  After a failed commit nothing of the transaction is there; if it failed for another reason than space
 *       or memory, no further write transaction is begun (ERR_UNAVAILABLE) until the store is opened again.
 *   L3  Errors: ERR_NO_SPACE (the disk or the map is full), ERR_NO_MEMORY, ERR_CORRUPT, ERR_BUSY (all reader
 *       slots are taken), ERR_IO.
 *
 * Threads: a store may be used by all threads; a transaction and its cursors by one at a time, a write
 * transaction only by the one that began it. One write transaction at a time; a second waits. All
 * transactions end before the store is closed.
 */
#ifndef STORAGE_META_LMDB_STORE_H
#define STORAGE_META_LMDB_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/limits.h"
#include "storage/base/str.h"

struct lmdb_store;
struct lmdb_txn;

#define LMDB_MAP_BYTES (1 * TIB) /* address space, not disk; more rows than one machine will hold */
#define LMDB_READERS 1040        /* open at once: 1,024 views (meta.h) and the engine's own */
#define LMDB_SPACE_MIN 1         /* spaces of rows are 1..254: 0 and 255 are the store's own */
#define LMDB_SPACE_MAX 254

/* Open the store in dir, which is made if absent (its parent must exist); the names in it are durable on
 * return. map_bytes: 0 for LMDB_MAP_BYTES; halved until the system gives it; never below what the data need.
 * One process at a time: the caller holds a lock. */
struct err lmdb_open(const char *dir, uint64_t map_bytes, struct lmdb_store **ret);
struct lmdb_store *lmdb_close(struct lmdb_store *s); /* NULL is fine; returns NULL */
void lmdb_closep(struct lmdb_store **s);             /* for CLEANUP(lmdb_closep) */

/* A view of the last commit. Cheap: ended ones are kept and renewed. */
struct err lmdb_read_begin(struct lmdb_store *s, struct lmdb_txn **ret);
struct err lmdb_write_begin(struct lmdb_store *s, struct lmdb_txn **ret);
/* Make it durable. The transaction is ended in any case. */
struct err lmdb_commit(struct lmdb_txn *t);
/* End it; of a write transaction nothing remains. All its cursors are closed before. NULL is fine; returns
 * NULL. */
struct lmdb_txn *lmdb_end(struct lmdb_txn *t);

struct lmdb_usage {
    uint64_t bytes_live; /* pages of rows */
    uint64_t bytes_file; /* with free pages, which are used again: what the disk holds */
    uint64_t bytes_map;
    uint64_t entries;
};
struct err lmdb_usage(struct lmdb_store *s, struct lmdb_usage *ret);

/* Free the slots of readers whose process is gone. */
struct err lmdb_reader_check(struct lmdb_store *s);
/* Write a compact copy of the last commit to a new directory, durably; rows and positions of one moment.
 * Stops nobody. */
struct err lmdb_copy(struct lmdb_store *s, const char *dir);
/* The same bytes to a pipe or file, at the pace of whoever reads; nothing is flushed. ERR_IO: nobody reads any more. Pages that it reads are not used again before its end, so the file grows with
 * what is written meanwhile. */
struct err lmdb_copy_to_fd(struct lmdb_store *s, int fd);

/* ---- entries: for lmdb_rows.c ---- */

#define LMDB_ENTRY_KEY_MAX 511 /* of the distribution's liblmdb; lmdb_open refuses one that takes less */

/* *ret is valid until the transaction ends, or, if it writes, until its next put or del. ERR_NOT_FOUND. */
struct err lmdb_entry_get(struct lmdb_txn *t, struct str key, struct str *ret);
/* Make room for len bytes; *ret is where the caller writes them, before anything else is done with t. */
struct err lmdb_entry_put(struct lmdb_txn *t, struct str key, size_t len, void **ret);
struct err lmdb_entry_del(struct lmdb_txn *t, struct str key); /* ERR_NOT_FOUND */
/* L1 for a change that failed between entries: returns e. */
struct err lmdb_noted(struct lmdb_txn *t, struct err e);

struct lmdb_walk; /* a cursor over entries */
enum lmdb_move { LMDB_TO, LMDB_TO_OR_BEHIND, LMDB_TO_LAST, LMDB_TO_NEXT, LMDB_TO_PREVIOUS };

struct err lmdb_walk_open(struct lmdb_txn *t, struct lmdb_walk **ret);
struct lmdb_walk *lmdb_walk_close(struct lmdb_walk *w); /* NULL is fine; returns NULL */
/* *key is where to, for the first two moves; then it is where it stands. ERR_NOT_FOUND: there is no such
 * entry. */
struct err lmdb_walk_move(struct lmdb_walk *w, enum lmdb_move how, struct str *key, struct str *ret_value);

/* ---- faults, for tests ---- */

/* Fail the nth (from 0) call of LMDB in any thread: it is not made, and answers with `code`, an errno or one
 * of LMDB's own codes. */
void lmdb_fault_arm(uint64_t nth, int code);
bool lmdb_fault_disarm(void); /* did it strike? */

#endif
