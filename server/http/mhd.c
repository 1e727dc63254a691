/*
 * mhd.c - libmicrohttpd: the daemon and its callbacks.
 *
 * What must be known of libmicrohttpd 0.9.75 (Debian), read in its sources and held by http_test.c:
 *
 *  - The handler is first asked with the head, before "100 Continue". A response queued then closes the connection, also without a
 *    body; a suspended first question is asked again after the resume, and no 100 is sent before.
 *  - A response cannot be queued while the body is coming. answer_send_now writes to the socket for that case.
 *  - Suspending only sets a flag that its thread takes away again after MHD_resume_connection, so a resume from any thread,
 *    also before the handler has returned, is right. One more MHD_suspend_connection before that is not.
 *  - MHD_stop_daemon aborts when a connection is suspended, and frees what MHD_resume_connection may still be using.
 *  - Its timeouts take a lock and read the clock for each read and write, and any byte resets them: not used (slow.c).
 *  - Query arguments, when they find no more room in its memory pool, leave the connection spinning. They are not parsed: the query is cut
 *    off in on_line, before it looks at them.
 *  - It ends a header at a NUL, and takes a bare LF for a line end. take_header sees both by the places where headers begin.
 *  - The completed callback runs before the response is destroyed, which does not touch its data.
 *  - On errors it closes with a shutdown for writing and then close(). If the client has sent bytes that nobody read, the kernel answers with a reset
 *    that may overtake our answer. So the socket is duplicated before, and read empty (linger.c).
 *  - With its own strict checks (MHD_OPTION_STRICT_FOR_CLIENT) it closes without an answer on a space in the target, and answers twice when Host is
 *    missing. They are off, since request.c checks more. A Content-Length that is no number, and cookies that find no room, still get two heads of
 *    one 400: the client sees one, with a strange body.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "server/http/connection.h"
#include "storage/base/clock.h"
#include "storage/base/metrics.h"

/* ---- connections ---- */

static void connection_begin(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c) return;
    c->mhd = mhd;
    c->server = s;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->listener = s->listeners[s->listener_of_fd[c->fd]];
    c->peer = address_text(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
                           c->peer_text);
    if (connection_enter(c)) {
        *context = c;
    } else {
        free(c);
    }
}

/* It was shut down for writing and is about to be closed. */
static void connection_end(struct connection *c)
{
    int unread = 0;

    connection_leave(c);
    if (!c->must_linger) (void)ioctl(c->fd, FIONREAD, &unread);
    if (c->must_linger || unread > 0) linger_take(c->server, fcntl(c->fd, F_DUPFD_CLOEXEC, 0));
    free(c);
}

static void on_connection(void *server, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_begin(server, mhd, context);
    } else if (*context) {
        connection_end(*context);
        *context = NULL;
    }
}

/* ---- a request's head ---- */

static struct http_call *call_new(struct connection *c)
{
    const struct http_app *app = c->listener->app;
    struct arena *arena = arena_new(app->arena_max ? app->arena_max : LIMIT_REQUEST_ARENA);
    if (!arena) return NULL;
    struct http_call *call = arena_new_of(arena, struct http_call);
    if (!call) {
        (void)arena_free(arena);
        return NULL;
    }
    call->conn = c;
    call->req.app = app;
    call->answer.headers_end = &call->answer.headers;
    call->req.arena = arena;
    call->req.peer = c->peer;
    call->req.listener = c->listener;
    connection_request_id(c, call->req.id);
    return call;
}

/* The request line is here: the last chance to see the target as it came. What this returns is the request's context. */
static void *on_line(void *server, const char *target, struct MHD_Connection *mhd)
{
    (void)server;
    struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!c) return NULL;
    struct http_call *call = call_new(c);
    if (!call) return NULL;

    atomic_store_explicit(&c->calls, atomic_load_explicit(&c->calls, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    connection_set_phase(c, PHASE_HEAD);
    call->target_len = strlen(target);
    if (call->target_len <= LIMIT_TARGET)
        call->req.target = arena_str(call->req.arena, str_of(target, call->target_len));
    /* It lies in libmicrohttpd's read buffer, and what is behind the '?' is looked at next. */
    char *query = memchr((char *)(uintptr_t)target, '?', call->target_len);
    if (query) query[1] = 0;
    return call;
}

struct heads {
    struct http_pair *pairs;
    size_t count, size, name_bytes;
    const char *next; /* where the next header must begin */
    bool is_misplaced;
};

/* Lines end in CRLF, for which libmicrohttpd has put two NULs. A header that does not begin right behind the one before was folded, ended in a
 * bare LF, or had a NUL in it. */
static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    struct heads *h = arg;

    (void)kind;
    if (name != h->next || !value) h->is_misplaced = true;
    if (h->is_misplaced || h->count == h->size) return MHD_NO;
    h->pairs[h->count].name = str_of(name, name_len);
    h->pairs[h->count].value = str_of(value, value_len);
    h->count++;
    h->name_bytes += name_len;
    h->next = value + value_len + 2;
    return MHD_YES;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool lower_names(struct heads *h, struct arena *arena)
{
    char *out = arena_alloc(arena, h->name_bytes);
    if (!out) return false;

    for (size_t i = 0; i < h->count; i++) {
        struct str *name = &h->pairs[i].name;
        for (size_t k = 0; k < name->len; k++) out[k] = lower(name->data[k]);
        name->data = out;
        out += name->len;
    }
    return true;
}

/* Why the head is refused, or NULL. method, target and version point into it: it begins with the method. */
static const char *take_head(struct http_call *call, const char *method, const char *target,
                             const char *version, int *ret_status)
{
    struct MHD_Connection *mhd = call->conn->mhd;
    struct http_request *req = &call->req;
    const size_t head_len =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;

    *ret_status = 400;
    req->method_name = str_from_z(method);
    if (target != method + req->method_name.len + 1 || version != target + call->target_len + 1)
        return "bad request line";
    *ret_status = 414;
    if (call->target_len > LIMIT_TARGET) return "the request target is too long";
    *ret_status = 431;
    if (head_len > LIMIT_HEADER_BYTES) return "the head is too long";
    const int count = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
    if (count > LIMIT_HEADERS) return "too many headers";

    *ret_status = 503;
    struct heads h = { .size = (size_t)count, .next = version + strlen(version) + 2 };
    h.pairs = arena_array(req->arena, struct http_pair, h.size);
    if (!req->target.data || !h.pairs) return "no memory";
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, take_header, &h);
    if (!lower_names(&h, req->arena)) return "no memory";

    *ret_status = 400;
    if (h.is_misplaced || h.next + 2 != method + head_len) return "bad line end or folded header";
    req->header_count = h.count;
    const char *refusal = request_check_headers(req, h.pairs, !strcmp(version, "HTTP/1.0"), ret_status);
    if (!refusal) refusal = request_parse_target(req, ret_status);
    return refusal;
}

/* ---- the handler ---- */

static enum MHD_Result go_on(struct http_call *call, enum call_next next)
{
    switch (next) {
    case CALL_GO_ON:
    case CALL_WAITS: return MHD_YES;
    case CALL_ANSWER: return answer_queue(call) ? MHD_YES : MHD_NO;
    case CALL_BREAK_OFF: answer_send_now(call); return MHD_NO;
    }
    return MHD_NO;
}

/* From here on a request is under way, and http_server_stop waits for it; unless it is closing, and nothing begins any more. */
static bool begin_request(struct http_call *call)
{
    struct http_server *s = call->conn->server;

    atomic_store(&call->conn->phase, PHASE_OURS);
    if (!atomic_load(&s->is_closing)) return true;
    connection_set_idle(call->conn);
    return false;
}

static enum MHD_Result first_question(struct http_call *call, const char *method, const char *target,
                                      const char *version)
{
    int status;

    if (!begin_request(call)) return MHD_NO;
    METRIC_ADD(http_requests, 1);
    call->req.start_ns = clock_mono_ns();
    const char *refusal = take_head(call, method, target, version, &status);
    if (refusal) {
        answer_plain(call, status, refusal);
        call->answer.closes = true;
        return answer_queue(call) ? MHD_YES : MHD_NO;
    }
    if (!call->req.has_body) return MHD_YES;
    call->expects_continue = str_is_nocase(http_header(&call->req, "expect"), "100-continue");
    return go_on(call, call_head(call));
}

static enum MHD_Result on_question(void *server, struct MHD_Connection *mhd, const char *target,
                                   const char *method, const char *version, const char *data, size_t *size,
                                   void **context)
{
    struct http_call *call = *context;

    (void)server, (void)mhd;
    if (!call) return MHD_NO;
    if (!call->req.start_ns) return first_question(call, method, target, version);
    if (*size) {
        size_t taken;
        const enum call_next next = call_piece(call, str_of(data, *size), &taken);
        *size -= taken;
        return go_on(call, next);
    }
    if (call->req.has_body && call->stage == CALL_HEAD) return go_on(call, call_head(call));
    return go_on(call, call_end(call));
}

/* Has the client perhaps sent, or is it about to send, bytes that nobody will read? */
static bool must_linger(const struct http_call *call, enum MHD_RequestTerminationCode code)
{
    if (call->is_body_whole) return false;
    return code == MHD_REQUEST_TERMINATED_COMPLETED_OK || code == MHD_REQUEST_TERMINATED_WITH_ERROR;
}

static void on_completed(void *server, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *context;

    (void)server, (void)mhd;
    if (!call) return;
    *context = NULL;
    struct connection *c = call->conn;
    c->must_linger = must_linger(call, code);
    call_done(call, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    connection_set_idle(c);
}

static size_t leave_escaped(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg, (void)mhd;
    return strlen(text);
}

/* ---- waiting ---- */

void call_suspend(struct http_call *call)
{
    connection_set_phase(call->conn, PHASE_OURS);
    MHD_suspend_connection(call->conn->mhd);
}

void call_resume(struct http_call *call)
{
    struct http_server *s = call->conn->server;

    /* The request may end, and with it the server, before libmicrohttpd returns: http_server_stop waits for the count. */
    atomic_fetch_add(&s->wakes, 1);
    MHD_resume_connection(call->conn->mhd);
    atomic_fetch_sub(&s->wakes, 1);
}

/* ---- the daemon ---- */

struct err mhd_start(struct http_server *s, int threads)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, LIMIT_HTTP_POOL, NULL },
        /* The watch thread refuses connections; the library only divides its limit among its threads. */
        { MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(s->connections_max + 1024) * threads, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, s },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s },
        { MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_line, s },
        { MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL },
        { MHD_OPTION_THREAD_POOL_SIZE, threads, NULL },
        { MHD_OPTION_END, 0, NULL },
    };

    /* Its threads inherit this mask, like those of thread_start: only what is a thread's own fault reaches it. */
    sigset_t blocked, before;
    (void)sigfillset(&blocked);
    static const int own_faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
    for (size_t i = 0; i < sizeof(own_faults) / sizeof(own_faults[0]); i++)
        (void)sigdelset(&blocked, own_faults[i]);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC
                                     | MHD_USE_NO_LISTEN_SOCKET,
                                 0, NULL, NULL, on_question, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->daemon ? OK : FAIL(ERR_INTERNAL, "libmicrohttpd does not start");
}

void mhd_add(struct http_server *s, int fd, const struct sockaddr *addr, socklen_t addr_len)
{
    /* On failure it has closed fd. */
    (void)MHD_add_connection(s->daemon, fd, addr, addr_len);
}

void mhd_stop(struct http_server *s)
{
    if (!s->daemon) return;
    /* A waker has a few instructions left after the request that it woke has ended; there is nothing to be told by. */
    while (atomic_load(&s->wakes)) (void)sched_yield();
    MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
}
