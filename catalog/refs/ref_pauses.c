/*
 * ref_pauses.c - a few rows that are gone through from the start: beside the work on a table that is nothing.
 */
#include "catalog/refs/ref_pauses.h"

#include <string.h>

enum { SHORTEST_MS = 30 * 1000, LONGEST_MS = 3600 * 1000 };

/* NULL: it has none. */
static const struct ref_pause *row_of(const struct ref_pauses *p, struct str uuid)
{
    for (size_t i = 0; i < LIMIT_REF_PAUSES; i++) {
        if (str_eq(uuid, str_of(p->rows[i].uuid, REF_UUID))) return &p->rows[i];
    }
    return NULL;
}

/* The row of the table, or else the one that ends first: a free one, if there is any. */
static struct ref_pause *row_for(struct ref_pauses *p, struct str uuid)
{
    struct ref_pause *first = &p->rows[0];

    for (size_t i = 0; i < LIMIT_REF_PAUSES; i++) {
        struct ref_pause *row = &p->rows[i];
        if (str_eq(uuid, str_of(row->uuid, REF_UUID))) return row;
        if (row->until_ms < first->until_ms) first = row;
    }
    *first = (struct ref_pause){ .until_ms = 0 };
    memcpy(first->uuid, uuid.data, uuid.len < REF_UUID ? uuid.len : REF_UUID);
    return first;
}

bool ref_pauses_has(const struct ref_pauses *p, struct str uuid, int64_t now_ms)
{
    const struct ref_pause *row = row_of(p, uuid);

    return row && now_ms < row->until_ms && row->until_ms - now_ms <= LONGEST_MS;
}

void ref_pauses_grow(struct ref_pauses *p, struct str uuid, int64_t now_ms)
{
    struct ref_pause *row = row_for(p, uuid);
    const int64_t twice = 2 * row->length_ms;

    row->length_ms = twice < SHORTEST_MS ? SHORTEST_MS : twice > LONGEST_MS ? LONGEST_MS : twice;
    row->until_ms = now_ms + row->length_ms;
}

void ref_pauses_forget(struct ref_pauses *p, struct str uuid)
{
    if (row_of(p, uuid)) *row_for(p, uuid) = (struct ref_pause){ .until_ms = 0 };
}
