/*
 * view.c - opening one moment, and knowing which moments are still looked at.
 *
 * A view enters the list of open ones, with the number of the last published transaction, before it takes its roots: so its
 * number is never higher than what it sees, and viewed_by_all errs to the safe side. The committer publishes the rows
 * first and the number behind them, for the same reason. The list is in the order of opening, so the oldest has the lowest number.
 *
 * Closed views are kept for the next ones: a view costs no allocation.
 */
#include <assert.h>
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/meta/embedded.h"

static struct view *view_enter_locked(struct embedded *m)
{
    assert(mutex_is_held(&m->views_lock));
    struct view *v = m->views_idle;
    if (v) m->views_idle = v->newer;
    else if (!(v = malloc(sizeof(*v)))) return NULL;

    *v = (struct view){ .meta = m, .number = atomic_load(&m->published), .older = m->view_newest };
    if (v->older) v->older->newer = v;
    else m->view_oldest = v;
    m->view_newest = v;
    m->views_open++;
    return v;
}

static void view_leave_locked(struct view *v)
{
    struct embedded *m = v->meta;

    if (v->older) v->older->newer = v->newer;
    else m->view_oldest = v->newer;
    if (v->newer) v->newer->older = v->older;
    else m->view_newest = v->older;
    m->views_open--;
    v->newer = m->views_idle;
    m->views_idle = v;
}

static void roots_release(struct view *v)
{
    v->active = memtable_root_release(v->active);
    v->frozen = memtable_root_release(v->frozen);
}

/* Both roots, and the freeze number that they belong to. */
static uint64_t roots_take(struct view *v)
{
    struct embedded *m = v->meta;

    mutex_lock(&m->views_lock);
    v->active = memtable_root_take(m->active);
    v->frozen = m->frozen.table ? memtable_root_take(m->frozen.table) : NULL;
    const uint64_t freeze_number = m->freeze_number;
    mutex_unlock(&m->views_lock);
    return freeze_number;
}

static uint64_t freeze_number_now(struct embedded *m)
{
    mutex_lock(&m->views_lock);
    const uint64_t n = m->freeze_number;
    mutex_unlock(&m->views_lock);
    return n;
}

static struct err sources_take(struct view *v)
{
    for (;;) {
        const uint64_t freeze_number = roots_take(v);
        const struct err e = lmdb_read_begin(v->meta->lmdb, &v->lmdb);
        if (e.code) {
            roots_release(v);
            return e;
        }
        if (freeze_number == freeze_number_now(v->meta)) return OK;
        v->lmdb = lmdb_end(v->lmdb);
        roots_release(v);
    }
}

struct err view_take(struct embedded *m, struct view **ret)
{
    mutex_lock(&m->views_lock);
    const bool is_full = m->views_open >= LIMIT_META_VIEWS;
    struct view *v = is_full ? NULL : view_enter_locked(m);
    mutex_unlock(&m->views_lock);
    if (is_full) return FAIL(ERR_BUSY, "too many views are open");
    if (!v) return FAIL(ERR_NO_MEMORY, "no memory for a view");

    const struct err e = sources_take(v);
    if (e.code) {
        mutex_lock(&m->views_lock);
        view_leave_locked(v);
        mutex_unlock(&m->views_lock);
        return e;
    }
    const struct rows_sources from = {
        .active = memtable_root_tree(v->active),
        .frozen = v->frozen ? memtable_root_tree(v->frozen) : (struct memtable_tree){ NULL },
        .lmdb = v->lmdb,
    };
    rows_merged_init(&v->merged, &from);
    *ret = v;
    return OK;
}

void view_give(struct view *v)
{
    struct embedded *m = v->meta;

    v->lmdb = lmdb_end(v->lmdb);
    roots_release(v);
    mutex_lock(&m->views_lock);
    view_leave_locked(v);
    mutex_unlock(&m->views_lock);
}

static void embedded_view_close(struct rows *rows)
{
    view_give((struct view *)(void *)rows); /* its first member */
}

struct err embedded_view_open(struct meta *meta, struct rows **ret)
{
    struct view *v;

    TRY(view_take(embedded_of(meta), &v));
    v->merged.rows.close = embedded_view_close;
    *ret = &v->merged.rows;
    return OK;
}

uint64_t views_seen_by_all(struct embedded *m)
{
    mutex_lock(&m->views_lock);
    const uint64_t n = m->view_oldest ? m->view_oldest->number : atomic_load(&m->published);
    mutex_unlock(&m->views_lock);
    return n;
}

void views_free(struct embedded *m)
{
    assert(!m->views_open);
    while (m->views_idle) {
        struct view *v = m->views_idle;
        m->views_idle = v->newer;
        free(v);
    }
}
