/*
 * refs.h - which files a table's snapshots need: kept as rows, brought up to date after each commit.
 *
 * A commit leaves a note (catalog/commit/commit_note.h). refs_work_in takes the notes of a table, reads the manifest lists and manifests that it does not know yet, and keeps "owner names file" as
 * rows; what the newest metadata does not name any more is released, and a file that nothing of the table names is put into a queue with the time. A manifest is immutable: it is
 * read once. docs/decisions/0012-file-references.md says why so.
 *
 * Promises:
 *   F1  when ref_table_is_whole says so, the rows name exactly the files that the current metadata names, itself, its log, its snapshots' lists, manifests and live entries
 *   F2  nothing is forgotten: a file that any committed state named, and that the current one does not, is in the queue (unless it lies outside of the table's places)
 *   F3  work is done in transactions of at most LIMIT_REF_SLICE edges, and may be stopped after each and begun again; two who work on one table do not disturb the rows: one of them
 *       gives up (ERR_CONFLICT)
 *   F4  a list or manifest that cannot be read leaves the table incomplete, and says why, until it can, or until no snapshot needs it
 *
 * All of it waits: for the background and for workers.
 */
#ifndef CATALOG_REFS_REFS_H
#define CATALOG_REFS_REFS_H

#include <stdatomic.h>

#include "catalog/refs/ref_pauses.h"

/* Where refs_step goes on: zeroed at first. */
struct refs_cursor {
    char uuid[REF_UUID + 1];
};

/* Bring one table of those with notes up to date, the next behind the cursor. *ret_more: there are others. An error is that table's alone: the next call goes on behind it. An endpoint that is away is no error, nor is a table that pauses. */
struct err refs_step(struct store *s, struct refs_cursor *cursor, struct ref_pauses *pauses, const atomic_bool *stop, bool *ret_more);

/* refs_work_in for the background: ERR_UNAVAILABLE also while the table pauses, since the time before. */
struct err refs_try(struct store *s, struct ref_pauses *pauses, struct str uuid, const atomic_bool *stop);

/* Bring this one up to date: notes, and what could not be read before. A table that is gone is forgotten; its files are left alone. When *stop becomes true (NULL: never) it ends with ERR_CLOSED
 * before its next transaction, and goes on from there another time. ERR_UNAVAILABLE: its files are at another endpoint, which does not answer, refuses, or rests after that (remote.h); the table's row says why. */
struct err refs_work_in(struct store *s, struct str uuid, const atomic_bool *stop);

/* Does the endpoint where this table's files are rest, after a failure (remote.h)? Never for one of ours, or one that is gone. */
struct err refs_rest(struct store *s, struct str uuid, bool *ret);

/* Leave a note for each table that nothing is known of, up to a bounded number behind the cursor: for a store that is older than the references. A damaged table is passed over. After an error the cursor is where it was. */
struct err refs_adopt(struct store *s, struct refs_cursor *cursor, bool *ret_more);

#endif
