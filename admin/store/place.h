/*
 * place.h - where a store is: a data directory, and the engine that holds its rows. What forbids opening it there.
 *
 * A data directory has the volumes, and, with the embedded engine, rows/. One store has its rows in one engine, always. Names in it that say more:
 *
 *   RESTORE-INCOMPLETE   a restore into it has begun and not ended (restore.h)
 *   rows.moving/         rows that are being moved here from PostgreSQL (move.h); no store opens them
 *   rows.moved-DATE/     rows as they were when they were moved to PostgreSQL; nothing reads them any more
 */
#ifndef ADMIN_STORE_PLACE_H
#define ADMIN_STORE_PLACE_H

#include <stdbool.h>

#include "storage/base/err.h"

#define STORE_PATH_MAX 3072 /* so that names of files fit behind it */

struct store_place {
    const char *dir;    /* the data directory; at most STORE_PATH_MAX bytes */
    const char *store;  /* PostgreSQL's connection string. NULL: the rows are in dir/rows */
    const char *schema; /* with store; NULL: "firn" */
};

#define RESTORE_MARK "RESTORE-INCOMPLETE"

/* For whoever opens a store, before anything is made or changed: ERR_INVALID, with what to do, when a restore into the directory was cut off; when it has rows of its own and store names
 * PostgreSQL; when it has volumes but no rows, and store names nothing. A directory that is empty or not there is fine. */
struct err store_place_check(const struct store_place *where);

/* An error of opening the rows of a data directory; ERR_CORRUPT with what to do about it, depending on what is there. */
struct err store_place_advise(const char *dir, struct err e);

/* Is there a file or directory of that name in dir? */
struct err store_place_has(const char *dir, const char *name, bool *ret);

#endif
