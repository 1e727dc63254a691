/*
 * watch.c - one thread that accepts connections for all listeners, reads lingering ones empty, and once a second looks for slow clients.
 *
 * Why not let libmicrohttpd accept: its threads would race for one listening socket, so that one of them may serve most connections; here
 * they are dealt out in turn. And one daemon can serve any number of listeners, whose requests share its threads.
 */
#include "server/http/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/connection.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"

#define EVENTS_PER_TURN 64
#define ACCEPTS_PER_TURN 64

/* ---- accepting ---- */

/* Above the limit nobody is left waiting: there is an answer, and it says when to come again. */
static void turn_away(struct http_server *s, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
                                 "Content-Length: 0\r\n\r\n";

    (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    linger_take(s, fd);
}

static void listener_rest(struct http_server *s, size_t index, bool rests)
{
    struct epoll_event event = { .events = rests ? 0 : EPOLLIN,
                                 .data.u64 = watch_tag(WATCH_LISTENER, index) };

    if (s->listeners[index]->fd >= 0)
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listeners[index]->fd, &event);
}

static void accept_some(struct http_server *s, size_t index)
{
    const int listener = s->listeners[index]->fd;

    for (int i = 0; listener >= 0 && i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage addr;
        socklen_t addr_len = sizeof(addr);
        const int fd = accept4(listener, (struct sockaddr *)&addr, &addr_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Out of descriptors or memory: it stays readable, so do not look before the next tick. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                const struct err e = err_errno(ERR_BUSY, errno, "accept");
                LOG_WARN("cannot accept connections", ERRF(e));
                listener_rest(s, index, true);
            }
            return;
        }
        if ((size_t)fd >= s->fd_max || atomic_load(&s->connection_count) >= s->connections_max) {
            turn_away(s, fd);
            continue;
        }
        s->listener_of_fd[fd] = (uint8_t)index;
        mhd_add(s, fd, (struct sockaddr *)&addr, addr_len);
    }
}

/* Done by the thread itself, so that no listener is closed while it is in accept4. */
static void close_listeners(struct http_server *s)
{
    mutex_lock(&s->lock);
    for (size_t i = 0; s->is_accepting && i < s->listener_count; i++) {
        (void)close(s->listeners[i]->fd);
        s->listeners[i]->fd = -1;
    }
    s->is_accepting = false;
    cond_signal(&s->changed);
    mutex_unlock(&s->lock);
}

/* ---- the thread ---- */

static void handle(struct http_server *s, uint64_t tag)
{
    const size_t index = (uint32_t)tag;
    uint64_t ignored;

    switch ((enum watch_kind)(tag >> 32)) {
    case WATCH_WAKE:
        (void)!read(s->wake_fd, &ignored, sizeof(ignored));
        if (atomic_load(&s->is_stopping)) close_listeners(s);
        break;
    case WATCH_LISTENER: accept_some(s, index); break;
    case WATCH_LINGER: linger_read(s, index); break;
    }
}

static void tick(struct http_server *s, uint64_t now_ms)
{
    mutex_lock(&s->lock);
    const size_t count = s->listener_count;
    mutex_unlock(&s->lock);

    slow_check(s, now_ms);
    linger_expire(s, now_ms);
    for (size_t i = 0; i < count; i++) listener_rest(s, i, false);
}

static void watch(void *arg)
{
    struct http_server *s = arg;
    struct epoll_event events[EVENTS_PER_TURN];
    uint64_t next_tick_ms = clock_mono_ms() + s->tick_ms;

    while (!atomic_load(&s->is_watch_ending)) {
        uint64_t now_ms = clock_mono_ms();
        const int wait_ms = now_ms < next_tick_ms ? (int)(next_tick_ms - now_ms) : 0;
        const int count = epoll_wait(s->epoll_fd, events, EVENTS_PER_TURN, wait_ms);
        for (int i = 0; i < count; i++) handle(s, events[i].data.u64);
        now_ms = clock_mono_ms();
        if (now_ms < next_tick_ms) continue;
        next_tick_ms = now_ms + s->tick_ms;
        tick(s, now_ms);
    }
}

static void wake(struct http_server *s)
{
    const uint64_t one = 1;
    (void)!write(s->wake_fd, &one, sizeof(one));
}

struct err watch_start(struct http_server *s)
{
    s->leaving = calloc(LIMIT_LINGER, sizeof(s->leaving[0]));
    if (!s->leaving) return FAIL(ERR_NO_MEMORY, "no memory for the HTTP server");
    for (size_t i = 0; i < LIMIT_LINGER; i++) s->leaving[i].fd = -1;

    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->epoll_fd < 0 || s->wake_fd < 0) return err_errno(ERR_IO, errno, "epoll");
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = watch_tag(WATCH_WAKE, 0) };
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &event)) return err_errno(ERR_IO, errno, "epoll");
    s->is_accepting = true;
    TRY(thread_start("http-watch", watch, s, &s->watch_thread));
    s->has_watch_thread = true;
    return OK;
}

struct err watch_add_listener(struct http_server *s, size_t index)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = watch_tag(WATCH_LISTENER, index) };

    if (!epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listeners[index]->fd, &event)) return OK;
    return err_errno(ERR_IO, errno, "epoll");
}

void watch_stop_accepting(struct http_server *s)
{
    if (!s->has_watch_thread) return;
    wake(s);
    mutex_lock(&s->lock);
    while (s->is_accepting) cond_wait(&s->changed, &s->lock);
    mutex_unlock(&s->lock);
}

void watch_end(struct http_server *s)
{
    if (s->has_watch_thread) {
        atomic_store(&s->is_watch_ending, true);
        wake(s);
        thread_join(s->watch_thread);
        s->has_watch_thread = false;
    }
    if (s->leaving) linger_close_all(s);
    free(s->leaving);
    if (s->epoll_fd >= 0) (void)close(s->epoll_fd);
    if (s->wake_fd >= 0) (void)close(s->wake_fd);
}
