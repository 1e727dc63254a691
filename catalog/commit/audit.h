/*
 * audit.h - rows of the audit log: who did what, when, and how it ended.
 *
 * A change writes its row in its own transaction, so the log cannot say anything else than what is. What was refused, and what only read, is gathered and written behind
 * (admin/iam/audit_log.h). Rows are JSON in SPACE_AUDIT, in the order of time:
 *
 *   time, request-id, principal, roles, address, catalog, operation, object, outcome ("ok", "denied", "not found", "failed"), details
 *   of what was gathered also: status, count, last-time
 *
 * An operation is called as the edges' tables of operations call it (--list-rest-operations, --list-management-operations), whether it changed something or was refused; a transaction over
 * several tables has an UpdateTable or CreateTable for each.
 *
 * No secret is ever in a row, and no value of a property: keys are told, values may be anything.
 */
#ifndef CATALOG_COMMIT_AUDIT_H
#define CATALOG_COMMIT_AUDIT_H

#include "catalog/commit/catalog.h"

#define LIMIT_AUDIT_DETAILS (16 * KIB) /* of one row, printed: what is longer is told by its size alone. What the functions below tell is never longer */
#define LIMIT_AUDIT_NAMES 100          /* names in one list of the details: how many there are more is told */
#define LIMIT_AUDIT_NAME 256           /* bytes of one of them */
#define LIMIT_AUDIT_TOLD (12 * KIB)    /* of names in one row */
#define LIMIT_AUDIT_TXN (256 * KIB)    /* of names in the rows of one transaction, a quarter of LIMIT_TXN_BYTES: a commit of 256 tables has a row for each */

/* A change, in its transaction. details is an object or NULL. */
struct err audit_put(struct txn *txn, const struct actor *who, const char *operation, struct str object, const json_t *details);

/* Something that was gathered: one row for all that was alike. */
struct audit_event {
    struct actor who;
    struct str operation, object, outcome;
    int status;                 /* HTTP */
    int64_t first_ms, last_ms;
    uint64_t count;
};
struct err audit_put_event(struct txn *txn, const struct audit_event *event);

/* What a commit to a table changes, in few words, for the details: which snapshots, schemas and refs, which properties by name. How many updates there were of each
 * action ("actions") is always told, so that nothing is hidden behind long names; the rest as far as bytes_max goes. The updates are such as were applied: their actions are known ones.
 * NULL: no memory. */
json_t *audit_of_updates(const json_t *updates, size_t bytes_max);
/* The keys of properties: {"properties": [names]}, with how many are "more". NULL: no memory. */
json_t *audit_of_properties(const json_t *properties);
/* The same of several such, and of lists of names, each under its name in an object. */
json_t *audit_of_lists(const json_t *lists);

#endif
