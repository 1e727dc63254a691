/*
 * journal_test.c - batches, alone: no rows, no LMDB. A journal that was closed is read again with recover.
 */
#include "storage/meta/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/meta/recover.h"
#include "tests/unit/test.h"

static const uint8_t journal_id[16] = "a test's journal";

struct fixture {
    const char *dir;
    uint64_t segment_bytes; /* 0: 256 KiB */
    struct segment_set *segments;
    struct journal *journal;
    struct memtable *rows; /* replayed */
    struct recovery found;
};

static void fixture_close(struct fixture *f)
{
    f->journal = journal_close(f->journal);
    f->segments = segments_close(f->segments);
    f->rows = memtable_free(f->rows);
}

static struct err fixture_try(struct fixture *f, uint64_t known_durable)
{
    const struct journal_position start = { 0 };

    f->rows = memtable_new();
    TRY(segments_open(f->dir, journal_id, f->segment_bytes ? f->segment_bytes : 256 * KIB, &f->segments));
    TRY(recover(f->segments, &start, known_durable, f->rows, NULL, &f->found));
    memtable_publish(f->rows);
    return journal_open(f->segments, f->found.end.batch, &f->journal);
}

static struct fixture fixture_new(void)
{
    struct fixture f = { .dir = test_dir() };
    CHECK_OK(fixture_try(&f, 0));
    return f;
}

static void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    CHECK_OK(fixture_try(f, 0));
}

static bool has_row(const struct fixture *f, const char *key)
{
    struct memtable_row row;
    return memtable_find(memtable_working(f->rows), SPACE_OBJECTS, str_from_z(key), &row);
}

/* Append one batch of one row with this key. */
static struct err append(struct fixture *f, const char *key)
{
    struct batch *b = journal_begin(f->journal);
    const struct journal_position before = journal_position(f->journal);

    CHECK(batch_record_begin(b, before.batch + 1));
    if (!batch_put(b, SPACE_OBJECTS, str_from_z(key), STR("value"))) { /* at the segment's end */
        batch_record_undo(b);
        TRY(journal_turn(f->journal));
        return append(f, key);
    }
    batch_record_end(b);
    return journal_append(f->journal, b);
}

TEST(appended_batches_are_replayed)
{
    struct fixture f = fixture_new();

    CHECK_OK(append(&f, "first"));
    CHECK_OK(append(&f, "second"));
    for (int i = 0; i < 3; i++) {
        fixture_reopen(&f);
        CHECK_U64(f.found.end.batch, 2);
        CHECK(has_row(&f, "first") && has_row(&f, "second"));
    }
    CHECK_OK(append(&f, "third"));
    fixture_reopen(&f);
    CHECK_U64(f.found.end.batch, 3);
    CHECK(has_row(&f, "first") && has_row(&f, "second") && has_row(&f, "third"));
    fixture_close(&f);
}

TEST(a_journal_goes_on_over_many_segments)
{
    struct fixture f = fixture_new();
    struct str body = str_of(calloc(1, 100 * KIB), 100 * KIB);
    struct place p;

    for (uint64_t i = 0; i < 20; i++) {
        struct batch *b = journal_begin(f.journal);
        CHECK(batch_record_begin(b, i + 1));
        if (!batch_body(b, SPACE_OBJECTS, STR("k"), body, &p)) {
            CHECK_OK(journal_turn(f.journal));
            CHECK(batch_record_begin(b, i + 1));
            CHECK(batch_body(b, SPACE_OBJECTS, STR("k"), body, &p));
        }
        batch_record_end(b);
        CHECK_OK(journal_append(f.journal, b));
    }
    CHECK(segments_figures(f.segments).count >= 10);
    fixture_reopen(&f);
    CHECK_U64(f.found.end.batch, 20);
    CHECK_U64(segments_figures(f.segments).live_bodies, 20);
    fixture_close(&f);
    free((void *)(uintptr_t)body.data);
}

TEST(the_unzeroed_segment_of_a_start_is_left_early_and_cut)
{
    struct fixture f = { .dir = test_dir(), .segment_bytes = 16 * MIB };
    uint64_t batches = 0;

    CHECK_OK(fixture_try(&f, 0));
    while (journal_position(f.journal).segment_id == 1) {
        CHECK_OK(append(&f, "again"));
        batches++;
    }
    CHECK(segments_figures(f.segments).bytes < 17 * MIB);
    fixture_reopen(&f);
    CHECK_U64(f.found.end.batch, batches);
    fixture_close(&f);
}

/* J1, J3: whichever call fails, what was acknowledged is whole, now and after reopening; what was refused is absent; and what is
 * unknown stops the journal. */
TEST(an_acknowledged_batch_survives_any_failure)
{
    const unsigned kinds[] = { FAULT_WRITE, FAULT_WRITE | FAULT_SHORT, FAULT_SYNC,
                               FAULT_WRITE | FAULT_SYNC | FAULT_STICKY,
                               FAULT_WRITE | FAULT_SYNC | FAULT_STICKY | FAULT_SHORT };

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        bool struck = true;
        for (uint64_t n = 0; struck; n++) {
            struct fixture f = fixture_new();
            CHECK_OK(append(&f, "first"));
            /* The next segment is made by another thread, which a fault may hit as well. */
            fault_arm(kinds[k], n, n % 2 ? EIO : ENOSPC);
            const struct err e = append(&f, "second");
            const struct err after = append(&f, "third");
            struck = fault_disarm();
            if (e.code == ERR_OUTCOME_UNKNOWN) CHECK_ERR(after, ERR_UNAVAILABLE);
            fixture_reopen(&f);
            CHECK(has_row(&f, "first"));
            if (!e.code) CHECK(has_row(&f, "second"));
            if (e.code && e.code != ERR_OUTCOME_UNKNOWN) CHECK(!has_row(&f, "second"));
            if (!after.code) CHECK(has_row(&f, "third"));
            fixture_close(&f);
            if (n > 30) break; /* sticky faults always strike */
        }
    }
}

TEST(a_batch_larger_than_a_segment_is_refused_once)
{
    struct fixture f = fixture_new();

    CHECK(journal_begin(f.journal));
    CHECK_ERR(journal_turn(f.journal), ERR_TOO_LARGE);
    CHECK_OK(append(&f, "first"));
    (void)journal_begin(f.journal);
    CHECK_OK(journal_turn(f.journal));
    CHECK_ERR(journal_turn(f.journal), ERR_TOO_LARGE);
    CHECK_OK(append(&f, "second"));
    fixture_reopen(&f);
    CHECK(has_row(&f, "first") && has_row(&f, "second"));
    fixture_close(&f);
}

TEST(no_room_for_a_segment_is_told_and_tried_again)
{
    struct fixture f = fixture_new();
    struct err e = OK;

    CHECK_OK(append(&f, "first"));
    fault_arm(FAULT_SPACE | FAULT_STICKY, 0, ENOSPC);
    for (int i = 0; i < 3 && !e.code; i++) { /* one that was ready is used up first */
        (void)journal_begin(f.journal);
        e = journal_turn(f.journal);
        if (!e.code) CHECK_OK(append(&f, "second"));
    }
    CHECK_U64(e.code, ERR_NO_SPACE);
    CHECK_OK(append(&f, "third"));
    fault_disarm();
    (void)journal_begin(f.journal);
    CHECK_OK(journal_turn(f.journal));
    CHECK_OK(append(&f, "fourth"));
    fixture_reopen(&f);
    CHECK(has_row(&f, "first") && has_row(&f, "third") && has_row(&f, "fourth"));
    fixture_close(&f);
}

TEST(an_end_below_a_batch_known_durable_is_damage)
{
    struct fixture f = fixture_new();

    CHECK_OK(append(&f, "first"));
    CHECK_OK(append(&f, "second"));
    fixture_close(&f);
    CHECK_ERR(fixture_try(&f, 3), ERR_CORRUPT);
    fixture_close(&f);
    CHECK_OK(fixture_try(&f, 2));
    CHECK(has_row(&f, "second"));
    fixture_close(&f);
}

TEST(a_segment_of_another_journal_is_refused)
{
    struct fixture f = fixture_new();
    uint8_t other_id[16] = "another journal";

    CHECK_OK(append(&f, "first"));
    fixture_close(&f);
    f.rows = memtable_new();
    CHECK_OK(segments_open(f.dir, other_id, 256 * KIB, &f.segments));
    CHECK_ERR(recover(f.segments, &(struct journal_position){ 0 }, 0, f.rows, NULL, &f.found), ERR_CORRUPT);
    fixture_close(&f);
}
