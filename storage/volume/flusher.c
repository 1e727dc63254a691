/*
 * flusher.c - a queue, a thread, one fdatasync for each volume of a round.
 *
 * A request is queued after its last write has returned, and the flush begins after the queue was taken: so it covers the request.
 * A round marks the volumes it has flushed, and keeps the result for the other requests of the same round.
 */
#include "storage/volume/flusher.h"

#include <stdio.h>
#include <stdlib.h>

struct flusher {
    struct mutex lock; /* guards: first, last, is_stopping */
    struct cond wake;
    struct flush_request *first, **last;
    bool is_stopping;
    uint64_t round; /* the thread's */
    pthread_t thread;
};

/* All that is queued; NULL when stopping and nothing is left. */
static struct flush_request *take_queue(struct flusher *f)
{
    mutex_lock(&f->lock);
    while (!f->first && !f->is_stopping) cond_wait(&f->wake, &f->lock);
    struct flush_request *first = f->first;
    f->first = NULL;
    f->last = &f->first;
    mutex_unlock(&f->lock);
    return first;
}

static struct err flush_one(const struct flush_request *r, uint64_t round)
{
    TRY(r->refused);
    for (size_t i = 0; i < r->count; i++) {
        struct volume *v = r->volumes[i];
        if (v->flush_round != round) {
            v->flush_result = volume_flush(v);
            v->flush_round = round;
        }
        TRY(v->flush_result);
    }
    return OK;
}

static void flusher_run(void *arg)
{
    struct flusher *f = arg;
    struct flush_request *r;

    while ((r = take_queue(f))) {
        f->round++;
        while (r) {
            struct flush_request *next = r->next;
            r->finish(r, flush_one(r, f->round));
            r = next;
        }
    }
}

struct err flusher_start(int number, struct flusher **ret)
{
    struct flusher *f = calloc(1, sizeof(*f));
    char name[16];

    if (!f) return FAIL(ERR_NO_MEMORY, "no memory for a flusher");
    mutex_init(&f->lock, LOCK_VOLUME);
    cond_init(&f->wake);
    f->last = &f->first;
    (void)snprintf(name, sizeof(name), "flush-%d", number);
    const struct err e = thread_start(name, flusher_run, f, &f->thread);
    if (e.code) {
        cond_done(&f->wake);
        mutex_done(&f->lock);
        free(f);
        return e;
    }
    *ret = f;
    return OK;
}

struct flusher *flusher_stop(struct flusher *f)
{
    if (!f) return NULL;
    mutex_lock(&f->lock);
    f->is_stopping = true;
    cond_signal(&f->wake);
    mutex_unlock(&f->lock);
    thread_join(f->thread);
    cond_done(&f->wake);
    mutex_done(&f->lock);
    free(f);
    return NULL;
}

void flusher_submit(struct flusher *f, struct flush_request *r)
{
    r->next = NULL;
    mutex_lock(&f->lock);
    *f->last = r;
    f->last = &r->next;
    cond_signal(&f->wake);
    mutex_unlock(&f->lock);
}
