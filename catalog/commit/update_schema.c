/*
 * update_schema.c - add-schema, set-current-schema, remove-schemas.
 *
 * The request's schema-id and last-column-id are not believed (catalog.md 2.2): an identical schema keeps its id, another gets the next one; the last column id follows
 * from the fields. Whether readers of the table's files can follow a new current schema is asked at build.
 */
#include "catalog/commit/draft.h"

#include "catalog/model/schema.h"

static int64_t highest_schema_id(const struct draft *d)
{
    int64_t highest = -1;
    json_t *schema;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, "schemas"), i, schema)
    {
        const int64_t id = json_integer_value(json_object_get(schema, "schema-id"));
        highest = id > highest ? id : highest;
    }
    return highest;
}

static json_t *find_same(const struct draft *d, const json_t *wanted)
{
    json_t *schema;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, "schemas"), i, schema)
    {
        if (schema_same(schema, wanted)) return schema;
    }
    return NULL;
}

struct err update_add_schema(struct draft *d, const json_t *update)
{
    json_t *schema;

    TRY(json_need_object(update, "schema", &schema));
    TRY(schema_check(schema, d->kind == METADATA_VIEW ? 3 : draft_format(d)));
    const json_t *same = find_same(d, schema);
    if (same) {
        d->last_schema = json_integer_value(json_object_get(same, "schema-id"));
        return OK;
    }
    const int64_t id = highest_schema_id(d) + 1;
    json_t *copy = json_deep_copy(schema), *schemas = draft_own(d, "schemas", true);
    if (!copy || !schemas) return no_memory();
    json_object_set_new(copy, "type", json_string("struct"));
    json_object_set_new(copy, "schema-id", json_integer(id));
    json_array_append_new(schemas, copy);
    d->last_schema = id;
    if (d->kind == METADATA_VIEW) return OK;
    const int64_t last = schema_highest_id(schema), before = draft_int(d, "last-column-id", 0);
    draft_set_int(d, "last-column-id", last > before ? last : before);
    return OK;
}

struct err update_set_current_schema(struct draft *d, const json_t *update)
{
    int64_t id;

    TRY(json_need_i64(update, "schema-id", &id));
    if (id == -1 && d->last_schema == NONE_ADDED)
        return FAIL(ERR_INVALID, "Cannot set last added schema: no schema has been added");
    if (id == -1) id = d->last_schema;
    if (id == draft_int(d, "current-schema-id", -1)) return OK;
    if (!draft_find(d, "schemas", "schema-id", id))
        return err_fail(ERR_INVALID, "Cannot set current schema to unknown schema: %lld", (long long)id);
    draft_set_int(d, "current-schema-id", id);
    return OK;
}

struct err update_remove_schemas(struct draft *d, const json_t *update)
{
    json_t *ids, *id;
    size_t i;

    TRY(json_need_array(update, "schema-ids", &ids));
    json_array_foreach(ids, i, id)
    {
        if (json_is_integer(id) && json_integer_value(id) == draft_int(d, "current-schema-id", -1))
            return FAIL(ERR_INVALID, "Cannot remove current schema");
    }
    return draft_remove(d, "schemas", "schema-id", ids);
}
