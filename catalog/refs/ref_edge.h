/*
 * ref_edge.h - "this owner names this file": putting such an edge, and taking it away, with all that follows from it.
 *
 * The owners are the table's metadata (ref_root), manifest lists and manifests. The rows keep, after every transaction:
 *   R1  HOLDS (owner, file) and HELD (file, owner) say the same
 *   R2  a live list or manifest (one with a HELD row of the table) whose content is not all in HOLDS has a row in TODO
 *   R3  a list or manifest that is not live and still has rows in HOLDS has a row in DROPS
 *   R4  no file of the table's that is live is in QUEUE
 * So whoever works on them may stop at any point, and begin again with the rows alone.
 *
 * For the files of catalog/refs only.
 */
#ifndef CATALOG_REFS_REF_EDGE_H
#define CATALOG_REFS_REF_EDGE_H

#include "catalog/refs/ref_row.h"

/* One transaction's work on one table. */
struct ref_change {
    struct txn *txn;
    struct str uuid;
    struct ref_table table;          /* read at its beginning, put at its end */
    const struct location_set *places; /* NULL: what is released is not queued, the table is gone */
    int64_t now_ms;
};

/* Read the table's row. ERR_CONFLICT: somebody else has taken the turn. */
struct err ref_change_begin(struct ref_change *c, uint64_t turn);
struct err ref_change_end(struct ref_change *c);

/* Putting an edge that is there, or taking one away that is not, is OK. */
struct err ref_hold(struct ref_change *c, struct ref_id owner, const struct ref_file *file);
struct err ref_release(struct ref_change *c, struct ref_id owner, struct ref_id id);

/* What was read of a list or manifest that was held without a size: how large it is. */
struct err ref_learn_size(struct ref_change *c, const struct ref_file *file);

/* Is a place one of the table's own? */
bool ref_is_own(const struct location_set *places, struct str place);

#endif
