/*
 * listen.c - addresses and listening sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/connection.h"

#define HOST_SIZE 256
#define BACKLOG 4096 /* the kernel cuts it at net.core.somaxconn */

struct str address_text(const struct sockaddr *addr, char out[INET6_ADDRSTRLEN])
{
    const void *bytes = NULL;
    int family = addr->sa_family;

    if (family == AF_INET) bytes = &((const struct sockaddr_in *)(const void *)addr)->sin_addr;
    if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
        const bool is_v4 = IN6_IS_ADDR_V4MAPPED(v6);
        bytes = is_v4 ? &v6->s6_addr[12] : v6->s6_addr;
        if (is_v4) family = AF_INET;
    }
    if (!bytes || !inet_ntop(family, bytes, out, INET6_ADDRSTRLEN)) return STR("");
    return str_from_z(out);
}

/* "HOST:PORT", "[V6]:PORT", ":PORT" into two C strings; an empty host means any address. */
static bool cut_address(struct str address, char host[HOST_SIZE], char port[8])
{
    const size_t colon = str_rfind_char(address, ':');
    struct str h = str_slice(address, 0, colon);
    const struct str p = str_from(address, colon + 1);
    uint64_t number;

    if (colon >= address.len || p.len > 5 || !str_to_u64(p, &number) || number > 65535) return false;
    if (h.len >= 2 && h.data[0] == '[' && h.data[h.len - 1] == ']') {
        h = str_slice(h, 1, h.len - 1);
    } else if (str_find_char(h, ':') < h.len) {
        return false;
    }
    if (h.len >= HOST_SIZE || (h.len && memchr(h.data, 0, h.len))) return false;
    if (str_is(h, "*")) h = STR("");
    if (h.len) memcpy(host, h.data, h.len);
    host[h.len] = 0;
    memcpy(port, p.data, p.len);
    port[p.len] = 0;
    return true;
}

static struct err bind_one(const struct addrinfo *a, struct str name, int *ret_fd)
{
    const int on = 1, off = 0;
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return err_errno(ERR_UNSUPPORTED, errno, "cannot listen on %.*s", STR_ARG(name));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ai_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG)) {
        *ret_fd = fd;
        return OK;
    }
    const int e = errno;
    (void)close(fd);
    if (e == EADDRINUSE) return err_errno(ERR_BUSY, e, "cannot listen on %.*s", STR_ARG(name));
    if (e == EACCES || e == EPERM) return err_errno(ERR_DENIED, e, "cannot listen on %.*s", STR_ARG(name));
    return err_errno(ERR_INVALID, e, "cannot listen on %.*s", STR_ARG(name));
}

static void describe(struct http_listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = { .v6 = { 0 } };
    socklen_t len = sizeof(addr);
    char text[INET6_ADDRSTRLEN];

    (void)getsockname(l->fd, &addr.any, &len);
    l->port = ntohs(addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port : addr.v4.sin_port);
    struct str host = address_text(&addr.any, text);
    /* Any address: name one that a client on this machine can use. */
    if (str_is(host, "::") || str_is(host, "0.0.0.0")) host = STR("127.0.0.1");
    const char *format = str_find_char(host, ':') < host.len ? "http://[%.*s]:%u" : "http://%.*s:%u";
    (void)snprintf(l->url_text, sizeof(l->url_text), format, STR_ARG(host), l->port);
    l->url = str_from_z(l->url_text);
}

struct err listener_open(struct http_listener *l, struct str address)
{
    char host[HOST_SIZE], port[8];
    if (!cut_address(address, host, port))
        return err_fail(ERR_INVALID, "not HOST:PORT: %.*s", STR_ARG(address));

    /* Any address: IPv6's takes IPv4 too, where the machine has IPv6. */
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE };
    struct addrinfo *list;
    const int failed = getaddrinfo(host[0] ? host : "::", port, &hints, &list);
    struct err e = failed
        ? err_fail(ERR_INVALID, "no such address: %.*s: %s", STR_ARG(address), gai_strerror(failed))
        : OK;
    if (!failed) {
        e = bind_one(list, address, &l->fd);
        freeaddrinfo(list);
    }
    if (e.code && e.code != ERR_BUSY && !host[0] && !getaddrinfo("0.0.0.0", port, &hints, &list)) {
        e = bind_one(list, address, &l->fd);
        freeaddrinfo(list);
    }
    if (!e.code) describe(l);
    return e;
}
