/*
 * world_test.h - for tests of the copy of the rows: a store of rows with bodies, the same as a test knows it, and ways to break it.
 */
#ifndef STORAGE_META_WORLD_TEST_H
#define STORAGE_META_WORLD_TEST_H

#include "storage/meta/meta.h"

#define WORLD_KEYS 12

struct change {
    uint32_t key, version; /* 0: delete */
};

struct world {
    const char *dir;
    struct meta *meta;
    uint32_t version[WORLD_KEYS], next;
};

/* Small segments, a floor of 1 MiB, a copy a day, checkpoints and copies only when a test asks. */
struct meta_options world_options(const char *dir);
struct meta *world_open(const char *dir);
/* Change n rows, one after the other; every fifth change deletes. What fails is not done. */
void world_change(struct world *w, int n);
struct err world_change_fn(struct txn *txn, void *arg); /* of one struct change */
/* Rows and bodies are what w knows. */
void world_check_rows(struct world *w);
/* Written, deleted, checkpointed: dead, but for the copy. */
void world_die(struct world *w);

const char *world_path(const struct world *w, const char *name, char out[600]);
bool world_has_copy(const struct world *w);
struct meta_status world_status_of(struct meta *m);

/* LMDB of a closed store becomes noise, from byte `from` on. */
void world_break_lmdb(struct world *w, uint64_t from);
/* Closed, broken, repaired, opened: the same rows. */
void world_check_repair(struct world *w);

#endif
