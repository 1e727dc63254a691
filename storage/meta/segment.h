/*
 * segment.h - the journal's files, and what still lives in them.
 *
 * A segment is a file NNNNNNNN.seg (its id in hex). Ids grow and are never used again, because a place names one. The set knows all
 * that exist: how many bodies of each are live (counted as batches become durable, kept in LMDB by checkpoints), who has pinned
 * them, and which files are open.
 *
 * Invariants:
 *   S1  a file in the set has its name and its header on disk before a batch is written to it
 *   S2  a segment is unlinked, or its file written over for another, only when a checkpoint on disk says that no body in it is live and that the journal is not read from it any
 *       more, no view is open that may still see one, and nothing is pinned
 *   S3  ... and not while a copy of the rows would have to be replayed from it (copy_keep.h)
 *
 * The file of a dead segment is kept for the next one that is made (segments_create), under a name of its own: its blocks were written before, so it need not be filled with zeros. What is left in it has another salt and
 * another id, so nothing of it is ever taken for a batch.
 *
 * Threads: reading, pins and figures from any; counting and freezing belong to the committer; the frozen counts and unlinking to the
 * checkpoint.
 */
#ifndef STORAGE_META_SEGMENT_H
#define STORAGE_META_SEGMENT_H

#include <stdatomic.h>

#include "storage/meta/record.h"

struct segment_set;

/* A segment that is written to. */
struct segment {
    uint64_t salt;
    uint64_t bytes;
    uint32_t id;
    int fd;
};

/* The set of all segments in dir (which exists), with no body live. ERR_CORRUPT for a name that is none of ours. */
struct err segments_open(const char *dir, const uint8_t journal_id[16], uint64_t segment_bytes, struct segment_set **ret);
struct segment_set *segments_close(struct segment_set *s); /* NULL is fine; returns NULL */

/* Make a segment file of that size with its header, durable with its name, but not of the set yet. With is_zeroed its blocks are written, or it is a spare one's, whose blocks were; this takes a
 * while, and ends early with ERR_CLOSED when *is_stopping becomes true. */
struct err segments_create(struct segment_set *s, uint64_t bytes, bool is_zeroed,
                           const atomic_bool *is_stopping, struct segment *ret);
void segments_add(struct segment_set *s, const struct segment *made);
/* The journal writes to it no more: its descriptor is one of those kept for reading, and may be closed. */
void segments_retire(struct segment_set *s, uint32_t id);

/* The id out of a file's name; false when it is not a segment's. */
bool segment_id_from(const char *name, uint32_t *ret);
/* The path of a segment's file, in out. */
#define SEGMENT_PATH_MAX 4096
void segments_path(const struct segment_set *s, uint32_t id, char out[SEGMENT_PATH_MAX]);
/* The ids of the set, ascending: the first one at or above id. False: none. */
bool segments_find(struct segment_set *s, uint32_t id, uint32_t *ret);
const uint8_t *segments_journal_id(const struct segment_set *s);
uint64_t segments_bytes_each(const struct segment_set *s);
/* Forget a segment and unlink its file. Recovery does, with those that were made and not used. */
struct err segments_remove(struct segment_set *s, uint32_t id);
struct err segments_sync_dir(struct segment_set *s);
void segments_set_bytes(struct segment_set *s, uint32_t id, uint64_t bytes);

/* As meta_read_body, meta_pin, meta_unpin. */
struct err segments_read(struct segment_set *s, struct place p, void *out);
void segments_pin(struct segment_set *s, struct place p);
void segments_unpin(struct segment_set *s, struct place p);

/* As meta_segment_find: what the journal writes to, and what is dead, is passed over. */
bool segments_find_full(struct segment_set *s, uint32_t id, struct meta_segment *ret);
/* As meta_walk_bodies; segment_walk.c. */
struct err segments_walk(struct segment_set *s, struct meta_body_walk *w, meta_body_fn *fn, void *arg);
/* len bytes of a segment's file, unchecked; fewer at its end. ERR_NOT_FOUND: it is not of the set. */
struct err segments_read_bytes(struct segment_set *s, uint32_t id, uint64_t offset, void *out, size_t len, size_t *ret_len);

/* ---- what is live ---- */

/* Count the bodies and drops of a batch of that segment, which is durable. */
void segments_count(struct segment_set *s, uint32_t segment_id, struct str records);

/* What a checkpoint keeps of a segment. */
struct segment_live {
    uint64_t bodies, bytes;
    uint32_t id;
    bool is_gone; /* the file is unlinked: what is kept of it can go */
};
/* At start, as a checkpoint had kept it. Unknown ids are ignored. */
void segments_set_live(struct segment_set *s, const struct segment_live *live);
/* Keep the counts of this moment for the checkpoint that begins. */
void segments_freeze(struct segment_set *s);
/* The frozen counts that differ from those of the last checkpoint, by id: the first one at or above id. */
bool segments_frozen_find(struct segment_set *s, uint32_t id, struct segment_live *ret);
/* They are on disk, with a journal position in position_segment and all transactions up to txn. */
void segments_frozen_done(struct segment_set *s, uint32_t position_segment, uint64_t txn);

struct segment_burial {
    uint64_t viewed_by_all; /* all views see this transaction */
    uint32_t kept_from;     /* segments from this id on belong to a copy of the rows (S3) */
    bool keeps_spares;      /* false where space is short: then those that were put away go, too */
};
struct segment_waiting {
    uint64_t held_bytes; /* of dead ones that are kept for the copy only */
    bool is_seen;        /* some are dead but still seen or pinned */
};
/* Unlink what is dead (S2, S3), or put it away. */
struct err segments_unlink_dead(struct segment_set *s, const struct segment_burial *b, struct segment_waiting *ret);
/* As meta_segment_is_dead. */
bool segments_is_dead(struct segment_set *s, uint32_t id, uint64_t viewed_by_all);

struct segment_figures {
    uint64_t count, bytes, live_bodies, live_bytes;
};
struct segment_figures segments_figures(struct segment_set *s);

#endif
