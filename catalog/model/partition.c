/*
 * partition.c - binding partition specs and sort orders to a schema.
 */
#include "catalog/model/partition.h"

#include <stdlib.h>

#include "catalog/model/schema.h"
#include "storage/base/thread.h"

enum { FIELDS_MAX = 1000 };

/* The fields of the schema that sources are looked up in. */
struct sources {
    struct schema_field *fields;
    size_t count;
};

static void sources_done(struct sources *s)
{
    free(s->fields);
}

static const struct schema_field *source_find(const struct sources *s, int64_t id)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fields[i].id == id) return &s->fields[i];
    }
    return NULL;
}

/* source, transform: known, there, and made for each other. The void transform outlives its column. */
static struct err check_source(const json_t *field, const struct sources *sources,
                               const struct schema_field **ret)
{
    struct str transform;
    int64_t id;

    if (!json_is_object(field)) return FAIL(ERR_INVALID, "a field must be an object");
    TRY(json_need_str(field, "transform", &transform));
    TRY(transform_source(field, &id));
    if (!transform_known(transform))
        return err_fail(ERR_INVALID, "Unknown transform: %.*s", STR_ARG(transform));
    const struct schema_field *source = source_find(sources, id);
    *ret = source;
    if (str_is(transform, "void")) return OK;
    if (!source) return err_fail(ERR_INVALID, "Cannot find source column with id: %lld", (long long)id);
    if (!json_is_string(source->type))
        return err_fail(ERR_INVALID, "Cannot partition by non-primitive source field: %.*s",
                        STR_ARG(source->name));
    if (source->is_in_collection)
        return err_fail(ERR_INVALID, "Invalid source column: %.*s is in a list or map",
                        STR_ARG(source->name));
    if (!transform_accepts(transform, json_str(source->type)))
        return err_fail(ERR_INVALID, "Invalid source type %.*s for transform: %.*s",
                        STR_ARG(json_str(source->type)), STR_ARG(transform));
    return OK;
}

/* A partition may bear a column's name only if that is its source. */
static struct err check_name(const json_t *field, struct str name, const struct schema_field *source,
                             const struct sources *sources)
{
    if (name.len == 0) return FAIL(ERR_INVALID, "Cannot use empty partition name");
    for (size_t i = 0; i < sources->count; i++) {
        const struct schema_field *f = &sources->fields[i];
        if (f->parent_id >= 0 || !str_eq(f->name, name)) continue;
        if (source && source->id == f->id) return OK;
        if (str_is(json_str(json_object_get(field, "transform")), "void")) return OK;
        return err_fail(ERR_INVALID, "Cannot create partition from name that exists in schema: %.*s",
                        STR_ARG(name));
    }
    return OK;
}

static bool same_source(const json_t *a, const json_t *b)
{
    int64_t x, y;

    if (transform_source(a, &x).code != ERR_OK || transform_source(b, &y).code != ERR_OK) return false;
    return x == y
        && str_eq(json_str(json_object_get(a, "transform")), json_str(json_object_get(b, "transform")));
}

static struct err check_twins(const json_t *fields, size_t index)
{
    const json_t *field = json_array_get(fields, index);
    const struct str name = json_str(json_object_get(field, "name"));

    for (size_t i = 0; i < index; i++) {
        const json_t *other = json_array_get(fields, i);
        if (str_eq(name, json_str(json_object_get(other, "name"))))
            return err_fail(ERR_INVALID, "Cannot use partition name more than once: %.*s", STR_ARG(name));
        if (same_source(field, other) && !str_is(json_str(json_object_get(field, "transform")), "void"))
            return err_fail(ERR_INVALID, "Cannot add redundant partition: %.*s", STR_ARG(name));
    }
    return OK;
}

static struct err check_partition_field(const json_t *fields, size_t index, const struct sources *sources)
{
    const json_t *field = json_array_get(fields, index);
    const struct schema_field *source = NULL;
    struct str name;

    TRY(check_source(field, sources, &source));
    TRY(json_need_str(field, "name", &name));
    TRY(check_name(field, name, source, sources));
    return check_twins(fields, index);
}

struct err partition_check(const json_t *spec, const json_t *schema)
{
    CLEANUP(sources_done) struct sources sources = { NULL, 0 };
    json_t *fields;

    TRY(json_need_array(spec, "fields", &fields));
    if (json_array_size(fields) > FIELDS_MAX)
        return err_fail(ERR_INVALID, "a partition spec has at most %d fields", FIELDS_MAX);
    TRY(schema_fields(schema, &sources.fields, &sources.count));
    for (size_t i = 0; i < json_array_size(fields); i++) TRY(check_partition_field(fields, i, &sources));
    return OK;
}

/* The id of a field with the same source and transform in an older spec: the same partition value keeps its id. */
static bool known_id(const json_t *field, const json_t *specs, int64_t *ret)
{
    json_t *spec, *other;
    size_t i, j;

    json_array_foreach((json_t *)specs, i, spec)
    {
        json_array_foreach(json_object_get(spec, "fields"), j, other)
        {
            if (!same_source(field, other)) continue;
            *ret = json_integer_value(json_object_get(other, "field-id"));
            return true;
        }
    }
    return false;
}

static json_t *bound_field(const json_t *field, const json_t *specs, int64_t *last_id)
{
    int64_t id = -1, source = 0;

    err_ignore(json_want_i64(field, "field-id", &id));
    err_ignore(transform_source(field, &source));
    if (id < 0 && !known_id(field, specs, &id))
        id = *last_id < INT32_MAX ? *last_id + 1 : INT64_MAX; /* refused by check_ids */
    if (id > *last_id) *last_id = id;
    return json_pack("{s:I, s:I, s:O, s:O}", "source-id", (json_int_t)source, "field-id", (json_int_t)id,
                     "transform", json_object_get(field, "transform"), "name",
                     json_object_get(field, "name"));
}

bool partition_is_sequential(const json_t *bound)
{
    json_t *field;
    size_t i;

    json_array_foreach(json_object_get(bound, "fields"), i, field)
    {
        if (json_integer_value(json_object_get(field, "field-id")) != PARTITION_ID_FIRST + (json_int_t)i)
            return false;
    }
    return true;
}

static struct err check_ids(const json_t *bound)
{
    json_t *fields = json_object_get(bound, "fields"), *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        if (json_integer_value(json_object_get(field, "field-id")) > INT32_MAX)
            return FAIL(ERR_INVALID, "a partition field's id is out of range");
        for (size_t j = 0; j < i; j++) {
            if (json_equal(json_object_get(field, "field-id"),
                           json_object_get(json_array_get(fields, j), "field-id")))
                return FAIL(ERR_INVALID, "Cannot use field id more than once in one PartitionSpec");
        }
    }
    return OK;
}

struct err partition_bind(const json_t *unbound, const json_t *schema, const json_t *specs, int64_t spec_id,
                          int64_t *last_id, json_t **ret)
{
    json_t *list, *field;
    size_t i;

    TRY(partition_check(unbound, schema));
    TRY(json_need_array(unbound, "fields", &list));
    json_t *bound = json_array();
    json_array_foreach(list, i, field)
    {
        json_array_append_new(bound, bound_field(field, specs, last_id));
    }
    CLEANUP(json_freep)
    json_t *spec = json_pack("{s:I, s:o}", "spec-id", (json_int_t)spec_id, "fields", bound);
    if (!spec || json_array_size(json_object_get(spec, "fields")) != json_array_size(list))
        return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(check_ids(spec));
    *ret = json_incref(spec);
    return OK;
}

static bool same_fields(const json_t *a, const json_t *b, const char *const *names, size_t name_count)
{
    const json_t *x = json_object_get(a, "fields"), *y = json_object_get(b, "fields");

    if (json_array_size(x) != json_array_size(y)) return false;
    for (size_t i = 0; i < json_array_size(x); i++) {
        const json_t *f = json_array_get(x, i), *g = json_array_get(y, i);
        if (!same_source(f, g)) return false;
        for (size_t n = 0; n < name_count; n++) {
            if (!str_eq(json_str(json_object_get(f, names[n])), json_str(json_object_get(g, names[n]))))
                return false;
        }
    }
    return true;
}

bool partition_same(const json_t *a, const json_t *b)
{
    static const char *const names[] = { "name" };
    return same_fields(a, b, names, 1);
}

/* ---- sort orders ---- */

bool sort_is_unsorted(const json_t *order)
{
    return json_array_size(json_object_get(order, "fields")) == 0;
}

bool sort_same(const json_t *a, const json_t *b)
{
    static const char *const names[] = { "direction", "null-order" };
    return same_fields(a, b, names, 2);
}

static struct err check_sort_field(const json_t *field, const struct sources *sources)
{
    const struct schema_field *source;
    struct str direction, nulls;

    TRY(check_source(field, sources, &source));
    TRY(json_need_str(field, "direction", &direction));
    TRY(json_need_str(field, "null-order", &nulls));
    if (!str_is(direction, "asc") && !str_is(direction, "desc"))
        return err_fail(ERR_INVALID, "Invalid sort direction: %.*s", STR_ARG(direction));
    if (!str_is(nulls, "nulls-first") && !str_is(nulls, "nulls-last"))
        return err_fail(ERR_INVALID, "Invalid null order: %.*s", STR_ARG(nulls));
    return OK;
}

struct err sort_check(const json_t *order, const json_t *schema)
{
    CLEANUP(sources_done) struct sources sources = { NULL, 0 };
    json_t *fields, *field;
    size_t i;

    TRY(json_need_array(order, "fields", &fields));
    if (json_array_size(fields) > FIELDS_MAX)
        return err_fail(ERR_INVALID, "a sort order has at most %d fields", FIELDS_MAX);
    TRY(schema_fields(schema, &sources.fields, &sources.count));
    json_array_foreach(fields, i, field)
    {
        TRY(check_sort_field(field, &sources));
    }
    return OK;
}

struct err sort_bind(const json_t *unbound, const json_t *schema, int64_t order_id, json_t **ret)
{
    TRY(sort_check(unbound, schema));
    json_t *copy = json_deep_copy(unbound);
    if (!copy || json_object_set_new(copy, "order-id", json_integer(order_id)) != 0) {
        json_decref(copy);
        return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    }
    *ret = copy;
    return OK;
}
