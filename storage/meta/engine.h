/*
 * engine.h - what an engine gives behind meta.h, and the part of a transaction that both engines share.
 *
 * An engine's handle begins with a struct meta, its transactions with a struct txn, its views with a struct rows (rows.h): so the
 * functions of meta.h find their way through one table a kind, and whoever uses meta.h never knows which engine it is. meta.c is the only
 * place that chooses one.
 *
 *   meta.c    meta.h's door: choosing an engine, dispatch, meta_run
 *   txn.c     what fn calls: limits, and the overlay in which a transaction's rows gather
 *   rows.c    reading (rows.h)
 */
#ifndef STORAGE_META_ENGINE_H
#define STORAGE_META_ENGINE_H

#include "storage/meta/copy.h"
#include "storage/meta/memtable.h"
#include "storage/meta/meta.h"
#include "storage/meta/rows.h"

/* Each as its namesake in meta.h says. */
struct meta_ops {
    struct meta *(*close)(struct meta *m); /* m is not NULL */
    void (*submit)(struct meta *m, struct meta_work *work);
    struct err (*view_open)(struct meta *m, struct rows **ret); /* sets rows->close */
    struct err (*read_body)(struct meta *m, struct place p, void *out);
    void (*pin)(struct meta *m, struct place p);
    void (*unpin)(struct meta *m, struct place p);
    struct meta_positions (*positions)(struct meta *m);
    struct err (*checkpoint)(struct meta *m);
    void (*status)(struct meta *m, struct meta_status *ret);
    bool (*segment_find)(struct meta *m, uint32_t id, struct meta_segment *ret); /* NULL: there are none */
    bool (*segment_is_dead)(struct meta *m, uint32_t id); /* NULL, too */
    struct err (*walk_bodies)(struct meta *m, struct meta_body_walk *w, meta_body_fn *fn, void *arg); /* NULL, too */
    struct err (*copy_rows)(struct meta *m, const char *dir, struct meta_copied *ret); /* copy.h; NULL: it has no files */
};

struct meta {
    const struct meta_ops *ops;
};

struct err embedded_open(const struct meta_options *options, struct meta **ret);
/* The same for who has the directory's lock already, by lock_fd. That stays the caller's, and keeps everybody else out after the engine is closed, too. */
struct err embedded_open_in_lock(const struct meta_options *options, int lock_fd, struct meta **ret);
struct err pg_open(const struct meta_options *options, struct meta **ret);

/* ---- transactions ---- */

struct txn_ops {
    struct err (*prefetch)(struct txn *txn, enum space space, const struct str *keys, size_t count); /* NULL: nothing to do */
    struct err (*put_body)(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret);
    struct err (*drop_body)(struct txn *txn, struct place p);
};

/* What a run of fn has read from and written so far. What a call refuses is remembered in `failed`: a transaction of which something is missing does not
 * become durable, even if fn goes on and returns OK. */
struct txn {
    const struct txn_ops *ops;
    struct rows_merged merged;
    struct memtable *overlay; /* what it has put so far */
    uint64_t number;
    uint64_t row_bytes, body_bytes;
    uint64_t body_max;        /* of one body; the engine's, besides LIMIT_JOURNAL_BODY */
    uint32_t bodies;          /* and drops */
    struct err failed;
};

/* The overlay is made once, and emptied at each begin. ERR_NO_MEMORY. */
struct err txn_init(struct txn *t, const struct txn_ops *ops, uint64_t body_max);
void txn_done(struct txn *t);
/* Make it fresh, to read from these sources; its overlay is added. */
void txn_begin(struct txn *t, const struct rows_sources *from, uint64_t number);
/* Remember the first failure; returns e. */
struct err txn_noted(struct txn *t, struct err e);
/* Nothing was put, deleted or dropped. */
bool txn_is_empty(const struct txn *t);

#endif
