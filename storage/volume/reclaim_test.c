/* reclaim_test.c - the thread in the background, seals, many rows, and what a crash between punching and forgetting leaves. */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/sysio.h"
#include "storage/volume/world_test.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

#define PATIENCE_MS 60000

/* Has the thread brought the space that waits or lives down to `bytes`? With a deadline, not a time that it must take. */
static bool comes_down_to(struct world *w, uint64_t bytes)
{
    const uint64_t deadline = clock_mono_ms() + PATIENCE_MS;

    while (world_disk_bytes(w) > bytes) {
        if (clock_mono_ms() > deadline) return false;
        CHECK_OK(meta_checkpoint(w->meta));
    }
    return true;
}

TEST(the_thread_gives_back_what_was_freed_abandoned_or_unpinned)
{
    struct world w;
    struct blob_writer *writer;
    struct blob_reader *r = NULL;

    world_init(&w);
    w.blob_options.is_reclaim_manual = false;
    world_open(&w);
    const struct uid freed = world_put(&w, 4500000, 1), pinned = world_put(&w, 4600000, 2);
    CHECK_OK(world_upload(&w, 4700000, 3, &writer));
    CHECK_OK(world_reader(&w, pinned, &r));
    blob_write_close(writer);
    world_delete(&w, freed);
    world_delete(&w, pinned);
    CHECK(comes_down_to(&w, 4600000 + 4 * VOLUME_STEP_MIN));
    blob_reader_close(r);
    CHECK(comes_down_to(&w, 4 * VOLUME_STEP_MIN));
    world_close(&w);
}

/* More rows than one batch has, over several volumes; every other body stays. */
TEST(many_freed_bodies_are_given_back_in_batches)
{
    enum { COUNT = 700 };
    struct world w;
    static struct uid body[COUNT];
    uint64_t live = 0;

    world_init(&w);
    world_open(&w);
    for (int i = 0; i < COUNT; i++) body[i] = world_put(&w, 20000, (uint64_t)i);
    for (int i = 0; i < COUNT; i++) {
        if (i % 7) world_delete(&w, body[i]);
        else live += record_bytes(20000);
    }
    CHECK_U64(world_settle(&w), COUNT * record_bytes(20000) - live);
    CHECK_U64(world_rows(&w, SPACE_FREED), 0);
    for (int i = 0; i < COUNT; i += 7) check_body(&w, body[i], 20000, (uint64_t)i);
    world_close(&w);
    CHECK(world_disk_bytes(&w) <= live + world_files(&w) * 16 * KIB);
    world_open(&w);
    for (int i = 0; i < COUNT; i += 7) world_delete(&w, body[i]);
    world_settle(&w);
    world_reopen(&w);
    CHECK_U64(world_files(&w), 0);
    world_close(&w);
}

TEST(a_full_volume_is_sealed_and_cut_and_its_last_body_takes_the_file_along)
{
    struct world w;
    struct uid body[30];

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    for (int i = 0; i < 30; i++) body[i] = world_put(&w, 200000, (uint64_t)i);
    world_reclaim(&w);
    const uint64_t first = world_extent(&w, body[0], 0).volume, files = world_files(&w);
    CHECK(world_extent(&w, body[29], 0).volume != first);

    int in_first = 0;
    for (int i = 0; i < 30; i++) in_first += world_extent(&w, body[i], 0).volume == first;
    for (int i = 0; i + 1 < in_first; i++) world_delete(&w, body[i]);
    world_settle(&w);
    CHECK_U64(world_files(&w), files);
    check_body(&w, body[in_first - 1], 200000, (uint64_t)in_first - 1);
    world_delete(&w, body[in_first - 1]);
    world_settle(&w);
    CHECK_U64(world_files(&w), files - 1);
    check_body(&w, body[29], 200000, 29);
    world_close(&w);
}

/* Once it is sealed nobody looks for gaps in it, so they are given back for good first; a failure is made good later. */
TEST(a_volume_is_not_sealed_before_its_gaps_are_given_back_for_good)
{
    struct world w;
    uint64_t bytes;

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    const struct uid first = world_put(&w, 100000, 1);
    for (int i = 0; i < 25; i++) world_put(&w, 200000, 2);
    fault_arm(FAULT_SYNC, 0, EIO);
    CHECK_ERR(blob_reclaim(w.b, &bytes), ERR_IO);
    CHECK(fault_disarm());
    CHECK_U64(atomic_load(&w.b->volumes_sealed), 0);
    world_reclaim(&w);
    CHECK_U64(atomic_load(&w.b->volumes_sealed), 1);
    check_body(&w, first, 100000, 1);
    world_close(&w);
}

/* No body lives in it any more, but one is still read: the file stays for that one. */
TEST(a_file_is_not_unlinked_while_a_freed_body_in_it_is_pinned)
{
    enum { COUNT = 25 };
    struct world w;
    struct uid body[COUNT];
    struct blob_reader *r = NULL;
    uint8_t data[1000];

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    for (int i = 0; i < COUNT; i++) body[i] = world_put(&w, 200000, (uint64_t)i);
    CHECK(world_extent(&w, body[5], 0).volume != world_extent(&w, body[COUNT - 1], 0).volume);
    world_reclaim(&w); /* seals the first volume */
    CHECK_OK(world_reader(&w, body[5], &r));
    for (int i = 0; i < COUNT; i++) world_delete(&w, body[i]);
    world_settle(&w);
    CHECK_OK(blob_read(r, 100000, data, sizeof(data))); /* opens the file only now */
    CHECK(pattern_is(data, sizeof(data), 5, 100000));
    blob_reader_close(r);
    world_settle(&w);
    world_reopen(&w);
    CHECK_U64(world_files(&w), 0);
    world_close(&w);
}

/* No view can be had when the writer is closed, so it goes to reclaim like one that was given up; a transaction tells. */
TEST(a_published_body_whose_writer_could_not_look_stays)
{
    enum { VIEWS_MAX = 5000 };
    static struct rows *views[VIEWS_MAX];
    struct world w;
    struct blob_writer *writer;
    struct err e = OK;
    int count = 0;

    world_init(&w);
    world_open(&w);
    CHECK_OK(world_upload(&w, 300000, 2, &writer));
    const struct uid body = blob_writer_uid(writer);
    CHECK_OK(world_publish(&w, writer, body));
    while (count < VIEWS_MAX && !(e = view_open(w.meta, &views[count])).code) count++;
    CHECK_ERR(e, ERR_BUSY);
    blob_write_close(writer);
    CHECK(w.b->bytes_taken == 0);
    while (count) view_close(views[--count]);
    world_reclaim(&w);
    CHECK(w.b->bytes_taken == record_bytes(300000));
    check_body(&w, body, 300000, 2);
    world_reopen(&w);
    check_body(&w, body, 300000, 2);
    world_close(&w);
}

/* R2: the space is gone, the rows are not. The next pass does it all again, and no body suffers. */
TEST(a_stop_between_punching_and_forgetting_repeats_the_work)
{
    struct world w;
    struct blob_status status;
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        uint64_t bytes;
        CHECK(n < 100);
        world_init(&w);
        w.blob_options.writers_open_max = 1;
        world_open(&w);
        const struct uid own = world_put(&w, 2500000, 1), small = world_put(&w, 100000, 2),
                         kept = world_put(&w, 100000, 3);
        world_reclaim(&w);
        world_delete(&w, own);
        world_delete(&w, small);
        CHECK_OK(meta_checkpoint(w.meta));
        fault_arm_stop(n);
        err_ignore(blob_reclaim(w.b, &bytes));
        world_close(&w);
        has_struck = fault_disarm();

        world_open(&w);
        check_body(&w, kept, 100000, 3);
        world_settle(&w);
        CHECK_U64(world_rows(&w, SPACE_FREED), 0);
        check_body(&w, kept, 100000, 3);
        blob_status(w.b, &status);
        CHECK_U64(status.bytes_live, record_bytes(100000));
        CHECK_U64(status.volumes, 1);
        world_close(&w);
        CHECK(world_disk_bytes(&w) <= 100000 + 16 * KIB);
    }
}

/* R2 again: the space must be given back for good first, so a failed punch, flush, unlink or flush of the directory keeps the rows. */
TEST(rows_of_freed_space_stay_until_it_is_given_back_for_good)
{
    /* A body in a shared volume; and one of which all but the first byte is in a file of its own, to be unlinked. */
    static const struct {
        uint64_t own_file_bytes;
        unsigned kind;
        uint64_t nth;
    } rows[] = {
        { 0, FAULT_SPACE, 0 }, { 0, FAULT_SYNC, 0 }, { 0, FAULT_OPEN, 0 },
        { 1, FAULT_NAME, 0 },  { 1, FAULT_SYNC, 1 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;
        uint64_t bytes;

        world_init(&w);
        w.blob_options.own_file_bytes = rows[i].own_file_bytes;
        world_open(&w);
        const struct uid kept = world_put(&w, 100000, 1), body = world_put(&w, 300000, 2);
        world_reclaim(&w);
        world_delete(&w, body);
        CHECK_OK(meta_checkpoint(w.meta));
        const uint64_t freed = world_rows(&w, SPACE_FREED);
        fault_arm(rows[i].kind | FAULT_HERE, rows[i].nth,
                  EIO); /* not what the store's threads do meanwhile */
        const struct err e = blob_reclaim(w.b, &bytes);
        CHECK(fault_disarm());
        CHECK_ERR(e, ERR_IO);
        CHECK_U64(world_rows(&w, SPACE_FREED), freed);
        CHECK(world_reclaim(&w) > 0);
        CHECK_U64(world_rows(&w, SPACE_FREED), 0);
        check_body(&w, kept, 100000, 1);
        world_close(&w);
    }
}

/* Nobody knows whether it was published: the space is kept, and the next start finds the rows or not. */
TEST(space_of_a_body_whose_publishing_is_unknown_is_kept)
{
    struct world w;
    struct blob_writer *writer;
    uint64_t bytes;

    if (test_store()) return; /* a fault of the disk here does not reach the rows */
    world_init(&w);
    world_open(&w);
    const struct uid kept = world_put(&w, 100000, 1);
    CHECK_OK(world_upload(&w, 300000, 2, &writer));
    const struct extent x = writer->extents[0];
    const struct uid body = blob_writer_uid(writer);
    fault_arm(FAULT_SYNC, 0, EIO);
    const struct err e = world_publish(&w, writer, body);
    CHECK(fault_disarm());
    CHECK_ERR(e, ERR_OUTCOME_UNKNOWN);
    blob_write_close(writer);
    CHECK(blob_reclaim(w.b, &bytes).code != ERR_OK); /* it could not find out */
    world_close(&w);

    world_open(&w);
    struct blob_reader *r = NULL;
    const struct err found = world_reader(&w, body, &r);
    CHECK(!found.code || found.code == ERR_NOT_FOUND);
    blob_reader_close(r);
    if (!found.code) check_body(&w, body, 300000, 2);
    else CHECK(world_disk_bytes(&w) < 300000 + x.offset);
    check_body(&w, kept, 100000, 1);
    world_close(&w);
}
