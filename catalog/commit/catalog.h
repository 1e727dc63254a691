/*
 * catalog.h - catalogs, namespaces, tables: their rows, and the transactions that change them.
 *
 * A table's metadata is the bytes of its metadata.json, an object of the store; its row holds the pointer. A commit writes the metadata file, the pointer and
 * the audit row in one transaction that compares the pointer (design.md 8). Everything here waits: it is for workers. The reading calls take a view of their own.
 *
 * Locations are unique: no table's location is equal to, above or below another's, in any spelling, checked inside the transaction (SPACE_LOCATIONS).
 *
 * Status discipline: ERR_OUTCOME_UNKNOWN only when it is; every other error means that nothing was changed. Error texts begin as the Java reference's do
 * ("Table does not exist: ns.t", "Namespace does not exist: ns", "Table already exists: ns.t", "Requirement failed: ...").
 */
#ifndef CATALOG_COMMIT_CATALOG_H
#define CATALOG_COMMIT_CATALOG_H

#include "catalog/commit/apply.h"
#include "storage/base/json.h"
#include "storage/object/object.h"

/* Who does it, for the audit row. Strings are borrowed; those that are not known are empty. */
struct actor {
    struct str principal, request_id, address;
    struct str roles;   /* that the principal acts in, joined by commas */
    struct str catalog; /* that the request is about */
};

/* ---- catalogs ---- */

struct catalog_info {
    uint64_t id;
    struct str name;           /* also its prefix in paths, and its warehouse */
    struct str base_location;  /* "s3://bucket" or "s3://bucket/path", without a slash at its end */
    int64_t created_ms, updated_ms;
    int64_t version;           /* from 1, grows with each change */
    /* In the arena: decref'd with it. */
    json_t *properties;        /* object of strings; default-base-location as it was given */
    json_t *storage;           /* storageConfigInfo, as it was given; its allowedLocations hold the base location */
    bool is_external;          /* its files lie at another S3 endpoint, which storage names (warehouse.h) */
};
/* Idempotent: an equal catalog that exists is OK. The bucket of its base location must exist. ERR_EXISTS with another base location; ERR_INVALID as catalog_create. */
struct err catalog_ensure(struct store *s, struct str name, struct str base_location, const struct actor *who);
struct err catalog_get(struct store *s, struct str name, struct arena *arena, struct catalog_info *ret); /* ERR_NO_SUCH_WAREHOUSE */
/* In the order of names; at most LIMIT_CATALOGS are made. */
struct err catalog_list(struct store *s, struct arena *arena, struct catalog_info **ret, size_t *ret_count);

/* Called in the transaction that makes or drops a catalog, so that what belongs to it comes and goes with it (admin/iam/bootstrap.h). NULL is fine. */
typedef struct err catalog_hook_fn(struct txn *txn, uint64_t catalog_id, struct arena *arena);

struct catalog_new {
    struct str name;
    const json_t *properties;  /* object of strings; default-base-location is wanted */
    const json_t *storage;     /* object, kept; its allowedLocations are places of the catalog too: no two catalogs' places overlap. NULL: none */
    catalog_hook_fn *made;
};
/* The bucket of its base location is one of this store, or lies at the endpoint that storage names, where it is asked for (decisions/0015): may wait for the network. ERR_UNAVAILABLE: that endpoint refuses, or does not answer.
 * ERR_EXISTS. ERR_NO_SUCH_BUCKET. ERR_INVALID: name, location, an overlap with another catalog's places, LIMIT_CATALOGS. */
struct err catalog_create(struct store *s, const struct catalog_new *made, const struct actor *who, struct arena *arena, struct catalog_info *ret);

struct catalog_change {
    int64_t version;           /* that the caller has seen */
    const json_t *properties;  /* replace all that were there, but for default-base-location when it is left out. NULL: as they are */
    const json_t *storage;     /* replaces what was there. NULL: as it is */
    bool may_move;             /* its places may change: else a change of them is ERR_DENIED */
};
/* ERR_CONFLICT: another version; nothing was done. ERR_INVALID as catalog_create, and: a base location that leaves out what the catalog's namespaces may lie in. */
struct err catalog_update(struct store *s, struct str name, const struct catalog_change *change, const struct actor *who, struct arena *arena,
                          struct catalog_info *ret);
/* ERR_NO_SUCH_WAREHOUSE. ERR_INVALID: it has namespaces. */
struct err catalog_drop(struct store *s, struct str name, catalog_hook_fn *dropped, const struct actor *who);

/* ---- namespaces ---- */

#define NAMESPACE_LEVELS_MAX 32
struct ns_path {
    struct str levels[NAMESPACE_LEVELS_MAX];
    size_t count;
};
/* Levels of 1 to 255 bytes of UTF-8 without control characters. ERR_INVALID. */
struct err ns_path_check(const struct ns_path *path);
/* "a.b.c" for messages. */
struct str ns_path_print(const struct ns_path *path, struct arena *arena);

struct ns_info {
    uint64_t id;
    struct ns_path path;
    json_t *properties;  /* in the arena: decref'd with it */
};
/* ERR_NAMESPACE_EXISTS; ERR_NO_SUCH_NAMESPACE (the parent). properties: object of strings. */
struct err ns_create(struct store *s, struct str catalog, const struct ns_path *path, const json_t *properties, const struct actor *who);
struct err ns_get(struct store *s, struct str catalog, const struct ns_path *path, struct arena *arena, struct ns_info *ret);
/* ERR_NAMESPACE_NOT_EMPTY, ERR_NO_SUCH_NAMESPACE. */
struct err ns_drop(struct store *s, struct str catalog, const struct ns_path *path, const struct actor *who);
/* updates: object of strings, removals: array of strings. ret: JSON {"updated":[],"removed":[],"missing":[]}. ERR_UNPROCESSABLE: a key in both. */
struct err ns_set_properties(struct store *s, struct str catalog, const struct ns_path *path, const json_t *updates, const json_t *removals,
                             const struct actor *who, json_t **ret);

/* A page of names in order, for namespaces (one level under parent), tables, views. page_size 0: all. token: of the page before; empty: from the start. */
struct name_page {
    struct str *names; /* in the arena: last level of a namespace, or table name */
    size_t count;
    struct str next;   /* empty: no more */
};
struct err ns_list(struct store *s, struct str catalog, const struct ns_path *parent, struct str token, size_t page_size, struct arena *arena, struct name_page *ret);

/* ---- tables and views ----
 * What is said of tables holds for views too (table_ident.kind), but for creating; their errors are ERR_NO_SUCH_VIEW and ERR_VIEW_EXISTS. */

/* Of a table, or of a view: they share their names, their places, and most of what can be done with them. */
struct table_ident {
    struct ns_path ns;
    struct str name;
    enum metadata_kind kind;
};
struct str table_ident_print(const struct table_ident *t, struct arena *arena); /* "ns.t" */
struct err table_name_check(struct str name);

enum { TABLE_PLACES_SHOWN = 4 };
struct table_info {
    char uuid[37];
    struct str location;          /* of the table, without a slash at its end */
    struct str metadata_location; /* s3://... of the current metadata file */
    struct str metadata;          /* its bytes: spliced into answers without parsing */
    uint64_t version;             /* of the row: grows with each commit */
    struct str places[TABLE_PLACES_SHOWN]; /* "bucket/key/": where its files may lie, its location first */
    size_t place_count;
    bool is_external;             /* they lie at another S3 endpoint */
};

struct err table_load(struct store *s, struct str catalog, const struct table_ident *t, struct arena *arena, struct table_info *ret);
/* The row alone, without the metadata's bytes (metadata is empty): exists, ETag. */
struct err table_stat(struct store *s, struct str catalog, const struct table_ident *t, struct arena *arena, struct table_info *ret);
/* q: namespace, page token and size, and whether it is tables or views that are wanted. */
struct name_query {
    const struct ns_path *ns;
    enum metadata_kind kind;
    struct str token;
    size_t page_size;
};
struct err table_list(struct store *s, struct str catalog, const struct name_query *q, struct arena *arena, struct name_page *ret);

/* A CreateTableRequest. is_staged: nothing is written, *ret has metadata and location but no metadata_location. ERR_TABLE_EXISTS, ERR_NO_SUCH_NAMESPACE, ERR_LOCATION_TAKEN, ERR_INVALID. */
struct err table_create(struct store *s, struct str catalog, const struct ns_path *ns, const json_t *request, bool is_staged, const struct actor *who,
                        struct arena *arena, struct table_info *ret);
/* A CreateViewRequest. ERR_VIEW_EXISTS, ERR_TABLE_EXISTS, and as table_create. */
struct err view_create(struct store *s, struct str catalog, const struct ns_path *ns, const json_t *request, const struct actor *who, struct arena *arena,
                       struct table_info *ret);

/* Commit to one or more tables, all or nothing. Each: identifier, requirements, updates. A table that does not exist is made when its requirements say assert-create. ret: one each, in order. */
struct table_change {
    struct table_ident ident;
    const json_t *requirements, *updates;
    uint64_t only_version; /* not 0: ERR_COMMIT_FAILED unless the table is at this version: for who decided by the whole metadata and would rather not than be late */
};
struct err table_commit(struct store *s, struct str catalog, const struct table_change *changes, size_t count, const struct actor *who,
                        struct arena *arena, struct table_info *ret);

/* metadata_location must be a file of the catalog's warehouse, inside the catalog's base location. */
struct err table_register(struct store *s, struct str catalog, const struct table_ident *t, struct str metadata_location, bool overwrite,
                          const struct actor *who, struct arena *arena, struct table_info *ret);
/* Both of one kind. */
struct err table_rename(struct store *s, struct str catalog, const struct table_ident *from, const struct table_ident *to, const struct actor *who);
/* is_purge: the files under the table's location are deleted too, in the background, in slices, resumed after a restart; also at another endpoint, where it waits while that is away. */
struct err table_drop(struct store *s, struct str catalog, const struct table_ident *t, bool is_purge, const struct actor *who);

/* Delete some files of purged tables; *ret_more: there is more. Background work calls it. An error is that of a file which could not be deleted: the purge goes on behind it, and begins
 * again for what was left an hour after its end; or of a purge that fails, its endpoint for one: it waits, longer each time, and the others go on; or of one whose row is damaged.
 * *ret_more is set all the same, but for a damaged row, which is told when nothing else is due. */
struct err purge_step(struct store *s, bool *ret_more);

/* Which table does a key of a bucket belong to? For access by table: the location row at or above it. ERR_NOT_FOUND. */
struct err table_of_key(struct rows *r, struct str bucket, struct str key, struct arena *arena, struct str *ret_uuid);

/* s3, s3a, s3n URLs -> "bucket" and "key"; canonical: scheme in any case, no empty, "." or ".." segments, no trailing slash. ERR_INVALID. */
struct err location_parse(struct str url, struct arena *arena, struct str *ret_bucket, struct str *ret_key);

#endif
