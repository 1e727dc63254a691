/* writer_test.c - bodies on their way in: where they go, what they reserve, what happens when the disk says no. */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/volume/world_test.h"
#include "tests/unit/test.h"

TEST(a_lone_body_lies_in_one_piece_at_a_page_boundary)
{
    struct world w;

    world_init(&w);
    w.blob_options.volume_bytes = 64 * MIB;
    world_open(&w);
    const struct uid small = world_put(&w, 100, 1), large = world_put(&w, 12 << 20, 2),
                     next = world_put(&w, 100, 3);
    const struct extent x = world_extent(&w, large, 0);
    CHECK_U64(x.data_len, 12 << 20);
    CHECK_U64(x.offset, record_bytes(100));
    CHECK_U64(world_extent(&w, small, 0).offset, 0);
    CHECK_U64(world_extent(&w, next, 0).offset,
              x.offset + record_bytes(12 << 20)); /* what it did not need went back */
    world_close(&w);
}

/* More writers than slots, all at once and in turns: each body is whole, in several pieces where they stood in each other's way. */
TEST(writers_that_share_a_volume_do_not_disturb_each_other)
{
    enum { WRITERS = 7, LEN = 900000, PIECE = 37000 };
    struct world w;
    struct blob_writer *writers[WRITERS];
    struct uid body[WRITERS];
    static uint8_t data[PIECE];

    world_init(&w);
    w.blob_options.writers_open_max = 2;
    world_open(&w);
    for (int i = 0; i < WRITERS; i++) CHECK_OK(blob_write_begin(w.b, 0, &writers[i]));
    for (size_t at = 0; at < LEN; at += PIECE) {
        const size_t n = LEN - at < PIECE ? LEN - at : PIECE;
        for (int i = 0; i < WRITERS; i++) {
            pattern_fill(data, n, (uint64_t)i, at);
            CHECK_OK(blob_write(writers[i], data, n));
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        CHECK_OK(blob_write_flush_wait(writers[i]));
        body[i] = blob_writer_uid(writers[i]);
        CHECK_OK(world_publish(&w, writers[i], body[i]));
        blob_write_close(writers[i]);
    }
    world_settle(&w);
    for (int i = 0; i < WRITERS; i++) check_body(&w, body[i], LEN, (uint64_t)i);
    world_reopen(&w);
    for (int i = 0; i < WRITERS; i++) check_body(&w, body[i], LEN, (uint64_t)i);
    for (int i = 0; i < WRITERS; i++) world_delete(&w, body[i]);
    world_settle(&w);
    world_reopen(&w);
    CHECK_U64(world_disk_bytes(&w), 0);
    world_close(&w);
}

TEST(writers_take_slots_of_their_own_while_there_are_some)
{
    struct world w;
    struct blob_writer *a, *b;

    world_init(&w);
    world_open(&w);
    CHECK_OK(blob_write_begin(w.b, 0, &a));
    CHECK_OK(blob_write_begin(w.b, 0, &b));
    CHECK(a->slot != b->slot);
    blob_write_close(a);
    blob_write_close(b);
    world_close(&w);
}

/* A client claims a tebibyte and sends a little: what is taken follows what has come. */
TEST(a_reservation_is_taken_as_bytes_arrive_and_never_by_what_a_client_claims)
{
    struct world w;
    struct blob_writer *writer;
    uint64_t modest, claimed;

    world_init(&w);
    w.blob_options.volume_bytes = GIB;
    world_open(&w);
    CHECK_OK(blob_write_begin(w.b, 1 * TIB, &writer));
    CHECK_U64(world_disk_bytes(&w), 0);
    CHECK_OK(world_write(writer, 1000, 1, 1000));
    claimed = world_disk_bytes(&w);
    CHECK(claimed <= VOLUME_STEP_MIN);
    for (uint64_t len = 1000; len < 8 << 20; len = blob_writer_length(writer)) {
        CHECK(writer->reserved_end - writer->extents[0].offset <= 4 * len + 300 * KIB);
        CHECK_OK(world_write(writer, len, 1, len));
    }
    blob_write_close(writer);
    world_reclaim(&w);

    CHECK_OK(blob_write_begin(w.b, 0, &writer));
    CHECK_OK(world_write(writer, 1000, 1, 1000));
    modest = writer->reserved_end - writer->extents[0].offset;
    blob_write_close(writer);
    CHECK_OK(blob_write_begin(
        w.b, 1000,
        &writer)); /* it may claim less: then less is reserved, and it may send more all the same */
    CHECK_OK(world_write(writer, 1000, 1, 1000));
    CHECK(writer->reserved_end - writer->extents[0].offset < modest);
    CHECK_OK(world_write(writer, 500000, 1, 1000));
    CHECK_OK(blob_write_flush_wait(writer));
    blob_write_close(writer);
    world_close(&w);
}

TEST(a_large_body_goes_on_in_files_of_its_own_which_are_unlinked)
{
    enum { LEN = 9 << 20 };
    struct world w;
    struct blob_reader *r = NULL;

    world_init(&w);
    world_open(&w);
    const struct uid small = world_put(&w, 1000, 1), large = world_put(&w, LEN, 2);
    CHECK(world_extent(&w, large, 0).volume == world_extent(&w, small, 0).volume);
    CHECK_U64(world_extent(&w, large, 0).data_len, 1 << 20);
    CHECK(world_extent(&w, large, 1).volume != world_extent(&w, small, 0).volume);
    CHECK_U64(world_files(&w), 3);
    world_reclaim(&w); /* seals them */
    CHECK_OK(world_reader(&w, large, &r));
    world_delete(&w, large);
    world_settle(&w);
    CHECK_U64(world_files(&w), 3);
    blob_reader_close(r);
    world_settle(&w);
    CHECK_U64(world_files(&w), 1);
    CHECK_U64(world_rows(&w, SPACE_VOLUMES), 1);
    check_body(&w, small, 1000, 1);
    world_close(&w);
}

TEST(below_the_floor_nothing_more_is_taken)
{
    struct world w;
    struct blob_writer *writer;
    struct blob_status status;
    uint64_t free_bytes, total;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 1);
    CHECK_OK(blob_write_begin(w.b, 0, &writer));
    CHECK_OK(sys_free_bytes(w.volume_dir, &free_bytes, &total));
    w.b->place.floor_bytes = free_bytes + GIB;
    struct blob_writer *late;
    CHECK_ERR(blob_write_begin(w.b, 0, &late), ERR_NO_SPACE);
    CHECK_ERR(world_write(writer, 5 << 20, 1, 65536), ERR_NO_SPACE);
    CHECK_ERR(blob_write_flush_wait(writer), ERR_NO_SPACE);
    blob_write_close(writer);
    blob_status(w.b, &status);
    CHECK(!status.is_writable);
    world_delete(&w, body); /* freeing works */
    CHECK(world_settle(&w) >= record_bytes(100000));
    w.b->place.floor_bytes = MIB;
    check_body(&w, world_put(&w, 100000, 2), 100000, 2);
    world_close(&w);
}

/* V3: what was in the page cache may be lost, so everybody in that volume who was not answered yet fails, and the next volume is taken. */
TEST(after_a_failed_flush_the_volume_takes_no_more)
{
    struct world w;
    struct blob_writer *first, *second;

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    const struct uid before = world_put(&w, 100000, 1);
    CHECK_OK(blob_write_begin(w.b, 0, &first));
    CHECK_OK(blob_write_begin(w.b, 0, &second));
    CHECK_OK(world_write(first, 100000, 2, 65536));
    CHECK_OK(world_write(second, 100000, 3, 65536));
    fault_arm(FAULT_SYNC, 0, EIO);
    CHECK_ERR(blob_write_flush_wait(first), ERR_IO);
    CHECK(fault_disarm());
    CHECK_ERR(blob_write_flush_wait(second), ERR_IO); /* though this fdatasync would have said OK */
    CHECK_ERR(world_publish(&w, first, ids_uid()), ERR_INVALID);
    CHECK_ERR(world_publish(&w, second, ids_uid()), ERR_INVALID);
    blob_write_close(first);
    blob_write_close(second);
    const struct uid after = world_put(&w, 100000, 4);
    CHECK(world_extent(&w, after, 0).volume != world_extent(&w, before, 0).volume);
    check_body(&w, before, 100000, 1);
    world_reopen(&w);
    check_body(&w, before, 100000, 1);
    check_body(&w, after, 100000, 4);
    world_close(&w);
}

struct many {
    struct mutex lock; /* guards: done */
    struct cond changed;
    int done;
};

static void count_done(void *arg, struct err e)
{
    struct many *many = arg;

    CHECK_OK(e);
    mutex_lock(&many->lock);
    many->done++;
    cond_signal(&many->changed);
    mutex_unlock(&many->lock);
}

/* However the threads run: never more flushes than requests, and each is answered once. */
TEST(flushes_of_one_volume_are_grouped)
{
    enum { WRITERS = 20 };
    struct world w;
    struct blob_writer *writers[WRITERS];
    struct many many = { .lock = MUTEX_INIT(LOCK_LOG) };

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    cond_init(&many.changed);
    for (int i = 0; i < WRITERS; i++) {
        CHECK_OK(blob_write_begin(w.b, 0, &writers[i]));
        CHECK_OK(world_write(writers[i], 50000, 1, 50000));
    }
    const int64_t before = METRIC_GET(volume_syncs);
    for (int i = 0; i < WRITERS; i++) blob_write_flush(writers[i], count_done, &many);
    mutex_lock(&many.lock);
    while (many.done < WRITERS) cond_wait(&many.changed, &many.lock);
    mutex_unlock(&many.lock);
    CHECK(METRIC_GET(volume_syncs) - before <= WRITERS);
    for (int i = 0; i < WRITERS; i++) blob_write_close(writers[i]);
    world_close(&w);
}
