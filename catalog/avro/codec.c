/*
 * codec.c - unpacking the blocks of an Avro container file.
 *
 * deflate (a raw stream, RFC 1951), bzip2 and xz are streams, fed as a whole, into a buffer that doubles. Bytes behind the end of one are passed over: Python's
 * writers leave most of zlib's checksum there. What an xz stream's dictionary may take is limited: it may claim 4 GiB, the highest preset has 64 MiB.
 *
 * snappy says its unpacked length in front, and cannot do better than 64 bytes from three: so a claim is plausible or refused. Behind it stands the
 * CRC-32 of what was packed, big-endian.
 *
 * zstandard: the streaming decoder would allocate the window that a frame claims, so frames are decoded in one call into a buffer, which is doubled
 * and tried again when it was too small: all attempts together cost twice the last one. A frame may say its length; it is believed as far as
 * GAIN times the packed bytes.
 */
#include "catalog/avro/codec.h"

#include <bzlib.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define GAIN 64ull           /* taken at once for a packed byte */
#define PLAIN_MIN (64 * KIB) /* and at least this */
#define SNAPPY_GAIN 22ull    /* 64 bytes from a copy of three, rounded up */
#define SNAPPY_CRC 4
#define XZ_MEMORY (80 * MIB) /* the decoder of the highest preset takes 65 */

struct codec {
    const char *name;
    struct err (*unpack)(struct unpacker *u, struct str packed);
    void (*done)(void *state);
};

static const struct err codec_no_memory = { ERR_NO_MEMORY, "no memory to unpack a block of an Avro file" };

static struct err too_large(const struct unpacker *u)
{
    return err_fail(ERR_TOO_LARGE, "it unpacks to more than the %zu bytes allowed", u->plain.bytes_max);
}

/* Room for at least one byte more, and for the first time about as much as packed bytes become. */
static struct err make_room(struct unpacker *u, size_t packed_len)
{
    struct buf *const plain = &u->plain;
    size_t size = plain->len + 1;

    if (plain->len < plain->size) return OK;
    if (plain->len == plain->bytes_max) return too_large(u);
    if (plain->len == 0 && packed_len * 4 > size) size = packed_len * 4;
    if (plain->len == 0 && size < PLAIN_MIN) size = PLAIN_MIN;
    if (size > plain->bytes_max) size = plain->bytes_max;
    return buf_reserve(plain, size - plain->len) ? OK : codec_no_memory;
}

/* ---- streams ---- */

/* Decode on into out, which has room bytes: how many there are now, and was that the last? Fewer than room without an end: the input has ended. */
typedef struct err step_fn(void *state, char *out, size_t room, size_t *ret_len, bool *ret_is_end);

static struct err stream_all(struct unpacker *u, size_t packed_len, step_fn *step)
{
    bool is_end = false;

    while (!is_end) {
        size_t len;
        TRY(make_room(u, packed_len));
        const size_t room = u->plain.size - u->plain.len;
        TRY(step(u->state, u->plain.data + u->plain.len, room, &len, &is_end));
        u->plain.len += len;
        if (!is_end && len < room) return err_fail(ERR_CORRUPT, "its %s stream is cut off", u->codec->name);
    }
    return OK;
}

/* A state of that size, zero, if there is none yet. */
static struct err state_need(struct unpacker *u, size_t size)
{
    if (!u->state) u->state = calloc(1, size);
    return u->state ? OK : codec_no_memory;
}

/* ---- deflate ---- */

static struct err inflate_step(void *state, char *out, size_t room, size_t *ret_len, bool *ret_is_end)
{
    z_stream *z = state;

    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)room;
    const int status = inflate(z, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) return codec_no_memory;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return err_fail(ERR_CORRUPT, "its deflate stream is damaged: %s",
                        z->msg ? z->msg : "no reason given");
    *ret_len = room - z->avail_out;
    *ret_is_end = status == Z_STREAM_END;
    return OK;
}

static struct err unpack_deflate(struct unpacker *u, struct str packed)
{
    z_stream *z = u->state;

    if (!z) {
        z = calloc(1, sizeof(*z));
        if (!z) return codec_no_memory;
        if (inflateInit2(z, -MAX_WBITS) != Z_OK) {
            free(z);
            return codec_no_memory;
        }
        u->state = z;
    } else if (inflateReset(z) != Z_OK) {
        return FAIL(ERR_INTERNAL, "zlib cannot be reset");
    }
    z->next_in = (Bytef *)packed.data; /* zlib only reads it */
    z->avail_in = (uInt)packed.len;
    return stream_all(u, packed.len, inflate_step);
}

static void deflate_done(void *state)
{
    (void)inflateEnd(state);
    free(state);
}

/* ---- bzip2 ---- */

static struct err bzip2_step(void *state, char *out, size_t room, size_t *ret_len, bool *ret_is_end)
{
    bz_stream *z = state;

    z->next_out = out;
    z->avail_out = (unsigned)room;
    const int status = BZ2_bzDecompress(z);
    if (status == BZ_MEM_ERROR) return codec_no_memory;
    if (status != BZ_OK && status != BZ_STREAM_END) return FAIL(ERR_CORRUPT, "its bzip2 stream is damaged");
    *ret_len = room - z->avail_out;
    *ret_is_end = status == BZ_STREAM_END;
    return OK;
}

/* There is no reset: each block begins anew. Ending one that was not begun does nothing. */
static struct err unpack_bzip2(struct unpacker *u, struct str packed)
{
    TRY(state_need(u, sizeof(bz_stream)));
    bz_stream *z = u->state;
    (void)BZ2_bzDecompressEnd(z);
    if (BZ2_bzDecompressInit(z, 0, 0) != BZ_OK) return codec_no_memory;
    z->next_in = (char *)packed.data; /* it only reads it */
    z->avail_in = (unsigned)packed.len;
    return stream_all(u, packed.len, bzip2_step);
}

static void bzip2_done(void *state)
{
    (void)BZ2_bzDecompressEnd(state);
    free(state);
}

/* ---- xz ---- */

static struct err xz_step(void *state, char *out, size_t room, size_t *ret_len, bool *ret_is_end)
{
    lzma_stream *z = state;

    z->next_out = (uint8_t *)out;
    z->avail_out = room;
    const lzma_ret status = lzma_code(z, LZMA_FINISH);
    if (status == LZMA_MEM_ERROR) return codec_no_memory;
    if (status == LZMA_MEMLIMIT_ERROR)
        return err_fail(ERR_TOO_LARGE, "its xz stream wants more than the %llu MiB allowed to be unpacked",
                        XZ_MEMORY / MIB);
    if (status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR)
        return FAIL(ERR_CORRUPT, "its xz stream is damaged");
    *ret_len = room - z->avail_out;
    *ret_is_end = status == LZMA_STREAM_END;
    return OK;
}

/* Beginning anew keeps the memory. */
static struct err unpack_xz(struct unpacker *u, struct str packed)
{
    TRY(state_need(u, sizeof(lzma_stream))); /* zeros are LZMA_STREAM_INIT */
    lzma_stream *z = u->state;
    if (lzma_stream_decoder(z, XZ_MEMORY, 0) != LZMA_OK) return codec_no_memory;
    z->next_in = (const uint8_t *)packed.data;
    z->avail_in = packed.len;
    return stream_all(u, packed.len, xz_step);
}

static void xz_done(void *state)
{
    lzma_end(state);
    free(state);
}

/* ---- snappy ---- */

static struct err unpack_snappy(struct unpacker *u, struct str packed)
{
    size_t len;

    if (packed.len < SNAPPY_CRC)
        return FAIL(ERR_CORRUPT, "it is too short for the checksum of a snappy block");
    const struct str body = str_slice(packed, 0, packed.len - SNAPPY_CRC);
    if (snappy_uncompressed_length(body.data, body.len, &len) != SNAPPY_OK || len > body.len * SNAPPY_GAIN)
        return FAIL(ERR_CORRUPT, "its snappy length is damaged");
    if (len > u->plain.bytes_max) return too_large(u);
    char *const plain = buf_extend(&u->plain, len);
    if (!plain) return codec_no_memory;
    if (snappy_uncompress(body.data, body.len, plain, &len) != SNAPPY_OK)
        return FAIL(ERR_CORRUPT, "its snappy data is damaged");
    if (crc32_ieee(0, plain, len) != get_be32(packed.data + body.len))
        return FAIL(ERR_CORRUPT, "its checksum is wrong");
    return OK;
}

/* ---- zstandard ---- */

/* How much to begin with: what the first frame says, if that is plausible. */
static size_t zstd_first_size(struct str packed, size_t bytes_max)
{
    const unsigned long long claimed = ZSTD_getFrameContentSize(packed.data, packed.len);
    const unsigned long long most = packed.len * GAIN > PLAIN_MIN ? packed.len * GAIN : PLAIN_MIN;
    size_t size = claimed <= most ? claimed : most / 8;

    if (size < PLAIN_MIN) size = PLAIN_MIN;
    return size < bytes_max ? size : bytes_max;
}

static struct err unpack_zstandard(struct unpacker *u, struct str packed)
{
    struct buf *const plain = &u->plain;

    if (!u->state) u->state = ZSTD_createDCtx();
    if (!u->state) return codec_no_memory;
    for (size_t size = zstd_first_size(packed, plain->bytes_max);; size = plain->size + 1) {
        if (size > plain->bytes_max) return too_large(u);
        if (!buf_reserve(plain, size)) return codec_no_memory;
        const size_t len = ZSTD_decompressDCtx(u->state, plain->data, plain->size, packed.data, packed.len);
        if (!ZSTD_isError(len)) {
            plain->len = len;
            return OK;
        }
        const ZSTD_ErrorCode code = ZSTD_getErrorCode(len);
        if (code == ZSTD_error_memory_allocation) return codec_no_memory;
        if (code != ZSTD_error_dstSize_tooSmall)
            return err_fail(ERR_CORRUPT, "its zstandard data is damaged: %s", ZSTD_getErrorName(len));
    }
}

static void zstandard_done(void *state)
{
    (void)ZSTD_freeDCtx(state);
}

/* ---- the table ---- */

static const struct codec codecs[] = {
    { "null", NULL, NULL },
    { "deflate", unpack_deflate, deflate_done },
    { "bzip2", unpack_bzip2, bzip2_done },
    { "xz", unpack_xz, xz_done },
    { "snappy", unpack_snappy, NULL },
    { "zstandard", unpack_zstandard, zstandard_done },
};

const struct codec *codec_find(struct str name)
{
    if (name.len == 0) return &codecs[0];
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (str_is(name, codecs[i].name)) return &codecs[i];
    }
    return NULL;
}

void unpacker_init(struct unpacker *u, const struct codec *codec, size_t bytes_max)
{
    *u = (struct unpacker){ .codec = codec };
    buf_init(&u->plain, bytes_max);
}

void unpacker_done(struct unpacker *u)
{
    if (u->state && u->codec->done) u->codec->done(u->state);
    u->state = NULL;
    buf_done(&u->plain);
}

struct err unpack(struct unpacker *u, struct str packed, struct str *ret)
{
    if (!u->codec->unpack) {
        *ret = packed;
        return packed.len > u->plain.bytes_max ? too_large(u) : OK;
    }
    buf_clear(&u->plain);
    TRY(u->codec->unpack(u, packed));
    *ret = buf_view(&u->plain);
    return OK;
}
