/*
 * maintenance.h - maintenance by hand, over HTTP: below /api/firn/v1/catalogs/{catalog}/maintenance/ of the catalog's port.
 *
 *   POST expire    {"namespace": ["a", "b"], "table": "t", "older-than-ms": 604800000, "keep": 5, "dry-run": true}: take old snapshots out, say which files go with them
 *   GET  orphans   ?namespace=a%1Fb&table=t&older-than-ms=N: what nothing names
 *   POST orphans   the same as a body, with "dry-run": true to remove nothing
 *   GET  status    ?namespace=a%1Fb&table=t: what is known of each table's files
 *
 * Everything but the catalog may be left out. The caller needs TABLE_REMOVE_SNAPSHOTS (expire), TABLE_WRITE_DATA (orphans), TABLE_READ_DATA (their report), TABLE_READ_PROPERTIES (status) on
 * the table, or on the namespace or catalog whose tables are meant. Answers and errors are JSON, errors in the form of the REST catalog.
 */
#ifndef SERVER_MANAGE_MAINTENANCE_H
#define SERVER_MANAGE_MAINTENANCE_H

#include "admin/iam/audit_log.h"
#include "admin/iam/iam.h"
#include "catalog/maintain/maintain.h"
#include "server/http/http.h"

struct maintenance_options {
    struct store *store;
    const struct iam *iam;
    struct maintain *maintain;
    struct audit_log *audit;
    bool audit_reads;
};

struct maintenance;
struct err maintenance_new(const struct maintenance_options *options, struct maintenance **ret); /* options are copied, what they point to outlives it */
struct maintenance *maintenance_free(struct maintenance *m); /* NULL is fine; returns NULL */

/* Is it a request of these? Then it is to be handed over to maintenance_app. */
bool maintenance_is_meant(const struct http_request *req);
const struct http_app *maintenance_app(struct maintenance *m);

#endif
