/*
 * call.c - the order in which an edge's functions run for one request, and its waiting.
 *
 * Which of libmicrohttpd's three questions (call.h) runs what:
 *
 *   head, when a body is coming   app->head. An answer now goes out before the body is read, unless the body is small and under way anyhow:
 *                                 then it is thrown away first, and the connection can go on.
 *   each piece                    app->data; nothing behind an answer.
 *   the end                       app->head when there is no body (an answer at the first question would close the connection), app->end.
 *
 * A function that called http_wait has its connection suspended. libmicrohttpd then asks the same question again after http_wake, and `then`
 * runs in place of the function.
 */
#include <assert.h>
#include <sched.h>
#include <string.h>

#include "server/http/connection.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"

void http_hand_over(struct http_request *req, const struct http_app *app)
{
    req->app = app;
    app->head(req);
}

void *http_context(const struct http_request *req)
{
    return req->app->context;
}

/* ---- the order ---- */

static void run_then(struct http_call *call)
{
    void (*then)(struct http_request *) = call->then;

    call->then = NULL;
    connection_set_phase(call->conn, PHASE_OURS);
    then(&call->req);
}

static void run_head(struct http_call *call)
{
    call->stage = CALL_HEAD;
    call->req.app->head(&call->req);
}

/* Is it cheaper to throw the rest of the body away than to lose the connection? */
static bool is_rest_small(const struct http_call *call)
{
    if (call->req.is_chunked) return call->body_seen < LIMIT_DRAIN_BYTES;
    return call->req.content_length - call->body_seen <= LIMIT_DRAIN_BYTES;
}

enum call_next call_head(struct http_call *call)
{
    if (call->stage == CALL_NEW) {
        run_head(call);
    } else {
        run_then(call);
    }
    if (call->then) return CALL_WAITS;
    if (http_is_answered(&call->req)) {
        /* A client that waits for our 100 would wait for nothing, and one that sends without a length may not end. */
        if (call->expects_continue || call->req.is_chunked || !is_rest_small(call)) return CALL_ANSWER;
    }
    call->stage = CALL_BODY;
    connection_set_phase(call->conn, PHASE_BODY);
    return CALL_GO_ON;
}

enum call_next call_piece(struct http_call *call, struct str piece, size_t *ret_taken)
{
    *ret_taken = piece.len;
    if (call->then) run_then(call);
    if (!call->then && call->piece_given < piece.len) {
        const struct str fresh = str_from(piece, call->piece_given);
        call->piece_given = piece.len;
        call->body_seen += fresh.len;
        METRIC_ADD(http_bytes_in, fresh.len);
        if (!http_is_answered(&call->req)) call->req.app->data(&call->req, fresh);
    }
    if (call->then) {
        *ret_taken = 0;
        return CALL_WAITS;
    }
    call->piece_given = 0;
    if (http_is_answered(&call->req) && !is_rest_small(call)) return CALL_BREAK_OFF;
    connection_set_phase(call->conn, PHASE_BODY);
    return CALL_GO_ON;
}

enum call_next call_end(struct http_call *call)
{
    call->is_body_whole = true;
    if (call->then) {
        run_then(call);
    } else if (call->stage == CALL_NEW) {
        run_head(call);
    }
    if (!call->then && !http_is_answered(&call->req) && call->stage != CALL_END) {
        call->stage = CALL_END;
        connection_set_phase(call->conn, PHASE_OURS);
        call->req.app->end(&call->req);
    }
    if (call->then) return CALL_WAITS;
    if (!http_is_answered(&call->req)) {
        LOG_ERROR("a request was not answered", STRF("request", call->req.id),
                  STRF("app", call->req.app->name));
        answer_plain(call, 500, "internal error");
    }
    return CALL_ANSWER;
}

void call_done(struct http_call *call, bool was_sent)
{
    struct answer *a = &call->answer;

    /* `then` is still set when the connection was found broken between the wake and the question: it does not run any more. */
    const bool has_body = a->kind != ANSWER_LENGTH && call->req.method != HTTP_HEAD;
    if (was_sent && has_body) METRIC_ADD(http_bytes_out, a->len);
    if (a->kind == ANSWER_SOURCE && a->source.close) a->source.close(a->source.arg);
    if (a->kind == ANSWER_FILE && !call->is_sent) sys_close(a->fd);
    if (call->stage != CALL_NEW) call->req.app->done(&call->req);
    (void)arena_free(call->req.arena);
}

/* ---- waiting ---- */

void http_wait(struct http_request *req, void (*then)(struct http_request *req))
{
    struct http_call *call = call_of(req);

    assert(!call->then);
    call->then = then;
    call_suspend(call);
}

void http_wake(struct http_request *req)
{
    call_resume(call_of(req));
}

static void run_work(void *arg)
{
    struct http_call *call = arg;

    atomic_fetch_sub_explicit(&call->conn->server->offloads, 1, memory_order_relaxed);
    METRIC_ADD(http_offloads, -1);
    call->work(&call->req);
    http_wake(&call->req);
}

struct err http_offload(struct http_request *req, void (*work)(struct http_request *req),
                        void (*then)(struct http_request *req))
{
    struct http_call *call = call_of(req);
    struct http_server *s = call->conn->server;

    if (atomic_fetch_add_explicit(&s->offloads, 1, memory_order_relaxed) >= LIMIT_OFFLOADS) {
        atomic_fetch_sub_explicit(&s->offloads, 1, memory_order_relaxed);
        METRIC_ADD(http_offloads_refused, 1);
        return FAIL(ERR_BUSY, "too many requests wait for a worker");
    }
    METRIC_ADD(http_offloads, 1);
    call->work = work;
    http_wait(req, then);
    /* The queue has room for all that the count lets in, and the pool ends after the last request. */
    const struct err e = pool_submit(s->workers, run_work, call);
    assert(e.code == ERR_OK);
    err_ignore(e);
    return OK;
}
