/*
 * program.c - what to take from a record and what to pass over, compiled from the writer's schema.
 *
 * A type is compiled for the place where it stands: under a wanted field, or to be passed over. The same named type may stand in both
 * (a record type "file" that is the wanted field's, and another field's too), so a name keeps its definition, and one node for passing over, made when it is first
 * needed; under a wanted field it is compiled again. Wanted fields lie in records of records only, as deep as the table of wants says, so that ends.
 *
 * A record's node is there before its fields are compiled: a type that names itself becomes a circle of nodes. Everything else is a tree,
 * no deeper than the JSON, which json_parse bounds.
 *
 * Why not a flat list of steps: unions, arrays and circles would need jumps and a stack; the tree needs neither, and is as small.
 */
#include "catalog/avro/program.h"

#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define NO_NODE UINT32_MAX
#define SCRATCH_BYTES                                                                                        \
    (4 * MIB) /* names and their index: at most LIMIT_AVRO_NODES, of a schema of LIMIT_AVRO_SCHEMA */

/* A named type. */
struct name {
    const json_t *def;
    struct str full, space;
    uint32_t passed_over; /* its node; NO_NODE: not made yet */
};

struct compiler {
    struct arena *scratch;
    const struct want *wants;
    size_t want_count;
    uint32_t found; /* a bit for each row of wants */
    struct node *nodes;
    uint32_t *kids;
    uint32_t node_count, kid_count, name_count;
    json_t *index; /* full name -> place in names */
    struct name names[LIMIT_AVRO_NODES];
};

/* Where a type stands. */
struct place {
    const struct want *want; /* NULL: to be passed over */
    struct str space;        /* the enclosing namespace */
};

static const struct want root_want = { .field_id = WANT_ROOT, .kind = WANT_RECORD, .name = "the record" };

static const struct primitive {
    const char *name;
    enum node_op op;
    uint32_t count;
    enum want_kind fits; /* WANT_RECORD: nothing */
} primitives[] = {
    { "null", NODE_EMPTY, 0, WANT_RECORD },  { "boolean", NODE_BOOLEAN, 0, WANT_RECORD },
    { "int", NODE_INT, 0, WANT_NUMBER },     { "long", NODE_LONG, 0, WANT_NUMBER },
    { "float", NODE_FIXED, 4, WANT_RECORD }, { "double", NODE_FIXED, 8, WANT_RECORD },
    { "bytes", NODE_BYTES, 0, WANT_RECORD }, { "string", NODE_BYTES, 0, WANT_STRING },
};

static const struct err program_no_memory = { ERR_NO_MEMORY, "no memory for the schema of an Avro file" };

static struct err compile_type(struct compiler *c, const json_t *type, struct place at, uint32_t *ret);

static struct err node_new(struct compiler *c, enum node_op op, uint32_t count, uint32_t *ret)
{
    if (c->node_count == LIMIT_AVRO_NODES)
        return err_fail(ERR_TOO_LARGE, "it has more than the %d types allowed", LIMIT_AVRO_NODES);
    c->nodes[c->node_count] = (struct node){ .op = op, .want = -1, .count = count };
    *ret = c->node_count++;
    return OK;
}

/* count kids in a row. */
static struct err kids_new(struct compiler *c, size_t count, uint32_t *ret_first)
{
    if (count > LIMIT_AVRO_NODES - c->kid_count)
        return err_fail(ERR_TOO_LARGE, "it has more than the %d fields and branches allowed",
                        LIMIT_AVRO_NODES);
    *ret_first = c->kid_count;
    c->kid_count += (uint32_t)count;
    return OK;
}

static struct err mismatch(const struct want *want, const char *type)
{
    static const char *const kinds[] = {
        [WANT_NUMBER] = "an int or long", [WANT_STRING] = "a string", [WANT_RECORD] = "a record"
    };

    if (want == &root_want) return err_fail(ERR_INVALID, "it is not that of a record, but of '%.32s'", type);
    return err_fail(ERR_INVALID, "field %d (%s) must be %s, not '%.32s'", (int)want->field_id, want->name,
                    kinds[want->kind], type);
}

/* ---- names ---- */

static struct err full_name(struct compiler *c, struct str name, struct str space, struct str *ret)
{
    if (name.len == 0 || str_find_char(name, '\0') < name.len || str_find_char(space, '\0') < space.len)
        return FAIL(ERR_INVALID, "a type has a name that is none");
    const bool is_full = space.len == 0 || str_find_char(name, '.') < name.len;
    *ret = is_full ? arena_str(c->scratch, name)
                   : arena_printf(c->scratch, "%.*s.%.*s", STR_ARG(space), STR_ARG(name));
    return ret->data ? OK : program_no_memory;
}

static struct name *name_find(struct compiler *c, struct str full)
{
    const json_t *at = json_object_get(c->index, full.data);

    return at ? &c->names[json_integer_value(at)] : NULL;
}

/* The name of a record, enum or fixed. The same definition may be met again (above), another one of the same name may not. */
static struct err name_define(struct compiler *c, const json_t *def, struct str space, struct name **ret)
{
    struct str name, full;

    TRY(json_need_str(def, "name", &name));
    TRY(json_want_str(def, "namespace", &space));
    TRY(full_name(c, name, space, &full));
    struct name *const known = name_find(c, full);
    if (known && known->def != def)
        return err_fail(ERR_INVALID, "the type '%.64s' is there twice", full.data);
    if (known) {
        *ret = known;
        return OK;
    }
    if (c->name_count == LIMIT_AVRO_NODES)
        return err_fail(ERR_TOO_LARGE, "it has more than the %d names allowed", LIMIT_AVRO_NODES);
    if (json_object_set_new_nocheck(c->index, full.data, json_integer(c->name_count)))
        return program_no_memory;
    const size_t dot = str_rfind_char(full, '.');
    *ret = &c->names[c->name_count++];
    **ret = (struct name){ def, full, dot < full.len ? str_slice(full, 0, dot) : STR_NONE, NO_NODE };
    return OK;
}

/* ---- types ---- */

static const struct want *want_find(const struct compiler *c, const struct want *parent, const json_t *field)
{
    const json_t *id = json_object_get(field, "field-id");

    for (size_t i = 0; parent && json_is_integer(id) && i < c->want_count; i++) {
        const struct want *want = &c->wants[i];
        if (want->field_id == json_integer_value(id) && want->parent_id == parent->field_id) return want;
    }
    return NULL;
}

static struct err compile_field(struct compiler *c, const json_t *field, struct place at, uint32_t *ret)
{
    const struct want *want = want_find(c, at.want, field);
    const json_t *type = json_object_get(field, "type");

    if (!type) return FAIL(ERR_INVALID, "a field of a record has no type");
    if (want) {
        const uint32_t bit = 1u << (want - c->wants);
        if (c->found & bit)
            return err_fail(ERR_INVALID, "field %d (%s) is there twice", (int)want->field_id, want->name);
        c->found |= bit;
    }
    return compile_type(c, type, (struct place){ want, at.space }, ret);
}

static struct err compile_fields(struct compiler *c, const json_t *def, struct place at, uint32_t record)
{
    json_t *fields, *field;
    uint32_t first, count = 0, kid;
    size_t i;

    TRY(json_need_array(def, "fields", &fields));
    TRY(kids_new(c, json_array_size(fields), &first));
    json_array_foreach(fields, i, field)
    {
        TRY(compile_field(c, field, at, &kid));
        if (c->nodes[kid].op != NODE_EMPTY) c->kids[first + count++] = kid; /* P2 */
    }
    c->nodes[record].first = first;
    c->nodes[record].count = count;
    if (count == 0) c->nodes[record].op = NODE_EMPTY;
    return OK;
}

static struct err compile_record(struct compiler *c, const json_t *def, struct place at, uint32_t *ret)
{
    struct name *name;
    uint32_t record;

    if (at.want && at.want->kind != WANT_RECORD) return mismatch(at.want, "record");
    TRY(name_define(c, def, at.space, &name));
    if (!at.want && name->passed_over != NO_NODE) {
        *ret = name->passed_over;
        return OK;
    }
    TRY(node_new(c, NODE_RECORD, 0, &record));
    if (!at.want) name->passed_over = record;
    TRY(compile_fields(c, def, (struct place){ at.want, name->space }, record));
    *ret = record;
    return OK;
}

static struct err compile_enum(struct compiler *c, const json_t *def, struct place at, uint32_t *ret)
{
    struct name *name;
    json_t *symbols;

    if (at.want) return mismatch(at.want, "enum");
    TRY(name_define(c, def, at.space, &name));
    TRY(json_need_array(def, "symbols", &symbols));
    if (name->passed_over == NO_NODE)
        TRY(node_new(c, NODE_ENUM, (uint32_t)json_array_size(symbols), &name->passed_over));
    *ret = name->passed_over;
    return OK;
}

static struct err compile_fixed(struct compiler *c, const json_t *def, struct place at, uint32_t *ret)
{
    struct name *name;
    int64_t size;

    if (at.want) return mismatch(at.want, "fixed");
    TRY(name_define(c, def, at.space, &name));
    TRY(json_need_i64(def, "size", &size));
    if (size < 0 || size > INT32_MAX) return FAIL(ERR_INVALID, "a fixed type has a size that is none");
    const enum node_op op = size ? NODE_FIXED : NODE_EMPTY; /* P2 */
    if (name->passed_over == NO_NODE) TRY(node_new(c, op, (uint32_t)size, &name->passed_over));
    *ret = name->passed_over;
    return OK;
}

/* An array or map. Nothing in it is wanted (P4). */
static struct err compile_many(struct compiler *c, const json_t *items, struct place at, uint32_t *ret)
{
    uint32_t item;

    if (!items) return FAIL(ERR_INVALID, "an array or map does not say of what");
    TRY(compile_type(c, items, (struct place){ NULL, at.space }, &item));
    TRY(node_new(c, NODE_ARRAY, 0, ret));
    c->nodes[*ret].first = item;
    return OK;
}

static struct err compile_array(struct compiler *c, const json_t *def, struct place at, uint32_t *ret)
{
    if (at.want) return mismatch(at.want, "array");
    return compile_many(c, json_object_get(def, "items"), at, ret);
}

static struct err compile_map(struct compiler *c, const json_t *def, struct place at, uint32_t *ret)
{
    if (at.want) return mismatch(at.want, "map");
    TRY(compile_many(c, json_object_get(def, "values"), at, ret));
    c->nodes[*ret].op = NODE_MAP;
    return OK;
}

static struct err compile_union(struct compiler *c, const json_t *branches, struct place at, uint32_t *ret)
{
    uint32_t first;
    json_t *branch;
    size_t i;

    TRY(kids_new(c, json_array_size(branches), &first));
    json_array_foreach(branches, i, branch) TRY(compile_type(c, branch, at, &c->kids[first + i]));
    TRY(node_new(c, NODE_UNION, (uint32_t)json_array_size(branches), ret));
    c->nodes[*ret].first = first;
    return OK;
}

static const struct complex_type {
    const char *name;
    struct err (*compile)(struct compiler *c, const json_t *def, struct place at, uint32_t *ret);
} complex_types[] = {
    { "record", compile_record }, { "enum", compile_enum }, { "fixed", compile_fixed },
    { "array", compile_array },   { "map", compile_map },
};

/* A primitive, or a type that was defined before. */
static struct err compile_named(struct compiler *c, struct str type, struct place at, uint32_t *ret)
{
    struct str full;

    for (size_t i = 0; i < sizeof(primitives) / sizeof(primitives[0]); i++) {
        const struct primitive *p = &primitives[i];
        if (!str_is(type, p->name)) continue;
        const bool is_null = p->op == NODE_EMPTY;
        if (at.want && !is_null && (p->fits == WANT_RECORD || p->fits != at.want->kind))
            return mismatch(at.want, p->name);
        TRY(node_new(c, p->op, p->count, ret));
        if (at.want && !is_null) c->nodes[*ret].want = (int)(at.want - c->wants);
        return OK;
    }
    TRY(full_name(c, type, at.space, &full));
    const struct name *name = name_find(c, full);
    if (!name) return err_fail(ERR_INVALID, "the type '%.64s' is not known", full.data);
    return compile_type(c, name->def, at, ret);
}

static struct err compile_type(struct compiler *c, const json_t *type, struct place at, uint32_t *ret)
{
    if (json_is_string(type)) return compile_named(c, json_str(type), at, ret);
    if (json_is_array(type)) return compile_union(c, type, at, ret);
    const json_t *kind = json_object_get(type, "type");
    if (!kind) return FAIL(ERR_INVALID, "a type is neither a name, nor a union, nor an object with a 'type'");
    for (size_t i = 0; i < sizeof(complex_types) / sizeof(complex_types[0]); i++) {
        if (str_is(json_str(kind), complex_types[i].name)) return complex_types[i].compile(c, type, at, ret);
    }
    return compile_type(c, kind, at, ret); /* {"type": "string", "logicalType": ...} */
}

/* ---- the whole ---- */

static struct err check_found(const struct compiler *c)
{
    for (size_t i = 0; i < c->want_count; i++) {
        const struct want *want = &c->wants[i];
        if (want->is_required && !(c->found & (1u << i)))
            return err_fail(ERR_INVALID, "field %d (%s) is missing", (int)want->field_id, want->name);
    }
    return OK;
}

static struct err compile_root(struct compiler *c, struct str schema, struct arena *arena, uint32_t *ret)
{
    CLEANUP(json_freep) json_t *json = NULL;

    if (schema.len > LIMIT_AVRO_SCHEMA)
        return err_fail(ERR_TOO_LARGE, "it has %zu bytes, %llu are allowed", schema.len, LIMIT_AVRO_SCHEMA);
    TRY(json_parse(schema, &json));
    c->nodes = arena_array(arena, struct node, LIMIT_AVRO_NODES);
    c->kids = arena_array(arena, uint32_t, LIMIT_AVRO_NODES);
    if (!c->nodes || !c->kids) return program_no_memory;
    TRY(compile_type(c, json, (struct place){ &root_want, STR_NONE }, ret));
    TRY(check_found(c));
    if (c->nodes[*ret].op != NODE_RECORD) return FAIL(ERR_INVALID, "it is not that of a record with fields");
    return OK;
}

struct err program_compile(struct str schema, const struct want *wants, size_t want_count,
                           struct arena *arena, struct program *ret)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_BYTES);
    CLEANUP(json_freep) json_t *index = json_object();
    struct compiler *const c = scratch ? arena_new_of(scratch, struct compiler) : NULL;
    struct program p = { .wants = wants };

    if (!c || !index) return program_no_memory;
    c->scratch = scratch;
    c->wants = wants;
    c->want_count = want_count;
    c->index = index;
    const struct err e = compile_root(c, schema, arena, &p.root);
    if (e.code) return err_fail(e.code, "the writer's schema: %s", e.why);
    for (size_t i = 0; i < want_count; i++) {
        if (wants[i].is_required && wants[i].kind != WANT_RECORD) p.required |= 1u << i;
    }
    p.nodes = c->nodes;
    p.kids = c->kids;
    *ret = p;
    return OK;
}
