#include "storage/meta/record.h"

#include <stdlib.h>

#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "tests/unit/test.h"

TEST(a_place_survives_its_bytes)
{
    const struct place p = {
        .offset = 0x123456789abcull, .segment_id = 77, .length = 4096, .crc32c = 0xdeadbeef
    };
    struct place back;
    uint8_t bytes[PLACE_BYTES];

    place_encode(&p, bytes);
    place_decode(bytes, &back);
    CHECK(p.offset == back.offset && p.segment_id == back.segment_id && p.length == back.length
          && p.crc32c == back.crc32c);
    CHECK_U64(bytes[0], 0xbc);
}

TEST(headers_survive_their_bytes_and_no_flipped_bit)
{
    const struct segment_header s = {
        .journal_id = "0123456789abcde", .salt = 42, .bytes = 1 << 20, .id = 3
    };
    const struct batch_header b = {
        .salt = 42, .number = 9, .durable = 8, .segment_id = 3, .bytes = 100, .records = 2, .crc32c = 5
    };
    struct segment_header s_back;
    struct batch_header b_back;
    uint8_t bytes[64];

    segment_header_encode(&s, bytes);
    CHECK(segment_header_decode(bytes, &s_back));
    CHECK(s_back.salt == 42 && s_back.id == 3 && s_back.bytes == 1 << 20
          && !memcmp(s.journal_id, s_back.journal_id, 16));
    for (int bit = 0; bit < 512; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!segment_header_decode(bytes, &s_back));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    batch_header_encode(&b, bytes);
    CHECK(batch_header_decode(bytes, 42, 3, &b_back));
    CHECK(b_back.number == 9 && b_back.durable == 8 && b_back.bytes == 100 && b_back.records == 2
          && b_back.crc32c == 5);
    CHECK(!batch_header_decode(bytes, 43, 3, &b_back));
    CHECK(!batch_header_decode(bytes, 42, 4, &b_back));
    CHECK(batch_header_looks_real(bytes, 3));
    for (int bit = 0; bit < 512; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!batch_header_decode(bytes, 42, 3, &b_back) && !batch_header_looks_real(bytes, 3));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static struct batch *sample(size_t size)
{
    static struct batch b;
    struct place p = { .offset = 1, .segment_id = 2, .length = 3, .crc32c = 4 };

    CHECK_OK(batch_init(&b, size));
    batch_clear(&b, 7, JOURNAL_BLOCK, size);
    CHECK(batch_record_begin(&b, 100));
    CHECK(batch_drop(&b, &p));
    CHECK(batch_body(&b, SPACE_OBJECTS, STR("key"), STR("the body"), &p));
    CHECK_U64(p.offset, JOURNAL_BLOCK + (uint64_t)(memmem(b.data, b.len, "the body", 8) - (void *)b.data));
    CHECK_U64(p.crc32c, crc32c(0, "the body", 8));
    CHECK(p.segment_id == 7 && p.length == 8);
    CHECK(batch_put(&b, SPACE_OBJECTS, STR("key"), STR("value")));
    batch_record_end(&b);
    CHECK(batch_record_begin(&b, 101));
    CHECK(batch_del(&b, SPACE_BUCKETS, STR("gone")));
    batch_record_end(&b);
    CHECK(batch_record_begin(&b, 102));
    CHECK(batch_put(&b, SPACE_OBJECTS, STR("undone"), STR("")));
    batch_record_undo(&b);
    return &b;
}

static struct str records_of(const struct batch *b)
{
    return str_of(b->data + BATCH_HEADER_BYTES, b->len - BATCH_HEADER_BYTES);
}

TEST(entries_are_read_as_they_were_written)
{
    struct batch *b = sample(64 * KIB);
    struct record_reader r = record_reader_of(records_of(b));
    struct entry e;

    CHECK(record_reader_next(&r, &e) && e.type == ENTRY_DROP && e.place.segment_id == 2
          && e.place.length == 3);
    CHECK(record_reader_next(&r, &e) && e.type == ENTRY_BODY && e.space == SPACE_OBJECTS);
    CHECK_STR(e.key, STR("key"));
    CHECK_STR(e.value, STR("the body"));
    CHECK(record_reader_next(&r, &e) && e.type == ENTRY_PUT && r.txn_number == 100);
    CHECK_STR(e.key, STR("key"));
    CHECK_STR(e.value, STR("value"));
    CHECK(record_reader_next(&r, &e) && e.type == ENTRY_DEL && e.space == SPACE_BUCKETS
          && r.txn_number == 101);
    CHECK_STR(e.key, STR("gone"));
    CHECK(!record_reader_next(&r, &e) && !r.is_bad && r.records == 2);

    r = record_reader_of(records_of(b));
    CHECK(record_reader_next_body(&r, &e) && e.type == ENTRY_DROP);
    CHECK(record_reader_next_body(&r, &e) && e.type == ENTRY_BODY);
    CHECK(!record_reader_next_body(&r, &e) && !r.is_bad);
    batch_done(b);
}

/* Whatever the bytes are, a reader stays within them: each variant lies in memory of its own size, for the sanitizer. */
TEST(a_reader_stays_within_any_bytes)
{
    struct batch *b = sample(64 * KIB);
    const struct str good = records_of(b);
    struct entry e;

    for (size_t len = 0; len <= good.len; len++) {
        for (size_t i = 0; i <= len; i++) {
            char *bytes = malloc(len ? len : 1);
            memcpy(bytes, good.data, len);
            if (i < len) bytes[i] ^= (char)(1 << (len + i) % 8);
            struct record_reader r = record_reader_of(str_of(bytes, len));
            size_t entries = 0;
            while (record_reader_next(&r, &e)) {
                CHECK(entries++ < len);
                if (e.value.len) CHECK(e.value.data >= bytes && e.value.data + e.value.len <= bytes + len);
            }
            r = record_reader_of(str_of(bytes, len));
            while (record_reader_next_body(&r, &e)) continue;
            free(bytes);
        }
    }
    batch_done(b);
}

TEST(what_does_not_fit_is_not_appended)
{
    struct batch b;
    struct place p;
    char large[600] = { 0 };

    CHECK_OK(batch_init(&b, 1024));
    batch_clear(&b, 1, JOURNAL_BLOCK, 512);
    CHECK(batch_record_begin(&b, 1));
    const size_t len = b.len;
    CHECK(!batch_body(&b, SPACE_OBJECTS, STR("k"), str_of(large, sizeof(large)), &p));
    CHECK(!batch_put(&b, SPACE_OBJECTS, STR("k"), str_of(large, sizeof(large))));
    CHECK_U64(b.len, len);
    batch_done(&b);
}
