/*
 * manage_grant.c - grants to catalog roles. Which privilege the caller needs, and on what, the body says.
 */
#include "server/manage/manage_ops.h"

#include "storage/base/thread.h"

/* One row for each type of grant: what it names besides the privilege, and what the caller needs on that. */
static const struct grant_type {
    const char *type;
    enum privilege_on on;
    bool has_namespace;
    const char *name_field; /* NULL: none */
    enum metadata_kind kind;
    enum privilege manage;
} types[] = {
    { "catalog", ON_CATALOG, false, NULL, METADATA_TABLE, PRIV_CATALOG_MANAGE_GRANTS_ON_SECURABLE },
    { "namespace", ON_NAMESPACE, true, NULL, METADATA_TABLE, PRIV_NAMESPACE_MANAGE_GRANTS_ON_SECURABLE },
    { "table", ON_TABLE, true, "tableName", METADATA_TABLE, PRIV_TABLE_MANAGE_GRANTS_ON_SECURABLE },
    { "view", ON_VIEW, true, "viewName", METADATA_VIEW, PRIV_VIEW_MANAGE_GRANTS_ON_SECURABLE },
};
enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

static const struct grant_type *type_of(enum privilege_on on)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].on == on) return &types[i];
    }
    return NULL;
}

/* ---- a grant of a body ---- */

static struct err find_type(const json_t *grant, const struct grant_type **ret)
{
    struct str name;

    TRY(json_need_str(grant, "type", &name));
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (!str_is(name, types[i].type)) continue;
        *ret = &types[i];
        return OK;
    }
    if (str_is(name, "policy"))
        return FAIL(ERR_INVALID, "grants on policies are not supported: there are no policies");
    return err_fail(ERR_INVALID, "field 'type' must be catalog, namespace, table or view, not '%.*s'",
                    STR_ARG(name));
}

/* A namespace with a grant of type catalog would be a grant on everything, which is not what was meant. */
static struct err check_fields(const json_t *grant, const struct grant_type *type)
{
    static const char *const fields[] = { "namespace", "tableName", "viewName", "policyName" };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct str field = str_from_z(fields[i]);
        const json_t *value = json_object_get(grant, fields[i]);
        const bool is_wanted = i == 0 ? type->has_namespace
                                      : type->name_field && str_is(field, type->name_field);
        if (value && !json_is_null(value) && !is_wanted)
            return err_fail(ERR_INVALID, "field '%s' does not belong to a grant of type '%s'", fields[i],
                            type->type);
    }
    return OK;
}

static struct err take_namespace(const json_t *grant, struct ns_path *ret)
{
    json_t *list, *level;
    size_t i;

    TRY(json_need_array(grant, "namespace", &list));
    if (json_array_size(list) > NAMESPACE_LEVELS_MAX)
        return FAIL(ERR_INVALID, "field 'namespace' has too many levels");
    json_array_foreach(list, i, level)
    {
        if (!json_is_string(level)) return FAIL(ERR_INVALID, "field 'namespace' must be an array of strings");
        ret->levels[ret->count++] = json_str(level);
    }
    return ns_path_check(ret);
}

struct err manage_grant_parse(const json_t *body, struct iam_grant *ret)
{
    struct iam_grant g = { .privilege = PRIV_NONE };
    const struct grant_type *type;
    struct str privilege;
    json_t *grant;

    TRY(json_need_object(body, "grant", &grant));
    TRY(find_type(grant, &type));
    TRY(check_fields(grant, type));
    g.on = type->on;
    if (type->has_namespace) TRY(take_namespace(grant, &g.ns));
    if (type->name_field) {
        TRY(json_need_str(grant, type->name_field, &g.name));
        TRY(table_name_check(g.name));
    }
    TRY(json_need_str(grant, "privilege", &privilege));
    if (!privilege_from_name(privilege, &g.privilege) || !privilege_fits(g.privilege, g.on))
        return err_fail(ERR_INVALID, "field 'privilege': '%.*s' cannot be granted on a %s",
                        STR_ARG(privilege), type->type);
    *ret = g;
    return OK;
}

/* ---- the operations ---- */

static struct err check_rights(struct manage_request *req, const struct iam_grant *g)
{
    const struct grant_type *type = type_of(g->on);
    const struct securable_name name = {
        .catalog = req->catalog, .ns = &g->ns, .name = g->name, .kind = type->kind
    };
    CLEANUP(view_closep) struct rows *view = NULL;
    struct securable_path path;

    TRY(view_open(req->store->meta, &view));
    TRY(securable_find(view, &name, req->arena, &path));
    return rights_check(&req->caller, type->manage, &path);
}

struct err manage_add_grant(struct manage_request *req)
{
    const struct iam_ref role = manage_ref(req, IAM_CATALOG_ROLE);
    struct iam_grant grant;

    TRY(manage_grant_parse(req->body, &grant));
    TRY(check_rights(req, &grant));
    TRY(iam_grant_add(&req->iam, &role, &grant));
    api_answer_empty(req->http, 201);
    return OK;
}

static struct err check_cascade(const struct manage_request *req)
{
    const struct str cascade = http_query(req->http, "cascade");

    if (!cascade.data || str_is_nocase(cascade, "false")) return OK;
    return FAIL(ERR_INVALID, "parameter 'cascade' must be false: revoke each grant by itself");
}

struct err manage_remove_grant(struct manage_request *req)
{
    const struct iam_ref role = manage_ref(req, IAM_CATALOG_ROLE);
    struct iam_grant grant;

    TRY(check_cascade(req));
    TRY(manage_grant_parse(req->body, &grant));
    TRY(check_rights(req, &grant));
    TRY(rights_check(&req->caller, PRIV_CATALOG_ROLE_MANAGE_GRANTS_FOR_GRANTEE, &req->path));
    TRY(iam_grant_remove(&req->iam, &role, &grant));
    api_answer_empty(req->http, 201);
    return OK;
}

static json_t *grant_json(const struct iam_grant *g)
{
    const struct grant_type *type = type_of(g->on);
    json_t *json = json_pack("{s:s, s:s}", "type", type->type, "privilege", privilege_name(g->privilege));
    json_t *levels = json_array();

    for (size_t i = 0; i < g->ns.count; i++) json_array_append_new(levels, json_of_str(g->ns.levels[i]));
    if (type->has_namespace) (void)json_object_set(json, "namespace", levels);
    if (type->name_field) (void)json_object_set_new(json, type->name_field, json_of_str(g->name));
    json_decref(levels);
    return json;
}

struct err manage_list_grants(struct manage_request *req)
{
    const struct iam_ref role = manage_ref(req, IAM_CATALOG_ROLE);
    json_t *list = NULL;
    struct iam_grant *all;
    size_t count;

    TRY(iam_grant_list(&req->iam, &role, &all, &count));
    list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, grant_json(&all[i]));
    api_answer_json(req->http, 200, json_pack("{s:o}", "grants", list));
    return OK;
}
