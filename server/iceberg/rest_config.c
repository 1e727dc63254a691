/*
 * rest_config.c - GET /v1/config and the token endpoint.
 */
#include "server/iceberg/rest.h"

#include "server/auth/bearer.h"
#include "storage/base/thread.h"

static const char *const method_names[] = { "GET",    "HEAD",    "PUT",   "POST",
                                            "DELETE", "OPTIONS", "PATCH", "OTHER" };

/* Clients compare these to the letter, and use no operation that is not there. */
static json_t *endpoints(struct arena *arena)
{
    json_t *list = json_array();
    size_t count;
    const struct rest_op *ops = rest_ops(&count);

    for (size_t i = 0; i < count; i++) {
        if (ops[i].flags & REST_HIDDEN) continue;
        json_array_append_new(
            list, json_of_str(arena_printf(arena, "%s %s", method_names[ops[i].method], ops[i].path)));
    }
    return list;
}

static struct err check_catalog(struct rest_request *req, struct str warehouse, struct catalog_info *ret)
{
    struct str bucket, key;

    TRY(catalog_get(req->options->store, warehouse, req->arena, ret));
    TRY(location_parse(ret->base_location, req->arena, &bucket, &key));
    if (access_check(&req->caller, PERM_CATALOG_LIST, bucket, key).code == ERR_OK) return OK;
    return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(warehouse));
}

/* A client that names no warehouse gets the catalog if there is one alone. */
static struct err find_catalog(struct rest_request *req, struct catalog_info *ret)
{
    const struct str warehouse = http_query(req->http, "warehouse");
    struct catalog_info *all;
    size_t count;

    if (warehouse.len) return check_catalog(req, warehouse, ret);
    TRY(catalog_list(req->options->store, req->arena, &all, &count));
    if (count == 1) return check_catalog(req, all[0].name, ret);
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
    struct str body;
    int status;

    TRY(oauth_token(req->options->iam, req->http, buf_view(req->text), req->options->token_ttl_s, &status,
                    &body));
    http_set(req->http, "Cache-Control", STR("no-store"));
    if (status == 401) http_set(req->http, "WWW-Authenticate", STR("Basic realm=\"firn\""));
    rest_answer_text(req, status, body);
    return OK;
}
