/*
 * rest_dispatch.c - what happens to every request of the Iceberg REST catalog.
 *
 *   head   the row -> the token -> is there a body, and how long
 *   data   collected, at most LIMIT_REST_BODY
 *   end    on a worker, since rows may be far, commits wait for a flush and large tables are parsed: may they -> the body, parsed -> row->run
 *   done   one log line, one metric
 *
 * All decisions of `head` come before "100 Continue".
 */
#include "server/iceberg/rest.h"

#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/api_audit.h"
#include "server/api/api_caller.h"
#include "server/http/op_metrics.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"

struct iceberg {
    struct iceberg_options options;
    struct http_app app;
    struct op_metrics *metrics;
};

static struct rest_request *request_of(struct http_request *http)
{
    return http->state;
}

/* ---- the head ---- */

static struct err authenticate(struct rest_request *req)
{
    req->actor.catalog = req->prefix;
    if (req->op->flags & REST_PUBLIC) return OK;
    return api_authenticate(req->options->iam, req->http, &req->caller, &req->actor);
}

static struct err body_begin(struct rest_request *req)
{
    if (!(req->op->flags & (REST_JSON | REST_FORM))) return OK;
    return api_body_begin(req->http, LIMIT_REST_BODY, &req->text);
}

static struct err head(struct rest_request *req)
{
    TRY(rest_op_find(req, req->http));
    TRY(authenticate(req));
    return body_begin(req);
}

static struct rest_request *request_new(struct http_request *http)
{
    struct rest_request *req = arena_new_of(http->arena, struct rest_request);
    const struct iceberg *i = http_context(http);

    if (req) *req = (struct rest_request){ .http = http, .arena = http->arena, .options = &i->options };
    if (req) req->actor = api_actor_new(http);
    return req;
}

static void on_head(struct http_request *http)
{
    struct rest_request *req = request_new(http);

    METRIC_ADD(catalog_requests, 1);
    if (!req) {
        http_answer(http, 503, STR(""));
        return;
    }
    http->state = req;
    http_set(http, "X-Request-ID", str_from_z(http->id));
    const struct err e = head(req);
    if (e.code != ERR_OK) rest_answer_error(req, e);
}

/* ---- body and run ---- */

static void on_data(struct http_request *http, struct str piece)
{
    struct rest_request *req = request_of(http);

    if (!req->text) return;
    buf_str(req->text, piece);
    const struct err e = buf_err(req->text);
    if (e.code != ERR_OK) rest_answer_error(req, e);
}

/* On a worker. */
static void work(struct http_request *http)
{
    struct rest_request *req = request_of(http);
    struct err e = rest_authorize(req);

    if (e.code == ERR_OK && req->op->flags & REST_JSON) e = api_body_parse(http, req->text, &req->body);
    if (e.code == ERR_OK) e = req->op->run(req);
    req->outcome = e.code == ERR_OK ? OK : err_keep(e, req->why, sizeof(req->why));
}

static void after_work(struct http_request *http)
{
    struct rest_request *req = request_of(http);

    if (!http_is_answered(http))
        rest_answer_error(
            req, req->outcome.code != ERR_OK ? req->outcome : FAIL(ERR_INTERNAL, "no answer was made"));
}

static void on_end(struct http_request *http)
{
    const struct err e = http_offload(http, work, after_work);

    if (e.code != ERR_OK) rest_answer_error(request_of(http), e);
}

/* What the body names as the answer's table; else what a privilege was wanted on; else what the path names. */
static struct str object_of(const struct rest_request *req)
{
    struct table_ident t = { .ns = req->ns, .name = req->table };

    if (req->asked.ns.count) t = req->asked;
    if (req->subject.name.len) t = req->subject;
    if (t.name.len) return table_ident_print(&t, req->arena);
    return t.ns.count ? ns_path_print(&t.ns, req->arena) : STR_NONE;
}

static void on_done(struct http_request *http)
{
    const struct rest_request *req = request_of(http);

    if (!req) return;
    api_audit(req->options->audit, http,
              &(struct api_audited){ .who = &req->actor,
                                     .operation = req->op ? req->op->name : NULL,
                                     .object = object_of(req),
                                     .has_reads = req->options->audit_reads,
                                     .is_act = req->is_act });
    const struct iceberg *i = http_context(http);
    size_t count;
    op_metrics_count(i->metrics, req->op ? (size_t)(req->op - rest_ops(&count)) : SIZE_MAX, http);
    const int status = http_status(http);
    const enum log_level level = status >= 500 && status != 503 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    LOG_AT(level, "catalog request", STRF("id", http->id),
           STRF("operation", req->op ? req->op->name : "unknown"), STRV("path", http->raw_path),
           STRV("principal", req->actor.principal), STRV("peer", http->peer), I64("status", status),
           U64("us", (clock_mono_ns() - http->start_ns) / 1000), STRF("why", req->why[0] ? req->why : NULL));
}

/* ---- answers ---- */

void rest_answer_text(struct rest_request *req, int status, struct str json)
{
    api_answer_text(req->http, status, json);
}

void rest_answer_json(struct rest_request *req, int status, json_t *value)
{
    api_answer_json(req->http, status, value);
}

void rest_answer_empty(struct rest_request *req, int status)
{
    api_answer_empty(req->http, status);
}

void rest_answer_error(struct rest_request *req, struct err e)
{
    err_ignore(err_keep(e, req->why, sizeof(req->why)));
    api_answer_error(req->http, e);
}

/* ---- the edge ---- */

static const char *op_name(size_t i)
{
    size_t count;
    return rest_ops(&count)[i].name;
}

struct err iceberg_new(const struct iceberg_options *options, struct iceberg **ret)
{
    struct iceberg *i = calloc(1, sizeof(*i));

    if (!i) return no_memory();
    i->options = *options;
    i->app = (struct http_app){
        .context = i,
        .head = on_head,
        .data = on_data,
        .end = on_end,
        .done = on_done,
        .name = "catalog",
        .arena_max = LIMIT_REST_ARENA, /* metadata may be large: an S3 request's ceiling would not do */
    };
    size_t count;
    (void)rest_ops(&count);
    const struct err e = op_metrics_new("catalog", count, op_name, &i->metrics);
    if (e.code != ERR_OK) i = iceberg_free(i);
    else *ret = i;
    return e;
}

struct iceberg *iceberg_free(struct iceberg *i)
{
    if (i) op_metrics_free(i->metrics);
    free(i);
    return NULL;
}

const struct http_app *iceberg_app(struct iceberg *i)
{
    return &i->app;
}
