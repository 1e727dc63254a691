/*
 * copy.h - a copy of the rows while the engine runs, for a backup.
 *
 * What a later start needs is LMDB as of some commit, and the journal from the position in it on. LMDB is copied first; then a checkpoint is made, and its
 * position is where the journal may end: it is the end of a durable batch, it is behind every slice of a checkpoint that the copy may hold in part, and
 * nothing before it changes any more. So the copied journal has no torn batch and no batch is missing, however busy the writers are.
 *
 * The caller keeps a view open from before the call until the segments are copied: no segment that the copy needs is unlinked meanwhile, and no space of a
 * body that its rows name is given back (meta_positions.viewed_by_all).
 */
#ifndef STORAGE_META_COPY_H
#define STORAGE_META_COPY_H

#include "storage/meta/meta.h"

/* What belongs to the copy: segments with ids below segment_id as they are, that one up to offset, none above. */
struct meta_copied {
    uint64_t offset;
    uint32_t segment_id; /* 0: none at all */
};

/* ERR_UNSUPPORTED: the rows are not in a directory but in PostgreSQL, which has backups of its own. To be asked before anything is made. */
struct err meta_copy_check(struct meta *m);

/* Write LMDB to dir/data.mdb, durably; dir is made, and must not have that file. Waits for two checkpoints. Writers are not held up by the copying.
 * ERR_UNSUPPORTED as above. */
struct err meta_copy_rows(struct meta *m, const char *dir, struct meta_copied *ret);

#endif
