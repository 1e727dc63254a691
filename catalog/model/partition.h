/*
 * partition.h - partition specs and sort orders: transforms, binding to a schema, equality.
 *
 * Sources: format/spec.md "Partitioning", "Sorting", appendix C; the Java reference for field ids (catalog.md 2.2, 2.4).
 */
#ifndef CATALOG_MODEL_PARTITION_H
#define CATALOG_MODEL_PARTITION_H

#include "storage/base/json.h"

enum { PARTITION_ID_FIRST = 1000 };

/* "identity", "bucket[16]", "truncate[4]", "year" ..., "void": is it one, and does it take this type (a primitive's name)? */
bool transform_known(struct str transform);
bool transform_accepts(struct str transform, struct str type);

/* A spec as a client sends it, bound to schema: every source exists and suits its transform, names are unique and clear of the schema's. Field ids that are missing
 * are taken from a field of `specs` with the same source and transform, else counted on from *last_id, which is raised. *ret has the given spec_id, and is the caller's. */
struct err partition_bind(const json_t *unbound, const json_t *schema, const json_t *specs, int64_t spec_id, int64_t *last_id, json_t **ret);

/* Same fields: sources, transforms, names? (Ids aside.) */
bool partition_same(const json_t *a, const json_t *b);

/* Are its field ids 1000, 1001, ... by place, as version 1 needs them? */
bool partition_is_sequential(const json_t *bound);

/* Is a bound spec valid under a schema (the default spec under the current schema, at build)? */
struct err partition_check(const json_t *spec, const json_t *schema);

struct err sort_bind(const json_t *unbound, const json_t *schema, int64_t order_id, json_t **ret);
bool sort_same(const json_t *a, const json_t *b);
bool sort_is_unsorted(const json_t *order);
struct err sort_check(const json_t *order, const json_t *schema);

/* source-id of a field, also of the source-ids form with one entry (version 3). */
struct err transform_source(const json_t *field, int64_t *ret);

/* A copy of spec or order with its source ids mapped through ids (schema_with_fresh_ids). ERR_INVALID: a source that is not there. The caller's. */
struct err transform_remap(const json_t *spec_or_order, const json_t *ids, json_t **ret);

#endif
