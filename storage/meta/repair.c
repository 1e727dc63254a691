/*
 * repair.c - the copy is unpacked beside and verified; two renames put it in LMDB's place; then the store is opened, which replays the journal, and closed again. All of it under one lock, which the store
 * is opened in: a server that starts meanwhile is refused, so nothing is renamed under one.
 *
 *   rows.repair/    LMDB out of the copy, until it is verified
 *   rows.broken-N/  what was LMDB, N the time in milliseconds since 1970
 *
 * Stopped between the renames, there are no rows beside the journal, and no start goes on from there; the next repair does.
 */
#include "storage/meta/repair.h"

#include <stdio.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/sysio.h"
#include "storage/meta/engine.h"
#include "storage/meta/lmdb_rows.h"
#include "storage/meta/segment.h"

static const char *path_in(const char *dir, const char *name, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/%s", dir, name);
    return out;
}

/* Nobody else has the store open while *ret_fd is. */
static struct err lock(const char *dir, int *ret_fd)
{
    char path[SEGMENT_PATH_MAX];
    int fd = -1;

    if (strlen(dir) > SEGMENT_PATH_MAX - 64) return FAIL(ERR_INVALID, "the directory's path is too long");
    TRY(sys_open(path_in(dir, "lock", path), O_RDWR | O_CREAT, 0600, &fd));
    const struct err e = sys_lock(fd);
    if (e.code) sys_close(fd);
    else *ret_fd = fd;
    return e;
}

struct err meta_rows_check(const char *dir)
{
    char path[SEGMENT_PATH_MAX];
    int fd = -1;

    TRY(lock(dir, &fd));
    const struct err e = lmdb_rows_check(path_in(dir, "rows/data.mdb", path));
    sys_close(fd);
    return e;
}

/* LMDB's file, whole and durable, in rows.repair. */
static struct err unpack(const char *dir, struct rows_copy *ret)
{
    char copy[SEGMENT_PATH_MAX], fresh[SEGMENT_PATH_MAX], data[SEGMENT_PATH_MAX];

    TRY(sys_mkdir(path_in(dir, "rows.repair", fresh), 0700));
    TRY(sys_unlink_if_there(path_in(dir, "rows.repair/lock.mdb", data)));
    TRY(rows_copy_unpack(path_in(dir, ROWS_COPY_NAME, copy), path_in(dir, "rows.repair/data.mdb", data),
                         ret));
    TRY(lmdb_rows_check(data));
    return sys_sync_dir(fresh);
}

static struct err swap(const char *dir, struct repaired *r)
{
    char rows[SEGMENT_PATH_MAX], other[SEGMENT_PATH_MAX];

    (void)snprintf(r->broken, sizeof(r->broken), "rows.broken-%lld", (long long)clock_now_ms());
    const struct err e = sys_rename(path_in(dir, "rows", rows), path_in(dir, r->broken, other));
    if (e.code) r->broken[0] = '\0';
    if (e.code != ERR_NOT_FOUND) TRY(e);
    TRY(sys_rename(path_in(dir, "rows.repair", other), rows));
    return sys_sync_dir(dir);
}

/* The journal does not go with the copy: LMDB is what it was, broken. */
static void swap_back(const char *dir, const struct repaired *r)
{
    char rows[SEGMENT_PATH_MAX], other[SEGMENT_PATH_MAX];

    if (!r->broken[0]) return;
    err_ignore(sys_rename(path_in(dir, "rows", rows), path_in(dir, "rows.repair", other)));
    err_ignore(sys_rename(path_in(dir, r->broken, other), rows));
    err_ignore(sys_sync_dir(dir));
}

/* Opening replays; behind the checkpoint LMDB has it all, and is looked through once more. */
static struct err replay(const struct meta_options *options, int lock_fd)
{
    struct meta_options o = *options;
    char path[SEGMENT_PATH_MAX];
    struct meta *m;

    o.is_offline = true; /* the copy stays as it is */
    TRY(embedded_open_in_lock(&o, lock_fd, &m));
    const struct err e = meta_checkpoint(m);
    meta_close(m);
    TRY(e);
    return lmdb_rows_check(path_in(options->dir, "rows/data.mdb", path));
}

static struct err put_copy(const struct meta_options *options, int lock_fd, struct repaired *r)
{
    const struct err e = unpack(options->dir, &r->copy);

    if (e.code == ERR_NOT_FOUND)
        return err_fail(ERR_NOT_FOUND, "there is no copy of the rows in %s", options->dir);
    TRY(e);
    TRY(swap(options->dir, r));
    return replay(options, lock_fd);
}

static struct err repair_in_lock(const struct meta_options *options, int lock_fd, struct repaired *r)
{
    char why[512];

    const struct err e = put_copy(options, lock_fd, r);
    if (!e.code) return OK;
    const struct err kept = err_keep(e, why, sizeof(why));
    swap_back(options->dir, r);
    return err_fail(kept.code, "%s", why);
}

struct err meta_repair(const struct meta_options *options, struct repaired *ret)
{
    struct repaired r = { .broken = "" };
    int fd = -1;

    TRY(lock(options->dir, &fd));
    const struct err e = repair_in_lock(options, fd, &r);
    sys_close(fd);
    if (!e.code) *ret = r;
    return e;
}
