/*
 * manifest.h - what a backup consists of: one file, MANIFEST, in its directory (docs/FORMAT.md).
 *
 * It is written last, by rename: the files that it names are whole and durable, those that it does not name are of a backup that was cut off, or of one before. So
 * at every moment the directory holds exactly one backup, the last that ended, whatever is going on in it.
 *
 * It is read as foreign bytes: a path that could lead out of a directory, an unknown format, a wrong checksum are refused.
 */
#ifndef ADMIN_STORE_MANIFEST_H
#define ADMIN_STORE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/buf.h"
#include "storage/base/err.h"
#include "storage/base/ids.h"

#define MANIFEST_NAME "MANIFEST"
#define BACKUP_FILES "files" /* the directory of all files but MANIFEST and LOCK */

/* Strings live in the arena. */
struct backup_file {
    struct str path;    /* in a data directory: "volumes/0000000001.vol" */
    struct str file;    /* in BACKUP_FILES */
    uint64_t bytes;
    int64_t mtime_ns;   /* of the file that was copied; 0: too young to tell whether it has changed since */
    uint32_t crc32c;    /* of all of it */
};

struct manifest {
    uint64_t number;    /* of the backup in its directory, from 1 */
    int64_t made_ms;
    struct uid store;   /* the id of the volumes' directory */
    struct backup_file *files;
    size_t count, room;
};

/* One more file. ERR_NO_MEMORY. */
struct err manifest_add(struct manifest *m, const struct backup_file *file, struct arena *arena);
/* NULL: it has none of that path. After manifest_sort, or of one that was parsed. */
const struct backup_file *manifest_find(const struct manifest *m, struct str path);
void manifest_sort(struct manifest *m);
bool manifest_has_file(const struct manifest *m, struct str file);

/* ERR_CORRUPT: it is not one, or is damaged. */
struct err manifest_parse(struct str text, struct arena *arena, struct manifest *ret);
struct err manifest_print(const struct manifest *m, struct buf *out);

/* Of a directory. ERR_NOT_FOUND: there is no backup in it. */
struct err manifest_read(const char *dir, struct arena *arena, struct manifest *ret);
struct err manifest_write(const char *dir, const struct manifest *m);

#endif
