/*
 * route.h - path templates: "/v1/{prefix}/tables/{table}".
 *
 * The path is matched as it came, before percent-decoding, so that an encoded slash stays in its piece; a name is decoded once it has been cut out.
 */
#ifndef SERVER_API_ROUTE_H
#define SERVER_API_ROUTE_H

#include "storage/base/arena.h"
#include "storage/base/err.h"

/* Has the path as many pieces as the template, and the same ones? "{name}" stands for any piece that is not empty. */
bool route_matches(const char *route, struct str path);

/* What stands in the path for the names of the template, in their order. The path must match. */
struct route_names {
    struct str_split route, path;
    struct arena *arena;
    struct err err;  /* of the last step: ERR_INVALID, a name is not percent-encoded UTF-8 */
};
struct route_names route_names_of(const char *route, struct str path, struct arena *arena);
/* *ret_name: "{table}", with its braces. *ret_value: decoded, in the arena. */
bool route_names_next(struct route_names *it, struct str *ret_name, struct str *ret_value);

#endif
