/* part_sums_test.c - the sums of a whole follow from those of its parts. */
#include "storage/object/part_sums.h"

#include <stdlib.h>

#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static const struct str pieces[] = { STR("first part, "), STR("second"), STR(""),
                                     STR(" and the last of them") };
#define WHOLE "first part, second and the last of them"
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

static void sum(enum digest_kind parts_kind, enum digest_kind kind, enum checksum_type type, uint8_t md5[16],
                struct object_checksum *ret)
{
    CLEANUP(part_sums_done) struct part_sums s;

    CHECK_OK(part_sums_begin(&s, kind, type));
    for (size_t i = 0; i < PIECES; i++) {
        const struct object_checksum c = { .kind = parts_kind,
                                           .value = digest_of(parts_kind, pieces[i].data, pieces[i].len) };
        const struct digest_value part_md5 = digest_of(DIGEST_MD5, pieces[i].data, pieces[i].len);
        part_sums_add(&s, pieces[i].len, part_md5.bytes, &c);
    }
    part_sums_end(&s, md5, ret);
}

TEST(the_etag_is_the_md5_of_the_md5s)
{
    uint8_t md5[16], all[16 * PIECES];
    struct object_checksum got;

    for (size_t i = 0; i < PIECES; i++)
        memcpy(all + 16 * i, digest_of(DIGEST_MD5, pieces[i].data, pieces[i].len).bytes, 16);
    sum(DIGEST_CRC32, DIGEST_CRC32, CHECKSUM_FULL_OBJECT, md5, &got);
    CHECK(memcmp(md5, digest_of(DIGEST_MD5, all, sizeof(all)).bytes, 16) == 0);
}

TEST(a_full_object_crc_is_that_of_all_bytes)
{
    const enum digest_kind kinds[] = { DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME };

    for (size_t i = 0; i < 3; i++) {
        const struct digest_value want = digest_of(kinds[i], WHOLE, sizeof(WHOLE) - 1);
        struct object_checksum got;
        uint8_t md5[16];

        sum(kinds[i], kinds[i], CHECKSUM_FULL_OBJECT, md5, &got);
        CHECK_U64(got.kind, kinds[i]);
        CHECK_U64(got.type, CHECKSUM_FULL_OBJECT);
        CHECK(got.value.len == want.len && memcmp(got.value.bytes, want.bytes, want.len) == 0);
    }
}

TEST(a_composite_checksum_is_that_of_the_checksums)
{
    for (enum digest_kind kind = DIGEST_SHA1; kind <= DIGEST_CRC32C; kind++) {
        uint8_t all[DIGEST_BYTES_MAX * PIECES], md5[16];
        struct object_checksum got;
        size_t len = 0;

        for (size_t i = 0; i < PIECES; i++) {
            const struct digest_value v = digest_of(kind, pieces[i].data, pieces[i].len);
            memcpy(all + len, v.bytes, v.len);
            len += v.len;
        }
        const struct digest_value want = digest_of(kind, all, len);
        sum(kind, kind, CHECKSUM_COMPOSITE, md5, &got);
        CHECK_U64(got.kind, kind);
        CHECK_U64(got.type, CHECKSUM_COMPOSITE);
        CHECK(got.value.len == want.len && memcmp(got.value.bytes, want.bytes, want.len) == 0);
    }
}

TEST(there_is_no_checksum_of_parts_with_other_ones_nor_a_full_object_sha)
{
    struct object_checksum got;
    uint8_t md5[16];

    sum(DIGEST_CRC32C, DIGEST_CRC32, CHECKSUM_FULL_OBJECT, md5, &got);
    CHECK_U64(got.kind, DIGEST_NONE);
    sum(DIGEST_SHA1, DIGEST_SHA256, CHECKSUM_COMPOSITE, md5, &got);
    CHECK_U64(got.kind, DIGEST_NONE);
    sum(DIGEST_SHA256, DIGEST_SHA256, CHECKSUM_FULL_OBJECT, md5, &got);
    CHECK_U64(got.kind, DIGEST_NONE);
}
