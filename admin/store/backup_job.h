/*
 * backup_job.h - backups of a running server: one at a time, in a thread of its own, asked for and looked at by others.
 *
 * A backup may take hours, so nobody waits for it: who asks is told that it began, and asks again how it stands. A stop of the server ends it, and the
 * backup before it stays.
 */
#ifndef ADMIN_STORE_BACKUP_JOB_H
#define ADMIN_STORE_BACKUP_JOB_H

#include "admin/store/backup.h"
#include "storage/base/json.h"

struct backup_job;

/* The store outlives it. data_dir is copied. */
struct err backup_job_new(struct store *store, struct str data_dir, struct backup_job **ret);
struct backup_job *backup_job_free(struct backup_job *job); /* stops what runs, and waits for it; NULL is fine; returns NULL */

/* Begin one. ERR_INVALID: not an absolute path of sensible length. ERR_BUSY: one is being made. */
struct err backup_job_start(struct backup_job *job, struct str directory);

/* {"state": "none" | "running" | "done" | "failed", "directory", "why", "number", "files", "bytes", "files-copied", "bytes-copied"}: of the last one. NULL for want of memory. */
json_t *backup_job_status(struct backup_job *job);

#endif
