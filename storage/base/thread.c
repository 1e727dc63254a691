/*
 * thread.c - threads, locks with levels, condition variables, and a pool.
 *
 * The order of locks is held by a stack of the locks that the calling thread has, kept in builds without
 * NDEBUG. It is the thread's own, so checking takes no lock and races with nobody; an owner field in the
 * mutex would be read while another thread writes it. A thread that waits on a condition keeps its entry: it
 * runs no code until it has the lock again.
 *
 * The pool is a ring of queued_max tasks, taken once at start, so that submitting never allocates.
 */
#include "storage/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Every failure of pthreads here is a bug of ours (a lock that was not begun, or is not held). */
static void must(int errno_value, const char *what)
{
    if (!errno_value) return;
    (void)fprintf(stderr, "firn: %s: %s\n", what, strerrordesc_np(errno_value));
    abort();
}

/* ---- locks ---- */

#ifndef NDEBUG
#define HELD_MAX 16 /* there are fewer levels than this, and a thread holds one lock of each */

static _Thread_local struct {
    const struct mutex *locks[HELD_MAX]; /* levels rise */
    int count;
} held;

static _Noreturn void refuse(const char *what, const struct mutex *m)
{
    (void)fprintf(stderr, "firn: %s: level %d", what, m->level);
    if (held.count) (void)fprintf(stderr, ", highest held %d", held.locks[held.count - 1]->level);
    (void)fprintf(stderr, "\n");
    abort();
}

static void held_check(const struct mutex *m)
{
    if (held.count && m->level <= held.locks[held.count - 1]->level) refuse("locks taken out of order", m);
    if (held.count == HELD_MAX) refuse("too many locks held", m);
}

static void held_add(const struct mutex *m)
{
    held.locks[held.count++] = m;
}

static void held_remove(const struct mutex *m)
{
    for (int i = held.count - 1; i >= 0; i--) {
        if (held.locks[i] != m) continue;
        held.count--;
        memmove(&held.locks[i], &held.locks[i + 1], (size_t)(held.count - i) * sizeof(held.locks[0]));
        return;
    }
    refuse("unlocking what this thread does not hold", m);
}

/* Waiting takes the lock again, which must not be out of order then. */
static void held_check_wait(const struct mutex *m)
{
    if (!held.count || held.locks[held.count - 1] != m) refuse("waiting while a higher lock is held", m);
}

bool mutex_is_held(const struct mutex *m)
{
    for (int i = 0; i < held.count; i++) {
        if (held.locks[i] == m) return true;
    }
    return false;
}
#else
#define held_check(m) ((void)(m))
#define held_add(m) ((void)(m))
#define held_remove(m) ((void)(m))
#define held_check_wait(m) ((void)(m))

bool mutex_is_held(const struct mutex *m)
{
    (void)m;
    return true;
}
#endif

void mutex_init(struct mutex *m, int level)
{
    must(pthread_mutex_init(&m->lock, NULL), "mutex_init");
    m->level = level;
}

void mutex_done(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->lock), "mutex_done");
}

void mutex_lock(struct mutex *m)
{
    held_check(m);
    must(pthread_mutex_lock(&m->lock), "mutex_lock");
    held_add(m);
}

void mutex_unlock(struct mutex *m)
{
    held_remove(m);
    must(pthread_mutex_unlock(&m->lock), "mutex_unlock");
}

/* ---- conditions ---- */

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    must(pthread_condattr_init(&attr), "cond_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "cond_init");
    must(pthread_cond_init(&c->cond, &attr), "cond_init");
    must(pthread_condattr_destroy(&attr), "cond_init");
}

void cond_done(struct cond *c)
{
    must(pthread_cond_destroy(&c->cond), "cond_done");
}

void cond_wait(struct cond *c, struct mutex *m)
{
    held_check_wait(m);
    must(pthread_cond_wait(&c->cond, &m->lock), "cond_wait");
}

bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ms)
{
    const struct timespec deadline = { .tv_sec = (time_t)(deadline_mono_ms / 1000),
                                       .tv_nsec = (long)(deadline_mono_ms % 1000) * 1000000 };

    held_check_wait(m);
    const int e = pthread_cond_timedwait(&c->cond, &m->lock, &deadline);
    if (e == ETIMEDOUT) return false;
    must(e, "cond_wait_until");
    return true;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->cond), "cond_signal");
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->cond), "cond_broadcast");
}

/* ---- threads ---- */

#define THREAD_NAME_SIZE 16 /* what Linux keeps, with the NUL */

struct thread_begin {
    void (*fn)(void *);
    void *arg;
    char name[THREAD_NAME_SIZE];
};

static void *thread_main(void *arg)
{
    struct thread_begin begin = *(struct thread_begin *)arg;

    free(arg);
    (void)pthread_setname_np(pthread_self(), begin.name); /* a name is a courtesy */
    begin.fn(begin.arg);
    return NULL;
}

/* All signals but those that a thread's own fault raises: these must reach the sanitizers and the core dump. */
static sigset_t blocked_signals(void)
{
    static const int own_faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
    sigset_t set;

    (void)sigfillset(&set);
    for (size_t i = 0; i < sizeof(own_faults) / sizeof(own_faults[0]); i++)
        (void)sigdelset(&set, own_faults[i]);
    return set;
}

struct err thread_start(const char *name, void (*fn)(void *), void *arg, pthread_t *ret)
{
    struct thread_begin *begin = malloc(sizeof(*begin));
    if (!begin) return FAIL(ERR_NO_MEMORY, "no memory for a thread");
    begin->fn = fn;
    begin->arg = arg;
    (void)snprintf(begin->name, sizeof(begin->name), "firn-%.10s", name);

    /* A thread is born with the mask of its maker, so there is no moment in which it could take a signal. */
    const sigset_t blocked = blocked_signals();
    sigset_t before;
    pthread_t thread;
    must(pthread_sigmask(SIG_BLOCK, &blocked, &before), "thread_start");
    const int e = pthread_create(&thread, NULL, thread_main, begin);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL), "thread_start");
    if (e) {
        free(begin);
        return err_errno(ERR_NO_MEMORY, e, "starting thread %s", name);
    }
    *ret = thread;
    return OK;
}

void thread_join(pthread_t t)
{
    must(pthread_join(t, NULL), "thread_join");
}

/* ---- the pool ---- */

struct task {
    void (*fn)(void *);
    void *arg;
};

struct pool {
    struct mutex lock; /* guards: first, queued, is_stopping */
    struct cond has_work;
    struct task *ring;
    size_t ring_size;
    size_t first, queued;
    bool is_stopping;
    int thread_count;
    pthread_t threads[];
};

static void pool_worker(void *arg)
{
    struct pool *p = arg;

    mutex_lock(&p->lock);
    for (;;) {
        while (!p->queued && !p->is_stopping) cond_wait(&p->has_work, &p->lock);
        if (!p->queued) break;
        const struct task task = p->ring[p->first];
        p->first = (p->first + 1) % p->ring_size;
        p->queued--;
        mutex_unlock(&p->lock);
        task.fn(task.arg);
        mutex_lock(&p->lock);
    }
    mutex_unlock(&p->lock);
}

struct err pool_start(const char *name, int threads, size_t queued_max, struct pool **ret)
{
    if (threads < 1 || !queued_max) return FAIL(ERR_INVALID, "a pool needs a thread and a queue");

    struct pool *p = calloc(1, sizeof(*p) + (size_t)threads * sizeof(p->threads[0]));
    if (!p) return FAIL(ERR_NO_MEMORY, "no memory for a pool");
    p->ring = calloc(queued_max, sizeof(p->ring[0]));
    if (!p->ring) {
        free(p);
        return FAIL(ERR_NO_MEMORY, "no memory for a pool's queue");
    }
    p->ring_size = queued_max;
    mutex_init(&p->lock, LOCK_POOL);
    cond_init(&p->has_work);
    for (int i = 0; i < threads; i++) {
        const struct err e = thread_start(name, pool_worker, p, &p->threads[i]);
        if (e.code) {
            (void)pool_stop(p);
            return e;
        }
        p->thread_count++;
    }
    *ret = p;
    return OK;
}

struct err pool_submit(struct pool *p, void (*fn)(void *), void *arg)
{
    struct err e = OK;

    mutex_lock(&p->lock);
    if (p->is_stopping) {
        e = FAIL(ERR_CLOSED, "the pool is stopping");
    } else if (p->queued == p->ring_size) {
        e = FAIL(ERR_BUSY, "the pool's queue is full");
    } else {
        p->ring[(p->first + p->queued) % p->ring_size] = (struct task){ fn, arg };
        p->queued++;
        cond_signal(&p->has_work);
    }
    mutex_unlock(&p->lock);
    return e;
}

struct pool *pool_stop(struct pool *p)
{
    if (!p) return NULL;

    mutex_lock(&p->lock);
    p->is_stopping = true;
    cond_broadcast(&p->has_work);
    mutex_unlock(&p->lock);
    for (int i = 0; i < p->thread_count; i++) thread_join(p->threads[i]);

    cond_done(&p->has_work);
    mutex_done(&p->lock);
    free(p->ring);
    free(p);
    return NULL;
}
