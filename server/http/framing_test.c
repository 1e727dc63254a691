/*
 * framing_test.c - heads and bodies that must be refused (reliability.md F), each as bytes on the wire.
 */
#include <stdlib.h>

#include "server/http/client_test.h"
#include "storage/base/arena.h"
#include "tests/unit/test.h"

static struct reply reply;

struct row {
    const char *bytes; /* may hold NULs: len counts */
    size_t len;
};
#define ROW(text)                                                                                            \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* libmicrohttpd's own refusal in two places is followed by a piece of the same refusal (mhd.c). It ends all the same. */
static bool ends_after_refusal(struct client *c)
{
    const struct str rest = client_rest(c);
    if (c->was_reset) return false;
    return !rest.len || (str_starts(reply.body, STR("HTTP/1.1 4")) && str_ends(rest, STR("</html>")));
}

/* One answer from low to high, then an orderly end, and the edge saw nothing. */
static void check_refused(const struct serving *s, struct row row, int low, int high)
{
    struct client c;

    client_open(&c, s);
    client_send(&c, str_of(row.bytes, row.len));
    client_reply(&c, &reply);
    if (reply.status < low || reply.status > high || !ends_after_refusal(&c)) {
        test_fail(__FILE__, __LINE__, "%.*s: got %.*s%.*s and then %.*s", (int)row.len, row.bytes,
                  STR_ARG(reply.head), STR_ARG(reply.body), (int)c.in.len, c.in.data ? c.in.data : "");
    }
    CHECK_STR(reply_header(&reply, "Connection"), STR("close"));
    client_close(&c);
    CHECK_U64(s->heads, 0);
}

static void check_all_refused(const struct row *rows, size_t count, int low, int high)
{
    struct serving s;

    serve(&s, (struct http_app){ 0 });
    for (size_t i = 0; i < count; i++) check_refused(&s, rows[i], low, high);
    serve_stop(&s);
}

#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

TEST(F1_two_content_lengths)
{
    static const struct row rows[] = {
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\ncontent-length: 5\r\n\r\n" SMUGGLED),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\nhello"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\nhello"),
    };
    check_all_refused(rows, COUNT(rows), 400, 413);
}

TEST(F2_content_length_with_transfer_encoding)
{
    static const struct row rows[] = {
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
        ROW("PUT / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    };
    check_all_refused(rows, COUNT(rows), 400, 400);
}

TEST(F3_no_host_or_two)
{
    static const struct row rows[] = {
        ROW("GET / HTTP/1.1\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nX: y\r\n\r\n"),
        ROW("GET / HTTP/1.0\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n"),
        ROW("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"),
        ROW("GET http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    check_all_refused(rows, COUNT(rows), 400, 400);
}

TEST(F5_other_transfer_encodings)
{
    static const struct row rows[] = {
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n" SMUGGLED),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ROW("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"),
    };
    check_all_refused(rows, COUNT(rows), 400, 400);
}

/* Send a head, then filler until the server has had enough. What it answered. */
static int status_after_flood(const char *head, const char *filler)
{
    static char block[1 << 16];
    struct serving s;
    struct client c;

    for (size_t i = 0; i < sizeof(block); i++) block[i] = filler[i % strlen(filler)];
    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    client_send(&c, str_from_z(head));
    for (int i = 0; i < 16; i++) (void)client_try_send(&c, str_of(block, sizeof(block)));
    client_reply(&c, &reply);
    CHECK(client_sees_end(&c));
    client_close(&c);
    serve_stop(&s);
    CHECK_U64(s.ends, 0);
    return reply.status;
}

#define CHUNKED "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST(F6_a_chunk_extension_of_a_mebibyte)
{
    CHECK_U64(status_after_flood(CHUNKED "5;x=", "y"), 500); /* libmicrohttpd's own answer */
}

TEST(F6_trailers_of_a_mebibyte)
{
    CHECK_U64(status_after_flood(CHUNKED "0\r\nX: ", "y"), 431);
    CHECK_U64(status_after_flood(CHUNKED "0\r\n", "X: y\r\n"), 431);
}

TEST(F6_a_chunk_size_that_overflows_or_is_none)
{
    static const char *const bodies[] = {
        "fffffffffffffffff\r\n", "0x5\r\n", "-1\r\n", "+5\r\n", "g\r\n", "\r\n", "5\r\nhelloXY", " 5\r\n"
    };
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    for (size_t i = 0; i < COUNT(bodies); i++) {
        client_open(&c, &s);
        client_send(&c, STR(CHUNKED));
        client_send(&c, str_from_z(bodies[i]));
        client_reply(&c, &reply);
        if (reply.status != 400 && reply.status != 413)
            test_fail(__FILE__, __LINE__, "%s: %d", bodies[i], reply.status);
        CHECK(client_sees_end(&c));
        client_close(&c);
    }
    serve_stop(&s);
    CHECK_U64(s.heads, COUNT(bodies));
    CHECK_U64(s.ends, 0);
}

TEST(F10_what_follows_a_short_body_is_a_request_only_if_framing_is_exact)
{
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    client_send(&c, STR("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" GET("/b")));
    client_reply(&c, &reply);
    CHECK_STR(reply.body, STR("PUT /a abc"));
    client_reply(&c, &reply);
    CHECK_STR(reply.body, STR("GET /b "));
    client_send(&c, STR("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcXX" GET("/b")));
    client_reply(&c, &reply);
    CHECK_STR(reply.body, STR("PUT /a abc"));
    /* "XXGET" is a method that nobody knows, not a GET. */
    client_reply(&c, &reply);
    CHECK_STR(reply.body, STR("XXGET /b "));
    client_close(&c);
    serve_stop(&s);
}

TEST(lines_and_names_that_others_may_read_otherwise)
{
    static const struct row rows[] = {
        ROW("GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\n: z\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX\xc3\xa9: z\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX:\0b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: b\0\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\0x\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX\0Y: b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: a\x01"
            "b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
        ROW("GET / HTTP/1.1\nHost: h\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\n\n"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nX: y\nZ: z\r\n\r\n"),
        ROW("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /  HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /\0x HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GE\0T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
        ROW("GET / HTTP/1.1x\r\nHost: h\r\n\r\n"),
        ROW("GET / http/1.1\r\nHost: h\r\n\r\n"),
    };
    check_all_refused(rows, COUNT(rows), 400, 400);
}

TEST(E9_targets_that_name_nothing)
{
    static const struct row rows[] = {
        ROW("GET  HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET ? HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET x HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /\r\nHost: h\r\n\r\n"),
        ROW("GET\r\nHost: h\r\n\r\n"),
        ROW("GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
        ROW("GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    };
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    for (size_t i = 0; i < COUNT(rows); i++) {
        /* A line that is no request line at all is only closed upon. */
        client_open(&c, &s);
        client_send(&c, str_of(rows[i].bytes, rows[i].len));
        if (client_sees_end(&c)) {
            client_close(&c);
            continue;
        }
        client_close(&c);
        check_refused(&s, rows[i], 400, 505);
    }
    client_open(&c, &s);
    ask(&c, "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", 200, &reply);
    CHECK_STR(reply.body, STR("GET / "));
    ask(&c, "GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n", 200, &reply);
    CHECK_STR(reply.body, STR("GET /a "));
    client_close(&c);
    serve_stop(&s);
}

/* ---- sizes ---- */

static struct row repeated(struct arena *a, const char *before, const char *piece, size_t times,
                           const char *after)
{
    struct buf b;

    buf_init(&b, 1 << 24);
    buf_z(&b, before);
    for (size_t i = 0; i < times; i++) buf_z(&b, piece);
    buf_z(&b, after);
    const struct str kept = arena_str(a, buf_view(&b));
    buf_done(&b);
    return (struct row){ kept.data, kept.len };
}

TEST(sizes_beyond_the_limits)
{
    const struct {
        const char *before, *piece;
        size_t times;
        const char *after;
    } rows[] = {
        { "GET /", "a", LIMIT_TARGET, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET /", "a", 1 << 20, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET /?", "a&", 1000, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET /?", "a&", LIMIT_TARGET / 2, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\n", "X: y\r\n", LIMIT_HEADERS, "\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\n", "X: y\r\n", 4000, "\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\n", "X: y\r\n", 100000, "\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\nX: ", "y", LIMIT_HEADER_BYTES, "\r\n\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\nX: ", "y", 1 << 20, "\r\n\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\n", "y", 1 << 20, "\r\n\r\n" },
        { "", "y", 1 << 20, " / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\nCookie: ", "a;", 10000, "\r\n\r\n" },
    };
    struct arena *a = arena_new(1 << 26);
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row row = repeated(a, rows[i].before, rows[i].piece, rows[i].times, rows[i].after);
        client_open(&c, &s);
        (void)client_try_send(&c, str_of(row.bytes, row.len));
        client_reply(&c, &reply);
        if (reply.status != 414 && reply.status != 431)
            test_fail(__FILE__, __LINE__, "row %zu: %d", i, reply.status);
        if (!ends_after_refusal(&c))
            test_fail(__FILE__, __LINE__, "row %zu: then %.*s", i, (int)c.in.len, c.in.data);
        client_close(&c);
    }
    serve_stop(&s);
    CHECK_U64(s.heads, 0);
    a = arena_free(a);
}

TEST(sizes_at_the_limits)
{
    const struct {
        const char *before, *piece;
        size_t times;
        const char *after;
    } rows[] = {
        { "GET /", "a", LIMIT_TARGET - 1, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET /?", "a&", LIMIT_QUERY - 1, " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\n", "X: y\r\n", LIMIT_HEADERS - 1, "\r\n" },
        { "GET / HTTP/1.1\r\nHost: h\r\nX: ", "y", LIMIT_HEADER_BYTES - 32, "\r\n\r\n" },
    };
    struct arena *a = arena_new(1 << 24);
    struct serving s;
    struct client c;

    serve(&s, (struct http_app){ 0 });
    client_open(&c, &s);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row row = repeated(a, rows[i].before, rows[i].piece, rows[i].times, rows[i].after);
        ask(&c, row.bytes, 200, &reply);
    }
    client_close(&c);
    serve_stop(&s);
    a = arena_free(a);
}
