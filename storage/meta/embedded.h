/*
 * embedded.h - the embedded engine behind meta.h, as its own files see it: what they share, who owns it, who wakes whom.
 *
 *   embedded.c    opening, closing, status
 *   view.c        views: one moment of memtable + frozen memtable + LMDB
 *   embedded_txn.c   bodies of a transaction, and its end: into the batch
 *   committer.c   the queue, batches, publishing, answers
 *   checkpoint.c  carrying the frozen memtable to LMDB (checkpoint.h)
 *   copy_keep.c   the copy of LMDB, and the journal kept for it
 *   disk.c        the floor of free space, and the ballast
 *
 * Threads: callers submit (dry run, queue); the committer alone runs transactions, writes the journal, publishes and freezes; the
 * checkpoint thread alone writes to LMDB and unlinks segments. Locks, in their order: queue_lock, views_lock, then those of
 * memtables, LMDB, segments and journal, each taken alone.
 *
 * The order that makes a view one moment (M3): it takes the roots of both memtables under views_lock, then begins its LMDB
 * transaction, then looks at freeze_number again. The rows of a root reach LMDB only after a freeze, so if none came in between,
 * LMDB has nothing that is newer than the roots; and the frozen table is dropped only after LMDB has all of it.
 */
#ifndef STORAGE_META_EMBEDDED_H
#define STORAGE_META_EMBEDDED_H

#include <stdatomic.h>

#include "storage/base/thread.h"
#include "storage/meta/copy_keep.h"
#include "storage/meta/engine.h"
#include "storage/meta/journal.h"
#include "storage/meta/lmdb_store.h"
#include "storage/meta/memtable.h"
#include "storage/meta/meta.h"
#include "storage/meta/work_list.h"

struct view {
    struct rows_merged merged; /* first: a view is its rows */
    struct embedded *meta;
    struct memtable_root *active, *frozen;
    struct lmdb_txn *lmdb;
    uint64_t number;            /* every transaction up to it is seen */
    struct view *older, *newer; /* among the open ones; newer also among the idle ones */
};

struct embedded_txn {
    struct txn txn;            /* first */
    struct batch *batch;       /* NULL: a dry run */
    bool is_batch_full;        /* there was no room: it is to be run again in the next batch */
    struct embedded_txn *next; /* among the idle ones */
};

/* What a freeze hands to the checkpoint. */
struct frozen {
    struct memtable *table; /* NULL: nothing is frozen */
    struct journal_position position;
};

struct embedded {
    struct meta meta; /* first */
    struct meta_options options;
    char *dir;
    int lock_fd;
    struct lmdb_store *lmdb;
    struct segment_set *segments;
    struct journal *journal;
    struct copy_keep copy;

    struct mutex queue_lock; /* guards what follows, up to the blank line */
    struct cond has_work;    /* for the committer */
    struct cond has_frozen;  /* for the checkpoint thread */
    struct cond has_checkpointed; /* for those who wait for a checkpoint */
    struct work_list foreground, background;
    bool is_closing, is_stopped;
    bool is_committer_waiting;
    bool is_freeze_wanted;   /* by meta_checkpoint */
    bool is_look_wanted;     /* at dead segments, since a copy was made or given up */
    bool is_retry_wanted;    /* of a checkpoint that failed, by meta_checkpoint */
    struct frozen frozen;    /* written by the committer (freeze) and the checkpoint (done), also under views_lock */
    uint64_t checkpoints_failed;
    bool is_checkpoint_failing; /* the last one did, for checkpoint_failure */
    struct err checkpoint_failure;
    char checkpoint_why[256], stopped_why[256];
    int64_t checkpoint_last_ms;
    struct memtable *spare;  /* for the next freeze */

    struct mutex views_lock; /* guards what follows, up to the blank line; and changes of frozen.table */
    struct memtable *active;
    uint64_t freeze_number;
    struct view *view_oldest, *view_newest, *views_idle;
    size_t views_open;
    struct embedded_txn *txns_idle;

    /* the committer's own */
    struct work_list taken;   /* from the queue, not yet run */
    struct embedded_txn *txn;
    uint64_t txn_last;        /* of all that were decided */
    uint64_t bytes_at_freeze; /* of the journal, when the memtable was frozen last */
    uint64_t batch_at_freeze;
    pthread_t committer, checkpointer;
    bool has_committer, has_checkpointer;

    /* read by anybody */
    _Atomic uint64_t published, checkpointed;
    _Atomic uint64_t batch_durable;
    _Atomic uint64_t transactions, batches, memtable_bytes, memtable_rows;
    _Atomic uint64_t disk_free, disk_total, disk_looked_ms, disk_asked_ms;
    atomic_bool is_below_floor, is_tight, has_ballast; /* is_tight: not disk_has_room, at the last look */
    uint8_t journal_id[16];
};

static inline struct embedded *embedded_of(struct meta *m)
{
    return (struct embedded *)m; /* its first member */
}

/* ---- view.c ---- */
struct err embedded_view_open(struct meta *m, struct rows **ret);
struct err view_take(struct embedded *m, struct view **ret); /* the same, for a dry run */
void view_give(struct view *v);
uint64_t views_seen_by_all(struct embedded *m); /* meta_positions.viewed_by_all */
void views_free(struct embedded *m);

/* ---- embedded_txn.c ---- */
struct embedded_txn *embedded_txn_new(struct embedded *m); /* NULL: no memory */
struct embedded_txn *embedded_txn_free(struct embedded_txn *t);
/* Make it fresh, to read from these sources (its overlay is added) and to write to batch, or nowhere. */
void embedded_txn_begin(struct embedded_txn *t, const struct rows_sources *from, struct batch *batch, uint64_t number);
/* Append its rows to the batch. t->is_batch_full, or the first failure of its calls. */
struct err embedded_txn_finish(struct embedded_txn *t);
/* Run fn on what is published, writing nothing: OK, or why it is refused. */
struct err txn_dry_run(struct embedded *m, txn_fn *fn, void *arg);
void txns_free(struct embedded *m);

/* ---- committer.c ---- */
void embedded_submit(struct meta *m, struct meta_work *work);
void committer_main(void *meta);
/* Take no more writes, for this reason. Reads go on. */
void embedded_stop(struct embedded *m, const char *why);

/* ---- disk.c ---- */
void disk_look(struct embedded *m); /* now. Takes queue_lock and the copy's lock: to be called without either */
/* ERR_NO_SPACE below the floor, unless it is freeing. Looks again every so often, and asks for a checkpoint when space is short. */
struct err disk_admit(struct embedded *m, bool is_freeing);
bool disk_has_room(struct embedded *m); /* for what is only kept to be quicker: a ballast, spare segments */
void disk_ballast_find(struct embedded *m);  /* at the start: is it there from before? */
void disk_ballast_take(struct embedded *m);  /* make it, if there is room */
bool disk_ballast_give(struct embedded *m);  /* false: there was none */

#endif
