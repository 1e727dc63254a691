/*
 * backup.c - the steps of a backup (backup.h), and what is kept of the one before.
 *
 *   TO/LOCK        locked while a backup is being made or restored from
 *   TO/MANIFEST    which files are the backup
 *   TO/files/N-x   those that backup number N had to copy: N-rows.mdb, N-XXXXXXXX.seg, N-NNNNNNNNNN.vol, N-STORE
 *   TO/new/        LMDB writes its copy there; it is moved to files/
 */
#include "admin/store/backup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/copy_file.h"
#include "admin/store/manifest.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/copy.h"
#include "storage/meta/segment.h"
#include "storage/volume/volume.h"
#include "storage/volume/volume_rows.h"

#define SETTLED_MS                                                                                           \
    2000 /* a file changed less than so long ago may change again without another time of change: clocks of file systems are coarse */
#define MANIFEST_ARENA (256 * MIB)

struct backup {
    const struct backup_options *options;
    struct arena *arena;
    struct manifest before, now; /* before.number is 0 when there is none */
    struct meta_copied rows;
    uint64_t deadline_ms;
    struct backup_result result;
    const char *folder; /* of the data directory, that is being copied: "rows/journal" */
};

/* ---- the directory ---- */

static void path_to(const struct backup *b, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", b->options->to, name);
}

static struct err refuse_foreign(void *arg, const char *name)
{
    static const char *const ours[] = { "LOCK", MANIFEST_NAME, "MANIFEST.tmp", BACKUP_FILES, "new" };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(name, ours[i]) == 0) return OK;
    }
    return err_fail(ERR_INVALID, "%s is no directory of a backup: '%s' is in it", (const char *)arg, name);
}

/* The data directory itself, or something in it? By real paths, so that no link leads astray. */
static struct err check_place(const struct backup_options *o)
{
    char to[PATH_MAX], data[PATH_MAX];

    if (!realpath(o->to, to) || !realpath(o->data_dir, data))
        return err_errno(ERR_INVALID, errno, "%s cannot be found", o->to);
    const size_t len = strlen(data);
    if (strncmp(to, data, len) == 0 && (to[len] == '/' || to[len] == 0))
        return err_fail(ERR_INVALID, "%s is in the data directory: a backup has to be elsewhere", o->to);
    return OK;
}

static struct err take_directory(struct backup *b, int *ret_lock)
{
    char path[PATH_MAX];

    if (b->options->to[0] != '/')
        return err_fail(ERR_INVALID, "'%s' must be an absolute path", b->options->to);
    if (strlen(b->options->to) > PATH_MAX - 512)
        return FAIL(ERR_INVALID, "the path of the backup is too long");
    TRY(sys_mkdir(b->options->to, 0700));
    TRY(check_place(b->options));
    path_to(b, "..", path);
    TRY(sys_sync_dir(path));
    (void)snprintf(path, sizeof(path), "%s", b->options->to);
    TRY(sys_list_dir(b->options->to, refuse_foreign, path));
    path_to(b, "LOCK", path);
    TRY(sys_open(path, O_RDWR | O_CREAT, 0600, ret_lock));
    TRY(sys_lock(*ret_lock));
    const struct err e = manifest_read(b->options->to, b->arena, &b->before);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    path_to(b, BACKUP_FILES, path);
    return sys_mkdir(path, 0700);
}

static struct err sweep_one(void *arg, const char *name)
{
    const struct backup *b = arg;
    char path[PATH_MAX];

    if (manifest_has_file(&b->now, str_from_z(name))) return OK;
    (void)snprintf(path, sizeof(path), "%s/" BACKUP_FILES "/%s", b->options->to, name);
    return sys_unlink(path);
}

/* Remove the files that the manifest b->now does not name. */
static struct err sweep(struct backup *b)
{
    char path[PATH_MAX];

    path_to(b, "new/data.mdb", path);
    TRY(sys_unlink_if_there(path));
    path_to(b, BACKUP_FILES, path);
    return sys_list_dir(path, sweep_one, b);
}

static struct err check_store_id(struct backup *b, struct rows *view)
{
    struct str id;

    TRY(rows_get(view, SPACE_SYSTEM, ROW_STORE_KEY, &id));
    if (id.len != sizeof(b->now.store.bytes)) return FAIL(ERR_CORRUPT, "the row of the store id is damaged");
    memcpy(b->now.store.bytes, id.data, id.len);
    if (!b->before.number || memcmp(b->before.store.bytes, id.data, id.len) == 0) return OK;
    return err_fail(ERR_INVALID, "%s holds a backup of another store", b->options->to);
}

/* ---- one file ---- */

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool is_settled(const struct stat *st)
{
    return mtime_ns(st) / 1000000 + SETTLED_MS < clock_now_ms();
}

static struct err note(struct backup *b, const struct backup_file *file, bool is_copied)
{
    b->result.files++;
    b->result.bytes += file->bytes;
    if (is_copied) {
        b->result.files_copied++;
        b->result.bytes_copied += file->bytes;
    }
    return manifest_add(&b->now, file, b->arena);
}

/* Is what the backup before has of this file still all of it? */
static bool is_kept(const struct backup *b, const struct backup_file *old, const struct stat *st,
                    uint64_t bytes)
{
    char path[PATH_MAX];
    struct stat there;

    if (!old || !old->mtime_ns || old->mtime_ns != mtime_ns(st) || old->bytes != bytes) return false;
    (void)snprintf(path, sizeof(path), "%s/" BACKUP_FILES "/%.*s", b->options->to, STR_ARG(old->file));
    return sys_stat(path, &there).code == ERR_OK && (uint64_t)there.st_size == old->bytes;
}

static struct err copy_anew(struct backup *b, const char *from, const struct stat *st, uint64_t bytes_max,
                            struct backup_file *file)
{
    char to[PATH_MAX];
    struct copied copied;

    (void)snprintf(to, sizeof(to), "%s/" BACKUP_FILES "/%.*s", b->options->to, STR_ARG(file->file));
    const struct copy_job job = { .from = from,
                                  .to = to,
                                  .bytes_max = bytes_max,
                                  .deadline_ms = b->deadline_ms,
                                  .is_stopping = b->options->is_stopping };
    TRY(copy_file(&job, &copied));
    file->bytes = copied.bytes;
    file->crc32c = copied.crc32c;
    file->mtime_ns = is_settled(st) ? mtime_ns(st) : 0;
    return note(b, file, true);
}

/* The first bytes_max bytes of a file in b->folder. One that is gone was not needed: the view holds all that is. */
static struct err back_up(struct backup *b, const char *name, uint64_t bytes_max)
{
    char path[128], file_name[128], from[PATH_MAX];
    struct backup_file file;
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%.80s", b->folder, name);
    (void)snprintf(file_name, sizeof(file_name), "%" PRIu64 "-%.80s", b->now.number, name);
    (void)snprintf(from, sizeof(from), "%s/%s", b->options->data_dir, path);
    struct err e = sys_stat(from, &st);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    const struct backup_file *old = manifest_find(&b->before, str_from_z(path));
    const uint64_t bytes = (uint64_t)st.st_size < bytes_max ? (uint64_t)st.st_size : bytes_max;
    if (is_kept(b, old, &st, bytes)) return note(b, old, false);
    file = (struct backup_file){ .path = str_from_z(path), .file = str_from_z(file_name) };
    e = copy_anew(b, from, &st, bytes_max, &file);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* ---- the store's parts ---- */

static struct err back_up_rows(struct backup *b)
{
    char dir[PATH_MAX], from[PATH_MAX], to[PATH_MAX], name[64];
    struct copied copied;

    path_to(b, "new", dir);
    path_to(b, "new/data.mdb", from);
    (void)snprintf(name, sizeof(name), "%" PRIu64 "-rows.mdb", b->now.number);
    (void)snprintf(to, sizeof(to), "%s/" BACKUP_FILES "/%s", b->options->to, name);
    TRY(meta_copy_rows(b->options->store->meta, dir, &b->rows));
    TRY(sys_rename(from, to));
    const struct copy_job sum = { .from = to,
                                  .bytes_max = UINT64_MAX,
                                  .deadline_ms = b->deadline_ms,
                                  .is_stopping = b->options->is_stopping };
    TRY(copy_sum(&sum, &copied));
    const struct backup_file file = { .path = STR("rows/rows/data.mdb"),
                                      .file = str_from_z(name),
                                      .bytes = copied.bytes,
                                      .crc32c = copied.crc32c };
    return note(b, &file, true);
}

static struct err back_up_segment(void *arg, const char *name)
{
    struct backup *b = arg;
    uint32_t id;

    if (!segment_id_from(name, &id)) return OK;
    if (id > b->rows.segment_id) return OK;
    if (meta_segment_is_dead(b->options->store->meta, id)) return OK; /* kept for the store's own copy only */
    return back_up(b, name, id == b->rows.segment_id ? b->rows.offset : UINT64_MAX);
}

static struct err back_up_volume(void *arg, const char *name)
{
    struct backup *b = arg;
    uint64_t id;

    if (strcmp(name, "STORE") != 0 && !volume_id_from(name, &id)) return OK;
    return back_up(b, name, UINT64_MAX);
}

static struct err back_up_folder(struct backup *b, const char *folder,
                                 struct err (*each)(void *, const char *))
{
    char path[PATH_MAX];

    b->folder = folder;
    (void)snprintf(path, sizeof(path), "%s/%s", b->options->data_dir, folder);
    return sys_list_dir(path, each, b);
}

/* All that the view holds for us. */
static struct err copy_all(struct backup *b)
{
    char path[PATH_MAX];

    TRY(back_up_rows(b));
    TRY(back_up_folder(b, "rows/journal", back_up_segment));
    TRY(back_up_folder(b, "volumes", back_up_volume));
    path_to(b, BACKUP_FILES, path);
    TRY(sys_sync_dir(path));
    manifest_sort(&b->now);
    return manifest_write(b->options->to, &b->now);
}

static struct err run(struct backup *b)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    b->now = b->before;
    TRY(sweep(b)); /* what one that was cut off left behind */
    b->now = (struct manifest){ .number = b->before.number + 1, .made_ms = clock_now_ms() };
    TRY(view_open(b->options->store->meta, &view));
    TRY(check_store_id(b, view));
    TRY(copy_all(b));
    view = view_close(view);
    b->result.number = b->now.number;
    err_ignore(sweep(b)); /* the new backup is there; the next one sweeps again */
    return OK;
}

struct err store_backup(const struct backup_options *options, struct backup_result *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(MANIFEST_ARENA);
    const uint64_t ms = options->ms_max ? options->ms_max : LIMIT_BACKUP_MS;
    struct backup b = { .options = options, .arena = arena, .deadline_ms = clock_mono_ms() + ms };
    int lock = -1;

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(meta_copy_check(options->store->meta));
    struct err e = take_directory(&b, &lock);
    if (!e.code) e = run(&b);
    sys_close(lock);
    if (e.code == ERR_BUSY) return err_fail(ERR_BUSY, "another backup to %s is at work", options->to);
    TRY(e);
    *ret = b.result;
    return OK;
}
