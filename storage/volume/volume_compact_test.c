/*
 * volume_compact_test.c - sparse volumes are emptied, and nobody who reads, copies or deletes what was in them notices.
 *
 * The field: one slot, volumes of 4 MiB, bodies of 200,000 bytes; all but a few of those in the first volume are deleted, and it is sealed.
 */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/sysio.h"
#include "storage/volume/volume_compact.h"
#include "storage/volume/world_test.h"
#include "tests/unit/test.h"

enum { BODY = 200000, COUNT = 24, STEPS_MAX = 1000 };

struct field {
    struct world w;
    struct uid body[COUNT];
    uint64_t first; /* the volume that is sparse */
    int in_first;   /* bodies that were put into it: the first ones */
    struct volume_compact *compact;
};

static struct volume_compact *compactor(struct world *w)
{
    const struct volume_compact_options o = { .blobs = w->b, .rate = GIB, .round_ms = 0 };
    struct volume_compact *c = NULL;

    CHECK_OK(volume_compact_new(&o, &c));
    return c;
}

/* Of the first volume the bodies 0 to kept - 1 are left. */
static void field_begin(struct field *f, int kept)
{
    *f = (struct field){ 0 };
    world_init(&f->w);
    f->w.blob_options.writers_open_max = 1;
    world_open(&f->w);
    for (int i = 0; i < COUNT; i++) f->body[i] = world_put(&f->w, BODY, (uint64_t)i);
    f->first = world_extent(&f->w, f->body[0], 0).volume;
    while (f->in_first < COUNT && world_extent(&f->w, f->body[f->in_first], 0).volume == f->first)
        f->in_first++;
    CHECK(f->in_first > kept && f->in_first < COUNT);
    world_reclaim(&f->w); /* sealed while it is full: else it would be cut behind what is left */
    for (int i = kept; i < f->in_first; i++) world_delete(&f->w, f->body[i]);
    world_settle(&f->w);
    f->compact = compactor(&f->w);
}

/* Steps until a round is over, or one fails. */
static struct err round_of(struct volume_compact *c)
{
    bool more = true;

    for (int i = 0; more; i++) {
        CHECK(i < STEPS_MAX);
        TRY(volume_compact_step(c, &more));
    }
    return OK;
}

static void field_end(struct field *f)
{
    f->compact = volume_compact_free(f->compact);
    world_close(&f->w);
}

static bool is_in_first(struct field *f, int i)
{
    return world_extent(&f->w, f->body[i], 0).volume == f->first;
}

static void check_last(struct field *f)
{
    for (int i = f->in_first; i < COUNT; i++) check_body(&f->w, f->body[i], BODY, (uint64_t)i);
}

TEST(a_sparse_volume_is_emptied_and_its_file_goes)
{
    struct field f;
    const struct uid copy = ids_uid();

    field_begin(&f, 1);
    const uint64_t files = world_files(&f.w);
    CHECK_OK(world_ref(&f.w, f.body[0], copy));
    CHECK_OK(round_of(f.compact));
    CHECK(!is_in_first(&f, 0));
    CHECK_U64(world_rows(&f.w, SPACE_FREED), 1);
    check_body(&f.w, f.body[0], BODY, 0);
    world_settle(&f.w);
    CHECK_U64(world_files(&f.w), files - 1);
    CHECK_U64(atomic_load(&f.w.b->bytes_taken), (COUNT - f.in_first + 1) * record_bytes(BODY));

    f.compact = volume_compact_free(f.compact);
    world_reopen(&f.w);
    check_body(&f.w, f.body[0], BODY, 0);
    check_last(&f);
    CHECK_U64(atomic_load(&f.w.b->bytes_taken), (COUNT - f.in_first + 1) * record_bytes(BODY));
    CHECK_OK(world_unref(&f.w, f.body[0], f.body[0]));
    check_body(&f.w, f.body[0], BODY, 0); /* the copy's reference came along */
    CHECK_OK(world_unref(&f.w, f.body[0], copy));
    check_gone(&f.w, f.body[0]);
    field_end(&f);
}

TEST(a_volume_that_is_taken_enough_is_left_alone)
{
    struct field f;

    field_begin(&f, 3); /* 600,000 of 4 MiB */
    CHECK_OK(round_of(f.compact));
    for (int i = 0; i < 3; i++) CHECK(is_in_first(&f, i));
    field_end(&f);
}

TEST(a_volume_that_is_still_written_to_is_left_alone)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 3000000, 1), kept = world_put(&w, 100000, 2);
    world_delete(&w, body);
    world_settle(&w);
    const struct extent before = world_extent(&w, kept, 0);
    struct volume_compact *c = compactor(&w);
    CHECK_OK(round_of(c));
    CHECK_U64(world_extent(&w, kept, 0).volume, before.volume);
    CHECK_U64(world_extent(&w, kept, 0).offset, before.offset);
    volume_compact_free(c);
    world_close(&w);
}

/* R1 for the old place: it stays for who found the body there. */
TEST(who_reads_a_body_while_it_is_moved_goes_on_reading)
{
    struct field f;
    struct blob_reader *r = NULL;
    uint8_t data[1000];

    field_begin(&f, 1);
    CHECK_OK(world_reader(&f.w, f.body[0], &r));
    CHECK_OK(round_of(f.compact));
    CHECK(!is_in_first(&f, 0));
    world_settle(&f.w);
    CHECK_U64(world_rows(&f.w, SPACE_FREED), 1);
    CHECK_OK(blob_read(r, 100000, data, sizeof(data))); /* opens the file only now */
    CHECK(pattern_is(data, sizeof(data), 0, 100000));
    blob_reader_close(r);
    world_settle(&f.w);
    CHECK_U64(world_rows(&f.w, SPACE_FREED), 0);
    check_body(&f.w, f.body[0], BODY, 0);
    field_end(&f);
}

/* Deleted, or deleted for the most part, after its bytes were copied: the copy goes, and nothing comes back. */
TEST(a_body_that_is_deleted_while_it_is_copied_stays_deleted)
{
    struct field f;
    bool more;

    field_begin(&f, 1);
    for (int i = 0; i < 2; i++)
        CHECK_OK(volume_compact_step(f.compact, &more)); /* chosen, picked: it has a reader and a writer */
    world_delete(&f.w, f.body[0]);
    CHECK_OK(round_of(f.compact));
    check_gone(&f.w, f.body[0]);
    world_settle(&f.w);
    world_settle(&f.w);
    CHECK_U64(world_rows(&f.w, SPACE_FREED), 0);
    CHECK_U64(atomic_load(&f.w.b->bytes_taken), (COUNT - f.in_first) * record_bytes(BODY));
    f.compact = volume_compact_free(f.compact);
    world_reopen(&f.w);
    check_gone(&f.w, f.body[0]);
    check_last(&f);
    world_close(&f.w);
    CHECK(world_disk_bytes(&f.w) <= (COUNT - f.in_first) * record_bytes(BODY) + world_files(&f.w) * 16 * KIB);
}

/* It is verified on the way: damage is told, not carried on under a new checksum. */
TEST(a_damaged_body_stays_and_the_others_move)
{
    struct field f;
    char path[PATH_MAX];
    int fd = -1;

    field_begin(&f, 2);
    const struct extent x = world_extent(&f.w, f.body[0], 0);
    volume_path(f.w.volume_dir, x.volume, path);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_pwrite_all(fd, "wrong", 5, x.offset + 1000));
    sys_close(fd);
    CHECK_ERR(round_of(f.compact), ERR_CORRUPT);
    CHECK_OK(round_of(f.compact));
    CHECK(is_in_first(&f, 0));
    CHECK(!is_in_first(&f, 1));
    check_body(&f.w, f.body[1], BODY, 1);
    field_end(&f);
}

TEST(without_volumes_there_is_nothing_to_do)
{
    struct world w;
    bool more = true;

    world_init(&w);
    w.blob_options.dir = NULL;
    world_open(&w);
    struct volume_compact *c = compactor(&w);
    CHECK_OK(volume_compact_step(c, &more));
    CHECK(!more);
    volume_compact_free(c);
    world_close(&w);
}

/* ---- whichever call fails, wherever the machine stops ---- */

static void check_kept(struct field *f, int kept)
{
    for (int i = 0; i < kept; i++) check_body(&f->w, f->body[i], BODY, (uint64_t)i);
    check_last(f);
}

/* After a restart all is there, and no space is lost. */
static void check_after_restart(struct field *f, int kept)
{
    world_open(&f->w);
    check_kept(f, kept);
    f->compact = compactor(&f->w);
    CHECK_OK(round_of(f->compact));
    world_reclaim(&f->w);
    world_settle(&f->w);
    for (int i = 0; i < kept; i++) CHECK(!is_in_first(f, i));
    check_kept(f, kept);
    CHECK_U64(world_rows(&f->w, SPACE_FREED), 0);
    CHECK_U64(atomic_load(&f->w.b->bytes_taken), (uint64_t)(COUNT - f->in_first + kept) * record_bytes(BODY));
    field_end(f);
}

static void act(struct field *f)
{
    uint64_t bytes;

    err_ignore(round_of(f->compact));
    err_ignore(meta_checkpoint(f->w.meta));
    err_ignore(blob_reclaim(f->w.b, &bytes));
    f->compact = volume_compact_free(f->compact);
}

static bool fails_at(unsigned kinds, uint64_t n, int errno_value)
{
    struct field f;

    field_begin(&f, 2);
    fault_arm(kinds, n, errno_value);
    act(&f);
    const bool has_struck = fault_disarm();
    check_kept(&f, 2);
    world_close(&f.w);
    check_after_restart(&f, 2);
    return has_struck;
}

#define SWEEP(name_, kinds_, errno_)                                                                         \
    TEST(name_)                                                                                              \
    {                                                                                                        \
        for (uint64_t n = 0; fails_at((kinds_), n, (errno_)); n++) CHECK(n < 200);                           \
    }

SWEEP(a_failing_write_loses_nothing, FAULT_WRITE, EIO)
SWEEP(a_write_cut_short_loses_nothing, FAULT_WRITE | FAULT_SHORT, ENOSPC)
SWEEP(a_failing_flush_loses_nothing, FAULT_SYNC, EIO)
SWEEP(a_failing_allocation_loses_nothing, FAULT_SPACE, ENOSPC)
SWEEP(a_failing_name_loses_nothing, FAULT_NAME | FAULT_OPEN, EIO)
SWEEP(a_failing_read_loses_nothing, FAULT_READ, EIO)

TEST(a_stop_anywhere_loses_nothing)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct field f;
        CHECK(n < 500);
        field_begin(&f, 2);
        fault_arm_stop(n);
        act(&f);
        world_close(&f.w);
        has_struck = fault_disarm();
        check_after_restart(&f, 2);
    }
}
