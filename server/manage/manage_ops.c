/*
 * manage_ops.c - the operations of Polaris' management API: all 33 of its specification, and Firn's own.
 *
 *
 * Names are its operationIds. Privileges are what Polaris' server asks for (catalog.md 3.1). To add an operation: a row here, and its handler in the file for its
 * subject; token, privilege, body, errors, log and metrics follow from the row.
 */
#include "server/manage/manage_ops.h"

#include "server/api/route.h"

/* clang-format off */
#define CATALOG "/catalogs/{catalog}"
#define CATALOG_ROLES CATALOG "/catalog-roles"
#define CATALOG_ROLE CATALOG_ROLES "/{catalog-role}"
#define PRINCIPAL "/principals/{principal}"
#define PRINCIPAL_ROLE "/principal-roles/{principal-role}"
#define ROLES_OF_ROLE PRINCIPAL_ROLE "/catalog-roles/{catalog}"
#define P(name) PRIV_##name, PRIV_NONE
#define OWN PRIV_NONE, PRIV_NONE
static const struct manage_op ops[] = {
    { "ListCatalogs",   HTTP_GET,    "/catalogs", P(CATALOG_LIST),             WANTED_BY_HANDLER, 0, 0,           manage_list_catalogs },
    { "CreateCatalog",  HTTP_POST,   "/catalogs", P(CATALOG_CREATE),           WANTED_ON_SERVICE, 0, MANAGE_JSON, manage_create_catalog },
    { "GetCatalog",     HTTP_GET,    CATALOG,     P(CATALOG_READ_PROPERTIES),  WANTED_ON_CATALOG, 0, 0,           manage_get_catalog },
    { "UpdateCatalog",  HTTP_PUT,    CATALOG,     P(CATALOG_WRITE_PROPERTIES), WANTED_ON_CATALOG, 0, MANAGE_JSON, manage_update_catalog },
    { "DeleteCatalog",  HTTP_DELETE, CATALOG,     P(CATALOG_DROP),             WANTED_ON_CATALOG, 0, 0,           manage_drop_catalog },

    { "ReadAudit",      HTTP_GET,    "/audit",    P(SERVICE_MANAGE_ACCESS),    WANTED_ON_SERVICE, 0, 0,           manage_read_audit }, /* Firn's own */

    { "ListPrincipals",  HTTP_GET,    "/principals", P(PRINCIPAL_LIST),             WANTED_ON_SERVICE, IAM_PRINCIPAL, 0,           manage_list_entities },
    { "CreatePrincipal", HTTP_POST,   "/principals", P(PRINCIPAL_CREATE),           WANTED_ON_SERVICE, IAM_PRINCIPAL, MANAGE_JSON, manage_create_entity },
    { "GetPrincipal",    HTTP_GET,    PRINCIPAL,     P(PRINCIPAL_READ_PROPERTIES),  WANTED_ON_SERVICE, IAM_PRINCIPAL, 0,           manage_get_entity },
    { "UpdatePrincipal", HTTP_PUT,    PRINCIPAL,     P(PRINCIPAL_WRITE_PROPERTIES), WANTED_ON_SERVICE, IAM_PRINCIPAL, MANAGE_JSON, manage_update_entity },
    { "DeletePrincipal", HTTP_DELETE, PRINCIPAL,     P(PRINCIPAL_DROP),             WANTED_ON_SERVICE, IAM_PRINCIPAL, 0,           manage_drop_entity },
    { "RotateCredentials", HTTP_POST, PRINCIPAL "/rotate", P(PRINCIPAL_ROTATE_CREDENTIALS), WANTED_BUT_OF_SELF, IAM_PRINCIPAL, 0, manage_rotate_credentials },
    { "ResetCredentials",  HTTP_POST, PRINCIPAL "/reset",  P(PRINCIPAL_RESET_CREDENTIALS),  WANTED_ON_SERVICE,  IAM_PRINCIPAL, MANAGE_JSON_OPTIONAL, manage_reset_credentials },
    { "ListPrincipalRolesAssigned", HTTP_GET, PRINCIPAL "/principal-roles", P(PRINCIPAL_LIST_GRANTS), WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0, manage_list_assigned },
    { "AssignPrincipalRole", HTTP_PUT, PRINCIPAL "/principal-roles", P(PRINCIPAL_ROLE_MANAGE_GRANTS_ON_SECURABLE), WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, MANAGE_JSON, manage_assign_role },
    { "RevokePrincipalRole", HTTP_DELETE, PRINCIPAL "/principal-roles/{principal-role}", PRIV_PRINCIPAL_ROLE_MANAGE_GRANTS_ON_SECURABLE, PRIV_PRINCIPAL_MANAGE_GRANTS_FOR_GRANTEE, WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0, manage_unassign_role },

    { "ListPrincipalRoles",  HTTP_GET,    "/principal-roles", P(PRINCIPAL_ROLE_LIST),             WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0,           manage_list_entities },
    { "CreatePrincipalRole", HTTP_POST,   "/principal-roles", P(PRINCIPAL_ROLE_CREATE),           WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, MANAGE_JSON, manage_create_entity },
    { "GetPrincipalRole",    HTTP_GET,    PRINCIPAL_ROLE,     P(PRINCIPAL_ROLE_READ_PROPERTIES),  WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0,           manage_get_entity },
    { "UpdatePrincipalRole", HTTP_PUT,    PRINCIPAL_ROLE,     P(PRINCIPAL_ROLE_WRITE_PROPERTIES), WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, MANAGE_JSON, manage_update_entity },
    { "DeletePrincipalRole", HTTP_DELETE, PRINCIPAL_ROLE,     P(PRINCIPAL_ROLE_DROP),             WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0,           manage_drop_entity },
    { "ListAssigneePrincipalsForPrincipalRole", HTTP_GET, PRINCIPAL_ROLE "/principals", P(PRINCIPAL_ROLE_LIST_GRANTS), WANTED_ON_SERVICE, IAM_PRINCIPAL_ROLE, 0, manage_list_holders },
    { "ListCatalogRolesForPrincipalRole", HTTP_GET, ROLES_OF_ROLE, P(PRINCIPAL_ROLE_LIST_GRANTS), WANTED_ON_SERVICE, IAM_CATALOG_ROLE, 0, manage_list_assigned },
    { "AssignCatalogRoleToPrincipalRole", HTTP_PUT, ROLES_OF_ROLE, P(CATALOG_ROLE_MANAGE_GRANTS_ON_SECURABLE), WANTED_ON_CATALOG, IAM_CATALOG_ROLE, MANAGE_JSON, manage_assign_role },
    { "RevokeCatalogRoleFromPrincipalRole", HTTP_DELETE, ROLES_OF_ROLE "/{catalog-role}", P(CATALOG_ROLE_MANAGE_GRANTS_ON_SECURABLE), WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0, manage_unassign_role },

    { "ListCatalogRoles",  HTTP_GET,    CATALOG_ROLES, P(CATALOG_ROLE_LIST),             WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0,           manage_list_entities },
    { "CreateCatalogRole", HTTP_POST,   CATALOG_ROLES, P(CATALOG_ROLE_CREATE),           WANTED_ON_CATALOG, IAM_CATALOG_ROLE, MANAGE_JSON, manage_create_entity },
    { "GetCatalogRole",    HTTP_GET,    CATALOG_ROLE,  P(CATALOG_ROLE_READ_PROPERTIES),  WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0,           manage_get_entity },
    { "UpdateCatalogRole", HTTP_PUT,    CATALOG_ROLE,  P(CATALOG_ROLE_WRITE_PROPERTIES), WANTED_ON_CATALOG, IAM_CATALOG_ROLE, MANAGE_JSON, manage_update_entity },
    { "DeleteCatalogRole", HTTP_DELETE, CATALOG_ROLE,  P(CATALOG_ROLE_DROP),             WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0,           manage_drop_entity },
    { "ListAssigneePrincipalRolesForCatalogRole", HTTP_GET, CATALOG_ROLE "/principal-roles", P(CATALOG_ROLE_LIST_GRANTS), WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0, manage_list_holders },
    { "ListGrantsForCatalogRole",   HTTP_GET,  CATALOG_ROLE "/grants", P(CATALOG_ROLE_LIST_GRANTS), WANTED_ON_CATALOG, IAM_CATALOG_ROLE, 0,           manage_list_grants },
    { "AddGrantToCatalogRole",      HTTP_PUT,  CATALOG_ROLE "/grants", OWN,                         WANTED_BY_HANDLER, IAM_CATALOG_ROLE, MANAGE_JSON, manage_add_grant },
    { "RevokeGrantFromCatalogRole", HTTP_POST, CATALOG_ROLE "/grants", OWN,                         WANTED_BY_HANDLER, IAM_CATALOG_ROLE, MANAGE_JSON, manage_remove_grant },
};
/* clang-format on */
#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

static const char *const targets[] = {
    [WANTED_ON_SERVICE] = "the service",
    [WANTED_ON_CATALOG] = "the catalog",
    [WANTED_BUT_OF_SELF] = "the service; oneself needs none",
    [WANTED_BY_HANDLER] = "what is touched",
};

static const char *wanted(const struct manage_op *op)
{
    return op->privilege == PRIV_NONE ? "by the body" : privilege_name(op->privilege);
}

const struct manage_op *manage_ops(size_t *ret_count)
{
    *ret_count = OP_COUNT;
    return ops;
}

void manage_ops_print(FILE *out)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        const struct manage_op *op = &ops[i];
        const char *body = op->flags & MANAGE_JSON ? "JSON"
            : op->flags & MANAGE_JSON_OPTIONAL     ? "JSON or none"
                                                   : "none";
        fprintf(out, "%s\t%s\t%s\t%s%s%s\t%s\t%s\n", op->name, api_method_name(op->method), op->path,
                wanted(op), op->also ? ", " : "", op->also ? privilege_name(op->also) : "",
                targets[op->target], body);
    }
}

/* ---- names in the path ---- */

static struct err take_name(struct manage_request *req, struct str name, struct str value)
{
    if (value.len > 256) return FAIL(ERR_INVALID, "a name in the path is longer than 256 bytes");
    if (str_is(name, "{catalog}")) req->catalog = value;
    else if (str_is(name, "{principal}")) req->principal = value;
    else if (str_is(name, "{principal-role}")) req->principal_role = value;
    else req->catalog_role = value;
    return OK;
}

static struct err take_names(struct manage_request *req, struct str path)
{
    struct route_names it = route_names_of(req->op->path, path, req->arena);
    struct str name, value;

    while (route_names_next(&it, &name, &value)) TRY(take_name(req, name, value));
    return it.err;
}

struct err manage_op_find(struct manage_request *req)
{
    const struct str path = str_from(req->http->raw_path, sizeof(MANAGE_BASE) - 1);
    bool is_path_known = false;

    for (size_t i = 0; i < OP_COUNT; i++) {
        if (!route_matches(ops[i].path, path)) continue;
        is_path_known = true;
        if (ops[i].method != req->http->method) continue;
        req->op = &ops[i];
        return take_names(req, path);
    }
    if (is_path_known) return FAIL(ERR_METHOD_NOT_ALLOWED, "the path does not take this method");
    return err_fail(ERR_NOT_FOUND, "there is no such path: %.*s", STR_ARG(req->http->raw_path));
}
