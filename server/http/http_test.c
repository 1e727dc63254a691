/*
 * http_test.c - requests and answers through a real server: bodies, keep-alive, 100-continue, every kind of answer.
 */
#include "server/http/http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/http/client_test.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "tests/unit/test.h"

static struct reply reply;

TEST(a_get_is_answered_and_the_connection_goes_on)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    for (int i = 0; i < 3; i++) {
        ask(&c, GET("/a%20b?x=y"), 200, &reply);
        CHECK_STR(reply.body, STR("GET /a b "));
        CHECK(reply_header(&reply, "Date").len == 29);
        CHECK_U64(reply_header(&reply, "x-amz-request-id").len, 16);
        CHECK(!reply_header(&reply, "Connection").data);
    }
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(s.heads, 3);
}

TEST(request_ids_are_unique)
{
    static char ids[1200][17];
    struct serving s;

    serve(&s, (struct http_app){ 0 });
    for (int k = 0; k < 3; k++) {
        struct client c;
        client_open(&c, &s);
        for (int i = 0; i < 400; i++) {
            ask(&c, GET("/"), 200, &reply);
            memcpy(ids[400 * k + i], reply_header(&reply, "x-amz-request-id").data, 16);
            CHECK(strspn(ids[400 * k + i], "0123456789ABCDEF") == 16);
        }
        client_close(&c);
    }
    qsort(ids, 1200, 17, (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < 1200; i++) CHECK(strcmp(ids[i - 1], ids[i]) != 0);
    serve_stop(&s);
}

TEST(a_body_arrives_whole_with_a_length_or_in_chunks)
{
    static const struct {
        const char *request, *body;
    } rows[] = {
        { "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "PUT /k hello" },
        { "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "PUT /k " },
        { "PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
          "PUT /k abcde" },
        { "PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: t\r\n\r\n",
          "PUT /k " },
        { "POST /k HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
          "POST /k ab" },
    };
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(&c, rows[i].request, 200, &reply);
        CHECK_STR(reply.body, str_from_z(rows[i].body));
    }
    client_close(&c);
    serve_stop(&s);
}

TEST(a_body_of_many_pieces_is_not_changed)
{
    static char body[900000];
    struct serving s;
    struct client c;

    for (size_t i = 0; i < sizeof(body); i++) body[i] = (char)(i * 7919 >> 8);
    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    client_send(&c, STR("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"));
    client_send(&c, str_of(body, sizeof(body)));
    client_reply(&c, &reply);
    CHECK_STR(str_from(reply.body, 6), str_of(body, sizeof(body)));
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(METRIC_GET(http_bytes_in), sizeof(body));
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    client_send(&c, STR("PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" GET("/2") GET("/3")));
    for (int i = 0; i < 3; i++) {
        client_reply(&c, &reply);
        CHECK_STR(reply.body, i == 0 ? STR("PUT /1 abc") : i == 1 ? STR("GET /2 ") : STR("GET /3 "));
    }
    client_close(&c);
    serve_stop(&s);
}

TEST(connection_close_is_honoured)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    ask(&c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200, &reply);
    CHECK_STR(reply_header(&reply, "Connection"), STR("close"));
    CHECK(client_sees_end(&c));
    client_close(&c);
    client_open(&c, &s);
    ask(&c, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", 200, &reply);
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
}

/* ---- answers ---- */

static void answer_by_path(struct http_request *req)
{
    if (str_is(req->path, "/close")) http_close_after(req);
    http_set(req, "x-empty", STR(""));
    http_set(req, "x-evil", STR("a\r\nInjected: yes"));
    http_setf(req, "x-number", "%d", 7);
    if (str_is(req->path, "/304")) {
        http_answer_head(req, 304, 12345678901);
    } else if (str_is(req->path, "/204")) {
        http_answer_head(req, 204, 0);
    } else if (str_is(req->path, "/length")) {
        http_answer_head(req, 200, 5000000000);
    } else {
        http_answer(req, 200, STR("body"));
    }
}

TEST(head_and_304_have_a_length_and_no_body)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = answer_by_path });
    client_open(&c, &s);
    client_send(&c, STR("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nHEAD /length HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_reply_head(&c, &reply);
    CHECK_STR(reply_header(&reply, "content-length"), STR("4"));
    client_reply_head(&c, &reply);
    CHECK_STR(reply_header(&reply, "content-length"), STR("5000000000"));
    ask(&c, GET("/304"), 304, &reply);
    CHECK_STR(reply_header(&reply, "content-length"), STR("12345678901"));
    ask(&c, GET("/204"), 204, &reply);
    CHECK(!reply_header(&reply, "content-length").data);
    ask(&c, GET("/length"), 200, &reply);
    CHECK_STR(reply_header(&reply, "content-length"), STR("0"));
    ask(&c, GET("/close"), 200, &reply);
    CHECK_STR(reply.body, STR("body"));
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
}

TEST(header_values_cannot_end_a_line)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = answer_by_path });
    client_open(&c, &s);
    ask(&c, GET("/"), 200, &reply);
    CHECK_STR(reply_header(&reply, "x-empty"), STR(""));
    CHECK_STR(reply_header(&reply, "x-evil"), STR(""));
    CHECK_STR(reply_header(&reply, "x-number"), STR("7"));
    CHECK(reply_header(&reply, "x-empty").data != NULL);
    CHECK(!reply_header(&reply, "Injected").data);
    client_close(&c);
    serve_stop(&s);
}

static const char *file_path;

static void answer_file(struct http_request *req)
{
    int fd;
    CHECK_OK(sys_open(file_path, O_RDONLY, 0, &fd));
    http_answer_file(req, 206, fd, 1000, 200000);
}

TEST(a_file_is_sent_from_an_offset)
{
    static char content[300000];
    char path[300];
    struct serving s;
    struct client c;

    for (size_t i = 0; i < sizeof(content); i++) content[i] = (char)(i * 31 >> 5);
    snprintf(path, sizeof(path), "%s/file", test_dir());
    CHECK_OK(sys_write_file(path, str_of(content, sizeof(content)), 0600));
    file_path = path;
    serve(&s, (struct http_app){ .end = answer_file });
    client_open(&c, &s);
    for (int i = 0; i < 3; i++) {
        ask(&c, GET("/"), 206, &reply);
        CHECK_STR(reply.body, str_of(content + 1000, 200000));
    }
    client_send(&c, STR("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_reply_head(&c, &reply);
    CHECK_STR(reply_header(&reply, "Content-Length"), STR("200000"));
    ask(&c, GET("/"), 206, &reply);
    client_close(&c);
    serve_stop(&s);
}

/* ---- sources ---- */

#define SOURCE_LEN 700000

static struct {
    _Atomic int reads, fills, closes;
    _Atomic uint64_t warm; /* bytes below this can be read at once */
    uint64_t breaks_at;    /* read fails there */
    uint64_t fill_fails_at;
} source_state;

static struct err source_read(void *arg, uint64_t pos, char *out, size_t size, size_t *ret_len)
{
    (void)arg;
    atomic_fetch_add(&source_state.reads, 1);
    if (pos >= source_state.breaks_at) return FAIL(ERR_CORRUPT, "broken on purpose");
    if (pos >= source_state.warm) return FAIL(ERR_BUSY, "cold");
    size_t len = size < 50000 ? size : 50000;
    if (pos + len > source_state.warm) len = source_state.warm - pos;
    for (size_t i = 0; i < len; i++) out[i] = (char)((pos + i) * 131 >> 6);
    *ret_len = len;
    return OK;
}

static struct err source_fill(void *arg, uint64_t pos, size_t size)
{
    (void)arg;
    atomic_fetch_add(&source_state.fills, 1);
    if (pos >= source_state.fill_fails_at) return FAIL(ERR_IO, "broken on purpose");
    atomic_store(&source_state.warm, pos + (size < 90000 ? size : 90000));
    return OK;
}

static void source_close(void *arg)
{
    (void)arg;
    atomic_fetch_add(&source_state.closes, 1);
}

static void answer_source(struct http_request *req)
{
    source_state.warm = 0;
    http_answer_source(req, 200, SOURCE_LEN,
                       (struct http_source){ source_read, source_fill, source_close, NULL });
}

TEST(a_source_is_sent_in_pieces_and_may_be_cold)
{
    struct serving s;
    struct client c;

    source_state.breaks_at = source_state.fill_fails_at = UINT64_MAX;
    serve(&s, (struct http_app){ .end = answer_source });
    client_open(&c, &s);
    for (int round = 1; round <= 3; round++) {
        ask(&c, GET("/"), 200, &reply);
        CHECK_U64(reply.body.len, SOURCE_LEN);
        for (size_t i = 0; i < SOURCE_LEN; i++) CHECK(reply.body.data[i] == (char)(i * 131 >> 6));
        wait_for(&source_state.closes, round);
    }
    CHECK(source_state.fills >= 6);
    client_send(&c, STR("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_reply_head(&c, &reply);
    wait_for(&source_state.closes, 4);
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(source_state.closes, 4);
}

static void see_broken_source(void)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ .end = answer_source });
    client_open(&c, &s);
    client_send(&c, STR(GET("/")));
    client_reply_head(&c, &reply);
    CHECK_STR(reply_header(&reply, "Content-Length"), STR("700000"));
    wait_for(&source_state.closes, 1);
    char rest[SOURCE_LEN];
    size_t got = c.in.len;
    for (ssize_t n; (n = read(c.fd, rest, sizeof(rest))) > 0; got += (size_t)n) {
    }
    CHECK(got < SOURCE_LEN);
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(source_state.closes, 1);
}

TEST(a_source_that_fails_breaks_the_answer_off)
{
    source_state.breaks_at = 300000;
    source_state.fill_fails_at = UINT64_MAX;
    see_broken_source();
}

TEST(a_fill_that_fails_breaks_the_answer_off)
{
    source_state.breaks_at = UINT64_MAX;
    source_state.fill_fails_at = 300000;
    see_broken_source();
}

/* ---- errors before the body was read ---- */

static void refuse_in_head(struct http_request *req)
{
    default_head(req);
    if (str_starts(req->path, STR("/no"))) http_answer(req, 403, STR("refused"));
}

static void refuse_in_data(struct http_request *req, struct str piece)
{
    default_data(req, piece);
    if (str_starts(req->path, STR("/late")) && !http_is_answered(req)) http_answer(req, 400, STR("bad"));
}

static const struct http_app refusing = { .head = refuse_in_head, .data = refuse_in_data };

TEST(after_an_error_with_a_small_unread_body_the_connection_goes_on)
{
    struct serving s;
    struct client c;

    serve(&s, refusing);
    client_open(&c, &s);
    ask(&c, "PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 403, &reply);
    ask(&c, "PUT /late HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 400, &reply);
    ask(&c,
        "PUT /late HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
        400, &reply);
    ask(&c, GET("/no"), 403, &reply);
    ask(&c, GET("/"), 200, &reply);
    CHECK_STR(reply.body, STR("GET / "));
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(s.dones, 5);
    CHECK_U64(METRIC_GET(http_errors_4xx), 4);
}

/* The client sends more than the socket's buffers hold before it looks for the answer: a close with unread bytes would be a reset. */
static void see_refusal_while_sending(const char *head, int status)
{
    static char block[1 << 16];
    struct serving s;
    struct client c;

    serve(&s, refusing);
    client_open(&c, &s);
    client_send(&c, str_from_z(head));
    for (int i = 0; i < 320; i++) client_send(&c, str_of(block, sizeof(block)));
    client_reply(&c, &reply);
    CHECK_U64(reply.status, status);
    CHECK_STR(reply_header(&reply, "Connection"), STR("close"));
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
}

TEST(a_refusal_reaches_a_client_that_is_sending_a_large_body)
{
    see_refusal_while_sending("PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000000\r\n\r\n", 403);
}

TEST(a_refusal_in_the_body_reaches_a_client_that_goes_on_sending)
{
    see_refusal_while_sending("PUT /late HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000000\r\n\r\n", 400);
}

TEST(a_refused_chunked_body_is_not_waited_for)
{
    struct serving s;
    struct client c;

    serve(&s, refusing);
    client_open(&c, &s);
    ask(&c, "PUT /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 403, &reply);
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
}

/* ---- 100-continue ---- */

#define EXPECT(path, len)                                                                                    \
    "PUT " path " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " len "\r\n\r\n"

TEST(an_accepted_body_is_asked_for)
{
    struct serving s;
    struct client c;

    serve(&s, refusing);
    client_open(&c, &s);
    for (int i = 0; i < 2; i++) {
        ask(&c, EXPECT("/k", "5"), 100, &reply);
        ask(&c, "hello", 200, &reply);
        CHECK_STR(reply.body, STR("PUT /k hello"));
    }
    client_close(&c);
    serve_stop(&s);
}

TEST(F9_a_refused_body_is_never_asked_for)
{
    struct serving s;
    struct client c;

    serve(&s, refusing);
    client_open(&c, &s);
    ask(&c, EXPECT("/no", "5"), 403, &reply);
    CHECK_STR(reply_header(&reply, "Connection"), STR("close"));
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(s.ends, 0);
    CHECK_U64(METRIC_GET(http_bytes_in), 0);
}

/* ---- connections that break ---- */

TEST(a_connection_that_breaks_in_its_body_is_done)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    for (int i = 0; i < 4; i++) {
        client_open(&c, &s);
        client_send(&c, STR("PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nhello"));
        wait_for(&s.heads, i + 1);
        if (i % 2) {
            client_reset(&c);
        } else {
            client_close(&c);
        }
        wait_for(&s.dones, i + 1);
    }
    serve_stop(&s);
    CHECK_U64(s.ends, 0);
    CHECK_U64(METRIC_GET(http_connections), 0);
}

static bool is_source_closed(void *arg)
{
    (void)arg;
    return source_state.closes == 1;
}

static void answer_much(struct http_request *req)
{
    source_state.warm = 1ull << 40;
    http_answer_source(req, 200, 1ull << 40,
                       (struct http_source){ source_read, source_fill, source_close, NULL });
}

TEST(a_connection_that_breaks_in_its_answer_is_done)
{
    struct serving s;
    struct client c;

    source_state.breaks_at = UINT64_MAX;
    serve(&s, (struct http_app){ .end = answer_much });
    client_open(&c, &s);
    client_send(&c, STR(GET("/")));
    client_reply_head(&c, &reply);
    client_reset(&c);
    CHECK(is_soon(is_source_closed, NULL));
    wait_for(&s.dones, 1);
    serve_stop(&s);
    CHECK_U64(source_state.closes, 1);
}
