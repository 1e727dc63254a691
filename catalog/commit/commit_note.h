/*
 * commit_note.h - a row that every change of a table leaves behind, for who keeps the references (catalog/refs).
 *
 * Which files a table's snapshots name is found out after the commit, by reading its manifests. So that none is missed, the commit's transaction writes one row: the
 * table, the number of the transaction, the metadata file. It costs the same whatever the table's size, and it is deleted when those files are known.
 *
 * Notes of one table are in the order of its commits. Who reads them needs the newest, and each one whose successor `drops`: only of a commit that drops may the state before
 * name files that the state after does not.
 */
#ifndef CATALOG_COMMIT_COMMIT_NOTE_H
#define CATALOG_COMMIT_COMMIT_NOTE_H

#include "catalog/commit/entity.h"

#define COMMIT_UUID 36
#define COMMIT_NOTE_KEY (COMMIT_UUID + 8) /* uuid, transaction be64 */

struct commit_note {
    uint64_t number;       /* of its transaction */
    bool is_gone;          /* there is no table of this uuid from here on */
    bool drops;
    struct str metadata_location; /* empty when gone */
};

/* In the transaction that puts the row of a table (of a view: nothing is written), or takes it away. */
struct err commit_note_put(struct txn *txn, const struct table_row *row, bool drops);
struct err commit_note_gone(struct txn *txn, const struct table_row *row);
/* ERR_CORRUPT. Strings point into value. */
struct err commit_note_decode(struct str key, struct str value, struct commit_note *ret);

/* Does base (NULL: nothing) name a snapshot or a statistics file that metadata does not? */
struct err commit_drops(const json_t *base, const json_t *metadata, bool *ret);

#endif
