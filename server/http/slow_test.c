/*
 * slow_test.c - clients that hold connections (reliability.md F7), with short limits; and the limit of connections.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server/http/client_test.h"
#include "storage/base/clock.h"
#include "storage/base/metrics.h"
#include "tests/unit/test.h"

static struct reply reply;

/* A client that sends `drip` again and again until the server closes. True: it did. */
struct drip {
    struct client *client;
    const char *bytes;
};

static bool is_closed_on(void *arg)
{
    const struct drip *d = arg;
    char byte;

    if (d->bytes && !client_try_send(d->client, str_from_z(d->bytes))) return true;
    return recv(d->client->fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void check_closed(const struct serving *s, const char *begin, const char *drip)
{
    struct client c;
    struct drip d = { &c, drip };

    client_open(&c, s);
    client_send(&c, str_from_z(begin));
    if (!is_soon(is_closed_on, &d)) test_fail(__FILE__, __LINE__, "still open: %s", begin);
    client_close(&c);
}

TEST(F7_a_head_that_does_not_end_is_closed_upon)
{
    struct serving s;

    serve_with(&s, (struct http_app){ 0 }, (struct http_options){ .head_timeout_ms = 60 });
    check_closed(&s, "G", NULL);
    check_closed(&s, "GET / HTTP/1.1\r\n", NULL);
    check_closed(&s, "GET / HTTP/1.1\r\nHost: h\r\n", NULL);
    check_closed(&s, GET("/") "GET / HTTP/1.1\r\n", NULL);
    serve_stop(&s);
}

static _Atomic int dones;

static void count_done(struct http_request *req)
{
    (void)req;
    atomic_fetch_add(&dones, 1);
}

TEST(F7_a_body_below_the_least_rate_is_closed_upon)
{
    struct serving s;

    serve_with(&s, (struct http_app){ .done = count_done }, (struct http_options){ .rate_window_ms = 60 });
    check_closed(&s, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc", NULL);
    check_closed(&s, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", NULL);
    wait_for(&dones, 2);
    serve_stop(&s);
    CHECK_U64(s.ends, 0);
}

static struct err read_anything(void *arg, uint64_t pos, char *out, size_t size, size_t *ret_len)
{
    (void)arg, (void)pos;
    memset(out, 'x', size);
    *ret_len = size;
    return OK;
}

static void answer_much(struct http_request *req)
{
    http_answer_source(req, 200, 1ull << 30, (struct http_source){ .read = read_anything });
}

TEST(F7_a_reader_below_the_least_rate_is_closed_upon)
{
    struct client c;
    struct serving s;

    serve_with(&s, (struct http_app){ .end = answer_much, .done = count_done },
               (struct http_options){ .rate_window_ms = 60 });
    client_open(&c, &s);
    client_send(&c, STR(GET("/")));
    wait_for(&dones, 1);
    client_close(&c);
    serve_stop(&s);
}

TEST(an_idle_connection_ends)
{
    struct serving s;

    serve_with(&s, (struct http_app){ 0 },
               (struct http_options){ .idle_timeout_s = 1, .head_timeout_ms = 100 });
    check_closed(&s, "", NULL);
    serve_stop(&s);
}

static struct http_request *waiting;
static _Atomic int waits;

static void then_answer(struct http_request *req)
{
    default_end(req);
}

static void wait_for_test(struct http_request *req)
{
    waiting = req;
    http_wait(req, then_answer);
    atomic_fetch_add(&waits, 1);
}

/* The other client is thrown out by the same rules, so time enough has passed. */
TEST(time_in_which_the_edge_waits_does_not_count)
{
    struct client c;
    struct serving s;

    serve_with(&s, (struct http_app){ .end = wait_for_test },
               (struct http_options){ .head_timeout_ms = 60, .rate_window_ms = 60 });
    client_open(&c, &s);
    client_send(&c, STR("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"));
    wait_for(&waits, 1);
    for (int i = 0; i < 3; i++)
        check_closed(&s, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na", NULL);
    http_wake(waiting);
    client_reply(&c, &reply);
    CHECK_U64(reply.status, 200);
    client_close(&c);
    serve_stop(&s);
}

TEST(a_steady_client_is_not_slow)
{
    static char block[LIMIT_RATE_BYTES];
    struct client c;
    struct serving s;

    serve_with(&s, (struct http_app){ 0 }, (struct http_options){ .rate_window_ms = 400 });
    client_open(&c, &s);
    client_send(&c, STR("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
    /* More than a window each time: another client is thrown out. */
    for (int i = 0; i < 2; i++) {
        struct client slow;
        struct drip d = { &slow, NULL };
        client_open(&slow, &s);
        client_send(&slow, STR("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na"));
        do {
            client_send(&c, STR("7800\r\n"));
            client_send(&c, str_of(block, sizeof(block)));
            client_send(&c, STR("\r\n"));
        } while (!is_closed_on(&d));
        client_close(&slow);
    }
    client_close(&c);
    wait_for(&s.dones, 3);
    serve_stop(&s);
    CHECK_U64(s.heads, 3);
}

TEST(above_the_limit_of_connections_there_is_a_503)
{
    struct client c[6];
    struct serving s;

    serve_with(&s, (struct http_app){ 0 }, (struct http_options){ .connections_max = 4, .threads = 1 });
    for (int i = 0; i < 4; i++) {
        client_open(&c[i], &s);
        ask(&c[i], GET("/"), 200, &reply);
    }
    client_open(&c[4], &s);
    client_reply(&c[4], &reply);
    CHECK_U64(reply.status, 503);
    CHECK_STR(reply_header(&reply, "Retry-After"), STR("1"));
    CHECK(client_sees_end(&c[4]));
    ask(&c[0], GET("/"), 200, &reply);
    for (int i = 0; i < 5; i++) client_close(&c[i]);
    serve_stop(&s);
    CHECK_U64(METRIC_GET(http_connections), 0);
}
