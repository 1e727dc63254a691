/* salvage_read_test.c - what a disk does not give any more costs what lay there, and no more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/store/salvage_state.h"
#include "admin/store/shelf_test.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "tests/unit/test.h"

static void lose(void *arg, struct str bucket, struct str key, const char *why)
{
    char *text = arg;
    const size_t len = strlen(text);
    (void)snprintf(text + len, 4096 - len, "%.*s/%.*s: %s\n", STR_ARG(bucket), STR_ARG(key), why);
}

static struct salvage_result salvage_dry(const char *from, char lost[4096])
{
    struct salvage_result r;
    const struct salvage_options o = { .from = from, .lost = lose, .arg = lost };

    lost[0] = '\0';
    CHECK_OK(store_salvage(&o, &r));
    return r;
}

#define LENGTH 1000003 /* of one body alone, which reaches where no segment has bytes that were written */

static uint64_t middle_of_body(const char *volumes)
{
    struct salvage_extents e = { 0 };
    struct salvage_result r = { 0 };
    uint64_t at = 0;

    CHECK_OK(salvage_extents_find(&e, volumes, &r));
    for (size_t i = 0; i < e.count; i++)
        if (e.items[i].record.body_length == LENGTH)
            at = e.items[i].record.offset + e.items[i].record.data_len / 2;
    salvage_extents_done(&e);
    return at;
}

TEST(one_sector_of_a_volume_costs_one_object)
{
    struct shelf f;
    char lost[4096];

    shelf_open(&f, "data");
    shelf_put(&f, "one", shelf_body(&f, 5, LENGTH));
    shelf_stop(&f);
    const uint64_t at = middle_of_body(shelf_path("data/volumes"));
    CHECK(at > 256 * KIB);
    fault_arm_unreadable(at, 1);
    const struct salvage_result r = salvage_dry(f.dir, lost);
    CHECK(fault_disarm());
    CHECK(strstr(lost, "shelf/one: ") == lost);
    CHECK(r.damaged == 1 && r.unreadable == 1);
    CHECK_U64(r.objects, SHELF_OBJECTS);
    shelf_close(&f);
}

/* 4 KiB are 8 batches at most, each of which has one name. (The first 4 KiB of a segment are more: they have its salt.) */
TEST(one_sector_of_a_segment_costs_the_batches_in_it)
{
    struct shelf f;
    char lost[4096], key[20];
    uint64_t names = 0;

    shelf_open(&f, "data");
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof(key), "small-%u", i);
        shelf_put(&f, key, shelf_body(&f, i, 3000));
    }
    shelf_stop(&f);
    CHECK_OK(sys_rename(shelf_path("data/volumes"), shelf_path("away")));
    CHECK_OK(sys_rename(shelf_path("data/rows/rows"), shelf_path("rows-away")));
    const struct salvage_result all = salvage_dry(f.dir, lost);
    CHECK(all.gaps == 0 && all.unreadable == 0);
    for (uint64_t at = 4096; at < 100000; at += 4096) {
        fault_arm_unreadable(at, 1);
        const struct salvage_result r = salvage_dry(f.dir, lost);
        CHECK(fault_disarm());
        CHECK(r.unreadable >= 1 && r.gaps <= 1);
        CHECK(r.names + 8 >= all.names && r.objects + 8 >= all.objects);
        names += all.names - r.names;
    }
    CHECK(names >= 20);
    shelf_close(&f);
}

/* Wherever it is, in whichever files: what is left comes back, and nothing else. */
TEST(an_unreadable_sector_never_ends_a_salvage)
{
    struct shelf f;
    char lost[4096];

    shelf_open(&f, "data");
    CHECK_OK(meta_checkpoint(f.store.meta));
    shelf_stop(&f);
    for (uint64_t at = 0; at < 600000; at += 4096) {
        fault_arm_unreadable(at, 1);
        (void)salvage_dry(f.dir, lost);
        (void)fault_disarm();
    }
    CHECK_U64(salvage_dry(f.dir, lost).damaged, 0);
    shelf_close(&f);
}

TEST(a_disk_that_gives_nothing_gives_nothing_back)
{
    struct shelf f;
    char lost[4096];

    shelf_open(&f, "data");
    shelf_stop(&f);
    fault_arm(FAULT_READ | FAULT_STICKY, 0, EIO);
    const struct salvage_result r = salvage_dry(f.dir, lost);
    CHECK(fault_disarm());
    CHECK(r.objects == 0 && r.gaps > 0 && r.unreadable > 0);
    shelf_close(&f);
}

/* A link to itself: what opening it gives is not that it is not there. */
static void make_unopenable(const char *path)
{
    CHECK_OK(sys_unlink(path));
    CHECK(symlink(path, path) == 0);
}

TEST(a_file_that_cannot_be_opened_costs_what_is_in_it)
{
    struct shelf f;
    char lost[4096];

    shelf_open(&f, "data");
    CHECK_OK(meta_checkpoint(f.store.meta));
    shelf_stop(&f);
    const struct salvage_result all = salvage_dry(f.dir, lost);
    make_unopenable(shelf_path("data/rows/journal/00000001.seg"));
    struct salvage_result r = salvage_dry(f.dir, lost);
    CHECK(r.unreadable == 1 && r.gaps == 1 && r.names > 0 && r.objects < all.objects);
    make_unopenable(shelf_path("data/volumes/0000000001.vol"));
    r = salvage_dry(f.dir, lost);
    CHECK(r.unreadable == 2 && r.volumes == all.volumes && r.extents < all.extents);
    make_unopenable(shelf_path("data/rows/rows/data.mdb"));
    r = salvage_dry(f.dir, lost);
    CHECK(r.unreadable == 3);
    shelf_close(&f);
}
