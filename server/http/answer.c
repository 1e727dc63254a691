/*
 * answer.c - what an edge answers: kept in the call until its time has come, then given to libmicrohttpd.
 *
 * An answer is only written down by http_answer*. It is given to libmicrohttpd when the edge's function has returned and the protocol allows
 * it (call.c): libmicrohttpd takes a response before the body, where it always closes the connection, or after it, and never in its middle.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "server/http/connection.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"

/* ---- writing it down ---- */

static bool may_stand_in_header(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.data[i];
        if (c == '\r' || c == '\n' || !c) return false;
    }
    return true;
}

static void add_header(struct http_call *call, const char *name, const char *value)
{
    struct answer_header *h = value ? arena_new_of(call->req.arena, struct answer_header) : NULL;

    if (!h) {
        call->answer.is_broken = true;
        return;
    }
    h->name = name;
    h->value = value;
    *call->answer.headers_end = h;
    call->answer.headers_end = &h->next;
}

void http_set(struct http_request *req, const char *name, struct str value)
{
    struct http_call *call = call_of(req);
    const char *kept_name = arena_z(req->arena, str_from_z(name));

    /* libmicrohttpd refuses an empty value; a blank one is empty to every reader. */
    if (!may_stand_in_header(value) || !value.len) value = STR(" ");
    add_header(call, kept_name, kept_name ? arena_z(req->arena, value) : NULL);
}

void http_setf(struct http_request *req, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    const int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof(text)) {
        http_set(req, name, str_of(text, (size_t)len));
        return;
    }
    struct buf longer;
    buf_init(&longer, LIMIT_HEADER_BYTES);
    char *room = len < 0 ? NULL : buf_extend(&longer, (size_t)len + 1);
    if (room) {
        va_start(args, format);
        (void)vsnprintf(room, (size_t)len + 1, format, args);
        va_end(args);
        http_set(req, name, str_of(room, (size_t)len));
    } else {
        call_of(req)->answer.is_broken = true;
    }
    buf_done(&longer);
}

static bool begin_answer(struct http_request *req, enum answer_kind kind, int status, uint64_t len)
{
    struct answer *a = &call_of(req)->answer;

    assert(a->kind == ANSWER_NONE);
    if (a->kind != ANSWER_NONE) return false;
    a->kind = kind;
    a->status = status;
    a->len = len;
    return true;
}

void http_answer(struct http_request *req, int status, struct str body)
{
    if (begin_answer(req, ANSWER_BYTES, status, body.len)) call_of(req)->answer.bytes = body;
}

void http_answer_head(struct http_request *req, int status, uint64_t content_length)
{
    /* A length that no body follows would leave the client waiting. */
    if (req->method != HTTP_HEAD && status != 304) content_length = 0;
    (void)begin_answer(req, ANSWER_LENGTH, status, content_length);
}

void http_answer_file(struct http_request *req, int status, int fd, uint64_t offset, uint64_t len)
{
    struct answer *a = &call_of(req)->answer;

    if (!begin_answer(req, ANSWER_FILE, status, len)) {
        sys_close(fd);
        return;
    }
    a->fd = fd;
    a->offset = offset;
}

void http_answer_source(struct http_request *req, int status, uint64_t len, struct http_source source)
{
    if (begin_answer(req, ANSWER_SOURCE, status, len)) {
        call_of(req)->answer.source = source;
    } else if (source.close) {
        source.close(source.arg);
    }
}

bool http_is_answered(const struct http_request *req)
{
    return ((const struct http_call *)req)->answer.kind != ANSWER_NONE;
}

int http_status(const struct http_request *req)
{
    return ((const struct http_call *)req)->answer.status;
}

void http_close_after(struct http_request *req)
{
    call_of(req)->answer.closes = true;
}

/* What the answer holds and libmicrohttpd has not got. */
static void release(struct answer *a)
{
    if (a->kind == ANSWER_FILE) sys_close(a->fd);
    if (a->kind == ANSWER_SOURCE && a->source.close) a->source.close(a->source.arg);
    a->kind = ANSWER_NONE;
}

void answer_plain(struct http_call *call, int status, const char *text)
{
    struct answer *a = &call->answer;

    release(a);
    a->headers = NULL;
    a->headers_end = &a->headers;
    a->is_broken = false;
    a->kind = ANSWER_BYTES;
    a->status = status;
    a->bytes = arena_printf(call->req.arena, "%s\n", text);
    if (!a->bytes.data) a->bytes = STR("no memory\n");
    a->len = a->bytes.len;
}

/* ---- giving it to libmicrohttpd ---- */

/* Never called: libmicrohttpd sends no body for HEAD and 304, which are all it is for. */
static ssize_t no_body(void *arg, uint64_t pos, char *out, size_t size)
{
    (void)arg, (void)pos, (void)out, (void)size;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void run_fill(void *arg)
{
    struct http_call *call = arg;

    const struct err e = call->answer.source.fill(call->answer.source.arg, call->fill_pos, call->fill_len);
    call->fill_code = e.code;
    call->has_filled = true;
    call_resume(call);
}

static ssize_t break_off(struct http_call *call, struct err e)
{
    LOG_WARN("answer broken off", STRF("request", call->req.id), STRF("code", err_name(e.code)), ERRF(e));
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* libmicrohttpd asks for the next piece. 0 and suspended: not yet. */
static ssize_t read_source(void *arg, uint64_t pos, char *out, size_t size)
{
    struct http_call *call = arg;
    const struct http_source *source = &call->answer.source;
    size_t len = 0;

    if (call->has_filled) {
        call->has_filled = false;
        if (call->fill_code != ERR_OK)
            return break_off(call, FAIL(call->fill_code, err_text(call->fill_code)));
    }
    connection_set_phase(call->conn, PHASE_SENDING);
    const struct err e = source->read(source->arg, pos, out, size, &len);
    if (e.code == ERR_OK && len > 0 && len <= size) return (ssize_t)len;
    if (e.code == ERR_OK) return break_off(call, FAIL(ERR_INTERNAL, "the source gave no bytes"));
    if (e.code != ERR_BUSY || !source->fill) return break_off(call, e);

    /* The queue has a place for every connection, so this fails only when the server has ended. */
    call->fill_pos = pos;
    call->fill_len = size;
    call_suspend(call);
    const struct err queued = pool_submit(call->conn->server->fillers, run_fill, call);
    if (queued.code) {
        call->fill_code = queued.code;
        call->has_filled = true;
        call_resume(call);
    }
    return 0;
}

static struct MHD_Response *response_new(struct http_call *call)
{
    const struct answer *a = &call->answer;

    switch (a->kind) {
    case ANSWER_BYTES:
        return MHD_create_response_from_buffer(a->bytes.len, (void *)(uintptr_t)a->bytes.data,
                                               MHD_RESPMEM_PERSISTENT);
    case ANSWER_NONE:
    case ANSWER_LENGTH: return MHD_create_response_from_callback(a->len, 1, no_body, NULL, NULL);
    case ANSWER_FILE: return MHD_create_response_from_fd_at_offset64(a->len, a->fd, a->offset);
    case ANSWER_SOURCE:
        return MHD_create_response_from_callback(
            a->len, a->len && a->len < LIMIT_SOURCE_PIECE ? a->len : LIMIT_SOURCE_PIECE, read_source, call,
            NULL);
    }
    return NULL;
}

static bool add_headers(const struct http_call *call, struct MHD_Response *response)
{
    for (const struct answer_header *h = call->answer.headers; h; h = h->next) {
        if (MHD_add_response_header(response, h->name, h->value) != MHD_YES) return false;
    }
    if (!call->answer.closes) return true;
    return MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

static void count(const struct answer *a)
{
    if (a->status >= 500) {
        METRIC_ADD(http_errors_5xx, 1);
    } else if (a->status >= 400) {
        METRIC_ADD(http_errors_4xx, 1);
    }
}

bool answer_queue(struct http_call *call)
{
    struct answer *a = &call->answer;

    if (a->is_broken) answer_plain(call, 503, "no memory");
    if (atomic_load_explicit(&call->conn->server->is_stopping, memory_order_relaxed)) a->closes = true;
    struct MHD_Response *response = response_new(call);
    if (!response) return false;
    /* From here on a file's descriptor is the response's to close. */
    call->is_sent = true;
    const bool is_queued = add_headers(call, response)
        && MHD_queue_response(call->conn->mhd, (unsigned)a->status, response) == MHD_YES;
    MHD_destroy_response(response);
    if (!is_queued) return false;
    count(a);
    connection_set_phase(call->conn, PHASE_SENDING);
    return true;
}

/* ---- past libmicrohttpd ---- */

static void print_head(const struct http_call *call, struct buf *out)
{
    const struct answer *a = &call->answer;
    char date[CLOCK_HTTP_SIZE];

    clock_http(clock_now_ms(), date);
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\n", a->status,
               MHD_get_reason_phrase_for((unsigned)a->status), date);
    for (const struct answer_header *h = a->headers; h; h = h->next)
        buf_printf(out, "%s: %s\r\n", h->name, h->value);
    buf_printf(out, "Content-Length: %llu\r\n\r\n", (unsigned long long)a->len);
}

void answer_send_now(struct http_call *call)
{
    struct answer *a = &call->answer;

    if (a->is_broken || a->kind == ANSWER_FILE || a->kind == ANSWER_SOURCE) {
        answer_plain(call, 500, "internal error");
    }
    struct buf out;
    buf_init(&out, LIMIT_HEADER_BYTES + a->bytes.len);
    print_head(call, &out);
    buf_str(&out, a->bytes);
    /* Nothing was sent on this connection since the request began, so the socket takes an error document whole. */
    if (!buf_err(&out).code) (void)send(call->conn->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_done(&out);
    call->is_sent = true;
    count(a);
}
