/*
 * manage_dispatch.c - what happens to every request of the management API.
 *
 *   head   the row -> the token -> is there a body, and how long
 *   data   collected, at most LIMIT_MANAGE_BODY
 *   end    on a worker: may they -> parsed -> row->run, which waits for a flush
 *   done   one log line, and counted
 *
 * A catalog that one may not see answers as if it did not exist. About principals and roles nobody is asked who may not: the refusal does not depend on what is there.
 */
#include "server/manage/manage_ops.h"

#include <stdlib.h>

#include "server/api/api_audit.h"
#include "server/api/api_caller.h"
#include "server/http/op_metrics.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

struct manage {
    struct manage_options options;
    struct http_app app;
    struct op_metrics *metrics;
};

static struct manage_request *request_of(struct http_request *http)
{
    return http->state;
}

static void answer_error(struct manage_request *req, struct err e)
{
    err_ignore(err_keep(e, req->why, sizeof(req->why)));
    api_answer_error(req->http, e);
}

/* ---- the head ---- */

static struct err authenticate(struct manage_request *req)
{
    req->actor.catalog = req->catalog;
    return api_authenticate(req->iam.iam, req->http, &req->caller, &req->actor);
}

static struct err head(struct manage_request *req)
{
    TRY(manage_op_find(req));
    TRY(authenticate(req));
    if (!(req->op->flags & (MANAGE_JSON | MANAGE_JSON_OPTIONAL))) return OK;
    return api_body_begin(req->http, LIMIT_MANAGE_BODY, &req->text);
}

static struct manage_request *request_new(struct http_request *http)
{
    struct manage_request *req = arena_new_of(http->arena, struct manage_request);
    const struct manage *m = http_context(http);

    if (!req) return NULL;
    *req = (struct manage_request){ .http = http, .arena = http->arena, .store = m->options.store };
    req->actor = api_actor_new(http);
    req->iam = (struct iam_call){
        .store = m->options.store, .iam = m->options.iam, .who = &req->actor, .arena = http->arena
    };
    return req;
}

static void on_head(struct http_request *http)
{
    struct manage_request *req = request_new(http);

    METRIC_ADD(management_requests, 1);
    if (!req) {
        http_answer(http, 503, STR(""));
        return;
    }
    http->state = req;
    http_set(http, "X-Request-ID", str_from_z(http->id));
    http_set(http, "Cache-Control", STR("no-store"));
    const struct err e = head(req);
    if (e.code != ERR_OK) answer_error(req, e);
}

static void on_data(struct http_request *http, struct str piece)
{
    struct manage_request *req = request_of(http);

    if (!req->text) return;
    buf_str(req->text, piece);
    const struct err e = buf_err(req->text);
    if (e.code != ERR_OK) answer_error(req, e);
}

/* ---- may they? ---- */

static struct err no_catalog(const struct manage_request *req)
{
    return err_fail(ERR_NOT_FOUND, "Catalog not found: %.*s", STR_ARG(req->catalog));
}

static struct err find_catalog(struct manage_request *req)
{
    const struct securable_name name = { .catalog = req->catalog };
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(req->store->meta, &view));
    return securable_find(view, &name, req->arena, &req->path);
}

static struct err check_row(const struct manage_request *req, const struct securable_path *on)
{
    if (req->op->privilege != PRIV_NONE) TRY(rights_check(&req->caller, req->op->privilege, on));
    return req->op->also == PRIV_NONE ? OK : rights_check(&req->caller, req->op->also, on);
}

static struct err check_on_catalog(struct manage_request *req)
{
    TRY(find_catalog(req));
    const struct err e = req->op->target == WANTED_BY_HANDLER ? OK : check_row(req, &req->path);
    if (rights_see_catalog(&req->caller, &req->path)) return e;
    return e.code == ERR_OK && req->op->target != WANTED_BY_HANDLER ? OK : no_catalog(req);
}

static bool is_self(const struct manage_request *req)
{
    const struct caller *who = &req->caller;

    return who->principal && !who->is_anonymous && !who->scope
        && str_eq(principal_name(who->principal), req->principal);
}

static struct err authorize(struct manage_request *req)
{
    switch (req->op->target) {
    case WANTED_ON_SERVICE: return check_row(req, NULL);
    case WANTED_BUT_OF_SELF: return is_self(req) ? OK : check_row(req, NULL);
    case WANTED_ON_CATALOG: return check_on_catalog(req);
    case WANTED_BY_HANDLER: return req->catalog.len ? check_on_catalog(req) : OK;
    }
    return FAIL(ERR_INTERNAL, "an operation's row is wrong");
}

/* ---- run ---- */

static struct err parse_body(struct manage_request *req)
{
    json_t *body = NULL;

    if (!req->text) return OK;
    if (req->op->flags & MANAGE_JSON_OPTIONAL && req->text->len == 0) return OK;
    TRY(api_body_parse(req->http, req->text, &body));
    req->body = body;
    return OK;
}

static struct err run(struct manage_request *req)
{
    TRY(authorize(req));
    TRY(parse_body(req));
    return req->op->run(req);
}

/* On a worker. */
static void work(struct http_request *http)
{
    struct manage_request *req = request_of(http);
    struct err e = run(req);

    if (e.code == ERR_NO_SUCH_WAREHOUSE) e = no_catalog(req);
    req->outcome = e.code == ERR_OK ? OK : err_keep(e, req->why, sizeof(req->why));
}

static void after_work(struct http_request *http)
{
    struct manage_request *req = request_of(http);

    if (!http_is_answered(http))
        answer_error(req,
                     req->outcome.code != ERR_OK ? req->outcome : FAIL(ERR_INTERNAL, "no answer was made"));
}

static void on_end(struct http_request *http)
{
    const struct err e = http_offload(http, work, after_work);

    if (e.code != ERR_OK) answer_error(request_of(http), e);
}

/* What the path names last: a role before who has it. */
static struct str object_of(const struct manage_request *req)
{
    const struct str names[] = { req->catalog_role, req->principal_role, req->principal };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].len) return names[i];
    }
    return STR_NONE;
}

static void on_done(struct http_request *http)
{
    const struct manage_request *req = request_of(http);
    const struct manage *m = http_context(http);

    if (!req) return;
    api_audit(m->options.audit, http,
              &(struct api_audited){ .who = &req->actor,
                                     .operation = req->op ? req->op->name : NULL,
                                     .object = object_of(req),
                                     .has_reads = m->options.audit_reads });
    size_t count;
    op_metrics_count(m->metrics, req->op ? (size_t)(req->op - manage_ops(&count)) : SIZE_MAX, http);
    const int status = http_status(http);
    const enum log_level level = status >= 500 && status != 503 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    LOG_AT(level, "management request", STRF("id", http->id),
           STRF("operation", req->op ? req->op->name : "unknown"), STRV("path", http->raw_path),
           STRV("principal", req->actor.principal), STRV("peer", http->peer), I64("status", status),
           U64("us", (clock_mono_ns() - http->start_ns) / 1000), STRF("why", req->why[0] ? req->why : NULL));
}

/* ---- the edge ---- */

static const char *op_name(size_t i)
{
    size_t count;
    return manage_ops(&count)[i].name;
}

struct err manage_new(const struct manage_options *options, struct manage **ret)
{
    struct manage *m = calloc(1, sizeof(*m));

    if (!m) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *m = (struct manage){ .options = *options };
    m->app = (struct http_app){
        .context = m,
        .head = on_head,
        .data = on_data,
        .end = on_end,
        .done = on_done,
        .name = "management",
        .arena_max = LIMIT_REST_ARENA,
    };
    size_t count;
    (void)manage_ops(&count);
    const struct err e = op_metrics_new("management", count, op_name, &m->metrics);
    if (e.code != ERR_OK) m = manage_free(m);
    else *ret = m;
    return e;
}

struct manage *manage_free(struct manage *m)
{
    if (m) op_metrics_free(m->metrics);
    free(m);
    return NULL;
}

const struct http_app *manage_app(struct manage *m)
{
    return &m->app;
}
