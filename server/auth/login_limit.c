/*
 * login_limit.c - a table of counters, found by a digest under a key that is new with each start, so that nobody can choose whose place they share.
 */
#include "server/auth/login_limit.h"

#include <stdbool.h>

#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/thread.h"

enum { PLACES = 4096 };

static struct {
    struct mutex lock; /* guards: all that follows */
    bool has_key;
    uint8_t key[32];
    struct {
        uint64_t window; /* clock_mono_ms / LIMIT_LOGIN_WINDOW_MS, plus one: 0 is no window */
        uint32_t failures;
    } places[PLACES];
} table = { .lock = MUTEX_INIT(LOCK_IAM) };

static uint64_t window_now(void)
{
    return clock_mono_ms() / LIMIT_LOGIN_WINDOW_MS + 1;
}

static size_t place_locked(struct str client_id, struct str peer)
{
    uint8_t inner[32], mac[32];

    if (!table.has_key) ids_random(table.key, sizeof(table.key));
    table.has_key = true;
    hmac_sha256(str_of(table.key, sizeof(table.key)), client_id, inner);
    hmac_sha256(str_of(inner, sizeof(inner)), peer, mac);
    return get_le32(mac) % PLACES;
}

struct err login_may_try(struct str client_id, struct str peer)
{
    mutex_lock(&table.lock);
    const size_t i = place_locked(client_id, peer);
    const bool is_over = table.places[i].window == window_now()
        && table.places[i].failures >= LIMIT_LOGIN_FAILURES;
    mutex_unlock(&table.lock);
    return is_over ? FAIL(ERR_BUSY, "too many wrong secrets; try again in a minute") : OK;
}

void login_failed(struct str client_id, struct str peer)
{
    mutex_lock(&table.lock);
    const size_t i = place_locked(client_id, peer);
    if (table.places[i].window != window_now()) {
        table.places[i].window = window_now();
        table.places[i].failures = 0;
    }
    table.places[i].failures++;
    mutex_unlock(&table.lock);
}
