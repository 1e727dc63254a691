/*
 * guarded.h - which places are of catalogs that guard their live files (property firn.guard-live-files).
 *
 * Every delete and overwrite of an object asks this, so it is one row a bucket (SPACE_SYSTEM, "guarded/BUCKET"), absent for a bucket that no such catalog lies in, and written with the
 * catalog's own row, in one transaction.
 */
#ifndef CATALOG_COMMIT_GUARDED_H
#define CATALOG_COMMIT_GUARDED_H

#include "catalog/commit/entity.h"

#define GUARD_PROPERTY "firn.guard-live-files"

/* Does a catalog with these properties guard? ERR_INVALID: the property is neither "true" nor "false". */
struct err guarded_by(const json_t *properties, bool *ret);

/* In the transaction that makes, changes or drops a catalog. Base locations as URLs; before empty: it is new; after empty: it guards nothing from now on. */
struct guarded_change {
    uint64_t catalog_id;
    struct str before, after;
};
struct err guarded_put(struct txn *txn, const struct guarded_change *change, struct arena *arena);

struct err guarded_prefetch(struct txn *txn, struct str bucket);
/* The catalog that guards this key; 0: none does. */
struct err guarded_find(struct rows *r, struct str bucket, struct str key, uint64_t *ret_catalog_id);

#endif
