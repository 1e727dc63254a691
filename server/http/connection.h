/*
 * connection.h - a client's connection and the server it belongs to. For the files of this folder only.
 *
 * The HTTP thread says in `phase` what the connection is doing; the watch thread (watch.c) reads it once a second, asks the kernel how many
 * bytes were moved, and shuts down what is too slow. So the hot path pays for the rules on slow clients with one store a phase.
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "server/http/call.h"
#include "storage/base/thread.h"

enum phase {
    PHASE_IDLE,    /* between requests: the next head may have begun */
    PHASE_HEAD,    /* the request line is here */
    PHASE_OURS,    /* the edge runs or waits: the client cannot do anything about it */
    PHASE_BODY,    /* the client sends its body */
    PHASE_SENDING, /* an answer goes out */
};

struct connection {
    struct MHD_Connection *mhd;
    struct http_server *server;
    const struct http_listener *listener;
    int fd;
    size_t slot;                /* in server->connections; guarded by server->lock */
    struct str peer;
    char peer_text[INET6_ADDRSTRLEN];
    bool must_linger;           /* the last request's body may still be coming */
    uint64_t id_next;           /* of requests; taken from the server in blocks */
    _Atomic(enum phase) phase;
    _Atomic uint32_t calls;     /* requests so far */
    struct {                    /* the watch thread's alone: what it saw, and since when */
        enum phase phase;
        uint32_t calls;
        uint64_t since_ms, head_since_ms, bytes;
        bool is_known;
    } seen;
};

struct http_listener {
    struct http_server *server;
    const struct http_app *app;
    int fd; /* -1 once the server accepts no more */
    uint16_t port;
    struct str url;
    char url_text[INET6_ADDRSTRLEN + 32];
};

/* A closed connection of ours whose client may still be sending (linger.c). */
struct leaving {
    int fd; /* -1: a free place */
    uint64_t bytes, until_ms;
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct pool *workers; /* http_offload */
    struct pool *fillers; /* cold reads of sources: apart, so that long work does not stop downloads */
    size_t connections_max;
    uint64_t head_timeout_ms, idle_timeout_ms, rate_window_ms, tick_ms;

    struct mutex lock; /* guards: connections, connection_count (writing), leaving, listeners' fds, is_accepting; signals changed */
    struct cond changed;
    struct connection **connections;
    size_t connection_size;
    _Atomic size_t connection_count;
    struct leaving *leaving;
    struct http_listener *listeners[LIMIT_LISTENERS];
    size_t listener_count;
    bool is_accepting; /* the watch thread may have a listener in its hands */

    /* Which listener a socket came through: written by the watch thread before the socket is given to libmicrohttpd, read by the HTTP
     * thread that begins to serve it; libmicrohttpd's queue between them orders the two. */
    uint8_t *listener_of_fd;
    size_t fd_max;

    pthread_t watch_thread;
    bool has_watch_thread;
    int epoll_fd, wake_fd;

    _Atomic bool is_stopping; /* answers close their connections; whoever becomes idle signals changed */
    _Atomic bool is_closing;  /* no request begins any more */
    _Atomic bool is_watch_ending;
    _Atomic uint32_t wakes;   /* http_wake calls that are still inside libmicrohttpd */
    _Atomic uint32_t offloads;
    _Atomic uint64_t id_blocks;
    uint64_t id_base;
};

/* ---- connections.c ---- */

/* Enter and leave the server's table. While a connection is in it, its socket is open. */
bool connection_enter(struct connection *c);
void connection_leave(struct connection *c);
void connection_set_phase(struct connection *c, enum phase phase);
/* The call of this connection is over: it is idle. */
void connection_set_idle(struct connection *c);
/* 16 upper-case hex digits that no other request of this process has, and that look like nothing. */
void connection_request_id(struct connection *c, char out[17]);
/* Is a request under way on any connection? (server->lock is held) */
bool connections_are_busy_locked(const struct http_server *s);
/* Shut down the sockets of all connections, or of the idle ones: reading only, or both ways. */
void connections_shut(struct http_server *s, bool only_idle);

/* ---- watch.c: one thread that accepts, watches over slow clients, and leaving ---- */

struct err watch_start(struct http_server *s);
struct err watch_add_listener(struct http_server *s, size_t index);
void watch_stop_accepting(struct http_server *s); /* returns when all listeners are closed */
void watch_end(struct http_server *s);            /* ends the thread, closes all it has */

/* ---- linger.c ---- */

/* Read fd empty for a while and close it; fd is taken. */
void linger_take(struct http_server *s, int fd);
/* Called by the watch thread. */
void linger_read(struct http_server *s, size_t index);
void linger_expire(struct http_server *s, uint64_t now_ms);
void linger_close_all(struct http_server *s);

/* ---- slow.c ---- */

/* Shut down what is too slow, all connections once. */
void slow_check(struct http_server *s, uint64_t now_ms);

/* ---- listen.c ---- */

/* Bind and listen; fills fd, port and url. */
struct err listener_open(struct http_listener *l, struct str address);
/* The text of a socket's address, without its port (IPv4 also when it came through an IPv6 socket). */
struct str address_text(const struct sockaddr *addr, char out[INET6_ADDRSTRLEN]);

/* ---- mhd.c ---- */

struct err mhd_start(struct http_server *s, int threads);
/* Takes fd. */
void mhd_add(struct http_server *s, int fd, const struct sockaddr *addr, socklen_t addr_len);
void mhd_stop(struct http_server *s);

#endif
