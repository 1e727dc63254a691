/*
 * s3_dispatch.c - what happens to every S3 request, whatever its operation.
 *
 *   head   which bucket and key -> which row -> who signed it -> may they -> the row's own check -> where the body goes
 *   data   to s3_body.c
 *   end    the body is right -> row->run, here or on a worker (OP_WORKER)
 *   done   one log line, one metric; a body that was not published is thrown away
 *
 * Whatever fails on the way is answered here, once, by s3_answer_error. All decisions of `head` come before "100 Continue".
 */
#include "server/s3/s3.h"

#include <stdlib.h>
#include <string.h>

#include "server/http/op_metrics.h"
#include "server/s3/s3_body.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"

struct s3 {
    struct s3_options options;
    struct http_app app;
    struct op_metrics *metrics;
};

static struct s3_request *request_of(struct http_request *http)
{
    return http->state;
}

/* ---- which bucket, which key ---- */

static bool is_ip(struct str host)
{
    bool has_letter = false;

    for (size_t i = 0; i < host.len; i++) {
        const char c = host.data[i];
        if (c == ':') return true; /* IPv6: the port has been cut off */
        if ((c < '0' || c > '9') && c != '.') has_letter = true;
    }
    return !has_letter;
}

static struct str host_name(struct str host)
{
    if (host.len && host.data[0] == '[') return str_slice(host, 1, str_find_char(host, ']'));
    return str_slice(host, 0, str_find_char(host, ':'));
}

/* BUCKET.DOMAIN for the configured domain, and BUCKET.localhost, BUCKET.s3.localhost for trying things out. */
static struct str virtual_bucket(const struct s3_options *o, struct str host)
{
    const struct str name = host_name(host);
    const struct str domains[] = { o->domain, STR("s3.localhost"), STR("localhost") };

    if (is_ip(name)) return STR_NONE;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        const struct str d = domains[i];
        if (d.len == 0 || str_eq_nocase(name, d)) continue;
        if (name.len <= d.len + 1 || name.data[name.len - d.len - 1] != '.') continue;
        if (str_eq_nocase(str_from(name, name.len - d.len), d))
            return str_slice(name, 0, name.len - d.len - 1);
    }
    return STR_NONE;
}

/* Cut first, decode then: an encoded slash in a bucket's name stays in it, and makes it invalid. */
static struct err find_names(struct s3_request *req)
{
    const struct str raw = req->http->raw_path;
    struct str bucket = STR_NONE, rest = str_from(raw, 1);

    if (raw.len == 0 || raw.data[0] != '/') return FAIL(ERR_INVALID_URI, err_text(ERR_INVALID_URI));
    req->bucket = req->virtual_bucket = virtual_bucket(req->options, req->http->host);
    if (!req->bucket.data) {
        rest = str_cut(rest, '/', &bucket);
        req->bucket = percent_str(req->arena, bucket, false);
    }
    req->key = percent_str(req->arena, rest, false);
    if (!req->bucket.data || !req->key.data) return FAIL(ERR_INVALID_URI, err_text(ERR_INVALID_URI));
    req->level = req->key.len ? LEVEL_OBJECT : req->bucket.len ? LEVEL_BUCKET : LEVEL_ROOT;
    return OK;
}

static struct err check_names(const struct s3_request *req)
{
    if (req->level >= LEVEL_BUCKET) TRY(bucket_name_check(req->bucket));
    if (req->level >= LEVEL_OBJECT) TRY(object_key_check(req->key));
    return OK;
}

/* ---- the head ---- */

static struct err find_operation(struct s3_request *req)
{
    if (req->http->is_query_bad) return FAIL(ERR_INVALID_URI, err_text(ERR_INVALID_URI));
    req->op = s3_op_find(req);
    if (!req->op) return FAIL(ERR_METHOD_NOT_ALLOWED, err_text(ERR_METHOD_NOT_ALLOWED));
    return OK;
}

static struct err authenticate(struct s3_request *req)
{
    const struct s3_auth_options o = {
        .iam = req->options->iam,
        .region = req->options->region,
        .external_hosts = req->options->external_hosts,
        .virtual_bucket = req->virtual_bucket,
    };
    return s3_auth_verify(&o, req->http, &req->auth);
}

struct err s3_allow(const struct s3_request *req, enum permission what, struct str bucket, struct str key)
{
    const struct s3_resource on = { .meta = req->options->store->meta, .bucket = bucket, .key = key };
    return rights_check_s3(&req->auth.caller, what, &on, req->arena);
}

/* For a listing the prefix stands for the key: a key that opens one table's files lists that table's files. What DeleteObjects deletes is known only
 * from its body: here a stranger to the bucket is refused, unless roles may open tables in it, and the handler asks for each key. */
static struct err authorize(const struct s3_request *req)
{
    struct str key = req->key;

    if (req->op->flags & OP_PER_KEY)
        return access_sees_bucket(&req->auth.caller, req->bucket) || req->auth.caller.role_count
            ? OK
            : FAIL(ERR_DENIED, "no right to anything in this bucket");
    if (req->level == LEVEL_BUCKET && req->op->permission == PERM_LIST) key = http_query(req->http, "prefix");
    return s3_allow(req, req->op->permission, req->bucket, key);
}

static struct err head(struct s3_request *req)
{
    TRY(find_names(req));
    TRY(authenticate(req));
    TRY(find_operation(req));
    TRY(check_names(req));
    TRY(authorize(req));
    if (req->op->flags & OP_NOT_SERVED) return s3_not_implemented(req);
    if (req->level == LEVEL_OBJECT) TRY(s3_version_check(http_query(req->http, "versionId")));
    if (req->op->check) TRY(req->op->check(req));
    return s3_body_begin(req);
}

static void on_head(struct http_request *http)
{
    struct s3 *s = http_context(http);
    struct s3_request *req = arena_new_of(http->arena, struct s3_request);

    METRIC_ADD(s3_requests, 1);
    if (!req) {
        http_answer(http, 503, STR(""));
        return;
    }
    *req = (struct s3_request){ .s3 = s, .options = &s->options, .http = http, .arena = http->arena };
    http->state = req;
    http_set(http, "Server", STR("Firn"));
    http_set(http, "x-amz-request-id", str_from_z(http->id));
    http_set(http, "x-amz-id-2", str_from_z(http->id));
    const struct err e = head(req);
    if (e.code != ERR_OK) s3_answer_error(req, e);
}

/* ---- the body and the run ---- */

static void on_data(struct http_request *http, struct str piece)
{
    struct s3_request *req = request_of(http);
    const struct err e = s3_body_data(req, piece);

    if (e.code != ERR_OK) s3_answer_error(req, e);
}

static void after_worker(struct s3_request *req)
{
    if (!http_is_answered(req->http))
        s3_answer_error(
            req, req->outcome.code != ERR_OK ? req->outcome : FAIL(ERR_INTERNAL, "no answer was made"));
}

static struct err run(struct s3_request *req)
{
    TRY(s3_body_end(req));
    if (req->op->flags & OP_WORKER) return s3_offload(req, req->op->run, after_worker);
    return req->op->run(req);
}

static void on_end(struct http_request *http)
{
    struct s3_request *req = request_of(http);
    const struct err e = run(req);

    if (e.code != ERR_OK) s3_answer_error(req, e);
}

static void log_request(const struct s3_request *req)
{
    const int status = http_status(req->http);
    const enum log_level level = status >= 500 && status != 501 && status != 503 ? LOG_LEVEL_WARN
                                                                                 : LOG_LEVEL_DEBUG;

    LOG_AT(
        level, "s3 request", STRF("id", req->http->id),
        STRF("operation", req->op ? req->op->name : "unknown"), STRV("bucket", req->bucket),
        STRV("key", req->key),
        STRV("principal", req->auth.caller.principal ? principal_name(req->auth.caller.principal) : STR("-")),
        STRV("peer", req->http->peer), I64("status", status),
        U64("us", (clock_mono_ns() - req->http->start_ns) / 1000),
        STRF("why", req->failure[0] ? req->failure : NULL));
}

/* Whose key was claimed. An unknown one is not kept: it is any text, perhaps a secret that was put in the wrong place, or the name of somebody else. */
static struct str claimed_by(const struct s3_request *req)
{
    const struct directory *d;
    struct secrets secrets;
    const struct principal *p = iam_directory(req->options->iam, req->arena, &d).code == ERR_OK
        ? directory_find_key(d, req->auth.access_key, &secrets)
        : NULL;

    return p ? principal_name(p) : STR("-");
}

/* Who was refused, and on what: the principal, or whose key was claimed. Strangers without a key leave nothing; what succeeded leaves nothing either. */
static void audit_refusal(const struct s3_request *req)
{
    const struct caller *who = &req->auth.caller;
    const int status = http_status(req->http);

    if ((status != 401 && status != 403) || (!who->principal && !req->auth.access_key.len)) return;
    audit_log_add(
        req->options->audit,
        &(struct audit_event){
            .who = { .principal = who->principal ? principal_name(who->principal) : claimed_by(req),
                     .request_id = str_from_z(req->http->id),
                     .address = req->http->peer,
                     .roles = caller_roles(who, req->arena) },
            .operation = str_from_z(req->op ? req->op->name : "unknown"),
            .object = arena_printf(req->arena, "%.*s/%.*s", STR_ARG(req->bucket), STR_ARG(req->key)),
            .outcome = STR("denied"),
            .status = status,
        });
}

static void on_done(struct http_request *http)
{
    struct s3_request *req = request_of(http);

    if (!req) return;
    size_t count;
    log_request(req);
    audit_refusal(req);
    op_metrics_count(req->s3->metrics, req->op ? (size_t)(req->op - s3_ops(&count)) : SIZE_MAX, http);
    req->writer = body_writer_free(req->writer);
}

/* ---- waiting ---- */

static void outcome_set(struct s3_request *req, struct err e)
{
    req->outcome = e.code == ERR_OK ? OK : err_keep(e, req->why, sizeof(req->why));
}

static void resumed(struct http_request *http)
{
    struct s3_request *req = request_of(http);
    if (!s3_guard_waits(req)) req->then(req);
}

static void committed(void *arg, struct err e)
{
    struct s3_request *req = arg;

    outcome_set(req, e);
    http_wake(req->http);
}

/* The engine has one argument for the transaction and for done; they want different ones. */
static struct err run_work(struct txn *txn, void *arg)
{
    struct s3_request *req = arg;
    return req->work_fn(txn, req->work_arg);
}

struct err s3_commit(struct s3_request *req, txn_fn *fn, void *arg, bool is_freeing,
                     void (*then)(struct s3_request *req))
{
    req->then = then;
    req->work_fn = fn;
    req->work_arg = arg;
    req->work = (struct meta_work){ .fn = run_work, .done = committed, .arg = req, .is_freeing = is_freeing };
    http_wait(req->http, resumed);
    meta_submit(req->options->store->meta, &req->work);
    return OK;
}

static void commit_after_body(struct s3_request *req)
{
    if (req->outcome.code != ERR_OK) req->after(req);
    else err_ignore(s3_commit(req, req->work_fn, req->work_arg, false, req->after));
}

struct err s3_commit_body(struct s3_request *req, txn_fn *fn, void *arg, void (*then)(struct s3_request *req))
{
    if (body_writer_is_small(req->writer)) return s3_commit(req, fn, arg, false, then);
    req->work_fn = fn;
    req->work_arg = arg;
    req->after = then;
    req->then = commit_after_body;
    http_wait(req->http, resumed);
    body_writer_finish(req->writer, committed, req);
    return OK;
}

static void work(struct http_request *http)
{
    struct s3_request *req = request_of(http);
    outcome_set(req, req->job(req));
}

struct err s3_offload(struct s3_request *req, struct err (*job)(struct s3_request *req),
                      void (*then)(struct s3_request *req))
{
    req->job = job;
    req->then = then;
    return http_offload(req->http, work, resumed);
}

/* ---- answers ---- */

void s3_answer_xml(struct s3_request *req, int status, struct str document)
{
    http_set(req->http, "Content-Type", STR("application/xml"));
    http_answer(req->http, status, document);
}

void s3_answer_empty(struct s3_request *req, int status)
{
    http_answer(req->http, status, STR(""));
}

struct err s3_not_implemented(struct s3_request *req)
{
    return err_fail(ERR_UNSUPPORTED,
                    "A header or query you provided requests functionality that is not implemented: %s.",
                    req->op->name);
}

/* ---- the edge ---- */

static const char *op_name(size_t i)
{
    size_t count;
    return s3_ops(&count)[i].name;
}

struct err s3_new(const struct s3_options *options, struct s3 **ret)
{
    TRY(s3_ops_check());
    struct s3 *s = calloc(1, sizeof(*s));
    if (!s) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    s->options = *options;
    s->app = (struct http_app){
        .context = s, .head = on_head, .data = on_data, .end = on_end, .done = on_done, .name = "s3"
    };
    size_t count;
    (void)s3_ops(&count);
    const struct err e = op_metrics_new("s3", count, op_name, &s->metrics);
    if (e.code != ERR_OK) s = s3_free(s);
    else *ret = s;
    return e;
}

struct s3 *s3_free(struct s3 *s)
{
    if (s) op_metrics_free(s->metrics);
    free(s);
    return NULL;
}

const struct http_app *s3_app(struct s3 *s)
{
    return &s->app;
}
