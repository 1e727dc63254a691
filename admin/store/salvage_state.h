/*
 * salvage_state.h - what the files of the salvage share. Others use salvage.h.
 */
#ifndef ADMIN_STORE_SALVAGE_STATE_H
#define ADMIN_STORE_SALVAGE_STATE_H

#include "admin/store/salvage.h"
#include "storage/base/ids.h"
#include "storage/meta/memtable.h"
#include "storage/volume/record.h"

/* ---- salvage_journal.c: names ---- */

/* Rows of OBJECTS and BUCKETS out of the bytes of a segment file, over those that are known. Batches that are not whole are passed over, and counted as gaps. ERR_NO_MEMORY. */
struct err salvage_segment(struct str bytes, uint32_t id, struct memtable *names, struct salvage_result *r);
/* All that is known in the directory of rows: LMDB and its copy, then the journal by id. */
struct err salvage_names(const char *rows_dir, struct memtable *names, struct salvage_result *r);

/* ---- salvage_extents.c: bodies in volumes ---- */

struct salvage_extent {
    struct record record;
    bool is_used; /* of the first extent of a body: an object had it */
};

struct salvage_extents {
    struct salvage_extent *items; /* by body, then by place in it */
    size_t count, size;
    const char *dir;
};

struct err salvage_extents_find(struct salvage_extents *e, const char *volumes_dir, struct salvage_result *r);
void salvage_extents_done(struct salvage_extents *e);

/* One body: its first extent, how many there are of it, some of which may say the same, and whether they cover it. */
struct salvage_body {
    size_t first, count;
    uint64_t length;
    bool is_whole;
};
/* The body that begins at index `at`. */
struct salvage_body salvage_body_at(const struct salvage_extents *e, size_t at);
bool salvage_body_find(const struct salvage_extents *e, struct uid uid, struct salvage_body *ret);

typedef struct err salvage_piece_fn(void *arg, struct str piece);
/* All bytes of a body, once and in order, in verified pieces; of what is there twice whichever verifies. ERR_CORRUPT, ERR_IO: none does. */
struct err salvage_body_read(const struct salvage_extents *e, const struct salvage_body *b, salvage_piece_fn *fn, void *arg);

#endif
