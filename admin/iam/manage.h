/*
 * manage.h - changing who there is and who may do what: principals, principal roles, catalog roles, grants.
 *
 * The model, its names and rules are Apache Polaris' (catalog.md 3.1, 3.2): principal -> principal role -> catalog role -> privilege on a catalog,
 * namespace, table or view. Privileges only add. Root, and the identities of s3.json, are seen by iam_entity_list and _get but belong to the
 * configuration: changing them is ERR_INVALID.
 *
 * Each change is one transaction with its audit row, and is in force on this server before the call returns (iam_directory of any request that begins later).
 * The caller has been authorised before (rights.h). Everything here waits: it is for workers.
 *
 * Errors of all: ERR_NOT_FOUND (named), ERR_EXISTS, ERR_INVALID (names what is wrong), ERR_CONFLICT (the version is not the current one; nothing was done).
 */
#ifndef ADMIN_IAM_MANAGE_H
#define ADMIN_IAM_MANAGE_H

#include "admin/iam/iam.h"
#include "admin/iam/privilege.h"
#include "catalog/commit/catalog.h"
#include "storage/base/json.h"

/* What a call works with. Borrowed; answers live in the arena. */
struct iam_call {
    struct store *store;
    struct iam *iam;
    const struct actor *who;
    struct arena *arena;
};

enum iam_kind { IAM_PRINCIPAL, IAM_PRINCIPAL_ROLE, IAM_CATALOG_ROLE };

/* What is meant, by name. catalog only with IAM_CATALOG_ROLE. */
struct iam_ref {
    enum iam_kind kind;
    struct str catalog, name;
};

struct iam_entity {
    uint64_t id;
    struct str name;
    struct str client_id;       /* of a principal */
    const json_t *properties;   /* object of strings */
    int64_t created_ms, updated_ms;
    int64_t version;            /* entityVersion: from 1, grows with each change */
    bool is_federated;          /* of a principal role: kept and shown */
    bool is_rotation_required;  /* of a principal: it may do nothing but rotate its credentials */
};

/* Shown once, then known to nobody: what is stored is sealed. */
struct iam_credentials {
    struct str client_id, client_secret;
};

/* ---- entities ---- */

struct iam_new {
    const json_t *properties;   /* object of strings, or NULL */
    bool is_federated, is_rotation_required;
};
/* Names: 1 to 256 bytes of UTF-8 without control characters, not beginning with "system$" in any case. ret_credentials: of a principal, else untouched (may be NULL). */
struct err iam_entity_create(const struct iam_call *c, const struct iam_ref *ref, const struct iam_new *made, struct iam_entity *ret,
                             struct iam_credentials *ret_credentials);
struct err iam_entity_get(const struct iam_call *c, const struct iam_ref *ref, struct iam_entity *ret);
/* In the order of names. ref->name is not looked at. */
struct err iam_entity_list(const struct iam_call *c, const struct iam_ref *ref, struct iam_entity **ret, size_t *ret_count);
/* version: the one that the caller has seen. properties replace all that were there. */
struct err iam_entity_update(const struct iam_call *c, const struct iam_ref *ref, int64_t version, const json_t *properties, struct iam_entity *ret);
/* Assignments and grants go with it. ERR_INVALID: service_admin, catalog_admin, root. */
struct err iam_entity_drop(const struct iam_call *c, const struct iam_ref *ref);

/* ---- credentials of a principal ---- */

/* A new secret; the one before works until the next rotation (two live secrets). Tokens and vended keys made before are dead. */
struct err iam_credentials_rotate(const struct iam_call *c, struct str principal, struct iam_entity *ret, struct iam_credentials *ret_credentials);
/* New credentials, given or (empty) made; the old ones are dead at once. ERR_EXISTS: the client id is taken. */
struct err iam_credentials_reset(const struct iam_call *c, struct str principal, const struct iam_credentials *wanted, struct iam_entity *ret,
                                 struct iam_credentials *ret_credentials);

/* ---- who has which role ---- */

/* role: a principal role, to a principal; or a catalog role, to a principal role. Twice is OK. */
struct err iam_role_assign(const struct iam_call *c, const struct iam_ref *role, const struct iam_ref *to);
/* ERR_NOT_FOUND when it was not assigned. */
struct err iam_role_unassign(const struct iam_call *c, const struct iam_ref *role, const struct iam_ref *from);
/* The principal roles of a principal; the catalog roles in `catalog` of a principal role. */
struct err iam_roles_of(const struct iam_call *c, const struct iam_ref *holder, struct str catalog, struct iam_entity **ret, size_t *ret_count);
/* The principals that have a principal role; the principal roles that have a catalog role. */
struct err iam_holders_of(const struct iam_call *c, const struct iam_ref *role, struct iam_entity **ret, size_t *ret_count);

/* ---- grants to a catalog role ---- */

struct iam_grant {
    enum privilege_on on;       /* ON_CATALOG, ON_NAMESPACE, ON_TABLE, ON_VIEW */
    struct ns_path ns;          /* but for a catalog */
    struct str name;            /* of a table or view */
    enum privilege privilege;
};
/* ERR_INVALID: the privilege cannot be granted on that. ERR_NO_SUCH_NAMESPACE, ERR_NO_SUCH_TABLE, ERR_NO_SUCH_VIEW. Twice is OK. */
struct err iam_grant_add(const struct iam_call *c, const struct iam_ref *catalog_role, const struct iam_grant *grant);
/* ERR_NOT_FOUND when it was not granted. ERR_INVALID: CATALOG_MANAGE_ACCESS of catalog_admin. */
struct err iam_grant_remove(const struct iam_call *c, const struct iam_ref *catalog_role, const struct iam_grant *grant);
struct err iam_grant_list(const struct iam_call *c, const struct iam_ref *catalog_role, struct iam_grant **ret, size_t *ret_count);

#endif
