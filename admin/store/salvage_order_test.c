/*
 * salvage_order_test.c - which of several rows of a name counts, when the journal has lost segments in its middle and LMDB some of its pages.
 *
 * A store lives twice: what the first life wrote stays in the journal, because small bodies live in it; the segments of the second one are gone, as those are that a checkpoint has carried and in which nothing lives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/salvage_state.h"
#include "admin/store/shelf_test.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/record.h"
#include "storage/meta/segment.h"
#include "storage/object/bucket.h"
#include "tests/unit/test.h"

/* ---- segments ---- */

struct span {
    const char *dir;
    uint32_t from, last; /* ids of the segments to be removed; the last one there is */
};

static struct err each_segment(void *arg, const char *name)
{
    struct span *span = arg;
    char path[700];
    uint32_t id;

    if (!segment_id_from(name, &id)) return OK;
    if (id > span->last) span->last = id;
    if (!span->from || id < span->from) return OK;
    (void)snprintf(path, sizeof(path), "%s/%s", span->dir, name);
    return sys_unlink(path);
}

static uint32_t segments_last(const char *store, uint32_t remove_from)
{
    char dir[600];
    struct span span = { .dir = dir, .from = remove_from };

    (void)snprintf(dir, sizeof(dir), "%s/rows/journal", store);
    CHECK_OK(sys_list_dir(dir, each_segment, &span));
    return span.last;
}

static void restart(struct shelf *f)
{
    clock_set_offset_ms(1000);
    shelf_close(f);
    shelf_start(f, shelf_path("data"));
}

/* ---- LMDB's file ---- */

static char *lmdb_file(const struct shelf *f, size_t *ret_len, char path[700])
{
    char *bytes;

    (void)snprintf(path, 700, "%s/rows/rows/data.mdb", f->dir);
    CHECK_OK(sys_read_file(path, 64 * MIB, &bytes, ret_len));
    return bytes;
}

/* Every position of the journal that is in it, of whatever time. */
static void lose_positions(const struct shelf *f)
{
    static const char name[] = "\0journal";
    char path[700];
    size_t len;
    unsigned found = 0;
    char *bytes = lmdb_file(f, &len, path), *end = bytes + len, *at = bytes;

    while ((at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1))) {
        at += sizeof(name) - 1;
        at[0] ^= 1; /* its checksum */
        found++;
    }
    CHECK(found > 0);
    CHECK_OK(sys_write_file(path, str_of(bytes, len), 0600));
    free(bytes);
}

static void make_copy_of_lmdb(const struct shelf *f)
{
    char from[700], to[700];

    (void)snprintf(from, sizeof(from), "%s/rows/rows/data.mdb", f->dir);
    (void)snprintf(to, sizeof(to), "%s/rows/rows.copy", f->dir);
    CHECK_OK(sys_rename(from, to));
}

/* ---- two lives ---- */

/* In the first life an old body, a deletion, and what holds their segment; in the second the newer ones, carried to LMDB, their segment gone. The store is stopped. */
static void two_lives(struct shelf *f)
{
    shelf_open(f, "data");
    shelf_put(f, "neighbour", shelf_body(f, 10, 500));
    shelf_put(f, "overwritten", shelf_body(f, 11, 600));
    shelf_put(f, "again", shelf_body(f, 12, 600));
    shelf_delete(f, "again");
    restart(f);
    shelf_put(f, "overwritten", shelf_body(f, 13, SHELF_BIG));
    shelf_put(f, "again", shelf_body(f, 14, SHELF_BIG));
    CHECK_OK(meta_checkpoint(f->store.meta));
    shelf_stop(f);
    CHECK(segments_last(f->dir, 2) >= 2); /* the first life has filled less than one segment */
}

static void check_two_lives(struct shelf *f)
{
    struct shelf again;
    struct salvage_result r;
    struct str got;
    const struct salvage_options o = { .from = f->dir, .to = shelf_path("new") };

    CHECK_OK(store_salvage(&o, &r));
    CHECK_U64(r.damaged, 0);
    shelf_start(&again, o.to);
    CHECK_OK(shelf_get(&again, "neighbour", &got));
    CHECK(str_eq(got, shelf_body(f, 10, 500)));
    CHECK_OK(shelf_get(&again, "overwritten", &got));
    CHECK(str_eq(got, shelf_body(f, 13, SHELF_BIG)));
    CHECK_OK(shelf_get(&again, "again", &got));
    CHECK(str_eq(got, shelf_body(f, 14, SHELF_BIG)));
    shelf_close(&again);
    shelf_close(f);
}

TEST(a_segment_that_outlived_its_rows_does_not_bring_old_bodies_back)
{
    struct shelf f;

    two_lives(&f);
    check_two_lives(&f);
}

TEST(nor_over_rows_of_the_copy)
{
    struct shelf f;

    two_lives(&f);
    make_copy_of_lmdb(&f);
    check_two_lives(&f);
}

TEST(without_the_position_times_decide_and_deletions_do_not_count)
{
    struct shelf f;

    two_lives(&f);
    lose_positions(&f);
    check_two_lives(&f);
}

TEST(what_the_journal_has_behind_the_position_counts_whatever_the_time)
{
    struct shelf f, again;
    struct salvage_result r;
    struct str got;
    const struct salvage_options o = { .from = shelf_path("data"), .to = shelf_path("new") };

    shelf_open(&f, "data");
    shelf_put(&f, "overwritten", shelf_body(&f, 20, 600));
    shelf_put(&f, "deleted", shelf_body(&f, 21, 600));
    CHECK_OK(meta_checkpoint(f.store.meta));
    clock_set_offset_ms(-10000); /* a clock that was set back */
    shelf_put(&f, "overwritten", shelf_body(&f, 22, 600));
    shelf_delete(&f, "deleted");
    shelf_stop(&f);
    CHECK_OK(store_salvage(&o, &r));
    CHECK_U64(r.damaged, 0);
    shelf_start(&again, o.to);
    CHECK_OK(shelf_get(&again, "overwritten", &got));
    CHECK(str_eq(got, shelf_body(&f, 22, 600)));
    CHECK_ERR(shelf_get(&again, "deleted", &got), ERR_NO_SUCH_KEY);
    shelf_close(&again);
    shelf_close(&f);
}

/* Versions have names of their own: one that the journal shows to be deleted is known, though LMDB's pages have it still. */
TEST(a_version_that_the_journal_shows_deleted_stays_so_in_front_of_the_position_too)
{
    struct shelf f, again;
    struct salvage_result r;
    struct str got;
    const struct salvage_options o = { .from = shelf_path("data"), .to = shelf_path("new") };

    shelf_open(&f, "data");
    shelf_put(&f, "deleted", shelf_body(&f, 21, 600));
    shelf_put(&f, "changed", shelf_body(&f, 22, 600));
    CHECK_OK(meta_checkpoint(f.store.meta));
    shelf_delete(&f, "deleted");
    clock_set_offset_ms(-10000);
    shelf_put(&f, "changed", shelf_body(&f, 23, 600));
    shelf_stop(&f);
    lose_positions(&f);
    CHECK_OK(store_salvage(&o, &r));
    CHECK_U64(r.damaged, 0);
    shelf_start(&again, o.to);
    CHECK_ERR(shelf_get(&again, "deleted", &got), ERR_NO_SUCH_KEY);
    CHECK_OK(shelf_get(&again, "changed", &got));
    CHECK(str_eq(got, shelf_body(&f, 23, 600)));
    shelf_close(&again);
    shelf_close(&f);
}

/* ---- rows one by one ---- */

#define KEY STR("12345678key")
#define OTHER 255 /* as a version: a record of another key */

/* An object's row: version 0 is a deletion. */
static struct str row_of(struct buf *out, uint8_t version, int64_t mtime_ms)
{
    const struct object_info info = { .uid = { .bytes = { version } }, .mtime_ms = mtime_ms };

    buf_clear(out);
    object_encode(&info, out);
    return buf_view(out);
}

static const struct case_row {
    const char *what;
    struct {
        uint8_t version;
        int64_t mtime_ms;
    } page;
    int64_t position; /* -1: none is known */
    struct {
        uint64_t batch;
        uint8_t version;
        int64_t mtime_ms;
    } journal[3]; /* until batch 0 */
    uint8_t want;
} cases[] = {
    { "a gap is filled", { 0, 0 }, 9, { { 5, 1, 10 } }, 1 },
    { "older records do not win", { 2, 20 }, 9, { { 5, 1, 10 } }, 2 },
    { "but for their time", { 2, 20 }, 9, { { 5, 3, 30 } }, 3 },
    { "at the same time the page's row stays", { 2, 20 }, 9, { { 5, 3, 20 } }, 2 },
    { "a record at the position is in LMDB", { 2, 20 }, 5, { { 5, 0, 0 } }, 2 },
    { "behind it a deletion counts", { 2, 20 }, 4, { { 5, 0, 0 } }, 0 },
    { "and a row of whatever time", { 2, 20 }, 4, { { 5, 3, 1 } }, 3 },
    { "a new store has position 0", { 2, 20 }, 0, { { 1, 0, 0 } }, 0 },
    { "without a position a deletion does not count", { 2, 20 }, -1, { { 5, 0, 0 } }, 2 },
    { "but against what only the journal had", { 0, 0 }, -1, { { 5, 3, 30 }, { 6, 0, 0 } }, 0 },
    { "and against the version it was of", { 3, 30 }, -1, { { 5, 3, 30 }, { 6, 0, 0 } }, 0 },
    { "but not against another", { 4, 30 }, -1, { { 5, 3, 30 }, { 6, 0, 0 } }, 4 },
    { "what was written over is older, whatever its time", { 3, 30 }, -1, { { 5, 3, 30 }, { 6, 4, 20 } }, 4 },
    { "a version with other tags is the same", { 3, 30 }, -1, { { 5, 3, 30 }, { 6, 3, 30 } }, 3 },
    { "before missing batches the position is not the last",
      { 2, 20 },
      4,
      { { 5, 0, 0 }, { 7, OTHER, 0 } },
      2 },
    { "batches in one row", { 2, 20 }, 4, { { 5, 0, 0 }, { 6, OTHER, 0 } }, 0 },
    { "and so before any missing batch, whose row LMDB may have",
      { 3, 30 },
      4,
      { { 5, 2, 20 }, { 7, OTHER, 0 } },
      3 },
};

static void feed(struct salvage_order *o, const struct case_row *c, struct buf *row)
{
    struct batch b;

    if (c->page.version)
        CHECK_OK(salvage_order_row(o, SPACE_OBJECTS, KEY, row_of(row, c->page.version, c->page.mtime_ms)));
    if (c->position >= 0) salvage_order_position(o, (uint64_t)c->position);
    if (c->position >= 0) salvage_order_position(o, 0); /* of a page of the past */
    CHECK_OK(batch_init(&b, 4096));
    for (size_t i = 0; i < 3 && c->journal[i].batch; i++) {
        const uint8_t version = c->journal[i].version;
        batch_clear(&b, 1, JOURNAL_BLOCK, 4096);
        CHECK(batch_record_begin(&b, i + 1));
        CHECK(version ? batch_put(&b, SPACE_OBJECTS, version == OTHER ? STR("12345678other") : KEY,
                                  row_of(row, version, c->journal[i].mtime_ms))
                      : batch_del(&b, SPACE_OBJECTS, KEY));
        batch_record_end(&b);
        CHECK_OK(salvage_order_batch(o, c->journal[i].batch,
                                     str_of(b.data + BATCH_HEADER_BYTES, b.len - BATCH_HEADER_BYTES)));
    }
    batch_done(&b);
    CHECK_OK(salvage_order_settle(o));
}

TEST(rows_are_ordered_by_position_then_by_version_and_time)
{
    struct memtable_row found;
    struct object_info info;
    struct buf row;

    buf_init(&row, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memtable *names = memtable_new();
        struct salvage_order o;
        uint8_t got = 0;

        CHECK_OK(salvage_order_init(&o, names));
        feed(&o, &cases[i], &row);
        if (memtable_find(memtable_working(names), SPACE_OBJECTS, KEY, &found) && !found.is_deleted) {
            CHECK_OK(object_decode(found.value, NULL, &info));
            got = info.uid.bytes[0];
        }
        if (got != cases[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted version %u, got %u", cases[i].what, cases[i].want, got);
        salvage_order_done(&o);
        memtable_free(names);
    }
    buf_done(&row);
}
