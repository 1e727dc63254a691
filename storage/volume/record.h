/*
 * record.h - how a piece of a body lies in a volume file: an extent, which describes itself.
 *
 * An extent is the body's bytes, in one piece and at a multiple of 4 KiB (so that sendfile can send them as they are), and a trailer behind
 * them: a CRC32C for each block of 64 KiB, zeros, and a footer in the last 128 bytes before the next multiple of 4 KiB. Everything stands
 * behind the data because nothing is known in advance: a body's length is known when its last byte has come, and a header
 * in front would be written twice. A salvage finds extents by looking at the last 128 bytes of every 4 KiB.
 *
 *   OFFSET      SIZE      MEANING                        FOOTER: OFFSET SIZE MEANING
 *   0           D         data                                   0      8    "FIRNEXT1"
 *   D           4 * n     CRC32C of each 64 KiB of               8      4    version: 1
 *                         data (the last may be                  12     4    flags: 1 = the last extent of its body
 *                         shorter); n = ceil(D / 64 KiB)         16     16   store id
 *   ...                   zeros                                  32     16   body uid
 *   E - 128     128       footer                                 48     8    volume
 *                                                                56     8    offset of the extent in the volume
 *   E is the length of the extent, a multiple of 4096:           64     8    offset of the data in the body
 *   D + 4 * n + 128, rounded up.                                 72     8    length of the whole body (last extent), else 0
 *                                                                80     4    D, length of data: 1 to 256 MiB
 *   Numbers are little endian.                                   84     4    block size: 65536
 *                                                                88     32   zeros
 *                                                                120    4    CRC32C of the n CRCs
 *                                                                124    4    CRC32C of footer bytes 0 to 123
 *
 * A client cannot forge an extent inside its body: it does not know the store id, and the place must be right.
 * No function here waits, locks or allocates, but for record_sums_add.
 */
#ifndef STORAGE_VOLUME_RECORD_H
#define STORAGE_VOLUME_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"

#define RECORD_ALIGN 4096
#define RECORD_FOOTER_BYTES 128
#define RECORD_DATA_MAX (256 * MIB) /* of one extent, so that its CRCs are 16 KiB at most: what a reader holds in memory */
#define RECORD_TRAILER_MAX (RECORD_DATA_MAX / LIMIT_BLOCK * 4 + RECORD_FOOTER_BYTES + RECORD_ALIGN)

/* What a footer says. A value. */
struct record {
    struct uid store, body;
    uint64_t volume, offset; /* where the extent begins */
    uint64_t body_offset;    /* of its first byte within the body */
    uint64_t body_length;    /* of the whole body; 0 unless is_last */
    uint32_t data_len;
    bool is_last;
};

uint32_t record_blocks(uint32_t data_len);
/* Length of an extent with so much data, and of its trailer. */
uint64_t record_bytes(uint32_t data_len);
size_t record_trailer_bytes(uint32_t data_len);
/* The most data for which record_bytes is at most `reserved` (a multiple of 4096); 0 when none fits. */
uint32_t record_room(uint64_t reserved);

/* Write the trailer of r, record_trailer_bytes(r->data_len) bytes, to out; crcs has record_blocks(r->data_len). */
void record_encode(const struct record *r, const uint32_t *crcs, uint8_t *out);

/* Read a footer, whoever's it is (salvage): ERR_CORRUPT when these 128 bytes are none or are damaged. */
struct err record_parse(const uint8_t footer[RECORD_FOOTER_BYTES], struct record *ret);

/* Check the trailer of an extent against what its rows say of it (all but body_length and is_last), and give its CRCs:
 * record_blocks(want->data_len) of them to crcs. ERR_CORRUPT. */
struct err record_decode(const uint8_t *trailer, const struct record *want, uint32_t *crcs);

/* The checksums of an extent while its data is coming in pieces. Zero to begin with; done frees. */
struct record_sums {
    uint32_t *crcs;
    uint32_t size;     /* allocated */
    uint32_t data_len; /* fed so far */
};
struct err record_sums_add(struct record_sums *s, const void *data, size_t len); /* ERR_NO_MEMORY, and nothing was added */
void record_sums_reset(struct record_sums *s); /* for the next extent; keeps the memory */
void record_sums_done(struct record_sums *s);

#endif
