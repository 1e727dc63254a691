/*
 * restore.h - a data directory made of a backup.
 *
 * Every file is held against the manifest's length and checksum while it is copied, so a backup that has rotted is found before anything is served from it. From the first file to the last
 * the directory has the file RESTORE_MARK (place.h), and no server starts on it.
 */
#ifndef ADMIN_STORE_RESTORE_H
#define ADMIN_STORE_RESTORE_H

#include <stdint.h>

#include "storage/base/err.h"

struct restore_result {
    uint64_t number, files, bytes;
    int64_t made_ms; /* when the backup was begun */
};

/* ERR_NOT_FOUND: there is no whole backup in `from`. ERR_EXISTS: `data` is there and not empty. ERR_CORRUPT: a file of the backup is not as it was written; which. After a failure behind
 * that, `data` is marked as incomplete. */
struct err store_restore(const char *from, const char *data, struct restore_result *ret);

#endif
