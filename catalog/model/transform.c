/*
 * transform.c - the table of partition transforms.
 */
#include <stdio.h>

#include "catalog/model/partition.h"

static const struct {
    const char *name, *types; /* types it takes, space-separated; NULL: any primitive */
} transforms[] = {
    { "identity",
      "boolean int long float double decimal( date time timestamp timestamptz timestamp_ns timestamptz_ns string uuid fixed[ binary unknown" },
    { "year", "date timestamp timestamptz timestamp_ns timestamptz_ns" },
    { "month", "date timestamp timestamptz timestamp_ns timestamptz_ns" },
    { "day", "date timestamp timestamptz timestamp_ns timestamptz_ns" },
    { "hour", "timestamp timestamptz timestamp_ns timestamptz_ns" },
    { "bucket[",
      "int long decimal( date time timestamp timestamptz timestamp_ns timestamptz_ns string uuid fixed[ binary unknown" },
    { "truncate[", "int long decimal( string binary unknown" },
    { "void", NULL },
};
#define TRANSFORM_COUNT (sizeof(transforms) / sizeof(transforms[0]))

/* A name that ends with a bracket stands for all with an argument. */
static bool name_matches(struct str text, struct str name)
{
    const char last = name.data[name.len - 1];
    return last == '[' || last == '(' ? str_starts(text, name) : str_eq(text, name);
}

static int transform_index(struct str transform)
{
    uint64_t width;

    for (size_t i = 0; i < TRANSFORM_COUNT; i++) {
        const struct str name = str_from_z(transforms[i].name);
        if (!name_matches(transform, name)) continue;
        if (name.data[name.len - 1] != '[') return (int)i;
        if (transform.data[transform.len - 1] != ']') return -1;
        return str_to_u64(str_slice(transform, name.len, transform.len - 1), &width) && width > 0
                && width <= INT32_MAX
            ? (int)i
            : -1;
    }
    return -1;
}

bool transform_known(struct str transform)
{
    return transform_index(transform) >= 0;
}

bool transform_accepts(struct str transform, struct str type)
{
    const int i = transform_index(transform);
    struct str name;

    if (i < 0) return false;
    if (!transforms[i].types) return true;
    for (struct str_split it = str_split_on(str_from_z(transforms[i].types), ' ');
         str_split_next(&it, &name);) {
        if (name_matches(type, name)) return true;
    }
    return false;
}

struct err transform_source(const json_t *field, int64_t *ret)
{
    const json_t *many = json_object_get(field, "source-ids");

    if (json_array_size(many) == 1 && json_is_integer(json_array_get(many, 0))) {
        *ret = json_integer_value(json_array_get(many, 0));
        return OK;
    }
    return json_need_i64(field, "source-id", ret);
}

static struct err remap_field(json_t *field, const json_t *ids)
{
    char old[24];
    int64_t source;

    TRY(transform_source(field, &source));
    (void)snprintf(old, sizeof(old), "%lld", (long long)source);
    json_t *id = json_object_get(ids, old);
    if (!id) return err_fail(ERR_INVALID, "Cannot find source column: %lld", (long long)source);
    json_object_del(field, "source-ids");
    return json_object_set(field, "source-id", id) == 0 ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err transform_remap(const json_t *spec_or_order, const json_t *ids, json_t **ret)
{
    json_t *copy = json_deep_copy(spec_or_order), *field;
    size_t i;

    if (!copy) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    json_array_foreach(json_object_get(copy, "fields"), i, field)
    {
        const struct err e = json_is_object(field) ? remap_field(field, ids)
                                                   : FAIL(ERR_INVALID, "a field must be an object");
        if (e.code == ERR_OK) continue;
        json_decref(copy);
        return e;
    }
    *ret = copy;
    return OK;
}
