/*
 * client.c - libcurl, set up anew for each request.
 */
#include "admin/cli/client.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define LIMIT_ANSWER (LIMIT_JSON_BYTES + 1 * MIB) /* a table's metadata, and what is around it */
#define CONNECT_SECONDS 10L
/* Said aloud, since libcurl 7.88 does not send this header by itself. A file is not read twice to hash it. */
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define STALL_SECONDS 60L /* a commit may wait for a disk */

struct client {
    CURL *curl;
    char why[CURL_ERROR_SIZE];
};

struct err client_new(struct client **ret)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) c->curl = curl_easy_init();
    if (!c->curl) {
        free(c);
        return FAIL(ERR_INTERNAL, "libcurl does not start");
    }
    *ret = c;
    return OK;
}

struct client *client_free(struct client *c)
{
    if (c) curl_easy_cleanup(c->curl);
    free(c);
    return NULL;
}

void client_freep(struct client **c)
{
    *c = client_free(*c);
}

/* A short count makes libcurl give up. */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;

    buf_append(body, data, size * count);
    return body->is_failed ? 0 : size * count;
}

static size_t on_upload(char *data, size_t size, size_t count, void *arg)
{
    return arg ? fread(data, 1, size * count, arg) : 0;
}

static bool header_add(struct curl_slist **list, struct str line)
{
    struct curl_slist *longer = line.data ? curl_slist_append(*list, line.data) : NULL;

    if (longer) *list = longer;
    return longer != NULL;
}

static struct err set_headers(const struct request *r, struct arena *arena, struct curl_slist **list)
{
    const char *sum = r->upload_bytes ? "UNSIGNED-PAYLOAD" : EMPTY_SHA256;
    bool is_ok = true;

    if (r->type) is_ok = header_add(list, arena_printf(arena, "Content-Type: %s", r->type));
    if (r->signer) is_ok = is_ok && header_add(list, arena_printf(arena, "x-amz-content-sha256: %s", sum));
    if (r->bearer.len)
        is_ok = is_ok
            && header_add(list, arena_printf(arena, "Authorization: Bearer %.*s", STR_ARG(r->bearer)));
    return is_ok ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

static struct err set_signature(CURL *curl, const struct request *r, struct arena *arena)
{
    const struct str scheme = arena_printf(arena, "aws:amz:%s:s3", r->region);
    const char *user = arena_z(arena, r->signer->user), *password = arena_z(arena, r->signer->password);

    if (!scheme.data || !user || !password) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, scheme.data);
    curl_easy_setopt(curl, CURLOPT_USERNAME, user); /* not USERPWD: a colon may be in it */
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    return OK;
}

static void set_body(CURL *curl, const struct request *r)
{
    if (str_is(str_from_z(r->method), "PUT") && !r->type) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(curl, CURLOPT_READDATA, r->upload);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->upload_bytes);
    } else if (r->type) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body.len ? r->body.data : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_manners(struct client *c)
{
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L); /* keys may hold /../ */
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "firn");
}

/* Before anything was sent it is sure that nothing was done: those are "cannot be reached". */
static struct err failure_of(struct client *c, CURLcode code, const struct request *r, const struct buf *body)
{
    const char *why = c->why[0] ? c->why : curl_easy_strerror(code);

    if (body->is_too_large)
        return err_fail(ERR_TOO_LARGE, "the answer of %.*s is larger than is read", STR_ARG(r->url));
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_URL_MALFORMAT:
        return err_fail(
            ERR_UNAVAILABLE,
            "cannot reach the server at %.*s: %s. Does it run? Is the address right (--endpoint, --data)?",
            STR_ARG(r->url), why);
    default: return err_fail(ERR_IO, "no whole answer from %.*s: %s", STR_ARG(r->url), why);
    }
}

static struct err perform(struct client *c, const struct request *r, struct arena *arena, struct buf *body,
                          long *ret_status)
{
    struct curl_slist *headers = NULL;

    curl_easy_reset(c->curl);
    c->why[0] = '\0';
    set_manners(c);
    set_body(c->curl, r);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, body);
    struct err e = set_headers(r, arena, &headers);
    if (e.code == ERR_OK && r->signer) e = set_signature(c->curl, r, arena);
    const char *url = arena_z(arena, r->url);
    if (e.code == ERR_OK && !url) e = FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (e.code == ERR_OK) {
        curl_easy_setopt(c->curl, CURLOPT_URL, url);
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
        const CURLcode code = curl_easy_perform(c->curl);
        if (code != CURLE_OK) e = failure_of(c, code, r, body);
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, ret_status);
    }
    curl_slist_free_all(headers);
    return e;
}

struct err client_send(struct client *c, const struct request *request, struct arena *arena,
                       struct reply *ret)
{
    struct buf body;
    long status = 0;

    buf_init(&body, LIMIT_ANSWER);
    const struct err e = perform(c, request, arena, &body, &status);
    const struct str text = arena_str(arena, buf_view(&body));
    buf_done(&body);
    TRY(e);
    if (!text.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = (struct reply){ (int)status, text };
    return OK;
}
