/*
 * blob.c - opening and closing the volumes, and what can be said of them.
 *
 * Order of starting: recovery (which opens the set of volumes), then reclaim. Order of stopping: reclaim first, so that
 * nobody seals a volume while the set is closed.
 */
#include "storage/volume/blob.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"

#define VOLUME_BYTES_DEFAULT (1 * GIB)
#define VOLUME_BYTES_MIN (4 * MIB)
#define OWN_FILE_BYTES_DEFAULT (256 * MIB)
#define FLOOR_BYTES_DEFAULT (256 * MIB)
#define WRITERS_OPEN_DEFAULT 8

static uint64_t or_default(uint64_t value, uint64_t if_zero)
{
    return value ? value : if_zero;
}

static uint64_t at_most(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

static struct err blobs_new(const struct blob_options *o, struct blobs **ret)
{
    const uint64_t volume_bytes = or_default(o->volume_bytes, VOLUME_BYTES_DEFAULT);
    if (volume_bytes < VOLUME_BYTES_MIN) return FAIL(ERR_INVALID, "a volume has at least 4 MiB");

    struct blobs *b = calloc(1, sizeof(*b));
    char *dir = b && o->dir ? strdup(o->dir) : NULL;
    if (!b || (o->dir && !dir)) {
        free(b);
        return FAIL(ERR_NO_MEMORY, "no memory for the volumes");
    }
    b->meta = o->meta;
    b->lock_fd = -1;
    b->dir = dir;
    b->place = (struct volume_place){
        .dir = dir,
        .bytes = volume_bytes,
        .floor_bytes = or_default(o->disk_floor_bytes, FLOOR_BYTES_DEFAULT),
    };
    b->own_file_bytes = or_default(o->own_file_bytes, at_most(OWN_FILE_BYTES_DEFAULT, volume_bytes / 4));
    b->chunk_bytes_max = at_most(LIMIT_EXTENT_STEP, volume_bytes / 4);
    pins_init(&b->pins);
    *ret = b;
    return OK;
}

/* Rows of bodies whose volumes another server has. */
static struct err refuse_bodies(struct blobs *b)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    char text[2 * sizeof(struct uid) + 1];
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    TRY(view_open(b->meta, &view));
    rows_scan_begin(&scan, view, SPACE_BODIES, STR_NONE, false);
    if (rows_scan_next(&scan, &key, &value)) {
        hex_z(key.data, key.len < sizeof(struct uid) ? key.len : sizeof(struct uid), text);
        e = err_fail(
            ERR_INVALID,
            "the store has bodies in the volumes of a server (the first is %s): servers that share it would not find them. "
            "Let one server have it alone (setting store-shared), or move its objects",
            text);
    } else {
        e = scan.err;
    }
    rows_scan_done(&scan);
    return e;
}

struct err blob_open(const struct blob_options *options, struct blobs **ret)
{
    struct blobs *b = NULL;
    const int slots = options->writers_open_max ? options->writers_open_max : WRITERS_OPEN_DEFAULT;

    TRY(blobs_new(options, &b));
    struct err e = b->dir ? volumes_recover(b, slots) : refuse_bodies(b);
    if (!e.code && b->dir) e = reclaim_start(b, options->is_reclaim_manual, &b->reclaim);
    if (e.code) {
        blob_close(b);
        return e;
    }
    *ret = b;
    return OK;
}

struct blobs *blob_close(struct blobs *b)
{
    if (!b) return NULL;
    b->reclaim = reclaim_stop(b->reclaim);
    b->set = volume_set_close(b->set);
    pins_done(&b->pins);
    sys_close(b->lock_fd);
    free(b->dir);
    free(b);
    return NULL;
}

struct err blob_reclaim(struct blobs *b, uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    return b->dir ? reclaim_pass(b->reclaim, ret_bytes) : OK;
}

void blob_status(struct blobs *b, struct blob_status *ret)
{
    struct volume_set_state set;
    uint64_t free_bytes = 0, total;

    if (!b->dir) {
        *ret = (struct blob_status){ .is_writable = true };
        return;
    }
    volume_set_state(b->set, &set);
    const struct err e = sys_free_bytes(b->dir, &free_bytes, &total);
    const uint64_t taken = atomic_load(&b->bytes_taken),
                   waiting = at_most(atomic_load(&b->bytes_waiting), taken);
    *ret = (struct blob_status){
        .volumes = atomic_load(&b->volumes_sealed) + set.volumes,
        .bytes_live = taken - waiting,
        .bytes_on_disk = taken + set.bytes_ahead,
        .bytes_freed_waiting = waiting,
        .is_writable = !e.code && free_bytes >= b->place.floor_bytes && !set.has_failed,
    };
}
