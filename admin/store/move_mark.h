/*
 * move_mark.h - the row that says: these rows are not a store that may be opened. It stands in SPACE_SYSTEM of an engine that takes part in a move (move.h), and is never moved itself.
 *
 *   state     in the rows of   means
 *   COPYING   the target       rows are being put there, or were when the move was cut off
 *   WHOLE     the target       all rows are there and verified; the source still holds the store, or was just retired
 *   MOVED     the source       (PostgreSQL) the store is elsewhere now. An embedded source is renamed instead
 *
 * docs/FORMAT.md, "A move", has the bytes.
 */
#ifndef ADMIN_STORE_MOVE_MARK_H
#define ADMIN_STORE_MOVE_MARK_H

#include "storage/base/ids.h"
#include "storage/meta/meta.h"

#define MOVE_MARK_KEY STR("store-move")
#define MOVE_TEXT_MAX 4096

enum move_state { MOVE_NONE, MOVE_COPYING, MOVE_WHOLE, MOVE_MOVED }; /* on disk, but for NONE */

struct move_mark {
    enum move_state state;
    struct uid move, store;       /* which move; the store's id (ROW_STORE_KEY) */
    char text[MOVE_TEXT_MAX + 1]; /* WHOLE in PostgreSQL: the name that the old rows' directory gets. MOVED: the data directory that has the rows now */
};

/* NONE when there is no such row. ERR_CORRUPT. */
struct err move_mark_read(struct meta *m, struct move_mark *ret);
struct err move_mark_put(struct meta *m, const struct move_mark *mark);
struct err move_mark_del(struct meta *m);

/* For whoever opens a store: ERR_INVALID, with what to do, when there is a mark. */
struct err move_mark_refuse(struct meta *m);

#endif
