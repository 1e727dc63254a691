/*
 * copy.c - the order of a copy (copy.h): checkpoint, LMDB, checkpoint.
 *
 * The first checkpoint carries what the caller's view sees: so every segment that dies later dies by a transaction that the view does not see, and stays.
 */
#include "storage/meta/copy.h"

#include "storage/meta/checkpoint.h"

struct err embedded_copy_rows(struct meta *meta, const char *dir, struct meta_copied *ret)
{
    struct embedded *m = (struct embedded *)meta;
    struct journal_position end;

    TRY(meta_checkpoint(meta));
    TRY(lmdb_copy(m->lmdb, dir));
    TRY(meta_checkpoint(meta));
    TRY(checkpoint_position_now(m, &end));
    *ret = (struct meta_copied){ .segment_id = end.segment_id, .offset = end.offset };
    return OK;
}

struct err meta_copy_check(struct meta *m)
{
    if (m->ops->copy_rows) return OK;
    return FAIL(ERR_UNSUPPORTED, "the rows of this store are in PostgreSQL: back them up there");
}

struct err meta_copy_rows(struct meta *m, const char *dir, struct meta_copied *ret)
{
    TRY(meta_copy_check(m));
    return m->ops->copy_rows(m, dir, ret);
}
