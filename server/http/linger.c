/*
 * linger.c - closing a connection so that the client gets our last answer.
 *
 * A socket that is closed with unread bytes in it sends a reset, and the client's kernel may then throw our answer away before the client
 * has read it: it sees "broken pipe" in place of 403 (s3.md 2.2, 25). So after such an answer, sent and shut down for writing, the socket is
 * read empty until the client closes, for LIMIT_LINGER_MS and LIMIT_LINGER_BYTES at most, in at most LIMIT_LINGER places.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/connection.h"
#include "server/http/watch.h"
#include "storage/base/clock.h"

#define READ_SIZE ((size_t)64 * 1024)
#define READS_PER_TURN 16 /* so that one fast sender does not hold up accepting */

static void close_locked(int epoll_fd, struct leaving *l)
{
    /* libmicrohttpd may not have closed its descriptor of the same socket yet, so that closing ours alone would leave it in the set. */
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
    (void)close(l->fd);
    l->fd = -1;
}

/* A free place, or the one that has had most of its time. */
static size_t choose_locked(struct http_server *s)
{
    size_t best = 0;

    for (size_t i = 0; i < LIMIT_LINGER; i++) {
        if (s->leaving[i].fd < 0) return i;
        if (s->leaving[i].until_ms < s->leaving[best].until_ms) best = i;
    }
    close_locked(s->epoll_fd, &s->leaving[best]);
    return best;
}

void linger_take(struct http_server *s, int fd)
{
    if (fd < 0) return;
    mutex_lock(&s->lock);
    const size_t place = choose_locked(s);
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = watch_tag(WATCH_LINGER, place) };
    s->leaving[place] = (struct leaving){ .fd = fd, .until_ms = clock_mono_ms() + LIMIT_LINGER_MS };
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event)) close_locked(s->epoll_fd, &s->leaving[place]);
    mutex_unlock(&s->lock);
}

void linger_read(struct http_server *s, size_t index)
{
    static char scratch[READ_SIZE]; /* the watch thread's alone; MSG_TRUNC does not even write to it */
    struct leaving *l = &s->leaving[index];

    mutex_lock(&s->lock);
    for (int turn = 0; turn < READS_PER_TURN && l->fd >= 0; turn++) {
        const ssize_t got = recv(l->fd, scratch, READ_SIZE, MSG_DONTWAIT | MSG_TRUNC);
        if (got > 0) l->bytes += (uint64_t)got;
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (got <= 0 || l->bytes > LIMIT_LINGER_BYTES) close_locked(s->epoll_fd, l);
    }
    mutex_unlock(&s->lock);
}

void linger_expire(struct http_server *s, uint64_t now_ms)
{
    mutex_lock(&s->lock);
    for (size_t i = 0; i < LIMIT_LINGER; i++) {
        if (s->leaving[i].fd >= 0 && s->leaving[i].until_ms <= now_ms)
            close_locked(s->epoll_fd, &s->leaving[i]);
    }
    mutex_unlock(&s->lock);
}

void linger_close_all(struct http_server *s)
{
    linger_expire(s, UINT64_MAX);
}
