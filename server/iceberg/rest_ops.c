/*
 * rest_ops.c - the operations of the Iceberg REST catalog that are served.
 *
 * A row's path is the text that /v1/config lists in `endpoints`, which clients compare to the letter. The table is asked for below each of the base paths. To add an operation: a row here,
 * and its handler in the file for its subject; token, permission, body, errors, log and metrics follow from the row.
 */
#include "server/iceberg/rest.h"

#include <string.h>

#include "server/api/api.h"
#include "server/api/route.h"

/* clang-format off */
#define NS "/v1/{prefix}/namespaces"
#define TABLES NS "/{namespace}/tables"
#define VIEWS NS "/{namespace}/views"
static const struct rest_op ops[] = {
    { "GetConfig",         HTTP_GET,    "/v1/config",                            PRIV_NONE,                      ON_NOTHING,        REST_HIDDEN,            rest_config },
    { "GetToken",          HTTP_POST,   "/v1/oauth/tokens",                      PRIV_NONE,                      ON_NOTHING,        REST_PUBLIC | REST_FORM | REST_HIDDEN, rest_token },
    { "ListNamespaces",    HTTP_GET,    NS,                                      PRIV_NONE,                      ON_PREFIX,         0,                      rest_list_namespaces },
    { "CreateNamespace",   HTTP_POST,   NS,                                      PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_create_namespace },
    { "LoadNamespace",     HTTP_GET,    NS "/{namespace}",                       PRIV_NAMESPACE_READ_PROPERTIES, ON_PATH_NAMESPACE, 0,                      rest_load_namespace },
    { "NamespaceExists",   HTTP_HEAD,   NS "/{namespace}",                       PRIV_NAMESPACE_LIST,            ON_PATH_NAMESPACE, 0,                      rest_namespace_exists },
    { "DropNamespace",     HTTP_DELETE, NS "/{namespace}",                       PRIV_NAMESPACE_DROP,            ON_PATH_NAMESPACE, 0,                      rest_drop_namespace },
    { "UpdateNamespace",   HTTP_POST,   NS "/{namespace}/properties",            PRIV_NAMESPACE_WRITE_PROPERTIES, ON_PATH_NAMESPACE, REST_JSON,              rest_update_namespace },
    { "ListTables",        HTTP_GET,    TABLES,                                  PRIV_NONE,                      ON_PREFIX,         0,                      rest_list_tables },
    { "CreateTable",       HTTP_POST,   TABLES,                                  PRIV_TABLE_CREATE,              ON_PATH_NAMESPACE, REST_JSON,              rest_create_table },
    { "LoadTable",         HTTP_GET,    TABLES "/{table}",                       PRIV_TABLE_READ_PROPERTIES,     ON_PATH_TABLE,     0,                      rest_load_table },
    { "TableExists",       HTTP_HEAD,   TABLES "/{table}",                       PRIV_TABLE_LIST,                ON_PATH_TABLE,     0,                      rest_table_exists },
    { "UpdateTable",       HTTP_POST,   TABLES "/{table}",                       PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_update_table },
    { "DropTable",         HTTP_DELETE, TABLES "/{table}",                       PRIV_TABLE_DROP,                ON_PATH_TABLE,     0,                      rest_drop_table },
    { "LoadCredentials",   HTTP_GET,    TABLES "/{table}/credentials",           PRIV_TABLE_READ_DATA,           ON_PATH_TABLE,     0,                      rest_load_credentials },
    { "SignRequest",       HTTP_POST,   TABLES "/{table}/sign",                  PRIV_TABLE_READ_DATA,           ON_PATH_TABLE,     REST_JSON,              rest_sign_request },
    { "ReportMetrics",     HTTP_POST,   TABLES "/{table}/metrics",               PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_report_metrics },
    { "RegisterTable",     HTTP_POST,   NS "/{namespace}/register",              PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_register_table },
    { "RenameTable",       HTTP_POST,   "/v1/{prefix}/tables/rename",            PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_rename_table },
    { "ListPolicies",      HTTP_GET,    "/polaris" NS "/{namespace}/policies",   PRIV_POLICY_LIST,               ON_PATH_NAMESPACE, REST_HIDDEN,            rest_list_policies },
    { "ApplicablePolicies", HTTP_GET,   "/polaris/v1/{prefix}/applicable-policies", PRIV_NONE,                   ON_PREFIX,         REST_HIDDEN,            rest_applicable_policies },
    { "ListViews",         HTTP_GET,    VIEWS,                                   PRIV_NONE,                      ON_PREFIX,         0,                      rest_list_views },
    { "CreateView",        HTTP_POST,   VIEWS,                                   PRIV_VIEW_CREATE,               ON_PATH_NAMESPACE, REST_JSON,              rest_create_view },
    { "LoadView",          HTTP_GET,    VIEWS "/{view}",                         PRIV_VIEW_READ_PROPERTIES,      ON_PATH_VIEW,      0,                      rest_load_view },
    { "ViewExists",        HTTP_HEAD,   VIEWS "/{view}",                         PRIV_VIEW_LIST,                 ON_PATH_VIEW,      0,                      rest_view_exists },
    { "ReplaceView",       HTTP_POST,   VIEWS "/{view}",                         PRIV_VIEW_WRITE_PROPERTIES,     ON_PATH_VIEW,      REST_JSON,              rest_replace_view },
    { "DropView",          HTTP_DELETE, VIEWS "/{view}",                         PRIV_VIEW_DROP,                 ON_PATH_VIEW,      0,                      rest_drop_view },
    { "RegisterView",      HTTP_POST,   NS "/{namespace}/register-view",         PRIV_VIEW_CREATE,               ON_PATH_NAMESPACE, REST_JSON,              rest_register_view },
    { "RenameView",        HTTP_POST,   "/v1/{prefix}/views/rename",             PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_rename_view },
    { "CommitTransaction", HTTP_POST,   "/v1/{prefix}/transactions/commit",      PRIV_NONE,                      ON_PREFIX,         REST_JSON,              rest_commit_transaction },
};
/* clang-format on */
#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

/* Where the API stands: Polaris' address, and a short one. */
static const char *const bases[] = { "/api/catalog", "/iceberg" };

const struct rest_op *rest_ops(size_t *ret_count)
{
    *ret_count = OP_COUNT;
    return ops;
}

void rest_ops_print(FILE *out)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        const struct rest_op *op = &ops[i];
        const char *body = op->flags & REST_JSON ? "JSON" : op->flags & REST_FORM ? "form" : "none";
        fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", op->name, api_method_name(op->method), op->path,
                op->privilege == PRIV_NONE ? "by the body" : privilege_name(op->privilege), body,
                op->flags & REST_HIDDEN ? "no" : "yes");
    }
}

/* ---- names in the path ---- */

static struct err take_piece(struct str name, struct str piece, struct rest_request *req)
{
    if (str_is(name, "{prefix}")) {
        req->prefix = piece;
        return OK;
    }
    if (str_is(name, "{namespace}")) return rest_ns_from_text(piece, "namespace", &req->ns);
    req->table = piece;
    return table_name_check(piece);
}

/* ---- matching ---- */

static struct err take_pieces(const char *route, struct str path, struct rest_request *req)
{
    struct route_names it = route_names_of(route, path, req->arena);
    struct str name, piece;

    while (route_names_next(&it, &name, &piece)) TRY(take_piece(name, piece, req));
    return it.err;
}

static struct str below_base(struct str path)
{
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        const struct str base = str_from_z(bases[i]);
        if (str_starts(path, base)) return str_from(path, base.len);
    }
    return STR_NONE;
}

struct err rest_op_find(struct rest_request *req, struct http_request *http)
{
    const struct str path = below_base(http->raw_path);
    bool is_path_known = false;

    for (size_t i = 0; i < OP_COUNT && path.data; i++) {
        if (!route_matches(ops[i].path, path)) continue;
        is_path_known = true;
        if (ops[i].method != http->method) continue;
        req->op = &ops[i];
        return take_pieces(ops[i].path, path, req);
    }
    if (is_path_known) return FAIL(ERR_METHOD_NOT_ALLOWED, "the path does not take this method");
    return err_fail(ERR_NOT_FOUND, "there is no such path: %.*s", STR_ARG(http->raw_path));
}
