/*
 * meta.h - rows: everything in a store that is not a body.
 *
 * A row is a key (1 to LIMIT_ROW_KEY bytes, ordered by byte) and a value (up to LIMIT_ROW_VALUE) in a named space (spaces.def). Rows are changed
 * by transactions and read through views. One interface, two engines (embedded: journal + memtable + LMDB; PostgreSQL); the
 * contract tests (meta_contract_test.c) run on each.
 *
 * Promises:
 *   M1  Transactions are serialisable: each sees exactly those before it. Nothing is seen before it is decided, and nothing is
 *       acknowledged (done with OK) before it is durable.
 *   M2  All rows and bodies of a transaction become durable, or none.
 *   M3  A view sees one moment: all transactions acknowledged before it was opened, and of each either all or nothing.
 *   M4  done is called exactly once for each submitted work, with the outcome; with OK only after the flush. ERR_OUTCOME_UNKNOWN: embedded, the flush
 *       failed, and only a restart tells; the engine then takes no more writes (ERR_UNAVAILABLE) but goes on reading. PostgreSQL: the connection was lost while it
 *       committed, and it could not be found out in time what became of that; the engine goes on writing once it has a connection, and by then that transaction is over.
 *   M5  A refusal (any error returned by fn) leaves no trace, and is answered after the flush of what it was decided on.
 *
 * Threads: all functions may be called from any thread. A txn, a view and their scans belong to the thread that uses them.
 */
#ifndef STORAGE_META_META_H
#define STORAGE_META_META_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

enum space {
#define SPACE(name, id, what) SPACE_##name = (id),
#include "storage/meta/spaces.def"
#undef SPACE
};

struct meta;
struct rows; /* something that rows can be read from: a view or a transaction */
struct txn;

/* ---- opening ---- */

struct meta_options {
    /* the PostgreSQL engine's (pg_engine.h) */
    const char *store;              /* NULL: the embedded engine. Else a connection string, "postgresql://..." */
    const char *schema;             /* NULL: "firn" */
    bool is_offline;                /* an operator's verb, not a server: ERR_NOT_FOUND rather than making a new schema, and a view may be idle for longer than a minute */
    uint64_t number_after;          /* numbers of transactions begin above this one, if they have not got there: for rows that came from another engine (both engines) */
    uint64_t read_timeout_ms;       /* 0: LIMIT_PG_READ_MS. What a read waits for an answer before it fails with ERR_UNAVAILABLE */
    bool is_shared;                 /* several servers on one database, all with this set. No volumes may be kept beside (blob.h) */
    /* the embedded engine's */
    const char *dir;                /* the engine's own directory; made if absent (its parent must exist) */
    uint64_t segment_bytes;         /* 0: 64 MiB. At least 256 KiB. A journal body is at most a quarter of it */
    uint64_t checkpoint_rows_bytes; /* 0: 32 MiB of rows in the memtable begin a checkpoint */
    uint64_t checkpoint_log_bytes;  /* 0: so do 256 MiB of journal */
    uint64_t disk_floor_bytes;      /* 0: 256 MiB: below this much free space only freeing work is admitted */
    uint64_t map_bytes;             /* 0: 1 TiB, halved until it opens */
    uint64_t copy_interval_ms;      /* from one copy of the rows to the next (copy_keep.h); 0: none are kept, and one that is there goes. With is_offline: the one that is there stays good, none is made */
    bool is_checkpoint_manual;      /* tests: only meta_checkpoint makes one, and no copy is made by itself */
};

/* Open, recover, and be ready to write. With PostgreSQL, OK also when that is not there yet: all fails with ERR_UNAVAILABLE until it is (meta_status.is_open). ERR_BUSY: another process holds it (with PostgreSQL: alone, or, unless is_shared, at all). ERR_CORRUPT: acknowledged data is damaged; `why`
 * names file and place, nothing was changed. On success *ret is to be given to meta_close. */
struct err meta_open(const struct meta_options *options, struct meta **ret);

/* Finish what was submitted (with PostgreSQL: refuse it, if that is not there), flush, close. All views must be closed. NULL is fine; returns NULL. */
struct meta *meta_close(struct meta *m);

/* ---- transactions ---- */

/* Decide and write. Short, no I/O of its own, no other effect than through txn and on what arg points to, and there it must set, never
 * add: it may run more than once. An error refuses the whole transaction. A read may fail with any error, in a run that is thrown away (the PostgreSQL engine finds
 * out so what is read): it is passed on like every other. */
typedef struct err txn_fn(struct txn *txn, void *arg);

/* Called once. `e.why` is valid during the call only. Runs on the committer (or, for an early refusal, on the submitting thread):
 * it must be short and never wait. */
typedef void meta_done_fn(void *arg, struct err e);

/* One submission: the caller's memory, untouched by it until done. */
struct meta_work {
    txn_fn *fn;
    meta_done_fn *done;
    void *arg;
    bool is_freeing;    /* may run on a full disk: deletes, punches, checkpoints' own work */
    bool is_background; /* at most a quarter of a batch */
    /* the engine's: */
    struct meta_work *next;
    struct err outcome;
    char why[256];
};

/* Run work->fn in a transaction and make it durable; work->done gets the outcome, perhaps before this returns. Besides what fn returns:
 * ERR_BUSY (the queue is full; nothing was done), ERR_NO_SPACE (below the floor), ERR_TOO_LARGE (over LIMIT_TXN_ROWS or LIMIT_TXN_BYTES), ERR_UNAVAILABLE,
 * ERR_OUTCOME_UNKNOWN, ERR_CLOSED. */
void meta_submit(struct meta *m, struct meta_work *work);

/* The same, waiting. Never on an HTTP thread. */
struct err meta_run(struct meta *m, txn_fn *fn, void *arg);
struct err meta_run_freeing(struct meta *m, txn_fn *fn, void *arg);
struct err meta_run_background(struct meta *m, txn_fn *fn, void *arg);

/* What a transaction reads from: itself included. Values are valid until fn returns. */
struct rows *txn_rows(struct txn *txn);

/* ERR_INVALID for an empty or too long key or value; ERR_TOO_LARGE beyond the transaction's limits. Key and value are copied. */
struct err txn_put(struct txn *txn, enum space space, struct str key, struct str value);
/* Deleting an absent row is OK. */
struct err txn_del(struct txn *txn, enum space space, struct str key);
/* Say which rows the transaction is going to read; with PostgreSQL one round trip, nothing to do embedded. */
struct err txn_prefetch(struct txn *txn, enum space space, const struct str *keys, size_t count);

/* The number of this transaction: grows with each, never reused within a store. In the first, discarded run it is a guess. */
uint64_t txn_number(const struct txn *txn);

/* ---- small bodies ---- */

/* Where a small body lies. A value; kept in the row that refers to it. */
struct place {
    uint64_t offset;     /* bytes from the start of the segment to the body; PostgreSQL: the body's id */
    uint32_t segment_id; /* never 0 in a place that was given */
    uint32_t length;     /* bytes of body */
    uint32_t crc32c;     /* of the body */
};

#define PLACE_BYTES 20
void place_encode(const struct place *p, uint8_t out[PLACE_BYTES]); /* little endian, in the order of the fields */
void place_decode(const uint8_t in[PLACE_BYTES], struct place *ret);

/* Write a body (up to LIMIT_JOURNAL_BODY; ERR_TOO_LARGE) with the transaction. It has exactly one referrer, the row (space, key), which fn puts with *ret
 * in its value. body must stay as it is until done. In the discarded run *ret is not a real place. */
struct err txn_put_body(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret);
/* The row that referred to p no longer does: its bytes are garbage from this transaction on. */
struct err txn_drop_body(struct txn *txn, struct place p);

/* Read a body, length bytes into out. Valid while the view that p was read in is open, or p is pinned. ERR_CORRUPT when its checksum
 * does not match (out then holds nothing to be used). */
struct err meta_read_body(struct meta *m, struct place p, void *out);
/* Keep the bytes of p readable after the view in which it was read is closed. Every pin is given back once, from any thread. */
void meta_pin(struct meta *m, struct place p);
void meta_unpin(struct meta *m, struct place p);

/* ---- the journal's segments, for who empties sparse ones ---- */

/* One that is not written to any more. PostgreSQL has none. */
struct meta_segment {
    uint32_t id;
    uint64_t bytes;                   /* of its file */
    uint64_t live_bodies, live_bytes; /* by what transactions put and dropped; bytes of bodies alone */
};
/* The first at or above id. False: there is none. */
bool meta_segment_find(struct meta *m, uint32_t id, struct meta_segment *ret);

/* Everything in it is dead, for all views that are open: it is only kept for a copy of the rows. */
bool meta_segment_is_dead(struct meta *m, uint32_t id);

/* A walk over the bodies of a segment, in the order they were written; begun with the id and zeros. */
struct meta_body_walk {
    uint32_t segment_id;
    uint64_t offset, salt;
    bool is_end;
};
/* key: the row that was to refer to the body when it was put; it may be gone, or refer to another by now. Valid during the call. */
typedef struct err meta_body_fn(void *arg, enum space space, struct str key, struct place p);
/* fn for each body of one more batch; what it returns ends the call. ERR_NOT_FOUND: the segment is gone. ERR_CORRUPT: what is there is no whole batch. */
struct err meta_walk_bodies(struct meta *m, struct meta_body_walk *w, meta_body_fn *fn, void *arg);

/* ---- views ---- */

/* A consistent read-only view. Short-lived (well under a second), and never across a return to the HTTP library. ERR_BUSY when 1,024 are open
 * (PostgreSQL: LIMIT_PG_READERS, after a while). */
struct err view_open(struct meta *m, struct rows **ret);
struct rows *view_close(struct rows *view); /* NULL is fine; returns NULL */
void view_closep(struct rows **view);       /* for CLEANUP(view_closep) */

/* ERR_NOT_FOUND if there is no such row, ERR_CORRUPT if it is damaged. *ret is valid until the view is closed or fn returns. */
struct err rows_get(struct rows *r, enum space space, struct str key, struct str *ret);
bool rows_have(struct rows *r, enum space space, struct str key, struct err *ret_err); /* *ret_err is OK unless reading failed */

/* An ordered scan within one space. */
struct rows_scan {
    struct err err; /* why it ended; OK at the plain end */
    void *state;
};

/* Forward: from the first row at or behind `from`; backward: from the last row before `from` (exclusive; an empty `from` means the very end). */
void rows_scan_begin(struct rows_scan *s, struct rows *r, enum space space, struct str from, bool is_backward);
/* The next row. Both are valid until the next call on this scan. False at the end: look at s->err, and call rows_scan_done in any case. */
bool rows_scan_next(struct rows_scan *s, struct str *ret_key, struct str *ret_value);
/* Go on at the first row at or behind `from` (forward scans). Cheap: listing skips whole prefixes with it. */
void rows_scan_seek(struct rows_scan *s, struct str from);
void rows_scan_done(struct rows_scan *s);

/* The smallest key behind all keys that begin with prefix: prefix with its last byte that is not 0xff raised, the rest cut. False when there is none
 * (all 0xff): scan to the end then. out needs prefix.len bytes. */
bool key_after_prefix(struct str prefix, char *out, size_t *ret_len);

/* ---- state ---- */

/* Numbers of transactions: every one at or below ... is published (seen by views opened now); is in LMDB, synced (PostgreSQL: published is enough); is below all that
 * views open now, on any server, may miss. (Of several servers it is known a second later.) What was freed by transaction n may be destroyed when n <= checkpointed and n <= viewed_by_all. */
struct meta_positions {
    uint64_t published, checkpointed, viewed_by_all;
};
struct meta_positions meta_positions(struct meta *m);

/* Make a checkpoint of all that is published now, and wait for it. ERR_IO... as it failed. */
struct err meta_checkpoint(struct meta *m);

#define META_WHO_SIZE 320

/* Of the copy that a broken LMDB would be replaced by (embedded engine). */
struct meta_copy_status {
    const char *state;   /* "kept"; "none yet"; "given up": for want of space; "off". NULL: PostgreSQL */
    bool is_wanted;      /* one is to be kept */
    int64_t made_ms;     /* 0: there is none */
    uint64_t bytes;      /* of its file */
    uint64_t held_bytes; /* of journal segments that wait for the next one only */
    char why_not[256];   /* the last attempt failed for this; else empty */
};

struct meta_status {
    const char *engine;        /* "embedded", "postgresql" */
    bool is_open;              /* rows can be read; false only until PostgreSQL was reached for the first time */
    bool is_writable;          /* false after a failed flush, or below the floor */
    bool is_stopped;           /* not writable, and only a restart helps */
    char why_not[256];         /* when not writable */
    uint64_t memtable_bytes, memtable_rows;
    uint64_t rows_damaged;      /* met since the start, each time */
    uint64_t journal_segments, journal_bytes;
    uint64_t lmdb_bytes_used, lmdb_bytes_map;
    int64_t checkpoint_last_ms; /* wall clock; 0: none since the start */
    uint64_t transactions, batches;
    uint64_t disk_free_bytes, disk_total_bytes;
    struct meta_copy_status copy;
    /* of several servers on one database: */
    bool is_shared;
    bool is_leader;            /* this server does what one of them alone is to do; true for one that does not share. It may end at any moment */
    uint32_t servers;          /* that are alive, this one included */
    char leader[META_WHO_SIZE]; /* "host ..., process ..."; "": not known, or nobody yet */
    /* of a connection to a database: */
    uint64_t batches_retried, connections_lost;
    uint32_t readers, readers_idle, readers_waiting; /* connections for views; those of them without one; threads that wait for one */
};
void meta_status(struct meta *m, struct meta_status *ret);

#endif
