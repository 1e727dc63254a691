/* lake_test.h - a store with a catalog "lake", its identities, and short words for what the tests of roles and rights do. */
#ifndef ADMIN_IAM_LAKE_TEST_H
#define ADMIN_IAM_LAKE_TEST_H

#include "admin/iam/fixture_test.h"
#include "admin/iam/manage.h"
#include "admin/iam/rights.h"

struct lake {
    struct store store;
    struct iam *iam;
    struct arena *arena;
    const char *dir;
    struct iam_call call;
};

/* Bucket and catalog "lake"; roles bootstrapped. */
void lake_open(struct lake *l);
void lake_close(struct lake *l);
/* Close and open again what is on disk. */
void lake_reopen(struct lake *l);

/* "a.b": levels joined by dots. */
struct ns_path lake_ns(const char *path);
void lake_namespace(struct lake *l, const char *path);
/* A table in it, with the location that it gets by itself. */
struct table_info lake_table(struct lake *l, const char *ns, const char *name);

struct iam_ref principal_ref(const char *name);
struct iam_ref role_ref(const char *name);         /* a principal role */
struct iam_ref catalog_role_ref(const char *name); /* in "lake" */

/* Principal `name` with the principal role `name` with the catalog role `name`. */
struct iam_credentials lake_person(struct lake *l, const char *name);
/* on: "" the catalog, "ns" a namespace, "ns/t" a table. */
struct iam_grant lake_grant(const char *on, enum privilege p);
void lake_give(struct lake *l, const char *catalog_role, const char *on, enum privilege p);

/* Does the principal hold p on that, as identities are now? */
bool lake_may(struct lake *l, const char *principal, enum privilege p, const char *on);

#endif
