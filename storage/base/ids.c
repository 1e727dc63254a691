/*
 * ids.c - names that nobody else has.
 *
 * Randomness is the kernel's (getrandom): no state of ours that a fork could copy or a thread could spoil.
 *
 * A uid's random half is drawn anew when the millisecond changes; within one it grows by a random step, so that the uids of
 * a process are strictly ascending even when thousands are made in one millisecond. Its highest bit is clear when drawn:
 * at least 2^31 steps of up to 2^32 fit before it would overflow.
 */
#include "storage/base/ids.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"

void ids_random(void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        const ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) abort();
        at += n;
        len -= (size_t)n;
    }
}

void ids_uuid(char out[UUID_TEXT_SIZE])
{
    uuid_t uuid;

    uuid_generate_random(uuid);
    uuid_unparse_lower(uuid, out);
}

/* Random digits of an alphabet whose size is a power of two that divides 256, so that none is likelier than another. */
static void random_digits(char *out, size_t count, const char *alphabet, unsigned size)
{
    ids_random(out, count);
    for (size_t i = 0; i < count; i++) out[i] = alphabet[(unsigned char)out[i] % size];
    out[count] = '\0';
}

void ids_hex(char *out, size_t hex_digits)
{
    random_digits(out, hex_digits, "0123456789abcdef", 16);
}

void ids_base32(char *out, size_t digits)
{
    random_digits(out, digits, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32);
}

/* Numbers for uids come 64 at a time: one system call each would be paid by every small write. */
enum { POOL_NUMBERS = 64 };

struct uid ids_uid(void)
{
    /* guards: the rest. A leaf: no other lock is taken while it is held, so it has no level. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms, last_low, pool[POOL_NUMBERS];
    static unsigned left;
    struct uid uid;
    const uint64_t now_ms = (uint64_t)clock_now_ms();

    pthread_mutex_lock(&lock);
    if (left == 0) {
        ids_random(pool, sizeof(pool));
        left = POOL_NUMBERS;
    }
    const uint64_t random = pool[--left];
    if (now_ms > last_ms) {
        last_ms = now_ms;
        last_low = random >> 1;
    } else {
        last_low += 1 + (random & UINT32_MAX);
    }
    put_be64(uid.bytes, last_ms);
    put_be64(uid.bytes + 8, last_low);
    pthread_mutex_unlock(&lock);
    return uid;
}
