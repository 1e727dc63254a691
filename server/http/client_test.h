/*
 * client_test.h - for the tests of this folder: a server on a free port of 127.0.0.1, and a client that sees every byte.
 *
 * Everything waits for conditions with a deadline; nothing sleeps. A step that does not come to its end fails the test.
 */
#ifndef SERVER_HTTP_CLIENT_TEST_H
#define SERVER_HTTP_CLIENT_TEST_H

#include <stdatomic.h>

#include "server/http/http.h"
#include "storage/base/buf.h"

/* ---- a server ---- */

struct serving {
    struct http_server *server;
    const struct http_listener *listener;
    struct http_app app;
    _Atomic int heads, ends, dones; /* counted by the default functions */
};

/* Serves with these functions; NULL: the default, which accepts any body, answers 200 with "METHOD PATH BODY", and counts. */
void serve(struct serving *s, struct http_app app);
void serve_with(struct serving *s, struct http_app app, struct http_options options);
void serve_stop(struct serving *s); /* and checks that every head had its done, if the defaults were used */

void default_head(struct http_request *req);
void default_data(struct http_request *req, struct str piece); /* gathers the body */
void default_end(struct http_request *req);
void default_done(struct http_request *req);
struct str gathered(struct http_request *req); /* what default_data got */

/* Wait until *counter is at least this; fails the test after ten seconds. */
void wait_for(const _Atomic int *counter, int at_least);
bool is_soon(bool (*condition)(void *arg), void *arg);

/* ---- a client ---- */

struct client {
    int fd;
    struct buf in; /* received and not yet read */
    bool is_at_end;
    bool was_reset;
};

struct reply {
    int status;
    struct str head; /* status line and headers, valid until the next reply */
    struct str body;
    char text[1 << 20];
};

void client_open(struct client *c, const struct serving *s);
void client_close(struct client *c);
void client_reset(struct client *c); /* with a reset */
void client_send(struct client *c, struct str bytes);
/* As much as goes out; false when the server has closed. */
bool client_try_send(struct client *c, struct str bytes);
/* A whole answer: by its Content-Length, or without body (HEAD, 204, 304, 100). */
void client_reply(struct client *c, struct reply *ret);
void client_reply_head(struct client *c, struct reply *ret); /* of a HEAD request: no body whatever the length */
/* Is the next thing an orderly end, without a byte before it? */
bool client_sees_end(struct client *c);
/* All that still comes until the end. */
struct str client_rest(struct client *c);
bool client_has_input(struct client *c); /* at once */
struct str reply_header(const struct reply *r, const char *name); /* "Content-Length" */

/* Send, read one answer, check its status. */
void ask(struct client *c, const char *request, int status, struct reply *ret);
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

#endif
