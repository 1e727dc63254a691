/*
 * store_dir.c - lock, identity, probe and listing of the directory of the volumes.
 *
 * The row is made first, then the file: a crash in between leaves a row and an empty directory, which is as good as new. The other way
 * round would leave a directory that belongs to nobody.
 */
#include "storage/volume/store_dir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/volume/record.h"
#include "storage/volume/volume.h"
#include "storage/volume/volume_rows.h"

#define LOCK_FILE "LOCK"
#define STORE_FILE "STORE"
#define PROBE_FILE "PROBE"

/* arg: the id that a new store gets; set to the one that an old one has. */
static struct err make_store_row(struct txn *txn, void *arg)
{
    struct uid *id = arg;
    struct str value;
    const struct err e = rows_get(txn_rows(txn), SPACE_SYSTEM, ROW_STORE_KEY, &value);

    if (e.code == ERR_NOT_FOUND) return txn_put(txn, SPACE_SYSTEM, ROW_STORE_KEY, key_body(id));
    TRY(e);
    if (value.len != sizeof(id->bytes)) return FAIL(ERR_CORRUPT, "the row of the store id is damaged");
    memcpy(id->bytes, value.data, sizeof(id->bytes));
    return OK;
}

static struct err list_one(void *arg, const char *name)
{
    struct volume_files *files = arg;
    uint64_t id;

    if (!volume_id_from(name, &id)) return OK;
    if (files->count == files->size) {
        const size_t size = files->size ? 2 * files->size : 64;
        uint64_t *ids = realloc(files->ids, size * sizeof(*ids));
        if (!ids) return FAIL(ERR_NO_MEMORY, "no memory for the names of the volumes");
        files->ids = ids;
        files->size = size;
    }
    files->ids[files->count++] = id;
    return OK;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

bool volume_files_have(const struct volume_files *files, uint64_t id)
{
    return files->count && bsearch(&id, files->ids, files->count, sizeof(id), compare_ids);
}

/* Is there any row in SPACE_VOLUMES? */
static struct err has_volume_rows(struct meta *meta, bool *ret)
{
    struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;

    TRY(view_open(meta, &view));
    rows_scan_begin(&scan, view, SPACE_VOLUMES, STR_NONE, false);
    *ret = rows_scan_next(&scan, &key, &value);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    view_close(view);
    return e;
}

static struct err check_store(const char *dir, struct meta *meta, const struct volume_files *files,
                              struct uid *ret)
{
    struct uid id = ids_uid();
    char path[PATH_MAX], text[33], *found = NULL;
    size_t len = 0;
    bool has_rows = false;

    TRY(meta_run_freeing(meta, make_store_row, &id));
    *ret = id;
    hex_z(id.bytes, sizeof(id.bytes), text);
    (void)snprintf(path, sizeof(path), "%s/" STORE_FILE, dir);

    const struct err e = sys_read_file(path, 64, &found, &len);
    if (!e.code) {
        const bool is_same = str_eq(str_trim(str_of(found, len)), str_of(text, 32));
        free(found);
        return is_same ? OK : err_fail(ERR_INVALID, "%s belongs to another store", dir);
    }
    if (e.code != ERR_NOT_FOUND) return e;
    TRY(has_volume_rows(meta, &has_rows));
    if (has_rows)
        return err_fail(ERR_CORRUPT, "%s has no file STORE: this is not the directory of this store", dir);
    if (files->count) return err_fail(ERR_INVALID, "%s has volumes of another store", dir);
    return sys_write_file(path, str_of(text, 32), 0600);
}

/* What volumes need of a file system, tried out: better to refuse the start than the first upload. */
static struct err probe(const char *dir)
{
    char path[PATH_MAX];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/" PROBE_FILE, dir);
    TRY(sys_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd));
    struct err e = sys_fallocate(fd, 0, 0, 2 * RECORD_ALIGN);
    if (!e.code) e = sys_punch(fd, 0, RECORD_ALIGN);
    sys_close(fd);
    const struct err gone = sys_unlink(path);
    if (e.code && e.code != ERR_NO_SPACE) {
        return err_fail(e.code, "the file system of %s cannot hold volumes: %s", dir, e.why);
    }
    return gone;
}

static struct err lock_dir(const char *dir, int *fd)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/" LOCK_FILE, dir);
    TRY(sys_open(path, O_RDWR | O_CREAT, 0600, fd));
    const struct err e = sys_lock(*fd);
    return e.code == ERR_BUSY ? err_fail(ERR_BUSY, "another process has %s", dir) : e;
}

void volume_files_done(struct volume_files *files)
{
    free(files->ids);
    *files = (struct volume_files){ 0 };
}

struct err store_dir_open(const char *dir, struct meta *meta, int *ret_lock_fd, struct uid *ret_store,
                          struct volume_files *ret_files)
{
    char parent[PATH_MAX];

    TRY(sys_mkdir(dir, 0700));
    (void)snprintf(parent, sizeof(parent), "%s/..", dir);
    TRY(sys_sync_dir(parent));
    TRY(lock_dir(dir, ret_lock_fd));
    TRY(sys_list_dir(dir, list_one, ret_files));
    if (ret_files->count) qsort(ret_files->ids, ret_files->count, sizeof(*ret_files->ids), compare_ids);
    TRY(check_store(dir, meta, ret_files, ret_store));
    return probe(dir);
}
