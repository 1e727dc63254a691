/*
 * body.c - a linear congruential generator, by its upper bits.
 */
#include "tests/unit/body.h"

#include "tests/unit/test.h"

struct str test_body(struct arena *arena, uint32_t seed, size_t size)
{
    char *bytes = arena_alloc(arena, size);
    uint32_t x = seed * 2654435761u + 12345;

    CHECK(bytes != NULL);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (char)(x >> 24);
    }
    return str_of(bytes, size);
}
