/*
 * expiry.h - which snapshots of a table may go.
 *
 * The rules are those of Iceberg's ExpireSnapshots (Java), which users of Spark know:
 *   E1  what a ref (branch or tag) points to stays, and refs themselves are not touched
 *   E2  of each branch its newest stay: as many as its min-snapshots-to-keep, and those not older than its max-snapshot-age-ms, without a gap from the head
 *   E3  a branch without such settings has the rule's, the rule's without a value are the table's properties history.expire.*, then 1 and 5 days
 *   E4  a snapshot that no ref leads to stays while it is not older than the rule's age
 * A table with gc.enabled=false is refused: its files belong to somebody else as well.
 */
#ifndef ADMIN_CLI_EXPIRY_H
#define ADMIN_CLI_EXPIRY_H

#include "storage/base/arena.h"
#include "storage/base/json.h"

struct expiry_rule {
    int64_t now_ms;
    int64_t older_than_ms; /* -1: not given */
    int64_t keep;          /* -1: not given */
};

/* Ids to remove, in the order of the metadata. ERR_INVALID: the metadata is not right, or the table refuses. */
struct err expiry_select(const json_t *metadata, const struct expiry_rule *rule, struct arena *arena, int64_t **ret_ids, size_t *ret_count);

/* The body of UpdateTable that removes them, if the table is still that one and every ref still where it is. Its caller's to json_decref; NULL for want of
 * memory. */
json_t *expiry_commit(const json_t *metadata, const int64_t *ids, size_t count);

#endif
