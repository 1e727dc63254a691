/*
 * rest_external.c - what a client is told about a table whose files lie at another S3 endpoint.
 *
 * The endpoint is the one of storageConfigInfo, as it was given: what this server itself uses may be another name of it (endpointInternal). No keys are vended. Who asks for remote signing
 * is told the words of it that the Java client and PyIceberg look for; PyIceberg has a signer in its fsspec half alone, and s3.signer.uri is left to them: it is the catalog's own address, as they know it.
 */
#include "server/iceberg/rest.h"

#include "catalog/commit/warehouse.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

static bool put(json_t *object, const char *name, struct str value)
{
    return json_object_set_new(object, name, json_of_str(value)) == 0;
}

static struct str encoded(struct str text, struct arena *arena)
{
    struct buf b;

    buf_init(&b, 16 * KIB);
    percent_to(&b, text, "");
    const struct str copy = buf_err(&b).code == ERR_OK ? arena_str(arena, buf_view(&b)) : STR_NONE;
    buf_done(&b);
    return copy;
}

/* Relative to the catalog's address. */
static struct str sign_path(const struct rest_request *req)
{
    const struct table_ident *t = &req->subject;
    struct arena *arena = req->arena;
    struct str levels = STR("");

    for (size_t i = 0; i < t->ns.count; i++)
        levels = arena_printf(arena, "%.*s%s%.*s", STR_ARG(levels), i ? "%1F" : "",
                              STR_ARG(encoded(t->ns.levels[i], arena)));
    return arena_printf(arena, "v1/%.*s/namespaces/%.*s/tables/%.*s/sign",
                        STR_ARG(encoded(req->prefix, arena)), STR_ARG(levels),
                        STR_ARG(encoded(t->name, arena)));
}

/* A staged table is not there yet: nobody could look whether its files may be written. */
static struct err put_signer(const struct rest_request *req, const struct table_info *t,
                             const struct remote_place *p, json_t *config)
{
    const bool is_offered = t->metadata_location.len > 0 && rest_delegation_has(req, "remote-signing")
        && remote_has_keys(req->options->store->remote, p->profile);

    if (!is_offered) return OK;
    const bool is_put = put(config, "s3.remote-signing-enabled", STR("true"))
        && put(config, "s3.signer", STR("S3V4RestSigner"))
        && put(config, "s3.signer.endpoint", sign_path(req))
        && put(config, "py-io-impl", STR("pyiceberg.io.fsspec.FsspecFileIO"));
    return is_put ? OK : no_memory();
}

struct err rest_external_config(struct rest_request *req, const struct table_info *t, json_t *config)
{
    struct catalog_info c;

    TRY(catalog_get(req->options->store, req->prefix, req->arena, &c));
    const struct warehouse w = warehouse_of(req->options->store, &c);
    const struct str region = remote_region(req->options->store->remote, &w.place);
    const struct str is_path_style = remote_is_path_style(&w.place) ? STR("true") : STR("false");
    const bool is_put = put(config, "s3.endpoint", json_str(json_object_get(c.storage, "endpoint")))
        && put(config, "s3.path-style-access", is_path_style) && put(config, "s3.region", region)
        && put(config, "client.region", region);
    return is_put ? put_signer(req, t, &w.place, config) : no_memory();
}
