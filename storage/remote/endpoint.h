/*
 * endpoint.h - addresses of S3 endpoints and of what lies in them.
 *
 * An endpoint is http:// or https://, a host, perhaps a port, and nothing more. A bucket is named in the path, or before the host.
 */
#ifndef STORAGE_REMOTE_ENDPOINT_H
#define STORAGE_REMOTE_ENDPOINT_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"

struct endpoint {
    struct str scheme;    /* "http" or "https", lower case */
    struct str authority; /* "host" or "host:port", as it was written, without a default port */
};

/* ERR_INVALID says what is wrong with it: user information, a path, a query are refused, and so is what could not stand in a Host header. */
struct err endpoint_parse(struct str url, struct endpoint *ret);

/* Has this host no place for a bucket before it? IP addresses and names without a dot ("minio", "localhost"): as SDKs have it. */
bool endpoint_wants_path_style(const struct endpoint *e);

/* What a URL names, decoded. */
struct endpoint_object {
    struct str authority; /* as the Host header has it */
    struct str bucket;
    struct str key;       /* empty: the bucket itself */
    struct str path;      /* encoded once, as it is signed */
    struct str query;     /* canonical: sorted, encoded anew; empty: none */
    struct query_pair {
        struct str name, value; /* decoded */
    } *pairs;             /* in the order of the canonical query */
    size_t pair_count;
};

/* A "." or ".." between slashes: some servers would resolve it. */
bool endpoint_has_dot_segment(struct str key);

enum { ENDPOINT_QUERY_MAX = 64 };

/* Take a URL at this endpoint apart, of either style; virtual-host style only for `bucket`, since any other name before the host could as well be another endpoint. ERR_INVALID: it is none, or names things that
 * two readers could read differently ("." and ".." segments, bad escapes, control characters, a fragment). */
struct err endpoint_take_apart(const struct endpoint *e, struct str bucket, struct str url, struct arena *arena, struct endpoint_object *ret);

#endif
