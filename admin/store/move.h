/*
 * move.h - a store's rows and small bodies go from one engine to the other; its volumes stay where they are.
 *
 *   to PostgreSQL     DIR/rows is read, the schema is filled; then DIR/rows becomes DIR/rows.moved-DATE
 *   to the directory  the schema is read, DIR/rows.moving is filled; then the schema is marked as moved, and DIR/rows.moving becomes DIR/rows
 *
 * Promises:
 *   V1  The source is not changed before all of it was read back from the target and found equal, row by row and body by body (move_copy.h).
 *   V2  At no time do both engines hold a store that starts. Before the source is retired the target is marked, and no server starts on it; after that the source does not start.
 *   V3  Whatever cuts it off, the same command does it again: from the beginning while the source holds the store, only the rest when that was retired already. Until then the source can be
 *       used, and written to.
 *   V4  The target is empty, or of a move of this store that was cut off or undone since; anything else is refused and left as it is.
 *
 * The steps, each durable before the next: COPYING in the target, old rows there deleted; rows and bodies; the target is closed, opened again and read back; WHOLE in the target; the source is retired; the
 * target is put into service. The source has its engine's lock all the time, so no server runs on it meanwhile.
 */
#ifndef ADMIN_STORE_MOVE_H
#define ADMIN_STORE_MOVE_H

#include "admin/store/move_copy.h"
#include "admin/store/move_mark.h"
#include "admin/store/place.h"

struct move_options {
    struct store_place place; /* the data directory, and the PostgreSQL of the move (never NULL), whichever way it goes */
    bool is_to_postgresql;
    bool is_dry_run;          /* only read and count the source; the target is not looked at */
    uint64_t segment_bytes, disk_floor_bytes; /* of the embedded engine: meta_options */
    void (*progress)(void *arg, const char *what, uint64_t rows, uint64_t bodies); /* NULL: is not told */
    void *arg;
};

struct move_result {
    struct move_tally tally; /* of all that was moved; of nothing, with is_end_only */
    bool is_end_only;        /* one that was cut off was whole already: its last steps were done now */
    char kept[STORE_PATH_MAX + MOVE_TEXT_MAX + 2]; /* where the old rows are now; "" when they are in PostgreSQL */
};

/* ERR_NOT_FOUND: there is no store to move. ERR_EXISTS: the target holds another one. ERR_INVALID: these are not the rows of this directory, or there is nothing to move any more. ERR_BUSY: a server runs on it.
 * ERR_CORRUPT: a row or body of the source is damaged, or what was read back is not what was put. ERR_UNAVAILABLE, ERR_OUTCOME_UNKNOWN, ERR_NO_SPACE, ERR_IO: it was cut off; see V3. */
struct err store_move(const struct move_options *options, struct move_result *ret);

#endif
