/*
 * rest_external.c - what a client is told about a table whose files lie at another S3 endpoint.
 *
 * The endpoint is the one of storageConfigInfo, as it was given: what this server itself uses may be another name of it (endpointInternal). No keys are vended.
 */
#include "server/iceberg/rest.h"

#include "catalog/commit/warehouse.h"

static bool put(json_t *object, const char *name, struct str value)
{
    return json_object_set_new(object, name, json_of_str(value)) == 0;
}

struct err rest_external_config(struct rest_request *req, json_t *config)
{
    struct catalog_info c;

    TRY(catalog_get(req->options->store, req->prefix, req->arena, &c));
    const struct warehouse w = warehouse_of(req->options->store, &c);
    const struct str region = remote_region(req->options->store->remote, &w.place);
    const struct str is_path_style = remote_is_path_style(&w.place) ? STR("true") : STR("false");
    const bool is_put = put(config, "s3.endpoint", json_str(json_object_get(c.storage, "endpoint")))
        && put(config, "s3.path-style-access", is_path_style) && put(config, "s3.region", region)
        && put(config, "client.region", region);
    return is_put ? OK : no_memory();
}
