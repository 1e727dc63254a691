/*
 * iam_row.h - the rows of principals, principal roles and catalog roles: JSON with an id, a version, times, properties and what is the kind's own. For the
 * files of this folder alone.
 *
 * A row refers to others by id; ids are never used again, so what refers to something that is gone refers to nothing, and need not be found
 * when that goes.
 */
#ifndef ADMIN_IAM_IAM_ROW_H
#define ADMIN_IAM_IAM_ROW_H

#include "admin/iam/manage.h"
#include "catalog/commit/securable.h"
#include "storage/meta/meta.h"

#define SERVICE_ADMIN "service_admin" /* the principal role that manages the service */
#define CATALOG_ADMIN "catalog_admin" /* the catalog role that manages a catalog */

#define LIMIT_ROLES_HELD 1000  /* roles of one principal, catalog roles of one principal role: a row holds their ids */
#define LIMIT_GRANTS_ON 900    /* grants on one thing: they go with it in one transaction of LIMIT_TXN_ROWS */

enum space iam_space(enum iam_kind kind);
const char *iam_noun(enum iam_kind kind); /* "Principal", "Principal role", "Catalog role" */

/* The key of a row. catalog_id: of a catalog role, else 0. .data NULL: no memory. */
struct str iam_row_key(enum iam_kind kind, uint64_t catalog_id, struct str name, struct arena *arena);
/* The name in a key. */
struct str iam_row_name(enum iam_kind kind, struct str key);

/* ERR_NOT_FOUND, in words: "Principal role does not exist: x". *ret is deferred to the arena and may be changed. */
struct err iam_row_get(struct rows *r, enum iam_kind kind, uint64_t catalog_id, struct str name, struct arena *arena, json_t **ret);
struct err iam_row_put(struct txn *txn, enum space space, struct str key, const json_t *row);

/* Values live in row and arena. ERR_CORRUPT. */
struct err iam_row_entity(const json_t *row, struct str name, struct iam_entity *ret);
/* The list of ids in field; absent: none. ERR_CORRUPT. */
struct err iam_row_ids(const json_t *row, const char *field, struct arena *arena, uint64_t **ret, size_t *ret_count);

/* A secret, sealed for its principal's id, as hex; and back. ERR_CORRUPT: of another principal, store or key. */
struct err secret_seal(const struct iam *iam, uint64_t principal_id, struct str secret, struct arena *arena, struct str *ret_hex);
struct err secret_unseal(const struct iam *iam, uint64_t principal_id, struct str hex, struct arena *arena, struct str *ret);

/* The key of a grant. */
#define GRANT_KEY_MAX (SECURABLE_KEY_MAX + 10)
struct str grant_key(const struct securable *on, uint64_t role_id, enum privilege p, char out[GRANT_KEY_MAX]);
/* ERR_CORRUPT. A privilege of a later version is PRIV_NONE. */
struct err grant_from_key(struct str key, struct securable *ret_on, uint64_t *ret_role_id, enum privilege *ret_p);

#endif
