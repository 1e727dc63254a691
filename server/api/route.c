/*
 * route.c - path templates.
 */
#include "server/api/route.h"

#include "storage/base/encode.h"

static bool is_name(struct str piece)
{
    return piece.len && piece.data[0] == '{';
}

bool route_matches(const char *route, struct str path)
{
    struct str_split r = str_split_on(str_from_z(route), '/'), p = str_split_on(path, '/');
    struct str want, have;

    for (;;) {
        const bool has_want = str_split_next(&r, &want), has_have = str_split_next(&p, &have);
        if (!has_want || !has_have) return has_want == has_have;
        if (is_name(want) ? have.len == 0 : !str_eq(want, have)) return false;
    }
}

struct route_names route_names_of(const char *route, struct str path, struct arena *arena)
{
    return (struct route_names){ .route = str_split_on(str_from_z(route), '/'),
                                 .path = str_split_on(path, '/'),
                                 .arena = arena };
}

bool route_names_next(struct route_names *it, struct str *ret_name, struct str *ret_value)
{
    struct str want, have;

    while (it->err.code == ERR_OK && str_split_next(&it->route, &want) && str_split_next(&it->path, &have)) {
        if (!is_name(want)) continue;
        *ret_name = want;
        *ret_value = percent_str(it->arena, have, false);
        if (ret_value->data && str_is_utf8(*ret_value)) return true;
        it->err = FAIL(ERR_INVALID, "the path is not well-formed");
    }
    return false;
}
