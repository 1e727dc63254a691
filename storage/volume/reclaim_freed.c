/*
 * reclaim_freed.c - from rows of freed space to space.
 *
 * In batches: collect rows in a view; close it; punch or unlink, and make that durable; delete the rows in one
 * transaction. The rows come in the order (volume, offset), so a batch is a few groups, one for each volume.
 *
 * Why this is safe (R1): the store's positions are read first. A row whose transaction is at or below viewed_by_all then has no older view open, so
 * whoever holds the body has pinned it before; the pins are looked at after that. And checkpointed: LMDB alone knows of the freeing, so
 * no recovery, however much of the journal is lost, brings a reference back.
 *
 * A sealed volume of which all that is left is in one group is unlinked. An open one is only punched: its tail goes on.
 */
#include "storage/volume/reclaim_freed.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"

#define BATCH_ROWS 256 /* and a row for each volume: well below LIMIT_TXN_ROWS */

struct freed {
    uint64_t volume, offset, end;
};

struct group {
    uint32_t first, count;
    uint64_t bytes;
    bool is_sealed, is_whole; /* whole: nothing else is left in the volume */
};

struct batch {
    struct blobs *b;
    struct freed rows[BATCH_ROWS];
    struct group groups[BATCH_ROWS];
    uint32_t row_count, group_count;
    char from[KEY_PLACE_BYTES]; /* where to go on */
    bool is_last;
};

static uint64_t group_volume(const struct batch *batch, const struct group *g)
{
    return batch->rows[g->first].volume;
}

/* ---- collecting ---- */

static void add_row(struct batch *batch, struct freed row)
{
    struct group *g = batch->group_count ? &batch->groups[batch->group_count - 1] : NULL;

    if (!g || group_volume(batch, g) != row.volume) {
        g = &batch->groups[batch->group_count++];
        *g = (struct group){ .first = batch->row_count };
    }
    batch->rows[batch->row_count++] = row;
    g->count++;
    g->bytes += row.end - row.offset;
}

/* Decide on one row: into the batch, or counted as waiting. */
static struct err collect_row(struct batch *batch, struct str key, struct str value,
                              struct meta_positions safe, struct freed_outcome *out)
{
    struct freed row;
    struct freed_row freed;

    TRY(key_place_decode(key, &row.volume, &row.offset));
    TRY(freed_row_decode(value, &freed));
    const uint64_t bytes = record_bytes(freed.data_len);
    row.end = row.offset + bytes;
    const bool is_checkpointed = freed.txn <= safe.checkpointed, is_unseen = freed.txn <= safe.viewed_by_all;
    const bool is_pinned = is_checkpointed && is_unseen && pins_have(&batch->b->pins, freed.body);

    if (is_checkpointed && is_unseen && !is_pinned) {
        add_row(batch, row);
        return OK;
    }
    out->bytes_waiting += bytes;
    if (!is_checkpointed) out->bytes_waiting_checkpoint += bytes;
    out->is_waiting_for_pin |= is_pinned;
    return OK;
}

static struct err collect_rows(struct batch *batch, struct rows *view, struct meta_positions safe,
                               struct freed_outcome *out)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    batch->row_count = batch->group_count = 0;
    batch->is_last = true;
    rows_scan_begin(&scan, view, SPACE_FREED, str_of(batch->from, sizeof(batch->from)), false);
    for (uint32_t visited = 0; !e.code && rows_scan_next(&scan, &key, &value); visited++) {
        if (batch->row_count == BATCH_ROWS || visited == LIMIT_SCAN_ROWS) {
            batch->is_last = false;
            if (key.len == sizeof(batch->from)) memcpy(batch->from, key.data, key.len);
            break;
        }
        e = collect_row(batch, key, value, safe, out);
    }
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* How many rows a volume has in SPACE_FREED, counted to max. */
static struct err count_freed(struct rows *view, uint64_t volume, uint32_t max, uint32_t *ret)
{
    struct rows_scan scan;
    struct str key, value;
    char from[KEY_PLACE_BYTES];
    uint64_t found, offset;
    uint32_t count = 0;
    struct err e = OK;

    rows_scan_begin(&scan, view, SPACE_FREED, key_place(volume, 0, from), false);
    while (count < max && rows_scan_next(&scan, &key, &value)) {
        e = key_place_decode(key, &found, &offset);
        if (e.code || found != volume) break;
        count++;
    }
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = count;
    return OK;
}

static struct err judge_group(struct batch *batch, struct rows *view, struct group *g)
{
    char key[KEY_VOLUME_BYTES];
    struct str value;
    struct volume_row row;
    bool has_extents;
    uint32_t count;
    const uint64_t volume = group_volume(batch, g);
    const struct err e = rows_get(view, SPACE_VOLUMES, key_volume(volume, key), &value);

    if (e.code == ERR_NOT_FOUND) return OK; /* never with extents; punching does no harm */
    TRY(e);
    TRY(volume_row_decode(value, &row));
    g->is_sealed = row.state == VOLUME_SEALED;
    if (!g->is_sealed) return OK;
    TRY(volume_has_rows(view, SPACE_EXTENTS, volume, &has_extents));
    if (has_extents) return OK;
    TRY(count_freed(view, volume, g->count + 1, &count));
    g->is_whole = count == g->count;
    return OK;
}

/* The positions before the view, and the pins (in collect_row) after both. */
static struct err collect(struct batch *batch, struct freed_outcome *out)
{
    const struct meta_positions safe = meta_positions(batch->b->meta);
    struct rows *view = NULL;

    TRY(view_open(batch->b->meta, &view));
    struct err e = collect_rows(batch, view, safe, out);
    for (uint32_t i = 0; !e.code && i < batch->group_count; i++)
        e = judge_group(batch, view, &batch->groups[i]);
    view_close(view);
    return e;
}

/* ---- giving back ---- */

/* Neighbours in one call. */
static struct err punch_rows(const struct batch *batch, const struct group *g, int fd)
{
    const struct freed *rows = &batch->rows[g->first];

    for (uint32_t i = 0, next; i < g->count; i = next) {
        for (next = i + 1; next < g->count && rows[next].offset == rows[next - 1].end;) next++;
        TRY(sys_punch(fd, rows[i].offset, rows[next - 1].end - rows[i].offset));
    }
    return sys_fdatasync(fd);
}

/* The file may be gone: unlinked before, with the rows left behind by a crash. */
static struct err give_back(const struct batch *batch, const struct group *g)
{
    char path[PATH_MAX];
    int fd = -1;

    volume_path(batch->b->dir, group_volume(batch, g), path);
    if (g->is_whole) {
        TRY(sys_unlink_if_there(path));
        return sys_sync_dir(batch->b->dir);
    }
    struct err e = sys_open(path, O_RDWR, 0, &fd);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    e = punch_rows(batch, g, fd);
    sys_close(fd);
    return e;
}

/* ---- the rows ---- */

static struct err forget_group(struct txn *txn, const struct batch *batch, const struct group *g)
{
    char key[KEY_VOLUME_BYTES];
    uint8_t out[ROW_VOLUME_BYTES];
    struct str value;
    struct volume_row row;

    if (g->is_whole) return volume_row_delete(txn, group_volume(batch, g));
    const struct err e = rows_get(txn_rows(txn), SPACE_VOLUMES, key_volume(group_volume(batch, g), key),
                                  &value);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(volume_row_decode(value, &row));
    if (row.state != VOLUME_SEALED) return OK; /* its bytes are counted when it is sealed */
    row.bytes_taken -= row.bytes_taken < g->bytes ? row.bytes_taken : g->bytes;
    return txn_put(txn, SPACE_VOLUMES, str_of(key, sizeof(key)), volume_row_encode(&row, out));
}

static struct err forget(struct txn *txn, void *arg)
{
    const struct batch *batch = arg;

    for (uint32_t i = 0; i < batch->row_count; i++) {
        char key[KEY_PLACE_BYTES];
        TRY(txn_del(txn, SPACE_FREED, key_place(batch->rows[i].volume, batch->rows[i].offset, key)));
    }
    for (uint32_t i = 0; i < batch->group_count; i++) TRY(forget_group(txn, batch, &batch->groups[i]));
    return OK;
}

static struct err act(struct batch *batch, struct freed_outcome *out)
{
    struct blobs *b = batch->b;
    uint64_t bytes = 0, unlinked = 0;

    for (uint32_t i = 0; i < batch->group_count; i++) {
        TRY(give_back(batch, &batch->groups[i]));
        bytes += batch->groups[i].bytes;
        unlinked += batch->groups[i].is_whole;
    }
    TRY(meta_run_freeing(b->meta, forget, batch));
    atomic_fetch_sub(&b->bytes_taken, bytes);
    atomic_fetch_sub(&b->volumes_sealed, unlinked);
    METRIC_ADD(volume_punched_bytes, bytes);
    out->bytes_given_back += bytes;
    return OK;
}

struct err reclaim_freed(struct blobs *b, struct freed_outcome *ret)
{
    struct freed_outcome out = { 0 };
    struct batch *batch = calloc(1, sizeof(*batch));
    struct err e = batch ? OK : FAIL(ERR_NO_MEMORY, "no memory to give space back");

    if (batch) batch->b = b;
    for (bool is_done = !batch; !is_done && !e.code;) {
        e = collect(batch, &out);
        if (!e.code && batch->row_count) e = act(batch, &out);
        is_done = batch->is_last;
    }
    free(batch);
    *ret = out;
    return e;
}
