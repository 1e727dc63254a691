/*
 * volume.c - one open volume file: its tail, its allocation, its flushes.
 *
 * Why allocate ahead: a file that grows with every write has a new length at every flush, and its blocks lie scattered beside those of its
 * neighbours. The steps double with the volume, so that a small store stays small: 4 MiB, 8, 16, ... 64.
 *
 * The limit of a volume is soft: below it a reservation is given whole. So there are no splinters at the end, and it is exceeded by
 * one reservation at most.
 */
#include "storage/volume/volume.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/str.h"
#include "storage/base/sysio.h"
#include "storage/volume/record.h"

#define NAME_SUFFIX ".vol"

void volume_path(const char *dir, uint64_t id, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%010" PRIu64 NAME_SUFFIX, dir, id);
}

bool volume_id_from(const char *name, uint64_t *ret)
{
    const struct str s = str_from_z(name);

    if (!str_ends(s, STR(NAME_SUFFIX)) || s.len < 10 + sizeof(NAME_SUFFIX) - 1) return false;
    return str_to_u64(str_slice(s, 0, s.len - (sizeof(NAME_SUFFIX) - 1)), ret) && *ret > 0;
}

static struct err volume_new(const struct volume_place *place, uint64_t id, int flags, struct volume **ret)
{
    char path[PATH_MAX];
    struct volume *v = calloc(1, sizeof(*v));

    if (!v) return FAIL(ERR_NO_MEMORY, "no memory for a volume");
    volume_path(place->dir, id, path);
    const struct err e = sys_open(path, O_RDWR | flags, 0600, &v->fd);
    if (e.code) {
        free(v);
        return e;
    }
    v->id = id;
    v->place = place;
    mutex_init(&v->lock, LOCK_VOLUME);
    *ret = v;
    return OK;
}

struct err volume_create(const struct volume_place *place, uint64_t id, bool is_own, struct volume **ret)
{
    TRY(volume_new(place, id, O_CREAT | O_EXCL, ret));
    (*ret)->is_own = is_own;
    return OK;
}

struct err volume_reopen(const struct volume_place *place, uint64_t id, uint64_t tail, struct volume **ret)
{
    TRY(volume_new(place, id, 0, ret));
    (*ret)->tail = (*ret)->allocated = tail;
    return OK;
}

struct volume *volume_free(struct volume *v)
{
    if (!v) return NULL;
    assert(v->reservations == 0);
    sys_close(v->fd);
    mutex_done(&v->lock);
    free(v);
    return NULL;
}

/* ---- space ---- */

/* May the file grow to `length`, and does it? */
static struct err allocate_to_locked(struct volume *v, uint64_t length)
{
    uint64_t free_bytes, total;

    TRY(sys_free_bytes(v->place->dir, &free_bytes, &total));
    if (free_bytes < v->place->floor_bytes + (length - v->allocated)) {
        return FAIL(ERR_NO_SPACE, "the disk is full but for its reserve");
    }
    TRY(sys_fallocate(v->fd, 0, v->allocated, length - v->allocated));
    v->allocated = length;
    return OK;
}

/* Have the file allocated to `needed`: by a whole step if there is room for one, else by what is needed. */
static struct err allocate_locked(struct volume *v, uint64_t needed)
{
    if (needed <= v->allocated) return OK;

    uint64_t step = v->allocated < VOLUME_STEP_MIN ? VOLUME_STEP_MIN : v->allocated;
    if (step > LIMIT_EXTENT_STEP) step = LIMIT_EXTENT_STEP;
    uint64_t ahead = v->allocated + step;
    if (ahead > v->place->bytes) ahead = v->place->bytes;
    if (ahead > needed) {
        const struct err e = allocate_to_locked(v, ahead);
        if (e.code != ERR_NO_SPACE) return e;
    }
    return allocate_to_locked(v, needed);
}

static struct err take_locked(struct volume *v, uint64_t bytes)
{
    assert(bytes > 0 && bytes % RECORD_ALIGN == 0);
    if (v->is_failed || v->is_full) return FAIL(ERR_BUSY, "the volume takes no more");
    if (v->tail >= v->place->bytes) {
        v->is_full = true;
        return FAIL(ERR_BUSY, "the volume is full");
    }
    TRY(allocate_locked(v, v->tail + bytes));
    v->tail += bytes;
    return OK;
}

struct err volume_reserve(struct volume *v, uint64_t bytes, uint64_t *ret_offset)
{
    mutex_lock(&v->lock);
    const uint64_t offset = v->tail;
    const struct err e = take_locked(v, bytes);
    if (!e.code) v->reservations++;
    mutex_unlock(&v->lock);
    if (!e.code) *ret_offset = offset;
    return e;
}

struct err volume_grow(struct volume *v, uint64_t end, uint64_t bytes)
{
    mutex_lock(&v->lock);
    const struct err e = end == v->tail ? take_locked(v, bytes)
                                        : FAIL(ERR_BUSY, "another extent stands behind");
    mutex_unlock(&v->lock);
    return e;
}

void volume_give_back(struct volume *v, uint64_t new_end, uint64_t end)
{
    assert(new_end <= end && new_end % RECORD_ALIGN == 0);
    mutex_lock(&v->lock);
    if (v->tail == end) v->tail = new_end;
    mutex_unlock(&v->lock);
}

void volume_release(struct volume *v)
{
    mutex_lock(&v->lock);
    assert(v->reservations > 0);
    v->reservations--;
    mutex_unlock(&v->lock);
}

void volume_close_to_writers(struct volume *v)
{
    mutex_lock(&v->lock);
    v->is_full = true;
    mutex_unlock(&v->lock);
}

bool volume_is_idle(struct volume *v)
{
    mutex_lock(&v->lock);
    const bool is_idle = v->is_full && !v->is_failed && v->reservations == 0;
    mutex_unlock(&v->lock);
    return is_idle;
}

/* ---- writing ---- */

struct err volume_write(struct volume *v, const void *data, size_t len, uint64_t offset)
{
    TRY(sys_pwrite_all(v->fd, data, len, offset));
    METRIC_ADD(volume_appended_bytes, len);
    return OK;
}

static struct err flush_file(struct volume *v)
{
    const uint64_t begin_ns = clock_mono_ns();
    const bool is_named = v->is_name_durable;

    METRIC_ADD(volume_syncs, 1);
    struct err e = is_named ? sys_fdatasync(v->fd) : sys_fsync(v->fd);
    if (e.code == ERR_OK && !is_named) e = sys_sync_dir(v->place->dir);
    METRIC_OBSERVE(volume_flush, clock_mono_ns() - begin_ns);
    return e;
}

struct err volume_flush(struct volume *v)
{
    mutex_lock(&v->lock);
    const bool was_failed = v->is_failed;
    mutex_unlock(&v->lock);
    if (was_failed) return FAIL(ERR_IO, v->why);

    const struct err e = flush_file(v);
    if (!e.code) {
        v->is_name_durable = true;
        return OK;
    }
    mutex_lock(&v->lock);
    v->is_failed = true;
    (void)snprintf(v->why, sizeof(v->why), "a flush of volume %" PRIu64 " failed: %s", v->id, e.why);
    mutex_unlock(&v->lock);
    return FAIL(ERR_IO, v->why);
}
