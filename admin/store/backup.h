/*
 * backup.h - a copy of a store that is open, as it is at one moment, while others write to it.
 *
 *   hold      a view is opened: from now on nothing that it sees is punched, unlinked or reused (meta_positions.viewed_by_all)
 *   rows      LMDB is copied, then the end of the journal that belongs to it is known (storage/meta/copy.h)
 *   journal   its segments, up to that end
 *   volumes   their files. What is written to them meanwhile has no row in the copy, and a start gives it back
 *   manifest  names all of it, with lengths and checksums; written last, by rename
 *   release   the view is closed; files of the backup before that the new one does not need are removed
 *
 * The moment is the end of the journal that was copied: everything acknowledged before the call is in the backup, nothing of after its end is.
 *
 * Incremental: a file of the backup that is there already is kept when the source has the length and the time of change that it had then. New content never
 * goes over old: it goes to files with the new number. So a backup that is cut off leaves the one before it as it was.
 *
 * While it runs, freed space waits, and LMDB's file grows instead of using pages again: so it ends after LIMIT_BACKUP_MS, whole or with an error, and the hold
 * with it. Writers wait for nothing but two checkpoints' share of the disk.
 *
 * Not in it: the master key and root's credential, which lie beside a data directory. Without its key a store cannot be started.
 */
#ifndef ADMIN_STORE_BACKUP_H
#define ADMIN_STORE_BACKUP_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/object/object.h"

struct backup_options {
    struct store *store;
    const char *data_dir;           /* of the store: with rows/ and volumes/ */
    const char *to;                 /* absolute, outside of data_dir; made with mode 0700 if absent */
    const atomic_bool *is_stopping; /* NULL: nobody stops it */
    uint64_t ms_max;                /* 0: LIMIT_BACKUP_MS */
};

struct backup_result {
    uint64_t number;                 /* of this backup in its directory */
    uint64_t files, bytes;           /* of all of it */
    uint64_t files_copied, bytes_copied; /* of what was not there already */
};

/* ERR_INVALID: `to` is not a place for it, and why. ERR_BUSY: another backup is being made there. Whatever fails, the backup that was there before is still there. */
struct err store_backup(const struct backup_options *options, struct backup_result *ret);

#endif
