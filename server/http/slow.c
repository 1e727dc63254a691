/*
 * slow.c - clients that hold a connection and do not use it (reliability.md F7).
 *
 * Any byte resets an ordinary timeout, so a head sent one byte at a time would live for ever. Here a head has a time for the whole of it, and a
 * body and an answer have a least rate. How many bytes were moved is asked of the kernel (TCP_INFO), once a tick, by one thread, so that the
 * paths that move them count nothing. Who is too slow has its socket shut down; libmicrohttpd sees that and ends it as any lost connection.
 */
#include <linux/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "server/http/connection.h"

#define CONNECTIONS_PER_LOCK 256 /* looked at before others may have the lock: about 0.2 ms */

static uint64_t bytes_moved(const struct connection *c, enum phase phase)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);

    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len)) return 0;
    return phase == PHASE_SENDING ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
}

static void begin_phase(struct connection *c, enum phase phase, uint32_t calls, uint64_t now_ms)
{
    c->seen.phase = phase;
    c->seen.calls = calls;
    c->seen.since_ms = now_ms;
    c->seen.head_since_ms = 0;
    /* Of a new connection every byte is news; of another, only those after its last request. */
    c->seen.bytes = !c->seen.is_known && phase == PHASE_IDLE ? 0 : bytes_moved(c, phase);
    c->seen.is_known = true;
}

static bool is_idle_too_long(struct connection *c, const struct http_server *s, uint64_t now_ms)
{
    if (!c->seen.head_since_ms) {
        if (bytes_moved(c, PHASE_IDLE) == c->seen.bytes)
            return now_ms - c->seen.since_ms > s->idle_timeout_ms;
        c->seen.head_since_ms = now_ms;
    }
    return now_ms - c->seen.head_since_ms > s->head_timeout_ms;
}

static bool is_below_rate(struct connection *c, const struct http_server *s, uint64_t now_ms)
{
    if (now_ms - c->seen.since_ms < s->rate_window_ms) return false;
    const uint64_t bytes = bytes_moved(c, c->seen.phase);
    if (bytes - c->seen.bytes < LIMIT_RATE_BYTES) return true;
    c->seen.bytes = bytes;
    c->seen.since_ms = now_ms;
    return false;
}

static bool is_too_slow(struct connection *c, const struct http_server *s, uint64_t now_ms)
{
    const enum phase phase = atomic_load_explicit(&c->phase, memory_order_relaxed);
    const uint32_t calls = atomic_load_explicit(&c->calls, memory_order_relaxed);

    if (!c->seen.is_known || c->seen.phase != phase || c->seen.calls != calls) {
        begin_phase(c, phase, calls, now_ms);
        /* A fresh connection's first bytes may be here already. */
        if (phase != PHASE_IDLE) return false;
    }
    switch (phase) {
    case PHASE_IDLE: return is_idle_too_long(c, s, now_ms);
    case PHASE_HEAD: return now_ms - c->seen.since_ms > s->head_timeout_ms;
    case PHASE_BODY:
    case PHASE_SENDING: return is_below_rate(c, s, now_ms);
    case PHASE_OURS: return false;
    }
    return false;
}

void slow_check(struct http_server *s, uint64_t now_ms)
{
    size_t next = 0, count;

    /* One that moves to another place while the lock is free may be passed over, until the next tick. */
    do {
        mutex_lock(&s->lock);
        count = atomic_load(&s->connection_count);
        for (size_t i = 0; i < CONNECTIONS_PER_LOCK && next < count; i++, next++) {
            struct connection *c = s->connections[next];
            if (is_too_slow(c, s, now_ms)) (void)shutdown(c->fd, SHUT_RDWR);
        }
        mutex_unlock(&s->lock);
    } while (next < count);
}
