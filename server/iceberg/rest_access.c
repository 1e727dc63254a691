/*
 * rest_access.c - may the caller do what is asked, and what may they see?
 *
 * The row of an operation says which privilege it wants on what its path names; where the body says what is touched, the handler asks (rest_need). What one may not
 * see answers as if it did not exist, in the same words; and what does not exist is told to those alone who would see it (catalog.md 3.1). So 403 is only for what one
 * sees and may not do.
 */
#include "server/iceberg/rest.h"

#include <stdlib.h>

#include "storage/base/thread.h"

/* ---- seeing ---- */

static struct err not_there(const struct rest_request *req, const struct table_ident *what)
{
    if (what->name.len && what->kind == METADATA_VIEW)
        return err_fail(ERR_NO_SUCH_VIEW, "View does not exist: %.*s",
                        STR_ARG(table_ident_print(what, req->arena)));
    if (what->name.len)
        return err_fail(ERR_NO_SUCH_TABLE, "Table does not exist: %.*s",
                        STR_ARG(table_ident_print(what, req->arena)));
    if (what->ns.count)
        return err_fail(ERR_NO_SUCH_NAMESPACE, "Namespace does not exist: %.*s",
                        STR_ARG(ns_path_print(&what->ns, req->arena)));
    return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(req->prefix));
}

static bool holds_any(const struct rest_request *req, const struct securable_path *path,
                      const enum privilege *list)
{
    for (; *list != PRIV_NONE; list++) {
        if (rights_have(&req->caller, *list, path)) return true;
    }
    return false;
}

/* A namespace is seen by who may list it or what is in it, or has a right on something in it. */
static struct err sees_namespace(const struct rest_request *req, struct rows *view,
                                 const struct securable_path *path, const struct ns_path *ns, bool *ret)
{
    static const enum privilege enough[] = { PRIV_NAMESPACE_LIST, PRIV_TABLE_LIST, PRIV_VIEW_LIST,
                                             PRIV_CATALOG_MANAGE_ACCESS, PRIV_NONE };
    struct ns_path parent = *ns;
    struct str *names;
    size_t count;

    *ret = holds_any(req, path, enough);
    if (*ret) return OK;
    parent.count--;
    TRY(rights_children_seen(&req->caller, view, path, &parent, req->arena, &names, &count));
    for (size_t i = 0; i < count; i++) *ret |= str_eq(names[i], ns->levels[ns->count - 1]);
    return OK;
}

static struct err sees(const struct rest_request *req, struct rows *view, const struct securable_path *path,
                       const struct table_ident *what, bool *ret)
{
    static const enum privilege of_table[] = { PRIV_TABLE_LIST, PRIV_CATALOG_MANAGE_ACCESS, PRIV_NONE };
    static const enum privilege of_view[] = { PRIV_VIEW_LIST, PRIV_CATALOG_MANAGE_ACCESS, PRIV_NONE };

    if (what->name.len) {
        *ret = holds_any(req, path, what->kind == METADATA_VIEW ? of_view : of_table);
        return OK;
    }
    if (what->ns.count) return sees_namespace(req, view, path, &what->ns, ret);
    *ret = true; /* a catalog that one sees nothing of was refused before */
    return OK;
}

/* ---- the check ---- */

static struct err find(struct rest_request *req, struct rows *view, const struct table_ident *what,
                       struct securable_path *ret)
{
    const struct securable_name name = {
        .catalog = req->prefix, .ns = &what->ns, .name = what->name, .kind = what->kind
    };
    const struct table_ident nothing = { .name = STR_NONE };
    struct securable_path catalog;

    TRY(securable_find(view, &name, req->arena, ret));
    catalog = *ret;
    catalog.count = 1;
    return rights_see_catalog(&req->caller, &catalog) ? OK : not_there(req, &nothing);
}

static struct err need_in(struct rest_request *req, struct rows *view, enum privilege p,
                          const struct table_ident *what, struct securable_path *path)
{
    bool is_seen = false;

    req->asked = *what;
    TRY(find(req, view, what, path));
    const struct err e = rights_check(&req->caller, p, path);
    if (e.code == ERR_OK) return OK;
    if (path->is_whole) TRY(sees(req, view, path, what, &is_seen));
    return is_seen ? e : not_there(req, what);
}

struct err rest_need(struct rest_request *req, enum privilege p, const struct table_ident *what,
                     struct securable_path *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct securable_path path;

    TRY(view_open(req->options->store->meta, &view));
    TRY(need_in(req, view, p, what, &path));
    if (ret) *ret = path;
    return OK;
}

struct err rest_authorize(struct rest_request *req)
{
    struct table_ident what = { .ns = req->ns, .name = req->table };
    CLEANUP(view_closep) struct rows *view = NULL;

    req->subject = what;
    if (req->op->target == ON_NOTHING) return OK;
    if (req->op->target == ON_PATH_VIEW) what.kind = METADATA_VIEW;
    TRY(view_open(req->options->store->meta, &view));
    if (req->op->privilege != PRIV_NONE) return need_in(req, view, req->op->privilege, &what, &req->path);
    what = (struct table_ident){ .name = STR_NONE };
    return find(req, view, &what, &req->path);
}

/* ---- updates of a table ---- */

/* clang-format off */
static const struct {
    const char *action;
    enum privilege privilege;
} update_rows[] = {
    { "assign-uuid",            PRIV_TABLE_ASSIGN_UUID },
    { "upgrade-format-version", PRIV_TABLE_UPGRADE_FORMAT_VERSION },
    { "add-schema",             PRIV_TABLE_ADD_SCHEMA },
    { "set-current-schema",     PRIV_TABLE_SET_CURRENT_SCHEMA },
    { "add-spec",               PRIV_TABLE_ADD_PARTITION_SPEC },
    { "add-sort-order",         PRIV_TABLE_ADD_SORT_ORDER },
    { "set-default-sort-order", PRIV_TABLE_SET_DEFAULT_SORT_ORDER },
    { "add-snapshot",           PRIV_TABLE_ADD_SNAPSHOT },
    { "set-snapshot-ref",       PRIV_TABLE_SET_SNAPSHOT_REF },
    { "remove-snapshots",       PRIV_TABLE_REMOVE_SNAPSHOTS },
    { "remove-snapshot-ref",    PRIV_TABLE_REMOVE_SNAPSHOT_REF },
    { "set-location",           PRIV_TABLE_SET_LOCATION },
    { "set-properties",         PRIV_TABLE_SET_PROPERTIES },
    { "remove-properties",      PRIV_TABLE_REMOVE_PROPERTIES },
    { "set-statistics",         PRIV_TABLE_SET_STATISTICS },
    { "remove-statistics",      PRIV_TABLE_REMOVE_STATISTICS },
    { "remove-partition-specs", PRIV_TABLE_REMOVE_PARTITION_SPECS },
};
/* clang-format on */

/* The others have no privilege of their own. */
static enum privilege privilege_of(const json_t *update)
{
    const struct str action = json_str(json_object_get(update, "action"));

    for (size_t i = 0; i < sizeof(update_rows) / sizeof(update_rows[0]); i++) {
        if (str_is(action, update_rows[i].action)) return update_rows[i].privilege;
    }
    return PRIV_TABLE_WRITE_PROPERTIES;
}

static bool is_create(const struct table_change *change)
{
    const json_t *requirement;
    size_t i;

    json_array_foreach(change->requirements, i, requirement)
    {
        if (str_is(json_str(json_object_get(requirement, "type")), "assert-create")) return true;
    }
    return false;
}

struct err rest_need_updates(struct rest_request *req, const struct table_change *change)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct table_ident what = change->ident;
    struct securable_path path;
    const json_t *update;
    size_t i;

    TRY(view_open(req->options->store->meta, &view));
    if (is_create(change)) {
        what.name = STR_NONE;
        return need_in(req, view, PRIV_TABLE_CREATE, &what, &path);
    }
    if (json_array_size(change->updates) == 0)
        return need_in(req, view, PRIV_TABLE_WRITE_PROPERTIES, &what, &path);
    json_array_foreach(change->updates, i, update)
    {
        TRY(need_in(req, view, privilege_of(update), &what, &path));
    }
    return OK;
}

/* ---- lists ---- */

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void take_names(struct str *names, size_t count, struct name_page *ret)
{
    if (count) qsort(names, count, sizeof(*names), by_name);
    *ret = (struct name_page){ .names = names, .count = count };
}

struct err rest_seen_namespaces(struct rest_request *req, const struct ns_path *parent, bool *ret_all,
                                struct name_page *ret)
{
    const struct table_ident what = { .ns = *parent };
    CLEANUP(view_closep) struct rows *view = NULL;
    struct securable_path path;
    struct str *names;
    size_t count;

    TRY(view_open(req->options->store->meta, &view));
    TRY(find(req, view, &what, &path));
    *ret_all = rights_have(&req->caller, PRIV_NAMESPACE_LIST, &path);
    if (*ret_all) return OK;
    TRY(rights_children_seen(&req->caller, view, &path, parent, req->arena, &names, &count));
    if (parent->count && (!count || !path.is_whole))
        TRY(need_in(req, view, PRIV_NAMESPACE_LIST, &what, &path));
    take_names(names, count, ret);
    return OK;
}

struct err rest_seen_tables(struct rest_request *req, enum metadata_kind kind, bool *ret_all,
                            struct name_page *ret)
{
    const bool is_view = kind == METADATA_VIEW;
    const enum privilege wanted = is_view ? PRIV_VIEW_LIST : PRIV_TABLE_LIST;
    const struct table_ident what = { .ns = req->ns };
    CLEANUP(view_closep) struct rows *view = NULL;
    struct securable_path path;
    struct str *names;
    bool is_seen = false;
    size_t count;

    TRY(view_open(req->options->store->meta, &view));
    TRY(find(req, view, &what, &path));
    *ret_all = rights_have(&req->caller, wanted, &path);
    if (*ret_all) return OK;
    if (path.is_whole) TRY(sees_namespace(req, view, &path, &req->ns, &is_seen));
    if (!is_seen) return not_there(req, &what);
    TRY(rights_tables_seen(&req->caller, view, path.ns_id, is_view ? SECURABLE_VIEW : SECURABLE_TABLE,
                           req->arena, &names, &count));
    take_names(names, count, ret);
    return OK;
}

void rest_page(struct name_page *names, struct str token, size_t size)
{
    size_t first = 0;

    while (first < names->count && token.len && str_cmp(names->names[first], token) <= 0) first++;
    names->names += first;
    names->count -= first;
    if (!size || names->count <= size) return;
    names->count = size;
    names->next = names->names[size - 1];
}
