/*
 * front.h - what stands before the APIs on every port: health, readiness, metrics, and which API a path belongs to.
 *
 * /health        200 while the process runs                       no credentials, says nothing more
 * /health/ready  200 when requests will be served, else 503       the same
 * /minio/health/live, /minio/health/ready, /minio/health/cluster: the same, for healthchecks that were written for MinIO
 * /metrics       Prometheus text, only when the setting is on
 * /q/health, /q/health/ready, /q/health/live, /api/management/v1/health: as Quarkus and Polaris clients ask, on the catalog's port
 * /cluster/status and / on a status port (setting status-address): product name and ready or not
 * GET /api/firn/v1/status: for `firn status`; needs a bearer token with PERM_SERVER_STATUS
 * /api/management/v1/...: the management API (manage.h), on the catalog's port
 * /api/firn/v1/backup: backup_edge.h
 * Everything else goes to the port's API.
 */
#ifndef SERVER_MANAGE_FRONT_H
#define SERVER_MANAGE_FRONT_H

#include "admin/iam/iam.h"
#include "server/http/http.h"
#include "storage/object/object.h"

struct backup_edge;
struct maintenance;

struct front_options {
    const struct http_app *api;  /* what serves the rest; NULL: a status port */
    const struct http_app *management; /* what serves /api/management/v1 below it; NULL: nothing */
    bool is_waiting;             /* there is no API yet, no iam, and of the store only meta: the rest is answered 503 */
    bool is_catalog;             /* the catalog's own health routes too */
    bool has_metrics;
    const struct iam *iam;
    struct store *store;
    struct maintenance *maintenance; /* maintenance by hand, on the catalog's port; NULL: not there */
    struct backup_edge *backup;      /* backups of the running store, on the catalog's port; NULL: not there */
    struct str data_dir;
};

struct front;
struct err front_new(const struct front_options *options, struct front **ret);
struct front *front_free(struct front *f);
const struct http_app *front_app(struct front *f);

/* Not ready from now on (a stop has begun). All fronts of the process. */
void front_begin_stop(void);

#endif
