/*
 * exchange.c - libcurl, with a stack of idle handles: a handle keeps its connections, so the one that was used last is the one that is taken next.
 */
#include "storage/remote/exchange.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define CONNECT_MS 5000L

struct exchanges {
    struct mutex lock;
    CURL *idle[LIMIT_REMOTE_IDLE]; /* guarded by lock */
    size_t idle_count;
};

struct err exchanges_new(struct exchanges **ret)
{
    struct exchanges *x = calloc(1, sizeof(*x));

    if (!x) return no_memory();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(x);
        return FAIL(ERR_INTERNAL, "libcurl does not start");
    }
    mutex_init(&x->lock, LOCK_REMOTE);
    *ret = x;
    return OK;
}

struct exchanges *exchanges_free(struct exchanges *x)
{
    if (!x) return NULL;
    for (size_t i = 0; i < x->idle_count; i++) curl_easy_cleanup(x->idle[i]);
    mutex_done(&x->lock);
    free(x);
    return NULL;
}

static CURL *take(struct exchanges *x)
{
    CURL *curl = NULL;

    mutex_lock(&x->lock);
    if (x->idle_count) curl = x->idle[--x->idle_count];
    mutex_unlock(&x->lock);
    return curl ? curl : curl_easy_init();
}

static void give_back(struct exchanges *x, CURL *curl)
{
    bool is_kept = false;

    curl_easy_reset(curl); /* keeps connections */
    mutex_lock(&x->lock);
    is_kept = x->idle_count < LIMIT_REMOTE_IDLE;
    if (is_kept) x->idle[x->idle_count++] = curl;
    mutex_unlock(&x->lock);
    if (!is_kept) curl_easy_cleanup(curl);
}

/* One request on its way. */
struct transfer {
    const struct exchange *exchange;
    CURL *curl;
    struct buf body;
    char why[CURL_ERROR_SIZE];
};

/* A short count makes libcurl give up. */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;

    buf_append(&t->body, data, size * count);
    return t->body.is_failed ? 0 : size * count;
}

static void set_manners(struct transfer *t)
{
    CURL *c = t->curl;

    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)t->exchange->timeout_ms);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "firn");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
}

static void set_method(struct transfer *t)
{
    const struct exchange *e = t->exchange;
    const struct str method = str_from_z(e->method);

    curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, e->method);
    if (str_is(method, "HEAD")) curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
    if (!str_is(method, "PUT") && !str_is(method, "POST")) return;
    curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)e->body.len);
    curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, e->body.len ? e->body.data : "");
}

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;

    if (longer) *list = longer;
    return longer != NULL;
}

/* "Expect:" without a value keeps libcurl from waiting for a 100 that many servers never send. */
static struct err set_headers(struct transfer *t, struct arena *arena, struct curl_slist **list)
{
    bool is_ok = add(list, "Expect:");

    for (size_t i = 0; i < EXCHANGE_HEADERS_MAX; i++) {
        const struct str line = t->exchange->headers[i];
        if (line.data) is_ok = is_ok && add(list, arena_z(arena, line));
    }
    if (!is_ok) return no_memory();
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, *list);
    return OK;
}

/* Of these it is sure that nothing was received. */
static bool was_sent(CURLcode code)
{
    return code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_CONNECT
        && code != CURLE_SSL_CONNECT_ERROR && code != CURLE_PEER_FAILED_VERIFICATION;
}

/* A large page that is no file: its status is an answer, and what it says besides is a proxy's. */
static bool is_left_out(const struct transfer *t, long status)
{
    return t->body.is_too_large && (status < 200 || status > 299);
}

static struct err failure_of(const struct transfer *t, CURLcode code)
{
    if (t->body.is_too_large)
        return err_fail(ERR_TOO_LARGE, "the answer is larger than %llu bytes",
                        (unsigned long long)t->exchange->bytes_max);
    if (t->body.is_failed) return no_memory();
    return err_fail(ERR_UNAVAILABLE, "%s", t->why[0] ? t->why : curl_easy_strerror(code));
}

static struct str field(const struct transfer *t, const char *name, struct arena *arena)
{
    struct curl_header *h;

    if (curl_easy_header(t->curl, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK || h->amount != 1)
        return STR("");
    return arena_str(arena, str_from_z(h->value));
}

static struct err take_fields(const struct transfer *t, struct arena *arena, struct exchange_reply *ret)
{
    ret->date = field(t, "Date", arena);
    ret->last_modified = field(t, "Last-Modified", arena);
    ret->content_length = field(t, "Content-Length", arena);
    ret->content_range = field(t, "Content-Range", arena);
    return ret->date.data && ret->last_modified.data && ret->content_length.data && ret->content_range.data
        ? OK
        : no_memory();
}

static struct err perform(struct transfer *t, struct arena *arena, struct exchange_reply *ret,
                          bool *ret_was_sent)
{
    struct curl_slist *headers = NULL;
    const char *url = arena_z(arena, t->exchange->url);
    long status = 0;

    struct err e = url ? set_headers(t, arena, &headers) : no_memory();
    if (e.code == ERR_OK) {
        curl_easy_setopt(t->curl, CURLOPT_URL, url);
        const CURLcode code = curl_easy_perform(t->curl);
        *ret_was_sent = was_sent(code);
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK && !is_left_out(t, status)) e = failure_of(t, code);
    }
    curl_slist_free_all(headers);
    TRY(e);
    ret->status = (int)status;
    ret->body = arena_str(arena, is_left_out(t, status) ? STR("") : buf_view(&t->body));
    if (!ret->body.data) return no_memory();
    return take_fields(t, arena, ret);
}

struct err exchange_run(struct exchanges *x, const struct exchange *e, struct arena *arena,
                        struct exchange_reply *ret, bool *ret_was_sent)
{
    struct transfer t = { .exchange = e, .curl = take(x) };

    *ret_was_sent = false;
    if (!t.curl) return no_memory();
    buf_init(&t.body, e->bytes_max);
    set_manners(&t);
    set_method(&t);
    const struct err done = perform(&t, arena, ret, ret_was_sent);
    buf_done(&t.body);
    give_back(x, t.curl);
    return done;
}
