/*
 * offline.h - a store opened by an operator's verb, without a server.
 *
 * Opening is what a start of the server does: it takes the store's locks, settles the journal's end, and gives back what was never published. It is the only way
 * in: rows that were acknowledged may still be in the journal. Nothing else is changed; what could be reclaimed stays.
 */
#ifndef ADMIN_STORE_OFFLINE_H
#define ADMIN_STORE_OFFLINE_H

#include "storage/object/object.h"

#define STORE_PATH_MAX 3072 /* so that names of files fit behind it */

struct offline {
    struct store store;
    char rows[STORE_PATH_MAX + 16], volumes[STORE_PATH_MAX + 16];
};

/* ERR_NOT_FOUND: there is no store in dir (none is made). ERR_BUSY: a server, or another verb, has it. ERR_INVALID: a restore was cut off (restore.h). On a failure
 * nothing is open. */
struct err offline_open(const char *dir, struct offline *ret);
void offline_close(struct offline *o); /* also of one that was not opened, if it is zero */

/* The file in a directory that says: a restore into it has begun and not ended. */
#define RESTORE_MARK "RESTORE-INCOMPLETE"
/* ERR_INVALID when it is there, with what to do. For whoever opens a store. */
struct err offline_refuse_incomplete(const char *dir);

#endif
