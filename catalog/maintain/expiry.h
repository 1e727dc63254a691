/*
 * expiry.h - which snapshots and refs of a table may go.
 *
 * The rules are those of Iceberg's ExpireSnapshots (Java) and of the specification's "Snapshot Retention Policy", which users of Spark know:
 *   E1  what a ref (branch or tag) that stays points to stays
 *   E2  of each branch its newest stay: as many as its min-snapshots-to-keep, and those not older than its max-snapshot-age-ms, without a gap from the head
 *   E3  a branch without such settings has the rule's, the rule's without a value are the table's properties history.expire.*, then 1 and 5 days
 *   E4  a snapshot that no ref leads to stays while it is not older than the rule's age
 *   E5  a ref whose snapshot is older than its max-ref-age-ms goes (without one: the property's, else never), and one whose snapshot is gone; main always stays
 * A table with gc.enabled=false is refused: its files belong to somebody else as well.
 */
#ifndef CATALOG_MAINTAIN_EXPIRY_H
#define CATALOG_MAINTAIN_EXPIRY_H

#include "storage/base/arena.h"
#include "storage/base/json.h"

struct expiry_rule {
    int64_t now_ms;
    int64_t older_than_ms; /* -1: not given */
    int64_t keep;          /* -1: not given */
};

struct expiry_choice {
    const int64_t *ids;  /* of snapshots, in the order of the metadata; in the arena */
    size_t count;
    const char **refs;   /* names, in the metadata */
    size_t ref_count;
};

/* ERR_INVALID: the metadata is not right, or the table refuses. */
struct err expiry_select(const json_t *metadata, const struct expiry_rule *rule, struct arena *arena, struct expiry_choice *ret);

/* Has somebody set how long this table's snapshots or refs stay? */
bool expiry_is_asked_for(const json_t *metadata);

/* The updates of a commit that takes them out. The caller's to json_decref; NULL for want of memory. */
json_t *expiry_updates(const struct expiry_choice *choice);

#endif
