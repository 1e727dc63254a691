/* md5_test.c - the known answers, and every number of streams against OpenSSL's one stream. */
#include "storage/base/md5.h"

#include <stdlib.h>

#include "storage/base/encode.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define BYTES_MAX (40 * MD5_BLOCK + 63)

static struct digest_value whole(const uint8_t *data, size_t len)
{
    struct md5 m;

    md5_begin(&m);
    md5_blocks(&m, data, len / MD5_BLOCK);
    return md5_end(&m, data + len / MD5_BLOCK * MD5_BLOCK, len % MD5_BLOCK);
}

/* RFC 1321 A.5. */
TEST(md5_gives_the_known_answers)
{
    static const struct {
        const char *text, *hex;
    } known[] = {
        { "", "d41d8cd98f00b204e9800998ecf8427e" },
        { "abc", "900150983cd24fb0d6963f7d28e17f72" },
        { "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
          "57edf4a22be3c955ac49da2e2107b67a" },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct digest_value got = whole((const uint8_t *)known[i].text, strlen(known[i].text));
        char hex[2 * DIGEST_BYTES_MAX + 1];

        hex_z(got.bytes, got.len, hex);
        CHECK_STR(str_from_z(hex), str_from_z(known[i].hex));
    }
}

static void check_many(uint8_t data[MD5_LANES][BYTES_MAX], int count, size_t first, size_t blocks,
                       size_t rest)
{
    struct md5 streams[MD5_LANES], *which[MD5_LANES] = { NULL };
    const uint8_t *rows[MD5_LANES] = { NULL };

    for (int i = 0; i < count; i++) {
        md5_begin(&streams[i]);
        md5_blocks(&streams[i], data[i], first); /* they need not be new */
        which[i] = &streams[i];
        rows[i] = data[i] + first * MD5_BLOCK;
    }
    md5_blocks_of_many(which, rows, blocks, count);
    for (int i = 0; i < count; i++) {
        const size_t len = (first + blocks) * MD5_BLOCK;
        const struct digest_value got = md5_end(&streams[i], data[i] + len, rest);
        const struct digest_value want = digest_of(DIGEST_MD5, data[i], len + rest);

        CHECK_U64(got.len, 16);
        CHECK(memcmp(got.bytes, want.bytes, 16) == 0);
    }
}

TEST(any_number_of_streams_side_by_side_gives_what_each_alone_gives)
{
    static uint8_t data[MD5_LANES][BYTES_MAX];
    uint64_t seed = 17;
    int tried = 0;

    for (int i = 0; i < MD5_LANES; i++) {
        for (size_t at = 0; at < sizeof(data[i]); at++) data[i][at] = (uint8_t)random_next(&seed);
    }
    for (int kernel = 0; kernel < MD5_KERNEL_COUNT; kernel++) {
        if (!md5_kernel_use((enum md5_kernel)kernel)) continue;
        tried++;
        for (int count = 1; count <= MD5_LANES; count++) {
            for (size_t blocks = 0; blocks <= 30; blocks += 1 + blocks / 4)
                check_many(data, count, blocks % 3 * 5, blocks, (size_t)(count * 8 - 1));
        }
    }
    CHECK(tried >= 1);
}

/* The length in bits is more than 32 bits from 512 MiB on. */
TEST(a_stream_of_more_than_512_mib_has_its_whole_length)
{
    enum { PIECE = 1 << 20, PIECES = 520 };
    uint8_t *piece = calloc(1, PIECE);
    struct md5 a, b, *both[] = { &a, &b };
    struct digest one;

    CHECK(piece);
    const uint8_t *rows[] = { piece, piece };
    md5_begin(&a);
    md5_begin(&b);
    CHECK_OK(digest_init(&one, DIGEST_MD5));
    for (int i = 0; i < PIECES; i++) {
        md5_blocks_of_many(both, rows, PIECE / MD5_BLOCK, 2);
        digest_update(&one, piece, PIECE);
    }
    const struct digest_value want = digest_final(&one);
    CHECK(memcmp(md5_end(&a, "", 0).bytes, want.bytes, 16) == 0);
    CHECK(memcmp(md5_end(&b, "", 0).bytes, want.bytes, 16) == 0);
    digest_done(&one);
    free(piece);
}
