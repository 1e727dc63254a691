/*
 * bootstrap.h - the roles that are there without anybody making them: service_admin, and catalog_admin in each catalog (catalog.md 3.1). iam_bootstrap (iam.h) makes
 * them at a start; these are for who makes and drops a catalog, inside its transaction. iam_reload after it.
 */
#ifndef ADMIN_IAM_BOOTSTRAP_H
#define ADMIN_IAM_BOOTSTRAP_H

#include "catalog/commit/catalog.h"
#include "storage/meta/meta.h"

/* catalog_admin, with CATALOG_MANAGE_ACCESS and CATALOG_MANAGE_METADATA on the catalog, held by service_admin. */
struct err iam_catalog_made(struct txn *txn, uint64_t catalog_id, struct arena *arena);

/* The roles of a catalog and the grants on it go. ERR_INVALID: there are other roles than catalog_admin. */
struct err iam_catalog_dropped(struct txn *txn, uint64_t catalog_id, struct arena *arena);

#endif
