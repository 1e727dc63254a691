/* fuzz_location.c - a place that is accepted has one spelling: printed and parsed again it is the same, and nothing in it could be read as another. */
#include <stdlib.h>

#include "catalog/commit/catalog.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(16 * MIB);
    struct str bucket, key, bucket2, key2, piece;

    if (location_parse(str_of(data, len), arena, &bucket, &key).code == ERR_OK) {
        const struct str url = arena_printf(arena, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
        if (location_parse(url, arena, &bucket2, &key2).code != ERR_OK || !str_eq(bucket, bucket2) || !str_eq(key, key2)) abort();
        if (str_find_char(bucket, '/') < bucket.len || (key.len && (key.data[0] == '/' || key.data[key.len - 1] == '/'))) abort();
        for (struct str_split it = str_split_on(key, '/'); key.len && str_split_next(&it, &piece);) {
            if (piece.len == 0 || str_is(piece, ".") || str_is(piece, "..")) abort();
        }
    }
    arena_free(arena);
    return 0;
}
