/*
 * namespace.c - namespaces: nested, with properties.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/entity.h"
#include "catalog/commit/securable.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { NAME_BYTES_MAX = 255 };

/* ---- names ---- */

static struct err name_check(struct str name, const char *what)
{
    if (name.len == 0) return err_fail(ERR_INVALID, "Invalid %s: it is empty", what);
    if (name.len > NAME_BYTES_MAX)
        return err_fail(ERR_INVALID, "Invalid %s: it is longer than %d bytes", what, NAME_BYTES_MAX);
    if (!str_is_utf8(name)) return err_fail(ERR_INVALID, "Invalid %s: it is not UTF-8", what);
    if (str_is(name, ".") || str_is(name, ".."))
        return err_fail(ERR_INVALID, "Invalid %s: clients cannot name it in a path", what);
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20 || c == 0x7f)
            return err_fail(ERR_INVALID, "Invalid %s: it has a control character", what);
    }
    return OK;
}

struct err table_name_check(struct str name)
{
    return name_check(name, "name");
}

struct err ns_path_check(const struct ns_path *path)
{
    size_t bytes = 0;

    if (path->count == 0) return FAIL(ERR_INVALID, "Invalid namespace: it is empty");
    for (size_t i = 0; i < path->count; i++) {
        TRY(name_check(path->levels[i], "namespace level"));
        bytes += path->levels[i].len + 1;
    }
    return bytes > 1024 ? FAIL(ERR_INVALID, "Invalid namespace: it is longer than 1024 bytes") : OK;
}

struct str ns_path_print(const struct ns_path *path, struct arena *arena)
{
    struct str text = STR("");

    for (size_t i = 0; i < path->count; i++) {
        text = i ? arena_printf(arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(path->levels[i]))
                 : path->levels[i];
    }
    return text.data ? text : STR("?");
}

struct str table_ident_print(const struct table_ident *t, struct arena *arena)
{
    const struct str ns = ns_path_print(&t->ns, arena);
    const struct str text = arena_printf(arena, "%.*s.%.*s", STR_ARG(ns), STR_ARG(t->name));
    return text.data ? text : t->name;
}

static struct str printed(const struct ns_path *path, struct arena *arena)
{
    return ns_path_print(path, arena);
}

/* ---- create ---- */

struct ns_plan {
    struct str catalog;
    const struct ns_path *path;
    const json_t *properties, *updates, *removals;
    const struct actor *who;
    struct arena *arena;
    struct store *store;
    json_t *ret;
};

/* Tables are made below a namespace's `location`: one outside of the catalog's place would make each of them fail, or worse (reliability.md D11). */
static struct err check_location(const struct catalog_row *c, const json_t *properties, struct arena *arena)
{
    const struct str location = json_str(json_object_get(properties, "location"));
    struct str key, base;

    if (location.len == 0) return OK;
    TRY(location_key(location, arena, &key));
    TRY(location_key(c->base_location, arena, &base));
    if (location_is_inside(key, base)) return OK;
    return err_fail(ERR_INVALID,
                    "Invalid location '%.*s': it is outside of the catalog's base location '%.*s'",
                    STR_ARG(location), STR_ARG(c->base_location));
}

static struct err check_parent(struct txn *txn, const struct catalog_row *c, const struct ns_plan *plan)
{
    struct ns_path parent = *plan->path;
    struct ns_row row;

    if (--parent.count == 0) return OK;
    return ns_row_get(txn_rows(txn), c->id, &parent, plan->arena, &row);
}

/* By its id a namespace is found by what is granted on it. */
static struct err put_id(struct txn *txn, uint64_t id, struct str key)
{
    uint8_t bytes[8];

    put_be64(bytes, id);
    return txn_put(txn, SPACE_NAMESPACE_IDS, str_of(bytes, sizeof(bytes)), key);
}

static struct err create_fn(struct txn *txn, void *arg)
{
    struct ns_plan *plan = arg;
    struct catalog_row c;
    struct err e = OK;
    uint64_t id;

    TRY(catalog_row_get(txn_rows(txn), plan->catalog, plan->arena, &c));
    TRY(check_parent(txn, &c, plan));
    TRY(check_location(&c, plan->properties, plan->arena));
    const struct str key = ns_key(c.id, plan->path, plan->arena);
    if (!key.data) return no_memory();
    if (rows_have(txn_rows(txn), SPACE_NAMESPACES, key, &e))
        return err_fail(ERR_NAMESPACE_EXISTS, "Namespace already exists: %.*s",
                        STR_ARG(printed(plan->path, plan->arena)));
    TRY(e);
    TRY(entity_new_id(txn, &id));
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:I, s:O}", "id", (json_int_t)id, "properties", plan->properties);
    TRY(entity_put(txn, SPACE_NAMESPACES, key, json));
    TRY(put_id(txn, id, key));
    CLEANUP(json_freep) json_t *details = audit_of_properties(plan->properties);
    if (!details) return no_memory();
    return audit_put(txn, plan->who, "CreateNamespace", printed(plan->path, plan->arena), details);
}

struct err ns_create(struct store *s, struct str catalog, const struct ns_path *path,
                     const json_t *properties, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    CLEANUP(json_freep) json_t *none = json_object();
    struct ns_plan plan = { .catalog = catalog,
                            .path = path,
                            .properties = properties ? properties : none,
                            .who = who,
                            .arena = arena };

    if (!arena || !none) return no_memory();
    TRY(ns_path_check(path));
    return meta_run(s->meta, create_fn, &plan);
}

/* ---- get ---- */

struct err ns_get(struct store *s, struct str catalog, const struct ns_path *path, struct arena *arena,
                  struct ns_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row c;
    struct ns_row row;

    TRY(view_open(s->meta, &view));
    TRY(catalog_row_get(view, catalog, arena, &c));
    TRY(ns_row_get(view, c.id, path, arena, &row));
    *ret = (struct ns_info){ .id = row.id,
                             .path = *path,
                             .properties = json_object_get(row.json, "properties") };
    return ret->properties ? OK : FAIL(ERR_CORRUPT, "a namespace's row has no properties");
}

/* ---- drop ---- */

static struct err first_key(struct txn *txn, enum space space, struct str prefix, bool *ret_found)
{
    struct rows_scan scan;
    struct str key, value;

    rows_scan_begin(&scan, txn_rows(txn), space, prefix, false);
    *ret_found = rows_scan_next(&scan, &key, &value) && str_starts(key, prefix);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* Child namespaces stand behind "key 0x1F"; tables and views under the namespace's id. */
static struct err check_empty(struct txn *txn, const struct ns_plan *plan, const struct catalog_row *c,
                              struct str key, uint64_t id)
{
    const struct str children = arena_join(plan->arena, key, STR("\x1f"));
    const struct str tables = table_key(c->id, id, STR_NONE, plan->arena);
    bool has_child = false, has_table = false, has_view = false;

    if (!children.data || !tables.data) return no_memory();
    TRY(first_key(txn, SPACE_NAMESPACES, children, &has_child));
    TRY(first_key(txn, SPACE_TABLES, tables, &has_table));
    TRY(first_key(txn, SPACE_VIEWS, tables, &has_view));
    if (!has_child && !has_table && !has_view) return OK;
    return err_fail(ERR_NAMESPACE_NOT_EMPTY, "Namespace %.*s is not empty.",
                    STR_ARG(printed(plan->path, plan->arena)));
}

static struct err forget(struct txn *txn, uint64_t id, struct arena *arena)
{
    const struct securable s = securable_of_id(SECURABLE_NAMESPACE, id);
    uint8_t bytes[8];

    put_be64(bytes, id);
    TRY(txn_del(txn, SPACE_NAMESPACE_IDS, str_of(bytes, sizeof(bytes))));
    return securable_forget(txn, &s, arena);
}

static struct err drop_fn(struct txn *txn, void *arg)
{
    struct ns_plan *plan = arg;
    struct catalog_row c;
    struct ns_row row;

    TRY(catalog_row_get(txn_rows(txn), plan->catalog, plan->arena, &c));
    TRY(ns_row_get(txn_rows(txn), c.id, plan->path, plan->arena, &row));
    const struct str key = ns_key(c.id, plan->path, plan->arena);
    if (!key.data) return no_memory();
    TRY(check_empty(txn, plan, &c, key, row.id));
    TRY(txn_del(txn, SPACE_NAMESPACES, key));
    TRY(forget(txn, row.id, plan->arena));
    return audit_put(txn, plan->who, "DropNamespace", printed(plan->path, plan->arena), NULL);
}

struct err ns_drop(struct store *s, struct str catalog, const struct ns_path *path, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct ns_plan plan = { .catalog = catalog, .path = path, .who = who, .arena = arena };

    if (!arena) return no_memory();
    return meta_run_freeing(s->meta, drop_fn, &plan);
}

/* ---- properties ---- */

static struct err check_disjoint(const json_t *updates, const json_t *removals)
{
    size_t i;
    json_t *name;

    json_array_foreach(removals, i, name)
    {
        if (updates && json_object_get(updates, json_string_value(name)))
            return err_fail(ERR_UNPROCESSABLE, "Cannot set and remove property '%s' at the same time",
                            json_string_value(name));
    }
    return OK;
}

/* What was asked becomes what was done: the answer's three lists, and the changed properties. */
static json_t *change_properties(json_t *properties, const struct ns_plan *plan)
{
    json_t *updated = json_array(), *removed = json_array(), *missing = json_array();
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)plan->updates, key, value)
    {
        json_object_set(properties, key, value);
        json_array_append_new(updated, json_string(key));
    }
    json_array_foreach(plan->removals, i, value)
    {
        const bool was_there = json_object_del(properties, json_string_value(value)) == 0;
        json_array_append(was_there ? removed : missing, value);
    }
    return json_pack("{s:o, s:o, s:o}", "updated", updated, "removed", removed, "missing", missing);
}

static struct err properties_fn(struct txn *txn, void *arg)
{
    struct ns_plan *plan = arg;
    struct catalog_row c;
    struct ns_row row;

    TRY(catalog_row_get(txn_rows(txn), plan->catalog, plan->arena, &c));
    TRY(ns_row_get(txn_rows(txn), c.id, plan->path, plan->arena, &row));
    TRY(check_location(&c, plan->updates, plan->arena));
    const struct str key = ns_key(c.id, plan->path, plan->arena);
    json_t *properties = json_object_get(row.json, "properties");
    if (!key.data || !properties) return no_memory();
    json_t *answer = change_properties(properties, plan);
    if (!answer || !json_defer(plan->arena, answer)) return no_memory();
    plan->ret = answer;
    TRY(entity_put(txn, SPACE_NAMESPACES, key, row.json));
    CLEANUP(json_freep) json_t *details = audit_of_lists(answer);
    if (!details) return no_memory();
    return audit_put(txn, plan->who, "UpdateNamespace", printed(plan->path, plan->arena), details);
}

struct err ns_set_properties(struct store *s, struct str catalog, const struct ns_path *path,
                             const json_t *updates, const json_t *removals, const struct actor *who,
                             json_t **ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct ns_plan plan = {
        .catalog = catalog, .path = path, .updates = updates, .removals = removals, .who = who, .arena = arena
    };

    if (!arena) return no_memory();
    TRY(check_disjoint(updates, removals));
    TRY(meta_run(s->meta, properties_fn, &plan));
    *ret = json_incref(plan.ret);
    return OK;
}
