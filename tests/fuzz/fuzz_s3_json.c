/* fuzz_s3_json.c - an identities file is refused, or all that it gives is of the form that access.c relies on. */
#include <stdlib.h>

#include "admin/iam/s3_json.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

static void check_grant(const struct grant *g)
{
    must(g->action && !(g->action & ~(unsigned)ACTION_ANY) && !(g->action & (g->action - 1)));
    must((g->scope == GRANT_EVERYWHERE) == (g->bucket.len == 0));
    must(!str_contains(g->bucket, STR("*")) && !str_contains(g->bucket, STR("/")) && !str_contains(g->key, STR("*")));
    must(g->scope == GRANT_PREFIX || g->scope == GRANT_KEY || !g->key.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    struct identities all;

    if (s3_json_parse(str_of(data, len), arena, &all).code == ERR_OK) {
        for (size_t i = 0; i < all.principal_count; i++) {
            const struct principal *p = &all.principals[i];
            must(p->name.len && !p->is_root && !str_is(p->name, "root"));
            for (size_t g = 0; g < p->grant_count; g++) check_grant(&p->grants[g]);
        }
        for (size_t i = 0; i < all.key_count; i++) {
            must(all.keys[i].id.len && all.keys[i].secrets.items[0].len && !str_is(all.keys[i].owner->name, "anonymous"));
        }
    }
    arena_free(arena);
    return 0;
}
