/*
 * schema.c - walking and checking schemas.
 *
 * A schema is flattened once into an array of fields, parents first; every check is a loop over that array.
 */
#include "catalog/model/schema.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/model/types.h"
#include "storage/base/limits.h"

/* Evolution compares every field with every other: wider tables than this are not made by people. */
enum { FIELDS_MAX = 20000 };

struct walk {
    struct schema_field *fields;
    size_t count, room;
};

static struct err walk_type(struct walk *w, const json_t *type, const struct schema_field *parent);

static struct err add(struct walk *w, const struct schema_field *f)
{
    if (w->count == FIELDS_MAX)
        return err_fail(ERR_INVALID, "Invalid schema: more than %d fields", FIELDS_MAX);
    if (w->count == w->room) {
        const size_t room = w->room ? w->room * 2 : 64;
        struct schema_field *fields = realloc(w->fields, room * sizeof(*fields));
        if (!fields) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
        w->fields = fields;
        w->room = room;
    }
    w->fields[w->count++] = *f;
    return OK;
}

static struct err add_and_walk(struct walk *w, struct schema_field f, const struct schema_field *parent,
                               bool in_collection)
{
    f.parent_id = parent ? parent->id : -1;
    f.is_in_collection = in_collection || (parent && parent->is_in_collection);
    f.is_in_optional = parent && (parent->is_in_optional || !parent->is_required);
    if (f.id < 0 || f.id > INT32_MAX)
        return err_fail(ERR_INVALID, "Invalid schema: the id of field '%.*s' is out of range",
                        STR_ARG(f.name));
    TRY(add(w, &f));
    return walk_type(w, f.type, &f);
}

static struct err walk_struct(struct walk *w, const json_t *type, const struct schema_field *parent)
{
    json_t *list, *field;
    size_t i;

    TRY(json_need_array(type, "fields", &list));
    json_array_foreach(list, i, field)
    {
        struct schema_field f = { .json = field };
        if (!json_is_object(field)) return FAIL(ERR_INVALID, "Invalid schema: a field must be an object");
        TRY(json_need_i64(field, "id", &f.id));
        TRY(json_need_str(field, "name", &f.name));
        TRY(json_need_bool(field, "required", &f.is_required));
        f.type = json_object_get(field, "type");
        if (!f.type)
            return err_fail(ERR_INVALID, "Invalid schema: field '%.*s' has no type", STR_ARG(f.name));
        TRY(add_and_walk(w, f, parent, false));
    }
    return OK;
}

/* A list's element, a map's key or value: {prefix}-id, {prefix}-required, {prefix}. */
static struct err walk_part(struct walk *w, const json_t *type, const char *part,
                            const struct schema_field *parent)
{
    struct schema_field f = { .name = str_from_z(part), .json = type, .is_required = true };
    char id[32], required[32];

    (void)snprintf(id, sizeof(id), "%s-id", part);
    (void)snprintf(required, sizeof(required), "%s-required", part);
    TRY(json_need_i64(type, id, &f.id));
    if (!str_is(f.name, "key")) TRY(json_need_bool(type, required, &f.is_required));
    f.type = json_object_get(type, part);
    if (!f.type) return err_fail(ERR_INVALID, "Invalid schema: field '%s' is missing", part);
    return add_and_walk(w, f, parent, true);
}

static struct err walk_type(struct walk *w, const json_t *type, const struct schema_field *parent)
{
    enum type_kind kind;
    int min_version;

    TRY(type_kind_of(type, &kind));
    switch (kind) {
    case TYPE_PRIMITIVE:
        if (primitive_known(json_str(type), &min_version)) return OK;
        return err_fail(ERR_INVALID, "Cannot parse type string to primitive: %.*s", STR_ARG(json_str(type)));
    case TYPE_STRUCT: return walk_struct(w, type, parent);
    case TYPE_LIST: return walk_part(w, type, "element", parent);
    case TYPE_MAP: TRY(walk_part(w, type, "key", parent)); return walk_part(w, type, "value", parent);
    }
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = (*(const struct schema_field *const *)a)->id,
                  y = (*(const struct schema_field *const *)b)->id;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
    const struct schema_field *x = *(const struct schema_field *const *)a,
                              *y = *(const struct schema_field *const *)b;
    if (x->parent_id != y->parent_id) return x->parent_id < y->parent_id ? -1 : 1;
    return str_cmp(x->name, y->name);
}

/* No id twice, and no name twice in one struct: neighbours of a sorted array. */
static struct err check_unique(const struct walk *w)
{
    const struct schema_field **sorted = calloc(w->count + 1, sizeof(const struct schema_field *));
    struct err e = OK;

    if (!sorted) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (size_t i = 0; i < w->count; i++) sorted[i] = &w->fields[i];
    qsort(sorted, w->count, sizeof(*sorted), by_id);
    for (size_t i = 1; i < w->count && e.code == ERR_OK; i++) {
        if (sorted[i]->id == sorted[i - 1]->id)
            e = err_fail(ERR_INVALID, "Invalid schema: multiple fields with id %lld",
                         (long long)sorted[i]->id);
    }
    qsort(sorted, w->count, sizeof(*sorted), by_name);
    for (size_t i = 1; i < w->count && e.code == ERR_OK; i++) {
        if (by_name(&sorted[i], &sorted[i - 1]) == 0)
            e = err_fail(ERR_INVALID, "Invalid schema: multiple fields for name %.*s",
                         STR_ARG(sorted[i]->name));
    }
    free(sorted);
    return e;
}

struct err schema_fields(const json_t *schema, struct schema_field **ret, size_t *ret_count)
{
    struct walk w = { .count = 0 };

    if (!json_is_object(schema)) return FAIL(ERR_INVALID, "Invalid schema: it must be an object");
    struct err e = walk_struct(&w, schema, NULL);
    if (e.code == ERR_OK) e = check_unique(&w);
    if (e.code != ERR_OK) {
        free(w.fields);
        return e;
    }
    *ret = w.fields;
    *ret_count = w.count;
    return OK;
}

static const struct schema_field *find(const struct schema_field *fields, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].id == id) return &fields[i];
    }
    return NULL;
}

/* ---- validity ---- */

static struct err check_version(const struct schema_field *f, int format_version)
{
    int min_version = 1;

    if (json_is_string(f->type)) (void)primitive_known(json_str(f->type), &min_version);
    if (min_version > format_version)
        return err_fail(ERR_INVALID, "Invalid type for %.*s: %.*s is not supported until v%d",
                        STR_ARG(f->name), STR_ARG(json_str(f->type)), min_version);
    const json_t *initial = json_object_get(f->json, "initial-default");
    if (initial && !json_is_null(initial) && format_version < 3)
        return err_fail(ERR_INVALID,
                        "Invalid initial default for %.*s: non-null default is not supported until v3",
                        STR_ARG(f->name));
    return OK;
}

static struct err check_identifier(const struct schema_field *fields, size_t count, int64_t id)
{
    const struct schema_field *f = find(fields, count, id);

    if (!f)
        return err_fail(ERR_INVALID, "Cannot add fieldId %lld as an identifier field: field does not exist",
                        (long long)id);
    if (!json_is_string(f->type))
        return err_fail(ERR_INVALID,
                        "Cannot add field %.*s as an identifier field: not a primitive type field",
                        STR_ARG(f->name));
    if (!f->is_required)
        return err_fail(ERR_INVALID, "Cannot add field %.*s as an identifier field: not a required field",
                        STR_ARG(f->name));
    if (!primitive_can_identify(json_str(f->type)))
        return err_fail(ERR_INVALID,
                        "Cannot add field %.*s as an identifier field: must not be float or double field",
                        STR_ARG(f->name));
    if (f->is_in_collection)
        return err_fail(ERR_INVALID,
                        "Cannot add field %.*s as an identifier field: must not be nested in a list or map",
                        STR_ARG(f->name));
    if (f->is_in_optional)
        return err_fail(
            ERR_INVALID,
            "Cannot add field %.*s as an identifier field: must not be nested in an optional field",
            STR_ARG(f->name));
    return OK;
}

static struct err check_fields(const json_t *schema, const struct schema_field *fields, size_t count,
                               int format_version)
{
    json_t *identifiers = NULL, *id;
    size_t i;

    for (size_t f = 0; f < count; f++) TRY(check_version(&fields[f], format_version));
    TRY(json_want_array(schema, "identifier-field-ids", &identifiers));
    json_array_foreach(identifiers, i, id)
    {
        if (!json_is_integer(id))
            return FAIL(ERR_INVALID, "field 'identifier-field-ids' must be an array of integers");
        TRY(check_identifier(fields, count, json_integer_value(id)));
    }
    return OK;
}

struct err schema_check(const json_t *schema, int format_version)
{
    struct schema_field *fields;
    size_t count;

    TRY(schema_fields(schema, &fields, &count));
    const struct err e = check_fields(schema, fields, count, format_version);
    free(fields);
    return e;
}

int64_t schema_highest_id(const json_t *schema)
{
    struct schema_field *fields;
    size_t count;
    int64_t highest = 0;

    if (schema_fields(schema, &fields, &count).code != ERR_OK) return 0;
    for (size_t i = 0; i < count; i++) highest = fields[i].id > highest ? fields[i].id : highest;
    free(fields);
    return highest;
}

static bool same_identifiers(const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(a, "identifier-field-ids"),
                 *y = json_object_get(b, "identifier-field-ids");
    const size_t n = json_array_size(x);

    if (n != json_array_size(y)) return false;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t j = 0; j < n && !found; j++)
            found = json_equal(json_array_get(x, i), json_array_get(y, j)) == 1;
        if (!found) return false;
    }
    return true;
}

bool schema_same(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "fields"), json_object_get(b, "fields")) == 1
        && same_identifiers(a, b);
}

/* ---- evolution ---- */

static struct err check_pair(const struct schema_field *was, const struct schema_field *is,
                             int format_version)
{
    const bool was_primitive = json_is_string(was->type), is_primitive = json_is_string(is->type);

    if (was_primitive != is_primitive
        || (!was_primitive
            && !str_eq(json_str(json_object_get(was->type, "type")),
                       json_str(json_object_get(is->type, "type")))))
        return err_fail(ERR_INVALID, "Cannot change column type: %.*s: its kind may not change",
                        STR_ARG(is->name));
    if (was_primitive && !primitive_promotes(json_str(was->type), json_str(is->type), format_version))
        return err_fail(ERR_INVALID, "Cannot change column type: %.*s: %.*s -> %.*s", STR_ARG(is->name),
                        STR_ARG(json_str(was->type)), STR_ARG(json_str(is->type)));
    if (!was->is_required && is->is_required)
        return err_fail(ERR_INVALID, "Cannot change column nullability: %.*s: optional -> required",
                        STR_ARG(is->name));
    const json_t *before = json_object_get(was->json, "initial-default"),
                 *after = json_object_get(is->json, "initial-default");
    if (before && after && !json_equal(before, after))
        return err_fail(ERR_INVALID, "Cannot change the initial default of column %.*s", STR_ARG(is->name));
    return OK;
}

/* Files that are there have no value for it; the fields of a struct that is new itself are read as one. */
static struct err check_new(const struct schema_field *f, bool is_parent_new)
{
    const json_t *initial = json_object_get(f->json, "initial-default");

    if (f->is_required && !is_parent_new && (!initial || json_is_null(initial)))
        return err_fail(ERR_INVALID,
                        "Incompatible change: cannot add required column without a default value: %.*s",
                        STR_ARG(f->name));
    return OK;
}

/* An id that is not in the current schema may be one of an older schema that comes back (the undoing of a drop): its type was checked when it was made. */
static struct err compare(const struct schema_field *was, size_t was_count, const struct schema_field *is,
                          size_t is_count, int format_version)
{
    for (size_t i = 0; i < is_count; i++) {
        const struct schema_field *before = find(was, was_count, is[i].id);
        if (before) TRY(check_pair(before, &is[i], format_version));
        else TRY(check_new(&is[i], is[i].parent_id >= 0 && !find(was, was_count, is[i].parent_id)));
    }
    return OK;
}

struct err schema_check_evolution(const json_t *current, const json_t *next, int format_version)
{
    struct schema_field *was = NULL, *is = NULL;
    size_t was_count = 0, is_count = 0;

    TRY(schema_fields(current, &was, &was_count));
    struct err e = schema_fields(next, &is, &is_count);
    if (e.code == ERR_OK) e = compare(was, was_count, is, is_count, format_version);
    free(was);
    free(is);
    return e;
}
