/*
 * backup_edge.h - backups of the running server, over HTTP, on the catalog's port.
 *
 *   POST /api/firn/v1/backup   {"directory": "/backups/firn"}: begin one; 202, or 409 while one is being made
 *   GET  /api/firn/v1/backup   how the last one stands (backup_job.h)
 *
 * Root only: the directory is one of the server's machine, written with the server's rights. Answers and errors are JSON, errors in the form of the REST catalog.
 */
#ifndef SERVER_MANAGE_BACKUP_EDGE_H
#define SERVER_MANAGE_BACKUP_EDGE_H

#include "admin/iam/audit_log.h"
#include "admin/iam/iam.h"
#include "admin/store/backup_job.h"
#include "server/http/http.h"

struct backup_edge;
struct err backup_edge_new(const struct iam *iam, struct backup_job *job, struct audit_log *audit, struct backup_edge **ret); /* all outlive it */
struct backup_edge *backup_edge_free(struct backup_edge *edge); /* NULL is fine; returns NULL */

/* Is it a request of these? Then it is to be handed over to backup_edge_app. */
bool backup_edge_is_meant(const struct http_request *req);
const struct http_app *backup_edge_app(struct backup_edge *edge);

#endif
