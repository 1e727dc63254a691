/*
 * store_dir.h - the directory of the volumes: whose it is, and what is in it.
 *
 * The start unlinks files that have no rows. That must never meet the directory of another store, or of this one while another process
 * has it, or rows that are not those of this directory (an unmounted disk, a wrong setting). So:
 *
 *   LOCK    is locked as long as the store is open
 *   STORE   holds the store's id in hex; the same is a row (ROW_STORE_KEY). If they differ, or one is missing where there are
 *           volumes or rows of volumes, the start is refused and nothing is unlinked
 *   PROBE   is made and removed at every start: can this file system allocate and punch? Better to refuse the start than the first upload
 */
#ifndef STORAGE_VOLUME_STORE_DIR_H
#define STORAGE_VOLUME_STORE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/meta/meta.h"

/* The volume files that are there, ascending. 8 bytes each, during the start only. */
struct volume_files {
    uint64_t *ids;
    size_t count, size;
};
bool volume_files_have(const struct volume_files *files, uint64_t id);
void volume_files_done(struct volume_files *files);

/* Make the directory if it is absent, lock it, make sure that it belongs to this store, probe it, list it. ERR_BUSY: another process has
 * it. ERR_INVALID: it is another store's. ERR_CORRUPT: it should have volumes and is not their directory. *ret_lock_fd (to be closed in
 * any case, -1 when not open) holds the lock. files is to be done in any case. */
struct err store_dir_open(const char *dir, struct meta *meta, int *ret_lock_fd, struct uid *ret_store, struct volume_files *ret_files);

#endif
