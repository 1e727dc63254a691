/*
 * remote.c - signed requests to other S3 endpoints, and what their answers mean.
 */
#include "storage/remote/remote.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"
#include "storage/remote/cache.h"
#include "storage/remote/endpoint.h"
#include "storage/remote/remote_call.h"
#include "storage/remote/reply.h"
#include "storage/remote/rests.h"
#include "storage/remote/waiters.h"

#define REGION_DEFAULT "us-east-1"

enum { ATTEMPTS_MAX = 4, FIRST_PAUSE_MS = 50 };

struct remote {
    struct arena *arena; /* the ring and its texts */
    struct key_ring ring;
    uint64_t timeout_ms;
    struct exchanges *exchanges;
    struct file_cache *cache;
    struct waiters waiters;
    struct rests rests; /* of the background */
};

/* ---- credentials ---- */

static struct err ring_of_one(struct remote *r, const struct remote_options *o)
{
    struct key_profile *p = arena_new_of(r->arena, struct key_profile);

    if (o->access_key.len == 0 && o->secret_key.len == 0) return OK;
    if (o->access_key.len == 0 || o->secret_key.len == 0)
        return FAIL(
            ERR_INVALID,
            "settings 'external-access-key' and 'external-secret-key' are given together or not at all");
    if (!p) return no_memory();
    p->name = STR("default");
    p->keys.access_key = arena_str(r->arena, o->access_key);
    p->keys.secret_key = arena_str(r->arena, o->secret_key);
    p->keys.session_token = arena_str(r->arena, o->session_token);
    r->ring = (struct key_ring){ .profiles = p, .count = 1 };
    return p->keys.access_key.data && p->keys.secret_key.data && p->keys.session_token.data ? OK
                                                                                            : no_memory();
}

static struct err open_parts(struct remote *r, const struct remote_options *o)
{
    r->arena = arena_new(1 * MIB);
    if (!r->arena) return no_memory();
    r->timeout_ms = o->timeout_ms;
    if (o->credentials_file) TRY(key_ring_load(o->credentials_file, r->arena, &r->ring));
    else TRY(ring_of_one(r, o));
    TRY(file_cache_new(o->cache_bytes, &r->cache));
    return exchanges_new(&r->exchanges);
}

struct err remote_new(const struct remote_options *o, struct remote **ret)
{
    struct remote *r = calloc(1, sizeof(*r));

    if (!r) return no_memory();
    waiters_init(&r->waiters);
    rests_init(&r->rests);
    const struct err e = open_parts(r, o);
    if (e.code != ERR_OK) r = remote_free(r);
    *ret = r;
    return e;
}

struct remote *remote_free(struct remote *r)
{
    if (!r) return NULL;
    exchanges_free(r->exchanges);
    file_cache_free(r->cache);
    arena_free(r->arena);
    rests_done(&r->rests);
    waiters_done(&r->waiters);
    free(r);
    return NULL;
}

bool remote_has_keys(const struct remote *r, struct str profile)
{
    return r && key_ring_find(&r->ring, profile);
}

struct str remote_region(const struct remote *r, const struct remote_place *p)
{
    const struct remote_keys *keys = r ? key_ring_find(&r->ring, p->profile) : NULL;

    if (p->region.len) return p->region;
    return keys && keys->region.len ? keys->region : STR(REGION_DEFAULT);
}

struct str remote_session_token(const struct remote *r, struct str profile)
{
    const struct remote_keys *keys = r ? key_ring_find(&r->ring, profile) : NULL;

    return keys ? keys->session_token : STR_NONE;
}

bool remote_is_path_style(const struct remote_place *p)
{
    struct endpoint e;

    return p->is_path_style
        || (endpoint_parse(p->endpoint, &e).code == ERR_OK && endpoint_wants_path_style(&e));
}

struct err remote_sign(const struct remote *r, const struct remote_place *p, struct sign_request *s,
                       struct arena *arena, struct str *ret_authorization)
{
    const struct remote_keys *keys = r ? key_ring_find(&r->ring, p->profile) : NULL;

    if (!keys)
        return err_fail(ERR_UNAVAILABLE,
                        "this server has no credentials '%.*s' for the S3 endpoint '%.*s' (setting "
                        "'external-credentials')",
                        STR_ARG(p->profile.len ? p->profile : STR("default")), STR_ARG(p->endpoint));
    s->region = remote_region(r, p);
    return sign_request(keys, s, arena, ret_authorization);
}

/* ---- one request ---- */

/* Host and path, of either style. */
static struct err address(const struct call *c, struct str *ret_host, struct str *ret_url,
                          struct str *ret_path)
{
    const struct remote_place *p = c->place;
    struct endpoint e;
    struct buf path;

    TRY(endpoint_parse(p->endpoint, &e));
    const bool is_path_style = remote_is_path_style(p);
    *ret_host = is_path_style ? e.authority
                              : arena_printf(c->arena, "%.*s.%.*s", STR_ARG(p->bucket), STR_ARG(e.authority));
    buf_init(&path, 4 * KIB);
    if (is_path_style) {
        buf_char(&path, '/');
        buf_str(&path, p->bucket);
    }
    if (c->key.len || !is_path_style) buf_char(&path, '/');
    percent_to(&path, c->key, "/");
    const struct err built = buf_err(&path);
    *ret_path = built.code == ERR_OK ? arena_str(c->arena, buf_view(&path)) : STR_NONE;
    buf_done(&path);
    TRY(built);
    *ret_url = arena_printf(c->arena, "%.*s://%.*s%.*s%s%.*s", STR_ARG(e.scheme), STR_ARG(*ret_host),
                            STR_ARG(*ret_path), c->query.len ? "?" : "", STR_ARG(c->query));
    return ret_host->data && ret_path->data && ret_url->data ? OK : no_memory();
}

/* Every header that is sent for a reason is signed; they stand in order. */
static struct err sign_call(const struct call *c, struct str host, struct str path, struct exchange *x)
{
    char sum[65], date[CLOCK_AMZ_SIZE];
    struct sign_header headers[7];
    size_t count = 0;
    struct str authorization = STR_NONE;
    const struct str token = remote_session_token(c->remote, c->place->profile);

    sign_payload(c->body, sum);
    clock_amz(clock_now_ms(), date);
    headers[count++] = (struct sign_header){ STR("host"), host };
    if (c->is_new_only) headers[count++] = (struct sign_header){ STR("if-none-match"), STR("*") };
    if (c->range.len) headers[count++] = (struct sign_header){ STR("range"), c->range };
    headers[count++] = (struct sign_header){ STR("x-amz-content-sha256"), str_from_z(sum) };
    headers[count++] = (struct sign_header){ STR("x-amz-date"), str_from_z(date) };
    if (token.len) headers[count++] = (struct sign_header){ STR("x-amz-security-token"), token };
    struct sign_request s = { .method = str_from_z(c->method),
                              .path = path,
                              .query = c->query,
                              .payload = str_from_z(sum),
                              .headers = headers,
                              .header_count = count,
                              .amz_date = str_from_z(date) };
    TRY(remote_sign(c->remote, c->place, &s, c->arena, &authorization));
    for (size_t i = 0; i < count; i++) {
        x->headers[i] = arena_printf(c->arena, "%.*s: %.*s", STR_ARG(headers[i].name),
                                     STR_ARG(headers[i].value));
        if (!x->headers[i].data) return no_memory();
    }
    x->headers[count++] = arena_printf(c->arena, "authorization: %.*s", STR_ARG(authorization));
    x->headers[count] = STR("content-type: application/json");
    return x->headers[count - 1].data ? OK : no_memory();
}

static struct err attempt(struct call *c, struct exchange_reply *ret)
{
    struct exchange x = { .method = c->method, .body = c->body, .bytes_max = c->bytes_max };
    struct str host, path;
    bool was_sent = false;

    const uint64_t now = clock_mono_ms();
    TRY(address(c, &host, &x.url, &path));
    TRY(sign_call(c, host, path, &x));
    x.timeout_ms = c->deadline_ms > now ? c->deadline_ms - now : 1;
    METRIC_ADD(remote_requests, 1);
    const struct err e = exchange_run(c->remote->exchanges, &x, c->arena, ret, &was_sent);
    c->was_sent |= was_sent;
    return e;
}

/* ---- attempts ---- */

struct err remote_call_failed(const struct call *c, enum err_code code, const char *why)
{
    return err_fail(code, "S3 endpoint '%.*s': %s s3://%.*s/%.*s: %s", STR_ARG(c->place->endpoint), c->method,
                    STR_ARG(c->place->bucket), STR_ARG(c->key), why);
}

static bool is_worth_another(struct err e, int status)
{
    if (e.code != ERR_OK) return e.code == ERR_UNAVAILABLE;
    return status >= 500 || status == 429 || status == 408;
}

/* A pause of random length, longer each time: callers that failed together do not come back together. */
static void pause_before(int next)
{
    uint16_t random;

    ids_random(&random, sizeof(random));
    (void)poll(NULL, 0, random % (FIRST_PAUSE_MS << next));
}

static uint64_t patience_ms(const struct call *c)
{
    const uint64_t most = c->remote->timeout_ms;

    return c->place->is_background && most > LIMIT_REMOTE_BACKGROUND_MS ? LIMIT_REMOTE_BACKGROUND_MS : most;
}

static struct err run_attempts(struct call *c, struct exchange_reply *ret)
{
    struct err e = OK;

    c->deadline_ms = clock_mono_ms() + patience_ms(c);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        if (i) pause_before(i);
        *ret = (struct exchange_reply){ .status = 0 };
        e = attempt(c, ret);
        if (!is_worth_another(e, ret->status) || clock_mono_ms() >= c->deadline_ms) break;
    }
    return e;
}

bool remote_rests(struct remote *r, const struct remote_place *p)
{
    return r && rests_has(&r->rests, p, clock_mono_ms());
}

/* In proportion to what the failure took, so that an endpoint which is never there takes the same small share of the background's time whether it refuses at once or keeps silent. */
static uint64_t rest_after_ms(uint64_t took_ms, bool is_denial)
{
    const uint64_t least = is_denial ? LIMIT_REMOTE_REST_DENIED_MS : LIMIT_REMOTE_REST_MIN_MS;
    const uint64_t rest = took_ms * LIMIT_REMOTE_REST_FACTOR;

    if (rest > LIMIT_REMOTE_REST_MAX_MS) return LIMIT_REMOTE_REST_MAX_MS;
    return rest > least ? rest : least;
}

/* After a call that began then: a rest, or none. */
static void set_rest(const struct call *c, bool has_failed, bool is_denial, uint64_t began_ms)
{
    const uint64_t now_ms = clock_mono_ms();

    rests_set(&c->remote->rests, c->place,
              has_failed ? now_ms + rest_after_ms(now_ms - began_ms, is_denial) : 0);
}

/* The last answer that came, or why none did. */
static struct err run(struct call *c, struct exchange_reply *ret)
{
    struct waiters *w = &c->remote->waiters;
    struct waiter_row *row;

    if (!remote_has_keys(c->remote, c->place->profile)) {
        struct sign_request none = { .headers = NULL };
        return remote_sign(c->remote, c->place, &none, c->arena, &(struct str){ NULL, 0 });
    }
    c->was_turned_away = !waiters_enter(w, c->place->endpoint, clock_mono_ms(), &row);
    if (c->was_turned_away) return remote_call_failed(c, ERR_UNAVAILABLE, "it fails, and enough wait for it");
    const struct err e = run_attempts(c, ret);
    const bool has_failed = is_worth_another(e, ret->status);
    waiters_leave(w, row, has_failed, clock_mono_ms());
    if (has_failed) METRIC_ADD(remote_failures, 1);
    return e.code == ERR_UNAVAILABLE || e.code == ERR_TOO_LARGE ? remote_call_failed(c, e.code, e.why) : e;
}

static bool is_denied(int status)
{
    return status == 401 || status == 403;
}

/* What a 404 says is gone; ERR_UNAVAILABLE: nothing. A proxy, a load balancer or a wrong path answer 404 as well, and who believes those takes away the row of a file that stays for ever: so S3's own words count
 * and nothing else. That holds for DELETE too: S3 answers it 204 when there is no such key, and endpoints that say 404 name the code. */
static enum err_code gone(const struct call *c, struct str word)
{
    if (str_is(word, "NoSuchBucket")) return ERR_NO_SUCH_BUCKET;
    return c->key.len && str_is(word, "NoSuchKey") ? ERR_NO_SUCH_KEY : ERR_UNAVAILABLE;
}

static struct err refusal(const struct call *c, const struct exchange_reply *reply)
{
    const struct str word = remote_error_code(reply->body);
    const struct str profile = c->place->profile.len ? c->place->profile : STR("default");
    char text[160];

    const char *blank = word.len ? " " : ""; /* an answer to HEAD has no document */
    (void)snprintf(text, sizeof(text), "it answered %d%s%.*s", reply->status, blank, STR_ARG(word));
    if (reply->status == 404) return remote_call_failed(c, gone(c, word), text);
    if (reply->status == 416) return remote_call_failed(c, ERR_CORRUPT, text);
    if (reply->status == 412 || reply->status == 409) return remote_call_failed(c, ERR_PRECONDITION, text);
    if (is_denied(reply->status))
        (void)snprintf(text, sizeof(text), "it answered %d%s%.*s to the credentials '%.*s' of this server",
                       reply->status, blank, STR_ARG(word), STR_ARG(str_slice(profile, 0, 32)));
    return remote_call_failed(c, ERR_UNAVAILABLE, text);
}

/* It calls for a rest: no good answer, a denial, or a 404 of who knows what. */
static bool is_bad(const struct call *c, struct err e, const struct exchange_reply *reply)
{
    if (is_worth_another(e, reply->status) || is_denied(reply->status)) return true;
    return reply->status == 404 && gone(c, remote_error_code(reply->body)) == ERR_UNAVAILABLE;
}

/* An answer to HEAD has no document, so its 404 could be anybody's. GET of the same, as little of it as can be, is answered with one. What that says is also what is said
 * of a rest: the 404 alone ends none. */
static struct err ask_what_is_gone(const struct call *head, uint64_t began_ms)
{
    struct call get = { .remote = head->remote,
                        .place = head->place,
                        .method = "GET",
                        .key = head->key,
                        .arena = head->arena,
                        .bytes_max = REMOTE_ERROR_BYTES };
    struct exchange_reply reply;

    if (head->key.len) get.range = STR("bytes=0-0");
    else get.query = STR("list-type=2&max-keys=1");
    const struct err e = remote_call(&get, &reply);
    if (e.code == ERR_OK || e.code == ERR_CORRUPT)
        return remote_call_failed(head, ERR_UNAVAILABLE, "it answered 404, and to GET that it is there");
    if (e.code != ERR_TOO_LARGE) return e;
    set_rest(head, true, false, began_ms);
    return remote_call_failed(head, ERR_UNAVAILABLE, "it answered 404, and GET with more than was asked for");
}

struct err remote_call(struct call *c, struct exchange_reply *ret)
{
    const uint64_t began_ms = clock_mono_ms();

    *ret = (struct exchange_reply){ .status = 0 };
    if (c->place->is_background && remote_rests(c->remote, c->place)) {
        METRIC_ADD(remote_rests, 1);
        return remote_call_failed(c, ERR_UNAVAILABLE,
                                  "it failed a moment ago; maintenance waits before it asks again");
    }
    const struct err e = run(c, ret);
    if (c->was_turned_away) return e; /* nothing is known of the place since */
    if (ret->status == 404 && strcmp(c->method, "HEAD") == 0) return ask_what_is_gone(c, began_ms);
    set_rest(c, is_bad(c, e, ret), is_denied(ret->status), began_ms);
    TRY(e);
    return ret->status >= 200 && ret->status <= 299 ? OK : refusal(c, ret);
}

/* ---- the calls ---- */

static struct str cache_name(const struct call *c)
{
    return arena_printf(c->arena, "%.*s %.*s/%.*s", STR_ARG(c->place->endpoint), STR_ARG(c->place->bucket),
                        STR_ARG(c->key));
}

struct err remote_check_bucket(struct remote *r, const struct remote_place *p, struct arena *arena)
{
    struct call c = {
        .remote = r, .place = p, .method = "HEAD", .arena = arena, .bytes_max = REMOTE_ERROR_BYTES
    };
    struct exchange_reply reply;

    return remote_call(&c, &reply);
}

static struct err fetch(struct call *c, struct str *ret)
{
    struct exchange_reply reply;

    TRY(remote_call(c, &reply));
    *ret = reply.body;
    return OK;
}

struct err remote_get(struct remote *r, const struct remote_place *p, struct str key, size_t bytes_max,
                      struct arena *arena, struct str *ret)
{
    struct call c = {
        .remote = r, .place = p, .method = "GET", .key = key, .arena = arena, .bytes_max = bytes_max
    };
    const struct str name = cache_name(&c);

    if (!name.data) return no_memory();
    if (file_cache_get(r->cache, name, arena, ret)) {
        METRIC_ADD(remote_cache_hits, 1);
        return ret->len <= bytes_max
            ? OK
            : remote_call_failed(&c, ERR_TOO_LARGE, "the file is larger than is read");
    }
    TRY(fetch(&c, ret));
    file_cache_put(r->cache, name, *ret);
    return OK;
}

/* "It is there already" to a second attempt may be the doing of the first, whose answer was lost. */
static struct err settle_put(struct call *put, struct err refused)
{
    struct call get = { .remote = put->remote,
                        .place = put->place,
                        .method = "GET",
                        .key = put->key,
                        .arena = put->arena,
                        .bytes_max = put->body.len + REMOTE_ERROR_BYTES };
    struct str there;
    char why[512];

    refused = err_keep(refused, why, sizeof(why));
    if (fetch(&get, &there).code == ERR_OK && str_eq(there, put->body)) return OK;
    return err_fail(refused.code, "%s", refused.why);
}

struct err remote_put(struct remote *r, const struct remote_place *p, struct str key, struct str bytes,
                      struct arena *arena)
{
    struct call c = { .remote = r,
                      .place = p,
                      .method = "PUT",
                      .key = key,
                      .body = bytes,
                      .is_new_only = true,
                      .arena = arena,
                      .bytes_max = REMOTE_ERROR_BYTES };
    struct exchange_reply reply;
    const struct str name = cache_name(&c);

    if (!name.data) return no_memory();
    struct err e = remote_call(&c, &reply);
    if (e.code == ERR_PRECONDITION) e = settle_put(&c, e);
    TRY(e);
    file_cache_put(r->cache, name, bytes);
    return OK;
}

struct err remote_delete(struct remote *r, const struct remote_place *p, struct str key, struct arena *arena)
{
    struct call c = { .remote = r,
                      .place = p,
                      .method = "DELETE",
                      .key = key,
                      .arena = arena,
                      .bytes_max = REMOTE_ERROR_BYTES };
    struct exchange_reply reply;
    const struct str name = cache_name(&c);

    if (name.data) file_cache_forget(r->cache, name);
    const struct err e = remote_call(&c, &reply);
    return e.code == ERR_NO_SUCH_KEY ? OK : e;
}
