/*
 * waiters.c - a few rows that are gone through from the start: beside a call over the network that is nothing.
 */
#include "storage/remote/waiters.h"

#include "storage/base/digest.h"

void waiters_init(struct waiters *w)
{
    *w = (struct waiters){ .rows = { { .running = 0 } } };
    mutex_init(&w->lock, LOCK_REMOTE);
}

void waiters_done(struct waiters *w)
{
    mutex_done(&w->lock);
}

/* Its own, or else of those that nobody waits on the one that failed the longest ago, or never. NULL: there is none. */
static struct waiter_row *row_for_locked(struct waiters *w, uint64_t endpoint)
{
    struct waiter_row *best = NULL;

    for (size_t i = 0; i < LIMIT_REMOTE_ENDPOINTS; i++) {
        struct waiter_row *row = &w->rows[i];
        if (row->endpoint == endpoint) return row;
        if (row->running == 0 && (!best || row->failed_ms < best->failed_ms)) best = row;
    }
    if (best) *best = (struct waiter_row){ .endpoint = endpoint };
    return best;
}

static bool is_wary(const struct waiter_row *row, uint64_t now_ms)
{
    return row->failed_ms && now_ms - row->failed_ms < LIMIT_REMOTE_WARY_MS;
}

bool waiters_enter(struct waiters *w, struct str endpoint, uint64_t now_ms, struct waiter_row **ret)
{
    mutex_lock(&w->lock);
    struct waiter_row *row = row_for_locked(w, crc64nvme(0, endpoint.data, endpoint.len));
    const bool may = !row || row->running < LIMIT_REMOTE_WAITERS || !is_wary(row, now_ms);
    if (row && may) row->running++;
    mutex_unlock(&w->lock);
    if (may) *ret = row;
    return may;
}

void waiters_leave(struct waiters *w, struct waiter_row *row, bool has_failed, uint64_t now_ms)
{
    if (!row) return; /* it was not counted: more endpoints than rows were in use */
    mutex_lock(&w->lock);
    row->running--;
    if (has_failed) row->failed_ms = now_ms;
    mutex_unlock(&w->lock);
}
