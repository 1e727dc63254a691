/*
 * rows_model.h - for tests: what rows should be, as a sorted array, and random rows to fill it with.
 *
 * Slow and obvious on purpose: memcmp, memmove and nothing else. Random numbers come from a seed, so that a
 * failure repeats.
 */
#ifndef STORAGE_META_ROWS_MODEL_H
#define STORAGE_META_ROWS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/limits.h"
#include "storage/base/str.h"

struct model_row {
    uint8_t space;
    bool is_deleted; /* a tombstone, for layers */
    struct str key, value;
};

struct model {
    struct model_row *rows; /* by space, then key */
    size_t count, size;
};

struct model *model_new(void);
struct model *model_copy(const struct model *m);
struct model *model_free(struct model *m); /* returns NULL */
void model_freep(struct model **m);

void model_put(struct model *m, uint8_t space, struct str key, struct str value);
void model_bury(struct model *m, uint8_t space, struct str key); /* leave a tombstone */
void model_del(struct model *m, uint8_t space, struct str key);  /* leave nothing */
/* Index of the first row at or behind (space, key); count if there is none. */
size_t model_lower(const struct model *m, uint8_t space, struct str key);
const struct model_row *model_find(const struct model *m, uint8_t space, struct str key); /* NULL: none */

/* A key of 1..bytes_max bytes out of few, so that they meet again; most share long prefixes, and their
 * lengths gather around multiples of 500. `out` needs bytes_max bytes. */
struct str random_key(uint64_t *state, size_t bytes_max, char *out);
/* A key that may well be there. */
struct str model_some_key(const struct model *m, uint64_t *state, char out[LIMIT_ROW_KEY]);
/* A short value, sometimes empty, sometimes of several KiB. out needs RANDOM_VALUE_MAX bytes. */
#define RANDOM_VALUE_MAX 9000
struct str random_value(uint64_t *state, char *out);

#endif
