/*
 * meta.c - the door of meta.h: which engine a store has, and the way to it.
 *
 * Every call is one indirect call more than the engine's own function. Waiting for a transaction (meta_run) is the same for all
 * engines, since it only needs that done is called once (M4).
 */
#include "storage/base/thread.h"
#include "storage/meta/engine.h"

struct err meta_open(const struct meta_options *options, struct meta **ret)
{
    return options->store ? pg_open(options, ret) : embedded_open(options, ret);
}

struct meta *meta_close(struct meta *m)
{
    return m ? m->ops->close(m) : NULL;
}

void meta_submit(struct meta *m, struct meta_work *work)
{
    m->ops->submit(m, work);
}

/* ---- waiting ---- */

struct waiter {
    struct meta_work work;
    txn_fn *fn;
    void *arg;
    struct mutex lock; /* guards: is_done, outcome, why */
    struct cond done;
    bool is_done;
    struct err outcome;
    char why[256];
};

static struct err waiter_fn(struct txn *txn, void *arg)
{
    struct waiter *w = arg;
    return w->fn(txn, w->arg);
}

static void waiter_done(void *arg, struct err e)
{
    struct waiter *w = arg;

    mutex_lock(&w->lock);
    w->outcome = e.code ? err_keep(e, w->why, sizeof(w->why)) : OK;
    w->is_done = true;
    cond_signal(&w->done);
    mutex_unlock(&w->lock);
}

static struct err run_and_wait(struct meta *m, txn_fn *fn, void *arg, struct meta_work kind)
{
    struct waiter w = { .fn = fn, .arg = arg, .work = kind };

    w.work.fn = waiter_fn;
    w.work.done = waiter_done;
    w.work.arg = &w;
    mutex_init(&w.lock, LOCK_META_QUEUE);
    cond_init(&w.done);
    meta_submit(m, &w.work);
    mutex_lock(&w.lock);
    while (!w.is_done) cond_wait(&w.done, &w.lock);
    mutex_unlock(&w.lock);
    cond_done(&w.done);
    mutex_done(&w.lock);
    /* The text moves from this frame to the thread's ring. */
    return w.outcome.code ? err_fail(w.outcome.code, "%s", w.outcome.why) : OK;
}

struct err meta_run(struct meta *m, txn_fn *fn, void *arg)
{
    return run_and_wait(m, fn, arg, (struct meta_work){ .is_freeing = false });
}

struct err meta_run_freeing(struct meta *m, txn_fn *fn, void *arg)
{
    return run_and_wait(m, fn, arg, (struct meta_work){ .is_freeing = true });
}

struct err meta_run_background(struct meta *m, txn_fn *fn, void *arg)
{
    return run_and_wait(m, fn, arg, (struct meta_work){ .is_background = true });
}

/* ---- segments ---- */

bool meta_segment_find(struct meta *m, uint32_t id, struct meta_segment *ret)
{
    return m->ops->segment_find && m->ops->segment_find(m, id, ret);
}

bool meta_segment_is_dead(struct meta *m, uint32_t id)
{
    return m->ops->segment_is_dead && m->ops->segment_is_dead(m, id);
}

struct err meta_walk_bodies(struct meta *m, struct meta_body_walk *w, meta_body_fn *fn, void *arg)
{
    return m->ops->walk_bodies ? m->ops->walk_bodies(m, w, fn, arg)
                               : FAIL(ERR_NOT_FOUND, "this engine has no segments");
}

/* ---- views, bodies, state ---- */

struct err view_open(struct meta *m, struct rows **ret)
{
    return m->ops->view_open(m, ret);
}

struct rows *view_close(struct rows *view)
{
    if (view) view->close(view);
    return NULL;
}

void view_closep(struct rows **view)
{
    *view = view_close(*view);
}

struct err meta_read_body(struct meta *m, struct place p, void *out)
{
    return m->ops->read_body(m, p, out);
}

void meta_pin(struct meta *m, struct place p)
{
    m->ops->pin(m, p);
}

void meta_unpin(struct meta *m, struct place p)
{
    m->ops->unpin(m, p);
}

struct meta_positions meta_positions(struct meta *m)
{
    return m->ops->positions(m);
}

struct err meta_checkpoint(struct meta *m)
{
    return m->ops->checkpoint(m);
}

void meta_status(struct meta *m, struct meta_status *ret)
{
    m->ops->status(m, ret);
}
