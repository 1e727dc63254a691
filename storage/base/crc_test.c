/* crc_test.c - every way to compute a CRC gives what dividing bit by bit gives. */
#include <stdlib.h>

#include "storage/base/digest.h"
#include "tests/unit/test.h"

static const struct {
    enum digest_kind kind;
    int bits;
    uint64_t polynomial; /* reflected */
    uint64_t check;      /* of "123456789" */
} kinds[] = {
    { DIGEST_CRC32, 32, 0xedb88320, 0xcbf43926 },
    { DIGEST_CRC32C, 32, 0x82f63b78, 0xe3069283 },
    { DIGEST_CRC64NVME, 64, 0x9a6c9329ac4bc9b5, 0xae8b14860a799888 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t crc_of(size_t k, uint64_t seed, const void *data, size_t len)
{
    switch (kinds[k].kind) {
    case DIGEST_CRC32: return crc32_ieee((uint32_t)seed, data, len);
    case DIGEST_CRC32C: return crc32c((uint32_t)seed, data, len);
    default: return crc64nvme(seed, data, len);
    }
}

static uint64_t crc_bit_by_bit(size_t k, uint64_t seed, const uint8_t *data, size_t len)
{
    const uint64_t ones = kinds[k].bits == 64 ? UINT64_MAX : UINT32_MAX;
    uint64_t crc = seed ^ ones;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? kinds[k].polynomial : 0);
    }
    return crc ^ ones;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint8_t bytes[5000];

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(next_random() >> 32);
}

static void check_known(void)
{
    for (size_t k = 0; k < KINDS; k++) {
        CHECK_U64(crc_of(k, 0, "123456789", 9), kinds[k].check);
        CHECK_U64(crc_of(k, 0, "", 0), 0);
        CHECK_U64(crc_of(k, 0, NULL, 0), 0);
    }
    /* RFC 3720 B.4 */
    memset(bytes, 0, 32);
    CHECK_U64(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    CHECK_U64(crc32c(0, bytes, 32), 0x62a8ab43);
}

/* Every length up to some steps of folding, then random ones; each at some offset and with some seed. */
static void check_lengths(void)
{
    fill_bytes();
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t n = 0; n < 1500; n++) {
            const size_t offset = next_random() % 64;
            const size_t len = n < 1000 ? n : next_random() % (sizeof(bytes) - offset);
            const uint64_t seed = kinds[k].bits == 64 ? next_random() : (uint32_t)next_random();
            CHECK_U64(crc_of(k, seed, bytes + offset, len), crc_bit_by_bit(k, seed, bytes + offset, len));
        }
    }
}

TEST(crcs_are_right_with_what_the_processor_has)
{
    check_known();
    check_lengths();
}

TEST(crcs_are_right_by_table)
{
    crc_set_portable(true);
    check_known();
    check_lengths();
}

TEST(a_crc_goes_on_from_what_was_so_far)
{
    fill_bytes();
    for (size_t k = 0; k < KINDS; k++) {
        const uint64_t whole = crc_of(k, 0, bytes, sizeof(bytes));
        for (int n = 0; n < 200; n++) {
            const size_t cut = next_random() % sizeof(bytes);
            CHECK_U64(crc_of(k, crc_of(k, 0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
        }
    }
}

TEST(crcs_of_parts_combine_to_that_of_the_whole)
{
    fill_bytes();
    for (size_t k = 0; k < KINDS; k++) {
        const uint64_t whole = crc_of(k, 0, bytes, sizeof(bytes));
        for (int n = 0; n < 300; n++) {
            const size_t cut = n == 0 ? 0 : n == 1 ? sizeof(bytes) : next_random() % sizeof(bytes);
            const uint64_t a = crc_of(k, 0, bytes, cut), b = crc_of(k, 0, bytes + cut, sizeof(bytes) - cut);
            CHECK_U64(crc_combine(kinds[k].kind, a, b, sizeof(bytes) - cut), whole);
        }
    }
}

/* A length that cannot be computed directly: (A, B), C and A, (B, C) must agree for any values. */
TEST(combining_is_associative_at_any_length)
{
    for (size_t k = 0; k < KINDS; k++) {
        for (int n = 0; n < 200; n++) {
            const uint64_t mask = kinds[k].bits == 64 ? UINT64_MAX : UINT32_MAX;
            const uint64_t a = next_random() & mask, b = next_random() & mask, c = next_random() & mask;
            const uint64_t len_b = next_random() >> (1 + n % 60), len_c = next_random() >> (1 + n % 60);
            const enum digest_kind kind = kinds[k].kind;
            CHECK_U64(crc_combine(kind, crc_combine(kind, a, b, len_b), c, len_c),
                      crc_combine(kind, a, crc_combine(kind, b, c, len_c), len_b + len_c));
        }
    }
}
