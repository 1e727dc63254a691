/*
 * entity.h - the rows of catalogs, namespaces and tables: keys, and JSON as value.
 *
 * Values are JSON objects, so that the PostgreSQL engine can show them as jsonb. Keys are binary, so that lists come in the order of names and a
 * namespace's children stand together. For the files of catalog/commit and admin/iam, and of catalog/refs and catalog/maintain, which look after tables.
 */
#ifndef CATALOG_COMMIT_ENTITY_H
#define CATALOG_COMMIT_ENTITY_H

#include "catalog/commit/audit.h"
#include "catalog/commit/catalog.h"

#define ENTITY_ROW_BYTES LIMIT_ROW_VALUE

/* A row's JSON. ERR_NOT_FOUND as rows_get; ERR_CORRUPT when it is not an object. *ret is the caller's. */
struct err entity_get(struct rows *r, enum space space, struct str key, json_t **ret);
struct err entity_parse(struct str value, json_t **ret);
/* ERR_TOO_LARGE beyond ENTITY_ROW_BYTES. */
struct err entity_put(struct txn *txn, enum space space, struct str key, const json_t *value);

/* The next id of the catalog's entities, never used again: in a transaction. */
struct err entity_new_id(struct txn *txn, uint64_t *ret);

/* ---- keys: in the arena; .data NULL for want of memory ---- */
struct str ns_key(uint64_t catalog_id, const struct ns_path *path, struct arena *arena);
struct str table_key(uint64_t catalog_id, uint64_t ns_id, struct str name, struct arena *arena);

/* ---- reading by name, in a view or a transaction ---- */
struct catalog_row {
    uint64_t id;
    struct str base_location; /* in the arena */
    json_t *json;             /* decref'd with the arena */
    bool is_external;         /* catalog.h */
};
struct err catalog_row_get(struct rows *r, struct str name, struct arena *arena, struct catalog_row *ret);

struct ns_row {
    uint64_t id;
    json_t *json; /* decref'd with the arena */
};
/* ERR_NO_SUCH_NAMESPACE, with the reference's text. */
struct err ns_row_get(struct rows *r, uint64_t catalog_id, const struct ns_path *path, struct arena *arena, struct ns_row *ret);

#define LOCATIONS_MAX 16
struct location_set {
    struct str keys[LOCATIONS_MAX]; /* "bucket/key/" */
    size_t count;
};

struct table_row {
    enum space space;             /* SPACE_TABLES or SPACE_VIEWS */
    struct str key;
    uint64_t catalog_id, ns_id;
    struct catalog_row catalog;   /* of table_row_get alone */
    char uuid[37];
    struct str location, metadata_location;
    struct location_set places;   /* all that it has taken since it was made */
    uint64_t version;
};
enum space ident_space(const struct table_ident *t);
/* Is the name free of tables and of views? ERR_TABLE_EXISTS, ERR_VIEW_EXISTS, in the reference's words. */
struct err name_check_free(struct rows *r, const struct table_ident *t, struct str key, struct arena *arena);
/* ERR_NO_SUCH_TABLE, ERR_NO_SUCH_VIEW; ERR_NO_SUCH_NAMESPACE is told as ERR_NO_SUCH_TABLE too, as the reference does for tables. */
struct err table_row_get(struct rows *r, struct str catalog, const struct table_ident *t, struct arena *arena, struct table_row *ret);
struct err table_row_put(struct txn *txn, const struct table_row *row);
struct err table_row_decode(struct str key, struct str value, struct arena *arena, struct table_row *ret);

/* ---- locations ---- */

/* "bucket/key/" of an s3 URL. ERR_INVALID. */
struct err location_key(struct str url, struct arena *arena, struct str *ret);
/* Is inner (a location key) equal to or below outer? */
bool location_is_inside(struct str inner, struct str outer);
/* In a transaction: this place belongs to the table uuid from now on. ERR_LOCATION_TAKEN when it overlaps another's. Taking what one has is OK. */
struct err location_take(struct txn *txn, struct str key, struct str uuid);
/* Give a place back; one that is not the table's is left alone. */
struct err location_release(struct txn *txn, struct str key, struct str uuid);
/* Add key unless the set has it, or a place above it. ERR_INVALID: the set is full. */
struct err location_set_add(struct location_set *set, struct str key);
/* The first of them as "bucket/key/", with that of `location` before all others, for who is told about the table. */
struct err location_set_show(const struct location_set *set, struct str location, struct arena *arena, struct table_info *ret);
/* The places that metadata claims: its location, write.data.path and its kind. Each inside `base`; ERR_INVALID names the property. */
struct err locations_of_metadata(const json_t *metadata, struct str base_location, struct arena *arena, struct location_set *ret);

/* The arena frees it. False: no memory, and json was freed. */
bool json_defer(struct arena *arena, json_t *json);

#endif
