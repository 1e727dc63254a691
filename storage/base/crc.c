/*
 * crc.c - the three CRCs of S3, by one piece of mathematics. Declared in digest.h.
 *
 * All three are reflected (bit 0 of a byte is its highest power of x), start with all ones and end with all
 * ones turned over. To have one engine and not three, every CRC is taken as one of 64 bits: a generator P of
 * degree 32 is replaced by P * x^32, whose remainders are those of P times x^32, and in reflected order that
 * is just the 32-bit register in the low half of the 64-bit one. So a row of `engines` is a polynomial and
 * what follows from it:
 *
 *   table    slicing by 8: eight bytes a step by eight look-ups; works on every processor
 *   fold     carry-less multiplication (PCLMULQDQ): eight accumulators of 16 bytes, moved 128 bytes a step
 *   power    x^(8 * 2^i), so that the CRC of a concatenation takes one multiplication a set bit of the length
 *
 * Folding: a 16-byte accumulator is H * x^64 + L (H in its first 8 bytes). The same remainder d bits further
 * is H * x^(d+64) + L * x^d, and each product with a constant reduced to 64 bits fits in 16 bytes again. A
 * carry-less product of reflected numbers comes out one power of x too high, so the constants are x^(d+63)
 * and x^(d-1). What is left at the end, one accumulator and less than 16 bytes, goes through the table: that
 * costs some 5 ns and saves Barrett's reduction. (Gopal et al., "Fast CRC Computation for Generic Polynomials
 * Using PCLMULQDQ", Intel 2009.)
 *
 * CRC32C has an instruction of its own, used where folding has no room to pay (FOLD_BYTES_MIN_32C).
 */
#include "storage/base/digest.h"

#include <assert.h>

#include "storage/base/encode.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_X86 1
#else
#define HAS_X86 0
#endif

#define LANES 8
#define STEP ((size_t)LANES * 16)
#define FOLD_BYTES_MIN 48      /* below, the table is as fast */
#define FOLD_BYTES_MIN_32C 256 /* below, the instruction is faster */

struct engine {
    uint64_t polynomial; /* reflected: bit 63 is x^0 */
    uint64_t table[8][256];
    uint64_t fold_step[2], fold_one[2]; /* by STEP and by 16 bytes: for H, for L */
    uint64_t power[64];
};

enum { ENGINE_CRC32, ENGINE_CRC32C, ENGINE_CRC64NVME, ENGINE_COUNT };

static struct engine engines[ENGINE_COUNT] = {
    [ENGINE_CRC32] = { .polynomial = 0xedb88320 },
    [ENGINE_CRC32C] = { .polynomial = 0x82f63b78 },
    [ENGINE_CRC64NVME] = { .polynomial = 0x9a6c9329ac4bc9b5 }, /* 0xad93d23594c93659 reflected */
};

static bool has_pclmul, has_crc32;

/* ---- polynomials modulo the generator ---- */

#define X_TO_0 (1ull << 63)

static uint64_t times_x(const struct engine *e, uint64_t a)
{
    return (a >> 1) ^ (e->polynomial & (0 - (a & 1)));
}

static uint64_t times(const struct engine *e, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (; a; a <<= 1) {
        product ^= b & (0 - (a >> 63));
        b = times_x(e, b);
    }
    return product;
}

/* x^(8 * bytes) */
static uint64_t power_of_x(const struct engine *e, uint64_t bytes)
{
    uint64_t product = X_TO_0;

    for (int i = 0; bytes; i++, bytes >>= 1) {
        if (bytes & 1) product = times(e, e->power[i], product);
    }
    return product;
}

/* ---- by table ---- */

static uint64_t update_by_table(const struct engine *e, uint64_t crc, const uint8_t *data, size_t len)
{
    for (; len >= 8; data += 8, len -= 8) {
        const uint64_t word = crc ^ get_le64(data);
        crc = e->table[7][word & 0xff] ^ e->table[6][(word >> 8) & 0xff] ^ e->table[5][(word >> 16) & 0xff]
            ^ e->table[4][(word >> 24) & 0xff] ^ e->table[3][(word >> 32) & 0xff]
            ^ e->table[2][(word >> 40) & 0xff] ^ e->table[1][(word >> 48) & 0xff] ^ e->table[0][word >> 56];
    }
    for (; len; data++, len--) crc = (crc >> 8) ^ e->table[0][(crc ^ *data) & 0xff];
    return crc;
}

/* ---- by instruction ---- */

#if HAS_X86
__attribute__((target("sse2,pclmul"))) static inline __m128i fold(__m128i x, __m128i by)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11));
}

__attribute__((target("sse2,pclmul"))) static inline __m128i load16(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* At least STEP bytes: fold all whole steps into one accumulator, and move *data and *len behind them. */
__attribute__((target("sse2,pclmul"))) static inline __m128i fold_steps(const struct engine *e, uint64_t crc,
                                                                        const uint8_t **data, size_t *len)
{
    const __m128i by_step = load16((const uint8_t *)e->fold_step),
                  by_one = load16((const uint8_t *)e->fold_one);
    const uint8_t *at = *data, *const end = at + *len / STEP * STEP;
    __m128i x[LANES];

    for (int i = 0; i < LANES; i++) x[i] = load16(at + 16 * i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi64_si128((long long)crc));
    for (at += STEP; at < end; at += STEP) {
        for (int i = 0; i < LANES; i++) x[i] = _mm_xor_si128(fold(x[i], by_step), load16(at + 16 * i));
    }
    for (int i = 1; i < LANES; i++) x[0] = _mm_xor_si128(fold(x[0], by_one), x[i]);
    *len %= STEP;
    *data = end;
    return x[0];
}

/* At least 16 bytes. Takes whole groups of 16 and moves *data and *len behind them. */
__attribute__((target("sse2,pclmul"))) static uint64_t update_by_folding(const struct engine *e, uint64_t crc,
                                                                         const uint8_t **data, size_t *len)
{
    const __m128i by_one = load16((const uint8_t *)e->fold_one);
    uint8_t left[16];
    __m128i x;

    if (*len >= STEP) {
        x = fold_steps(e, crc, data, len);
    } else {
        x = _mm_xor_si128(load16(*data), _mm_cvtsi64_si128((long long)crc));
        *data += 16;
        *len -= 16;
    }
    for (; *len >= 16; *data += 16, *len -= 16) x = _mm_xor_si128(fold(x, by_one), load16(*data));

    _mm_storeu_si128((__m128i *)(void *)left, x);
    return update_by_table(e, 0, left, sizeof(left));
}

__attribute__((target("sse4.2"))) static uint64_t crc32c_by_instruction(uint64_t crc, const uint8_t *data,
                                                                        size_t len)
{
    for (; len >= 8; data += 8, len -= 8) crc = _mm_crc32_u64(crc, get_le64(data));
    for (; len; data++, len--) crc = _mm_crc32_u8((uint32_t)crc, *data);
    return crc;
}
#endif

static uint64_t update(const struct engine *e, uint64_t crc, const void *data, size_t len)
{
    const uint8_t *bytes = data;

#if HAS_X86
    const bool by_instruction = has_crc32 && e == &engines[ENGINE_CRC32C];

    if (has_pclmul && len >= (by_instruction ? FOLD_BYTES_MIN_32C : FOLD_BYTES_MIN)) {
        crc = update_by_folding(e, crc, &bytes, &len);
    }
    if (by_instruction) return crc32c_by_instruction(crc, bytes, len);
#endif
    return update_by_table(e, crc, bytes, len);
}

/* ---- beginning ---- */

static void engine_begin(struct engine *e)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = times_x(e, crc);
        e->table[0][i] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (unsigned i = 0; i < 256; i++) {
            const uint64_t before = e->table[k - 1][i];
            e->table[k][i] = (before >> 8) ^ e->table[0][before & 0xff];
        }
    }

    uint64_t x = X_TO_0, at[STEP * 8 + 64]; /* at[n] is x^n */
    for (size_t n = 0; n < sizeof(at) / sizeof(at[0]); n++, x = times_x(e, x)) at[n] = x;
    e->fold_step[0] = at[STEP * 8 + 63];
    e->fold_step[1] = at[STEP * 8 - 1];
    e->fold_one[0] = at[128 + 63];
    e->fold_one[1] = at[128 - 1];

    e->power[0] = at[8];
    for (int i = 1; i < 64; i++) e->power[i] = times(e, e->power[i - 1], e->power[i - 1]);
}

/* Before main, some 60 us: so no checksum, however small, has to ask whether the tables are there. */
__attribute__((constructor)) static void crc_begin(void)
{
    for (int i = 0; i < ENGINE_COUNT; i++) engine_begin(&engines[i]);
    crc_set_portable(false);
}

void crc_set_portable(bool is_portable)
{
#if HAS_X86
    __builtin_cpu_init();
    has_pclmul = !is_portable && __builtin_cpu_supports("pclmul");
    has_crc32 = !is_portable && __builtin_cpu_supports("sse4.2");
#else
    (void)is_portable;
#endif
}

/* ---- the contract ---- */

uint32_t crc32_ieee(uint32_t seed, const void *data, size_t len)
{
    return ~(uint32_t)update(&engines[ENGINE_CRC32], (uint32_t)~seed, data, len);
}

uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
    return ~(uint32_t)update(&engines[ENGINE_CRC32C], (uint32_t)~seed, data, len);
}

uint64_t crc64nvme(uint64_t seed, const void *data, size_t len)
{
    return ~update(&engines[ENGINE_CRC64NVME], ~seed, data, len);
}

/* The ones at the start and the end cancel out: of A's CRC, moved len_b bytes ahead, and B's. */
uint64_t crc_combine(enum digest_kind kind, uint64_t crc_a, uint64_t crc_b, uint64_t len_b)
{
    static const struct engine *const of_kind[DIGEST_KIND_COUNT] = {
        [DIGEST_CRC32] = &engines[ENGINE_CRC32],
        [DIGEST_CRC32C] = &engines[ENGINE_CRC32C],
        [DIGEST_CRC64NVME] = &engines[ENGINE_CRC64NVME],
    };
    const struct engine *e = of_kind[kind];
    assert(e);

    return times(e, power_of_x(e, len_b), crc_a) ^ crc_b;
}
