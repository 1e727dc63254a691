/*
 * manage_ops.h - one management request, the table's rows, and what its handlers use. For the files of server/manage only.
 */
#ifndef SERVER_MANAGE_MANAGE_OPS_H
#define SERVER_MANAGE_MANAGE_OPS_H

#include "admin/iam/manage.h"
#include "admin/iam/rights.h"
#include "catalog/commit/catalog.h"
#include "server/api/api.h"
#include "server/manage/manage.h"

struct manage_op;

struct manage_request {
    struct http_request *http;
    struct arena *arena;
    const struct manage_op *op;
    struct store *store;
    struct caller caller;
    struct actor actor;
    struct iam_call iam;   /* what changes identities is called with */
    struct buf *text;      /* the body */
    const json_t *body;    /* parsed, when the row says so; NULL: an optional one that is not there */
    /* from the path, decoded; empty when the row's path does not have it: */
    struct str catalog, principal, principal_role, catalog_role;
    struct securable_path path; /* of the catalog */
    struct err outcome;
    char why[512];
};

typedef struct err manage_run_fn(struct manage_request *req);

enum manage_flags {
    MANAGE_JSON = 1 << 0,     /* has a JSON object as body */
    MANAGE_JSON_OPTIONAL = 1 << 1,
};

/* What the row's privileges are wanted on. */
enum manage_target {
    WANTED_ON_SERVICE,  /* root of all */
    WANTED_ON_CATALOG,  /* of the path */
    WANTED_BUT_OF_SELF, /* on the service, but of who is the principal of the path: that one may always */
    WANTED_BY_HANDLER,  /* it asks: about each catalog of a list, about what the body names. A catalog of the path is seen by the caller */
};

struct manage_op {
    const char *name; /* "CreatePrincipal" */
    enum http_method method;
    const char *path; /* below MANAGE_BASE */
    enum privilege privilege, also; /* both are wanted; PRIV_NONE: none */
    enum manage_target target;
    enum iam_kind kind; /* of what is made, shown, changed; of the role that is assigned */
    unsigned flags;
    manage_run_fn *run; /* on a worker */
};

/* All rows. */
const struct manage_op *manage_ops(size_t *ret_count);
/* The row, and what its path says. ERR_NOT_FOUND, ERR_METHOD_NOT_ALLOWED, ERR_INVALID (a name in it). */
struct err manage_op_find(struct manage_request *req);

/* ---- handlers, by file ---- */
manage_run_fn manage_list_catalogs, manage_create_catalog, manage_get_catalog, manage_update_catalog, manage_drop_catalog; /* manage_catalog.c */
manage_run_fn manage_list_entities, manage_create_entity, manage_get_entity, manage_update_entity, manage_drop_entity;     /* manage_entity.c */
manage_run_fn manage_rotate_credentials, manage_reset_credentials;                                                         /* manage_entity.c */
manage_run_fn manage_list_assigned, manage_list_holders, manage_assign_role, manage_unassign_role;                         /* manage_role.c */
manage_run_fn manage_read_audit;                                                                                           /* manage_audit.c */
manage_run_fn manage_list_grants, manage_add_grant, manage_remove_grant;                                                   /* manage_grant.c */

/* ---- what they use ---- */

/* The principal, principal role or catalog role (the row's kind) that the path names. */
struct iam_ref manage_ref(const struct manage_request *req, enum iam_kind kind);
/* {"principals": [...]} or {"roles": [...]}. */
void manage_answer_list(struct manage_request *req, enum iam_kind kind, const struct iam_entity *all, size_t count);
/* The member of a body that holds the entity: "principalRole". */
const char *manage_field(enum iam_kind kind);
/* A grant of a body, in {"grant": {...}}. ERR_INVALID names the field; a field of another type of grant is refused, since what was meant is not clear. Views into body. */
struct err manage_grant_parse(const json_t *body, struct iam_grant *ret);
/* storageConfigInfo of a body: what is known of it, copied into *ret (the caller's). ERR_INVALID names the field. */
struct err manage_storage_parse(const json_t *given, json_t **ret);

#endif
