/*
 * s3_copy_source.h - which object a copy is made from: the header x-amz-copy-source.
 */
#ifndef SERVER_S3_S3_COPY_SOURCE_H
#define SERVER_S3_S3_COPY_SOURCE_H

#include "server/s3/s3.h"

struct s3_copy_source {
    struct str bucket, key; /* decoded; in the arena */
};

/* "/bucket/key" or "bucket/key", percent-encoded, with "?versionId=null" or nothing behind. The key is bytes: "a/../b" is a key of that name (reliability.md
 * B2). ERR_INVALID_ARGUMENT, ERR_NO_SUCH_VERSION, and what object_key_check says. */
struct err s3_copy_source_parse(struct arena *arena, struct str text, struct s3_copy_source *ret);

/* The same of the request's header; and the caller may read it: ERR_DENIED. Nothing was opened by then. */
struct err s3_copy_source_of(struct s3_request *req, struct s3_copy_source *ret);

#endif
