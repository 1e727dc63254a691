/*
 * manage_grant.c - privileges granted to catalog roles, one row each: its key says it all.
 */
#include "admin/iam/manage.h"

#include "admin/iam/manage_row.h"
#include "catalog/commit/entity.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"

/* ---- what is meant ---- */

static const struct {
    enum privilege_on on;
    enum securable_kind kind;
    const char *word;
} securable_rows[] = {
    { ON_CATALOG, SECURABLE_CATALOG, "catalog" },
    { ON_NAMESPACE, SECURABLE_NAMESPACE, "namespace" },
    { ON_TABLE, SECURABLE_TABLE, "table" },
    { ON_VIEW, SECURABLE_VIEW, "view" },
};

static const char *word_of(enum privilege_on on)
{
    for (size_t i = 0; i < sizeof(securable_rows) / sizeof(securable_rows[0]); i++) {
        if (securable_rows[i].on == on) return securable_rows[i].word;
    }
    return "policy";
}

static enum privilege_on on_of(uint8_t kind)
{
    for (size_t i = 0; i < sizeof(securable_rows) / sizeof(securable_rows[0]); i++) {
        if (securable_rows[i].kind == kind) return securable_rows[i].on;
    }
    return 0;
}

struct plan {
    const struct iam_call *c;
    const struct iam_ref *role;
    const struct iam_grant *grant;
};

/* What was named and is not there, in the words that a catalog request for it would get. */
static struct err missing(const struct plan *p, size_t found)
{
    const struct iam_grant *g = p->grant;
    const struct table_ident ident = { .ns = g->ns, .name = g->name };

    if (found < 1 + g->ns.count)
        return err_fail(ERR_NO_SUCH_NAMESPACE, "Namespace does not exist: %.*s",
                        STR_ARG(ns_path_print(&g->ns, p->c->arena)));
    if (g->on == ON_VIEW)
        return err_fail(ERR_NO_SUCH_VIEW, "View does not exist: %.*s",
                        STR_ARG(table_ident_print(&ident, p->c->arena)));
    return err_fail(ERR_NO_SUCH_TABLE, "Table does not exist: %.*s",
                    STR_ARG(table_ident_print(&ident, p->c->arena)));
}

static struct err find_securable(struct txn *txn, const struct plan *p, struct securable *ret)
{
    const struct iam_grant *g = p->grant;
    const struct securable_name name = {
        .catalog = p->role->catalog,
        .ns = g->on == ON_CATALOG ? NULL : &g->ns,
        .name = g->on == ON_TABLE || g->on == ON_VIEW ? g->name : STR_NONE,
        .kind = g->on == ON_VIEW ? METADATA_VIEW : METADATA_TABLE,
    };
    struct securable_path path;

    TRY(securable_find(txn_rows(txn), &name, p->c->arena, &path));
    if (!path.is_whole) return missing(p, path.count);
    *ret = path.nodes[path.count - 1];
    return OK;
}

static struct err check_grant(const struct iam_grant *g)
{
    if (!privilege_fits(g->privilege, g->on))
        return err_fail(ERR_INVALID, "the privilege %s cannot be granted on a %s",
                        privilege_name(g->privilege), word_of(g->on));
    if (g->on != ON_CATALOG) TRY(ns_path_check(&g->ns));
    return g->on == ON_TABLE || g->on == ON_VIEW ? table_name_check(g->name) : OK;
}

static struct err audit(struct txn *txn, const struct plan *p, const char *operation)
{
    const struct iam_grant *g = p->grant;
    const struct table_ident ident = { .ns = g->ns, .name = g->name };
    const struct str on = g->on == ON_CATALOG ? p->role->catalog
        : g->on == ON_NAMESPACE               ? ns_path_print(&g->ns, p->c->arena)
                                              : table_ident_print(&ident, p->c->arena);
    CLEANUP(json_freep)
    json_t *details = json_pack("{s:s, s:s, s:o}", "privilege", privilege_name(g->privilege), "on",
                                word_of(g->on), "name", json_of_str(on));

    return manage_audit(txn, p->c, operation, p->role, details);
}

/* ---- add and remove ---- */

/* All grants on a thing go with it in one transaction. */
static struct err check_room(struct txn *txn, const struct securable *on)
{
    char bytes[SECURABLE_KEY_MAX];
    const struct str prefix = securable_key(on, bytes);
    struct rows_scan scan;
    struct str key, value;
    size_t count = 0;

    rows_scan_begin(&scan, txn_rows(txn), SPACE_GRANTS, prefix, false);
    while (count < LIMIT_GRANTS_ON && rows_scan_next(&scan, &key, &value) && str_starts(key, prefix)) count++;
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    return count < LIMIT_GRANTS_ON
        ? OK
        : err_fail(ERR_INVALID, "there are %d grants on it already: grant on what is around it",
                   LIMIT_GRANTS_ON);
}

/* The grant's key (in bytes), and whether it is there. */
static struct err find_row(struct txn *txn, const struct plan *p, char bytes[GRANT_KEY_MAX],
                           struct securable *ret_on, struct str *ret_key, bool *ret_there)
{
    struct manage_row role;
    struct err e = OK;

    TRY(manage_find(txn_rows(txn), p->role, p->c->arena, &role));
    TRY(find_securable(txn, p, ret_on));
    *ret_key = grant_key(ret_on, role.id, p->grant->privilege, bytes);
    *ret_there = rows_have(txn_rows(txn), SPACE_GRANTS, *ret_key, &e);
    return e;
}

static struct err add_fn(struct txn *txn, void *arg)
{
    const struct plan *p = arg;
    char bytes[GRANT_KEY_MAX];
    struct securable on;
    struct str key;
    bool is_there;

    TRY(find_row(txn, p, bytes, &on, &key, &is_there));
    if (is_there) return OK;
    TRY(check_room(txn, &on));
    TRY(txn_put(txn, SPACE_GRANTS, key, STR("{}")));
    TRY(access_epoch_raise(txn));
    return audit(txn, p, "AddGrantToCatalogRole");
}

struct err iam_grant_add(const struct iam_call *c, const struct iam_ref *catalog_role,
                         const struct iam_grant *grant)
{
    struct plan p = { .c = c, .role = catalog_role, .grant = grant };

    TRY(check_grant(grant));
    return manage_run(c, add_fn, &p);
}

static struct err remove_fn(struct txn *txn, void *arg)
{
    const struct plan *p = arg;
    char bytes[GRANT_KEY_MAX];
    struct securable on;
    struct str key;
    bool is_there;

    TRY(find_row(txn, p, bytes, &on, &key, &is_there));
    if (!is_there)
        return err_fail(ERR_NOT_FOUND, "%s is not granted to '%.*s' there",
                        privilege_name(p->grant->privilege), STR_ARG(p->role->name));
    TRY(txn_del(txn, SPACE_GRANTS, key));
    TRY(access_epoch_raise(txn));
    return audit(txn, p, "RevokeGrantFromCatalogRole");
}

/* Without it nobody but root could manage the catalog's access. */
static struct err check_revocable(const struct iam_ref *role, const struct iam_grant *g)
{
    if (g->on != ON_CATALOG || g->privilege != PRIV_CATALOG_MANAGE_ACCESS
        || !str_is(role->name, CATALOG_ADMIN))
        return OK;
    return FAIL(ERR_INVALID, "CATALOG_MANAGE_ACCESS cannot be taken from catalog_admin");
}

struct err iam_grant_remove(const struct iam_call *c, const struct iam_ref *catalog_role,
                            const struct iam_grant *grant)
{
    struct plan p = { .c = c, .role = catalog_role, .grant = grant };

    TRY(check_grant(grant));
    TRY(check_revocable(catalog_role, grant));
    return manage_run(c, remove_fn, &p);
}

/* ---- list ---- */

struct collector {
    const struct iam_call *c;
    struct rows *rows;
    uint64_t role_id;
    struct iam_grant *all;
    size_t count, room;
};

/* From ids back to names. ERR_NOT_FOUND: it is gone. */
static struct err name_of(struct collector *l, const struct securable *on, struct iam_grant *g)
{
    struct securable_path path;
    struct str row_key;
    uint64_t ns_id;

    g->on = on_of(on->kind);
    if (on->kind == SECURABLE_CATALOG) return OK;
    if (on->kind == SECURABLE_NAMESPACE)
        return securable_of_namespace(l->rows, get_be64(on->id), l->c->arena, &g->ns, &path);
    const struct str uuid = str_of(on->id, sizeof(on->id));
    TRY(securable_home(l->rows, uuid, &ns_id));
    TRY(rows_get(l->rows, SPACE_TABLE_IDS, uuid, &row_key));
    g->name = arena_str(l->c->arena, str_from(row_key, 16));
    if (!g->name.data) return no_memory();
    return securable_of_namespace(l->rows, ns_id, l->c->arena, &g->ns, &path);
}

static struct err collect(struct collector *l, struct str key)
{
    struct iam_grant g = { .on = 0 };
    struct securable on;
    uint64_t role_id;

    TRY(grant_from_key(key, &on, &role_id, &g.privilege));
    if (role_id != l->role_id || g.privilege == PRIV_NONE) return OK;
    const struct err e = name_of(l, &on, &g);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    struct iam_grant *more = arena_grow(l->c->arena, l->all, l->count, &l->room, sizeof(*more));
    if (!more) return no_memory();
    l->all = more;
    l->all[l->count++] = g;
    return OK;
}

struct err iam_grant_list(const struct iam_call *c, const struct iam_ref *catalog_role,
                          struct iam_grant **ret, size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct collector l = { .c = c };
    struct manage_row role;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    TRY(view_open(c->store->meta, &view));
    TRY(manage_find(view, catalog_role, c->arena, &role));
    l.rows = view;
    l.role_id = role.id;
    rows_scan_begin(&scan, view, SPACE_GRANTS, STR_NONE, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value)) e = collect(&l, key);
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = l.all;
    *ret_count = l.count;
    return OK;
}
