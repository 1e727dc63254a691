/*
 * object_copy.h - copying inside the store: bodies in volumes are shared, small ones copied. Waiting calls, for workers.
 *
 * A difference from AWS: the ETag goes with the bytes. A copy of a multipart object keeps its "...-N" (and its part boundaries), where AWS gives the
 * MD5 of the content, which it can because it reads all of it. The checksum goes with them too, unless another algorithm is asked for.
 * With either directive, the storage class and the website redirect are the request's (AWS too).
 */
#ifndef STORAGE_OBJECT_OBJECT_COPY_H
#define STORAGE_OBJECT_OBJECT_COPY_H

#include "storage/object/object_guard.h"

struct object_copy {
    struct store *store;
    struct str source_bucket, source_key;
    struct conditions source_conditions; /* x-amz-copy-source-if-*: ERR_PRECONDITION, also where a read would be NOT_MODIFIED */
    struct str bucket, key;
    struct conditions conditions;
    bool replace_meta;                   /* x-amz-metadata-directive: REPLACE */
    bool replace_tags;                   /* x-amz-tagging-directive: REPLACE */
    struct object_meta meta;             /* used as the two say */
    enum digest_kind checksum;           /* x-amz-checksum-algorithm; NONE: the source's is kept */
    struct object_guard *guard;          /* of what is there; NULL: nobody is asked */
    /* out: */
    struct object_info ret;
};
/* ERR_NO_SUCH_BUCKET, ERR_NO_SUCH_KEY, ERR_PRECONDITION, ERR_INVALID_REQUEST (onto itself without changing anything), ERR_ENTITY_TOO_LARGE (over 5 GiB),
 * ERR_CONFLICT (the source was overwritten again and again meanwhile), what the guard refuses with. */
struct err object_copy(struct object_copy *c, struct arena *arena);

/* Tags of one object. ERR_NO_SUCH_KEY. count 0 removes them. uid, ETag and mtime stay. */
struct err object_set_tags(struct store *s, struct str bucket, struct str key, const struct pair *tags, size_t count, struct arena *arena);

#endif
