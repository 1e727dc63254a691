/*
 * http.h - HTTP/1.1 for the edges (S3, Iceberg REST, management): listeners, requests, answers.
 *
 * libmicrohttpd is behind it (mhd.c is the only file that knows it). What an edge sees of a request, in order:
 *
 *   app->head(req)        the whole head is here, nothing of the body was read, no "100 Continue" was sent. The edge authenticates, authorises,
 *                         looks at preconditions and lengths, and either answers (http_answer...: the body is then never read, the
 *                         connection is closed if the client sent or may send one), or returns without an answer: the body is accepted.
 *                         (A body that is small and not announced with Expect is thrown away instead, and the connection goes on.)
 *   app->data(req, piece) each piece of the body, as it comes; all of it must be consumed. Not called when there is none. It may http_wait (the
 *                         next piece comes after `then`: so a slow disk slows the client down). It may answer early (an error, with bytes): then
 *                         a small rest is thrown away and the connection goes on; with a large one the answer is sent at once and the connection closed.
 *   app->end(req)         the body is complete (called once, also without a body). The edge answers, or calls http_wait and answers later.
 *   app->done(req)        the answer was sent, or the connection broke at any point: give back what the request holds besides its arena.
 *                         Always called once for a request whose head was called. The arena is freed after it.
 *
 * head, data, end and `then` run on the connection's HTTP thread, never two at a time for one request. They must not wait for a flush
 * or a disk: http_wait(req, then) suspends the connection *before* the work is queued; whoever finishes the work calls http_wake(req) once from any
 * thread, and then(req) runs on the HTTP thread.
 *
 * HTTP is strict (reliability.md 2.3): exactly one Host, at most one Content-Length and never with Transfer-Encoding, only `chunked`, names are tokens, no
 * control characters in values, lines end in CRLF, no folded lines, bounded sizes: anything else is 400 (414, 431 for sizes) and close before
 * the edge sees it.
 *
 * Slow clients are closed: a head must be whole in LIMIT_HEAD_MS, a body and an answer must move LIMIT_RATE_BYTES in LIMIT_RATE_MS (time in which
 * the edge waits does not count), an idle connection ends after idle_timeout_s.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/limits.h"
#include "storage/base/str.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_OPTIONS, HTTP_PATCH, HTTP_OTHER };

struct http_pair {
    struct str name;  /* headers: lower case; query: decoded */
    struct str value; /* headers: as received, trimmed; query: decoded, "" without '=' */
    struct str raw_name, raw_value; /* query only: as on the wire */
    bool has_equals;  /* query only */
};

struct http_listener;

struct http_request {
    struct arena *arena;
    char id[17];              /* 16 upper-case hex digits: x-amz-request-id, the log, error documents */
    enum http_method method;
    struct str method_name;   /* as sent */
    struct str target;        /* the request target as sent */
    struct str raw_path;      /* of it: before '?' (of an absolute-form target: without scheme and authority) */
    struct str path;          /* decoded once; may hold any byte. is_path_bad: it could not be decoded */
    bool is_path_bad;
    struct str raw_query;     /* behind '?', without it */
    const struct http_pair *query; /* decoded, in order of the target; is_query_bad if it could not be decoded */
    size_t query_count;
    bool is_query_bad;
    const struct http_pair *headers;
    size_t header_count;
    struct str host;          /* the Host header */
    bool has_body;            /* Content-Length > 0 or chunked */
    bool is_chunked;          /* Transfer-Encoding: chunked; content_length is 0 then */
    bool has_content_length;
    uint64_t content_length;
    struct str peer;          /* address of the client, text, without port */
    const struct http_listener *listener;
    uint64_t start_ns;        /* clock_mono_ns at the head */
    const struct http_app *app; /* who serves it: the listener's app, until that hands it over */
    void *state;              /* the edge's own */
};

struct http_app {
    void *context; /* the edge's: http_context(req) gives it for the app that serves the request now */
    void (*head)(struct http_request *req);
    void (*data)(struct http_request *req, struct str piece);
    void (*end)(struct http_request *req);
    void (*done)(struct http_request *req);
    const char *name; /* "s3", "catalog": in the access log */
    size_t arena_max; /* bytes of a request's arena; 0: LIMIT_REQUEST_ARENA */
};

/* ---- the server ---- */

struct http_options {
    int threads;              /* 0: one per core, at least 2 */
    int connections_max;      /* 0: LIMIT_CONNECTIONS, less if the process may not open so many files */
    int idle_timeout_s;       /* 0: LIMIT_IDLE_MS. Between requests */
    int head_timeout_ms;      /* 0: LIMIT_HEAD_MS */
    int rate_window_ms;       /* 0: LIMIT_RATE_MS */
};

struct http_server;

struct err http_server_new(const struct http_options *options, struct http_server **ret);

/* Listen on "HOST:PORT" (":0" or "HOST:0": any free port; "[::1]:8333"), and serve app there. ERR_INVALID: not an address. ERR_BUSY: in use (names the address). */
struct err http_server_listen(struct http_server *s, struct str address, const struct http_app *app, const struct http_listener **ret);
uint16_t http_listener_port(const struct http_listener *l);
struct str http_listener_url(const struct http_listener *l); /* "http://127.0.0.1:8333" */

/* Stop accepting, let what runs finish for up to drain_ms, then close what is left, free. It does not return before every waiting request got its
 * http_wake and was done: the engine that wakes them must still run. NULL is fine; returns NULL. */
struct http_server *http_server_stop(struct http_server *s, int drain_ms);

/* In head only: from now on another app serves the request. Its head is called at once; data, end and done go to it alone. */
void http_hand_over(struct http_request *req, const struct http_app *app);

/* ---- reading a request ---- */

void *http_context(const struct http_request *req); /* req->app->context */
/* The value of the first header of that (lower-case) name; STR_NONE (data NULL) without one. */
struct str http_header(const struct http_request *req, const char *name);
bool http_has_header(const struct http_request *req, const char *name);
size_t http_header_repeats(const struct http_request *req, const char *name);
/* The first query parameter of that name. .data is NULL without one, and not NULL for "?acl". */
struct str http_query(const struct http_request *req, const char *name);
bool http_has_query(const struct http_request *req, const char *name);
/* The decoded part of the path, cut at '/': for REST routes. Each piece is cut first and decoded then, so that %2F stays in its piece. */
struct http_path_parts {
    struct str parts[LIMIT_PATH_PARTS];
    size_t count;
};
/* "/a/b%2Fc" is "a", "b/c"; "/" has none; an empty last piece ("/a/") is not counted, empty ones inside are. ERR_INVALID_URI: '%' without two hex
 * digits, or more than LIMIT_PATH_PARTS. */
struct err http_split_path(struct http_request *req, struct http_path_parts *ret);

/* ---- answering: once per request ---- */

/* Set before http_answer*; values are copied; CR, LF and NUL make them empty. Names as they shall appear. Content-Length, Date, Connection are not for callers.
 * A name may be set several times. When the arena is full the answer becomes 503. */
void http_set(struct http_request *req, const char *name, struct str value);
void http_setf(struct http_request *req, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool http_is_answered(const struct http_request *req);
void http_close_after(struct http_request *req); /* Connection: close */

/* Body of bytes: must live as long as the arena (is_static or from the arena). HEAD: the length is announced, nothing sent. */
void http_answer(struct http_request *req, int status, struct str body);
/* HEAD of something long, or a 304: headers as they would be, with this Content-Length, no body. */
void http_answer_head(struct http_request *req, int status, uint64_t content_length);
/* len bytes of fd from offset by sendfile; fd is closed soon after app->done, or when the answer cannot be sent. The kernel may still hold pages of the
 * file for the socket when done is called: its range may be punched or unlinked then, but not written over. For small bodies http_answer is faster. */
void http_answer_file(struct http_request *req, int status, int fd, uint64_t offset, uint64_t len);
/* len bytes in pieces from source->read, which fills up to size bytes at pos (from 0) and says how many (at least 1). It runs on the HTTP thread and must not wait: it
 * returns ERR_BUSY when it would have to; then source->fill(arg, pos, size) is called on a worker, may wait, and read is called again. Any other error breaks the connection
 * off, so that the client sees that the body is not whole. source->close(arg) is called once when it is over, from any thread. */
struct http_source {
    struct err (*read)(void *arg, uint64_t pos, char *out, size_t size, size_t *ret_len);
    struct err (*fill)(void *arg, uint64_t pos, size_t size); /* NULL: read never says ERR_BUSY */
    void (*close)(void *arg);
    void *arg;
};
void http_answer_source(struct http_request *req, int status, uint64_t len, struct http_source source);

/* ---- waiting ---- */

/* Suspend the connection; call then(req) on the HTTP thread after http_wake. Call it before the work is handed out, and only once in a call of head, data,
 * end or then (a then may wait again). In head what comes next is then's to say (answer, or return: the body is accepted; no 100 Continue is sent before);
 * in data, returning means that the next piece may come. A client that goes away meanwhile is noticed
 * after the wake: then may not be called then, only done. */
void http_wait(struct http_request *req, void (*then)(struct http_request *req));
/* Exactly once for each http_wait, from any thread, perhaps before http_wait's caller has returned. After it the waker does not touch req any more. */
void http_wake(struct http_request *req);
/* http_wait, then work(req) on a worker of the server's pool (may block), then then(req). ERR_BUSY when the pool's queue is full: nothing was done, answer 503. */
struct err http_offload(struct http_request *req, void (*work)(struct http_request *req), void (*then)(struct http_request *req));

/* What was answered, for the access log and metrics; 0 before. */
int http_status(const struct http_request *req);

#endif
