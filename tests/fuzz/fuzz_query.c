/* fuzz_query.c - a request target is cut without losing a byte, and what was decoded is what the raw text says. */
#include <stdlib.h>

#include "server/http/call.h"
#include "storage/base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    struct http_request req = { .arena = arena, .method_name = STR("GET"), .host = STR("a"), .target = str_of(data, len) };
    int status;

    if (!request_parse_target(&req, &status)) {
        size_t bytes = 0, separators = 0;
        for (size_t i = 0; i < req.query_count; i++) {
            const struct http_pair *p = &req.query[i];
            must(p->raw_name.len + p->raw_value.len + p->has_equals > 0);
            bytes += p->raw_name.len + p->raw_value.len + p->has_equals;
            if (req.is_query_bad) continue;
            must(str_eq(p->value, percent_str(arena, p->raw_value, true)) || p->value.len == 0);
            must(p->value.len <= p->raw_value.len && p->name.len <= p->raw_name.len);
        }
        for (size_t i = 0; i < req.raw_query.len; i++) separators += req.raw_query.data[i] == '&';
        must(bytes + separators == req.raw_query.len);
        must(req.raw_path.len > 0 && req.raw_path.data[0] == '/');
    }
    arena_free(arena);
    return 0;
}
