/*
 * metadata_parse.c - metadata files as they come from the store, or from somebody else's hand.
 *
 * Version 1 files may have `schema` and `partition-spec` where later versions have lists, and no refs; they are brought to the lists' form, so that the rest
 * of the code knows one form only. Unknown fields are left where they are.
 */
#include "catalog/commit/apply.h"

#include <stdlib.h>

#include "catalog/model/partition.h"
#include "catalog/model/schema.h"
#include "catalog/model/types.h"
#include "storage/base/thread.h"

static struct err set_new(json_t *metadata, const char *field, json_t *value)
{
    return value && json_object_set_new(metadata, field, value) == 0 ? OK : no_memory();
}

/* ---- version 1 ---- */

static struct err lists_of_schema(json_t *metadata)
{
    const json_t *schema = json_object_get(metadata, "schema");

    if (json_object_get(metadata, "schemas")) return OK;
    if (!json_is_object(schema)) return FAIL(ERR_INVALID, "Cannot parse schemas: field 'schemas' is missing");
    json_t *copy = json_copy((json_t *)schema);
    TRY(set_new(copy, "schema-id", json_integer(0)));
    TRY(set_new(metadata, "schemas", json_pack("[o]", copy)));
    return set_new(metadata, "current-schema-id", json_integer(0));
}

/* Fields of version 1 specs may lack ids: they are 1000, 1001, ... by place. */
static struct err lists_of_spec(json_t *metadata)
{
    json_t *fields = json_object_get(metadata, "partition-spec"), *field;
    size_t i;

    if (json_object_get(metadata, "partition-specs")) return OK;
    if (!json_is_array(fields))
        return FAIL(ERR_INVALID, "Cannot parse partition specs: field 'partition-specs' is missing");
    CLEANUP(json_freep) json_t *copy = json_deep_copy(fields);
    json_array_foreach(copy, i, field)
    {
        if (!json_is_object(field)) return FAIL(ERR_INVALID, "field 'partition-spec' must hold objects");
        if (!json_object_get(field, "field-id"))
            TRY(set_new(field, "field-id", json_integer(PARTITION_ID_FIRST + (json_int_t)i)));
    }
    TRY(set_new(metadata, "partition-specs", json_pack("[{s:i, s:O}]", "spec-id", 0, "fields", copy)));
    TRY(set_new(metadata, "default-spec-id", json_integer(0)));
    return set_new(metadata, "last-partition-id",
                   json_integer(PARTITION_ID_FIRST - 1 + (json_int_t)json_array_size(copy)));
}

static struct err lists_of_order(json_t *metadata)
{
    if (json_object_get(metadata, "sort-orders")) return OK;
    TRY(set_new(metadata, "sort-orders", json_pack("[{s:i, s:[]}]", "order-id", 0, "fields")));
    return set_new(metadata, "default-sort-order-id", json_integer(0));
}

/* A current snapshot without refs is main's. */
static struct err refs_of_current(json_t *metadata)
{
    const json_t *current = json_object_get(metadata, "current-snapshot-id");

    if (json_object_get(json_object_get(metadata, "refs"), "main") || !json_is_integer(current)
        || json_integer_value(current) < 0)
        return OK;
    json_t *refs = json_object_get(metadata, "refs") ? json_incref(json_object_get(metadata, "refs"))
                                                     : json_object();
    TRY(set_new(refs, "main",
                json_pack("{s:I, s:s}", "snapshot-id", json_integer_value(current), "type", "branch")));
    return set_new(metadata, "refs", refs);
}

/* ---- checks ---- */

static struct err check_array(const json_t *metadata, const char *field, const char *id_field, bool is_needed)
{
    json_t *list = NULL, *element;
    size_t i;
    int64_t id;

    TRY(is_needed ? json_need_array(metadata, field, &list) : json_want_array(metadata, field, &list));
    json_array_foreach(list, i, element)
    {
        if (!json_is_object(element)) return err_fail(ERR_INVALID, "field '%s' must hold objects", field);
        TRY(json_need_i64(element, id_field, &id));
        if (id == INT64_MAX)
            return err_fail(ERR_INVALID, "field '%s' has an id that is out of range",
                            field); /* what is added next counts on from the highest */
    }
    return OK;
}

static struct err check_version(const json_t *metadata, int64_t max)
{
    int64_t version;

    TRY(json_need_i64(metadata, "format-version", &version));
    if (version >= 1 && version <= max) return OK;
    return err_fail(ERR_INVALID, "Cannot read unsupported format version: v%lld (supported: v1 to v%lld)",
                    (long long)version, (long long)max);
}

/* What a list's id names must be in the list. */
static struct err check_named(const json_t *metadata, const char *field, const char *list,
                              const char *id_field)
{
    json_t *element;
    size_t i;
    int64_t id;

    TRY(json_need_i64(metadata, field, &id));
    json_array_foreach(json_object_get(metadata, list), i, element)
    {
        if (json_integer_value(json_object_get(element, id_field)) == id) return OK;
    }
    return err_fail(ERR_INVALID, "Cannot find %s %lld in %s", field, (long long)id, list);
}

static struct err check_refs(const json_t *metadata)
{
    const char *name;
    json_t *ref, *refs = NULL;
    int64_t id;

    TRY(json_want_object(metadata, "refs", &refs));
    json_object_foreach(refs, name, ref)
    {
        if (!json_is_object(ref)) return err_fail(ERR_INVALID, "ref '%s' must be an object", name);
        TRY(json_need_i64(ref, "snapshot-id", &id));
    }
    return OK;
}

static struct err check_lists(const json_t *metadata)
{
    TRY(check_array(metadata, "schemas", "schema-id", true));
    TRY(check_array(metadata, "partition-specs", "spec-id", true));
    TRY(check_array(metadata, "sort-orders", "order-id", true));
    TRY(check_array(metadata, "snapshots", "snapshot-id", false));
    TRY(check_array(metadata, "snapshot-log", "snapshot-id", false));
    TRY(check_array(metadata, "metadata-log", "timestamp-ms", false));
    TRY(check_array(metadata, "statistics", "snapshot-id", false));
    TRY(check_array(metadata, "partition-statistics", "snapshot-id", false));
    TRY(check_named(metadata, "current-schema-id", "schemas", "schema-id"));
    TRY(check_named(metadata, "default-spec-id", "partition-specs", "spec-id"));
    return check_named(metadata, "default-sort-order-id", "sort-orders", "order-id");
}

static struct err check_table(json_t *metadata)
{
    struct str text;
    int64_t number;
    json_t *object = NULL;

    TRY(check_version(metadata, FORMAT_VERSION_MAX));
    TRY(json_need_str(metadata, "location", &text));
    TRY(json_need_str(metadata, "table-uuid", &text));
    if (text.len != 36) return FAIL(ERR_INVALID, "field 'table-uuid' must be a UUID");
    TRY(json_need_i64(metadata, "last-updated-ms", &number));
    TRY(json_need_i64(metadata, "last-column-id", &number));
    TRY(lists_of_schema(metadata));
    TRY(lists_of_spec(metadata));
    TRY(lists_of_order(metadata));
    TRY(check_lists(metadata));
    TRY(json_want_object(metadata, "properties", &object));
    TRY(check_refs(metadata));
    return refs_of_current(metadata);
}

static struct err check_schemas(const json_t *metadata)
{
    json_t *schema;
    size_t i;
    struct schema_field *fields;
    size_t count;

    json_array_foreach(json_object_get(metadata, "schemas"), i, schema)
    {
        TRY(schema_fields(schema, &fields, &count));
        free(fields);
    }
    return OK;
}

static struct err check_view(json_t *metadata)
{
    struct str text;
    int64_t number;

    TRY(check_version(metadata, 1));
    TRY(json_need_str(metadata, "location", &text));
    TRY(json_need_str(metadata, "view-uuid", &text));
    TRY(json_need_i64(metadata, "current-version-id", &number));
    TRY(check_array(metadata, "schemas", "schema-id", true));
    TRY(check_array(metadata, "versions", "version-id", true));
    return check_array(metadata, "version-log", "version-id", false);
}

struct err metadata_parse(enum metadata_kind kind, struct str bytes, json_t **ret)
{
    CLEANUP(json_freep) json_t *metadata = NULL;

    TRY(json_parse(bytes, &metadata));
    if (!json_is_object(metadata)) return FAIL(ERR_INVALID, "metadata must be a JSON object");
    TRY(kind == METADATA_TABLE ? check_table(metadata) : check_view(metadata));
    TRY(check_schemas(metadata));
    *ret = json_incref(metadata);
    return OK;
}

/* ---- a part of it ---- */

static bool is_named(const json_t *refs, const json_t *id)
{
    const char *name;
    json_t *ref;

    json_object_foreach((json_t *)refs, name, ref)
    {
        if (json_equal(json_object_get(ref, "snapshot-id"), id)) return true;
    }
    return false;
}

struct err metadata_refs_only(const json_t *metadata, json_t **ret)
{
    json_t *copy = json_copy((json_t *)metadata), *kept = json_array(), *snapshot;
    size_t i;

    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        if (is_named(json_object_get(metadata, "refs"), json_object_get(snapshot, "snapshot-id")))
            json_array_append(kept, snapshot);
    }
    if (!copy || !kept || json_object_set_new(copy, "snapshots", kept) != 0) {
        json_decref(copy);
        return no_memory();
    }
    *ret = copy;
    return OK;
}
