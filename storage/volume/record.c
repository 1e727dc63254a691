/*
 * record.c - trailers of extents: encode, parse, check; and the checksums on the way in. The format is in record.h.
 *
 * The footer's own CRC proves that it is whole; the fields prove that it is the one that the rows mean (a write
 * that went astray leaves a whole footer in the wrong place); the CRC over the table proves the blocks' CRCs.
 */
#include "storage/volume/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define VERSION 1
#define FLAG_LAST 1u
#define SUMS_FIRST 16 /* a body of 1 MiB; then doubled */

enum footer_offset {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_FLAGS = 12,
    AT_STORE = 16,
    AT_BODY = 32,
    AT_VOLUME = 48,
    AT_OFFSET = 56,
    AT_BODY_OFFSET = 64,
    AT_BODY_LENGTH = 72,
    AT_DATA_LEN = 80,
    AT_BLOCK = 84,
    AT_TABLE_CRC = 120,
    AT_CRC = 124,
};

static const char magic[8] = { 'F', 'I', 'R', 'N', 'E', 'X', 'T', '1' };

static uint64_t round_up(uint64_t n)
{
    return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

uint32_t record_blocks(uint32_t data_len)
{
    return (uint32_t)(((uint64_t)data_len + LIMIT_BLOCK - 1) / LIMIT_BLOCK);
}

uint64_t record_bytes(uint32_t data_len)
{
    return round_up((uint64_t)data_len + 4ull * record_blocks(data_len) + RECORD_FOOTER_BYTES);
}

size_t record_trailer_bytes(uint32_t data_len)
{
    return (size_t)(record_bytes(data_len) - data_len);
}

uint32_t record_room(uint64_t reserved)
{
    if (reserved < RECORD_ALIGN) return 0;
    if (reserved >= record_bytes((uint32_t)RECORD_DATA_MAX)) return (uint32_t)RECORD_DATA_MAX;

    /* Whole blocks cost 4 bytes more each; what is left takes one more CRC. */
    const uint64_t space = reserved - RECORD_FOOTER_BYTES;
    const uint64_t whole = space / (LIMIT_BLOCK + 4), rest = space % (LIMIT_BLOCK + 4);
    return (uint32_t)(whole * LIMIT_BLOCK + (rest > 4 ? rest - 4 : 0));
}

void record_encode(const struct record *r, const uint32_t *crcs, uint8_t *out)
{
    const size_t table = 4 * (size_t)record_blocks(r->data_len), trailer = record_trailer_bytes(r->data_len);
    uint8_t *footer = out + trailer - RECORD_FOOTER_BYTES;

    assert(r->data_len > 0 && r->data_len <= RECORD_DATA_MAX);
    memset(out, 0, trailer);
    for (uint32_t i = 0; i < record_blocks(r->data_len); i++) put_le32(out + 4 * (size_t)i, crcs[i]);

    memcpy(footer + AT_MAGIC, magic, sizeof(magic));
    put_le32(footer + AT_VERSION, VERSION);
    put_le32(footer + AT_FLAGS, r->is_last ? FLAG_LAST : 0);
    memcpy(footer + AT_STORE, r->store.bytes, sizeof(r->store.bytes));
    memcpy(footer + AT_BODY, r->body.bytes, sizeof(r->body.bytes));
    put_le64(footer + AT_VOLUME, r->volume);
    put_le64(footer + AT_OFFSET, r->offset);
    put_le64(footer + AT_BODY_OFFSET, r->body_offset);
    put_le64(footer + AT_BODY_LENGTH, r->is_last ? r->body_length : 0);
    put_le32(footer + AT_DATA_LEN, r->data_len);
    put_le32(footer + AT_BLOCK, (uint32_t)LIMIT_BLOCK);
    put_le32(footer + AT_TABLE_CRC, crc32c(0, out, table));
    put_le32(footer + AT_CRC, crc32c(0, footer, AT_CRC));
}

struct err record_parse(const uint8_t footer[RECORD_FOOTER_BYTES], struct record *ret)
{
    if (memcmp(footer + AT_MAGIC, magic, sizeof(magic)) != 0) return FAIL(ERR_CORRUPT, "no extent ends here");
    if (get_le32(footer + AT_CRC) != crc32c(0, footer, AT_CRC)) {
        return FAIL(ERR_CORRUPT, "the footer of an extent is damaged");
    }
    const uint32_t version = get_le32(footer + AT_VERSION), data_len = get_le32(footer + AT_DATA_LEN);
    if (version != VERSION)
        return err_fail(ERR_CORRUPT, "an extent has version %u, not %d", version, VERSION);
    if (data_len == 0 || data_len > RECORD_DATA_MAX || get_le32(footer + AT_BLOCK) != LIMIT_BLOCK) {
        return FAIL(ERR_CORRUPT, "the footer of an extent has impossible lengths");
    }

    struct record r = {
        .volume = get_le64(footer + AT_VOLUME),
        .offset = get_le64(footer + AT_OFFSET),
        .body_offset = get_le64(footer + AT_BODY_OFFSET),
        .body_length = get_le64(footer + AT_BODY_LENGTH),
        .data_len = data_len,
        .is_last = (get_le32(footer + AT_FLAGS) & FLAG_LAST) != 0,
    };
    memcpy(r.store.bytes, footer + AT_STORE, sizeof(r.store.bytes));
    memcpy(r.body.bytes, footer + AT_BODY, sizeof(r.body.bytes));
    *ret = r;
    return OK;
}

static bool uid_is(const struct uid *a, const struct uid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct err record_decode(const uint8_t *trailer, const struct record *want, uint32_t *crcs)
{
    const uint8_t *footer = trailer + record_trailer_bytes(want->data_len) - RECORD_FOOTER_BYTES;
    const uint32_t blocks = record_blocks(want->data_len);
    struct record is;

    TRY(record_parse(footer, &is));
    if (!uid_is(&is.store, &want->store) || !uid_is(&is.body, &want->body) || is.volume != want->volume
        || is.offset != want->offset || is.body_offset != want->body_offset
        || is.data_len != want->data_len) {
        return FAIL(ERR_CORRUPT, "another extent stands where this one should");
    }
    if (get_le32(footer + AT_TABLE_CRC) != crc32c(0, trailer, 4 * (size_t)blocks)) {
        return FAIL(ERR_CORRUPT, "the checksums of an extent are damaged");
    }
    for (uint32_t i = 0; i < blocks; i++) crcs[i] = get_le32(trailer + 4 * (size_t)i);
    return OK;
}

static struct err sums_reserve(struct record_sums *s, uint32_t count)
{
    if (count <= s->size) return OK;

    uint32_t size = s->size ? s->size : SUMS_FIRST;
    while (size < count) size *= 2;
    uint32_t *crcs = realloc(s->crcs, size * sizeof(*crcs));
    if (!crcs) return FAIL(ERR_NO_MEMORY, "no memory for the checksums of a body");
    s->crcs = crcs;
    s->size = size;
    return OK;
}

struct err record_sums_add(struct record_sums *s, const void *data, size_t len)
{
    const uint8_t *p = data;

    assert(len <= RECORD_DATA_MAX - s->data_len);
    TRY(sums_reserve(s, record_blocks(s->data_len + (uint32_t)len)));
    while (len) {
        const uint32_t block = (uint32_t)(s->data_len / LIMIT_BLOCK),
                       at = (uint32_t)(s->data_len % LIMIT_BLOCK);
        const uint32_t n = len < LIMIT_BLOCK - at ? (uint32_t)len : (uint32_t)LIMIT_BLOCK - at;
        s->crcs[block] = crc32c(at ? s->crcs[block] : 0, p, n);
        s->data_len += n;
        p += n;
        len -= n;
    }
    return OK;
}

void record_sums_reset(struct record_sums *s)
{
    s->data_len = 0;
}

void record_sums_done(struct record_sums *s)
{
    free(s->crcs);
    *s = (struct record_sums){ 0 };
}
