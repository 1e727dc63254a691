/*
 * front.c - health, readiness, metrics and status: what every port answers before its API is asked.
 *
 * A request that is not for one of the routes below is handed over (http_hand_over) to the port's API, whose app then sees it as
 * if the front had not been there.
 */
#include "server/manage/front.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "admin/iam/access.h"
#include "server/api/api.h"
#include "server/auth/bearer.h"
#include "server/http/op_metrics.h"
#include "server/manage/backup_edge.h"
#include "server/manage/gauges.h"
#include "server/manage/maintenance.h"
#include "server/manage/manage.h"
#include "server/manage/status.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"

struct front {
    struct front_options options;
    struct http_app app;
};

static atomic_bool is_stopping;

void front_begin_stop(void)
{
    atomic_store(&is_stopping, true);
}

static bool is_ready(const struct front *f)
{
    struct meta_status status;

    if (atomic_load(&is_stopping)) return false;
    meta_status(f->options.store->meta, &status);
    return status.is_writable;
}

/* ---- the routes ---- */

static void answer_text(struct http_request *req, int status, const char *type, struct str body)
{
    http_set(req, "Content-Type", str_from_z(type));
    http_set(req, "Cache-Control", STR("no-store"));
    http_answer(req, status, body);
}

static void answer_health(struct front *f, struct http_request *req)
{
    (void)f;
    answer_text(req, 200, "application/json", STR("{\"status\":\"UP\"}"));
}

/* It serves, but a broken LMDB could not be repaired. */
static bool has_lost_copy(const struct front *f)
{
    struct meta_status status;

    meta_status(f->options.store->meta, &status);
    return status.copy.state && str_is(str_from_z(status.copy.state), "given up");
}

static void answer_ready(struct front *f, struct http_request *req)
{
    const bool ready = is_ready(f);

    if (!ready) http_set(req, "Retry-After", STR("1"));
    if (ready && has_lost_copy(f)) {
        answer_text(req, 200, "application/json", STR("{\"status\":\"UP\",\"copy\":\"given up\"}"));
        return;
    }
    answer_text(req, ready ? 200 : 503, "application/json",
                ready ? STR("{\"status\":\"UP\"}") : STR("{\"status\":\"DOWN\"}"));
}

/* Seed 003's checklist and SeaweedFS' healthcheck look here: product name and whether it is ready, nothing else. */
static void answer_cluster(struct front *f, struct http_request *req)
{
    const bool ready = is_ready(f);

    answer_text(req, ready ? 200 : 503, "application/json",
                ready ? STR("{\"product\":\"Firn\",\"ready\":true}")
                      : STR("{\"product\":\"Firn\",\"ready\":false}"));
}

static void answer_metrics(struct front *f, struct http_request *req)
{
    struct buf out;

    gauges_refresh(f->options.store);
    buf_init(&out, 1 * MIB);
    metrics_print(&out);
    op_metrics_print(&out);
    const struct str text = arena_str(req->arena, buf_view(&out));
    buf_done(&out);
    answer_text(req, text.data ? 200 : 503, "text/plain; version=0.0.4", text);
}

static void answer_status(struct front *f, struct http_request *req)
{
    struct caller caller = { 0 };
    struct str body = STR_NONE;
    struct err e = bearer_verify(f->options.iam, req, &caller);

    if (e.code == ERR_UNAVAILABLE || e.code == ERR_BUSY || e.code == ERR_NO_MEMORY) {
        api_answer_error(req, e); /* who it is cannot be known now */
        return;
    }
    if (e.code != ERR_OK) {
        http_set(req, "WWW-Authenticate", STR("Bearer"));
        answer_text(
            req, 401, "application/json",
            STR("{\"error\":{\"message\":\"Not authenticated\",\"type\":\"NotAuthorizedException\",\"code\":401}}"));
        return;
    }
    e = access_check(&caller, PERM_SERVER_STATUS, STR_NONE, STR_NONE);
    if (e.code != ERR_OK) {
        answer_text(
            req, 403, "application/json",
            STR("{\"error\":{\"message\":\"Not allowed\",\"type\":\"ForbiddenException\",\"code\":403}}"));
        return;
    }
    e = status_print(f->options.store, f->options.data_dir, req->arena, &body);
    answer_text(req, e.code == ERR_OK ? 200 : 503, "application/json", body);
}

static void answer_waiting(struct http_request *req)
{
    http_set(req, "Retry-After", STR("1"));
    answer_text(req, 503, "text/plain", STR("starting: the store's rows cannot be read yet\n"));
}

enum { EVERY_PORT = 1, CATALOG_PORT = 2, STATUS_PORT = 4, METRICS = 8 };

static const struct route {
    const char *path;
    unsigned where;
    void (*answer)(struct front *f, struct http_request *req);
} routes[] = {
    { "/health", EVERY_PORT, answer_health },
    { "/health/ready", EVERY_PORT, answer_ready },
    { "/minio/health/live", EVERY_PORT, answer_health },
    { "/minio/health/ready", EVERY_PORT, answer_ready },
    { "/minio/health/cluster", EVERY_PORT, answer_ready },
    { "/metrics", METRICS, answer_metrics },
    { "/api/management/v1/health", CATALOG_PORT, answer_health },
    { "/q/health", CATALOG_PORT, answer_ready },
    { "/q/health/live", CATALOG_PORT, answer_health },
    { "/q/health/ready", CATALOG_PORT, answer_ready },
    { "/api/firn/v1/status", CATALOG_PORT, answer_status },
    { "/cluster/status", STATUS_PORT, answer_cluster },
    { "/", STATUS_PORT, answer_cluster },
};

static unsigned place_of(const struct front *f)
{
    return EVERY_PORT | (f->options.is_catalog ? CATALOG_PORT : 0) | (f->options.api ? 0 : STATUS_PORT)
        | (f->options.has_metrics ? METRICS : 0);
}

static const struct route *find_route(const struct front *f, const struct http_request *req)
{
    const unsigned place = place_of(f);

    if (req->method != HTTP_GET && req->method != HTTP_HEAD) return NULL;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if ((routes[i].where & place) && str_is(req->raw_path, routes[i].path)) return &routes[i];
    }
    return NULL;
}

/* ---- the app ---- */

static void on_head(struct http_request *req)
{
    struct front *f = http_context(req);
    const struct route *route = find_route(f, req);

    if (f->options.is_waiting && (!route || route->answer == answer_status)) answer_waiting(req);
    else if (route) route->answer(f, req);
    else if (f->options.maintenance && maintenance_is_meant(req))
        http_hand_over(req, maintenance_app(f->options.maintenance));
    else if (f->options.management && str_starts(req->raw_path, STR(MANAGE_BASE "/")))
        http_hand_over(req, f->options.management);
    else if (f->options.backup && backup_edge_is_meant(req))
        http_hand_over(req, backup_edge_app(f->options.backup));
    else if (f->options.api) http_hand_over(req, f->options.api);
    else answer_text(req, 404, "text/plain", STR("not found\n"));
}

static void on_data(struct http_request *req, struct str piece)
{
    (void)req, (void)piece;
}

static void on_end(struct http_request *req)
{
    (void)req;
}

struct err front_new(const struct front_options *options, struct front **ret)
{
    struct front *f = calloc(1, sizeof(*f));

    if (!f) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    f->options = *options;
    f->app = (struct http_app){
        .context = f, .head = on_head, .data = on_data, .end = on_end, .done = on_end, .name = "front"
    };
    if (options->api) f->app.arena_max = options->api->arena_max;
    *ret = f;
    return OK;
}

struct front *front_free(struct front *f)
{
    free(f);
    return NULL;
}

const struct http_app *front_app(struct front *f)
{
    return &f->app;
}
