/* salvage_test.c - what is in journal and volumes comes back under its name, byte for byte, or is said to be lost; and never as something else. */
#include "admin/store/salvage.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "admin/store/salvage_state.h"
#include "admin/store/shelf_test.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/record.h"
#include "tests/unit/test.h"

static void lose(void *arg, struct str bucket, struct str key, const char *why)
{
    char *text = arg;
    const size_t len = strlen(text);
    (void)snprintf(text + len, 4096 - len, "%.*s/%.*s: %s\n", STR_ARG(bucket), STR_ARG(key), why);
}

static struct salvage_result salvage_to(const char *from, const char *to, char lost[4096])
{
    struct salvage_result r;
    const struct salvage_options o = { .from = from, .to = to, .lost = lose, .arg = lost };

    lost[0] = '\0';
    CHECK_OK(store_salvage(&o, &r));
    return r;
}

static const char *names[] = { "empty", "small", "big", "parts" };

static void break_file(const char *dir, const char *name)
{
    char path[700];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK(truncate(path, 0) == 0);
}

TEST(bodies_come_back_under_their_names_without_lmdb)
{
    struct shelf f, again;
    char lost[4096];
    struct str want[4], got;

    shelf_open(&f, "data");
    for (size_t i = 0; i < 4; i++) CHECK_OK(shelf_get(&f, names[i], &want[i]));
    shelf_stop(&f);
    break_file(f.dir, "rows/rows/data.mdb");

    const struct salvage_result dry = salvage_to(f.dir, NULL, lost);
    const struct salvage_result r = salvage_to(f.dir, shelf_path("new"), lost);
    CHECK_STR(str_from_z(lost), STR(""));
    CHECK_U64(r.objects, SHELF_OBJECTS);
    CHECK_U64(r.damaged, 0);
    CHECK(dry.objects == r.objects && dry.bytes == r.bytes && dry.unnamed == r.unnamed);
    shelf_start(&again, shelf_path("new"));
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(shelf_get(&again, names[i], &got));
        CHECK_STR(got, want[i]);
    }
    shelf_close(&again);
    shelf_close(&f);
}

TEST(without_the_journal_names_come_from_pages_and_bodies_of_volumes_are_whole)
{
    struct shelf f, again;
    char lost[4096];
    struct str want, got;

    shelf_open(&f, "data");
    CHECK_OK(shelf_get(&f, "big", &want));
    CHECK_OK(meta_checkpoint(f.store.meta));
    shelf_stop(&f);
    CHECK_OK(sys_rename(shelf_path("data/rows/journal"), shelf_path("away")));
    const struct salvage_result r = salvage_to(f.dir, shelf_path("new"), lost);
    CHECK(strstr(lost, "/small: the journal segment of its body is gone") != NULL);
    CHECK(r.damaged > 0 && r.objects >= 2);
    shelf_start(&again, shelf_path("new"));
    CHECK_OK(shelf_get(&again, "big", &got));
    CHECK_STR(got, want);
    CHECK_ERR(shelf_get(&again, "small", &got), ERR_NO_SUCH_KEY);
    shelf_close(&again);
    shelf_close(&f);
}

TEST(without_rows_at_all_bodies_come_back_under_their_uid)
{
    struct shelf f;
    char lost[4096];

    shelf_open(&f, "data");
    shelf_stop(&f);
    CHECK_OK(sys_rename(shelf_path("data/rows"), shelf_path("away")));
    const struct salvage_result r = salvage_to(f.dir, shelf_path("new"), lost);
    CHECK_STR(str_from_z(lost), STR(""));
    CHECK_U64(r.objects, 0);
    CHECK(r.unnamed >= 3 && r.unnamed_bytes >= 3 * SHELF_BIG);
    shelf_close(&f);
}

TEST(a_directory_with_something_in_it_is_refused)
{
    struct shelf f;
    struct salvage_result r;
    const struct salvage_options o = { .from = shelf_path("data"), .to = shelf_path("data") };

    shelf_open(&f, "data");
    CHECK_ERR(store_salvage(&o, &r), ERR_BUSY);
    shelf_stop(&f);
    CHECK_ERR(store_salvage(&o, &r), ERR_EXISTS);
    const struct salvage_options nothing = { .from = shelf_path("nothing") };
    CHECK_ERR(store_salvage(&nothing, &r), ERR_NOT_FOUND);
    shelf_close(&f);
}

/* Whoever runs the test, a file without the permission to write is not written. */
static void obey_permissions(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[2];

    CHECK(syscall(SYS_capget, &head, sets) == 0);
    sets[0].effective &= ~(1u << CAP_DAC_OVERRIDE);
    CHECK(syscall(SYS_capset, &head, sets) == 0);
}

TEST(a_source_that_cannot_be_written_to_is_read_all_the_same)
{
    struct shelf f;
    char lost[4096];
    int fd;

    shelf_open(&f, "data");
    shelf_stop(&f);
    const char *lock = shelf_path("data/rows/lock");
    CHECK(chmod(lock, 0400) == 0);
    obey_permissions();
    CHECK_ERR(sys_open(lock, O_RDWR, 0, &fd), ERR_IO);
    CHECK_U64(salvage_to(f.dir, NULL, lost).objects, SHELF_OBJECTS);
    CHECK(chmod(lock, 0600) == 0);
    shelf_close(&f);
}

/* Every bit of the volumes' and the journal's bytes: what comes back is what was put, or it is lost. */
TEST(a_turned_bit_costs_an_object_and_never_changes_one)
{
    struct shelf f;
    char path[700], lost[4096];
    uint8_t byte;
    int fd;

    shelf_open(&f, "data");
    shelf_stop(&f);
    (void)snprintf(path, sizeof(path), "%s/volumes/0000000001.vol", f.dir);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    for (uint64_t at = 100; at < 3 * SHELF_BIG; at += 40009) {
        CHECK_OK(sys_pread_all(fd, &byte, 1, at));
        byte ^= 4;
        CHECK_OK(sys_pwrite_all(fd, &byte, 1, at));
        const struct salvage_result r = salvage_to(f.dir, NULL, lost);
        CHECK(r.damaged <= 1
              && r.objects + r.damaged
                  >= SHELF_OBJECTS); /* or it hit a part of an upload, which has no name */
        byte ^= 4;
        CHECK_OK(sys_pwrite_all(fd, &byte, 1, at));
    }
    sys_close(fd);
    CHECK_U64(salvage_to(f.dir, NULL, lost).damaged, 0);
    shelf_close(&f);
}

/* ---- one segment ---- */

TEST(a_batch_that_is_damaged_is_a_gap_and_those_behind_it_are_read)
{
    enum { BYTES = 8192 };
    static uint8_t segment[BYTES];
    const struct segment_header head = { .salt = 42, .bytes = BYTES, .id = 7 };
    struct memtable *t = memtable_new();
    struct salvage_order o;
    struct salvage_result r = { 0 };
    struct memtable_row row;
    struct batch b;
    uint64_t at = JOURNAL_BLOCK;

    CHECK_OK(salvage_order_init(&o, t));
    memset(segment, 0, sizeof(segment));
    segment_header_encode(&head, segment);
    CHECK_OK(batch_init(&b, 1024));
    for (uint64_t n = 1; n <= 3; n++) {
        batch_clear(&b, 7, at, 1024);
        CHECK(batch_record_begin(&b, n));
        CHECK(batch_put(&b, SPACE_OBJECTS, str_of(&n, 1), STR("value")));
        batch_record_end(&b);
        const struct batch_header h = { .salt = 42,
                                        .number = n,
                                        .segment_id = 7,
                                        .records = 1,
                                        .bytes = (uint32_t)(b.len - BATCH_HEADER_BYTES),
                                        .crc32c = batch_crc(42, b.data + BATCH_HEADER_BYTES,
                                                            b.len - BATCH_HEADER_BYTES) };
        batch_header_encode(&h, b.data);
        memcpy(segment + at, b.data, b.len);
        at += batch_span(h.bytes);
    }
    segment[2 * JOURNAL_BLOCK + 70] ^= 1;
    CHECK_OK(salvage_segment(str_of(segment, BYTES), 7, &o, &r));
    CHECK(r.batches == 2 && r.gaps == 1);
    CHECK_OK(salvage_order_settle(&o));
    CHECK(memtable_find(memtable_working(t), SPACE_OBJECTS, STR("\x03"), &row));
    CHECK(!memtable_find(memtable_working(t), SPACE_OBJECTS, STR("\x02"), &row));
    segment[20] ^= 1; /* the header: the first batch tells the salt */
    CHECK_OK(salvage_segment(str_of(segment, BYTES), 7, &o, &r));
    CHECK_U64(r.batches, 4);
    CHECK_OK(salvage_segment(str_of(segment, BYTES), 8, &o, &r)); /* another's */
    CHECK_U64(r.batches, 4);
    batch_done(&b);
    salvage_order_done(&o);
    memtable_free(t);
}
