/*
 * maintenance.c - maintenance by hand, over HTTP.
 *
 *   head   which operation, by its row; the token
 *   data   the body, of a POST
 *   end    on a worker: which tables are meant; may they; the row's function, which may read manifests and commit
 */
#include "server/manage/maintenance.h"

#include <stdlib.h>

#include "admin/iam/rights.h"
#include "server/api/api.h"
#include "server/api/api_audit.h"
#include "server/api/api_caller.h"
#include "server/http/op_metrics.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

#define PREFIX "/api/firn/v1/catalogs/"
enum { PARTS = 7, CATALOG_PART = 4, NOUN_PART = 6 }; /* api firn v1 catalogs NAME maintenance NOUN */

struct maintenance {
    struct maintenance_options options;
    struct http_app app;
    struct op_metrics *metrics;
};

struct request {
    struct http_request *http;
    struct maintenance *edge;
    const struct operation *operation;
    struct caller caller;
    struct actor actor;
    struct maintain_scope scope;
    struct buf text;
    json_t *body; /* of a POST, or made of the query */
    json_t *answer;
    struct err outcome;
    char why[512];
};

typedef struct err operation_fn(struct request *req);
static operation_fn run_expire, run_orphans_report, run_orphans, run_status, run_files;

static const struct operation {
    const char *name; /* in metrics and the audit log */
    enum http_method method;
    const char *noun;
    enum privilege privilege; /* on the table, or on the namespace or catalog whose tables are meant */
    operation_fn *run;
} operations[] = {
    { "ExpireSnapshots", HTTP_POST, "expire", PRIV_TABLE_REMOVE_SNAPSHOTS, run_expire },
    { "ReportOrphans", HTTP_GET, "orphans", PRIV_TABLE_READ_DATA, run_orphans_report },
    { "RemoveOrphans", HTTP_POST, "orphans", PRIV_TABLE_WRITE_DATA, run_orphans },
    { "MaintenanceStatus", HTTP_GET, "status", PRIV_TABLE_READ_PROPERTIES, run_status },
    { "ListFiles", HTTP_GET, "files", PRIV_TABLE_READ_DATA,
      run_files }, /* names of data files are told by manifests */
};
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

bool maintenance_is_meant(const struct http_request *req)
{
    return str_starts(req->raw_path, STR(PREFIX));
}

/* ---- the head ---- */

static struct err find_operation(struct request *req)
{
    struct http_path_parts path;
    bool is_known = false;

    TRY(http_split_path(req->http, &path));
    if (path.count != PARTS || !str_is(path.parts[5], "maintenance"))
        return FAIL(ERR_NOT_FOUND, "there is nothing at this path");
    req->scope.catalog = path.parts[CATALOG_PART];
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (!str_is(path.parts[NOUN_PART], operations[i].noun)) continue;
        is_known = true;
        if (operations[i].method == req->http->method) req->operation = &operations[i];
    }
    if (req->operation) return OK;
    return is_known ? FAIL(ERR_METHOD_NOT_ALLOWED, "this path does not take this method")
                    : FAIL(ERR_NOT_FOUND, "there is nothing at this path");
}

static struct err head(struct request *req)
{
    TRY(find_operation(req));
    req->actor.catalog = req->scope.catalog;
    TRY(api_authenticate(req->edge->options.iam, req->http, &req->caller, &req->actor));
    if (req->http->has_content_length && req->http->content_length > LIMIT_MAINTENANCE_BODY)
        return FAIL(ERR_TOO_LARGE, "the request body is too large");
    return OK;
}

static void request_done(void *arg)
{
    struct request *req = arg;

    buf_done(&req->text);
    json_decref(req->body);
    json_decref(req->answer);
}

static void on_head(struct http_request *http)
{
    struct request *req = arena_new_of(http->arena, struct request);

    if (!req || !arena_defer(http->arena, request_done, req)) {
        http_answer(http, 503, STR(""));
        return;
    }
    req->http = http;
    req->edge = http_context(http);
    req->actor = api_actor_new(http);
    buf_init(&req->text, LIMIT_MAINTENANCE_BODY);
    http->state = req;
    http_set(http, "Cache-Control", STR("no-store"));
    const struct err e = head(req);
    if (e.code != ERR_OK) api_answer_error(http, e);
}

static void on_data(struct http_request *http, struct str piece)
{
    struct request *req = http->state;

    buf_str(&req->text, piece);
    const struct err e = buf_err(&req->text);
    if (e.code != ERR_OK) api_answer_error(http, e);
}

/* ---- what is asked ---- */

/* A GET says it in the query: the same members, a namespace as the REST catalog writes one. */
static struct err body_of_query(struct request *req)
{
    const struct str ns = http_query(req->http, "namespace"), table = http_query(req->http, "table"),
                     age = http_query(req->http, "older-than-ms");
    json_t *levels = json_array();
    struct str level;
    int64_t number;

    req->body = json_pack("{s:o}", "namespace", levels);
    if (!req->body) return no_memory();
    for (struct str_split it = str_split_on(ns, 0x1f); ns.len && str_split_next(&it, &level);)
        json_array_append_new(levels, json_of_str(level));
    if (table.len) json_object_set_new(req->body, "table", json_of_str(table));
    if (age.len == 0) return OK;
    if (!str_to_i64(age, &number)) return FAIL(ERR_INVALID, "query 'older-than-ms' must be a number");
    json_object_set_new(req->body, "older-than-ms", json_integer(number));
    return OK;
}

static struct err read_namespace(struct request *req)
{
    json_t *levels = NULL, *level;
    struct ns_path *ns = &req->scope.ns;
    size_t i;

    TRY(json_want_array(req->body, "namespace", &levels));
    json_array_foreach(levels, i, level)
    {
        if (i == NAMESPACE_LEVELS_MAX) return FAIL(ERR_INVALID, "field 'namespace' has too many levels");
        ns->levels[ns->count++] = json_str(level);
    }
    return ns->count ? ns_path_check(ns) : OK;
}

static struct err check_members(const json_t *body)
{
    static const char *const known[] = { "namespace", "table", "older-than-ms", "keep", "dry-run" };
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)body, name, value)
    {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && !str_is(str_from_z(name), known[i])) i++;
        if (i == sizeof(known) / sizeof(known[0])) return err_fail(ERR_INVALID, "unknown field '%s'", name);
    }
    return OK;
}

static struct err read_body(struct request *req)
{
    if (req->http->method == HTTP_GET) TRY(body_of_query(req));
    else TRY(json_parse(req->text.len ? buf_view(&req->text) : STR("{}"), &req->body));
    if (!json_is_object(req->body)) return FAIL(ERR_INVALID, "the request body must be a JSON object");
    TRY(check_members(req->body));
    TRY(read_namespace(req));
    TRY(json_want_str(req->body, "table", &req->scope.table));
    if (req->scope.table.len && req->scope.ns.count == 0)
        return FAIL(ERR_INVALID, "field 'table' needs field 'namespace'");
    return OK;
}

/* -1: not given. */
static struct err read_number(const json_t *body, const char *field, int64_t *ret)
{
    *ret = -1;
    TRY(json_want_i64(body, field, ret));
    if (json_object_get(body, field) && *ret < 0)
        return err_fail(ERR_INVALID, "field '%s' must not be negative", field);
    return OK;
}

/* ---- may they? ---- */

/* What one may not see answers as if it did not exist, as in the REST catalog. */
static struct err not_there(const struct request *req)
{
    const struct maintain_scope *s = &req->scope;
    const struct str ns = ns_path_print(&s->ns, req->http->arena);

    if (s->table.len)
        return err_fail(ERR_NO_SUCH_TABLE, "Table does not exist: %.*s.%.*s", STR_ARG(ns), STR_ARG(s->table));
    if (s->ns.count) return err_fail(ERR_NO_SUCH_NAMESPACE, "Namespace does not exist: %.*s", STR_ARG(ns));
    return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(s->catalog));
}

static struct err authorize(struct request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct securable_name name = { .catalog = req->scope.catalog,
                                         .ns = &req->scope.ns,
                                         .name = req->scope.table };
    const enum privilege seeing = req->scope.table.len ? PRIV_TABLE_LIST : PRIV_NAMESPACE_LIST;
    struct securable_path path, catalog;

    TRY(view_open(req->edge->options.store->meta, &view));
    TRY(securable_find(view, &name, req->http->arena, &path));
    catalog = path;
    catalog.count = 1;
    if (!rights_see_catalog(&req->caller, &catalog))
        return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(req->scope.catalog));
    if (!path.is_whole) return not_there(req);
    const struct err e = rights_check(&req->caller, req->operation->privilege, &path);
    if (e.code == ERR_OK || path.count == 1) return e;
    return rights_have(&req->caller, seeing, &path) ? e : not_there(req);
}

/* ---- the operations: on a worker ---- */

static struct err run_expire(struct request *req)
{
    struct maintain_expire_request expire = { .who = &req->actor };

    TRY(read_number(req->body, "older-than-ms", &expire.older_than_ms));
    TRY(read_number(req->body, "keep", &expire.keep));
    TRY(json_want_bool(req->body, "dry-run", &expire.is_dry_run));
    return maintain_expire(req->edge->options.maintain, &req->scope, &expire, req->http->arena, &req->answer);
}

static struct err orphans(struct request *req, bool removes)
{
    int64_t older_than_ms;

    TRY(read_number(req->body, "older-than-ms", &older_than_ms));
    return maintain_orphans(req->edge->options.maintain, &req->scope, older_than_ms, removes,
                            req->http->arena, &req->answer);
}

static struct err run_orphans_report(struct request *req)
{
    return orphans(req, false);
}

static struct err run_orphans(struct request *req)
{
    bool is_dry_run = false;

    TRY(json_want_bool(req->body, "dry-run", &is_dry_run));
    return orphans(req, !is_dry_run);
}

static struct err run_status(struct request *req)
{
    return maintain_status(req->edge->options.maintain, &req->scope, req->http->arena, &req->answer);
}

/* What of the query can be wrong is here; *ret is set to -1 when it is not there. */
static struct err query_number(const struct request *req, const char *name, int64_t least, int64_t *ret)
{
    const struct str text = http_query(req->http, name);

    *ret = -1;
    if (text.len == 0) return OK;
    if (str_to_i64(text, ret) && *ret >= least) return OK;
    return err_fail(ERR_INVALID, "query '%s' must be a number from %lld", name, (long long)least);
}

static struct err query_bool(const struct request *req, const char *name, bool *ret)
{
    const struct str text = http_query(req->http, name);

    *ret = str_is(text, "true");
    if (text.len == 0 || *ret || str_is(text, "false")) return OK;
    return err_fail(ERR_INVALID, "query '%s' must be true or false", name);
}

static struct err read_files(const struct request *req, struct maintain_files_request *ret)
{
    const struct str state = http_query(req->http, "state");
    struct maintain_files_request files = { .ref = http_query(req->http, "ref"),
                                            .token = http_query(req->http, "page-token"),
                                            .who = &req->actor };
    int64_t size;

    if (req->scope.table.len == 0)
        return FAIL(ERR_INVALID, "query 'table' is missing: files are of one table");
    if (state.len && !maintain_files_from(state, &files.state))
        return FAIL(ERR_INVALID, "query 'state' must be live, queued or orphan");
    TRY(query_number(req, "snapshot", 0, &files.snapshot_id));
    TRY(query_number(req, "page-size", 1, &size));
    TRY(query_bool(req, "all", &files.is_all));
    TRY(query_bool(req, "summary", &files.has_summary));
    const int chosen = (files.snapshot_id >= 0) + (files.ref.len > 0) + files.is_all;
    if (chosen > 1) return FAIL(ERR_INVALID, "only one of query 'snapshot', 'ref' and 'all' can be given");
    if (chosen && files.state != FILES_LIVE)
        return FAIL(ERR_INVALID, "query 'snapshot', 'ref' and 'all' choose among live files");
    files.page_size = size < 0 || size > LIMIT_PAGE ? LIMIT_PAGE : (size_t)size;
    *ret = files;
    return OK;
}

static struct err run_files(struct request *req)
{
    struct maintain_files_request files;

    TRY(read_files(req, &files));
    return maintain_files(req->edge->options.maintain, &req->scope, &files, req->http->arena, &req->answer);
}

static void work(struct http_request *http)
{
    struct request *req = http->state;
    struct err e = read_body(req);

    if (e.code == ERR_OK) e = authorize(req);
    if (e.code == ERR_OK) e = req->operation->run(req);
    req->outcome = e.code == ERR_OK ? OK : err_keep(e, req->why, sizeof(req->why));
}

static void after_work(struct http_request *http)
{
    struct request *req = http->state;

    if (req->outcome.code == ERR_OK) api_answer_json(http, 200, json_incref(req->answer));
    else api_answer_error(http, req->outcome);
}

static void on_end(struct http_request *http)
{
    const struct err e = http_offload(http, work, after_work);

    if (e.code != ERR_OK) api_answer_error(http, e);
}

/* The table, the namespace whose tables are meant, or nothing: all of the catalog's. */
static struct str object_of(const struct request *req)
{
    const struct table_ident t = { .ns = req->scope.ns, .name = req->scope.table };

    if (t.name.len) return table_ident_print(&t, req->http->arena);
    return t.ns.count ? ns_path_print(&t.ns, req->http->arena) : STR_NONE;
}

static void on_done(struct http_request *http)
{
    const struct request *req = http->state;
    const int status = http_status(http);

    if (!req) return;
    /* Files that are deleted by hand have no transaction with a row of its own; a commit that an expiry makes has. */
    api_audit(req->edge->options.audit, http,
              &(struct api_audited){ .who = &req->actor,
                                     .operation = req->operation ? req->operation->name : NULL,
                                     .object = object_of(req),
                                     .has_reads = req->edge->options.audit_reads,
                                     .is_act = http->method == HTTP_POST });
    op_metrics_count(req->edge->metrics, req->operation ? (size_t)(req->operation - operations) : SIZE_MAX,
                     http);
    LOG_AT(status >= 500 && status != 503 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "maintenance request",
           STRF("id", http->id), STRV("path", http->raw_path), I64("status", status),
           U64("us", (clock_mono_ns() - http->start_ns) / 1000), STRF("why", req->why[0] ? req->why : NULL));
}

/* ---- the edge ---- */

static const char *operation_name(size_t i)
{
    return operations[i].name;
}

struct err maintenance_new(const struct maintenance_options *options, struct maintenance **ret)
{
    struct maintenance *edge = calloc(1, sizeof(*edge));

    if (!edge) return no_memory();
    edge->options = *options;
    edge->app = (struct http_app){
        .context = edge,
        .head = on_head,
        .data = on_data,
        .end = on_end,
        .done = on_done,
        .name = "maintenance",
    };
    const struct err e = op_metrics_new("maintenance", OPERATION_COUNT, operation_name, &edge->metrics);
    if (e.code != ERR_OK) edge = maintenance_free(edge);
    else *ret = edge;
    return e;
}

struct maintenance *maintenance_free(struct maintenance *m)
{
    if (m) op_metrics_free(m->metrics);
    free(m);
    return NULL;
}

const struct http_app *maintenance_app(struct maintenance *m)
{
    return &m->app;
}
