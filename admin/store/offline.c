/*
 * offline.c - opening a store without a server, with segments that are small, since almost nothing is going to be written.
 */
#include "admin/store/offline.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"

#define OFFLINE_SEGMENT_BYTES (4 * MIB) /* one is made at each opening */
#define OFFLINE_FLOOR_BYTES (1 * MIB)   /* a full disk is a reason to look, not to refuse */

struct err offline_refuse_incomplete(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/" RESTORE_MARK, dir);
    const struct err e = sys_stat(path, &st);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    return err_fail(ERR_INVALID,
                    "%s holds a restore that was cut off: remove the directory and restore again", dir);
}

static struct err find_store(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;

    if (strlen(dir) > STORE_PATH_MAX) return FAIL(ERR_INVALID, "the path of the directory is too long");
    (void)snprintf(path, sizeof(path), "%s/rows/rows/data.mdb", dir);
    const struct err e = sys_stat(path, &st);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_NOT_FOUND, "there is no store in %s", dir);
    TRY(e);
    return offline_refuse_incomplete(dir);
}

static struct err open_both(struct offline *o)
{
    const struct meta_options m = {
        .dir = o->rows,
        .segment_bytes = OFFLINE_SEGMENT_BYTES,
        .disk_floor_bytes = OFFLINE_FLOOR_BYTES,
    };
    TRY(meta_open(&m, &o->store.meta));
    const struct blob_options b = {
        .dir = o->volumes,
        .meta = o->store.meta,
        .disk_floor_bytes = OFFLINE_FLOOR_BYTES,
        .is_reclaim_manual = true,
    };
    return blob_open(&b, &o->store.blobs);
}

struct err offline_open(const char *dir, struct offline *ret)
{
    TRY(find_store(dir));
    *ret = (struct offline){ .store = { .part_bytes_min = LIMIT_PART_BYTES_MIN,
                                        .small_body_max = LIMIT_SMALL_BODY } };
    (void)snprintf(ret->rows, sizeof(ret->rows), "%s/rows", dir);
    (void)snprintf(ret->volumes, sizeof(ret->volumes), "%s/volumes", dir);
    const struct err e = open_both(ret);
    if (e.code == ERR_OK) return OK;
    char why[512];
    const struct err kept = err_keep(e, why, sizeof(why)); /* closing may use up the ring */
    offline_close(ret);
    if (kept.code == ERR_BUSY)
        return err_fail(
            ERR_BUSY, "%s is in use: a server or another verb has it open (firn backup asks a server)", dir);
    return err_fail(kept.code, "%s", why);
}

void offline_close(struct offline *o)
{
    o->store.blobs = blob_close(o->store.blobs);
    o->store.meta = meta_close(o->store.meta);
}
