/*
 * ref_slice.c - one transaction of work on a table's references: some edges of one owner, put or taken away.
 *
 * Holding is refused on a full disk like any other writing; letting go is not, since it is what frees.
 */
#include "catalog/refs/ref_work.h"

#include "storage/base/clock.h"
#include "storage/base/metrics.h"

static struct err slice_edges(struct ref_change *c, const struct ref_slice *slice)
{
    for (size_t i = 0; i < slice->count; i++)
        TRY(slice->files ? ref_hold(c, slice->owner, &slice->files[i])
                         : ref_release(c, slice->owner, slice->ids[i]));
    return OK;
}

static struct err slice_fn(struct txn *txn, void *arg)
{
    struct ref_slice *slice = arg;
    const struct ref_work *w = slice->work;
    uint8_t key[REF_PAIR];
    struct ref_change c = {
        .txn = txn, .uuid = w->uuid, .places = w->is_gone ? NULL : &w->row.places, .now_ms = clock_now_ms()
    };

    TRY(ref_change_begin(&c, w->turn));
    const uint64_t queued = c.table.queued_files;
    if (w->note_count && !w->is_gone) c.table.deletes_metadata = w->props.deletes_metadata;
    TRY(slice_edges(&c, slice));
    slice->queued = c.table.queued_files > queued ? c.table.queued_files - queued : 0;
    const struct str pair = ref_key_pair(w->uuid, slice->owner, key);
    if (slice->then == SLICE_ENDS_TODO) {
        TRY(txn_del(txn, SPACE_REF_TODO, pair));
        TRY(ref_learn_size(&c, slice->read));
    }
    if (slice->then == SLICE_ENDS_DROP) TRY(txn_del(txn, SPACE_REF_DROPS, pair));
    return ref_change_end(&c);
}

struct err ref_slice_run(struct ref_slice slice)
{
    struct meta *m = slice.work->store->meta;
    const atomic_bool *stop = slice.work->stop;

    if (stop && atomic_load(stop)) return FAIL(ERR_CLOSED, "the server stops");
    TRY(slice.files ? meta_run(m, slice_fn, &slice) : meta_run_freeing(m, slice_fn, &slice));
    METRIC_ADD(maintenance_files_queued, slice.queued);
    return OK;
}
