/* fuzz_range.c - a range header never names a byte outside the object, and both parsers agree where both take a text. */
#include <stdlib.h>
#include <string.h>

#include "server/s3/s3_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct s3_range r, both;
    uint64_t size = 0;

    if (len < 8) return 0;
    memcpy(&size, data, 8);
    if (data[0] & 1) size %= 1000; /* half of them small, so that ranges end inside and behind */
    const struct str text = str_of(data + 8, len - 8);
    const enum s3_range_result result = s3_range_parse(text, size, &r);
    if (result == RANGE_GIVEN) must(r.len > 0 && r.offset < size && r.len <= size - r.offset);
    if (!s3_range_parse_both(text, &both)) return 0;
    must(both.len > 0 && result != RANGE_IGNORED);
    if (result == RANGE_GIVEN) must(r.offset == both.offset && r.len <= both.len);
    return 0;
}
