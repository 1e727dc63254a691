/*
 * backup_edge.c - asking a running server for a backup.
 *
 *   head   method, token, root
 *   data   the body, of a POST
 *   end    begin one, or say how the last one stands; nothing here waits
 */
#include "server/manage/backup_edge.h"

#include <stdlib.h>

#include "server/api/api.h"
#include "server/api/api_audit.h"
#include "server/api/api_caller.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

#define PATH "/api/firn/v1/backup"

struct backup_edge {
    const struct iam *iam;
    struct backup_job *job;
    struct audit_log *audit;
    struct http_app app;
};

struct request {
    struct backup_edge *edge;
    struct buf text;
    struct actor actor;
    struct str directory; /* in the arena */
};

bool backup_edge_is_meant(const struct http_request *req)
{
    return str_is(req->raw_path, PATH);
}

/* What is particular here; all else as everywhere. */
static void answer_error(struct http_request *http, struct err e)
{
    if (e.code == ERR_DENIED)
        api_answer_error_as(http, 403, "ForbiddenException", STR("Only root may make backups"));
    else if (e.code == ERR_BUSY) api_answer_error_as(http, 409, "ConflictException", str_from_z(e.why));
    else api_answer_error(http, e);
}

/* ---- the request ---- */

static struct err head(struct http_request *http, struct request *req)
{
    struct caller caller = { 0 };

    TRY(api_authenticate(req->edge->iam, http, &caller, &req->actor));
    if (!caller.principal || !principal_is_root(caller.principal))
        return FAIL(ERR_DENIED, "backups are root's alone");
    if (http->method != HTTP_GET && http->method != HTTP_POST)
        return FAIL(ERR_METHOD_NOT_ALLOWED, "this path takes GET and POST");
    if (http->has_content_length && http->content_length > LIMIT_MAINTENANCE_BODY)
        return FAIL(ERR_TOO_LARGE, "the request body is too large");
    return OK;
}

static void request_done(void *arg)
{
    buf_done(&((struct request *)arg)->text);
}

static void on_head(struct http_request *http)
{
    struct request *req = arena_new_of(http->arena, struct request);

    if (!req || !arena_defer(http->arena, request_done, req)) {
        http_answer(http, 503, STR(""));
        return;
    }
    req->edge = http_context(http);
    req->actor = api_actor_new(http);
    buf_init(&req->text, LIMIT_MAINTENANCE_BODY);
    http->state = req;
    http_set(http, "Cache-Control", STR("no-store"));
    const struct err e = head(http, req);
    if (e.code != ERR_OK) answer_error(http, e);
}

static void on_data(struct http_request *http, struct str piece)
{
    struct request *req = http->state;

    buf_str(&req->text, piece);
    const struct err e = buf_err(&req->text);
    if (e.code != ERR_OK) answer_error(http, e);
}

static struct err begin(struct request *req, struct arena *arena)
{
    CLEANUP(json_freep) json_t *body = NULL;
    struct str directory;

    TRY(json_parse(buf_view(&req->text), &body));
    if (!json_is_object(body)) return FAIL(ERR_INVALID, "the request body must be a JSON object");
    if (json_object_size(body) > 1) return FAIL(ERR_INVALID, "the only field is 'directory'");
    TRY(json_need_str(body, "directory", &directory));
    req->directory = arena_str(arena, directory);
    return backup_job_start(req->edge->job, directory);
}

static void on_end(struct http_request *http)
{
    struct request *req = http->state;
    const bool is_post = http->method == HTTP_POST;
    const struct err e = is_post ? begin(req, http->arena) : OK;

    if (e.code != ERR_OK) {
        answer_error(http, e);
        return;
    }
    api_answer_json(http, is_post ? 202 : 200, backup_job_status(req->edge->job));
}

/* Who had the whole store copied, and where to, or was refused it. Asking how it stands is no read of data. */
static void on_done(struct http_request *http)
{
    const struct request *req = http->state;

    if (!req) return;
    api_audit(req->edge->audit, http,
              &(struct api_audited){ .who = &req->actor,
                                     .operation = http->method == HTTP_POST ? "MakeBackup" : "BackupStatus",
                                     .object = req->directory,
                                     .is_act = http->method == HTTP_POST });
    LOG_DEBUG("backup request", STRF("id", http->id), I64("status", http_status(http)));
}

/* ---- the edge ---- */

struct err backup_edge_new(const struct iam *iam, struct backup_job *job, struct audit_log *audit,
                           struct backup_edge **ret)
{
    struct backup_edge *edge = calloc(1, sizeof(*edge));

    if (!edge) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    edge->iam = iam;
    edge->job = job;
    edge->audit = audit;
    edge->app = (struct http_app){
        .context = edge,
        .head = on_head,
        .data = on_data,
        .end = on_end,
        .done = on_done,
        .name = "backup",
    };
    *ret = edge;
    return OK;
}

struct backup_edge *backup_edge_free(struct backup_edge *edge)
{
    free(edge);
    return NULL;
}

const struct http_app *backup_edge_app(struct backup_edge *edge)
{
    return &edge->app;
}
