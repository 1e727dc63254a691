/*
 * background.c - clearing up behind uploads and dropped tables, keeping what is known of identities true, looking after tables and the audit log.
 */
#include "server/background.h"

#include <stdlib.h>

#include "catalog/commit/catalog.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/object/compact.h"
#include "storage/object/multipart.h"

enum { PAUSE_MS = 1000, SWEEP_MS = 600000 };

struct background {
    struct background_options options;
    struct scrub *scrub; /* the thread's own, as is what follows */
    struct compact *compact;
    struct audit_sweep sweep;
    uint64_t next_write_ms, next_sweep_ms; /* of the audit log */
    pthread_t thread;
    struct mutex lock;
    struct cond stop;
    bool is_stopping; /* guarded by lock */
};

static struct err clear_uploads(struct background *b, bool *ret_more)
{
    return multipart_clear(b->options.store, ret_more);
}

static struct err purge_tables(struct background *b, bool *ret_more)
{
    return purge_step(b->options.store, ret_more);
}

/* A change that another server made, or that could not be read when it was made. */
static struct err refresh_identities(struct background *b, bool *ret_more)
{
    *ret_more = false;
    return iam_reload(b->options.iam);
}

static struct err know_files(struct background *b, bool *ret_more)
{
    return maintain_index_step(b->options.maintain, ret_more);
}

static struct err maintain_tables(struct background *b, bool *ret_more)
{
    return maintain_walk_step(b->options.maintain, ret_more);
}

static struct err delete_files(struct background *b, bool *ret_more)
{
    return maintain_delete_step(b->options.maintain, ret_more);
}

/* Other jobs may have more to do and be called again at once: a flush of refusals each time would be what the log is to spare. */
static struct err write_audit(struct background *b, bool *ret_more)
{
    *ret_more = false;
    if (clock_mono_ms() < b->next_write_ms) return OK;
    b->next_write_ms = clock_mono_ms() + PAUSE_MS;
    return audit_log_flush(b->options.audit);
}

/* All rows are counted each time: from one time to the next there is a while. */
static struct err clear_audit(struct background *b, bool *ret_more)
{
    *ret_more = false;
    if (clock_mono_ms() < b->next_sweep_ms) return OK;
    TRY(audit_sweep_step(b->options.store, &b->sweep, &b->options.audit_retention, ret_more));
    if (!*ret_more) b->next_sweep_ms = clock_mono_ms() + SWEEP_MS;
    return OK;
}

static struct err read_again(struct background *b, bool *ret_more)
{
    return scrub_step(b->scrub, ret_more);
}

static struct err empty_segments(struct background *b, bool *ret_more)
{
    return compact_step(b->compact, ret_more);
}

static const struct job {
    const char *name;
    struct err (*step)(struct background *b, bool *ret_more);
} jobs[] = {
    { "clear uploads", clear_uploads },           { "purge tables", purge_tables },
    { "refresh identities", refresh_identities }, { "know the files of tables", know_files },
    { "maintain tables", maintain_tables },       { "delete files", delete_files },
    { "write the audit log", write_audit },       { "clear the audit log", clear_audit },
    { "read objects again", read_again },         { "empty sparse journal segments", empty_segments },
};
#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

static bool is_stopping(struct background *b)
{
    mutex_lock(&b->lock);
    const bool stopping = b->is_stopping;
    mutex_unlock(&b->lock);
    return stopping;
}

/* Each job once; is there more to do? A job that fails is tried again after the pause. */
static bool run_jobs(struct background *b)
{
    bool any_more = false;

    for (size_t i = 0; i < JOB_COUNT && !is_stopping(b); i++) {
        bool more = false;
        const struct err e = jobs[i].step(b, &more);
        if (e.code != ERR_OK)
            LOG_WARN("background job failed, it will be tried again", STRF("job", jobs[i].name), ERRF(e));
        any_more |= e.code == ERR_OK && more;
    }
    return any_more;
}

static void pause_until_next(struct background *b)
{
    const uint64_t deadline = clock_mono_ms() + PAUSE_MS;

    mutex_lock(&b->lock);
    while (!b->is_stopping && cond_wait_until(&b->stop, &b->lock, deadline)) continue;
    mutex_unlock(&b->lock);
}

static void run(void *arg)
{
    struct background *b = arg;

    while (!is_stopping(b)) {
        if (!run_jobs(b)) pause_until_next(b);
    }
}

static struct background *background_free(struct background *b)
{
    scrub_free(b->scrub);
    compact_free(b->compact);
    cond_done(&b->stop);
    mutex_done(&b->lock);
    free(b);
    return NULL;
}

static struct err open_own(struct background *b)
{
    const struct compact_options o = { .store = b->options.store,
                                       .rate = LIMIT_COMPACT_BYTES,
                                       .look_ms = LIMIT_COMPACT_LOOK_MS,
                                       .spare = LIMIT_COMPACT_SPARE };

    TRY(compact_new(&o, &b->compact));
    return scrub_new(&b->options.scrub, &b->scrub);
}

struct err background_start(const struct background_options *options, struct background **ret)
{
    struct background *b = calloc(1, sizeof(*b));

    if (!b) return no_memory();
    b->options = *options;
    mutex_init(&b->lock, LOCK_SERVER);
    cond_init(&b->stop);
    struct err e = open_own(b);
    if (!e.code) e = thread_start("background", run, b, &b->thread);
    if (e.code) {
        background_free(b);
        return e;
    }
    *ret = b;
    return OK;
}

struct background *background_stop(struct background *b)
{
    if (!b) return NULL;
    maintain_stop(b->options.maintain);
    mutex_lock(&b->lock);
    b->is_stopping = true;
    cond_broadcast(&b->stop);
    mutex_unlock(&b->lock);
    thread_join(b->thread);
    err_ignore(scrub_save(b->scrub)); /* else it reads ten seconds' worth again */
    return background_free(b);
}
