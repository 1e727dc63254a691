/*
 * maintain_state.h - what maintain.c and by_hand.c share.
 */
#ifndef CATALOG_MAINTAIN_MAINTAIN_STATE_H
#define CATALOG_MAINTAIN_MAINTAIN_STATE_H

#include <stdatomic.h>

#include "catalog/maintain/deletion.h"
#include "catalog/maintain/maintain.h"
#include "catalog/maintain/orphans.h"
#include "catalog/maintain/walk.h"
#include "catalog/refs/refs.h"
#include "storage/base/rate.h"

/* Which way a round went: to begin again when the interval is over. */
struct round {
    uint64_t next_ms;    /* monotonic */
    bool is_running;
};

struct maintain {
    struct maintain_options options;
    atomic_bool is_stopping;
    /* the background thread's: */
    struct refs_cursor adopting, indexing;
    struct ref_pauses pauses;
    bool is_adopted;
    struct round walking, deleting;
    struct walk walk;
    struct orphan_scan orphans; /* of the walk's present table */
    bool is_scanning;
    struct orphan_stops stops;
    struct deletion_cursor cursor;
    uint64_t deleted_files, deleted_bytes; /* of this round */
    struct rate rate; /* of deletions */
};

/* {"data": {"files": 3, "bytes": 30}, ...} */
json_t *maintain_by_kind(const uint64_t files[REF_KIND_COUNT], const uint64_t bytes[REF_KIND_COUNT]);

#endif
