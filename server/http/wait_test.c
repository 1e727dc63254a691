/*
 * wait_test.c - suspended requests: wakes from every place and at every moment, workers, and stopping.
 */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/http/client_test.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static struct reply reply;

/* ---- who wakes, and when ---- */

static void then_answer(struct http_request *req)
{
    default_end(req);
}

static void wake_at_once(struct http_request *req)
{
    http_wait(req, then_answer);
    http_wake(req);
}

TEST(a_wake_before_the_function_has_returned_is_not_lost)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = wake_at_once });
    client_open(&c, &s);
    for (int i = 0; i < 300; i++) ask(&c, GET("/a"), 200, &reply);
    ask(&c, "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200, &reply);
    CHECK_STR(reply.body, STR("PUT /a abc"));
    client_close(&c);
    serve_stop(&s);
}

/* A thread that wakes whatever is put into its hands, as soon as it sees it. */
static struct {
    struct mutex lock; /* guards: requests, count, is_over */
    struct http_request *requests[4096];
    size_t count;
    bool is_over;
    _Atomic int waiting;
} waker = { .lock = MUTEX_INIT(LOCK_META_QUEUE) };

static void hand_to_waker(struct http_request *req, void (*then)(struct http_request *))
{
    http_wait(req, then);
    mutex_lock(&waker.lock);
    waker.requests[waker.count++] = req;
    mutex_unlock(&waker.lock);
    atomic_fetch_add(&waker.waiting, 1);
}

/* All that wait; false when it is over. */
static bool wake_all(void)
{
    struct http_request *taken[4096];

    mutex_lock(&waker.lock);
    const size_t count = waker.count;
    for (size_t i = 0; i < count; i++) taken[i] = waker.requests[i];
    waker.count = 0;
    const bool is_over = waker.is_over;
    mutex_unlock(&waker.lock);
    for (size_t i = 0; i < count; i++) http_wake(taken[i]);
    return !is_over;
}

static void waker_thread(void *arg)
{
    (void)arg;
    while (wake_all()) (void)sched_yield();
}

static pthread_t waker_start(void)
{
    pthread_t t;
    CHECK_OK(thread_start("waker", waker_thread, NULL, &t));
    return t;
}

static void waker_end(pthread_t t)
{
    mutex_lock(&waker.lock);
    waker.is_over = true;
    mutex_unlock(&waker.lock);
    thread_join(t);
}

static void wait_in_end(struct http_request *req)
{
    hand_to_waker(req, then_answer);
}

static void then_wait_again(struct http_request *req)
{
    hand_to_waker(req, then_answer);
}

static void wait_twice_in_end(struct http_request *req)
{
    hand_to_waker(req, then_wait_again);
}

TEST(another_thread_wakes_at_any_moment)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = wait_twice_in_end });
    const pthread_t t = waker_start();
    client_open(&c, &s);
    for (int i = 0; i < 300; i++) ask(&c, GET("/a"), 200, &reply);
    client_close(&c);
    serve_stop(&s);
    waker_end(t);
}

#define PARALLEL 200

TEST(two_hundred_connections_wait_and_are_woken)
{
    static struct client clients[PARALLEL];
    struct serving s;

    serve(&s, (struct http_app){ .end = wait_in_end });
    const pthread_t t = waker_start();
    for (int i = 0; i < PARALLEL; i++) client_open(&clients[i], &s);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PARALLEL; i++) {
            char request[100];
            snprintf(request, sizeof(request), "PUT /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
                     i);
            client_send(&clients[i], str_from_z(request));
        }
        for (int i = 0; i < PARALLEL; i++) {
            char wanted[40];
            snprintf(wanted, sizeof(wanted), "PUT /%d ab", i);
            client_reply(&clients[i], &reply);
            CHECK_STR(reply.body, str_from_z(wanted));
        }
    }
    for (int i = 0; i < PARALLEL; i++) client_close(&clients[i]);
    serve_stop(&s);
    waker_end(t);
    CHECK_U64(s.dones, 10 * PARALLEL);
}

/* ---- waiting in head and in data ---- */

static void then_accept(struct http_request *req)
{
    (void)req;
}

static void then_refuse(struct http_request *req)
{
    http_answer(req, 403, STR("refused"));
}

static void wait_in_head(struct http_request *req)
{
    default_head(req);
    hand_to_waker(req, str_is(req->path, "/no") ? then_refuse : then_accept);
}

#define EXPECT(path) "PUT " path " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

TEST(F9_no_100_is_sent_while_head_waits)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .head = wait_in_head });
    client_open(&c, &s);
    client_send(&c, STR(EXPECT("/yes")));
    wait_for(&waker.waiting, 1);
    CHECK(!client_has_input(&c));
    (void)wake_all();
    client_reply(&c, &reply);
    CHECK_U64(reply.status, 100);
    ask(&c, "hello", 200, &reply);
    CHECK_STR(reply.body, STR("PUT /yes hello"));

    client_send(&c, STR(EXPECT("/no")));
    wait_for(&waker.waiting, 2);
    CHECK(!client_has_input(&c));
    (void)wake_all();
    client_reply(&c, &reply);
    CHECK_U64(reply.status, 403);
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(s.dones, 2);
}

TEST(head_may_wait_with_and_without_a_body)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        { GET("/a"), 200 },
        { GET("/no"), 403 },
        { "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200 },
        { "PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 403 },
        { "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200 },
        { "PUT /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 403 },
    };
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .head = wait_in_head });
    const pthread_t t = waker_start();
    client_open(&c, &s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ask(&c, rows[i].request, rows[i].status, &reply);
    client_close(&c);
    serve_stop(&s);
    waker_end(t);
}

static _Atomic int running;

static void then_next_piece(struct http_request *req)
{
    (void)req;
    atomic_fetch_sub(&running, 1);
}

static void wait_in_data(struct http_request *req, struct str piece)
{
    /* Never a piece while the one before is being worked on. */
    CHECK_U64(atomic_fetch_add(&running, 1), 0);
    default_data(req, piece);
    hand_to_waker(req, then_next_piece);
}

TEST(data_may_wait_and_no_byte_is_lost_or_comes_twice)
{
    static char body[600000], chunked[700000];
    struct serving s;
    struct client c;
    size_t len = 0;

    for (size_t i = 0; i < sizeof(body); i++) body[i] = (char)(i * 7919 >> 8);
    for (size_t at = 0; at < sizeof(body); at += 1000) {
        len += (size_t)sprintf(chunked + len, "3e8\r\n");
        memcpy(chunked + len, body + at, 1000);
        len += 1000;
        len += (size_t)sprintf(chunked + len, "\r\n");
    }
    len += (size_t)sprintf(chunked + len, "0\r\n\r\n");
    serve(&s, (struct http_app){ .data = wait_in_data });
    const pthread_t t = waker_start();
    client_open(&c, &s);
    for (int i = 0; i < 4; i++) {
        client_send(&c,
                    i % 2 ? STR("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                          : STR("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 600000\r\n\r\n"));
        client_send(&c, i % 2 ? str_of(chunked, len) : str_of(body, sizeof(body)));
        client_reply(&c, &reply);
        CHECK_STR(str_from(reply.body, 6), str_of(body, sizeof(body)));
    }
    client_close(&c);
    serve_stop(&s);
    waker_end(t);
}

/* ---- workers ---- */

static void work(struct http_request *req)
{
    req->state = arena_z(req->arena, STR("done by a worker"));
}

static void then_say_so(struct http_request *req)
{
    http_answer(req, 200, str_from_z(req->state));
}

static void offload(struct http_request *req)
{
    CHECK_OK(http_offload(req, work, then_say_so));
}

TEST(work_is_done_by_a_worker)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = offload });
    client_open(&c, &s);
    for (int i = 0; i < 100; i++) {
        ask(&c, GET("/a"), 200, &reply);
        CHECK_STR(reply.body, STR("done by a worker"));
    }
    client_close(&c);
    serve_stop(&s);
}

/* ---- stopping ---- */

static void stop_thread(void *arg)
{
    struct serving *s = arg;
    s->server = http_server_stop(s->server, 50);
}

static void serve_waiting(struct serving *s, struct client *clients, int count)
{
    serve(s, (struct http_app){ .end = wait_in_end });
    for (int i = 0; i < count; i++) {
        client_open(&clients[i], s);
        client_send(&clients[i], STR(GET("/a")));
    }
    wait_for(&waker.waiting, count);
}

TEST(stop_waits_for_requests_that_are_not_woken_yet)
{
    static struct client clients[20];
    struct serving s;
    pthread_t stopper;

    serve_waiting(&s, clients, 20);
    CHECK_OK(thread_start("stopper", stop_thread, &s, &stopper));
    /* Beyond the drain's time, that is: when their connections have been shut down. */
    for (int i = 0; i < 20; i++) CHECK(client_sees_end(&clients[i]));
    CHECK_U64(s.dones, 0);
    (void)wake_all();
    thread_join(stopper);
    CHECK_U64(s.dones, 20);
    for (int i = 0; i < 20; i++) client_close(&clients[i]);
}

TEST(stop_lets_requests_finish_and_idle_connections_end)
{
    struct client c[2], idle;
    struct serving s;

    serve_waiting(&s, c, 2);
    client_open(&idle, &s);
    const pthread_t t = waker_start();
    s.server = http_server_stop(s.server, 10000);
    for (int i = 0; i < 2; i++) {
        client_reply(&c[i], &reply);
        CHECK_U64(reply.status, 200);
        CHECK(client_sees_end(&c[i]));
        client_close(&c[i]);
    }
    CHECK(client_sees_end(&idle));
    client_close(&idle);
    waker_end(t);
}

TEST(a_client_that_went_away_while_its_request_waited_is_done)
{
    struct client c[2];
    struct serving s;

    serve_waiting(&s, c, 2);
    client_close(&c[0]);
    client_reset(&c[1]);
    (void)wake_all();
    wait_for(&s.dones, 2);
    serve_stop(&s);
}

/* Load while it stops: whatever the moment, no request is lost from the books and nothing aborts. */
static void load_thread(void *arg)
{
    struct client *c = arg;
    char answer[4096];

    while (client_try_send(c, STR("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"))
           && read(c->fd, answer, sizeof(answer)) > 0) {
    }
    client_close(c);
}

TEST(stopping_under_load_loses_nothing)
{
    for (int round = 0; round < 20; round++) {
        struct serving s;
        struct client clients[8];
        pthread_t threads[8];

        serve(&s, (struct http_app){ .end = round % 2 ? wait_twice_in_end : offload });
        waker.is_over = false;
        const pthread_t t = waker_start();
        for (int i = 0; i < 8; i++) client_open(&clients[i], &s);
        for (int i = 0; i < 8; i++) CHECK_OK(thread_start("load", load_thread, &clients[i], &threads[i]));
        wait_for(&s.dones, 50);
        s.server = http_server_stop(s.server, round % 3 ? 0 : 1000);
        for (int i = 0; i < 8; i++) thread_join(threads[i]);
        waker_end(t);
        CHECK_U64(s.dones, s.heads);
    }
}
