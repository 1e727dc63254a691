/* object_get_test.c - every kind of body reads the same, and a reader keeps what it reads. */
#include "storage/object/object_get.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/fixture_test.h"
#include "storage/object/garbage.h"
#include "storage/object/multipart.h"
#include "tests/unit/test.h"

static const size_t part_sizes[] = { 70000, 1, 0, 66000, 0, 300000, 0 };
#define PART_COUNT (sizeof(part_sizes) / sizeof(part_sizes[0]))

/* What each test reads: one object of each kind. */
static const struct sample {
    const char *key;
    size_t size;
} samples[] = { { "none", 0 }, { "small", 3000 }, { "large", 300001 }, { "parts", 436001 } };
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static struct str sample_body(struct fixture *f, size_t i)
{
    return fixture_body(f, (uint32_t)i + 50, samples[i].size);
}

static void put_samples(struct fixture *f)
{
    for (size_t i = 0; i < 3; i++) CHECK_OK(fixture_put(f, samples[i].key, sample_body(f, i)));
    CHECK_OK(fixture_put_parts(f, samples[3].key, sample_body(f, 3), part_sizes, PART_COUNT));
}

static struct object_reader *open_reader(struct fixture *f, const char *key)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_reader *o;
    struct object_info info;

    CHECK_OK(view_open(f->store.meta, &view));
    CHECK_OK(object_stat(view, STR("bucket"), str_from_z(key), NULL, &info));
    CHECK_OK(object_reader_open(&f->store, view, &info, &o));
    return o;
}

static void check_read(struct object_reader *o, struct str body, uint64_t offset, size_t len)
{
    char *out = malloc(len ? len : 1);

    CHECK_OK(object_read(o, offset, out, len));
    CHECK(memcmp(out, body.data ? body.data + offset : "", len) == 0);
    memset(out, 0, len);
    const struct err e = object_read_warm(o, offset, out, len);
    if (e.code != ERR_BUSY) {
        CHECK_OK(e);
        CHECK(memcmp(out, body.data ? body.data + offset : "", len) == 0);
    }
    free(out);
}

TEST(any_range_of_any_kind_of_body_is_read)
{
    struct fixture f;

    fixture_open(&f);
    put_samples(&f);
    srandom(5);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const struct str body = sample_body(&f, i);
        struct object_reader *o = open_reader(&f, samples[i].key);

        check_read(o, body, 0, body.len);
        check_read(o, body, body.len, 0);
        for (int n = 0; n < 100; n++) {
            const size_t a = (size_t)random() % (body.len + 1), b = (size_t)random() % (body.len + 1);
            check_read(o, body, a < b ? a : b, a < b ? b - a : a - b);
        }
        char byte;
        CHECK_ERR(object_read(o, body.len, &byte, 1), ERR_INVALID_RANGE);
        CHECK_ERR(object_read(o, UINT64_MAX, &byte, 2), ERR_INVALID_RANGE);
        object_reader_close(o);
    }
    /* The whole once more, now that a part of a small one was never asked for. */
    struct object_reader *o = open_reader(&f, "small");
    check_read(o, sample_body(&f, 1), 0, samples[1].size);
    object_reader_close(o);
    fixture_done(&f);
}

static void check_file(struct object_reader *o, struct str body, uint64_t offset, uint64_t len)
{
    char *out = malloc(len);
    uint64_t file_offset;
    int fd;

    CHECK_OK(object_read_file(o, offset, len, &fd, &file_offset));
    CHECK(pread(fd, out, len, (off_t)file_offset) == (ssize_t)len);
    CHECK(memcmp(out, body.data + offset, len) == 0);
    close(fd);
    free(out);
}

TEST(one_piece_of_one_file_may_be_sent_by_the_kernel)
{
    struct fixture f;
    uint64_t offset;
    int fd;

    fixture_open(&f);
    put_samples(&f);
    struct object_reader *small = open_reader(&f, "small"), *large = open_reader(&f, "large"),
                         *parts = open_reader(&f, "parts");
    const struct str large_body = sample_body(&f, 2), parts_body = sample_body(&f, 3);

    CHECK_ERR(object_read_file(small, 0, 10, &fd, &offset), ERR_UNSUPPORTED);
    check_file(large, large_body, 0, large_body.len);
    check_file(large, large_body, 65537, 100);
    check_file(parts, parts_body, 0, 70000);
    check_file(parts, parts_body, 69999, 1);
    check_file(parts, parts_body, 70001, 66000);
    check_file(parts, parts_body, 436000, 1);
    CHECK_ERR(object_read_file(parts, 69999, 2, &fd, &offset), ERR_UNSUPPORTED);
    CHECK_ERR(object_read_file(large, 0, large_body.len + 1, &fd, &offset), ERR_INVALID_RANGE);
    object_reader_close(small);
    object_reader_close(large);
    object_reader_close(parts);
    fixture_done(&f);
}

TEST(a_part_is_where_its_number_says)
{
    struct fixture f;
    uint64_t offset, len, at = 0;

    fixture_open(&f);
    put_samples(&f);
    struct object_reader *large = open_reader(&f, "large"), *parts = open_reader(&f, "parts");
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        CHECK_OK(object_part_range(parts, 2 * i + 2, &offset, &len)); /* the fixture counts by twos */
        CHECK_U64(offset, at);
        CHECK_U64(len, part_sizes[i]);
        CHECK_ERR(object_part_range(parts, 2 * i + 1, &offset, &len), ERR_INVALID_PART_NUMBER);
        at += part_sizes[i];
    }
    CHECK_OK(object_part_range(large, 1, &offset, &len));
    CHECK(offset == 0 && len == samples[2].size);
    CHECK_ERR(object_part_range(large, 2, &offset, &len), ERR_INVALID_PART_NUMBER);
    CHECK_ERR(object_part_range(large, 0, &offset, &len), ERR_INVALID_PART_NUMBER);
    object_reader_close(large);
    object_reader_close(parts);
    fixture_done(&f);
}

/* What an open reader reads stays, though it was deleted or overwritten, checkpointed, and reclaim was asked
 * for all it can give. */
TEST(a_reader_keeps_what_it_reads)
{
    struct fixture f;
    struct object_reader *readers[SAMPLE_COUNT];
    struct blob_status status;

    fixture_open(&f);
    put_samples(&f);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) readers[i] = open_reader(&f, samples[i].key);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) CHECK_OK(fixture_delete(&f, samples[i].key));
    fixture_settle(&f);
    for (int n = 0; n < 200; n++)
        CHECK_OK(fixture_put(&f, "filler", fixture_body(&f, 1, n % 2 ? 4000 : 20000)));
    fixture_settle(&f);

    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        check_read(readers[i], sample_body(&f, i), 0, samples[i].size);
        readers[i] = object_reader_close(readers[i]);
    }
    CHECK_OK(fixture_delete(&f, "filler"));
    fixture_settle(&f);
    blob_status(f.store.blobs, &status);
    CHECK(status.bytes_live > 0); /* the parts, until multipart_clear takes their map apart */
    fixture_check_references(&f);
    fixture_done(&f);
}

static struct garbage the_garbage(struct fixture *f)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, row;
    struct garbage g;

    CHECK_OK(view_open(f->store.meta, &view));
    rows_scan_begin(&scan, view, SPACE_GARBAGE, STR_NONE, false);
    CHECK(rows_scan_next(&scan, &key, &row));
    CHECK_OK(garbage_decode(key, row, &g));
    rows_scan_done(&scan);
    return g;
}

/* A reader of parts opens bodies long after its view was closed; so the map may be taken apart only behind
 * views and readers. */
TEST(a_part_map_is_not_ripe_while_a_view_or_a_reader_may_need_it)
{
    struct fixture f;
    struct object_info info;
    struct rows *view;
    struct object_reader *o;

    fixture_open(&f);
    put_samples(&f);
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(fixture_delete(&f, "parts"));
    const struct garbage g = the_garbage(&f);
    CHECK_U64(g.kind, GARBAGE_PART_MAP);
    CHECK(!garbage_is_ripe(f.store.meta, &g)); /* the view may still find the object */

    CHECK_OK(object_stat(view, STR("bucket"), STR("parts"), NULL, &info));
    CHECK(!object_is_being_read(info.uid));
    CHECK_OK(object_reader_open(&f.store, view, &info, &o));
    view_close(view);
    CHECK(object_is_being_read(info.uid));
    CHECK(!garbage_is_ripe(f.store.meta, &g)); /* and has */
    check_read(o, sample_body(&f, 3), 0, samples[3].size);
    object_reader_close(o);
    CHECK(!object_is_being_read(info.uid));
    CHECK(garbage_is_ripe(f.store.meta, &g));
    fixture_done(&f);
}

/* Readers go through an object in parts again and again, while it is overwritten, and what was there is taken
 * apart and given back as fast as it goes. Each must see one version, whole. */
struct watcher {
    struct fixture *f;
    const struct str *versions;
    _Atomic bool *is_over;
    struct err outcome;
    char why[200];
    uint64_t reads;
};

/* In pieces that cross parts, so that they are opened one by one. */
static struct err read_version(struct watcher *w, char *out)
{
    struct object_reader *o = open_reader(w->f, "k");
    const size_t size = w->versions[0].len;
    struct err e = OK;

    for (size_t at = 0; at < size && !e.code; at += 1000)
        e = object_read(o, at, out + at, size - at < 1000 ? size - at : 1000);
    object_reader_close(o);
    if (e.code) return e;
    for (int v = 0; v < 2; v++) {
        if (memcmp(out, w->versions[v].data, size) == 0) return OK;
    }
    return FAIL(ERR_INTERNAL, "two versions are mixed up");
}

static void watch(void *arg)
{
    struct watcher *w = arg;
    char *out = malloc(w->versions[0].len);

    while (!atomic_load(w->is_over) && !w->outcome.code) {
        w->outcome = err_keep(read_version(w, out), w->why, sizeof(w->why));
        w->reads++;
    }
    free(out);
}

TEST(readers_of_parts_lose_nothing_to_the_background)
{
    enum { WATCHERS = 3, ROUNDS = 40 };
    static const size_t sizes[] = { 9000, 0, 4500, 7001 };
    struct fixture f;
    struct watcher watchers[WATCHERS];
    pthread_t threads[WATCHERS];
    _Atomic bool is_over = false;
    bool is_more;

    fixture_open(&f);
    const struct str versions[] = { fixture_body(&f, 1, 20501), fixture_body(&f, 2, 20501) };
    CHECK_OK(fixture_put_parts(&f, "k", versions[0], sizes, 4));
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){ .f = &f, .versions = versions, .is_over = &is_over };
        CHECK_OK(thread_start("watcher", watch, &watchers[i], &threads[i]));
    }
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_OK(fixture_put_parts(&f, "k", versions[round % 2], sizes, 4));
        CHECK_OK(multipart_clear(&f.store, &is_more));
        fixture_settle(&f);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < WATCHERS; i++) {
        thread_join(threads[i]);
        CHECK_OK(watchers[i].outcome);
        CHECK(watchers[i].reads > 0);
    }
    do CHECK_OK(multipart_clear(&f.store, &is_more));
    while (is_more);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 0);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 3); /* one of the parts is empty */
    fixture_check_references(&f);
    fixture_done(&f);
}

TEST(a_small_body_that_does_not_match_its_checksum_gives_no_byte)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct fixture f;
    struct object_info info;
    struct object_reader *o;
    char out[3000];

    fixture_open(&f);
    put_samples(&f);
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(object_stat(view, STR("bucket"), STR("small"), NULL, &info));
    info.body.place.crc32c ^= 1;
    CHECK_OK(object_reader_open(&f.store, view, &info, &o));
    CHECK_ERR(object_read(o, 0, out, sizeof(out)), ERR_CORRUPT);
    CHECK_ERR(object_read(o, 10, out, 10), ERR_CORRUPT);
    CHECK_ERR(object_read(o, 10, out, 10), ERR_CORRUPT);
    object_reader_close(o);
    view = view_close(view);
    fixture_done(&f);
}

TEST(all_of_an_object_is_read_up_to_a_limit)
{
    struct fixture f;
    struct str got;

    fixture_open(&f);
    put_samples(&f);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        CHECK_OK(object_read_all(&f.store, STR("bucket"), str_from_z(samples[i].key), samples[i].size,
                                 f.arena, &got));
        CHECK_STR(got, sample_body(&f, i));
    }
    CHECK_ERR(object_read_all(&f.store, STR("bucket"), STR("small"), samples[1].size - 1, f.arena, &got),
              ERR_TOO_LARGE);
    CHECK_ERR(object_read_all(&f.store, STR("bucket"), STR("other"), 1, f.arena, &got), ERR_NO_SUCH_KEY);
    CHECK_ERR(object_read_all(&f.store, STR("other"), STR("small"), 1, f.arena, &got), ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}
