/* garbage_test.c - rows of garbage come back as they were. */
#include "storage/object/garbage.h"

#include "tests/unit/test.h"

TEST(a_garbage_row_comes_back_as_it_was)
{
    const struct garbage rows[] = {
        { .kind = GARBAGE_PART_MAP,
          .uid = ids_uid(),
          .since = 7,
          .map = { 1, 2, 3, 4 },
          .progress = 9999,
          .due_ms = 77 },
        { .kind = GARBAGE_UPLOAD,
          .uid = ids_uid(),
          .since = UINT64_MAX,
          .bucket_id = 5,
          .kept = STR("\x01\x80") },
        { .kind = GARBAGE_BUCKET, .uid = garbage_bucket_uid(258), .since = 1, .bucket_id = 258 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t key[GARBAGE_KEY_BYTES];
        struct garbage got;
        struct buf b;

        buf_init(&b, 4096);
        garbage_encode(&rows[i], &b);
        CHECK_OK(garbage_decode(garbage_key(&rows[i], key), buf_view(&b), &got));
        CHECK_U64(got.kind, rows[i].kind);
        CHECK(memcmp(got.uid.bytes, rows[i].uid.bytes, 16) == 0);
        CHECK_U64(got.since, rows[i].since);
        CHECK_U64(got.bucket_id, rows[i].bucket_id);
        CHECK_U64(got.map.offset, rows[i].map.offset);
        CHECK_U64(got.map.segment_id, rows[i].map.segment_id);
        CHECK_U64(got.map.length, rows[i].map.length);
        CHECK_U64(got.map.crc32c, rows[i].map.crc32c);
        CHECK_U64(got.due_ms, rows[i].due_ms);
        CHECK_U64(got.progress, rows[i].progress);
        CHECK_STR(got.kept, rows[i].kept);
        buf_done(&b);
    }
}

TEST(a_garbage_row_that_is_not_well_formed_is_corrupt)
{
    const struct garbage g = { .kind = GARBAGE_UPLOAD, .uid = ids_uid() };
    uint8_t bytes[GARBAGE_KEY_BYTES];
    const struct str key = garbage_key(&g, bytes);
    struct garbage got;
    struct buf b;

    buf_init(&b, 4096);
    garbage_encode(&g, &b);
    for (size_t len = 0; len < b.len; len++)
        CHECK_ERR(garbage_decode(key, str_of(b.data, len), &got), ERR_CORRUPT);
    CHECK_ERR(garbage_decode(str_of(key.data, key.len - 1), buf_view(&b), &got), ERR_CORRUPT);
    b.data[1] = GARBAGE_BUCKET; /* not what its key says */
    CHECK_ERR(garbage_decode(key, buf_view(&b), &got), ERR_CORRUPT);
    b.data[1] = GARBAGE_UPLOAD;
    b.data[0] = 2;
    CHECK_ERR(garbage_decode(key, buf_view(&b), &got), ERR_CORRUPT);
    buf_extend(&b, GARBAGE_KEPT_MAX + 1);
    b.data[0] = 1;
    CHECK_ERR(garbage_decode(key, buf_view(&b), &got), ERR_CORRUPT);
    buf_done(&b);
}

TEST(no_clock_gives_the_uid_of_a_buckets_garbage)
{
    const struct uid bucket = garbage_bucket_uid(UINT64_MAX), now = ids_uid();
    CHECK(memcmp(bucket.bytes, now.bytes, 8) < 0);
}
