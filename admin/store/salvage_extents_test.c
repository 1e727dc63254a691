/* salvage_extents_test.c - bodies of which extents are there twice, as a stop leaves them while a sparse volume is emptied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/salvage.h"
#include "admin/store/salvage_state.h"
#include "admin/store/shelf_test.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/volume/record.h"
#include "storage/volume/volume.h"
#include "tests/unit/test.h"

#define COPY 99 /* the volume that has what is there twice */

/* ---- the first extent that a salvage finds of a body of that length ---- */

static struct record find_extent(const char *volumes, uint64_t body_length)
{
    struct salvage_extents e = { 0 };
    struct salvage_result r = { 0 };
    struct record found = { 0 };

    CHECK_OK(salvage_extents_find(&e, volumes, &r));
    for (size_t i = 0; i < e.count; i++)
        if (e.items[i].record.body_length == body_length) found = e.items[i].record;
    salvage_extents_done(&e);
    CHECK(found.data_len > 0);
    return found;
}

static void open_volume(const char *volumes, uint64_t id, int flags, int *fd)
{
    char path[PATH_MAX];

    volume_path(volumes, id, path);
    CHECK_OK(sys_open(path, flags, 0600, fd));
}

/* len bytes of the body from `from` on as an extent at the end of volume COPY. */
static void copy_extent(const char *volumes, const struct record *original, uint32_t from, uint32_t len)
{
    struct record_sums sums = { 0 };
    struct record r = *original;
    char *data = malloc(len);
    uint8_t *trailer = malloc(record_trailer_bytes(len));
    struct stat st;
    int in, out;

    CHECK(data && trailer);
    open_volume(volumes, original->volume, O_RDONLY, &in);
    open_volume(volumes, COPY, O_RDWR | O_CREAT, &out);
    CHECK_OK(sys_pread_all(in, data, len, original->offset + from));
    CHECK_OK(sys_fstat(out, &st));
    r.volume = COPY;
    r.offset = (uint64_t)st.st_size;
    r.body_offset = from;
    r.data_len = len;
    r.is_last = from + len == original->data_len;
    r.body_length = r.is_last ? original->body_length : 0;
    CHECK_OK(record_sums_add(&sums, data, len));
    record_encode(&r, sums.crcs, trailer);
    CHECK_OK(sys_pwrite_all(out, data, len, r.offset));
    CHECK_OK(sys_pwrite_all(out, trailer, record_trailer_bytes(len),
                            r.offset + record_bytes(len) - record_trailer_bytes(len)));
    record_sums_done(&sums);
    free(trailer);
    free(data);
    sys_close(in);
    sys_close(out);
}

static void turn_bit(const char *volumes, uint64_t volume, uint64_t at)
{
    uint8_t byte;
    int fd;

    open_volume(volumes, volume, O_RDWR, &fd);
    CHECK_OK(sys_pread_all(fd, &byte, 1, at));
    byte ^= 8;
    CHECK_OK(sys_pwrite_all(fd, &byte, 1, at));
    sys_close(fd);
}

static uint64_t damaged(const char *dir)
{
    const struct salvage_options o = { .from = dir };
    struct salvage_result r;

    CHECK_OK(store_salvage(&o, &r));
    CHECK_U64(r.objects + r.damaged, SHELF_OBJECTS + 1);
    return r.damaged;
}

#define LENGTH (SHELF_BIG + 100001) /* of one body alone */

static struct record shelf_with_one(struct shelf *f, char volumes[320])
{
    shelf_open(f, "data");
    shelf_put(f, "twice", shelf_body(f, 9, LENGTH));
    shelf_stop(f);
    (void)snprintf(volumes, 320, "%s/volumes", f->dir);
    const struct record r = find_extent(volumes, LENGTH);
    CHECK_U64(r.data_len, LENGTH);
    return r;
}

TEST(a_body_that_lies_in_two_volumes_is_whole_and_either_will_do)
{
    struct shelf f;
    char volumes[320];
    const struct record r = shelf_with_one(&f, volumes);

    CHECK_U64(damaged(f.dir), 0);
    copy_extent(volumes, &r, 0, LENGTH);
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, r.volume, r.offset + 10); /* the first block of one, */
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, COPY, LENGTH - 10); /* the last of the other */
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, COPY, 20); /* and the first of both */
    CHECK_U64(damaged(f.dir), 1);
    turn_bit(volumes, r.volume, r.offset + 10);
    CHECK_U64(damaged(f.dir), 0);
    shelf_close(&f);
}

TEST(a_copy_that_is_cut_into_extents_at_other_places_will_do_too)
{
    struct shelf f;
    char volumes[320];
    const struct record r = shelf_with_one(&f, volumes);

    copy_extent(volumes, &r, 0, 70001);
    CHECK_U64(damaged(f.dir), 0); /* the copying stopped there */
    copy_extent(volumes, &r, 70001, LENGTH - 70001);
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, r.volume, r.offset + 70010);
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, r.volume, r.offset + 10);
    CHECK_U64(damaged(f.dir), 0);
    turn_bit(volumes, COPY, 10);
    CHECK_U64(damaged(f.dir), 1);
    shelf_close(&f);
}

TEST(half_a_copy_alone_is_no_body)
{
    struct shelf f;
    char volumes[320], path[PATH_MAX];
    const struct record r = shelf_with_one(&f, volumes);

    copy_extent(volumes, &r, 70001, LENGTH - 70001);
    for (uint64_t id = 1; id < COPY; id++) {
        volume_path(volumes, id, path);
        CHECK_OK(sys_unlink_if_there(path));
    }
    CHECK(damaged(f.dir) > 1);
    shelf_close(&f);
}
