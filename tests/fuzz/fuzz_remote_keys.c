/* fuzz_remote_keys.c - a file of credentials of any bytes: refused with a line, or profiles that each have a name of their own and a whole credential. */
#include <stdint.h>
#include <stdlib.h>

#include "storage/remote/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(16 << 20);
    struct key_ring ring = { NULL, 0 };

    const struct err e = key_ring_parse(str_of(data, len), arena, &ring);
    if (e.code == ERR_INVALID && !str_starts(str_from_z(e.why), STR("line "))) abort();
    if (e.code == ERR_OK && ring.count == 0) abort();
    for (size_t i = 0; i < ring.count; i++) {
        const struct key_profile *p = &ring.profiles[i];
        if (p->name.len == 0 || p->keys.access_key.len == 0 || p->keys.secret_key.len == 0) abort();
        if (key_ring_find(&ring, p->name) != &p->keys) abort();
    }
    arena_free(arena);
    return 0;
}
