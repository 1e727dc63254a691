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
 */
#ifndef CATALOG_MAINTAIN_DELETION_H
#define CATALOG_MAINTAIN_DELETION_H

#include "catalog/refs/ref_row.h"

struct deletion_rule {
    int64_t grace_ms;     /* of tables that do not say themselves */
    size_t files_max;     /* at most so many now */
    bool is_metadata_only;
};

/* Where a sweep is: zeroed at the beginning. */
struct deletion_cursor {
    uint8_t key[REF_PAIR];
    size_t len;
};

struct deletion_result {
    uint64_t files, bytes;   /* deleted */
    bool is_end;             /* the sweep came to the end of the queue (of the table, if one was given) */
};

/* A piece of a sweep over the queue of one table, or (uuid empty) of all: visits up to LIMIT_SCAN_ROWS rows. */
struct err deletion_step(struct store *s, struct str uuid, const struct deletion_rule *rule,
                         struct deletion_cursor *cursor, struct deletion_result *ret);

/* Is there a reason, seen from the rows of r, why this file must stay? For orphans too. *ret_why is NULL if there is none. */
struct err deletion_forbidden(struct rows *r, struct str uuid, const char **ret_why);

#endif
