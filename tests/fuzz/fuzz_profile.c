/* fuzz_profile.c - a file of profiles of any bytes: refused with a reason, or read into a section whose credential is whole and whose texts are not empty. */
#include <stdint.h>
#include <stdlib.h>

#include "admin/cli/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(16 << 20);
    struct profile p = { .endpoint = NULL };
    bool has_secret = false;

    const struct err e = profile_parse(str_of(data, len), "default", arena, &p, &has_secret);
    if (e.code != ERR_OK && (!e.why || !e.why[0])) abort();
    if (!p.access_key != !p.secret_key || (p.secret_key && !has_secret)) abort();
    if ((p.endpoint && !p.endpoint[0]) || (p.region && !p.region[0])) abort();
    arena_free(arena);
    return 0;
}
