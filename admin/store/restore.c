/*
 * restore.c - making a data directory of a backup (restore.h).
 *
 * The mark first, durably; then the files; then the directories' names; last the mark goes. Whatever stops it in between, the mark is there.
 */
#include "admin/store/restore.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admin/store/copy_file.h"
#include "admin/store/manifest.h"
#include "admin/store/place.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define MANIFEST_ARENA (256 * MIB)

static const char *const folders[] = { "rows", "rows/rows", "rows/journal", "volumes" };

#define FOLDER_COUNT (sizeof(folders) / sizeof(folders[0]))

static struct err refuse_any(void *arg, const char *name)
{
    (void)name;
    return err_fail(ERR_EXISTS, "%s is there and not empty: a restore makes a new directory",
                    (const char *)arg);
}

static struct err make_directories(const char *data)
{
    char path[PATH_MAX], name[64];

    if (strlen(data) > STORE_PATH_MAX) return FAIL(ERR_INVALID, "the path of the directory is too long");
    TRY(sys_mkdir(data, 0700));
    (void)snprintf(path, sizeof(path), "%s", data);
    TRY(sys_list_dir(data, refuse_any, path));
    (void)snprintf(path, sizeof(path), "%s/..", data);
    TRY(sys_sync_dir(path));
    (void)snprintf(path, sizeof(path), "%s/" RESTORE_MARK, data);
    (void)snprintf(name, sizeof(name), "a restore into this directory has not ended\n");
    TRY(sys_write_file(path, str_from_z(name), 0600));
    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", data, folders[i]);
        TRY(sys_mkdir(path, 0700));
    }
    return OK;
}

static struct err restore_file(const char *from, const char *data, const struct backup_file *file)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct copied copied;

    (void)snprintf(source, sizeof(source), "%s/" BACKUP_FILES "/%.*s", from, STR_ARG(file->file));
    (void)snprintf(target, sizeof(target), "%s/%.*s", data, STR_ARG(file->path));
    const struct copy_job job = { .from = source, .to = target, .bytes_max = UINT64_MAX };
    const struct err e = copy_file(&job, &copied);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_CORRUPT, "the backup lacks its file %s", source);
    TRY(e);
    if (copied.bytes != file->bytes)
        return err_fail(ERR_CORRUPT, "%s has %" PRIu64 " bytes, the manifest says %" PRIu64, source,
                        copied.bytes, file->bytes);
    if (copied.crc32c != file->crc32c)
        return err_fail(ERR_CORRUPT, "%s is damaged: its checksum is not that of the manifest", source);
    return OK;
}

static struct err sync_all(const char *data)
{
    char path[PATH_MAX];

    for (size_t i = FOLDER_COUNT; i > 0; i--) {
        (void)snprintf(path, sizeof(path), "%s/%s", data, folders[i - 1]);
        TRY(sys_sync_dir(path));
    }
    TRY(sys_sync_dir(data));
    (void)snprintf(path, sizeof(path), "%s/" RESTORE_MARK, data);
    TRY(sys_unlink(path));
    return sys_sync_dir(data);
}

static struct err restore_all(const char *from, const char *data, struct arena *arena,
                              struct restore_result *ret)
{
    struct manifest m;

    TRY(manifest_read(from, arena, &m));
    TRY(make_directories(data));
    struct restore_result result = { .number = m.number, .files = m.count, .made_ms = m.made_ms };
    for (size_t i = 0; i < m.count; i++) {
        TRY(restore_file(from, data, &m.files[i]));
        result.bytes += m.files[i].bytes;
    }
    TRY(sync_all(data));
    *ret = result;
    return OK;
}

struct err store_restore(const char *from, const char *data, struct restore_result *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(MANIFEST_ARENA);
    char path[PATH_MAX];
    int lock = -1;

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (strlen(from) > PATH_MAX - 512) return FAIL(ERR_INVALID, "the path of the backup is too long");
    (void)snprintf(path, sizeof(path), "%s/LOCK", from);
    struct err e = sys_open(path, O_RDWR, 0, &lock);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_NOT_FOUND, "there is no backup in %s", from);
    if (!e.code) e = sys_lock(lock);
    if (e.code == ERR_BUSY)
        e = err_fail(ERR_BUSY, "a backup to %s is at work: restore when it has ended", from);
    if (!e.code) e = restore_all(from, data, arena, ret);
    sys_close(lock);
    return e;
}
