/*
 * scrub_row.h - the rows of a scrub as what they say. For scrub*.c only.
 */
#ifndef STORAGE_OBJECT_SCRUB_ROW_H
#define STORAGE_OBJECT_SCRUB_ROW_H

#include "storage/base/limits.h"
#include "storage/object/scrub.h"

/* Where a pass is: before a row, or inside its object. */
struct scrub_place {
    bool is_in_parts;           /* behind the objects, among the parts */
    char key[LIMIT_ROW_KEY];    /* the first row that is not read to its end is at it or behind it */
    size_t key_len;
    struct uid uid;             /* of the object that is read from offset on; if it is another by now, from its beginning */
    uint64_t offset;
};

struct scrub_state {
    bool is_running;
    uint64_t pass;
    int64_t began_ms, ended_ms;
    uint64_t objects, bytes;
    struct scrub_place place;
};

/* ERR_NOT_FOUND: there is none yet. */
struct err scrub_state_get(struct rows *r, struct scrub_state *ret);
struct err scrub_state_put(struct txn *txn, const struct scrub_state *state);

/* One damaged object or part. Strings are the caller's, or the row's. */
struct scrub_found {
    bool is_part;
    struct str row_key; /* in OBJECTS or PARTS */
    struct uid uid;     /* of the object; zero when its row cannot be read, and for parts */
    uint64_t pass;      /* that found it, or found it again */
    int64_t found_ms;   /* first */
    struct str what;
};

/* Put it; one that is there of the same object keeps its time. */
struct err scrub_found_put(struct txn *txn, const struct scrub_found *f);
/* Delete up to a slice of those that no pass from `pass` on has found. *ret_more: there may be others. */
struct err scrub_found_clear(struct txn *txn, uint64_t pass, bool *ret_more);

/* All of them, in the order of their keys. */
typedef struct err scrub_found_fn(void *arg, const struct scrub_found *f);
struct err scrub_found_each(struct rows *r, scrub_found_fn *fn, void *arg);

#endif
