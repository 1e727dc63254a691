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

/* One request on its way. */
struct transfer {
    CURL *curl;
    const struct request *request;
    struct arena *arena;
    struct buf body;
    struct reply reply;
    uint64_t done; /* bytes sent or received */
    off_t start;   /* where the upload's file stood */
    bool is_write_failed;
};

static bool is_good(struct transfer *t)
{
    long status = 0;

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status <= 299;
}

static void show_progress(struct transfer *t)
{
    const struct request *r = t->request;
    curl_off_t expected = -1;

    if (!r->progress) return;
    if (r->download) curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
    progress_bytes(r->progress, r->done + t->done, expected > 0 ? (uint64_t)expected : r->total, r->label);
}

/* A short count makes libcurl give up. */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t len = size * count;

    if (t->request->download && is_good(t)) {
        t->is_write_failed = fwrite(data, 1, len, t->request->download) != len;
        t->done += len;
        show_progress(t);
        return t->is_write_failed ? 0 : len;
    }
    buf_append(&t->body, data, len);
    return t->body.is_failed ? 0 : len;
}

/* Not a byte more than was promised: libcurl would send it. */
static size_t on_upload(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const uint64_t left = t->request->upload_bytes - t->done;
    const size_t room = size * count;

    if (!t->request->upload || left == 0) return 0;
    const size_t len = fread(data, 1, left < room ? (size_t)left : room, t->request->upload);
    if (len == 0) return CURL_READFUNC_ABORT; /* the file has become shorter */
    t->done += len;
    show_progress(t);
    return len;
}

/* A kept connection may turn out to be closed when a body is already on its way: it is sent again. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET || !t->request->upload) return CURL_SEEKFUNC_CANTSEEK;
    if (fseeko(t->request->upload, t->start + (off_t)offset, SEEK_SET) != 0) return CURL_SEEKFUNC_CANTSEEK;
    t->done = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    struct str name, line = str_of(data, size * count);

    while (str_ends(line, STR("\n")) || str_ends(line, STR("\r"))) line.len--;
    const struct str value = str_trim(str_cut(line, ':', &name));
    if (str_is_nocase(name, "etag")) t->reply.etag = arena_str(t->arena, value);
    if (str_is_nocase(name, "date")) t->reply.date = arena_str(t->arena, value);
    return size * count;
}

static bool header_add(struct curl_slist **list, struct str line)
{
    struct curl_slist *longer = line.data ? curl_slist_append(*list, line.data) : NULL;

    if (longer) *list = longer;
    return longer != NULL;
}

static struct err set_headers(const struct request *r, struct arena *arena, struct curl_slist **list)
{
    const char *sum = r->upload_bytes || r->body.len ? "UNSIGNED-PAYLOAD" : EMPTY_SHA256;
    bool is_ok = true;

    if (r->type) is_ok = header_add(list, arena_printf(arena, "Content-Type: %s", r->type));
    if (r->signer) is_ok = is_ok && header_add(list, arena_printf(arena, "x-amz-content-sha256: %s", sum));
    if (r->bearer.len)
        is_ok = is_ok
            && header_add(list, arena_printf(arena, "Authorization: Bearer %.*s", STR_ARG(r->bearer)));
    for (size_t i = 0; i < sizeof(r->headers) / sizeof(r->headers[0]); i++) {
        if (r->headers[i].data) is_ok = is_ok && header_add(list, r->headers[i]);
    }
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

static void set_body(CURL *curl, struct transfer *t)
{
    const struct request *r = t->request;

    if (str_is(str_from_z(r->method), "PUT") && !r->type) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(curl, CURLOPT_READDATA, t);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, t);
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
static struct err failure_of(struct client *c, CURLcode code, const struct transfer *t)
{
    const struct request *r = t->request;
    const char *why = c->why[0] ? c->why : curl_easy_strerror(code);

    if (t->is_write_failed) return FAIL(ERR_IO, "what was received cannot be written");
    if (t->body.is_too_large)
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

static struct err perform(struct client *c, struct transfer *t)
{
    const struct request *r = t->request;
    struct curl_slist *headers = NULL;
    long status = 0;

    curl_easy_reset(c->curl);
    c->why[0] = '\0';
    set_manners(c);
    set_body(c->curl, t);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, t);
    struct err e = set_headers(r, t->arena, &headers);
    if (e.code == ERR_OK && r->signer) e = set_signature(c->curl, r, t->arena);
    const char *url = arena_z(t->arena, r->url);
    if (e.code == ERR_OK && !url) e = FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (e.code == ERR_OK) {
        curl_easy_setopt(c->curl, CURLOPT_URL, url);
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
        const CURLcode code = curl_easy_perform(c->curl);
        if (code != CURLE_OK) e = failure_of(c, code, t);
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        t->reply.status = (int)status;
    }
    curl_slist_free_all(headers);
    return e;
}

struct err client_send(struct client *c, const struct request *request, struct arena *arena,
                       struct reply *ret)
{
    struct transfer t = { .curl = c->curl, .request = request, .arena = arena };

    if (request->upload) t.start = ftello(request->upload);
    buf_init(&t.body, LIMIT_ANSWER);
    const struct err e = perform(c, &t);
    t.reply.body = arena_str(arena, buf_view(&t.body));
    buf_done(&t.body);
    TRY(e);
    if (!t.reply.body.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = t.reply;
    return OK;
}
