/*
 * expire.h - taking old snapshots and refs out of one table: what goes, which files go with it, and the commit.
 *
 * The commit is an ordinary one under the condition that the table is still at the version which was looked at: a writer who was faster is never in its way and never loses to it by a
 * requirement, and a ref that somebody sets in that very moment is seen. Lost races are tried a few times, then left for another time.
 */
#ifndef CATALOG_MAINTAIN_EXPIRE_H
#define CATALOG_MAINTAIN_EXPIRE_H

#include "catalog/commit/catalog.h"
#include "catalog/maintain/expiry.h"
#include "catalog/maintain/impact.h"

struct expire_request {
    struct str catalog;
    struct table_ident ident;
    int64_t older_than_ms, keep; /* -1: as the table's properties say */
    bool is_dry_run;
    bool is_asked_only;          /* nothing goes unless somebody set how long they stay (expiry_is_asked_for) */
    bool wants_files;            /* which files go with it: costs a look at the references */
    const struct actor *who;
};

struct expire_report {
    struct expiry_choice choice; /* what went, or would */
    struct impact impact;        /* of wants_files; files go after their grace */
    char uuid[37];
};

/* ERR_COMMIT_FAILED: others changed it all the time. ERR_INVALID: the table refuses (expiry.h), or its properties are wrong. ERR_NO_SUCH_TABLE, and what a commit gives. */
struct err expire_table(struct store *s, const struct expire_request *request, struct arena *arena, struct expire_report *ret);

#endif
