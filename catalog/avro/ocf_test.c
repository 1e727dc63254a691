/* Container files made by hand: what is wrong in each is refused, and a bomb stops at the limit. */
#include "catalog/avro/ocf.h"

#include <bzlib.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "tests/unit/test.h"

#define SYNC STR("0123456789abcdef")
#define BOMB_BYTES (LIMIT_AVRO_BLOCK + 1)

static void put_long(struct buf *b, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);

    for (; rest > 0x7f; rest >>= 7) buf_char(b, (char)(rest | 0x80));
    buf_char(b, (char)rest);
}

static void put_str(struct buf *b, struct str s)
{
    put_long(b, (int64_t)s.len);
    buf_str(b, s);
}

static void put_header(struct buf *b, const char *codec)
{
    buf_init(b, 256 * MIB);
    buf_str(b, STR("Obj\1"));
    put_long(b, 1);
    put_str(b, STR("avro.codec"));
    put_str(b, str_from_z(codec));
    put_long(b, 0);
    buf_str(b, SYNC);
}

/* A file of one block. */
static void put_file(struct buf *b, const char *codec, struct str packed)
{
    put_header(b, codec);
    put_long(b, 1);
    put_str(b, packed);
    buf_str(b, SYNC);
}

/* Read it to its end, and give it back; *ret_plain: the bytes of its blocks. */
static struct err read_and_free(struct buf *b, uint64_t *ret_plain)
{
    struct ocf *o;
    struct ocf_block block;
    bool is_end = false;
    uint64_t plain = 0;

    struct err e = ocf_open(input_of_bytes(buf_view(b)), &o);
    if (!e.code) {
        while (!(e = ocf_next(o, &block, &is_end)).code && !is_end) plain += block.bytes.len;
        (void)ocf_close(o);
    }
    buf_done(b);
    if (!e.code) *ret_plain = plain;
    return e;
}

/* Each packs plain into packed, which has room for it, and gives how many bytes that made. */
static size_t pack_deflate(struct str plain, char *packed, size_t room)
{
    z_stream z = { .next_in = (Bytef *)plain.data,
                   .avail_in = (uInt)plain.len,
                   .next_out = (Bytef *)packed,
                   .avail_out = (uInt)room };

    CHECK(deflateInit2(&z, 1, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&z);
    return z.total_out;
}

static size_t pack_bzip2(struct str plain, char *packed, size_t room)
{
    unsigned len = (unsigned)room;

    CHECK(BZ2_bzBuffToBuffCompress(packed, &len, (char *)plain.data, (unsigned)plain.len, 9, 0, 0) == BZ_OK);
    return len;
}

static size_t pack_xz(struct str plain, char *packed, size_t room)
{
    lzma_stream z = LZMA_STREAM_INIT;

    CHECK(lzma_easy_encoder(&z, 0, LZMA_CHECK_CRC64) == LZMA_OK);
    z.next_in = (const uint8_t *)plain.data;
    z.avail_in = plain.len;
    z.next_out = (uint8_t *)packed;
    z.avail_out = room;
    CHECK(lzma_code(&z, LZMA_FINISH) == LZMA_STREAM_END);
    lzma_end(&z);
    return room - z.avail_out;
}

static size_t pack_snappy(struct str plain, char *packed, size_t room)
{
    size_t len = room;

    CHECK(snappy_compress(plain.data, plain.len, packed, &len) == SNAPPY_OK);
    const uint32_t crc = __builtin_bswap32((uint32_t)crc32(0, (const Bytef *)plain.data, (uInt)plain.len));
    memcpy(packed + len, &crc, 4);
    return len + 4;
}

static size_t pack_zstandard(struct str plain, char *packed, size_t room)
{
    return ZSTD_compress(packed, room, plain.data, plain.len, 1);
}

static const struct packing {
    const char *codec;
    size_t (*pack)(struct str plain, char *packed, size_t room);
} packings[] = {
    { "deflate", pack_deflate }, { "bzip2", pack_bzip2 },         { "xz", pack_xz },
    { "snappy", pack_snappy },   { "zstandard", pack_zstandard },
};

#define PACKINGS (sizeof(packings) / sizeof(packings[0]))

/* To be freed. */
static struct str packed_zeros(const struct packing *with, size_t len)
{
    const size_t room = snappy_max_compressed_length(len) + 65536;
    char *zeros = calloc(1, len), *packed = malloc(room);
    const size_t packed_len = with->pack(str_of(zeros, len), packed, room);

    free(zeros);
    return str_of(packed, packed_len);
}

TEST(a_bomb_stops_at_the_limit_in_every_codec)
{
    for (size_t i = 0; i < PACKINGS; i++) {
        struct buf b;
        uint64_t plain = 0;
        struct str packed = packed_zeros(&packings[i], BOMB_BYTES);
        put_file(&b, packings[i].codec, packed);
        free((void *)packed.data);
        CHECK_ERR(read_and_free(&b, &plain), ERR_TOO_LARGE);
        packed = packed_zeros(&packings[i], 9 * MIB);
        put_file(&b, packings[i].codec, packed);
        free((void *)packed.data);
        CHECK_OK(read_and_free(&b, &plain));
        CHECK_U64(plain, 9 * MIB);
    }
}

TEST(many_blocks_that_unpack_well_stop_at_the_limit_of_the_file)
{
    const struct str packed = packed_zeros(&(struct packing){ "zstandard", pack_zstandard },
                                           LIMIT_AVRO_BLOCK);
    struct buf b;
    uint64_t plain;

    put_header(&b, "zstandard");
    for (uint64_t i = 0; i <= LIMIT_AVRO_PLAIN / LIMIT_AVRO_BLOCK; i++) {
        put_long(&b, 1);
        put_str(&b, packed);
        buf_str(&b, SYNC);
    }
    free((void *)packed.data);
    CHECK_ERR(read_and_free(&b, &plain), ERR_TOO_LARGE);
}

TEST(damage_in_packed_bytes_is_refused)
{
    for (size_t i = 0; i < PACKINGS; i++) {
        const struct str packed = packed_zeros(&packings[i], 1000);
        for (size_t len = 0; len + 1 < packed.len; len++) {
            struct buf b;
            uint64_t plain;
            put_file(&b, packings[i].codec, str_slice(packed, 0, len));
            if (len > 0 || packings[i].pack != pack_zstandard)
                CHECK_ERR(read_and_free(&b, &plain), ERR_CORRUPT);
            else buf_done(&b); /* no frame at all is zstandard for no bytes */
        }
        free((void *)packed.data);
    }
}

/* Blocks of one file share a decoder: what one left behind, damage too, is not in the way of the next. */
TEST(each_block_of_a_file_unpacks_alone)
{
    for (size_t i = 0; i < PACKINGS; i++) {
        struct buf b;
        uint64_t plain = 0;

        put_header(&b, packings[i].codec);
        for (size_t len = 1; len <= 5 * MIB; len *= 40) {
            const struct str packed = packed_zeros(&packings[i], len);
            put_long(&b, 1);
            put_str(&b, packed);
            buf_str(&b, SYNC);
            free((void *)packed.data);
        }
        CHECK_OK(read_and_free(&b, &plain));
        CHECK_U64(plain, 1 + 40 + 1600 + 64000 + 2560000);
    }
}

/* Byte 16 of a stream is the size of its dictionary, in the header of the first block; that ends with a checksum. */
TEST(an_xz_block_that_claims_a_dictionary_of_4_gib_is_refused)
{
    const struct str packed = packed_zeros(&(struct packing){ "xz", pack_xz }, 1000);
    uint8_t *bytes = (uint8_t *)packed.data, *header = bytes + 12;
    const size_t len = (header[0] + 1u) * 4 - 4;
    struct buf b;
    uint64_t plain;

    CHECK(header[2] == 0x21 && header[3] == 1);
    header[4] = 40;
    const uint32_t crc = (uint32_t)crc32(0, header, (uInt)len);
    memcpy(header + len, &crc, 4);
    put_file(&b, "xz", packed);
    free(bytes);
    CHECK_ERR(read_and_free(&b, &plain), ERR_TOO_LARGE);
}

TEST(a_snappy_block_with_a_wrong_checksum_is_refused)
{
    const struct str packed = packed_zeros(&(struct packing){ "snappy", pack_snappy }, 1000);
    struct buf b;
    uint64_t plain;

    ((char *)packed.data)[packed.len - 1] ^= 1;
    put_file(&b, "snappy", packed);
    free((void *)packed.data);
    CHECK_ERR(read_and_free(&b, &plain), ERR_CORRUPT);
}

TEST(heads_of_blocks_are_held_against_the_file)
{
    static const struct {
        int64_t count, len;
        enum err_code code;
    } rows[] = {
        { -1, 0, ERR_CORRUPT },         { 1, -1, ERR_CORRUPT },
        { 1, 5, ERR_CORRUPT },          { 1, 60 << 20, ERR_CORRUPT },
        { 1, 65 << 20, ERR_TOO_LARGE }, { 1, INT64_MAX, ERR_TOO_LARGE },
        { 1, INT64_MIN, ERR_CORRUPT },  { 0, 0, ERR_OK },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b;
        uint64_t plain;
        put_header(&b, "null");
        put_long(&b, rows[i].count);
        put_long(&b, rows[i].len);
        buf_str(&b, SYNC);
        CHECK_ERR(read_and_free(&b, &plain), rows[i].code);
    }
}

TEST(headers_that_are_none_are_refused)
{
    struct buf b;
    uint64_t plain;

    put_header(&b, "lz4");
    CHECK_ERR(read_and_free(&b, &plain), ERR_UNSUPPORTED);
    buf_str(&b, STR("PAR1"));
    CHECK_ERR(read_and_free(&b, &plain), ERR_CORRUPT);
    buf_str(&b, STR("Obj\1"));
    put_long(&b, LIMIT_AVRO_META + 1);
    for (int i = 0; i <= LIMIT_AVRO_META; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%d", i);
        put_str(&b, str_from_z(key));
        put_str(&b, STR(""));
    }
    CHECK_ERR(read_and_free(&b, &plain), ERR_TOO_LARGE);
    buf_str(&b, STR("Obj\1"));
    put_long(&b, INT64_MIN);
    put_long(&b, 0);
    put_str(&b, STR("k"));
    put_str(&b, STR("v"));
    put_str(&b, STR("k"));
    put_str(&b, STR("w"));
    CHECK_ERR(read_and_free(&b, &plain), ERR_CORRUPT);
    buf_str(&b, STR("Obj\1"));
    put_long(&b, 1);
    put_long(&b, INT64_MAX);
    CHECK_ERR(read_and_free(&b, &plain), ERR_TOO_LARGE);
}
