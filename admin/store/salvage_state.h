/*
 * salvage_state.h - what the files of the salvage share. Others use salvage.h.
 */
#ifndef ADMIN_STORE_SALVAGE_STATE_H
#define ADMIN_STORE_SALVAGE_STATE_H

#include "admin/store/salvage.h"
#include "storage/base/ids.h"
#include "storage/meta/memtable.h"
#include "storage/volume/record.h"

/* ---- salvage_order.c: which row of a name counts (the rule: salvage.h) ---- */

struct salvage_order {
    struct memtable *names; /* the caller's: rows of pages, in the end what counts */
    struct memtable *older; /* of the journal, in front of the position */
    struct memtable *newer; /* behind it */
    struct memtable *dead;  /* versions that the journal shows to be written over or deleted: row key and uid */
    uint64_t position;      /* the last batch that is in LMDB */
    uint64_t last;          /* the last batch that was read */
    bool has_position;
};

/* names: empty, and the caller's. ERR_NO_MEMORY, as all of these; done in any case. */
struct err salvage_order_init(struct salvage_order *o, struct memtable *names);
void salvage_order_done(struct salvage_order *o);
/* What pages have, in any order: rows of all spaces, and positions, of which the highest counts. */
struct err salvage_order_row(struct salvage_order *o, uint8_t space, struct str key, struct str value);
void salvage_order_position(struct salvage_order *o, uint64_t batch);
/* Then the records of the journal's batches in their order. */
struct err salvage_order_batch(struct salvage_order *o, uint64_t number, struct str records);
/* Then names has what counts. */
struct err salvage_order_settle(struct salvage_order *o);

/* ---- salvage_journal.c: names ---- */

/* Rows of OBJECTS and BUCKETS out of the bytes of a segment file; segments in the order of their ids. Batches that are not whole are passed over, and counted as gaps. ERR_NO_MEMORY. */
struct err salvage_segment(struct str bytes, uint32_t id, struct salvage_order *o, struct salvage_result *r);
/* All that is known in the directory of rows: LMDB and its copy, then the journal by id. Into names, which is empty. */
struct err salvage_names(const char *rows_dir, struct memtable *names, struct salvage_result *r);

/* ---- salvage_read.c ---- */

/* len bytes of a file from `at` on, fewer at its end only. Zeros in the place of blocks that the disk does not give; these are counted. */
struct err salvage_read(int fd, void *out, size_t len, uint64_t at, size_t *ret_len, uint64_t *unreadable);
/* Is it a file of the source that cannot be opened, or is none of ours by its size? It is counted, and the others are read. */
bool salvage_passes_over(struct err e, struct salvage_result *r);

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
