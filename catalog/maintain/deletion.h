/*
 * deletion.h - deleting the files that nothing names any more (SPACE_REF_QUEUE), when their grace is over.
 *
 * The transaction that deletes a file looks again at everything that speaks for it, as it is then:
 *   D1  the table is there, and its files are known up to its last commit, without a gap (ref_table_is_whole)
 *   D2  no table of the store names the file
 *   D3  it lies in one of the table's own places
 *   D4  the table does not say gc.enabled=false
 *   D5  it was not written again since it was queued
 * A metadata file that fell off the log is never named by a manifest: for it D1 is only that no commit which is not worked in yet made it current again, and D4 is not asked, as in the
 * reference (the table itself asked for its deletion). It has no grace.
 *
 * A file at another endpoint (decisions/0019) cannot be deleted in a transaction. It goes in three steps:
 *   1  the transaction that decides, by D1 to D4 as they are then, writes its own number into the file's row of the queue: the intent
 *   2  the file's age is asked for (D5, to a second); the row is looked at once more; then it is deleted there
 *   3  a transaction takes the row away, if it still has that intent
 * To the table the file is gone with step 1, as a file of this store is with its one transaction: a snapshot that is committed later and names it again (nobody's snapshot needed it by then) may find it gone. If the
 * background learns of such a commit before the file was deleted, the row goes, and the second look of step 2 finds no intent: the file stays. Whoever crashes, or is paused while another server leads, leaves a row
 * with an intent: it is decided upon again like any other, under a new number, and who comes back with the old one does nothing. Deleting twice does no harm: names of files are not used again.
 * What an endpoint does not delete, whatever it answers, leaves its row in the queue, with why, and the sweep goes on behind it; when the endpoint rests after that, with the other tables.
 */
#ifndef CATALOG_MAINTAIN_DELETION_H
#define CATALOG_MAINTAIN_DELETION_H

#include "catalog/refs/ref_row.h"

struct deletion_rule {
    int64_t grace_ms;     /* of tables that do not say themselves */
    size_t files_max;     /* at most so many now */
    bool is_metadata_only;   /* and of these none that failed before: they are for the sweeps over all */
};

/* A row of the queue; len 0: none. */
struct deletion_mark {
    uint8_t key[REF_PAIR];
    size_t len;
};

/* Where a sweep is: zeroed at first, and kept for the sweeps after it. They go in a circle: each begins behind the first row that failed in the one before, goes on at the queue's beginning and ends with that row. So
 * a file that is denied, behind which its endpoint rests, costs one attempt a sweep, and after as many sweeps as there are such files everything else is gone. In memory alone: after a restart it begins at the
 * beginning, and goes on from what fails there. */
struct deletion_cursor {
    struct deletion_mark at;     /* the last row that was visited */
    struct deletion_mark start;  /* the sweep began behind it, and ends with it; none: at the beginning */
    struct deletion_mark failed; /* the first that failed in this sweep */
    bool is_around;              /* it has been at the end of the queue, and goes on from the beginning */
    bool has_rested;             /* something was passed over, because its endpoint rests */
};

struct deletion_result {
    uint64_t files, bytes;   /* deleted */
    uint64_t failed;         /* files that an endpoint did not delete: tried again in the next sweep */
    bool is_end;             /* the sweep came to the end of the queue (of the table, if one was given) */
};

/* A piece of a sweep over the queue of one table, or (uuid empty) of all: visits up to LIMIT_SCAN_ROWS rows. */
struct err deletion_step(struct store *s, struct str uuid, const struct deletion_rule *rule,
                         struct deletion_cursor *cursor, struct deletion_result *ret);

/* Is there a reason, seen from the rows of r, why this file must stay? For orphans too. *ret_why is NULL if there is none. */
struct err deletion_forbidden(struct rows *r, struct str uuid, const char **ret_why);

#endif
