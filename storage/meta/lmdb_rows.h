/*
 * lmdb_rows.h - rows at rest: (space, key) -> value, ordered, checked, in the transactions of lmdb_store.h.
 *
 * Beside the rows there are positions: small named values (how far the journal is checkpointed, the live
 * bytes of a segment) that change in the same transactions.
 *
 * Promises:
 *   R1  Rows are ordered by key by byte, shorter first, in both directions, whatever the length of the keys.
 *       (LMDB takes 511 bytes; what is longer than 500 goes on in a child key space, which no caller sees.)
 *   R2  Every value carries a CRC32C over space, key and value. A wrong one is ERR_CORRUPT, and `why` names
 *       space and key in hex.
 *
 * Errors and threads: as lmdb_store.h says.
 */
#ifndef STORAGE_META_LMDB_ROWS_H
#define STORAGE_META_LMDB_ROWS_H

#include "storage/meta/lmdb_store.h"

struct lmdb_cursor;

#define LMDB_POSITION_NAME_MAX 64

/* The value of a row; ERR_NOT_FOUND. *ret is valid until the transaction ends, or, if it writes, until its
 * next put or del. */
struct err lmdb_get(struct lmdb_txn *t, uint8_t space, struct str key, struct str *ret);
/* Key 1..LIMIT_ROW_KEY bytes, value up to LIMIT_ROW_VALUE, else ERR_INVALID. Deleting an absent row is OK. */
struct err lmdb_put(struct lmdb_txn *t, uint8_t space, struct str key, struct str value);
struct err lmdb_del(struct lmdb_txn *t, uint8_t space, struct str key);

/* Named values, of names of 1..LMDB_POSITION_NAME_MAX bytes. They are in no space and no cursor sees them. */
struct err lmdb_get_position(struct lmdb_txn *t, struct str name, struct str *ret); /* ERR_NOT_FOUND */
struct err lmdb_put_position(struct lmdb_txn *t, struct str name, struct str value);
struct err lmdb_del_position(struct lmdb_txn *t, struct str name); /* an absent one is OK */

/* An ordered walk through one space. After a put or del in its transaction a cursor is to be set again
 * (lmdb_seek). */
struct err lmdb_cursor_open(struct lmdb_txn *t, struct lmdb_cursor **ret);
struct lmdb_cursor *lmdb_cursor_close(struct lmdb_cursor *c); /* NULL is fine; returns NULL */
/* The next lmdb_next gives, forward, the first row at or behind from; backward, the last row before it
 * (exclusive; an empty from means the very end of the space). `from` may be of any length. */
struct err lmdb_seek(struct lmdb_cursor *c, uint8_t space, struct str from, bool is_backward);
/* The next row in the direction of the seek; ERR_NOT_FOUND at the end of the space. The key is valid until
 * the next step or seek of this cursor, the value as lmdb_get says. After an error there is no next row. */
struct err lmdb_next(struct lmdb_cursor *c, struct str *ret_key, struct str *ret_value);

/* ---- a file as a whole ---- */

/* Every page of LMDB's file (lmdb_pages.h), then every entry against its checksum. Of rows whose keys have over 500 bytes the pages, keys and links are checked, and the values when they are read. */
struct err lmdb_rows_check(const char *path);

/* Rows of a broken file whose checksums hold (lmdb_pages_scavenge), but for those with keys of over 500 bytes: in no order, several versions of one, deleted ones too. Positions as well, as rows of
 * LMDB_SPACE_POSITIONS whose key is the name. */
#define LMDB_SPACE_POSITIONS 0
typedef struct err lmdb_row_fn(void *arg, uint8_t space, struct str key, struct str value);
struct err lmdb_rows_scavenge(const char *path, lmdb_row_fn *fn, void *arg);

#endif
