/*
 * object_delete.h - deleting one object, or many.
 */
#ifndef STORAGE_OBJECT_OBJECT_DELETE_H
#define STORAGE_OBJECT_OBJECT_DELETE_H

#include "storage/object/object_guard.h"

struct object_delete {
    struct store *store;
    struct str bucket, key;
    struct conditions conditions; /* If-Match */
    struct str if_match_size, if_match_mtime; /* x-amz-if-match-size, -last-modified-time */
    struct object_guard *guard;   /* NULL: nobody is asked */
    bool was_there;               /* out */
};
/* txn_fn. Deleting nothing is OK (unless a condition asks for something). Submit with is_freeing. ERR_NO_SUCH_BUCKET, ERR_PRECONDITION, ERR_NO_SUCH_KEY, what the guard refuses with. */
struct err object_delete_fn(struct txn *txn, void *arg);

/* The row of old is going, or is being replaced, in this transaction: drop what it referred to. A part map with its up to 10,000
 * references is left to the background (garbage.h). */
struct err object_drop_body(struct txn *txn, const struct object_info *old);

/* Delete inside another's transaction; *ret_was_there may be NULL, and so may arena, which is not used. */
struct err object_unpublish(struct txn *txn, uint64_t bucket_id, struct str key, struct arena *arena, bool *ret_was_there);

/* Up to LIMIT_PAGE keys, in slices, waiting (a worker). Each item gets its own outcome; `why` of an outcome lives in the arena. */
struct delete_item {
    struct str key;
    struct str if_match;
    struct object_guard *guard; /* NULL: nobody is asked. Items may share one */
    struct err outcome;
};
struct err object_delete_many(struct store *s, struct str bucket, struct delete_item *items, size_t count, struct arena *arena);

#endif
