/*
 * repair.c - see storage/meta/repair.h for what is done.
 */
#include "admin/store/repair.h"

#include <stdio.h>

#include "admin/store/offline.h"

static void rows_dir(const char *dir, char out[STORE_PATH_MAX + 16])
{
    (void)snprintf(out, STORE_PATH_MAX + 16, "%s/rows", dir);
}

struct err store_rows_check(const struct store_place *where)
{
    char rows[STORE_PATH_MAX + 16];
    bool is_there;

    TRY(store_place_check(where));
    if (where->store) return OK;
    TRY(store_place_has(where->dir, "rows/rows/data.mdb", &is_there));
    if (!is_there) return OK;
    rows_dir(where->dir, rows);
    const struct err e = meta_rows_check(rows);
    return e.code == ERR_BUSY ? OK : e;
}

struct err store_repair(const char *dir, struct repaired *ret)
{
    char rows[STORE_PATH_MAX + 16];
    bool is_there;

    TRY(store_place_check(&(struct store_place){ .dir = dir }));
    TRY(store_place_has(dir, "rows/journal", &is_there));
    if (!is_there) return err_fail(ERR_NOT_FOUND, "there is no store with rows of its own in %s", dir);
    rows_dir(dir, rows);
    const struct meta_options o = { .dir = rows,
                                    .segment_bytes = OFFLINE_SEGMENT_BYTES,
                                    .disk_floor_bytes = OFFLINE_FLOOR_BYTES };
    const struct err e = meta_repair(&o, ret);
    if (e.code == ERR_BUSY) return err_fail(ERR_BUSY, "%s is in use: stop its server first", dir);
    return e;
}
