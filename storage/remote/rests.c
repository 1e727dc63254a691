/*
 * rests.c - a few rows that are gone through from the start: beside a call over the network that is nothing.
 */
#include "storage/remote/rests.h"

#include <string.h>

#include "storage/base/digest.h"

/* HMAC takes two texts, so that no two places write out to the same. */
static void key_of(const struct remote_place *p, uint8_t out[REST_KEY])
{
    uint8_t who[REST_KEY];

    hmac_sha256(p->endpoint, p->profile, who);
    hmac_sha256(str_of((const char *)who, sizeof(who)), p->bucket, out);
}

void rests_init(struct rests *r)
{
    *r = (struct rests){ .rows = { { .until_ms = 0 } } };
    mutex_init(&r->lock, LOCK_REMOTE);
}

void rests_done(struct rests *r)
{
    mutex_done(&r->lock);
}

/* The row of the place, or else the one that ends first: a free one, if there is any. */
static struct rest *row_for_locked(struct rests *r, const uint8_t key[REST_KEY])
{
    struct rest *first = &r->rows[0];

    for (size_t i = 0; i < LIMIT_REMOTE_RESTS; i++) {
        struct rest *row = &r->rows[i];
        if (memcmp(row->key, key, REST_KEY) == 0) return row;
        if (row->until_ms < first->until_ms) first = row;
    }
    return first;
}

bool rests_has(struct rests *r, const struct remote_place *p, uint64_t now_ms)
{
    uint8_t key[REST_KEY];

    key_of(p, key);
    mutex_lock(&r->lock);
    const struct rest *row = row_for_locked(r, key);
    const bool has = memcmp(row->key, key, REST_KEY) == 0 && row->until_ms > now_ms;
    mutex_unlock(&r->lock);
    return has;
}

void rests_set(struct rests *r, const struct remote_place *p, uint64_t until_ms)
{
    uint8_t key[REST_KEY];

    key_of(p, key);
    mutex_lock(&r->lock);
    struct rest *row = row_for_locked(r, key);
    const bool is_its_own = memcmp(row->key, key, REST_KEY) == 0;
    if (until_ms || is_its_own) {
        memcpy(row->key, key, REST_KEY);
        row->until_ms = until_ms;
    }
    mutex_unlock(&r->lock);
}
