/*
 * rest_credentials.c - what a client is told about the store behind a table: the endpoint, and keys for the table's files.
 *
 * Keys are vended when the client asks for them (X-Iceberg-Access-Delegation: vended-credentials, which PyIceberg always does): signed statements scoped to the table's location
 * and to the caller's rights, checked without a look-up (admin/iam/session_token.h). Clients prefer what the server says to their own configuration, so the endpoint must be right
 * from where they stand: a setting; else a map by the Host they asked the catalog at; else that Host's name with the S3 port (design.md 7).
 */
#include "server/iceberg/rest.h"

#include "admin/iam/session_token.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

/* ---- the endpoint ---- */

/* "host:port" or "[::1]:port" without its port. */
static struct str host_alone(struct str host)
{
    const size_t bracket = str_find_char(host, ']');

    if (host.len && host.data[0] == '[') return str_slice(host, 0, bracket + 1);
    return str_slice(host, 0, str_find_char(host, ':'));
}

static struct str mapped_endpoint(const struct iceberg_options *o, struct str host)
{
    for (size_t i = 0; i < o->s3_endpoint_map_count; i++) {
        struct str name;
        const struct str url = str_cut(o->s3_endpoint_map[i], '=', &name);
        if (str_eq_nocase(name, host) || str_eq_nocase(name, host_alone(host))) return url;
    }
    return STR_NONE;
}

static struct str s3_endpoint(const struct rest_request *req)
{
    const struct iceberg_options *o = req->options;
    const struct str host = req->http->host;
    const struct str mapped = mapped_endpoint(o, host);

    if (o->s3_endpoint.len) return o->s3_endpoint;
    if (mapped.len) return mapped;
    return arena_printf(req->arena, "http://%.*s:%u", STR_ARG(host_alone(host)), o->s3_port);
}

/* ---- rights ---- */

/* What the caller may do with the table's files now: that, and no more, its key will open. */
static unsigned rights_of(const struct rest_request *req, const struct securable_path *path)
{
    if (rights_have(&req->caller, PRIV_TABLE_WRITE_DATA, path))
        return SESSION_READ | SESSION_LIST | SESSION_WRITE | SESSION_DELETE;
    return rights_have(&req->caller, PRIV_TABLE_READ_DATA, path) ? SESSION_READ | SESSION_LIST : 0;
}

/* The path to the table that the answer is about; to its namespace, when it is only staged. */
static struct err subject_path(const struct rest_request *req, const struct table_info *t,
                               struct securable_path *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct securable_name name = { .catalog = req->prefix,
                                         .ns = &req->subject.ns,
                                         .name = req->subject.name };

    if (req->op->target == ON_PATH_TABLE) {
        *ret = req->path; /* found already, when the row's privilege was asked for */
    } else {
        TRY(view_open(req->options->store->meta, &view));
        TRY(securable_find(view, &name, req->arena, ret));
    }
    ret->location = t->location;
    return OK;
}

bool rest_delegation_has(const struct rest_request *req, const char *word)
{
    const struct str wanted = http_header(req->http, "x-iceberg-access-delegation");
    struct str piece;

    for (struct str_split it = str_split_on(wanted, ','); wanted.data && str_split_next(&it, &piece);) {
        if (str_is_nocase(str_trim(piece), word)) return true;
    }
    return false;
}

static bool wants_keys(const struct rest_request *req)
{
    return req->is_keys_wanted || rest_delegation_has(req, "vended-credentials");
}

/* ---- the config objects ---- */

static void put(json_t *object, const char *name, struct str value)
{
    json_object_set_new(object, name, json_of_str(value));
}

static void put_endpoint(const struct rest_request *req, json_t *object)
{
    const struct str region = req->options->region.len ? req->options->region : STR("us-east-1");

    put(object, "s3.endpoint", s3_endpoint(req));
    put(object, "s3.path-style-access", STR("true"));
    put(object, "s3.region", region);
    put(object, "client.region", region);
}

static void put_keys(const struct rest_request *req, json_t *object, const struct vended_key *key)
{
    put(object, "s3.access-key-id", key->access_key);
    put(object, "s3.secret-access-key", key->secret);
    put(object, "s3.session-token", key->session_token);
    put(object, "s3.session-token-expires-at-ms",
        arena_printf(req->arena, "%lld", (long long)key->expires_ms));
}

/* A key for a table that is about to be made names the namespace that it will be in (rights.h). */
static struct err vend(const struct rest_request *req, const struct table_info *t,
                       const struct securable_path *path, struct vended_key *ret)
{
    struct session_scope scope = {
        .prefix_count = t->place_count,
        .rights = rights_of(req, path),
        .expires_ms = clock_now_ms() + req->options->vended_ttl_s * 1000,
        .table_uuid = str_from_z(t->uuid),
        .staged_in = path->is_whole ? 0 : path->ns_id,
    };

    for (size_t i = 0; i < t->place_count; i++) scope.prefixes[i] = t->places[i];
    return vended_issue(req->options->iam, req->caller.principal, &scope, req->arena, ret);
}

/* Where a client gets new keys when these run out: relative to the catalog's address, as the Java client wants it. */
static struct str refresh_path(const struct rest_request *req)
{
    const size_t v1 = str_find(req->http->raw_path, STR("/v1/"));
    struct str path = str_from(req->http->raw_path, v1 + 1);

    if (str_ends(path, STR("/credentials"))) return path;
    return req->table.len ? arena_join(req->arena, path, STR("/credentials")) : STR_NONE;
}

/* One entry for each place of the table, all with the same keys: a client takes the one with the longest prefix of a file's name. */
static json_t *storage_credentials(const struct rest_request *req, const struct table_info *t,
                                   const struct vended_key *key)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->place_count; i++) {
        json_t *config = json_object();
        put_endpoint(req, config);
        put_keys(req, config, key);
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "prefix",
                                        json_of_str(arena_join(req->arena, STR("s3://"), t->places[i])),
                                        "config", config));
    }
    return list;
}

struct err rest_table_config(struct rest_request *req, const struct table_info *t, json_t **ret_config,
                             json_t **ret_storage)
{
    CLEANUP(json_freep) json_t *config = json_object();
    json_t *storage = NULL;
    struct securable_path path;
    struct vended_key key;

    if (!config) return no_memory();
    *ret_storage = NULL;
    if (t->is_external) {
        TRY(rest_external_config(req, t, config));
        *ret_config = json_incref(config);
        return OK;
    }
    put_endpoint(req, config);
    TRY(subject_path(req, t, &path));
    if (wants_keys(req) && rights_of(req, &path)) {
        TRY(vend(req, t, &path, &key));
        put_keys(req, config, &key);
        if (refresh_path(req).len) put(config, "client.refresh-credentials-endpoint", refresh_path(req));
        storage = storage_credentials(req, t, &key);
    }
    *ret_config = json_incref(config);
    *ret_storage = storage;
    return OK;
}
