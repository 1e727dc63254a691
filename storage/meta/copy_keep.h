/*
 * copy_keep.h - when a copy of the rows is made, and which journal is kept for it: so that a broken LMDB costs nothing.
 *
 * Invariants:
 *   C1  while there is a file rows.copy, the journal from the segment it names on is there. So it is unlinked, durably, before the first such segment may go, and takes its name when all of them are held
 *   C2  there is at most one whole copy, and one only replaces another when it was read again and is not damaged
 *
 * A copy is made when there is none, when the interval is over since the last one, and earlier when segments that only wait for the next one (dead but for the copy there is) pass 10 GiB or a tenth of the
 * free space. Where space runs out all the same, the copy is given up: its file goes, the segments go, and status says so. That is at the moment the disk is seen to be below its floor; and before that, without
 * room for two more segments, when there are segments that go with it; of two, the one that is being made goes first. Not while LMDB is known to be damaged: then it is worth more than writes. A new one is made by itself when there is room for it and LIMIT_COPY_MARGIN more. An operator's verb (is_offline) never gives it up: a
 * repair needs it to the end.
 *
 * Threads: one of its own makes copies; copy_keep_held belongs to the checkpoint thread; the rest is for any.
 */
#ifndef STORAGE_META_COPY_KEEP_H
#define STORAGE_META_COPY_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/thread.h"
#include "storage/meta/meta.h"

struct embedded;

/* Part of struct embedded. */
struct copy_keep {
    struct mutex lock;    /* guards all below but the thread, and the files' names */
    struct cond has_work; /* for the thread: due, or closing */
    bool is_asked, is_closing;
    bool is_void;         /* the one that is being made was given up meanwhile */
    bool is_given_up;     /* for want of space, and none was made since */
    bool is_without_room; /* the last attempt ended before it began, for want of room */
    bool is_room_back;    /* and there is some since: the next need not wait */
    bool is_damaged;      /* LMDB, as the last attempt found: the copy there is may be all there is */
    bool is_want_told;    /* of space, in the log: once until one is made */
    uint32_t kept_from;   /* the journal from here on is held for the copy there is; SEGMENT_NONE */
    uint32_t making_from; /* and for the one that is being made */
    int64_t made_ms;      /* 0: there is none */
    uint64_t bytes, held_bytes;
    char why_not[256];    /* the last attempt failed; "" */
    pthread_t thread;
    bool has_thread;
};

#define SEGMENT_NONE UINT32_MAX

void copy_keep_init(struct embedded *m);
/* What a process before left; when the journal's id is known, and before anything of it is removed. */
struct err copy_keep_open(struct embedded *m);
struct err copy_keep_start(struct embedded *m); /* the thread, unless none are to be made */
void copy_keep_stop(struct embedded *m);
void copy_keep_done(struct embedded *m);

/* Segments from this id on are not unlinked. SEGMENT_NONE: all may be. To be read after a checkpoint has said which are dead. */
uint32_t copy_keep_from(struct embedded *m);
/* So many bytes wait for the next copy only. True: the copy was given up for want of space, and they may go now. */
bool copy_keep_held(struct embedded *m, uint64_t bytes);
/* The disk has room again, as a look has found. Called without locks. */
void copy_keep_room_again(struct embedded *m);
/* Make one now. ERR_NO_SPACE, ERR_CORRUPT (LMDB is damaged), ERR_CLOSED, ERR_IO: the one before is still there. */
struct err copy_keep_make(struct embedded *m);
void copy_keep_status(struct embedded *m, struct meta_copy_status *ret);

#endif
