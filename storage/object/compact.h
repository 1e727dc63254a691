/*
 * compact.h - emptying segments of the journal in which little still lives, so that their files go.
 *
 * Small bodies stay where they were written. A segment is unlinked when nothing in it lives, so one metadata file that is kept would hold 64 MiB: bodies of sparse segments are moved, that is
 * written again with their rows, in conditional transactions. What moved is read, overwritten and deleted meanwhile as ever: a row that has changed since is left alone.
 *
 * A segment is looked into when it seems to be less than half alive, and all segments together waste more than four of them; then what lives in it is counted, row by row, and it is emptied if that is less than half of what
 * was put there. So writes grow by one byte for each that is given back, at most, and the journal stays below twice what lives in it and a little, but for segments that are kept for a copy of the rows (storage/meta/copy_keep.h). Moved are bodies of objects (metadata files, small
 * files, part maps): those of parts of open uploads and of what waits to be cleared away go by themselves.
 *
 * Threads: a compactor belongs to one thread.
 */
#ifndef STORAGE_OBJECT_COMPACT_H
#define STORAGE_OBJECT_COMPACT_H

#include "storage/object/object.h"

struct compact_options {
    struct store *store;   /* outlives it */
    uint64_t rate;         /* bytes moved a second, at most */
    uint64_t look_ms;      /* from one look at all segments to the next, when there was nothing to do */
    uint32_t spare;        /* so many segments' worth of waste is left alone */
};

struct compact;
struct err compact_new(const struct compact_options *options, struct compact **ret);
struct compact *compact_free(struct compact *c); /* NULL is fine; returns NULL */

/* One bounded piece of work. *ret_more: call again at once. An error is what kept it from going on; it looks anew after a while. */
struct err compact_step(struct compact *c, bool *ret_more);

#endif
