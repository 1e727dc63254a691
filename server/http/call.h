/*
 * call.h - what server/http keeps of a request beside struct http_request. For the files of this folder only.
 *
 * libmicrohttpd asks for a request three times: when its head is whole, for each piece of its body, and when the body is whole. call.c turns
 * these into the edge's functions (http.h) and says what is to happen next; mhd.c does it. So the order of things is in call.c and can
 * be read without knowing libmicrohttpd, and what libmicrohttpd is like is in mhd.c and answer.c alone.
 *
 * Invariants:
 *   C1  `then` is set while the connection is suspended, and until the question that comes after its wake
 *   C2  the edge's functions run on the connection's HTTP thread, never two at a time
 *   C3  an answer is given to libmicrohttpd at most once, and only by the HTTP thread
 */
#ifndef SERVER_HTTP_CALL_H
#define SERVER_HTTP_CALL_H

#include "server/http/http.h"

struct connection;
struct http_server;

enum call_stage {
    CALL_NEW,  /* the edge has not seen it */
    CALL_HEAD, /* app->head has run, or waits */
    CALL_BODY, /* the body was accepted, or is thrown away behind an answer */
    CALL_END,  /* app->end has run, or waits */
};

struct answer_header {
    struct answer_header *next;
    const char *name, *value;
};

enum answer_kind { ANSWER_NONE, ANSWER_BYTES, ANSWER_LENGTH, ANSWER_FILE, ANSWER_SOURCE };

struct answer {
    enum answer_kind kind;
    int status;
    struct str bytes;
    int fd;
    uint64_t offset, len; /* len: for all kinds */
    struct http_source source;
    struct answer_header *headers, **headers_end;
    bool closes;
    bool is_broken; /* a header found no memory: 503 instead */
};

struct http_call {
    struct http_request req; /* first: the edge's pointer is ours */
    struct connection *conn;
    struct answer answer;
    enum call_stage stage;
    bool expects_continue;
    bool is_body_whole; /* read to its end */
    bool is_sent;       /* the answer was handed on (C3) */
    uint64_t body_seen;
    size_t piece_given;                     /* bytes of the present piece that the edge has seen (it waits in data) */
    void (*then)(struct http_request *req); /* C1 */
    void (*work)(struct http_request *req); /* http_offload */
    uint64_t fill_pos;                      /* the source's fill that runs on a worker */
    size_t fill_len;
    bool has_filled;
    enum err_code fill_code;
    size_t target_len; /* as it came: req.target is empty when that is over LIMIT_TARGET */
};

static inline struct http_call *call_of(struct http_request *req)
{
    return (struct http_call *)req;
}

/* ---- call.c ---- */

/* What is to happen after the edge has run. */
enum call_next {
    CALL_GO_ON,     /* the next piece, or the end, may come */
    CALL_WAITS,     /* it is suspended; ask again when it was woken */
    CALL_ANSWER,    /* send the answer */
    CALL_BREAK_OFF, /* send the answer although the body has not ended, and close */
};

enum call_next call_head(struct http_call *call); /* only with a body */
/* *ret_taken: bytes of the piece that are done with; when it waits, the same piece must come again. */
enum call_next call_piece(struct http_call *call, struct str piece, size_t *ret_taken);
enum call_next call_end(struct http_call *call);
/* It is over: the answer was sent or never will be. Gives back what it holds; the arena, and with it the call, is gone. */
void call_done(struct http_call *call, bool was_sent);

/* ---- request.c ---- */

/* Both say why a request is refused (a short text for the client) and with which status, or NULL. */
/* From method_name and target: method, paths, query. */
const char *request_parse_target(struct http_request *req, int *ret_status);
/* From headers: host, has_body, is_chunked, content_length. Names are lower case already, values as they came (trimmed by this). */
const char *request_check_headers(struct http_request *req, struct http_pair *headers, bool is_1_0, int *ret_status);

/* ---- answer.c ---- */

/* Give the answer to libmicrohttpd. False: no memory; close the connection. */
bool answer_queue(struct http_call *call);
/* Write the answer to the socket past libmicrohttpd, as much as the socket takes at once. */
void answer_send_now(struct http_call *call);
/* A plain answer of our own, with `text` and a line end as its body; replaces any other. */
void answer_plain(struct http_call *call, int status, const char *text);

/* ---- mhd.c ---- */

void call_suspend(struct http_call *call);
void call_resume(struct http_call *call); /* from any thread; the call may be gone when it returns */

#endif
