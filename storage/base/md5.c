/*
 * md5.c - MD5 with a stream in each lane of a vector.
 *
 * A step of MD5 is some seven instructions that wait for one another, about four cycles a byte however wide the processor is. Here a vector of eight words holds the same word of eight streams. The steps are written once, in
 * GCC's vector notation, and compiled for each instruction set of `kernels`: with AVX-512's rotation and three-way logic eight lanes take 1.8 times as long as OpenSSL takes for one stream, with AVX2 2.4 times. Below
 * so many streams (`lanes_min`) one after the other is faster. Lanes that are not needed compute a neighbour's blocks once more.
 *
 * Words of a block lie one behind the other in each stream, and are wanted one beside the other: `turn` turns eight rows of eight words, as three perfect shuffles.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* MD5_*: the MD5 that takes no memory, and whose state can be set */

#include "storage/base/md5.h"

#include <assert.h>
#include <openssl/md5.h>
#include <string.h>

#include "storage/base/encode.h"

#if defined(__x86_64__)
#define HAS_X86 1
#else
#define HAS_X86 0
#endif

typedef uint32_t vec __attribute__((vector_size(4 * MD5_LANES)));
#define INLINED static inline __attribute__((always_inline))

/* ---- one stream ---- */

void md5_begin(struct md5 *m)
{
    *m = (struct md5){ .word = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 } };
}

static MD5_CTX openssl_of(const struct md5 *m)
{
    const uint64_t bits = m->blocks * MD5_BLOCK * 8;

    return (MD5_CTX){ .A = m->word[0],
                      .B = m->word[1],
                      .C = m->word[2],
                      .D = m->word[3],
                      .Nl = (uint32_t)bits,
                      .Nh = (uint32_t)(bits >> 32) };
}

void md5_blocks(struct md5 *m, const void *data, size_t blocks)
{
    MD5_CTX ctx = openssl_of(m);

    (void)MD5_Update(&ctx, data, blocks * MD5_BLOCK);
    *m = (struct md5){ .word = { ctx.A, ctx.B, ctx.C, ctx.D }, .blocks = m->blocks + blocks };
}

struct digest_value md5_end(struct md5 *m, const void *rest, size_t len)
{
    struct digest_value value = { .len = 16 };
    MD5_CTX ctx = openssl_of(m);

    assert(len < MD5_BLOCK);
    if (len) (void)MD5_Update(&ctx, rest, len);
    (void)MD5_Final(value.bytes, &ctx);
    return value;
}

/* ---- eight ---- */

/* RFC 1321 3.4: the integer part of 2^32 * abs(sin(i + 1)). */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t turns[4][4] = {
    { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 }
};

/* Which word of the block step i of a round takes is (first + i * by) mod 16. */
static const struct {
    uint8_t first, by;
} order[4] = { { 0, 1 }, { 1, 5 }, { 5, 3 }, { 0, 7 } };

INLINED void turn(vec row[8])
{
    vec next[8];

    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < 4; i++) {
            next[2 * i] = __builtin_shufflevector(row[i], row[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            next[2 * i + 1] = __builtin_shufflevector(row[i], row[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        memcpy(row, next, sizeof(next));
    }
}

INLINED void words_of(const uint8_t *const data[MD5_LANES], size_t at, vec word[16])
{
    for (int lane = 0; lane < MD5_LANES; lane++) {
        memcpy(&word[lane], data[lane] + at, sizeof(vec));
        memcpy(&word[lane + 8], data[lane] + at + sizeof(vec), sizeof(vec));
    }
    turn(word);
    turn(word + 8);
}

/* F, G, H and I of RFC 1321 3.4, the first two with one operation less. */
#define MIX_F(b, c, d) ((((c) ^ (d)) & (b)) ^ (d))
#define MIX_G(b, c, d) ((((b) ^ (c)) & (d)) ^ (c))
#define MIX_H(b, c, d) ((b) ^ (c) ^ (d))
#define MIX_I(b, c, d) ((c) ^ ((b) | ~(d)))

/* s: A, B, C, D. After four steps each has been the one that changes, and all stand where they stood. */
#define STEP(mix_, round_, i_, a_, b_, c_, d_)                                                               \
    do {                                                                                                     \
        const vec sum_ = (a_) + mix_(b_, c_, d_) + sines[16 * (round_) + (i_)]                               \
            + word[(order[round_].first + (i_)*order[round_].by) % 16];                                      \
        const int by_ = turns[round_][(i_) % 4];                                                             \
        (a_) = (b_) + ((sum_ << by_) | (sum_ >> (32 - by_)));                                                \
    } while (0)

#define FOUR(mix_, round_, i_)                                                                               \
    do {                                                                                                     \
        STEP(mix_, round_, i_, s[0], s[1], s[2], s[3]);                                                      \
        STEP(mix_, round_, (i_) + 1, s[3], s[0], s[1], s[2]);                                                \
        STEP(mix_, round_, (i_) + 2, s[2], s[3], s[0], s[1]);                                                \
        STEP(mix_, round_, (i_) + 3, s[1], s[2], s[3], s[0]);                                                \
    } while (0)

#define ROUND(mix_, round_)                                                                                  \
    do {                                                                                                     \
        FOUR(mix_, round_, 0);                                                                               \
        FOUR(mix_, round_, 4);                                                                               \
        FOUR(mix_, round_, 8);                                                                               \
        FOUR(mix_, round_, 12);                                                                              \
    } while (0)

INLINED void block(vec s[4], const vec word[16])
{
    const vec before[4] = { s[0], s[1], s[2], s[3] };

    ROUND(MIX_F, 0);
    ROUND(MIX_G, 1);
    ROUND(MIX_H, 2);
    ROUND(MIX_I, 3);
    for (int i = 0; i < 4; i++) s[i] += before[i];
}

INLINED void lanes(vec state[4], const uint8_t *const data[MD5_LANES], size_t blocks)
{
    vec word[16], s[4] = { state[0], state[1], state[2], state[3] };

    for (size_t at = 0; at < blocks * MD5_BLOCK; at += MD5_BLOCK) {
        words_of(data, at, word);
        block(s, word);
    }
    memcpy(state, s, sizeof(s));
}

#if HAS_X86
__attribute__((target("avx2"))) static void lanes_avx2(vec state[4], const uint8_t *const data[MD5_LANES],
                                                       size_t blocks)
{
    lanes(state, data, blocks);
}

__attribute__((target("avx2,avx512f,avx512vl"))) static void lanes_avx512(
    vec state[4], const uint8_t *const data[MD5_LANES], size_t blocks)
{
    lanes(state, data, blocks);
}
#endif

/* ---- which of them ---- */

static const struct kernel {
    int lanes_min; /* with fewer streams one after the other is faster */
    void (*run)(vec state[4], const uint8_t *const data[MD5_LANES], size_t blocks);
} kernels[MD5_KERNEL_COUNT] = {
    [MD5_ONE_BY_ONE] = { MD5_LANES + 1, NULL },
#if HAS_X86
    [MD5_AVX2] = { 3, lanes_avx2 },
    [MD5_AVX512] = { 3, lanes_avx512 },
#endif
};

static const struct kernel *kernel = &kernels[MD5_ONE_BY_ONE];

static bool is_there(enum md5_kernel which)
{
#if HAS_X86
    __builtin_cpu_init();
    if (which == MD5_AVX2) return __builtin_cpu_supports("avx2") != 0;
    if (which == MD5_AVX512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
#endif
    return which == MD5_ONE_BY_ONE;
}

bool md5_kernel_use(enum md5_kernel which)
{
    if (!is_there(which)) return false;
    kernel = &kernels[which];
    return true;
}

__attribute__((constructor)) static void choose(void)
{
    for (int which = 0; which < MD5_KERNEL_COUNT; which++) (void)md5_kernel_use((enum md5_kernel)which);
}

void md5_blocks_of_many(struct md5 *const *streams, const uint8_t *const *data, size_t blocks, int count)
{
    const uint8_t *rows[MD5_LANES];
    vec state[4];

    assert(count >= 1 && count <= MD5_LANES);
    if (count < kernel->lanes_min) {
        for (int i = 0; i < count; i++) md5_blocks(streams[i], data[i], blocks);
        return;
    }
    for (int lane = 0; lane < MD5_LANES; lane++) {
        const int i = lane < count ? lane : 0;
        rows[lane] = data[i];
        for (int w = 0; w < 4; w++) state[w][lane] = streams[i]->word[w];
    }
    kernel->run(state, rows, blocks);
    for (int i = 0; i < count; i++) {
        for (int w = 0; w < 4; w++) streams[i]->word[w] = state[w][i];
        streams[i]->blocks += blocks;
    }
}
