/*
 * repair.h - the rows of a data directory whose LMDB is broken.
 *
 * Threads: an operator's verb, alone.
 */
#ifndef ADMIN_STORE_REPAIR_H
#define ADMIN_STORE_REPAIR_H

#include "admin/store/place.h"
#include "storage/meta/repair.h"

/* Before a store is opened to be looked at: every page of LMDB, and every row's checksum. OK as well when there is nothing to look at (rows in PostgreSQL, no store, one that is in use): opening says that. ERR_CORRUPT:
 * what is damaged. */
struct err store_rows_check(const struct store_place *where);

/* As meta_repair. ERR_NOT_FOUND: there is no store, or no copy; ERR_BUSY: it is in use. */
struct err store_repair(const char *dir, struct repaired *ret);

#endif
