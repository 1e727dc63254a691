/* record_test.c - an extent's trailer: it comes back as it was, and no changed byte of it passes. */
#include "storage/volume/record.h"

#include <stdlib.h>

#include "storage/base/digest.h"
#include "tests/unit/test.h"

static struct record sample(uint32_t data_len)
{
    return (struct record){
        .store = ids_uid(),
        .body = ids_uid(),
        .volume = 7,
        .offset = 12 * RECORD_ALIGN,
        .body_offset = 99,
        .body_length = 99 + data_len,
        .data_len = data_len,
        .is_last = true,
    };
}

TEST(room_is_the_most_data_that_fits)
{
    static const uint64_t reserved[] = {
        4096, 8192, 65536, 65536 + 4096, 131072, 131072 + 4096, 1 << 20, 64 * MIB, 255 * MIB, 4096 * 12345ull,
    };

    CHECK_U64(record_room(0), 0);
    for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        const uint32_t room = record_room(reserved[i]);
        CHECK(room > 0);
        CHECK(record_bytes(room) <= reserved[i]);
        CHECK(record_bytes(room + 1) > reserved[i]);
    }
    CHECK_U64(record_room(GIB), RECORD_DATA_MAX);
    CHECK_U64(record_bytes(1), 4096);
    CHECK(record_trailer_bytes((uint32_t)RECORD_DATA_MAX) <= RECORD_TRAILER_MAX);
}

TEST(room_fits_for_every_reservation_up_to_a_mebibyte)
{
    for (uint64_t reserved = RECORD_ALIGN; reserved <= MIB; reserved += RECORD_ALIGN) {
        CHECK(record_bytes(record_room(reserved)) <= reserved);
        CHECK(record_bytes(record_room(reserved) + 1) > reserved);
    }
}

TEST(a_trailer_comes_back_as_it_was)
{
    static const uint32_t lengths[] = { 1, 4095, 4096, 65535, 65536, 65537, 200000, 3 << 20 };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        const struct record r = sample(lengths[i]);
        const uint32_t blocks = record_blocks(lengths[i]);
        uint32_t in[64], out[64];
        for (uint32_t k = 0; k < blocks; k++) in[k] = 0x9e3779b9u * (k + 1);

        uint8_t *trailer = malloc(record_trailer_bytes(lengths[i]));
        record_encode(&r, in, trailer);
        CHECK_OK(record_decode(trailer, &r, out));
        CHECK(memcmp(in, out, 4 * (size_t)blocks) == 0);

        struct record parsed;
        CHECK_OK(record_parse(trailer + record_trailer_bytes(lengths[i]) - RECORD_FOOTER_BYTES, &parsed));
        CHECK(parsed.is_last);
        CHECK_U64(parsed.body_length, r.body_length);
        free(trailer);
    }
}

TEST(no_changed_bit_of_a_trailer_passes_but_in_its_padding)
{
    const struct record r = sample(5 * 65536 + 1);
    const size_t len = record_trailer_bytes(r.data_len), table = 4 * (size_t)record_blocks(r.data_len);
    const uint32_t in[6] = { 1, 2, 3, 4, 5, 6 };
    uint8_t trailer[2 * RECORD_ALIGN];
    uint32_t out[6];

    record_encode(&r, in, trailer);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        const bool is_padding = bit / 8 >= table && bit / 8 < len - RECORD_FOOTER_BYTES;
        trailer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (is_padding) CHECK_OK(record_decode(trailer, &r, out));
        else CHECK_ERR(record_decode(trailer, &r, out), ERR_CORRUPT);
        trailer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* A write that went astray, or rows that mean something else: whole, but not what was asked for. */
TEST(a_whole_trailer_of_another_extent_is_refused)
{
    const struct record r = sample(1000);
    const uint32_t crc = 5;
    uint8_t trailer[RECORD_ALIGN];
    uint32_t out[1];
    record_encode(&r, &crc, trailer);

    for (int field = 0; field < 5; field++) {
        struct record want = r;
        if (field == 0) want.store = ids_uid();
        if (field == 1) want.body = ids_uid();
        if (field == 2) want.volume++;
        if (field == 3) want.offset += RECORD_ALIGN;
        if (field == 4) want.body_offset++;
        CHECK_ERR(record_decode(trailer, &want, out), ERR_CORRUPT);
    }
}

TEST(sums_do_not_depend_on_how_the_data_was_cut)
{
    enum { LEN = 3 * 65536 + 77 };
    uint8_t *data = malloc(LEN);
    for (size_t i = 0; i < LEN; i++) data[i] = (uint8_t)(i * 31 + i / 251);
    static const size_t pieces[] = { 1, 7, 4096, 65535, 65536, 65537, LEN };

    for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
        struct record_sums sums = { 0 };
        for (size_t at = 0; at < LEN; at += pieces[p]) {
            CHECK_OK(record_sums_add(&sums, data + at, at + pieces[p] < LEN ? pieces[p] : LEN - at));
        }
        CHECK_U64(sums.data_len, LEN);
        for (size_t block = 0; block < 4; block++) {
            const size_t n = block < 3 ? 65536 : 77;
            CHECK_U64(sums.crcs[block], crc32c(0, data + block * 65536, n));
        }
        record_sums_done(&sums);
    }
    free(data);
}
