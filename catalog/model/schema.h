/*
 * schema.h - schemas: their fields by id, fresh ids, validity, evolution. Over the JSON of format/spec.md, appendix C.
 *
 * Nesting is bounded by json_parse (LIMIT_JSON_DEPTH), so recursion here is too.
 */
#ifndef CATALOG_MODEL_SCHEMA_H
#define CATALOG_MODEL_SCHEMA_H

#include "storage/base/json.h"

/* One field of a schema, as a walk meets it: struct fields, list elements, map keys and values. */
struct schema_field {
    int64_t id;
    struct str name;         /* of a struct's field; "element", "key", "value" otherwise */
    int64_t parent_id;       /* of the enclosing field; -1 at the top */
    bool is_required;
    bool is_in_collection;   /* below a list or map */
    bool is_in_optional;     /* some enclosing field is optional */
    const json_t *type;
    const json_t *json;      /* the field's object; of a list element or map entry the type's object */
};

/* Every field of the schema, parents first, in an array of count. *ret is the caller's to free(). ERR_INVALID: not a schema; duplicate ids; duplicate names in
 * one struct; unknown types. */
struct err schema_fields(const json_t *schema, struct schema_field **ret, size_t *ret_count);

/* Types and defaults that format_version has, identifier fields that exist and may identify. ERR_INVALID names the field. */
struct err schema_check(const json_t *schema, int format_version);

/* The highest field id; 0 without fields. The schema must be valid. */
int64_t schema_highest_id(const json_t *schema);

/* Same struct and identifier fields (the schema-id aside)? */
bool schema_same(const json_t *a, const json_t *b);

/* A copy with fresh ids from 1 in the reference's order (catalog.md 2.4), schema-id 0, identifier fields by name. The caller's. *ret_ids: JSON object old id -> new id, the caller's. */
struct err schema_with_fresh_ids(const json_t *schema, json_t **ret, json_t **ret_ids, int64_t *ret_last_id);

/* Strict evolution (catalog.md 2.5): may `next` follow `current` in a table that has files, by field id? ERR_INVALID with the field's name. */
struct err schema_check_evolution(const json_t *current, const json_t *next, int format_version);

#endif
