#include "storage/base/ids.h"

#include <pthread.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "tests/unit/test.h"

TEST(random_bytes_fill_all_of_the_room_and_no_more)
{
    unsigned char bytes[1002] = { 0 }, all = 0;

    ids_random(bytes + 1, 1000);
    CHECK(bytes[0] == 0 && bytes[1001] == 0);
    for (int i = 1; i <= 1000; i++) all |= bytes[i];
    CHECK(all == 0xff);
    ids_random(bytes, 0);
}

TEST(a_uuid_is_of_version_4_and_lower_case)
{
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];

    for (int i = 0; i < 100; i++) {
        ids_uuid(a);
        ids_uuid(b);
        CHECK_U64(strlen(a), 36);
        CHECK_U64(strspn(a, "0123456789abcdef-"), 36);
        CHECK(a[8] == '-' && a[14] == '4' && strchr("89ab", a[19]));
        CHECK(strcmp(a, b) != 0);
    }
}

TEST(random_texts_have_their_length_and_all_digits)
{
    static char text[5001];
    const char *const hex = "0123456789abcdef", *const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    ids_hex(text, 5000);
    CHECK_U64(strspn(text, hex), 5000);
    for (const char *c = hex; *c; c++) CHECK(strchr(text, *c));
    ids_base32(text, 5000);
    CHECK_U64(strspn(text, base32), 5000);
    for (const char *c = base32; *c; c++) CHECK(strchr(text, *c));
    ids_hex(text, 0);
    CHECK_U64(text[0], 0);
}

TEST(uids_ascend_and_carry_their_time_also_when_the_clock_goes_back)
{
    const uint64_t began = (uint64_t)clock_now_ms();
    struct uid last = ids_uid();

    CHECK(get_be64(last.bytes) >= began && get_be64(last.bytes) <= (uint64_t)clock_now_ms());
    for (int i = 0; i < 100000; i++) {
        if (i == 50000) clock_set_offset_ms(-100000);
        const struct uid uid = ids_uid();
        CHECK(memcmp(last.bytes, uid.bytes, 16) < 0);
        last = uid;
    }
}

#define THREADS 4
#define EACH 20000
static struct uid made[THREADS * EACH];

static void *make_uids(void *arg)
{
    struct uid *out = arg;

    for (int i = 0; i < EACH; i++) out[i] = ids_uid();
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uid));
}

TEST(uids_of_several_threads_are_all_different)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, make_uids, made + (size_t)i * EACH) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 1; i < THREADS * EACH; i++) {
        if (i % EACH) CHECK(by_bytes(&made[i - 1], &made[i]) < 0);
    }
    qsort(made, THREADS * EACH, sizeof(made[0]), by_bytes);
    for (int i = 1; i < THREADS * EACH; i++) CHECK(by_bytes(&made[i - 1], &made[i]) < 0);
}
