/*
 * commit_note.h - a row that every change of a table leaves behind, for who keeps the references (catalog/refs).
 *
 * Which files a table's snapshots name is found out after the commit, by reading its manifests. So that none is missed, the commit's transaction writes one row: the
 * table, the number of the transaction, the metadata file. It costs the same whatever the table's size, and it is deleted when those files are known.
 *
 * Notes of one table are in the order of its commits. A commit that lets something go (snapshots, statistics) names it in its note: nobody may have looked at the state before, and its metadata file may be
 * gone when somebody does (clients delete old ones themselves). So who reads the notes needs the newest metadata, and what each note names. When that is too much for a note, `drops_more` says
 * that the metadata before has to be read.
 */
#ifndef CATALOG_COMMIT_COMMIT_NOTE_H
#define CATALOG_COMMIT_COMMIT_NOTE_H

#include "catalog/commit/entity.h"

#define COMMIT_UUID 36
#define COMMIT_NOTE_KEY (COMMIT_UUID + 8) /* uuid, transaction be64 */

/* What the state before a commit named and the one after does not; some of it may be named by both. */
struct commit_dropped {
    bool is_more;     /* not all is in names */
    struct str names; /* encoded; commit_name_next takes them apart */
};

struct commit_note {
    uint64_t number;  /* of its transaction */
    bool is_gone;     /* there is no table of this uuid from here on */
    struct commit_dropped dropped;
    struct str metadata_location; /* empty when gone */
};

/* In the transaction that puts the row of a table (of a view: nothing is written), or takes it away. */
struct err commit_note_put(struct txn *txn, const struct table_row *row, const struct commit_dropped *dropped);
struct err commit_note_gone(struct txn *txn, const struct table_row *row);
/* ERR_CORRUPT. Strings point into value. */
struct err commit_note_decode(struct str key, struct str value, struct commit_note *ret);

enum commit_name { COMMIT_LIST = 'l', COMMIT_MANIFEST = 'm', COMMIT_STATISTICS = 's' }; /* on disk */
/* The next name; false at the end. Start with a copy of dropped.names, which moves on. */
bool commit_name_next(struct str *names, enum commit_name *ret_kind, struct str *ret_url);

/* What base (NULL: nothing) names and metadata does not, in the arena. */
struct err commit_dropped_of(const json_t *base, const json_t *metadata, struct arena *arena, struct commit_dropped *ret);

#endif
