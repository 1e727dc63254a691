/* reader_test.c - reading: any range, from memory or disk or through sendfile; and no wrong byte, whatever was damaged. */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/sysio.h"
#include "storage/volume/world_test.h"
#include "tests/unit/test.h"

TEST(every_range_reads_the_same_in_every_way)
{
    enum { LEN = 3 * 65536 + 1000 };
    static const struct {
        size_t offset, len;
    } ranges[] = {
        { 0, 0 },           { 0, 1 },       { 0, 65536 },     { 0, LEN },
        { 1, 65535 },       { 65535, 2 },   { 65536, 65536 }, { 65536, 65537 },
        { 100, 3 * 65536 }, { LEN - 1, 1 }, { LEN, 0 },       { 2 * 65536, LEN - 2 * 65536 },
        { 30000, 100000 },
    };
    struct world w;
    struct blob_reader *r = NULL;
    static uint8_t data[LEN];

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, LEN, 7);
    CHECK_OK(world_reader(&w, body, &r));
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        const size_t offset = ranges[i].offset, len = ranges[i].len;
        int fd = -1;
        uint64_t at;

        CHECK_OK(blob_read(r, offset, data, len));
        CHECK(pattern_is(data, len, 7, offset));
        memset(data, 0, sizeof(data));
        CHECK_OK(blob_read_warm(r, offset, data, len));
        CHECK(pattern_is(data, len, 7, offset));
        if (!len) continue;
        CHECK_OK(blob_read_file(r, offset, len, &fd, &at));
        CHECK_OK(sys_pread_all(fd, data, len, at));
        CHECK(pattern_is(data, len, 7, offset));
        sys_close(fd);
    }
    CHECK_ERR(blob_read(r, LEN, data, 1), ERR_INVALID);
    CHECK_ERR(blob_read(r, 5, data, LEN), ERR_INVALID);
    CHECK_ERR(blob_read(r, UINT64_MAX, data, 2), ERR_INVALID);
    blob_reader_close(r);
    world_close(&w);
}

TEST(a_body_in_several_files_reads_as_one)
{
    enum { LEN = 9 << 20 };
    struct world w;
    struct blob_reader *r = NULL;
    uint8_t *data = malloc(LEN);
    uint64_t seam = 0, at;
    int fd;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, LEN, 8);
    seam = world_extent(&w, body, 0).data_len;
    CHECK(seam < LEN);
    CHECK_OK(world_reader(&w, body, &r));
    CHECK_OK(blob_read(r, seam - 100000, data, 200000));
    CHECK(pattern_is(data, 200000, 8, seam - 100000));
    CHECK_ERR(blob_read_file(r, seam - 1, 2, &fd, &at), ERR_UNSUPPORTED);
    CHECK_OK(blob_read_file(r, seam, 1000, &fd, &at));
    sys_close(fd);
    CHECK_OK(blob_read(r, 0, data, LEN));
    CHECK(pattern_is(data, LEN, 8, 0));
    blob_reader_close(r);
    world_close(&w);
    free(data);
}

/* The descriptor belongs to the response, and what it shows stays as long as the reader is open. */
TEST(a_descriptor_outlives_the_reader)
{
    struct world w;
    struct blob_reader *r = NULL;
    uint8_t data[5000];
    uint64_t at;
    int fd;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 7);
    CHECK_OK(world_reader(&w, body, &r));
    CHECK_OK(blob_read_file(r, 70000, sizeof(data), &fd, &at));
    blob_reader_close(r);
    CHECK_OK(sys_pread_all(fd, data, sizeof(data), at));
    CHECK(pattern_is(data, sizeof(data), 7, 70000));
    sys_close(fd);
    world_close(&w);
}

/* ---- damage ---- */

static int open_volume(const struct world *w, const struct extent *x)
{
    char path[PATH_MAX];
    int fd;

    volume_path(w->volume_dir, x->volume, path);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    return fd;
}

static void flip(int fd, uint64_t offset, uint8_t mask)
{
    uint8_t byte;

    CHECK_OK(sys_pread_all(fd, &byte, 1, offset));
    byte ^= mask;
    CHECK_OK(sys_pwrite_all(fd, &byte, 1, offset));
}

/* Read all of it, in each way: true if it was refused; a wrong byte fails the test, and so does a byte given with a refusal. */
static bool is_refused(struct world *w, struct uid body, size_t len, uint64_t seed)
{
    struct blob_reader *r = NULL;
    uint8_t *data = malloc(len);
    uint64_t at;
    int fd = -1;

    CHECK_OK(world_reader(w, body, &r));
    const struct err cold = blob_read(r, 0, data, len);
    if (!cold.code) CHECK(pattern_is(data, len, seed, 0));
    else
        for (size_t i = 0; i < len; i++) CHECK(data[i] == 0);
    const struct err warm = blob_read_warm(r, 0, data, len);
    const struct err file = blob_read_file(r, 0, len, &fd, &at);
    CHECK(cold.code == warm.code && cold.code == file.code);
    CHECK(!cold.code || cold.code == ERR_CORRUPT);
    if (!file.code) sys_close(fd);
    blob_reader_close(r);
    free(data);
    return cold.code != ERR_OK;
}

TEST(no_wrong_byte_is_returned_whichever_byte_was_flipped)
{
    enum { LEN = 2 * 65536 + 777 };
    struct world w;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, LEN, 5);
    const struct extent x = world_extent(&w, body, 0);
    const uint64_t table_end = x.offset + LEN + 3 * 4, end = x.offset + record_bytes(LEN),
                   footer = end - RECORD_FOOTER_BYTES;
    const int fd = open_volume(&w, &x);

    /* The data at some places, every byte of the checksums and of the footer; the zeros between them mean nothing. */
    for (uint64_t at = x.offset; at < end; at += at < x.offset + LEN - 1 ? 9973 : 1) {
        if (at >= x.offset + LEN - 1 && at < x.offset + LEN) at = x.offset + LEN - 1;
        const bool is_padding = at >= table_end && at < footer;
        if (is_padding && at % 64) continue;
        flip(fd, at, 0x10);
        CHECK(is_refused(&w, body, LEN, 5) == !is_padding);
        flip(fd, at, 0x10);
    }
    CHECK(!is_refused(&w, body, LEN, 5));
    sys_close(fd);
    world_close(&w);
}

TEST(an_undamaged_range_of_a_damaged_body_reads)
{
    enum { LEN = 4 * 65536 };
    struct world w;
    struct blob_reader *r = NULL;
    static uint8_t data[LEN];
    uint64_t at;
    int range_fd;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, LEN, 5);
    const struct extent x = world_extent(&w, body, 0);
    const int fd = open_volume(&w, &x);
    flip(fd, x.offset + 2 * 65536 + 5, 1);
    CHECK_OK(world_reader(&w, body, &r));
    CHECK_OK(blob_read(r, 0, data, 2 * 65536));
    CHECK_OK(blob_read(r, 3 * 65536 + 1, data, 1000));
    CHECK_ERR(blob_read(r, 2 * 65536 - 1, data, 2), ERR_CORRUPT);
    CHECK_ERR(blob_read(r, 3 * 65536 - 1, data, 1),
              ERR_CORRUPT); /* the flipped byte is not wanted, but it is its block's */
    CHECK_OK(blob_read_file(r, 0, 2 * 65536, &range_fd, &at));
    sys_close(range_fd);
    CHECK_ERR(blob_read_file(r, 0, 2 * 65536 + 1, &range_fd, &at), ERR_CORRUPT);
    blob_reader_close(r);
    sys_close(fd);
    world_close(&w);
}

/* A write that went astray: another body's extent, whole, stands where this one should. */
TEST(another_extent_in_its_place_is_refused)
{
    enum { LEN = 100000 };
    struct world w;
    static uint8_t data[LEN + 2 * RECORD_ALIGN];

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    const struct uid first = world_put(&w, LEN, 5), second = world_put(&w, LEN, 6);
    const struct extent x = world_extent(&w, first, 0), y = world_extent(&w, second, 0);
    const int fd = open_volume(&w, &x);
    CHECK_OK(sys_pread_all(fd, data, record_bytes(LEN), y.offset));
    CHECK_OK(sys_pwrite_all(fd, data, record_bytes(LEN), x.offset));
    CHECK(is_refused(&w, first, LEN, 5));
    CHECK(!is_refused(&w, second, LEN, 6));
    sys_close(fd);
    world_close(&w);
}

TEST(a_missing_or_short_file_is_damage_and_not_a_missing_body)
{
    struct world w;
    char path[PATH_MAX];

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 200000, 5);
    const struct extent x = world_extent(&w, body, 0);
    const int fd = open_volume(&w, &x);
    CHECK_OK(sys_ftruncate(fd, 100000));
    CHECK(is_refused(&w, body, 200000, 5));
    sys_close(fd);
    volume_path(w.volume_dir, x.volume, path);
    CHECK_OK(sys_unlink(path));
    CHECK(is_refused(&w, body, 200000, 5));
    world_close(&w);
}

/* Nothing of a body in memory but its pin, its extents and the checksums of one of them. */
TEST(reading_goes_on_after_a_failed_read)
{
    struct world w;
    struct blob_reader *r = NULL;
    static uint8_t data[200000];
    bool has_struck = true;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, sizeof(data), 5);
    for (uint64_t n = 0; has_struck; n++) {
        CHECK_OK(world_reader(&w, body, &r));
        fault_arm(FAULT_READ | FAULT_OPEN, n, EIO);
        const struct err e = blob_read(r, 1000, data, 150000);
        has_struck = fault_disarm();
        CHECK(e.code == (has_struck ? ERR_IO : ERR_OK));
        CHECK_OK(blob_read(r, 1000, data, 150000));
        CHECK(pattern_is(data, 150000, 5, 1000));
        blob_reader_close(r);
    }
    world_close(&w);
}
