/* fuzz_remote_url.c - a URL of any bytes, to be signed: refused, or at the endpoint, without "." segments, and the same when what was made of it is taken apart again. */
#include <stdint.h>
#include <stdlib.h>

#include "storage/remote/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool has_dots(struct str key)
{
    struct str piece;

    for (struct str_split it = str_split_on(key, '/'); str_split_next(&it, &piece);) {
        if (str_is(piece, ".") || str_is(piece, "..")) return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(16 << 20);
    struct endpoint e;
    struct endpoint_object o, again;

    if (endpoint_parse(STR("http://s3.example.com"), &e).code != ERR_OK) abort();
    if (endpoint_take_apart(&e, STR("lake"), str_of(data, len), arena, &o).code == ERR_OK) {
        if (o.authority.len < 14) abort();
        if (!str_eq_nocase(str_from(o.authority, o.authority.len - 14), STR("s3.example.com"))) abort();
        if (has_dots(o.key)) abort();
        const struct str url = arena_printf(arena, "http://%.*s%.*s?%.*s", STR_ARG(o.authority), STR_ARG(o.path),
                                            STR_ARG(o.query));
        if (endpoint_take_apart(&e, STR("lake"), url, arena, &again).code != ERR_OK) abort();
        if (!str_eq(o.key, again.key) || !str_eq(o.bucket, again.bucket)) abort();
        if (!str_eq(o.path, again.path) || !str_eq(o.query, again.query)) abort();
    }
    arena_free(arena);
    return 0;
}
