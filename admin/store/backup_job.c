/*
 * backup_job.c - the thread of a backup, and what is known of the last one.
 */
#include "admin/store/backup_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/place.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

enum state { STATE_NONE, STATE_RUNNING, STATE_DONE, STATE_FAILED };

struct backup_job {
    struct store *store;
    char data_dir[STORE_PATH_MAX];
    atomic_bool is_stopping;
    pthread_t thread;
    struct mutex lock; /* guards what follows */
    enum state state;
    bool has_thread; /* it is to be joined */
    char to[STORE_PATH_MAX], why[512];
    struct backup_result result;
};

static void keep_outcome(struct backup_job *job, struct err e, const struct backup_result *result)
{
    mutex_lock(&job->lock);
    job->state = e.code ? STATE_FAILED : STATE_DONE;
    job->result = *result;
    if (e.code) (void)err_keep(e, job->why, sizeof(job->why));
    mutex_unlock(&job->lock);
}

static void job_main(void *arg)
{
    struct backup_job *job = arg;
    struct backup_result result = { 0 };
    const uint64_t began = clock_mono_ms();
    const struct backup_options o = {
        .store = job->store, .data_dir = job->data_dir, .to = job->to, .is_stopping = &job->is_stopping
    };
    const struct err e = store_backup(&o, &result);

    if (e.code) LOG_ERROR("backup failed", STRF("directory", job->to), ERRF(e));
    else
        LOG_INFO("backup made", STRF("directory", job->to), U64("number", result.number),
                 U64("bytes", result.bytes), U64("bytes_copied", result.bytes_copied),
                 U64("ms", clock_mono_ms() - began));
    keep_outcome(job, e, &result);
}

struct err backup_job_new(struct store *store, struct str data_dir, struct backup_job **ret)
{
    struct backup_job *job = calloc(1, sizeof(*job));

    if (!job) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    job->store = store;
    mutex_init(&job->lock, LOCK_SERVER);
    (void)snprintf(job->data_dir, sizeof(job->data_dir), "%.*s", STR_ARG(data_dir));
    *ret = job;
    return OK;
}

struct backup_job *backup_job_free(struct backup_job *job)
{
    if (!job) return NULL;
    atomic_store(&job->is_stopping, true);
    if (job->has_thread) thread_join(job->thread);
    free(job);
    return NULL;
}

/* Nothing runs; a thread that has ended is to be joined. */
static struct err start_locked(struct backup_job *job, struct str directory)
{
    if (job->state == STATE_RUNNING) return FAIL(ERR_BUSY, "a backup is being made: wait until it has ended");
    if (job->has_thread) thread_join(job->thread); /* it has nothing left to do */
    job->has_thread = false;
    (void)snprintf(job->to, sizeof(job->to), "%.*s", STR_ARG(directory));
    job->why[0] = 0;
    job->result = (struct backup_result){ 0 };
    TRY(thread_start("backup", job_main, job, &job->thread));
    job->has_thread = true;
    job->state = STATE_RUNNING;
    return OK;
}

struct err backup_job_start(struct backup_job *job, struct str directory)
{
    if (!str_starts(directory, STR("/")) || directory.len >= sizeof(job->to)
        || memchr(directory.data, 0, directory.len))
        return FAIL(ERR_INVALID, "field 'directory' must be an absolute path on the server's machine");
    mutex_lock(&job->lock);
    const struct err e = start_locked(job, directory);
    mutex_unlock(&job->lock);
    return e;
}

json_t *backup_job_status(struct backup_job *job)
{
    static const char *const states[] = { "none", "running", "done", "failed" };

    mutex_lock(&job->lock);
    const struct backup_result r = job->result;
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "state", states[job->state],
                             "directory", job->to, "why", job->why, "number", (json_int_t)r.number, "files",
                             (json_int_t)r.files, "bytes", (json_int_t)r.bytes, "files-copied",
                             (json_int_t)r.files_copied, "bytes-copied", (json_int_t)r.bytes_copied);
    mutex_unlock(&job->lock);
    return json;
}
