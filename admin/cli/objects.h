/*
 * objects.h - places in the object store, and listings of them page by page.
 */
#ifndef ADMIN_CLI_OBJECTS_H
#define ADMIN_CLI_OBJECTS_H

#include "admin/cli/api.h"

struct remote {
    struct str bucket, key; /* key may be empty, or a prefix */
};

/* "s3://BUCKET/KEY" or "BUCKET/KEY"; without a key only if may_be_bucket. ERR_INVALID_ARGUMENT names the word. */
struct err remote_parse(const char *word, bool may_be_bucket, struct remote *ret);

/* "/BUCKET/KEY" percent-encoded, and a query ("?uploads=", or ""). .data is NULL for want of memory. */
struct str remote_path(struct cli *cli, struct remote where, const char *query);

/* A listing: of every key that begins with where.key (is_deep), else up to the next slash, with the prefixes that are cut there. Memory is that of one page. */
struct object_pages {
    struct cli *cli;
    struct remote where;
    struct arena *arena;
    struct buf token;
    json_t *rows;   /* of the page: {"key", "size", "modified"}, or {"key"} of a prefix, which ends with a slash */
    struct err err; /* to be looked at when there is no next page */
    bool is_deep, is_over;
};
struct err object_pages_open(struct cli *cli, struct remote where, bool is_deep, struct object_pages *ret);
bool object_pages_next(struct object_pages *it);
void object_pages_close(struct object_pages *it);

#endif
