/*
 * object_list.h - a page of a listing: keys and common prefixes in byte order.
 */
#ifndef STORAGE_OBJECT_OBJECT_LIST_H
#define STORAGE_OBJECT_OBJECT_LIST_H

#include "storage/object/object.h"

struct list_query {
    struct str bucket, prefix, delimiter; /* any bytes; the delimiter may be several */
    struct str after;   /* exclusive: a key, or a common prefix given before (all below it is skipped then). Empty: from the start */
    uint32_t max;       /* keys and prefixes together, 0 to LIMIT_PAGE */
};

struct list_entry {
    struct str name;    /* the key, or the common prefix */
    bool is_prefix;
    uint64_t size;
    int64_t mtime_ms;
    char etag[ETAG_SIZE];
    enum digest_kind checksum; /* DIGEST_NONE for a prefix */
    enum checksum_type checksum_type;
    struct str storage_class;
};

struct list_page {
    struct list_entry *entries; /* in the arena */
    size_t count;
    bool is_truncated;
    struct str next;    /* `after` of the next page, when truncated */
};

/* ERR_NO_SUCH_BUCKET, ERR_NO_MEMORY. Opens its own views; visits at most LIMIT_SCAN_ROWS rows in one. */
struct err object_list(struct store *s, const struct list_query *q, struct arena *arena, struct list_page *ret);

#endif
