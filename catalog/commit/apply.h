/*
 * apply.h - what requirements and updates do to the metadata of a table or view: pure functions over JSON, no store.
 *
 * Sources: Iceberg REST specification (open-api/rest-catalog-open-api.yaml, CommitTableRequest), the table specification (format/spec.md, "Table metadata", versions 1-3), and
 * for what they leave open the Java reference (catalog.md 2). Unknown fields of the metadata survive. Errors: ERR_COMMIT_FAILED (a requirement does not hold, or the reference
 * would say retry: 409), ERR_INVALID (400), ERR_NO_MEMORY.
 */
#ifndef CATALOG_COMMIT_APPLY_H
#define CATALOG_COMMIT_APPLY_H

#include "storage/base/json.h"

enum metadata_kind { METADATA_TABLE, METADATA_VIEW };

struct apply_input {
    enum metadata_kind kind;
    const json_t *base;           /* current metadata; NULL: there is none (assert-create) */
    struct str base_file;         /* its metadata-location, for the metadata log; empty: none */
    const json_t *requirements;   /* array; NULL: none */
    const json_t *updates;        /* array */
    int64_t now_ms;
    struct str default_location;  /* for a new table whose updates set none */
};

struct apply_output {
    json_t *metadata;             /* the caller's to json_decref; equal to base when nothing changed */
    bool is_changed;              /* false: write nothing */
};

/* Check all requirements, then apply all updates in order to a copy, then the rules at build (catalog.md 2.3), then validate. Untouched output on failure. */
struct err apply_commit(const struct apply_input *in, struct apply_output *ret);

/* The metadata of a new table from a CreateTableRequest's parts, with fresh ids (catalog.md 2.4). properties: object or NULL; partition_spec, write_order: NULL or objects. */
struct table_create_parts {
    const json_t *schema, *partition_spec, *write_order, *properties;
    struct str location;
    int64_t now_ms;
};
struct err apply_create_table(const struct table_create_parts *parts, json_t **ret);

/* The metadata of a new view from a CreateViewRequest's parts. */
struct view_create_parts {
    const json_t *schema, *view_version, *properties;
    struct str location;
    int64_t now_ms;
};
struct err apply_create_view(const struct view_create_parts *parts, json_t **ret);

/* Parse and check a metadata file somebody else wrote (register), or our own. ERR_INVALID names the field. Format versions 1 to 3; 4 is ERR_INVALID with that reason. */
struct err metadata_parse(enum metadata_kind kind, struct str bytes, json_t **ret);

/* Only the snapshots that a ref points to (loadTable snapshots=refs): a new object, the caller's. */
struct err metadata_refs_only(const json_t *metadata, json_t **ret);

#endif
