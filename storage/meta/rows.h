/*
 * rows.h - what is behind `struct rows` of meta.h: one way to read rows, from several sources.
 *
 * meta.h has the functions (rows_get, rows_have, rows_scan_*). They call through a small table, so that both
 * engines give the same type: an engine's view or transaction has a struct rows in it, filled by that engine.
 *
 * Merged rows have up to four sources, the freshest first. The embedded engine's:
 *     overlay   what this transaction has put so far      (transactions only)
 *     active    the memtable: a held root's tree in a view; the working tree in the committer
 *     frozen    the memtable on its way to LMDB           (while there is one)
 *     lmdb      a read transaction
 * A transaction of the PostgreSQL engine is the same, with other rows at the bottom: overlay, those of its batch before it, remote.
 * The first that knows a key decides; a tombstone says that there is no such row.
 *
 * Why a scan may go on while its own transaction puts and deletes: it notices that the overlay has changed
 * and finds its place again. Rows put behind the place where it stands are seen, rows before are not.
 */
#ifndef STORAGE_META_ROWS_H
#define STORAGE_META_ROWS_H

#include "storage/meta/lmdb_rows.h"
#include "storage/meta/memtable.h"
#include "storage/meta/meta.h"

/* What an engine does. Keys of get have 1..LIMIT_ROW_KEY bytes (rows.c answers for others). What scan_begin
 * puts into s->state begins with a struct rows_scan_state, so that the others are found. */
struct rows_ops {
    /* ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO... *ret as rows_get says. */
    struct err (*get)(struct rows *r, enum space space, struct str key, struct str *ret);
    /* s is OK and without state before. On failure begin sets s->err and leaves state NULL; the others are
     * then not called, and next and seek not after any failure. */
    void (*scan_begin)(struct rows_scan *s, struct rows *r, enum space space, struct str from,
                       bool is_backward);
    /* False at the end, and on failure, which is in s->err. */
    bool (*scan_next)(struct rows_scan *s, struct str *ret_key, struct str *ret_value);
    void (*scan_seek)(struct rows_scan *s, struct str from); /* failure: s->err */
    void (*scan_done)(struct rows_scan *s);                  /* frees state */
};

struct rows_scan_state {
    const struct rows_ops *ops;
};

struct rows {
    const struct rows_ops *ops;
    void (*close)(struct rows *r); /* of a view: view_close. NULL for a transaction's */
};

/* Where merged rows come from. They are the caller's, who keeps them alive for as long as the rows and their
 * scans are used. */
struct rows_sources {
    const struct memtable *overlay; /* NULL: none. May change while rows are read */
    struct memtable_tree active;    /* of top NULL: none. These do not change */
    struct memtable_tree frozen;
    struct lmdb_txn *lmdb;          /* NULL: none */
    struct rows *remote;            /* NULL: none. Rows of PostgreSQL, in the place of LMDB */
};

/* To be held by value in a view or transaction: `struct rows_merged m; ... return &m.rows;`. Nothing is to be undone. */
struct rows_merged {
    struct rows rows;
    struct rows_sources from;
};

void rows_merged_init(struct rows_merged *m, const struct rows_sources *from);

#endif
