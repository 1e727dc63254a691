/*
 * location.c - where a table lives, in one spelling.
 *
 * s3, s3a and s3n name the same store (catalog.md 2.7). Whatever could make one place look like two is refused rather than repaired: empty, "." and
 * ".." segments, percent signs are kept as they are (keys are bytes, and a percent sign is one), control characters, query and fragment.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

static struct err bad(struct str url, const char *what)
{
    return err_fail(ERR_INVALID, "Invalid location '%.*s': %s", STR_ARG(url), what);
}

static bool scheme_is_ours(struct str scheme)
{
    return str_is_nocase(scheme, "s3") || str_is_nocase(scheme, "s3a") || str_is_nocase(scheme, "s3n");
}

static struct err check_segments(struct str url, struct str path)
{
    struct str piece;

    for (struct str_split it = str_split_on(path, '/'); str_split_next(&it, &piece);) {
        if (piece.len == 0) return bad(url, "it has an empty segment");
        if (str_is(piece, ".") || str_is(piece, "..")) return bad(url, "it has a '.' or '..' segment");
    }
    return OK;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f) return true;
    }
    return false;
}

struct err location_parse(struct str url, struct arena *arena, struct str *ret_bucket, struct str *ret_key)
{
    struct str bucket;
    const size_t colon = str_find(url, STR("://"));

    if (colon == url.len) return bad(url, "it is not a URL of the form s3://bucket/path");
    if (!scheme_is_ours(str_slice(url, 0, colon))) return bad(url, "only s3, s3a and s3n are served");
    if (has_control(url) || !str_is_utf8(url)) return bad(url, "it has control characters or is not UTF-8");
    struct str key = str_cut(str_from(url, colon + 3), '/', &bucket);
    while (key.len && key.data[key.len - 1] == '/') key.len--;
    if (bucket_name_check(bucket).code != ERR_OK) return bad(url, "its bucket is not a valid bucket name");
    if (key.len) TRY(check_segments(url, key));
    bucket = arena_str(arena, bucket);
    key = arena_str(arena, key);
    if (!bucket.data || !key.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret_bucket = bucket;
    *ret_key = key;
    return OK;
}
