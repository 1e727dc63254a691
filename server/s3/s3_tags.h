/*
 * s3_tags.h - tags as clients write them: in a header as a query string, in a document as a TagSet.
 */
#ifndef SERVER_S3_S3_TAGS_H
#define SERVER_S3_S3_TAGS_H

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/object/object.h"

/* "a=b&c=d", percent-encoded. ERR_INVALID_ARGUMENT (not of that form), and as s3_tags_check. */
struct err s3_tags_from_header(struct arena *arena, struct str text, const struct pair **ret, size_t *ret_count);

/* <Tagging><TagSet><Tag><Key/><Value/></Tag>... ERR_MALFORMED_XML, ERR_INVALID_TAG. */
struct err s3_tags_from_xml(struct arena *arena, struct str document, size_t count_max, const struct pair **ret, size_t *ret_count);

/* AWS' rules: at most count_max, no key twice, lengths in characters, names beginning with aws: are its own. ERR_INVALID_TAG. */
struct err s3_tags_check(const struct pair *tags, size_t count, size_t count_max);

#endif
