/* recover_test.c - the start: what belongs to nobody goes, what belongs to somebody stays, and another store's directory is not touched. */
#include <stdlib.h>

#include "storage/base/sysio.h"
#include "storage/volume/world_test.h"
#include "tests/unit/test.h"

static void make_file(const struct world *w, uint64_t id, size_t len)
{
    char path[PATH_MAX];
    uint8_t *data = calloc(1, len + 1);
    int fd;

    volume_path(w->volume_dir, id, path);
    CHECK_OK(sys_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd));
    CHECK_OK(sys_pwrite_all(fd, data, len, 0));
    sys_close(fd);
    free(data);
}

TEST(a_file_without_a_row_is_unlinked_and_its_number_not_used_again)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 1);
    make_file(&w, 77, 100000);
    make_file(&w, 78, 0);
    CHECK_U64(world_files(&w), 3);
    world_reopen(&w);
    CHECK_U64(world_files(&w), 1);
    check_body(&w, body, 100000, 1);
    world_close(&w);
}

TEST(restarts_go_on_in_the_volume_that_was_open)
{
    struct world w;
    struct uid body[10];

    world_init(&w);
    world_open(&w);
    for (int i = 0; i < 10; i++) {
        body[i] = world_put(&w, 100000, (uint64_t)i);
        world_reopen(&w);
    }
    CHECK_U64(world_files(&w), 1);
    for (int i = 0; i < 10; i++) check_body(&w, body[i], 100000, (uint64_t)i);
    world_close(&w);
}

/* Numbers of volumes are never used twice, also when the highest is gone with its row. */
TEST(the_number_of_a_volume_is_never_used_again)
{
    struct world w;
    uint64_t highest = 0;

    world_init(&w);
    world_open(&w);
    for (int i = 0; i < 5; i++) {
        const struct uid body = world_put(&w, 100000, 1);
        const uint64_t volume = world_extent(&w, body, 0).volume;
        CHECK(volume > highest);
        highest = volume;
        world_delete(&w, body);
        world_settle(&w);
        world_reopen(&w); /* nothing is taken in it: it goes */
        world_reopen(&w); /* and is known no more but for its number */
        CHECK_U64(world_files(&w), 0);
        CHECK_U64(world_rows(&w, SPACE_VOLUMES), 0);
    }
    world_close(&w);
}

/* A gap of an open volume at the start: what an unpublished body left, between two that were. */
TEST(gaps_of_open_volumes_are_punched_at_the_start)
{
    enum { LEN = 500000 };
    struct world w;
    struct blob_writer *writer;
    uint8_t byte;
    char path[PATH_MAX];
    int fd;

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    const struct uid before = world_put(&w, 100000, 1);
    CHECK_OK(world_upload(&w, LEN, 2, &writer));
    const struct extent gap = writer->extents[0];
    const struct uid after = world_put(&w, 100000, 3);

    /* As if the process ended here: nobody has the chance to clear up. */
    fault_arm_stop(0);
    blob_write_close(writer);
    world_close(&w);
    CHECK(fault_disarm());

    volume_path(w.volume_dir, gap.volume, path);
    CHECK_OK(sys_open(path, O_RDONLY, 0, &fd));
    CHECK_OK(sys_pread_all(fd, &byte, 1, gap.offset + 65536 + 1));
    const uint64_t dirty = world_disk_bytes(&w);
    world_open(&w);
    for (uint64_t at = 0; at < LEN; at += 4096) {
        CHECK_OK(sys_pread_all(fd, &byte, 1, gap.offset + at + 7));
        CHECK_U64(byte, 0);
    }
    CHECK(world_disk_bytes(&w) + LEN <= dirty);
    check_body(&w, before, 100000, 1);
    check_body(&w, after, 100000, 3);
    sys_close(fd);
    world_close(&w);
}

TEST(the_directory_of_another_store_is_refused_and_not_touched)
{
    struct world w, other;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 1);
    world_close(&w);

    other = w;
    other.meta_options.dir = other.meta_dir = test_dir();
    CHECK_ERR(world_try_open(&other), ERR_INVALID);
    CHECK_U64(world_files(&w), 1);
    world_open(&w);
    check_body(&w, body, 100000, 1);
    world_close(&w);
}

TEST(a_directory_that_somebody_has_open_is_refused)
{
    struct world w;
    struct blobs *second;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 1);
    CHECK_ERR(blob_open(&w.blob_options, &second), ERR_BUSY);
    check_body(&w, body, 100000, 1);
    world_close(&w);
}

TEST(an_empty_directory_in_place_of_the_volumes_is_refused)
{
    struct world w;
    const char *own_dir;

    world_init(&w);
    own_dir = w.volume_dir;
    world_open(&w);
    const struct uid body = world_put(&w, 100000, 1);
    world_close(&w);
    w.blob_options.dir = test_dir(); /* as if it were not mounted */
    CHECK_ERR(world_try_open(&w), ERR_CORRUPT);
    w.blob_options.dir = own_dir;
    world_open(&w);
    check_body(&w, body, 100000, 1);
    world_close(&w);
}

TEST(a_missing_file_does_not_stop_the_start_or_touch_the_rest)
{
    struct world w;
    struct blob_reader *r = NULL;
    uint8_t byte;
    char path[PATH_MAX];

    world_init(&w);
    world_open(&w);
    const struct uid lost = world_put(&w, 100000, 1);
    volume_path(w.volume_dir, world_extent(&w, lost, 0).volume, path);
    world_close(&w);
    CHECK_OK(sys_unlink(path));
    world_open(&w);
    const struct uid next = world_put(&w, 100000, 2);
    CHECK(world_extent(&w, next, 0).volume > world_extent(&w, lost, 0).volume);
    CHECK_OK(world_reader(&w, lost, &r));
    CHECK_ERR(blob_read(r, 0, &byte, 1), ERR_CORRUPT);
    blob_reader_close(r);
    world_delete(&w, lost);
    world_settle(&w);
    world_reopen(&w);
    check_body(&w, next, 100000, 2);
    CHECK_U64(world_rows(&w, SPACE_VOLUMES), 1);
    world_close(&w);
}

TEST(nothing_is_built_upon_a_volume_that_is_too_short)
{
    struct world w;
    char path[PATH_MAX];
    int fd;

    world_init(&w);
    world_open(&w);
    const struct uid cut = world_put(&w, 100000, 1);
    const uint64_t volume = world_extent(&w, cut, 0).volume;
    world_close(&w);
    volume_path(w.volume_dir, volume, path);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_ftruncate(fd, 50000));
    sys_close(fd);
    world_open(&w);
    CHECK(world_extent(&w, world_put(&w, 100000, 2), 0).volume != volume);
    world_close(&w);
}

/* Sealed volumes cost the start one row each; what is taken in them is in that row. */
TEST(what_is_taken_is_known_after_a_restart)
{
    struct world w;
    struct blob_status before, after;
    struct uid body[60];

    world_init(&w);
    w.blob_options.writers_open_max = 1;
    world_open(&w);
    for (int i = 0; i < 60; i++) body[i] = world_put(&w, 200000, (uint64_t)i);
    for (int i = 0; i < 60; i += 3) world_delete(&w, body[i]);
    world_settle(&w);
    blob_status(w.b, &before);
    CHECK_U64(before.bytes_live, 40 * record_bytes(200000));
    CHECK(before.volumes >= 3);
    world_reopen(&w);
    blob_status(w.b, &after);
    CHECK_U64(after.bytes_live, before.bytes_live);
    CHECK_U64(after.volumes, before.volumes);
    for (int i = 0; i < 60; i++) {
        if (i % 3) check_body(&w, body[i], 200000, (uint64_t)i);
    }
    world_close(&w);
}

TEST(too_small_a_volume_is_refused)
{
    struct world w;

    world_init(&w);
    w.blob_options.volume_bytes = MIB;
    CHECK_ERR(world_try_open(&w), ERR_INVALID);
}
