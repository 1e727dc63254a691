/* fuzz_s3_tags.c - tags, from a document and from a header: what is taken is within AWS' rules, and both forms of the same tags give the same. */
#include <stdlib.h>

#include "server/s3/s3_tags.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    const struct str text = str_of(data, len);
    const struct pair *tags, *again;
    size_t count, count_again;

    if (s3_tags_from_xml(arena, text, 10, &tags, &count).code == ERR_OK || s3_tags_from_header(arena, text, &tags, &count).code == ERR_OK) {
        struct buf header;
        buf_init(&header, MIB);
        must(count <= 10 && s3_tags_check(tags, count, 10).code == ERR_OK);
        for (size_t i = 0; i < count; i++) {
            buf_append(&header, "&", i > 0);
            percent_to(&header, tags[i].name, "");
            buf_append(&header, "=", 1);
            percent_to(&header, tags[i].value, "");
        }
        must(s3_tags_from_header(arena, buf_view(&header), &again, &count_again).code == ERR_OK && count == count_again);
        for (size_t i = 0; i < count; i++) must(str_eq(tags[i].name, again[i].name) && str_eq(tags[i].value, again[i].value));
        buf_done(&header);
    }
    arena_free(arena);
    return 0;
}
