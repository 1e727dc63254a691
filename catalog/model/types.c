/*
 * types.c - the table of primitive types.
 */
#include "catalog/model/types.h"

static const struct {
    const char *name;
    int min_version;
} primitives[] = {
    { "boolean", 1 }, { "int", 1 },      { "long", 1 },         { "float", 1 },          { "double", 1 },
    { "date", 1 },    { "time", 1 },     { "timestamp", 1 },    { "timestamptz", 1 },    { "string", 1 },
    { "uuid", 1 },    { "binary", 1 },   { "timestamp_ns", 3 }, { "timestamptz_ns", 3 }, { "unknown", 3 },
    { "variant", 3 }, { "geometry", 3 }, { "geography", 3 },
};

struct err type_kind_of(const json_t *type, enum type_kind *ret)
{
    static const struct {
        const char *name;
        enum type_kind kind;
    } nested[] = { { "struct", TYPE_STRUCT }, { "list", TYPE_LIST }, { "map", TYPE_MAP } };

    if (json_is_string(type)) {
        *ret = TYPE_PRIMITIVE;
        return OK;
    }
    const struct str name = json_str(json_object_get(type, "type"));
    for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
        if (!str_is(name, nested[i].name)) continue;
        *ret = nested[i].kind;
        return OK;
    }
    return FAIL(ERR_INVALID, "Cannot parse type: it must be a primitive's name, or a struct, list or map");
}

/* "fixed[16]", "decimal(9, 2)": the text between the brackets. */
static bool arguments_of(struct str name, const char *prefix, char close, struct str *ret)
{
    const struct str p = str_from_z(prefix);

    if (!str_starts(name, p) || name.len <= p.len || name.data[name.len - 1] != close) return false;
    *ret = str_slice(name, p.len, name.len - 1);
    return true;
}

static bool decimal_parse(struct str name, uint64_t *ret_precision, uint64_t *ret_scale)
{
    struct str args, precision;

    if (!arguments_of(name, "decimal(", ')', &args)) return false;
    const struct str scale = str_trim(str_cut(args, ',', &precision));
    return str_to_u64(str_trim(precision), ret_precision) && str_to_u64(scale, ret_scale)
        && *ret_precision >= 1 && *ret_precision <= 38 && *ret_scale <= *ret_precision;
}

bool primitive_known(struct str name, int *ret_min_version)
{
    struct str args;
    uint64_t precision, scale, length;

    *ret_min_version = 1;
    if (decimal_parse(name, &precision, &scale)) return true;
    if (arguments_of(name, "fixed[", ']', &args)) return str_to_u64(str_trim(args), &length);
    if (arguments_of(name, "geometry(", ')', &args) || arguments_of(name, "geography(", ')', &args)) {
        *ret_min_version = 3;
        return true;
    }
    for (size_t i = 0; i < sizeof(primitives) / sizeof(primitives[0]); i++) {
        if (!str_is(name, primitives[i].name)) continue;
        *ret_min_version = primitives[i].min_version;
        return true;
    }
    return false;
}

static bool decimal_promotes(struct str from, struct str to)
{
    uint64_t p, s, p2, s2;

    return decimal_parse(from, &p, &s) && decimal_parse(to, &p2, &s2) && s == s2 && p2 >= p;
}

bool primitive_promotes(struct str from, struct str to, int format_version)
{
    if (str_eq(from, to) || decimal_promotes(from, to)) return true;
    if (str_is(from, "int") && str_is(to, "long")) return true;
    if (str_is(from, "float") && str_is(to, "double")) return true;
    if (format_version < 3) return false;
    if (str_is(from, "unknown")) return true;
    return str_is(from, "date") && (str_is(to, "timestamp") || str_is(to, "timestamp_ns"));
}

bool primitive_can_identify(struct str name)
{
    return !str_is(name, "float") && !str_is(name, "double");
}
