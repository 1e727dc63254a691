/* fuzz_journal_record.c - the entries of a batch lie inside its bytes and within their limits, and headers come back as they were or not at all. */
#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/meta/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

static bool is_inside(struct str s, const uint8_t *data, size_t len)
{
    return s.len == 0 || ((const uint8_t *)s.data >= data && (const uint8_t *)s.data + s.len <= data + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct record_reader r = record_reader_of(str_of(data, len));
    uint8_t bytes[BATCH_HEADER_BYTES];
    struct batch_header header, again;
    struct entry e;
    size_t total = 0;

    while (record_reader_next(&r, &e)) {
        must(e.type >= ENTRY_PUT && e.type <= ENTRY_DROP);
        must(is_inside(e.key, data, len) && is_inside(e.value, data, len));
        must(e.key.len <= LIMIT_ROW_KEY);
        total += e.key.len + e.value.len;
    }
    must(total <= len && (r.is_bad || r.rest.len == 0));
    if (len < BATCH_HEADER_BYTES) return 0;
    /* The input as a header, whose own checksum is made right: whatever numbers it has come back. */
    memcpy(&header, data, sizeof(header));
    batch_header_encode(&header, bytes);
    must(batch_header_decode(bytes, header.salt, header.segment_id, &again) == batch_header_looks_real(bytes, header.segment_id));
    bytes[data[0] % BATCH_HEADER_BYTES] ^= (uint8_t)(1 << data[1] % 8);
    must(!batch_header_decode(bytes, header.salt, header.segment_id, &again));
    return 0;
}
