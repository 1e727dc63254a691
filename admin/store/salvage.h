/*
 * salvage.h - bodies, under the names that are still known for them, out of a data directory whose rows are lost: without LMDB and without its copy.
 *
 * Small bodies lie in the journal, large ones in volumes, each with what is needed to find and to verify it. Names are in records of the journal that is still there, in the copy of the rows, and in pages of LMDB
 * that are still whole. All bodies that verify go to a new store:
 *
 *     their bucket and key          with the headers, metadata and tags of their row
 *     bucket-ID and key             where the bucket's name is not known any more
 *     salvaged-bodies and uid       bodies in volumes that no known row names: of parts, of objects whose row is lost, of what was deleted a moment before
 *
 * Of several rows of a name counts what was put last, as far as that is known (salvage_order.c):
 *   - what the journal has behind the position up to which LMDB has taken it: over rows of LMDB and of the copy, deletions too. The position is in LMDB itself; the highest that a page still has is taken. Before a batch that is missing or damaged nothing is known to be behind it
 *   - what it has in front of it, or without any position: where LMDB and copy do not have the name, or an older time for it. A deletion there counts against names that only the journal has, and against the very version that the
 *     journal shows deleted: else an object that was deleted and put again would be lost. So what was deleted may be back, and nothing that lives is lost for a deletion
 *
 * It promises no more: an object whose row was in a lost page, and not in the journal, has no name; what was deleted may be back (above); ETags of multipart objects become those of whole ones; the catalog, identities and open
 * uploads are not brought back (table metadata files are objects, and can be registered). For all of that there are the copy (repair.h) and backups.
 *
 * A place of the source that the disk does not give costs what lay there. The source is only read. Threads: an operator's verb, alone.
 */
#ifndef ADMIN_STORE_SALVAGE_H
#define ADMIN_STORE_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

struct salvage_result {
    uint64_t segments, batches, gaps; /* gaps: places where a batch should be and is none that is whole */
    uint64_t names;                   /* objects that rows are known of */
    uint64_t volumes, extents;
    uint64_t unreadable;              /* blocks of 4 KiB of segments and volumes that the disk does not give, and files that cannot be opened */
    uint64_t objects, bytes;          /* brought back under their name */
    uint64_t unnamed, unnamed_bytes;  /* under their uid */
    uint64_t damaged;                 /* objects whose body does not verify, or is not there */
};

struct salvage_options {
    const char *from, *to; /* data directories; `to` is made, and must not be there or be empty. NULL: nothing is written, all is read and verified */
    void (*lost)(void *arg, struct str bucket, struct str key, const char *why); /* an object that was not brought back */
    void (*progress)(void *arg, const struct salvage_result *so_far);           /* now and then */
    void *arg;
};

/* OK when it came to its end, however little was found. ERR_BUSY: the source is in use. ERR_NOT_FOUND: there is nothing of a store. ERR_EXISTS: `to` is not empty. ERR_IO, ERR_NO_SPACE: it was cut off; begin again
 * with an empty directory. */
struct err store_salvage(const struct salvage_options *options, struct salvage_result *ret);

#endif
