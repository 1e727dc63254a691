/*
 * manage_role.c - who has which role: a list of ids in the row of the one that has it.
 */
#include "admin/iam/manage.h"

#include "admin/iam/manage_row.h"
#include "admin/iam/principal.h"
#include "storage/base/thread.h"

struct plan {
    const struct iam_call *c;
    const struct iam_ref *role, *holder;
};

static struct err audit(struct txn *txn, const struct plan *p, const char *operation)
{
    CLEANUP(json_freep)
    json_t *details = json_pack("{s:o, s:s}", "holder", json_of_str(p->holder->name), "kind",
                                iam_noun(p->holder->kind));
    return manage_audit(txn, p->c, operation, p->role, details);
}

static struct err find_both(struct txn *txn, const struct plan *p, struct manage_row *role,
                            struct manage_row *holder)
{
    TRY(manage_find(txn_rows(txn), p->role, p->c->arena, role));
    return manage_find(txn_rows(txn), p->holder, p->c->arena, holder);
}

static struct err assign_fn(struct txn *txn, void *arg)
{
    const struct plan *p = arg;
    struct manage_row role, holder;

    TRY(find_both(txn, p, &role, &holder));
    if (manage_has_role(holder.json, role.id)) return OK;
    json_t *list = json_object_get(holder.json, "roles");
    if (!list) {
        list = json_array();
        if (json_object_set_new(holder.json, "roles", list) != 0) return no_memory();
    }
    if (json_array_size(list) >= LIMIT_ROLES_HELD)
        return err_fail(ERR_INVALID, "%s '%.*s' has %d roles already", iam_noun(holder.kind),
                        STR_ARG(p->holder->name), LIMIT_ROLES_HELD);
    if (json_array_append_new(list, json_integer((json_int_t)role.id)) != 0) return no_memory();
    TRY(manage_put(txn, &holder));
    return audit(txn, p,
                 role.kind == IAM_CATALOG_ROLE ? "AssignCatalogRoleToPrincipalRole" : "AssignPrincipalRole");
}

/* Root has it always (roles_of_configured), and scripts that were exported say so. */
static struct err is_service_admin_of_root(const struct iam_call *c, const struct iam_ref *role,
                                           const struct iam_ref *to, bool *ret)
{
    const struct directory *d;

    TRY(iam_directory(c->iam, c->arena, &d));
    const struct principal *p = to->kind == IAM_PRINCIPAL ? directory_find_name(d, to->name) : NULL;
    *ret = p && principal_is_root(p) && role->kind == IAM_PRINCIPAL_ROLE && str_is(role->name, SERVICE_ADMIN);
    return OK;
}

struct err iam_role_assign(const struct iam_call *c, const struct iam_ref *role, const struct iam_ref *to)
{
    struct plan p = { .c = c, .role = role, .holder = to };
    bool is_had = false;

    TRY(is_service_admin_of_root(c, role, to, &is_had));
    if (is_had) return OK;
    TRY(manage_check_stored(c, to));
    return manage_run(c, assign_fn, &p);
}

static struct err unassign_fn(struct txn *txn, void *arg)
{
    const struct plan *p = arg;
    struct manage_row role, holder;
    size_t i;
    json_t *id;

    TRY(find_both(txn, p, &role, &holder));
    json_t *list = json_object_get(holder.json, "roles");
    json_array_foreach(list, i, id)
    {
        if ((uint64_t)json_integer_value(id) != role.id) continue;
        (void)json_array_remove(list, i);
        TRY(manage_put(txn, &holder));
        return audit(txn, p,
                     role.kind == IAM_CATALOG_ROLE ? "RevokeCatalogRoleFromPrincipalRole"
                                                   : "RevokePrincipalRole");
    }
    return err_fail(ERR_NOT_FOUND, "%s '%.*s' does not have the role '%.*s'", iam_noun(holder.kind),
                    STR_ARG(p->holder->name), STR_ARG(p->role->name));
}

struct err iam_role_unassign(const struct iam_call *c, const struct iam_ref *role, const struct iam_ref *from)
{
    struct plan p = { .c = c, .role = role, .holder = from };

    TRY(manage_check_stored(c, from));
    return manage_run(c, unassign_fn, &p);
}

/* ---- lists ---- */

/* Is the entity one of the roles in this row? */
static bool is_role_of(const json_t *row, const struct iam_entity *entity, const void *holder_row)
{
    (void)row;
    return manage_has_role(holder_row, entity->id);
}

/* Does this row have that role? */
static bool is_holder_of(const json_t *row, const struct iam_entity *entity, const void *role_id)
{
    (void)entity;
    return manage_has_role(row, *(const uint64_t *)role_id);
}

static struct err find(const struct iam_call *c, const struct iam_ref *ref, struct manage_row *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(c->store->meta, &view));
    return manage_find(view, ref, c->arena, ret);
}

/* Root has service_admin without a row that says so; identities of a file have no roles. */
static struct err roles_of_configured(const struct iam_call *c, const struct principal *p,
                                      struct iam_entity **ret, size_t *ret_count)
{
    struct iam_entity *one = arena_new_of(c->arena, struct iam_entity);
    const struct iam_ref service = { .kind = IAM_PRINCIPAL_ROLE, .name = STR(SERVICE_ADMIN) };

    if (!one) return no_memory();
    if (p->is_root) TRY(iam_entity_get(c, &service, one));
    *ret = one;
    *ret_count = p->is_root ? 1 : 0;
    return OK;
}

struct err iam_roles_of(const struct iam_call *c, const struct iam_ref *holder, struct str catalog,
                        struct iam_entity **ret, size_t *ret_count)
{
    const struct directory *d;
    struct manage_query q = { .kind = IAM_PRINCIPAL_ROLE, .keep = is_role_of };
    struct catalog_info info;
    struct manage_row row;

    TRY(iam_directory(c->iam, c->arena, &d));
    const struct principal *p = holder->kind == IAM_PRINCIPAL ? directory_find_name(d, holder->name) : NULL;
    if (p && !p->is_stored) return roles_of_configured(c, p, ret, ret_count);
    TRY(find(c, holder, &row));
    q.arg = row.json;
    if (holder->kind == IAM_PRINCIPAL_ROLE) {
        TRY(catalog_get(c->store, catalog, c->arena, &info));
        q.kind = IAM_CATALOG_ROLE;
        q.prefix = iam_row_key(IAM_CATALOG_ROLE, info.id, STR(""), c->arena);
        if (!q.prefix.data) return no_memory();
    }
    return manage_list(c, &q, ret, ret_count);
}

static struct err add_root(const struct iam_call *c, struct iam_entity **all, size_t *count)
{
    const struct iam_ref root = { .kind = IAM_PRINCIPAL, .name = STR("root") };
    struct iam_entity *more = arena_array(c->arena, struct iam_entity, *count + 1);

    if (!more) return no_memory();
    TRY(iam_entity_get(c, &root, &more[0]));
    for (size_t i = 0; i < *count; i++) more[i + 1] = (*all)[i];
    *all = more;
    ++*count;
    return OK;
}

struct err iam_holders_of(const struct iam_call *c, const struct iam_ref *role, struct iam_entity **ret,
                          size_t *ret_count)
{
    const bool is_principal_role = role->kind == IAM_PRINCIPAL_ROLE;
    struct manage_query q = { .kind = is_principal_role ? IAM_PRINCIPAL : IAM_PRINCIPAL_ROLE,
                              .keep = is_holder_of };
    struct iam_entity *all;
    struct manage_row row;
    size_t count;

    TRY(find(c, role, &row));
    q.arg = &row.id;
    TRY(manage_list(c, &q, &all, &count));
    if (is_principal_role && str_is(role->name, SERVICE_ADMIN)) TRY(add_root(c, &all, &count));
    *ret = all;
    *ret_count = count;
    return OK;
}
