/*
 * s3_headers.h - what several operations share about headers: what a client says of an object on the way in, what it is told on the way out.
 *
 * On the way in there is one table (s3_headers.c) of all headers that a write may carry, and what becomes of each: kept with the object, understood by
 * the handler, or refused by name. A header that asks for something that is not built is never passed over in silence (it would store in plain
 * text what the client asked to be encrypted).
 */
#ifndef SERVER_S3_S3_HEADERS_H
#define SERVER_S3_S3_HEADERS_H

#include "server/s3/s3.h"

/* Everything that a PUT, a CopyObject or a CreateMultipartUpload says of the object to be. Strings point into the request. ERR_METADATA_TOO_LARGE, ERR_INVALID_TAG,
 * ERR_INVALID_ARGUMENT (storage class), ERR_ACL_NOT_SUPPORTED, ERR_UNSUPPORTED (encryption, object lock, appending). */
struct err s3_meta_from_headers(struct s3_request *req, struct object_meta *ret);

/* The refusals alone: for UploadPart and its like, which carry no metadata. */
struct err s3_refuse_headers(struct s3_request *req);

/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since; and their x-amz-copy-source- forms. A write looks at the first two alone. */
void s3_conditions(const struct s3_request *req, struct conditions *ret);
void s3_write_conditions(const struct s3_request *req, struct conditions *ret);
void s3_copy_conditions(const struct s3_request *req, struct conditions *ret);

/* "null" names the one version that there is. ERR_NO_SUCH_VERSION for what looks like a version of AWS', ERR_INVALID_ARGUMENT for anything else. */
struct err s3_version_check(struct str version);

/* ---- on the way out ---- */

void s3_set_etag(struct s3_request *req, const struct object_info *info);
void s3_set_last_modified(struct s3_request *req, int64_t mtime_ms);
/* x-amz-checksum-..., and x-amz-checksum-type; nothing when there is no checksum. part_count as in s3_checksum_value. */
void s3_set_checksum(struct s3_request *req, const struct object_checksum *checksum, uint32_t part_count);
const char *s3_checksum_type_name(enum checksum_type type); /* "COMPOSITE", "FULL_OBJECT" */
/* Cache-Control, Expires and the other stored headers but Content-Type; user metadata; storage class; how many tags. */
void s3_set_meta(struct s3_request *req, const struct object_meta *meta);

/* The value as it stands in headers and documents: base64, "-N" behind it for one of N parts. In the arena; empty on failure. */
struct str s3_checksum_value(struct arena *arena, const struct object_checksum *checksum, uint32_t part_count);

/* "us-east-1" when nothing else is set. */
struct str s3_region(const struct s3_request *req);

/* A number in the query: *ret stays as it is without one. ERR_INVALID_ARGUMENT: not a number of 0 to max. */
struct err s3_query_number(const struct s3_request *req, const char *name, uint32_t max, uint32_t *ret);
/* encoding-type=url; ERR_INVALID_ARGUMENT for any other. */
struct err s3_query_encoding(const struct s3_request *req, bool *ret_is_url);

/* ERR_NO_SUCH_BUCKET. */
struct err s3_bucket_exists(const struct s3_request *req);

#endif
