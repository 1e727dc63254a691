/*
 * offline.c - opening a store without a server, with segments that are small, since almost nothing is going to be written.
 */
#include "admin/store/offline.h"

#include <stdio.h>

#include "admin/store/move_mark.h"
#include "storage/base/sysio.h"

static struct err need_file(const char *dir, const char *name)
{
    bool is_there;

    TRY(store_place_has(dir, name, &is_there));
    return is_there ? OK : err_fail(ERR_NOT_FOUND, "there is no store in %s", dir);
}

struct err offline_open_rows(const struct meta_options *options, struct meta **ret)
{
    struct meta_status status;
    struct meta *m;

    TRY(meta_open(options, &m));
    meta_status(m, &status);
    if (!status.is_open) {
        meta_close(m);
        return err_fail(ERR_UNAVAILABLE, "PostgreSQL cannot be used: %s", status.why_not);
    }
    *ret = m;
    return OK;
}

static struct err open_both(const struct store_place *where, struct offline *o)
{
    const struct meta_options m = {
        .store = where->store,
        .schema = where->schema,
        .is_offline = true,
        .dir = o->rows,
        .segment_bytes = OFFLINE_SEGMENT_BYTES,
        .disk_floor_bytes = OFFLINE_FLOOR_BYTES,
    };
    TRY(offline_open_rows(&m, &o->store.meta));
    TRY(move_mark_refuse(o->store.meta));
    const struct blob_options b = {
        .dir = o->volumes,
        .meta = o->store.meta,
        .disk_floor_bytes = OFFLINE_FLOOR_BYTES,
        .is_reclaim_manual = true,
    };
    return blob_open(&b, &o->store.blobs);
}

struct err offline_open(const struct store_place *where, struct offline *ret)
{
    TRY(store_place_check(where));
    TRY(need_file(where->dir, where->store ? "volumes/STORE" : "rows/rows/data.mdb"));
    *ret = (struct offline){ .store = { .part_bytes_min = LIMIT_PART_BYTES_MIN,
                                        .small_body_max = LIMIT_SMALL_BODY } };
    (void)snprintf(ret->rows, sizeof(ret->rows), "%s/rows", where->dir);
    (void)snprintf(ret->volumes, sizeof(ret->volumes), "%s/volumes", where->dir);
    const struct err e = open_both(where, ret);
    if (e.code == ERR_OK) return OK;
    char why[512];
    const struct err kept = err_keep(e, why, sizeof(why)); /* closing may use up the ring */
    offline_close(ret);
    if (kept.code == ERR_BUSY && !where->store)
        return err_fail(ERR_BUSY,
                        "%s is in use: a server or another verb has it open (firn backup asks a server)",
                        where->dir);
    return err_fail(kept.code, "%s", why);
}

void offline_close(struct offline *o)
{
    o->store.blobs = blob_close(o->store.blobs);
    o->store.meta = meta_close(o->store.meta);
}
