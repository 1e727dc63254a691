/* fuzz_avro_ocf.c - a container file reads the same from memory and through a reader, its blocks lie within the limits, and one that ends well was read whole. */
#include <stdlib.h>
#include <string.h>

#include "catalog/avro/ocf.h"
#include "storage/base/digest.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct err read_range(void *arg, uint64_t offset, void *out, size_t len)
{
    memcpy(out, (const char *)arg + offset, len);
    return OK;
}

static struct err sum_blocks(struct input in, uint32_t *ret)
{
    struct ocf_block block;
    struct ocf *o;
    bool is_end = false;

    TRY(ocf_open(in, &o));
    struct err e = ocf_next(o, &block, &is_end);
    for (; !e.code && !is_end; e = ocf_next(o, &block, &is_end)) {
        if (block.count < 0 || block.bytes.len > LIMIT_AVRO_BLOCK) abort();
        *ret = crc32c(*ret + (uint32_t)block.count, block.bytes.data, block.bytes.len);
    }
    (void)ocf_close(o);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint32_t a = 0, b = 0;
    const struct err x = sum_blocks(input_of_bytes(str_of(data, len)), &a);
    if (sum_blocks(input_of_reader(read_range, (void *)data, len), &b).code != x.code || a != b) abort();
    return 0;
}
