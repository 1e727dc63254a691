/*
 * world_test.h - a store of bodies for tests: rows and volumes in directories of their own, small, with manual checkpoints and reclaim.
 */
#ifndef STORAGE_VOLUME_WORLD_TEST_H
#define STORAGE_VOLUME_WORLD_TEST_H

#include "storage/base/limits.h"
#include "storage/volume/blob_state.h"

struct world {
    const char *meta_dir, *volume_dir;
    struct meta_options meta_options;
    struct blob_options blob_options;
    struct meta *meta;
    struct blobs *b;
};

/* Volumes of 4 MiB, own files beyond 1 MiB, a floor of 1 MiB, 4 slots; change w->blob_options before world_open. */
void world_init(struct world *w);
struct err world_try_open(struct world *w);
void world_open(struct world *w);
void world_close(struct world *w); /* what is open */
void world_reopen(struct world *w);

/* Bytes that differ for each seed and place. */
void pattern_fill(uint8_t *out, size_t len, uint64_t seed, uint64_t offset);
bool pattern_is(const uint8_t *data, size_t len, uint64_t seed, uint64_t offset);

/* Write len bytes of pattern `seed`, in pieces. */
struct err world_write(struct blob_writer *w, size_t len, uint64_t seed, size_t piece);
/* Begin, write, flush: *ret is to be closed by the caller (also on failure, if not NULL). */
struct err world_upload(struct world *w, size_t len, uint64_t seed, struct blob_writer **ret);
struct err world_publish(struct world *w, const struct blob_writer *writer, struct uid referrer);
struct err world_ref(struct world *w, struct uid body, struct uid referrer);
struct err world_unref(struct world *w, struct uid body, struct uid referrer);
/* All of it, which must go well; the body's own uid is its referrer. */
struct uid world_put(struct world *w, size_t len, uint64_t seed);
void world_delete(struct world *w, struct uid body);

struct err world_reader(struct world *w, struct uid body, struct blob_reader **ret);
void check_body(struct world *w, struct uid body, size_t len, uint64_t seed);
void check_gone(struct world *w, struct uid body);

uint64_t world_reclaim(struct world *w);             /* one pass, which must go well */
uint64_t world_settle(struct world *w);              /* a checkpoint, then a pass */
uint64_t world_disk_bytes(const struct world *w);    /* allocated in all volume files */
uint64_t world_files(const struct world *w);
uint64_t world_rows(struct world *w, enum space space);
/* The only extent of a body: for tests that damage it. */
struct extent world_extent(struct world *w, struct uid body, uint32_t index);

#endif
