/*
 * schema_fresh.c - fresh ids for a new table's schema (catalog.md 2.4; the reference's AssignFreshIds).
 *
 * All fields of a struct get ids first, then each field's type is visited in order; a list: element id, then inside; a map: key id, value id, then key type, value
 * type. The ids of the request are not kept; partition spec and sort order are mapped through the table old -> new.
 */
#include <stdio.h>

#include "catalog/model/schema.h"
#include "catalog/model/types.h"

struct fresh {
    json_t *ids; /* "old" -> new */
    int64_t last;
};

static json_t *fresh_type(struct fresh *f, const json_t *type);

static int64_t fresh_id(struct fresh *f, const json_t *object, const char *field)
{
    char old[24];

    f->last++;
    (void)snprintf(old, sizeof(old), "%lld", (long long)json_integer_value(json_object_get(object, field)));
    json_object_set_new(f->ids, old, json_integer(f->last));
    return f->last;
}

static json_t *fresh_struct(struct fresh *f, const json_t *type)
{
    json_t *copy = json_copy((json_t *)type), *fields = json_array(), *field;
    size_t i;

    json_array_foreach(json_object_get(type, "fields"), i, field)
    {
        json_t *out = json_copy(field);
        json_object_set_new(out, "id", json_integer(fresh_id(f, field, "id")));
        json_array_append_new(fields, out);
    }
    json_array_foreach(fields, i, field)
    {
        json_object_set_new(field, "type", fresh_type(f, json_object_get(field, "type")));
    }
    json_object_set_new(copy, "fields", fields);
    return copy;
}

static json_t *fresh_list(struct fresh *f, const json_t *type)
{
    json_t *copy = json_copy((json_t *)type);

    json_object_set_new(copy, "element-id", json_integer(fresh_id(f, type, "element-id")));
    json_object_set_new(copy, "element", fresh_type(f, json_object_get(type, "element")));
    return copy;
}

static json_t *fresh_map(struct fresh *f, const json_t *type)
{
    json_t *copy = json_copy((json_t *)type);

    json_object_set_new(copy, "key-id", json_integer(fresh_id(f, type, "key-id")));
    json_object_set_new(copy, "value-id", json_integer(fresh_id(f, type, "value-id")));
    json_object_set_new(copy, "key", fresh_type(f, json_object_get(type, "key")));
    json_object_set_new(copy, "value", fresh_type(f, json_object_get(type, "value")));
    return copy;
}

static json_t *fresh_type(struct fresh *f, const json_t *type)
{
    enum type_kind kind;

    if (type_kind_of(type, &kind).code != ERR_OK) return NULL;
    switch (kind) {
    case TYPE_PRIMITIVE: return json_incref((json_t *)type);
    case TYPE_STRUCT: return fresh_struct(f, type);
    case TYPE_LIST: return fresh_list(f, type);
    case TYPE_MAP: return fresh_map(f, type);
    }
    return NULL;
}

static json_t *fresh_identifiers(const struct fresh *f, const json_t *schema)
{
    json_t *list = json_array(), *id;
    size_t i;

    json_array_foreach(json_object_get(schema, "identifier-field-ids"), i, id)
    {
        char old[24];
        (void)snprintf(old, sizeof(old), "%lld", (long long)json_integer_value(id));
        json_array_append(list, json_object_get(f->ids, old));
    }
    return list;
}

struct err schema_with_fresh_ids(const json_t *schema, json_t **ret, json_t **ret_ids, int64_t *ret_last_id)
{
    struct fresh f = { .ids = json_object() };

    json_t *copy = f.ids ? fresh_struct(&f, schema) : NULL;
    if (!copy) {
        json_decref(f.ids);
        return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    }
    json_object_set_new(copy, "type", json_string("struct"));
    json_object_set_new(copy, "schema-id", json_integer(0));
    if (json_array_size(json_object_get(schema, "identifier-field-ids")))
        json_object_set_new(copy, "identifier-field-ids", fresh_identifiers(&f, schema));
    *ret = copy;
    *ret_ids = f.ids;
    *ret_last_id = f.last;
    return OK;
}
