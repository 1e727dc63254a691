/*
 * rights.h - the access check of the catalog and of management: does the caller hold a privilege there?
 *
 * A privilege is held on a thing when a role that the caller acts in has a grant of it, or of one that includes it, on that thing or on one around it (catalog.md 3.1). Root
 * holds every privilege. The identities of s3.json hold what their actions at the thing's location stand for (rights.c has the table), so that one file serves both doors.
 * A vended key holds nothing here.
 */
#ifndef ADMIN_IAM_RIGHTS_H
#define ADMIN_IAM_RIGHTS_H

#include "admin/iam/access.h"
#include "admin/iam/privilege.h"
#include "catalog/commit/securable.h"

/* path NULL: on the service itself (root of all). OK or ERR_DENIED with a why for the log. */
struct err rights_check(const struct caller *who, enum privilege p, const struct securable_path *path);
bool rights_have(const struct caller *who, enum privilege p, const struct securable_path *path);

/* Is there any right of the caller in that catalog, on it or on anything in it? path: of the catalog. */
bool rights_see_catalog(const struct caller *who, const struct securable_path *path);

/* The names of direct children of `parent` (no levels: of the catalog) that hold, somewhere at or below them, something granted to the caller: so that one who may read one
 * table finds the way to it. In order of nothing; in the arena. */
struct err rights_children_seen(const struct caller *who, struct rows *r, const struct securable_path *path, const struct ns_path *parent, struct arena *arena,
                                struct str **ret, size_t *ret_count);

/* The names of the tables or views (kind) directly in the namespace that the caller has a right on, each by itself. In order of nothing; in the arena. */
struct err rights_tables_seen(const struct caller *who, struct rows *r, uint64_t ns_id, enum securable_kind kind, struct arena *arena, struct str **ret,
                              size_t *ret_count);

/* What is asked for at the S3 door. key may be empty where the permission has none; of a listing it is the prefix. */
struct s3_resource {
    struct meta *meta; /* where tables are looked up */
    struct str bucket, key;
};

/* The access check of the S3 door: the caller's own credential (access.h), or the privilege on the table in whose place the file lies: TABLE_READ_DATA reads and lists,
 * TABLE_WRITE_DATA writes and deletes too, nothing else counts. A vended key needs its scope and, still, that its table is there (or not made yet, if it was vended
 * for a staged create) and that its principal has the privilege. Reads rows only for a caller with roles or a scope. OK or ERR_DENIED; what reading rows may fail with. */
struct err rights_check_s3(const struct caller *who, enum permission what, const struct s3_resource *on, struct arena *arena);

/* May the caller take away a file that a table's snapshot needs, in a catalog that guards those? Beside the right to delete or write it: CATALOG_MANAGE_CONTENT on the namespaces or catalog around the table in whose
 * place it lies (in none: on the service). A vended key never may. Errors as rights_check_s3. */
struct err rights_check_bypass(const struct caller *who, const struct s3_resource *on, struct arena *arena);

#endif
