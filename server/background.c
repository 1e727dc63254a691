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
#include "storage/volume/volume_compact.h"

enum { PAUSE_MS = 1000, SWEEP_MS = 600000 };

enum lane { LANE_SERVER, LANE_STORE, LANE_COUNT };

/* How long a lane sleeps when it has done all. What others changed of identities is known within this time. */
static const uint64_t pauses_ms[LANE_COUNT] = {
    [LANE_SERVER] = LIMIT_IDENTITIES_LEASE_MS / 4, [LANE_STORE] = PAUSE_MS
};

struct lane_thread {
    struct background *background;
    enum lane lane;
    pthread_t thread;
    bool has_thread;
};

struct background {
    struct background_options options;
    struct audit_sweep sweep; /* LANE_STORE's own, as is what follows */
    uint64_t next_sweep_ms;   /* of the audit log */
    struct scrub *scrub; /* NULL: this server did not lead since; what another did meanwhile is in rows */
    struct compact *compact;
    struct volume_compact *volume_compact;
    uint64_t next_write_ms; /* LANE_SERVER's own */
    struct lane_thread lanes[LANE_COUNT];
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

/* A flush of refusals more often than this would be what the log is to spare. */
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
    if (!b->scrub) TRY(scrub_new(&b->options.scrub, &b->scrub));
    return scrub_step(b->scrub, ret_more);
}

static struct err empty_segments(struct background *b, bool *ret_more)
{
    return compact_step(b->compact, ret_more);
}

static struct err empty_volumes(struct background *b, bool *ret_more)
{
    return volume_compact_step(b->volume_compact, ret_more);
}

static const struct job {
    const char *name;
    struct err (*step)(struct background *b, bool *ret_more);
    enum lane lane;
} jobs[] = {
    { "refresh identities", refresh_identities, LANE_SERVER },
    { "write the audit log", write_audit, LANE_SERVER },
    { "clear uploads", clear_uploads, LANE_STORE },
    { "purge tables", purge_tables, LANE_STORE },
    { "know the files of tables", know_files, LANE_STORE },
    { "maintain tables", maintain_tables, LANE_STORE },
    { "delete files", delete_files, LANE_STORE },
    { "clear the audit log", clear_audit, LANE_STORE },
    { "read objects again", read_again, LANE_STORE },
    { "empty sparse journal segments", empty_segments, LANE_STORE },
    { "empty sparse volumes", empty_volumes, LANE_STORE },
};
#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

static bool is_stopping(struct background *b)
{
    mutex_lock(&b->lock);
    const bool stopping = b->is_stopping;
    mutex_unlock(&b->lock);
    return stopping;
}

/* May this lane's work be done here? */
static bool is_ours(struct background *b, enum lane lane)
{
    struct meta_status status;

    if (lane == LANE_SERVER) return true;
    meta_status(b->options.store->meta, &status);
    return status.is_leader;
}

/* Each job once; is there more to do? A job that fails is tried again after the pause. */
static bool run_jobs(struct background *b, enum lane lane)
{
    bool any_more = false;

    if (!is_ours(b, lane)) {
        b->scrub = scrub_free(b->scrub);
        return false;
    }
    for (size_t i = 0; i < JOB_COUNT && !is_stopping(b); i++) {
        bool more = false;
        if (jobs[i].lane != lane) continue;
        const struct err e = jobs[i].step(b, &more);
        if (e.code != ERR_OK)
            LOG_WARN("background job failed, it will be tried again", STRF("job", jobs[i].name), ERRF(e));
        any_more |= e.code == ERR_OK && more;
    }
    return any_more;
}

static void pause_until_next(struct background *b, enum lane lane)
{
    const uint64_t deadline = clock_mono_ms() + pauses_ms[lane];

    mutex_lock(&b->lock);
    while (!b->is_stopping && cond_wait_until(&b->stop, &b->lock, deadline)) continue;
    mutex_unlock(&b->lock);
}

static void run(void *arg)
{
    const struct lane_thread *t = arg;

    while (!is_stopping(t->background)) {
        if (!run_jobs(t->background, t->lane)) pause_until_next(t->background, t->lane);
    }
}

static struct err open_compact(struct background *b)
{
    const struct compact_options o = { .store = b->options.store,
                                       .rate = LIMIT_COMPACT_BYTES,
                                       .look_ms = LIMIT_COMPACT_LOOK_MS,
                                       .spare = LIMIT_COMPACT_SPARE };

    const struct volume_compact_options v = { .blobs = b->options.store->blobs,
                                              .rate = LIMIT_COMPACT_BYTES,
                                              .round_ms = LIMIT_COMPACT_ROUND_MS };

    TRY(compact_new(&o, &b->compact));
    return volume_compact_new(&v, &b->volume_compact);
}

static struct err start_lanes(struct background *b)
{
    static const char *const names[LANE_COUNT] = { [LANE_SERVER] = "upkeep", [LANE_STORE] = "background" };

    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane_thread *t = &b->lanes[i];
        t->background = b;
        t->lane = (enum lane)i;
        TRY(thread_start(names[i], run, t, &t->thread));
        t->has_thread = true;
    }
    return OK;
}

struct err background_start(const struct background_options *options, struct background **ret)
{
    struct background *b = calloc(1, sizeof(*b));

    if (!b) return no_memory();
    b->options = *options;
    mutex_init(&b->lock, LOCK_SERVER);
    cond_init(&b->stop);
    struct err e = open_compact(b);
    if (!e.code) e = start_lanes(b);
    if (e.code) {
        background_stop(b);
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
    for (int i = 0; i < LANE_COUNT; i++) {
        if (b->lanes[i].has_thread) thread_join(b->lanes[i].thread);
    }
    if (b->scrub) err_ignore(scrub_save(b->scrub)); /* else it reads ten seconds' worth again */
    scrub_free(b->scrub);
    compact_free(b->compact);
    volume_compact_free(b->volume_compact);
    cond_done(&b->stop);
    mutex_done(&b->lock);
    free(b);
    return NULL;
}
