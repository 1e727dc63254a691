/*
 * rest_config.c - GET /v1/config and the token endpoint.
 */
#include "server/iceberg/rest.h"

#include "server/api/api.h"
#include "server/auth/bearer.h"
#include "storage/base/thread.h"

/* Clients compare these to the letter, and use no operation that is not there. */
static json_t *endpoints(struct arena *arena)
{
    json_t *list = json_array();
    size_t count;
    const struct rest_op *ops = rest_ops(&count);

    for (size_t i = 0; i < count; i++) {
        if (ops[i].flags & REST_HIDDEN) continue;
        json_array_append_new(
            list, json_of_str(arena_printf(arena, "%s %s", api_method_name(ops[i].method), ops[i].path)));
    }
    return list;
}

static bool sees(const struct rest_request *req, const struct catalog_info *c)
{
    const struct securable_path path = {
        .nodes = { securable_of_id(SECURABLE_CATALOG, c->id) },
        .count = 1,
        .catalog_id = c->id,
        .location = c->base_location,
        .is_whole = true,
    };
    return rights_see_catalog(&req->caller, &path);
}

/* What one may not see answers as if it did not exist. */
static struct err check_catalog(struct rest_request *req, struct str warehouse, struct catalog_info *ret)
{
    TRY(catalog_get(req->options->store, warehouse, req->arena, ret));
    if (sees(req, ret)) return OK;
    return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(warehouse));
}

/* A client that names no warehouse gets the catalog if it sees one alone. */
static struct err find_catalog(struct rest_request *req, struct catalog_info *ret)
{
    const struct str warehouse = http_query(req->http, "warehouse");
    struct catalog_info *all;
    size_t count, seen = 0;

    if (warehouse.len) return check_catalog(req, warehouse, ret);
    TRY(catalog_list(req->options->store, req->arena, &all, &count));
    for (size_t i = 0; i < count; i++) {
        if (!sees(req, &all[i])) continue;
        *ret = all[i];
        seen++;
    }
    if (seen == 1) return OK;
    return FAIL(ERR_INVALID, "Please specify a warehouse");
}

struct err rest_config(struct rest_request *req)
{
    struct catalog_info catalog;

    TRY(find_catalog(req, &catalog));
    json_t *prefix = json_of_str(catalog.name);
    json_t *overrides = json_pack("{s:o, s:s}", "prefix", prefix, "namespace-separator", "%1F");
    json_t *defaults = json_pack("{s:o}", "default-base-location", json_of_str(catalog.base_location));
    rest_answer_json(req, 200,
                     json_pack("{s:o, s:o, s:o}", "defaults", defaults, "overrides", overrides, "endpoints",
                               endpoints(req->arena)));
    return OK;
}

struct err rest_token(struct rest_request *req)
{
    struct oauth_answer a;

    TRY(oauth_token(req->options->iam, req->http, buf_view(req->text), req->options->token_ttl_s, &a));
    if (a.principal) req->actor.principal = principal_name(a.principal);
    req->is_act = true;
    http_set(req->http, "Cache-Control", STR("no-store"));
    if (a.status == 429) http_set(req->http, "Retry-After", STR("60"));
    if (a.status == 401) http_set(req->http, "WWW-Authenticate", STR("Basic realm=\"firn\""));
    rest_answer_text(req, a.status, a.body);
    return OK;
}
