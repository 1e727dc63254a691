/*
 * server.c - starting and stopping: the daemon, the watch thread, the workers.
 *
 * Stopping has an order, because libmicrohttpd aborts when a connection is suspended and because wakers may come from anywhere:
 *   1. accept nothing more; idle connections end; answers close theirs
 *   2. wait for what runs, until the drain's deadline
 *   3. begin nothing more; shut all sockets down; wait until every request is done, however long its wake takes
 *   4. workers, libmicrohttpd, the watch thread
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/http/connection.h"
#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"

#define FD_RESERVE 256 /* descriptors for all but connections: volumes, segments, the database */
#define FD_TABLE_MAX ((size_t)1 << 20)
#define STOP_WARN_MS                                                                                         \
    10000 /* a request that is not woken when the server stops is named in the log so often */
#define TICK_MS 1000

/* Each connection may hold a descriptor of a file as well. */
static size_t connections_for(const struct http_options *options, size_t fd_limit)
{
    size_t most = LIMIT_CONNECTIONS;

    if (options->connections_max > 0) most = (size_t)options->connections_max;
    const size_t possible = fd_limit > 2 * FD_RESERVE ? (fd_limit - FD_RESERVE) / 2 : fd_limit / 4;
    return most < possible ? most : possible;
}

static int threads_for(const struct http_options *options)
{
    if (options->threads > 0) return options->threads;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 2 ? (int)cores : 2;
}

/* Short limits, in tests, want a quick look. */
static uint64_t tick_for(const struct http_server *s)
{
    uint64_t tick_ms = TICK_MS;

    if (s->head_timeout_ms / 4 < tick_ms) tick_ms = s->head_timeout_ms / 4;
    if (s->rate_window_ms / 4 < tick_ms) tick_ms = s->rate_window_ms / 4;
    return tick_ms ? tick_ms : 1;
}

static struct err start(struct http_server *s, const struct http_options *options)
{
    struct rlimit files = { .rlim_cur = 1024 };

    (void)getrlimit(RLIMIT_NOFILE, &files);
    s->fd_max = files.rlim_cur < FD_TABLE_MAX ? (size_t)files.rlim_cur : FD_TABLE_MAX;
    s->listener_of_fd = calloc(s->fd_max, sizeof(s->listener_of_fd[0]));
    if (!s->listener_of_fd) return FAIL(ERR_NO_MEMORY, "no memory for the HTTP server");
    s->connections_max = connections_for(options, s->fd_max);
    METRIC_SET(http_connections_max, s->connections_max);
    METRIC_SET(http_offloads_max, LIMIT_OFFLOADS);
    s->head_timeout_ms = options->head_timeout_ms > 0 ? (uint64_t)options->head_timeout_ms : LIMIT_HEAD_MS;
    s->idle_timeout_ms = options->idle_timeout_s > 0 ? (uint64_t)options->idle_timeout_s * 1000
                                                     : LIMIT_IDLE_MS;
    s->rate_window_ms = options->rate_window_ms > 0 ? (uint64_t)options->rate_window_ms : LIMIT_RATE_MS;
    s->tick_ms = tick_for(s);
    ids_random(&s->id_base, sizeof(s->id_base));

    TRY(pool_start("http-work", LIMIT_HTTP_WORKERS, LIMIT_OFFLOADS + 1, &s->workers));
    TRY(pool_start("http-fill", LIMIT_HTTP_WORKERS, s->fd_max, &s->fillers));
    TRY(mhd_start(s, threads_for(options)));
    return watch_start(s);
}

struct err http_server_new(const struct http_options *options, struct http_server **ret)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s) return FAIL(ERR_NO_MEMORY, "no memory for the HTTP server");

    s->epoll_fd = s->wake_fd = -1;
    mutex_init(&s->lock, LOCK_HTTP);
    cond_init(&s->changed);
    const struct err e = start(s, options);
    if (e.code) {
        (void)http_server_stop(s, 0);
        return e;
    }
    *ret = s;
    return OK;
}

struct err http_server_listen(struct http_server *s, struct str address, const struct http_app *app,
                              const struct http_listener **ret)
{
    if (s->listener_count == LIMIT_LISTENERS) return FAIL(ERR_INVALID, "too many addresses to listen on");
    struct http_listener *l = calloc(1, sizeof(*l));
    if (!l) return FAIL(ERR_NO_MEMORY, "no memory for a listener");
    l->server = s;
    l->app = app;
    struct err e = listener_open(l, address);
    if (!e.code) {
        mutex_lock(&s->lock);
        const size_t index = s->listener_count;
        s->listeners[index] = l;
        s->listener_count++;
        mutex_unlock(&s->lock);
        e = watch_add_listener(s, index);
        if (!e.code) *ret = l;
        return e;
    }
    free(l);
    return e;
}

uint16_t http_listener_port(const struct http_listener *l)
{
    return l->port;
}

struct str http_listener_url(const struct http_listener *l)
{
    return l->url;
}

/* Until no request is under way, or the deadline. */
static bool wait_until_idle(struct http_server *s, uint64_t deadline_mono_ms)
{
    mutex_lock(&s->lock);
    while (connections_are_busy_locked(s) && cond_wait_until(&s->changed, &s->lock, deadline_mono_ms)) {
    }
    const bool is_idle = !connections_are_busy_locked(s);
    mutex_unlock(&s->lock);
    return is_idle;
}

struct http_server *http_server_stop(struct http_server *s, int drain_ms)
{
    if (!s) return NULL;

    atomic_store(&s->is_stopping, true);
    watch_stop_accepting(s);
    connections_shut(s, true);
    const bool is_drained = wait_until_idle(s, clock_mono_ms() + (uint64_t)(drain_ms > 0 ? drain_ms : 0));

    atomic_store(&s->is_closing, true);
    if (!is_drained) LOG_INFO("closing connections that are in use");
    connections_shut(s, false);
    while (!wait_until_idle(s, clock_mono_ms() + STOP_WARN_MS))
        LOG_WARN("a request has not been woken; waiting for it");

    s->workers = pool_stop(s->workers);
    s->fillers = pool_stop(s->fillers);
    mhd_stop(s);
    watch_end(s);
    for (size_t i = 0; i < s->listener_count; i++) free(s->listeners[i]);
    cond_done(&s->changed);
    mutex_done(&s->lock);
    free(s->connections);
    free(s->listener_of_fd);
    free(s);
    return NULL;
}
