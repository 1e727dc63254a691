/*
 * rest_sign.c - signing clients' requests to the S3 endpoint where a table's files lie (the specification's signRequest).
 *
 * The client has no keys: it asks here for each request that it is about to send, and what is asked for is held against the table's places and the caller's rights, each time anew. What is signed is in storage/remote/guest.h.
 */
#include "server/iceberg/rest.h"

#include "catalog/commit/warehouse.h"
#include "storage/remote/guest.h"

/* ---- the request ---- */

/* Several values of one name are one, joined by commas. */
static struct err take_header(const char *name, const json_t *values, struct arena *arena,
                              struct guest_request *r)
{
    struct str joined = STR("");
    json_t *value;
    size_t i;

    if (!json_is_array(values))
        return err_fail(ERR_INVALID, "field 'headers.%s' must be an array of strings", name);
    if (r->header_count == GUEST_HEADERS_MAX)
        return err_fail(ERR_INVALID, "field 'headers' has more than %d names", GUEST_HEADERS_MAX);
    json_array_foreach((json_t *)values, i, value)
    {
        if (!json_is_string(value))
            return err_fail(ERR_INVALID, "field 'headers.%s' must be an array of strings", name);
        if (i) joined = arena_join(arena, joined, STR(","));
        joined = arena_join(arena, joined, json_str(value));
        if (!joined.data) return no_memory();
    }
    r->headers[r->header_count++] = (struct sign_header){ str_from_z(name), joined };
    return OK;
}

static struct err take_request(const json_t *body, struct arena *arena, struct guest_request *ret)
{
    struct str provider = STR("s3");
    json_t *headers, *values;
    const char *name;

    TRY(json_need_str(body, "method", &ret->method));
    TRY(json_need_str(body, "uri", &ret->uri));
    TRY(json_need_object(body, "headers", &headers));
    TRY(json_want_str(body, "provider", &provider));
    if (!str_is(provider, "s3")) return FAIL(ERR_INVALID, "field 'provider' must be s3");
    json_object_foreach(headers, name, values)
    {
        TRY(take_header(name, values, arena, ret));
    }
    return OK;
}

/* ---- may they? ---- */

static bool is_in_table(const struct table_info *t, struct str place)
{
    for (size_t i = 0; i < t->place_count; i++) {
        if (str_starts(place, t->places[i])) return true;
    }
    return false;
}

static struct err check(const struct rest_request *req, const struct table_info *t,
                        const struct guest_look *look)
{
    struct securable_path path = req->path;
    const struct str place = arena_printf(req->arena, "%.*s/%.*s", STR_ARG(look->object.bucket),
                                          STR_ARG(look->key));
    const bool is_change = look->act == GUEST_WRITE || look->act == GUEST_DELETE;

    if (!place.data) return no_memory();
    path.location = t->location;
    if (!is_in_table(t, place)) return FAIL(ERR_DENIED, "what is asked for lies outside of the table");
    return is_change ? rights_check(&req->caller, PRIV_TABLE_WRITE_DATA, &path) : OK;
}

/* ---- the answer ---- */

static struct err answer(struct rest_request *req, const struct guest_request *signed_request)
{
    json_t *headers = json_object();

    for (size_t i = 0; i < signed_request->header_count; i++) {
        const struct sign_header *h = &signed_request->headers[i];
        const char *name = arena_z(req->arena, h->name);
        json_t *values = json_pack("[o]", json_of_str(h->value));
        if (!name || json_object_set_new(headers, name, values) != 0) {
            json_decref(headers);
            return no_memory();
        }
    }
    http_set(req->http, "Cache-Control", STR("no-cache"));
    rest_answer_json(req, 200,
                     json_pack("{s:o, s:o}", "uri", json_of_str(signed_request->uri), "headers", headers));
    return OK;
}

/* The endpoint as clients know it: that is where their requests go. */
static struct err place_of(const struct rest_request *req, const struct table_info *t,
                           struct remote_place *ret)
{
    struct catalog_info c;
    struct str key;

    TRY(catalog_get(req->options->store, req->prefix, req->arena, &c));
    *ret = warehouse_of(req->options->store, &c).place;
    ret->endpoint = json_str(json_object_get(c.storage, "endpoint"));
    return location_parse(t->location, req->arena, &ret->bucket, &key);
}

struct err rest_sign_request(struct rest_request *req)
{
    const struct table_ident t = { .ns = req->ns, .name = req->table };
    struct guest_request *asked = arena_new_of(req->arena, struct guest_request);
    struct guest_request *done = arena_new_of(req->arena, struct guest_request);
    struct remote_place place;
    struct guest_look look;
    struct table_info info;
    struct endpoint e;

    if (!asked || !done) return no_memory();
    TRY(take_request(req->body, req->arena, asked));
    TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
    if (!info.is_external)
        return FAIL(ERR_UNSUPPORTED,
                    "The table's files lie in this store: ask for vended credentials, nothing is signed");
    TRY(place_of(req, &info, &place));
    TRY(endpoint_parse(place.endpoint, &e));
    TRY(guest_look(&e, place.bucket, asked, req->arena, &look));
    TRY(check(req, &info, &look));
    TRY(guest_sign(req->options->store->remote, &place, asked, &look, req->arena, done));
    return answer(req, done);
}
