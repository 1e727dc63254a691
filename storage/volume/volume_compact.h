/*
 * volume_compact.h - emptying sealed volumes in which little still lives, so that their files go.
 *
 * The holes of a volume are given back to the file system as they come, so a sparse one costs little space: it costs a file, and a file system whose extents are in crumbs. So only volumes of which less than
 * LIMIT_COMPACT_VOLUME per cent are taken are emptied, which writes a tenth of what was written once, at most.
 *
 * A body is read, verified, written again under its own uid into a volume that is open, made durable, and moved by one conditional transaction (body_move): if its row is still what it was. Whoever refers to it
 * notices nothing; whoever reads it goes on at the old place, which is freed like any other: when no view and no pin needs it. Its references, copies and deletion go on meanwhile. A crash leaves a copy that no row names, which
 * the next start punches, or a moved body. Bodies with files of their own, and those longer than what may lie in a shared volume, stay.
 *
 * Threads: one belongs to one thread.
 */
#ifndef STORAGE_VOLUME_VOLUME_COMPACT_H
#define STORAGE_VOLUME_VOLUME_COMPACT_H

#include "storage/volume/blob.h"

struct volume_compact_options {
    struct blobs *blobs;  /* outlives it; without volumes there is never anything to do */
    uint64_t rate;        /* bytes moved a second, at most */
    uint64_t round_ms;    /* from the end of one round through all volumes to the next */
};

struct volume_compact;
struct err volume_compact_new(const struct volume_compact_options *options, struct volume_compact **ret);
struct volume_compact *volume_compact_free(struct volume_compact *c); /* NULL is fine; returns NULL */

/* One bounded piece of work: a look, or a few MiB of one body. *ret_more: call again at once. An error is what kept one body where it is; the round goes on behind it. */
struct err volume_compact_step(struct volume_compact *c, bool *ret_more);

#endif
