/* fuzz_remote_listing.c - a listing of any bytes: refused, or a page of files that were all asked for. */
#include <stdint.h>
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/remote/listing.h"

static const struct remote_query query = { .prefix = STR("t/"), .after = STR(""), .max = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(4 << 20);
    struct remote_listing page;

    if (!arena) return 0;
    if (listing_parse(str_of(data, len), &query, arena, &page).code == ERR_OK) {
        if (page.count > query.max) abort();
        for (size_t i = 0; i < page.count; i++) {
            if (!str_starts(page.files[i].key, STR("t/")) || page.files[i].key.len > LIMIT_KEY) abort();
        }
    }
    arena_free(arena);
    return 0;
}
