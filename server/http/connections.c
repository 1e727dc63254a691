/*
 * connections.c - the table of open connections: what is done with all of them, or known of each.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server/http/connection.h"
#include "storage/base/metrics.h"

bool connection_enter(struct connection *c)
{
    struct http_server *s = c->server;
    bool is_entered = false;

    mutex_lock(&s->lock);
    const size_t count = atomic_load(&s->connection_count);
    if (count == s->connection_size) {
        const size_t size = count ? 2 * count : 64;
        struct connection **grown = realloc(s->connections, size * sizeof(*grown));
        if (grown) {
            s->connections = grown;
            s->connection_size = size;
        }
    }
    if (count < s->connection_size) {
        c->slot = count;
        s->connections[count] = c;
        atomic_store(&s->connection_count, count + 1);
        METRIC_ADD(http_connections, 1);
        is_entered = true;
    }
    mutex_unlock(&s->lock);
    return is_entered;
}

void connection_leave(struct connection *c)
{
    struct http_server *s = c->server;

    mutex_lock(&s->lock);
    const size_t last = atomic_load(&s->connection_count) - 1;
    assert(s->connections[c->slot] == c);
    s->connections[c->slot] = s->connections[last];
    s->connections[c->slot]->slot = c->slot;
    atomic_store(&s->connection_count, last);
    cond_signal(&s->changed);
    mutex_unlock(&s->lock);
    METRIC_ADD(http_connections, -1);
}

void connection_set_phase(struct connection *c, enum phase phase)
{
    atomic_store_explicit(&c->phase, phase, memory_order_relaxed);
}

void connection_set_idle(struct connection *c)
{
    /* In this order against http_server_stop, which sets is_stopping and then looks at the phases: one of the two sees the other. */
    atomic_store(&c->phase, PHASE_IDLE);
    if (!atomic_load(&c->server->is_stopping)) return;
    mutex_lock(&c->server->lock);
    cond_signal(&c->server->changed);
    mutex_unlock(&c->server->lock);
}

#define ID_BLOCK                                                                                             \
    65536 /* request ids that a connection takes at once, so that threads do not share a counter */

/* splitmix64's last steps: one to one, so that different numbers stay different. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void connection_request_id(struct connection *c, char out[17])
{
    if (c->id_next % ID_BLOCK == 0) c->id_next = ID_BLOCK * atomic_fetch_add(&c->server->id_blocks, 1) + 1;
    const uint64_t id = mix(c->server->id_base + c->id_next++);

    for (int i = 0; i < 16; i++) out[i] = "0123456789ABCDEF"[id >> (60 - 4 * i) & 15];
    out[16] = 0;
}

static bool is_busy(const struct connection *c)
{
    const enum phase phase = atomic_load(&c->phase);
    return phase == PHASE_OURS || phase == PHASE_BODY || phase == PHASE_SENDING;
}

bool connections_are_busy_locked(const struct http_server *s)
{
    const size_t count = atomic_load(&s->connection_count);

    assert(mutex_is_held(&s->lock));
    for (size_t i = 0; i < count; i++) {
        if (is_busy(s->connections[i])) return true;
    }
    return false;
}

void connections_shut(struct http_server *s, bool only_idle)
{
    mutex_lock(&s->lock);
    const size_t count = atomic_load(&s->connection_count);
    for (size_t i = 0; i < count; i++) {
        const struct connection *c = s->connections[i];
        /* A request that has come already is still read and answered. */
        if (!only_idle) {
            (void)shutdown(c->fd, SHUT_RDWR);
        } else if (!is_busy(c)) {
            (void)shutdown(c->fd, SHUT_RD);
        }
    }
    mutex_unlock(&s->lock);
}
