/*
 * waiters.h - how many calls wait for each S3 endpoint, so that one that fails does not keep every worker.
 *
 * Each endpoint has a row of its own: two that shared one would have callers of the one that is well turned away because the other fails.
 *
 * Any number of threads.
 */
#ifndef STORAGE_REMOTE_WAITERS_H
#define STORAGE_REMOTE_WAITERS_H

#include "storage/base/limits.h"
#include "storage/base/str.h"
#include "storage/base/thread.h"

struct waiter_row {
    uint64_t endpoint;  /* a CRC of its text, which administrators write; with no call and no failure the row is free */
    int running;
    uint64_t failed_ms; /* clock_mono_ms of the last call that got no good answer; 0: none */
};

struct waiters {
    struct mutex lock; /* guards: the rest */
    struct waiter_row rows[LIMIT_REMOTE_ENDPOINTS];
};

void waiters_init(struct waiters *w);
void waiters_done(struct waiters *w);

/* A call begins. False: the endpoint failed within LIMIT_REMOTE_WARY_MS, and LIMIT_REMOTE_WAITERS wait for it already. True: waiters_leave is due. */
bool waiters_enter(struct waiters *w, struct str endpoint, uint64_t now_ms, struct waiter_row **ret);
void waiters_leave(struct waiters *w, struct waiter_row *row, bool has_failed, uint64_t now_ms);

#endif
