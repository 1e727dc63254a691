/*
 * segment_set.h - what segment.c and segment_live.c share: the table of segments. Others use segment.h.
 */
#ifndef STORAGE_META_SEGMENT_SET_H
#define STORAGE_META_SEGMENT_SET_H

#include "storage/base/thread.h"
#include "storage/meta/segment.h"

/* What the set keeps of a segment. */
struct segment_entry {
    struct segment_live live, frozen;
    uint64_t bytes;    /* of the file */
    uint64_t used_at;  /* grows with each use of the fd */
    uint64_t dead_txn; /* valid with is_dead */
    uint32_t id;
    uint32_t users; /* reading right now */
    uint32_t pins;
    int fd;                             /* -1: not open */
    bool is_changed, is_frozen_changed; /* since the last freeze; since the last checkpoint */
    bool is_written_to;                 /* by the journal: its fd stays */
    bool is_dead;
};

/* Files of dead segments that are kept to be written over: as many as fill up from one checkpoint to the next, which is when segments die. */
#define SEGMENT_SPARES 4

struct segment_set {
    struct mutex lock;            /* guards all below but dir, journal_id and segment_bytes */
    struct segment_entry *entries; /* ascending by id */
    size_t count, size;
    size_t open_files;
    uint64_t uses;
    uint32_t id_max; /* ever seen */
    uint32_t spares[SEGMENT_SPARES]; /* their ids when they lived */
    size_t spare_count;
    uint64_t segment_bytes;
    uint8_t journal_id[16];
    char dir[SEGMENT_PATH_MAX - 32];
};

/* Index of the first entry at or above id. */
size_t segments_index_of(const struct segment_set *s, uint32_t id);
/* NULL: there is none. Valid while the lock is held and nothing is added or removed. */
struct segment_entry *segments_find_locked(struct segment_set *s, uint32_t id);
void segments_remove_locked(struct segment_set *s, struct segment_entry *e);
/* Take one of the spare files out of the set: whoever takes it uses it up, or unlinks it. False: there is none. */
bool segments_take_spare(struct segment_set *s, uint32_t *ret);
/* The file of a dead segment, once it is put away: "XXXXXXXX.old". */
void segments_spare_path(const struct segment_set *s, uint32_t id, char out[SEGMENT_PATH_MAX]);

#endif
