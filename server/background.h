/*
 * background.h - what runs beside the requests: a row each with a name and one step.
 *
 * A thread goes through the rows of its lane; a step does a bounded piece of work and says whether there is more. With nothing to do it sleeps until its pause is over or the server
 * stops. There are two lanes: what each server does for itself, which never waits for the other, and what is done for the store. Of servers that share a store, that is done by the one that leads
 * (meta_status.is_leader). Should two of them do it for a moment, because one does not know yet that it leads no more, nothing is lost: steps are transactions, and idempotent. (Checkpoints and the giving back of space have threads of their own, inside storage.)
 */
#ifndef SERVER_BACKGROUND_H
#define SERVER_BACKGROUND_H

#include "admin/iam/audit_log.h"
#include "admin/iam/iam.h"
#include "catalog/maintain/maintain.h"
#include "storage/object/scrub.h"

/* What jobs work on; all outlives the background. */
struct background_options {
    struct store *store;
    struct iam *iam;
    struct maintain *maintain;
    struct scrub_options scrub;
    struct audit_log *audit;
    struct audit_retention audit_retention;
};

struct background;
struct err background_start(const struct background_options *options, struct background **ret); /* options are copied */
struct background *background_stop(struct background *b); /* waits for the step that runs; NULL is fine; returns NULL */

#endif
