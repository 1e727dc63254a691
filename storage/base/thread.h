/*
 * thread.h - threads, locks with levels, condition variables, and a pool for work that blocks.
 *
 * A lock is declared beside what it guards, with its level. A thread may take a lock only at a higher level than all that it holds;
 * builds without NDEBUG refuse (abort) anything else. Levels are named here, so that the order of all locks is seen in one place.
 */
#ifndef STORAGE_BASE_THREAD_H
#define STORAGE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"

enum lock_level {
    LOCK_SERVER = 10,
    LOCK_HTTP = 20,
    LOCK_IAM = 30,
    LOCK_CATALOG = 40,
    LOCK_REMOTE = 45,
    LOCK_OBJECT = 50,
    LOCK_VOLUME_SET = 60,
    LOCK_VOLUME = 62,
    LOCK_PINS = 64,
    LOCK_META_COPY = 68,
    LOCK_META_QUEUE = 70,
    LOCK_META_VIEWS = 72,
    LOCK_META_MEMTABLE = 74,
    LOCK_JOURNAL = 76,
    LOCK_MD5 = 78,
    LOCK_POOL = 80,
    LOCK_LOG = 90,
};

struct mutex {
    pthread_mutex_t lock;
    int level; /* who holds it is kept by the holding thread (thread.c) */
};

#define MUTEX_INIT(level_) { .lock = PTHREAD_MUTEX_INITIALIZER, .level = (level_) }
void mutex_init(struct mutex *m, int level);
void mutex_done(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m); /* by this thread; always true with NDEBUG */

struct cond {
    pthread_cond_t cond; /* on the monotonic clock */
};
void cond_init(struct cond *c);
void cond_done(struct cond *c);
/* m is held, and is the highest that this thread holds. Waking says nothing: look at what was waited for, in a loop. */
void cond_wait(struct cond *c, struct mutex *m);
bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ms); /* false: the deadline has passed */
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* A named thread ("firn-NAME", 15 bytes seen by the system), all signals blocked but those that its own faults raise (SIGSEGV and its
 * like). ERR_NO_MEMORY if the system has none. */
struct err thread_start(const char *name, void (*fn)(void *), void *arg, pthread_t *ret);
void thread_join(pthread_t t);

/* A pool of workers for what blocks: first in, first out. Submitting allocates nothing. */
struct pool;
/* ERR_NO_MEMORY; ERR_INVALID for less than one thread or place in the queue. */
struct err pool_start(const char *name, int threads, size_t queued_max, struct pool **ret);
/* ERR_BUSY when queued_max wait already, ERR_CLOSED after pool_stop began. */
struct err pool_submit(struct pool *p, void (*fn)(void *), void *arg);
struct pool *pool_stop(struct pool *p); /* runs what is queued, then joins; NULL is fine; returns NULL */

/* Runs fn when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#endif
