/*
 * listing.h - the answer to ListObjectsV2: a stranger's XML, of which a page of files is taken or nothing.
 *
 * What is deleted is chosen from it, so it is believed only as a whole: well formed, no document type, no key outside of what was asked for, each file with its size and time. Elements that are not needed
 * (Owner, ETag, checksums) are passed over.
 */
#ifndef STORAGE_REMOTE_LISTING_H
#define STORAGE_REMOTE_LISTING_H

#include "storage/remote/remote.h"

/* What was asked for, in ascending order; texts are in the arena. written_ms is the endpoint's own time here. ERR_CORRUPT says what is wrong. */
struct err listing_parse(struct str body, const struct remote_query *q, struct arena *arena, struct remote_listing *ret);

#endif
