/*
 * catch_up.c - the background may be at the same table, and whoever comes later takes over (refs.h, F3): so as not to take it out of each other's hands, it is left alone for a moment.
 */
#include "catalog/maintain/catch_up.h"

#include "catalog/refs/refs.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

enum { ATTEMPTS = 100, PAUSE_MS = 20 };

static void wait_a_moment(void)
{
    struct mutex lock;
    struct cond never;
    const uint64_t until = clock_mono_ms() + PAUSE_MS;

    mutex_init(&lock, LOCK_CATALOG);
    cond_init(&never);
    mutex_lock(&lock);
    while (cond_wait_until(&never, &lock, until)) continue;
    mutex_unlock(&lock);
    cond_done(&never);
    mutex_done(&lock);
}

static struct err is_whole(struct store *s, struct str uuid, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const char *why;

    TRY(view_open(s->meta, &view));
    return ref_table_is_whole(view, uuid, ret, &why);
}

struct err catch_up(struct store *s, struct str uuid)
{
    bool whole = false;

    for (int i = 0; i < ATTEMPTS; i++) {
        TRY(is_whole(s, uuid, &whole));
        if (whole) return OK;
        const struct err e = refs_work_in(s, uuid, NULL);
        if (e.code == ERR_NO_MEMORY) return e;
        if (e.code != ERR_CONFLICT) return OK;
        wait_a_moment();
    }
    return OK;
}
