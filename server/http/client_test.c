/*
 * client_test.c - see client_test.h.
 */
#include "server/http/client_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/base/clock.h"
#include "tests/unit/test.h"

#define DEADLINE_MS 20000

/* ---- a server ---- */

struct body {
    struct buf bytes;
};

static void free_body(void *arg)
{
    buf_done(&((struct body *)arg)->bytes);
}

static struct serving *serving_of(struct http_request *req)
{
    return http_context(req);
}

void default_head(struct http_request *req)
{
    struct body *body = arena_new_of(req->arena, struct body);

    buf_init(&body->bytes, 64 * MIB);
    CHECK(arena_defer(req->arena, free_body, body));
    req->state = body;
    atomic_fetch_add(&serving_of(req)->heads, 1);
}

void default_data(struct http_request *req, struct str piece)
{
    buf_str(&((struct body *)req->state)->bytes, piece);
}

struct str gathered(struct http_request *req)
{
    return buf_view(&((struct body *)req->state)->bytes);
}

void default_end(struct http_request *req)
{
    atomic_fetch_add(&serving_of(req)->ends, 1);
    http_set(req, "x-amz-request-id", str_from_z(req->id));
    const struct str line = arena_printf(req->arena, "%.*s %.*s ", STR_ARG(req->method_name),
                                         STR_ARG(req->path));
    http_answer(req, 200, arena_join(req->arena, line, gathered(req)));
}

void default_done(struct http_request *req)
{
    atomic_fetch_add(&serving_of(req)->dones, 1);
}

void serve_with(struct serving *s, struct http_app app, struct http_options options)
{
    *s = (struct serving){ .app = app };
    if (!app.head) s->app.head = default_head;
    if (!app.data) s->app.data = default_data;
    if (!app.end) s->app.end = default_end;
    if (!app.done) s->app.done = default_done;
    s->app.context = s;
    s->app.name = "test";
    CHECK_OK(http_server_new(&options, &s->server));
    CHECK_OK(http_server_listen(s->server, STR("127.0.0.1:0"), &s->app, &s->listener));
}

void serve(struct serving *s, struct http_app app)
{
    serve_with(s, app, (struct http_options){ 0 });
}

void serve_stop(struct serving *s)
{
    s->server = http_server_stop(s->server, 10000);
    if (s->app.head == default_head && s->app.done == default_done) CHECK_U64(s->dones, s->heads);
}

bool is_soon(bool (*condition)(void *arg), void *arg)
{
    const uint64_t deadline = clock_mono_ms() + DEADLINE_MS;

    while (!condition(arg)) {
        if (clock_mono_ms() > deadline) return false;
        (void)sched_yield();
    }
    return true;
}

struct count_wanted {
    const _Atomic int *counter;
    int at_least;
};

static bool is_counted(void *arg)
{
    const struct count_wanted *w = arg;
    return atomic_load(w->counter) >= w->at_least;
}

void wait_for(const _Atomic int *counter, int at_least)
{
    struct count_wanted wanted = { counter, at_least };
    if (!is_soon(is_counted, &wanted)) CHECK_U64(*counter, at_least);
}

/* ---- a client ---- */

void client_open(struct client *c, const struct serving *s)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(http_listener_port(s->listener)) };
    const struct timeval patience = { .tv_sec = DEADLINE_MS / 1000 };

    *c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(c->fd >= 0);
    CHECK(!setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
    CHECK(!setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)));
    CHECK(!connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)));
    buf_init(&c->in, 256 * MIB);
}

void client_close(struct client *c)
{
    if (c->fd >= 0) (void)close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

void client_reset(struct client *c)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    CHECK(!setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
    client_close(c);
}

bool client_try_send(struct client *c, struct str bytes)
{
    while (bytes.len) {
        const ssize_t sent = send(c->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0) return false;
        bytes = str_from(bytes, (size_t)sent);
    }
    return true;
}

void client_send(struct client *c, struct str bytes)
{
    CHECK(client_try_send(c, bytes));
}

/* More input; false at the end. */
static bool receive(struct client *c)
{
    char piece[65536];
    const ssize_t got = c->is_at_end ? 0 : recv(c->fd, piece, sizeof(piece), 0);

    if (got > 0) {
        buf_append(&c->in, piece, (size_t)got);
        return true;
    }
    if (got < 0 && errno != ECONNRESET) test_fail(__FILE__, __LINE__, "nothing came: %s", strerror(errno));
    c->was_reset = got < 0;
    c->is_at_end = true;
    return false;
}

/* Take len bytes of input to text, which has room. */
static void take(struct client *c, char *text, size_t len)
{
    while (c->in.len < len) {
        if (!receive(c)) {
            test_fail(__FILE__, __LINE__, "the connection ended (%s) after %zu of %zu bytes: %.*s",
                      c->was_reset ? "reset" : "closed", c->in.len, len, (int)c->in.len, c->in.data);
        }
    }
    if (!len) return;
    memcpy(text, c->in.data, len);
    memmove(c->in.data, c->in.data + len, c->in.len - len);
    c->in.len -= len;
}

void client_reply_head(struct client *c, struct reply *ret)
{
    size_t end;

    while ((end = str_find(buf_view(&c->in), STR("\r\n\r\n"))) == c->in.len) {
        if (!receive(c)) {
            test_fail(__FILE__, __LINE__, "no answer, the connection was %s after: %.*s",
                      c->was_reset ? "reset" : "closed", (int)c->in.len, c->in.data ? c->in.data : "");
        }
    }
    CHECK(end + 4 < sizeof(ret->text));
    take(c, ret->text, end + 4);
    ret->head = str_of(ret->text, end + 4);
    ret->body = str_of(ret->text + end + 4, 0);
    CHECK(str_starts(ret->head, STR("HTTP/1.1 ")));
    ret->status = atoi(ret->text + 9);
}

struct str reply_header(const struct reply *r, const char *name)
{
    struct str line;

    for (struct str_split it = str_split_on(r->head, '\n'); str_split_next(&it, &line);) {
        struct str line_name;
        const struct str value = str_cut(line, ':', &line_name);
        if (line_name.len == line.len || !str_is_nocase(line_name, name)) continue;
        return str_trim(str_slice(value, 0, value.len - 1));
    }
    return STR_NONE;
}

void client_reply(struct client *c, struct reply *ret)
{
    uint64_t len = 0;

    client_reply_head(c, ret);
    if (ret->status == 304 || ret->status == 204 || ret->status < 200) return;
    CHECK(str_to_u64(reply_header(ret, "Content-Length"), &len));
    CHECK(ret->head.len + len <= sizeof(ret->text));
    take(c, ret->text + ret->head.len, len);
    ret->body.len = len;
}

bool client_sees_end(struct client *c)
{
    if (c->in.len) return false;
    if (receive(c)) return false;
    return !c->was_reset;
}

struct str client_rest(struct client *c)
{
    while (receive(c)) {
    }
    return buf_view(&c->in);
}

bool client_has_input(struct client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return c->in.len || poll(&p, 1, 0) == 1;
}

void ask(struct client *c, const char *request, int status, struct reply *ret)
{
    client_send(c, str_from_z(request));
    client_reply(c, ret);
    if (ret->status != status) {
        test_fail(__FILE__, __LINE__, "%s: wanted %d, got %.*s%.*s", request, status, STR_ARG(ret->head),
                  STR_ARG(ret->body));
    }
}
