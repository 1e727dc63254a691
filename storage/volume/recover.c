/*
 * recover.c - the start: which files and rows belong together, and which volumes go on; and sealing, which is the same work for one volume.
 *
 * It reads the rows of volumes, the names in the directory, and the extents' rows of open volumes: never the data, and never the rows
 * of sealed volumes.
 *
 *   file  row     what is done
 *   yes   none    no body in it was ever published: unlinked (also a file that was half made)
 *   yes   open    what no row takes was never published or is given back: punched, and the end cut; then it goes on, or is sealed
 *                 (a body's own, full, or more than there are slots), or is unlinked when nothing is taken
 *   yes   sealed  counted; a file shorter than its committed length is reported
 *   none  any     extents' rows: data is lost, reported, and reading them says so. Freed rows: left to reclaim. None: the row goes
 *
 * Whose directory it is was found out before (store_dir.h): unlinking files without rows must never meet another store's.
 */
#include <inttypes.h>

#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"
#include "storage/volume/store_dir.h"

/* ---- one volume ---- */

struct err volume_punch_gaps(struct rows *r, int fd, uint64_t volume, struct volume_space *ret)
{
    struct volume_space space = { 0 };
    struct taken_scan scan;
    uint64_t offset, end;
    struct err e = OK;

    taken_scan_begin(&scan, r, volume);
    while (!e.code && taken_scan_next(&scan, &offset, &end)) {
        if (offset < space.end)
            e = err_fail(ERR_CORRUPT, "extents of volume %" PRIu64 " overlap at %" PRIu64, volume, offset);
        else if (offset > space.end) e = sys_punch(fd, space.end, offset - space.end);
        space.end = end;
        space.bytes_taken += end - offset;
    }
    if (!e.code) e = scan.err;
    taken_scan_done(&scan);
    TRY(e);
    *ret = space;
    return OK;
}

struct row_change {
    uint64_t volume;
    bool is_delete;
    struct volume_row row;
};

static struct err change_row(struct txn *txn, void *arg)
{
    const struct row_change *change = arg;
    char key[KEY_VOLUME_BYTES];
    uint8_t value[ROW_VOLUME_BYTES];

    if (change->is_delete) return volume_row_delete(txn, change->volume);
    return txn_put(txn, SPACE_VOLUMES, key_volume(change->volume, key),
                   volume_row_encode(&change->row, value));
}

static struct err remove_file(struct blobs *b, uint64_t volume)
{
    char path[PATH_MAX];

    volume_path(b->dir, volume, path);
    TRY(sys_unlink_if_there(path));
    return sys_sync_dir(b->dir);
}

/* Nothing is taken in it: no file, no row. The file first: a row without a file is cleared up at the next start. */
static struct err remove_volume(struct blobs *b, uint64_t volume)
{
    struct row_change change = { .volume = volume, .is_delete = true };

    TRY(remove_file(b, volume));
    return meta_run_freeing(b->meta, change_row, &change);
}

static struct err seal_row(struct blobs *b, uint64_t volume, bool is_own, struct volume_space space)
{
    struct row_change change = {
        .volume = volume,
        .row = { VOLUME_SEALED, is_own, .length = space.end, .bytes_taken = space.bytes_taken },
    };

    TRY(meta_run_freeing(b->meta, change_row, &change));
    atomic_fetch_add(&b->volumes_sealed, 1);
    return OK;
}

/* Between the view and the transaction extents may become freed space: the same is taken. Nothing else can change, since nobody writes
 * here any more. */
struct err volume_seal(struct blobs *b, uint64_t volume, int fd, bool is_own)
{
    struct volume_space space;
    struct rows *view = NULL;

    TRY(view_open(b->meta, &view));
    const struct err e = volume_punch_gaps(view, fd, volume, &space);
    view_close(view);
    TRY(e);
    if (!space.bytes_taken) return remove_volume(b, volume);
    TRY(sys_ftruncate(fd, space.end));
    TRY(sys_fdatasync(fd)); /* once the row is there nobody looks for gaps again */
    return seal_row(b, volume, is_own, space);
}

/* ---- all volumes ---- */

struct recovery {
    struct blobs *b;
    struct volume_files files;
    uint64_t highest;
};

/* No row of a volume. If there are rows of extents nevertheless, something is wrong, and nothing is destroyed. */
static struct err recover_unknown(struct recovery *rec, struct rows *view, uint64_t id)
{
    bool has_extents, has_freed;
    char path[PATH_MAX];

    TRY(volume_has_rows(view, SPACE_EXTENTS, id, &has_extents));
    TRY(volume_has_rows(view, SPACE_FREED, id, &has_freed));
    if (has_extents || has_freed) {
        LOG_ERROR("a volume has extents but no row of its own: left as it is", U64("volume", id));
        return OK;
    }
    volume_path(rec->b->dir, id, path);
    LOG_INFO("unlinking a volume in which nothing was published", U64("volume", id));
    return sys_unlink(path);
}

/* What its rows take: reclaim will take that off again, when it finds that the file has gone. */
static struct err count_missing(struct recovery *rec, struct rows *view, uint64_t id, bool is_sealed)
{
    struct taken_scan scan;
    uint64_t offset, end;

    taken_scan_begin(&scan, view, id);
    while (taken_scan_next(&scan, &offset, &end)) atomic_fetch_add(&rec->b->bytes_taken, end - offset);
    const struct err e = scan.err;
    taken_scan_done(&scan);
    atomic_fetch_add(&rec->b->volumes_sealed, is_sealed);
    return e;
}

static struct err recover_missing(struct recovery *rec, struct rows *view, uint64_t id, bool is_sealed)
{
    bool has_extents, has_freed;

    TRY(volume_has_rows(view, SPACE_EXTENTS, id, &has_extents));
    TRY(volume_has_rows(view, SPACE_FREED, id, &has_freed));
    if (has_extents)
        LOG_ERROR("the file of a volume is missing: the bodies in it are lost", U64("volume", id));
    return has_extents || has_freed ? count_missing(rec, view, id, is_sealed) : remove_volume(rec->b, id);
}

static struct err check_length(int fd, uint64_t id, uint64_t length, bool *ret_is_short)
{
    struct stat st;

    TRY(sys_fstat(fd, &st));
    *ret_is_short = (uint64_t)st.st_size < length;
    if (*ret_is_short) {
        LOG_ERROR("a volume is shorter than what was committed in it: bodies are lost", U64("volume", id),
                  I64("bytes", st.st_size), U64("committed", length));
    }
    return OK;
}

/* An open volume whose file is open as fd: give back what no row takes; then it goes on or is sealed. */
static struct err recover_open_fd(struct blobs *b, struct rows *view, uint64_t id, int fd, bool is_own)
{
    struct volume_space space;
    struct volume *v = NULL;
    bool is_short;

    TRY(volume_punch_gaps(view, fd, id, &space));
    if (!space.bytes_taken) return remove_volume(b, id);
    atomic_fetch_add(&b->bytes_taken, space.bytes_taken);
    TRY(check_length(fd, id, space.end, &is_short));
    if (is_short) return OK; /* nothing is built upon it */

    TRY(sys_ftruncate(fd, space.end));
    if (!is_own && space.end < b->place.bytes) {
        TRY(volume_reopen(&b->place, id, space.end, &v));
        if (volume_set_adopt(b->set, v)) return OK;
        volume_free(v);
    }
    TRY(sys_fdatasync(fd));
    return seal_row(b, id, is_own, space);
}

static struct err recover_one(struct recovery *rec, struct rows *view, uint64_t id,
                              const struct volume_row *row)
{
    struct blobs *b = rec->b;
    char path[PATH_MAX];
    bool is_short;
    int fd = -1;

    volume_path(b->dir, id, path);
    TRY(sys_open(path, O_RDWR, 0, &fd));
    struct err e;
    if (row->state == VOLUME_OPEN) {
        e = recover_open_fd(b, view, id, fd, row->is_own);
    } else {
        atomic_fetch_add(&b->bytes_taken, row->bytes_taken);
        atomic_fetch_add(&b->volumes_sealed, 1);
        e = check_length(fd, id, row->length, &is_short);
    }
    sys_close(fd);
    return e;
}

/* Every volume that has a row. */
static struct err recover_rows(struct recovery *rec, struct rows *view)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, view, SPACE_VOLUMES, STR_NONE, false);
    while (!e.code && rows_scan_next(&scan, &key, &value)) {
        struct volume_row row;
        uint64_t id = 0;
        e = key_volume_decode(key, &id);
        if (!e.code) e = volume_row_decode(value, &row);
        if (e.code) break;
        if (id > rec->highest) rec->highest = id;
        e = volume_files_have(&rec->files, id) ? recover_one(rec, view, id, &row)
                                               : recover_missing(rec, view, id, row.state == VOLUME_SEALED);
    }
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* Every file that has no row. */
static struct err recover_files(struct recovery *rec, struct rows *view)
{
    bool has_unlinked = false;

    for (size_t i = 0; i < rec->files.count; i++) {
        const uint64_t id = rec->files.ids[i];
        char key[KEY_VOLUME_BYTES];
        struct err e;

        if (id > rec->highest) rec->highest = id;
        const bool is_known = rows_have(view, SPACE_VOLUMES, key_volume(id, key), &e);
        TRY(e);
        if (is_known) continue;
        TRY(recover_unknown(rec, view, id));
        has_unlinked = true;
    }
    return has_unlinked ? sys_sync_dir(rec->b->dir) : OK;
}

/* The highest id in use or used before. */
static struct err next_id(struct recovery *rec, struct rows *view)
{
    struct rows_scan scan;
    struct str key, value;
    uint64_t id = 0;

    TRY(volume_highest_deleted(view, &rec->highest));
    rows_scan_begin(&scan, view, SPACE_VOLUMES, STR_NONE, true);
    struct err e = rows_scan_next(&scan, &key, &value) ? key_volume_decode(key, &id) : scan.err;
    rows_scan_done(&scan);
    if (id > rec->highest) rec->highest = id;
    if (rec->files.count && rec->files.ids[rec->files.count - 1] > rec->highest) {
        rec->highest = rec->files.ids[rec->files.count - 1];
    }
    return e;
}

static struct err recover_in_view(struct recovery *rec, struct rows *view, int slots)
{
    TRY(next_id(rec, view));
    TRY(volume_set_open(&rec->b->place, slots, rec->highest + 1, &rec->b->set));
    TRY(recover_files(rec, view));
    return recover_rows(rec, view);
}

static struct err recover_listed(struct recovery *rec, int slots)
{
    struct rows *view = NULL;

    TRY(store_dir_open(rec->b->dir, rec->b->meta, &rec->b->lock_fd, &rec->b->store, &rec->files));
    TRY(view_open(rec->b->meta, &view));
    const struct err e = recover_in_view(rec, view, slots);
    view_close(view);
    return e;
}

struct err volumes_recover(struct blobs *b, int slots)
{
    struct recovery rec = { .b = b };
    const struct err e = recover_listed(&rec, slots);

    volume_files_done(&rec.files);
    return e;
}
