/*
 * disk.c - a full disk must not be a dead end.
 *
 * Below a floor of free space only work that frees some is admitted, so that the room left is for its journal and for checkpoints. When
 * even these find none, the ballast, a file of one segment's size, is given up; it is taken again when there is room.
 *
 * The copy of the rows and the journal kept for it (copy_keep.h) are worth less than room to write. The look that first finds the disk below the floor, or without the room that the next segments need, wakes
 * the checkpoint thread, which gives them up; the look that finds room again wakes the one that makes copies.
 *
 * Segments and volumes' space come back only behind a checkpoint. So where space is short one is asked for once a second, before the rows that
 * wait in memory are more than the floor can take up in LMDB, and below it, so that what was deleted comes back.
 */
#include <stdio.h>

#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/embedded.h"

#define LOOK_MS                                                                                              \
    100 /* a statvfs this often costs nothing; at 1 GB/s a floor of 256 MiB is not passed in between */

#define ASK_MS                                                                                               \
    1000 /* a checkpoint of a few rows is a few flushes; deletes write little journal in a second */

/* Each crossing is seen by one look. */
static void tell_copy(struct embedded *m, bool was_below, bool is_below)
{
    const bool is_tight = !disk_has_room(m);
    const bool was_tight = atomic_exchange(&m->is_tight, is_tight);

    if ((is_below && !was_below) || (is_tight && !was_tight)) checkpoint_look_again(m);
    else if (was_tight && !is_tight) copy_keep_room_again(m);
}

void disk_look(struct embedded *m)
{
    uint64_t available, total;

    atomic_store(&m->disk_looked_ms, clock_mono_ms());
    const struct err e = sys_free_bytes(m->dir, &available, &total);
    if (e.code) return; /* what was known before holds */
    atomic_store(&m->disk_free, available);
    atomic_store(&m->disk_total, total);
    const bool is_below = available < m->options.disk_floor_bytes;
    const bool was_below = atomic_exchange(&m->is_below_floor, is_below);
    tell_copy(m, was_below, is_below);
    if (was_below == is_below) return;
    if (is_below) LOG_WARN("the disk is almost full: only deletes are admitted", U64("free", available));
    else LOG_INFO("the disk has room again", U64("free", available));
}

/* Rows take up to twice their bytes in LMDB, whose pages are half full at worst. */
static bool is_short(struct embedded *m)
{
    return atomic_load(&m->disk_free) < m->options.disk_floor_bytes + 2 * atomic_load(&m->memtable_bytes);
}

static void ask_for_checkpoint(struct embedded *m, uint64_t now)
{
    uint64_t asked = atomic_load(&m->disk_asked_ms);

    if (now - asked < ASK_MS || m->options.is_checkpoint_manual) return;
    if (atomic_load(&m->checkpointed) == atomic_load(&m->published)) return;
    if (atomic_compare_exchange_strong(&m->disk_asked_ms, &asked, now)) checkpoint_ask(m);
}

struct err disk_admit(struct embedded *m, bool is_freeing)
{
    uint64_t looked = atomic_load_explicit(&m->disk_looked_ms, memory_order_relaxed);
    const uint64_t now = clock_mono_ms();

    if (now - looked >= LOOK_MS && atomic_compare_exchange_strong(&m->disk_looked_ms, &looked, now)) {
        disk_look(m);
        if (is_short(m)) ask_for_checkpoint(m, now);
    }
    if (is_freeing) return OK;
    return atomic_load(&m->is_below_floor) ? FAIL(ERR_NO_SPACE, "the disk is almost full") : OK;
}

/* ---- the ballast ---- */

static void ballast_path(const struct embedded *m, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/ballast", m->dir);
}

void disk_ballast_find(struct embedded *m)
{
    char path[SEGMENT_PATH_MAX];
    struct stat st;

    ballast_path(m, path);
    const bool is_there = !sys_stat(path, &st).code;
    atomic_store(&m->has_ballast, is_there && (uint64_t)st.st_size >= m->options.segment_bytes);
}

bool disk_has_room(struct embedded *m)
{
    return atomic_load(&m->disk_free) >= m->options.disk_floor_bytes + 2 * m->options.segment_bytes;
}

void disk_ballast_take(struct embedded *m)
{
    const uint64_t bytes = m->options.segment_bytes;
    char path[SEGMENT_PATH_MAX];
    int fd;

    if (atomic_load(&m->has_ballast)) return;
    if (!disk_has_room(m)) return;
    ballast_path(m, path);
    if (sys_open(path, O_RDWR | O_CREAT, 0600, &fd).code) return;
    const struct err e = sys_fallocate(fd, 0, 0, bytes);
    sys_close(fd);
    if (e.code) err_ignore(sys_unlink(path));
    else atomic_store(&m->has_ballast, true);
}

bool disk_ballast_give(struct embedded *m)
{
    char path[SEGMENT_PATH_MAX];

    if (!atomic_exchange(&m->has_ballast, false)) return false;
    ballast_path(m, path);
    LOG_WARN("the disk is full: the ballast is given up");
    return !sys_unlink(path).code;
}
