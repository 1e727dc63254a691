/*
 * body.h - bytes to store and to know again.
 */
#ifndef TESTS_UNIT_BODY_H
#define TESTS_UNIT_BODY_H

#include "storage/base/arena.h"

/* size bytes without a pattern, the same ones for the same seed; in the arena. */
struct str test_body(struct arena *arena, uint32_t seed, size_t size);

#endif
