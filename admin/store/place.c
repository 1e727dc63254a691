/*
 * place.c - see place.h.
 *
 * A start makes rows first and the volumes' file STORE last (storage/volume/store_dir.c), so volumes without rows are never a start that was cut off: their rows are elsewhere, and a new, empty set
 * of them would be in the way of those.
 */
#include "admin/store/place.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "storage/base/sysio.h"
#include "storage/meta/rows_copy.h"

struct err store_place_has(const char *dir, const char *name, bool *ret)
{
    char path[PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    const struct err e = sys_stat(path, &st);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    *ret = !e.code;
    return OK;
}

struct err store_place_advise(const char *dir, struct err e)
{
    bool has_copy = false;

    if (e.code != ERR_CORRUPT || strlen(dir) > STORE_PATH_MAX) return e;
    err_ignore(store_place_has(dir, "rows/" ROWS_COPY_NAME, &has_copy));
    return err_fail(
        ERR_CORRUPT,
        has_copy
            ? "%s. Nothing was changed. firn store check --data %s says more; firn store repair --data %s makes the rows anew of their "
              "daily copy and the journal"
            : "%s. Nothing was changed, and there is no copy of the rows: restore a backup (firn store restore --from DIRECTORY); where there is none, firn store salvage brings bodies back",
        e.why, dir, dir);
}

struct err store_place_check(const struct store_place *where)
{
    const char *dir = where->dir;
    bool has_mark, has_rows, has_volumes;

    if (strlen(dir) > STORE_PATH_MAX) return FAIL(ERR_INVALID, "the path of the directory is too long");
    TRY(store_place_has(dir, RESTORE_MARK, &has_mark));
    TRY(store_place_has(dir, "rows", &has_rows));
    TRY(store_place_has(dir, "volumes/STORE", &has_volumes));
    if (has_mark)
        return err_fail(ERR_INVALID,
                        "%s holds a restore that was cut off: remove the directory and restore again", dir);
    if (where->store && has_rows)
        return err_fail(
            ERR_INVALID,
            "the rows of this store are in %s/rows, but setting 'store' names PostgreSQL: take it out, move the rows (firn store move), or give another data directory",
            dir);
    if (!where->store && !has_rows && has_volumes)
        return err_fail(
            ERR_INVALID,
            "%s has the volumes of a store, but not its rows: if those are in PostgreSQL, setting 'store' has to name it; if a firn store move was cut off, run it again",
            dir);
    return OK;
}
