/*
 * deletion_slice.h - some files of one table's queue that are deleted together: what deletion.c and deletion_elsewhere.c share.
 */
#ifndef CATALOG_MAINTAIN_DELETION_SLICE_H
#define CATALOG_MAINTAIN_DELETION_SLICE_H

#include "catalog/refs/ref_row.h"
#include "storage/base/limits.h"

struct deletion_slice {
    struct str uuid;
    struct warehouse home;
    struct ref_file files[LIMIT_DELETE_SLICE];
    size_t count;
    struct ref_file going[LIMIT_DELETE_SLICE]; /* out, external: with an intent */
    size_t going_count;
    struct arena *arena;
    uint64_t deleted, bytes; /* out */
    uint64_t failed;         /* out, external */
    struct ref_id first_failed;
};

/* Steps 2 and 3 of deletion.h for the files that are going, one after another. The row of one for which the endpoint has no good answer says why; when the endpoint rests after it, the ones behind keep their intents. */
struct err deletion_elsewhere(struct store *s, struct deletion_slice *slice);

#endif
