/*
 * s3_part.h - which upload, and which part, a request is about.
 */
#ifndef SERVER_S3_S3_PART_H
#define SERVER_S3_S3_PART_H

#include "server/s3/s3.h"

/* ?uploadId=: ERR_NO_SUCH_UPLOAD for what cannot be an id of ours. */
struct err s3_upload_of(const struct s3_request *req, struct uid *ret);
/* ?partNumber=: ERR_INVALID_ARGUMENT unless it is 1 to LIMIT_PARTS. */
struct err s3_part_number_of(const struct s3_request *req, uint32_t *ret);

#endif
