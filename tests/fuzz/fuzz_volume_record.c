/* fuzz_volume_record.c - the trailer of an extent comes back as it was written, is no other extent's, and damaged it is refused. */
#include <stdlib.h>
#include <string.h>

#include "storage/volume/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

/* The input: bytes that are read as a footer; and numbers of a record of up to 64 blocks, with a place to damage. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t trailer[RECORD_TRAILER_MAX];
    uint32_t crcs[64], got[64];
    struct record r, parsed, other;

    if (len < RECORD_FOOTER_BYTES + 8) return 0;
    if (record_parse(data, &parsed).code == ERR_OK) must(parsed.data_len <= RECORD_DATA_MAX && parsed.offset % RECORD_ALIGN == 0);
    memset(&r, 0, sizeof(r));
    memcpy(&r.store, data, 16);
    memcpy(&r.body, data + 16, 16);
    memcpy(&r.volume, data + 32, 4);
    memcpy(&r.data_len, data + 36, 4);
    r.data_len = 1 + r.data_len % (64 * LIMIT_BLOCK);
    r.offset = (uint64_t)data[40] * RECORD_ALIGN;
    for (uint32_t i = 0; i < 64; i++) crcs[i] = data[i] * 2654435761u;
    record_encode(&r, crcs, trailer);
    const size_t bytes = record_trailer_bytes(r.data_len), blocks = record_blocks(r.data_len);
    must(record_decode(trailer, &r, got).code == ERR_OK && memcmp(crcs, got, 4 * blocks) == 0);
    must(record_parse(trailer + bytes - RECORD_FOOTER_BYTES, &parsed).code == ERR_OK);
    must(parsed.data_len == r.data_len && parsed.offset == r.offset && parsed.volume == r.volume);
    other = r;
    other.body.bytes[data[41] % 16] ^= (uint8_t)(1 << data[42] % 8);
    must(record_decode(trailer, &other, got).code == ERR_CORRUPT);
    const size_t at = data[43] & 1 ? data[44] % (4 * blocks) : bytes - RECORD_FOOTER_BYTES + data[44] % RECORD_FOOTER_BYTES;
    trailer[at] ^= (uint8_t)(1 << data[45] % 8);
    must(record_decode(trailer, &r, got).code == ERR_CORRUPT);
    return 0;
}
