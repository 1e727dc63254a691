/*
 * bucket.h - buckets: a name, an id that is never used again, an owner, tags.
 */
#ifndef STORAGE_OBJECT_BUCKET_H
#define STORAGE_OBJECT_BUCKET_H

#include "storage/object/object.h"

struct bucket_info {
    uint64_t id;
    int64_t created_ms;
    struct str owner;        /* principal name */
    struct str region;       /* the LocationConstraint it was made with; empty: none */
    const struct pair *tags;
    size_t tag_count;
};

/* A row of SPACE_BUCKETS; its key is the name. Strings point into it. ERR_CORRUPT; ERR_NO_MEMORY. arena as in bucket_get. */
struct err bucket_decode(struct str row, struct arena *arena, struct bucket_info *ret);

/* Strings live in the view. ERR_NO_SUCH_BUCKET. Without an arena (NULL) tags are not given: tag_count is 0. */
struct err bucket_get(struct rows *r, struct str name, struct arena *arena, struct bucket_info *ret);

/* The id alone: what writes, reads and listings ask for. ERR_NO_SUCH_BUCKET. */
struct err bucket_id_get(struct rows *r, struct str name, uint64_t *ret_id);

/* Waiting calls, for workers. */
/* ERR_INVALID_BUCKET_NAME, ERR_BUCKET_OWNED_BY_YOU (same owner), ERR_EXISTS (another's). */
struct err bucket_create(struct store *s, struct str name, struct str owner, struct str region);
/* ERR_NO_SUCH_BUCKET, ERR_BUCKET_NOT_EMPTY (objects; open uploads are aborted with the bucket, in the background). */
struct err bucket_delete(struct store *s, struct str name);
/* Replace all tags; count 0 removes them. */
struct err bucket_set_tags(struct store *s, struct str name, const struct pair *tags, size_t count);

/* The names behind `after` (empty: from the first) that begin with prefix, in order. A name and its info are valid until the next call;
 * tags are not given (tag_count 0). bucket_iter_done in any case. */
struct bucket_iter {
    struct err err;
    struct rows_scan scan;
    struct str prefix;
};
void bucket_iter_begin(struct bucket_iter *it, struct rows *r, struct str prefix, struct str after, struct arena *arena);
bool bucket_iter_next(struct bucket_iter *it, struct str *ret_name, struct bucket_info *ret);
void bucket_iter_done(struct bucket_iter *it);

#endif
