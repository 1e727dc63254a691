/*
 * key_file.h - the master key (DIR.key) and the root credential (DIR.root). For the files of this folder alone.
 *
 * Both lie beside the data directory, not in it, so that a copy of the data does not hold the means to read its secrets
 * (docs/decisions/0007-secrets-sealed-not-hashed.md). Both are text, one thing a line, mode 0600; a file that others may read is
 * refused, because what it holds must be taken as known to them.
 */
#ifndef ADMIN_IAM_KEY_FILE_H
#define ADMIN_IAM_KEY_FILE_H

#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

struct master_key {
    uint8_t store_id[16];
    uint8_t key[32];
};

/* "DIR" and ".key" to "DIR.key" in the arena, without slashes at DIR's end. ERR_INVALID: DIR has no name of its own ("", ".", "/"). */
struct err path_beside(struct str dir, const char *suffix, struct arena *arena, const char **ret);

/* ERR_NOT_FOUND; ERR_INVALID: not a key file, damaged, or readable by others. */
struct err key_file_read(const char *path, struct master_key *ret);
/* A new random key for this store, durable when this returns. There must be no file. */
struct err key_file_make(const char *path, const uint8_t store_id[16], struct master_key *ret);

/* The FIRN_ROOT_USER and FIRN_ROOT_PASSWORD of the file, in the arena. ERR_NOT_FOUND; ERR_INVALID as above, with the line. */
struct err root_file_read(const char *path, struct arena *arena, struct str *ret_user, struct str *ret_password);
/* Random ones, durable when this returns. */
struct err root_file_make(const char *path, struct arena *arena, struct str *ret_user, struct str *ret_password);

#endif
