/* object_row_test.c - the row of an object comes back as it was, or not at all. */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/object/object.h"
#include "tests/unit/test.h"

static const struct pair user[] = { { STR("a"), STR("1") }, { STR("empty"), STR("") } };
static const struct pair tags[] = { { STR("team"), STR("ice") }, { STR("team2"), STR("snow\0flake") } };

/* One of each kind of body, with and without all the rest. */
static struct object_info sample(enum body_kind kind, bool is_rich)
{
    struct object_info info = { .size = 300, .mtime_ms = 1795253400500ll, .body = { .kind = kind } };

    memset(info.uid.bytes, 0x11, sizeof(info.uid.bytes));
    memset(info.etag_md5, 0x22, sizeof(info.etag_md5));
    info.checksum.kind = DIGEST_CRC64NVME;
    info.checksum.value = digest_of(DIGEST_CRC64NVME, "x", 1);
    info.meta.headers[OBJECT_CONTENT_TYPE] = STR("application/octet-stream");
    if (kind == BODY_NONE_AT_ALL) info.size = 0;
    if (kind == BODY_SMALL || kind == BODY_PARTS)
        info.body.place = (struct place){ 12345, 7, 300, 0xdeadbeef };
    if (kind == BODY_BLOB) memset(info.body.uid.bytes, 0x33, sizeof(info.body.uid.bytes));
    if (kind == BODY_PARTS || is_rich) info.part_count = 10000;
    if (!is_rich) return info;

    info.checksum = (struct object_checksum){ DIGEST_SHA256, CHECKSUM_COMPOSITE,
                                              digest_of(DIGEST_SHA256, "x", 1) };
    for (int i = 0; i < OBJECT_HEADER_COUNT; i++)
        info.meta.headers[i] = i % 2 ? STR("") : STR("a header's value");
    info.meta.user = user;
    info.meta.user_count = 2;
    info.meta.tags = tags;
    info.meta.tag_count = 2;
    return info;
}

static void check_pairs(const struct pair *got, size_t got_count, const struct pair *want, size_t want_count)
{
    CHECK_U64(got_count, want_count);
    for (size_t i = 0; i < want_count; i++) {
        CHECK_STR(got[i].name, want[i].name);
        CHECK_STR(got[i].value, want[i].value);
    }
}

static void check_same(const struct object_info *got, const struct object_info *want)
{
    CHECK(memcmp(got->uid.bytes, want->uid.bytes, 16) == 0);
    CHECK(memcmp(got->etag_md5, want->etag_md5, 16) == 0);
    CHECK_U64(got->size, want->size);
    CHECK_U64(got->mtime_ms, want->mtime_ms);
    CHECK_U64(got->part_count, want->part_count);
    CHECK_U64(got->checksum.kind, want->checksum.kind);
    CHECK_U64(got->checksum.type, want->checksum.type);
    CHECK_STR(str_of(got->checksum.value.bytes, got->checksum.value.len),
              str_of(want->checksum.value.bytes, want->checksum.value.len));
    CHECK_U64(got->body.kind, want->body.kind);
    CHECK(memcmp(got->body.uid.bytes, want->body.uid.bytes, 16) == 0);
    CHECK_U64(got->body.place.offset, want->body.place.offset);
    CHECK_U64(got->body.place.segment_id, want->body.place.segment_id);
    CHECK_U64(got->body.place.length, want->body.place.length);
    CHECK_U64(got->body.place.crc32c, want->body.place.crc32c);
    for (int i = 0; i < OBJECT_HEADER_COUNT; i++) {
        CHECK((got->meta.headers[i].data == NULL) == (want->meta.headers[i].data == NULL));
        CHECK_STR(got->meta.headers[i], want->meta.headers[i]);
    }
    check_pairs(got->meta.user, got->meta.user_count, want->meta.user, want->meta.user_count);
    check_pairs(got->meta.tags, got->meta.tag_count, want->meta.tags, want->meta.tag_count);
}

TEST(an_object_row_comes_back_as_it_was)
{
    struct arena *arena = arena_new(MIB);

    for (unsigned i = 0; i < 8; i++) {
        const struct object_info info = sample((enum body_kind)(i / 2), i % 2);
        struct object_info got;
        struct buf row;

        buf_init(&row, LIMIT_ROW_VALUE);
        object_encode(&info, &row);
        CHECK_OK(buf_err(&row));
        CHECK_OK(object_decode(buf_view(&row), arena, &got));
        check_same(&got, &info);
        CHECK_OK(object_info_keep(&got, arena));
        memset(row.data, 0xee, row.len); /* what was kept does not lie there */
        check_same(&got, &info);
        buf_done(&row);
    }
    arena_free(arena);
}

TEST(without_an_arena_the_pairs_are_checked_but_not_given)
{
    const struct object_info info = sample(BODY_BLOB, true);
    struct object_info got;
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(&info, &row);
    CHECK_OK(object_decode(buf_view(&row), NULL, &got));
    CHECK_U64(got.meta.user_count, 0);
    CHECK_U64(got.meta.tag_count, 0);
    CHECK_STR(got.meta.headers[OBJECT_CONTENT_TYPE], STR("a header's value"));
    row.len--;
    CHECK_ERR(object_decode(buf_view(&row), NULL, &got), ERR_CORRUPT);
    buf_done(&row);
}

TEST(metadata_that_does_not_fit_the_arena_is_no_memory)
{
    const struct object_info info = sample(BODY_BLOB, true);
    struct arena *arena = arena_new(32);
    struct object_info got;
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(&info, &row);
    CHECK_ERR(object_decode(buf_view(&row), arena, &got), ERR_NO_MEMORY);
    buf_done(&row);
    arena_free(arena);
}

/* The index holds 10^9 of these: with a key of 40 bytes, LMDB's 8 bytes a node and the row's CRC, pages that
 * random inserts leave two thirds full. */
TEST(a_plain_small_object_takes_250_bytes_of_index)
{
    const struct object_info info = sample(BODY_SMALL, false);
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(&info, &row);
    CHECK_U64(row.len, 96);
    CHECK((8 + 8 + 40 + 4 + row.len) * 3 / 2 < 250);
    buf_done(&row);
}

/* Decode exactly len bytes at the end of an allocation, so that the sanitizer sees a read behind it. If they
 * are a row after all, they are the one form of it. */
static enum err_code decode_strictly(const char *bytes, size_t len)
{
    struct arena *arena = arena_new(MIB);
    char *copy = malloc(len ? len : 1);
    struct object_info got;
    struct buf again;

    memcpy(copy, bytes, len);
    const struct err e = object_decode(str_of(copy, len), arena, &got);
    if (!e.code) {
        buf_init(&again, LIMIT_ROW_VALUE);
        object_encode(&got, &again);
        CHECK_STR(buf_view(&again), str_of(copy, len));
        buf_done(&again);
    }
    free(copy);
    arena_free(arena);
    return e.code;
}

TEST(no_cut_or_changed_row_is_read_wrongly)
{
    for (unsigned i = 0; i < 8; i++) {
        const struct object_info info = sample((enum body_kind)(i / 2), i % 2);
        struct buf row;
        buf_init(&row, LIMIT_ROW_VALUE);
        object_encode(&info, &row);

        size_t good_cuts = 0; /* where a field ends, what is before it is a row */
        for (size_t len = 0; len < row.len; len++) good_cuts += decode_strictly(row.data, len) == ERR_OK;
        CHECK(good_cuts == (i % 2 ? OBJECT_HEADER_COUNT + 4u : 1u));
        for (size_t at = 0; at < row.len; at++) {
            for (int bit = 0; bit < 8; bit++) {
                row.data[at] ^= (char)(1 << bit);
                decode_strictly(row.data, row.len);
                row.data[at] ^= (char)(1 << bit);
            }
        }
        buf_done(&row);
    }
}

TEST(random_bytes_are_no_row)
{
    char bytes[200];

    srandom(1);
    for (int n = 0; n < 20000; n++) {
        const size_t len = (size_t)random() % sizeof(bytes);
        for (size_t i = 0; i < len; i++) bytes[i] = (char)random();
        if (len) bytes[0] = 1; /* past the version */
        decode_strictly(bytes, len);
    }
}
