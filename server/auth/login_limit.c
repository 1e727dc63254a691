/*
 * login_limit.c - tables of counters, found by a digest under a key that is new with each start, so that nobody can choose whose place they share. Who is over the limit in one row
 * alone only shares a place there with somebody who is.
 */
#include "server/auth/login_limit.h"

#include <stdbool.h>

#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/thread.h"

enum { ROWS = 3, PLACES = 4096 };

struct place {
    uint64_t window; /* clock_mono_ms / LIMIT_LOGIN_WINDOW_MS, plus one: 0 is no window */
    uint32_t failures;
};

static struct {
    struct mutex lock; /* guards: all that follows */
    bool has_key;
    uint8_t key[32];
    struct place places[ROWS][PLACES];
} table = { .lock = MUTEX_INIT(LOCK_IAM) };

/* One in each row. */
struct spot {
    struct place *in[ROWS];
};

static uint64_t window_now(void)
{
    return clock_mono_ms() / LIMIT_LOGIN_WINDOW_MS + 1;
}

static struct spot spot_locked(struct str client_id, struct str peer)
{
    uint8_t inner[32], mac[32];
    struct spot spot;

    if (!table.has_key) ids_random(table.key, sizeof(table.key));
    table.has_key = true;
    hmac_sha256(str_of(table.key, sizeof(table.key)), client_id, inner);
    hmac_sha256(str_of(inner, sizeof(inner)), peer, mac);
    for (size_t row = 0; row < ROWS; row++)
        spot.in[row] = &table.places[row][get_le32(mac + 4 * row) % PLACES];
    return spot;
}

struct err login_may_try(struct str client_id, struct str peer)
{
    bool is_over = true;

    mutex_lock(&table.lock);
    const struct spot spot = spot_locked(client_id, peer);
    const uint64_t window = window_now();
    for (size_t row = 0; row < ROWS; row++)
        is_over &= spot.in[row]->window == window && spot.in[row]->failures >= LIMIT_LOGIN_FAILURES;
    mutex_unlock(&table.lock);
    return is_over ? FAIL(ERR_BUSY, "too many wrong secrets; try again in a minute") : OK;
}

void login_failed(struct str client_id, struct str peer)
{
    mutex_lock(&table.lock);
    const struct spot spot = spot_locked(client_id, peer);
    const uint64_t window = window_now();
    for (size_t row = 0; row < ROWS; row++) {
        struct place *p = spot.in[row];
        if (p->window != window) *p = (struct place){ .window = window };
        p->failures++;
    }
    mutex_unlock(&table.lock);
}
