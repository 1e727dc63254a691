/*
 * table_create.c - CreateTable, direct and staged; registering a table that somebody else wrote.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/apply.h"
#include "catalog/commit/table_write.h"
#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* The nearest namespace above with a `location` property, and how many levels of the path it stands for. */
static struct err location_of_namespace(struct rows *view, uint64_t catalog_id, const struct ns_path *path,
                                        struct arena *arena, struct str *ret_base, size_t *ret_level)
{
    struct ns_path above = *path;

    for (; above.count > 0; above.count--) {
        struct ns_row row;
        TRY(ns_row_get(view, catalog_id, &above, arena, &row));
        const struct str location = json_str(
            json_object_get(json_object_get(row.json, "properties"), "location"));
        if (location.len == 0) continue;
        *ret_base = location;
        *ret_level = above.count;
        return OK;
    }
    return OK;
}

/* Names become path segments: what a path or a URL could misread is written as %XX. */
static struct str segment(struct str name, struct arena *arena)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, name.len * 3 + 1);
    size_t len = 0;

    if (!out) return STR_NONE;
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.data[i];
        const bool is_dots = (c == '.' && name.len <= 2 && str_trim(name).data[0] == '.');
        if (strchr("/%?#\\*\"'<>|:", c) || is_dots) {
            out[len++] = '%';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
        } else {
            out[len++] = (char)c;
        }
    }
    return str_of(out, len);
}

/* <base>/<namespace levels>/<table>-<8 hex> (catalog.md 2.7): unique, so a name that is used again gets a place of its own. */
static struct err default_location(struct rows *view, struct str catalog, const struct table_ident *t,
                                   struct arena *arena, struct str *ret)
{
    struct catalog_row c;
    char hex[9];
    size_t level = 0;

    TRY(catalog_row_get(view, catalog, arena, &c));
    struct str path = c.base_location;
    TRY(location_of_namespace(view, c.id, &t->ns, arena, &path, &level));
    while (path.len && path.data[path.len - 1] == '/') path.len--;
    for (size_t i = level; i < t->ns.count; i++) {
        const struct str s = segment(t->ns.levels[i], arena);
        path = arena_printf(arena, "%.*s/%.*s", STR_ARG(path), STR_ARG(s));
    }
    ids_hex(hex, 8);
    const struct str name = segment(t->name, arena);
    const struct str location = arena_printf(arena, "%.*s/%.*s-%s", STR_ARG(path), STR_ARG(name), hex);
    if (!location.data) return no_memory();
    *ret = location;
    return OK;
}

struct create_plan {
    struct store *store;
    struct str catalog;
    const struct actor *who;
    struct arena *arena;
    struct table_write write;
};

static struct err create_fn(struct txn *txn, void *arg)
{
    struct create_plan *plan = arg;
    return table_write_fn(txn, plan->catalog, &plan->write, plan->who, plan->arena);
}

/* What the transaction will check again: refused early, so that a staged create fails as a direct one does. */
static struct err check_early(struct rows *view, struct str catalog, const struct table_ident *t,
                              struct arena *arena, struct catalog_row *ret_catalog)
{
    struct catalog_row c;
    struct ns_row ns;

    TRY(catalog_row_get(view, catalog, arena, &c));
    TRY(ns_row_get(view, c.id, &t->ns, arena, &ns));
    const struct str key = table_key(c.id, ns.id, t->name, arena);
    if (!key.data) return no_memory();
    TRY(name_check_free(view, t, key, arena));
    *ret_catalog = c;
    return OK;
}

static struct err create_metadata(struct store *s, struct str catalog, const struct table_ident *t,
                                  const json_t *request, struct arena *arena, json_t **ret,
                                  struct warehouse *ret_home)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row c;
    json_t *schema = NULL, *spec = NULL, *order = NULL, *properties = NULL;
    struct str location = STR_NONE;

    TRY(json_need_object(request, "schema", &schema));
    TRY(json_want_object(request, "partition-spec", &spec));
    TRY(json_want_object(request, "write-order", &order));
    TRY(json_want_object(request, "properties", &properties));
    TRY(json_want_str(request, "location", &location));
    TRY(view_open(s->meta, &view));
    TRY(check_early(view, catalog, t, arena, &c));
    *ret_home = warehouse_of_row(s, &c);
    if (location.len == 0) TRY(default_location(view, catalog, t, arena, &location));
    const struct table_create_parts parts = {
        .schema = schema,
        .partition_spec = spec,
        .write_order = order,
        .properties = properties,
        .location = location,
        .now_ms = clock_now_ms(),
    };
    return apply_create_table(&parts, ret);
}

static struct err print_staged(const json_t *metadata, const struct location_set *places, struct arena *arena,
                               struct table_info *ret)
{
    struct table_info info = { .version = 0 };
    struct buf out;
    struct str uuid;

    TRY(json_need_str(metadata, "table-uuid", &uuid));
    if (uuid.len != 36) return FAIL(ERR_INTERNAL, "a new table has no uuid");
    memcpy(info.uuid, uuid.data, 36);
    info.location = arena_str(arena, json_str(json_object_get(metadata, "location")));
    buf_init(&out, LIMIT_JSON_BYTES);
    const struct err e = json_print(metadata, &out);
    info.metadata = arena_str(arena, buf_view(&out));
    buf_done(&out);
    TRY(e);
    if (!info.metadata.data || !info.location.data) return no_memory();
    TRY(location_set_show(places, info.location, arena, &info));
    *ret = info;
    return OK;
}

/* A staged table's place is checked now too: no credentials for another table's files (reliability.md D1). */
struct stage_plan {
    struct location_set locations;
    struct str uuid;
};

static struct err stage_fn(struct txn *txn, void *arg)
{
    const struct stage_plan *plan = arg;

    for (size_t i = 0; i < plan->locations.count; i++)
        TRY(location_take(txn, plan->locations.keys[i], plan->uuid));
    return FAIL(ERR_NOT_MODIFIED, "a look, not a change");
}

static struct err check_stage(const struct warehouse *home, const json_t *metadata, struct arena *arena,
                              struct location_set *ret)
{
    struct stage_plan plan = { .uuid = json_str(json_object_get(metadata, "table-uuid")) };

    TRY(locations_of_metadata(metadata, home->base_location, arena, &plan.locations));
    if (home->is_external) TRY(location_set_external(&plan.locations, arena));
    const struct err e = meta_run(home->store->meta, stage_fn, &plan);
    if (e.code != ERR_NOT_MODIFIED) return e;
    *ret = plan.locations;
    return OK;
}

struct err table_create(struct store *s, struct str catalog, const struct ns_path *ns, const json_t *request,
                        bool is_staged, const struct actor *who, struct arena *arena, struct table_info *ret)
{
    struct create_plan plan = { .store = s, .catalog = catalog, .who = who, .arena = arena };
    CLEANUP(json_freep) json_t *metadata = NULL;
    struct warehouse home;

    plan.write.ident.ns = *ns;
    TRY(json_need_str(request, "name", &plan.write.ident.name));
    TRY(table_name_check(plan.write.ident.name));
    TRY(create_metadata(s, catalog, &plan.write.ident, request, arena, &metadata, &home));
    if (is_staged) {
        TRY(check_stage(&home, metadata, arena, &plan.write.locations));
        return print_staged(metadata, &plan.write.locations, arena, ret);
    }
    plan.write.is_new = true;
    plan.write.operation = "CreateTable";
    TRY(table_write_prepare(&home, metadata, STR_NONE, arena, &plan.write));
    const struct err e = meta_run(s->meta, create_fn, &plan);
    metadata_file_settle(&plan.write.file, e);
    metadata_file_done(&plan.write.file);
    TRY(e);
    table_write_result(&plan.write, ret);
    return OK;
}

/* ---- views ---- */

static struct err view_metadata(struct store *s, struct str catalog, const struct table_ident *t,
                                const json_t *request, struct arena *arena, json_t **ret,
                                struct warehouse *ret_home)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row c;
    json_t *schema = NULL, *version = NULL, *properties = NULL;
    struct str location = STR_NONE;

    TRY(json_need_object(request, "schema", &schema));
    TRY(json_need_object(request, "view-version", &version));
    TRY(json_want_object(request, "properties", &properties));
    TRY(json_want_str(request, "location", &location));
    TRY(view_open(s->meta, &view));
    TRY(check_early(view, catalog, t, arena, &c));
    *ret_home = warehouse_of_row(s, &c);
    if (location.len == 0) TRY(default_location(view, catalog, t, arena, &location));
    const struct view_create_parts parts = { .schema = schema,
                                             .view_version = version,
                                             .properties = properties,
                                             .location = location,
                                             .now_ms = clock_now_ms() };
    return apply_create_view(&parts, ret);
}

struct err view_create(struct store *s, struct str catalog, const struct ns_path *ns, const json_t *request,
                       const struct actor *who, struct arena *arena, struct table_info *ret)
{
    struct create_plan plan = { .store = s, .catalog = catalog, .who = who, .arena = arena };
    CLEANUP(json_freep) json_t *metadata = NULL;
    struct warehouse home;

    plan.write.ident = (struct table_ident){ .ns = *ns, .kind = METADATA_VIEW };
    plan.write.is_new = true;
    plan.write.operation = "CreateView";
    TRY(json_need_str(request, "name", &plan.write.ident.name));
    TRY(table_name_check(plan.write.ident.name));
    TRY(view_metadata(s, catalog, &plan.write.ident, request, arena, &metadata, &home));
    TRY(table_write_prepare(&home, metadata, STR_NONE, arena, &plan.write));
    const struct err e = meta_run(s->meta, create_fn, &plan);
    metadata_file_settle(&plan.write.file, e);
    metadata_file_done(&plan.write.file);
    TRY(e);
    table_write_result(&plan.write, ret);
    return OK;
}

/* ---- register ---- */

struct register_plan {
    struct create_plan create;
    bool overwrite;
};

static struct err register_fn(struct txn *txn, void *arg)
{
    struct register_plan *plan = arg;
    struct table_write *w = &plan->create.write;
    struct table_row row;

    w->is_new = true;
    if (plan->overwrite) {
        const struct err e = table_row_get(txn_rows(txn), plan->create.catalog, &w->ident, plan->create.arena,
                                           &row);
        if (e.code != ERR_OK && e.code != ERR_NO_SUCH_TABLE && e.code != ERR_NO_SUCH_VIEW) return e;
        w->is_new = e.code != ERR_OK;
        w->base_version = w->is_new ? 0 : row.version;
        w->dropped.is_more = !w->is_new; /* what the table named before was not looked at */
    }
    return create_fn(txn, &plan->create);
}

/* The file must be one of this catalog's, and the table that it describes must be there too: nothing else is ever fetched (reliability.md D9). */
static struct err read_registered(struct store *s, struct str catalog, struct table_write *w, struct str file,
                                  struct arena *arena, json_t **ret, struct warehouse *ret_home)
{
    struct catalog_info c;
    struct str file_key, base_key;

    TRY(catalog_get(s, catalog, arena, &c));
    TRY(location_key(file, arena, &file_key));
    TRY(location_key(c.base_location, arena, &base_key));
    if (!location_is_inside(file_key, base_key))
        return err_fail(
            ERR_INVALID,
            "Invalid metadata location '%.*s': it is outside of the catalog's base location '%.*s'",
            STR_ARG(file), STR_ARG(c.base_location));
    *ret_home = warehouse_of(s, &c);
    const struct err e = warehouse_read(ret_home, file, arena, &w->file.bytes);
    if (e.code == ERR_NO_SUCH_KEY || e.code == ERR_NO_SUCH_BUCKET)
        return err_fail(ERR_INVALID, "Invalid metadata location '%.*s': there is no such file",
                        STR_ARG(file));
    TRY(e);
    return metadata_parse(w->ident.kind, w->file.bytes, ret);
}

/* A file that lies below another table's location belongs to that table. */
static struct err check_file_place(const struct table_write *w, struct str file, struct arena *arena)
{
    struct str key;

    TRY(location_key(file, arena, &key));
    for (size_t i = 0; i < w->locations.count; i++) {
        if (location_is_inside(key, place_plain(w->locations.keys[i]))) return OK;
    }
    return err_fail(ERR_INVALID,
                    "Invalid metadata location '%.*s': it is outside of the table's location '%.*s'",
                    STR_ARG(file), STR_ARG(w->location));
}

struct err table_register(struct store *s, struct str catalog, const struct table_ident *t,
                          struct str metadata_location, bool overwrite, const struct actor *who,
                          struct arena *arena, struct table_info *ret)
{
    struct register_plan plan = { .create = { .store = s, .catalog = catalog, .who = who, .arena = arena },
                                  .overwrite = overwrite };
    struct table_write *w = &plan.create.write;
    CLEANUP(json_freep) json_t *metadata = NULL;
    struct warehouse home;

    w->ident = *t;
    w->is_registered = true;
    w->operation = t->kind == METADATA_VIEW ? "RegisterView" : "RegisterTable";
    TRY(table_name_check(t->name));
    TRY(read_registered(s, catalog, w, metadata_location, arena, &metadata, &home));
    TRY(table_write_prepare(&home, metadata, STR_NONE, arena, w));
    TRY(check_file_place(w, metadata_location, arena));
    w->file.location = arena_str(arena, metadata_location);
    if (!w->file.location.data) return no_memory();
    TRY(meta_run(s->meta, register_fn, &plan));
    table_write_result(w, ret);
    return OK;
}
