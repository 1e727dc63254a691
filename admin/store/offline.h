/*
 * offline.h - a store opened by an operator's verb, without a server.
 *
 * Opening is what a start of the server does: it takes the store's locks, settles the journal's end, and gives back what was never published. It is the only way
 * in: rows that were acknowledged may still be in the journal. Nothing else is changed; what could be reclaimed stays.
 */
#ifndef ADMIN_STORE_OFFLINE_H
#define ADMIN_STORE_OFFLINE_H

#include "admin/store/place.h"
#include "storage/base/limits.h"
#include "storage/object/object.h"

#define OFFLINE_SEGMENT_BYTES (4 * MIB) /* one is made at each opening, and almost nothing is written */
#define OFFLINE_FLOOR_BYTES (1 * MIB)   /* a full disk is a reason to look, not to refuse */

struct offline {
    struct store store;
    char rows[STORE_PATH_MAX + 16], volumes[STORE_PATH_MAX + 16];
};

/* ERR_NOT_FOUND: there is no store (none is made). ERR_BUSY: a server, or another verb, has it. ERR_INVALID: it must not be opened there (place.h, move_mark.h). ERR_UNAVAILABLE: PostgreSQL cannot be
 * reached. On a failure nothing is open. */
struct err offline_open(const struct store_place *where, struct offline *ret);
void offline_close(struct offline *o); /* also of one that was not opened, if it is zero */

/* The rows alone, of either engine: as meta_open, but ERR_UNAVAILABLE when PostgreSQL cannot be reached now. */
struct err offline_open_rows(const struct meta_options *options, struct meta **ret);

#endif
