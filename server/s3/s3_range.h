/*
 * s3_range.h - which bytes a request asks for.
 */
#ifndef SERVER_S3_S3_RANGE_H
#define SERVER_S3_S3_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

struct s3_range {
    uint64_t offset, len; /* len is at least 1 */
};

enum s3_range_result {
    RANGE_IGNORED,        /* not a single byte range: the whole object is meant, as AWS does (s3.md 17) */
    RANGE_GIVEN,          /* *ret is set, inside the object */
    RANGE_UNSATISFIABLE,  /* a byte range with nothing of the object in it: 416 */
};

/* "bytes=a-b", "bytes=a-", "bytes=-n" of an object of size bytes. */
enum s3_range_result s3_range_parse(struct str text, uint64_t size, struct s3_range *ret);

/* x-amz-copy-source-range: "bytes=a-b" with both ends, a <= b, and nothing else. */
bool s3_range_parse_both(struct str text, struct s3_range *ret);

#endif
