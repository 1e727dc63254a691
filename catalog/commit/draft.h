/*
 * draft.h - metadata that is being changed by one commit. For the files of catalog/commit only.
 *
 * A draft is a shallow copy of the base: its arrays and objects are shared with the base until draft_own gives the draft its own copy of one, so that a commit to a table with thousands of
 * snapshots copies references and not snapshots. Elements are never changed in place, only replaced. On an error the draft is spoilt and is to be thrown away.
 */
#ifndef CATALOG_COMMIT_DRAFT_H
#define CATALOG_COMMIT_DRAFT_H

#include "catalog/commit/apply.h"

enum { NONE_ADDED = -1 };

struct draft {
    enum metadata_kind kind;
    json_t *metadata;          /* the draft's own top object */
    const json_t *base;        /* NULL: a new one */
    int64_t now_ms;
    bool is_changed;
    int64_t last_schema, last_spec, last_order, last_version; /* added in this commit; NONE_ADDED: none. For ids of -1 */
    json_t *added_snapshots;   /* ids added in this commit, as keys */
    json_t *added_versions;    /* of views */
    bool are_snapshots_removed;
    bool is_main_dropped;      /* at some point of this commit: what follows is a new beginning (replace table) */
};

/* ---- reading ---- */
int64_t draft_int(const struct draft *d, const char *field, int64_t fallback);
int draft_format(const struct draft *d);
/* The element of an array field whose member `id_field` is id; NULL without one. */
json_t *draft_find(const struct draft *d, const char *array, const char *id_field, int64_t id);
json_t *draft_schema(const struct draft *d); /* the current one; NULL before there is one */
/* What specs and orders are bound to: the current schema, or while there is none the last one added (DuckDB sets it last). */
json_t *draft_binding_schema(const struct draft *d);

/* ---- changing: each marks the draft as changed ---- */
void draft_set(struct draft *d, const char *field, json_t *value); /* takes value */
void draft_set_int(struct draft *d, const char *field, int64_t value);
/* The draft's own copy of an array or object field, made (empty) if absent. NULL: no memory. */
json_t *draft_own(struct draft *d, const char *field, bool is_array);
/* Drop the elements of an array whose `id_field` is one of the integers in ids; what else ids holds is left aside. */
struct err draft_remove(struct draft *d, const char *array, const char *id_field, const json_t *ids);

/* ---- sets of ids, so that a table with n snapshots does not cost n * n ---- */
struct id_set {
    int64_t *ids; /* sorted */
    size_t count;
};
/* The integers of a list, or of its elements' member id_field unless that is NULL. Give it to id_set_done. */
struct err id_set_of(const json_t *list, const char *id_field, struct id_set *ret);
bool id_set_has(const struct id_set *set, const json_t *id);
void id_set_done(struct id_set *set);

/* ---- updates and requirements: the tables ---- */
typedef struct err update_fn(struct draft *d, const json_t *update);

/* update_schema.c */
update_fn update_add_schema, update_set_current_schema, update_remove_schemas;
/* update_partition.c */
update_fn update_add_spec, update_set_default_spec, update_remove_specs, update_add_order, update_set_default_order;
/* update_snapshot.c */
update_fn update_add_snapshot, update_set_ref, update_remove_snapshots, update_remove_ref;
/* update_property.c */
update_fn update_assign_uuid, update_upgrade_format, update_set_location, update_set_properties, update_remove_properties, update_set_statistics,
    update_remove_statistics, update_set_partition_statistics, update_remove_partition_statistics, update_add_key, update_remove_key;
/* update_view.c */
update_fn update_add_view_version, update_set_view_version;

/* update.c: apply one by its action. ERR_INVALID: unknown, or not for this kind. */
struct err update_apply(struct draft *d, const json_t *update);
/* requirement.c: does it hold of base (NULL: nothing there)? ERR_COMMIT_FAILED, ERR_INVALID, ERR_TABLE_EXISTS. */
struct err requirement_check(enum metadata_kind kind, const json_t *base, const json_t *requirement);

/* For the tests that compare the tables with the specification: name and kinds of row i; NULL behind the last. */
const char *update_name(size_t i);
const char *requirement_name(size_t i);

/* build.c: what is done and checked once all updates were applied (catalog.md 2.3). */
struct err draft_build_table(struct draft *d, struct str base_file);
struct err draft_build_view(struct draft *d);

#endif
