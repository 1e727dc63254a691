/*
 * adopt_test.c - tables of an older store, when one of them is damaged and when the store takes no writes for a while. Others: refs_test.c.
 */
#include "catalog/commit/commit_note.h"
#include "catalog/refs/lake_test.h"
#include "catalog/refs/refs.h"
#include "storage/base/clock.h"
#include "storage/base/fault.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

/* The only note is that of the table's first metadata: as a store is whose server did not leave notes yet. */
static struct err no_note_fn(struct txn *txn, void *arg)
{
    struct rows_scan scan;
    struct str key, value;
    char note[COMMIT_NOTE_KEY];

    (void)arg;
    rows_scan_begin(&scan, txn_rows(txn), SPACE_REF_COMMITS, STR_NONE, false);
    CHECK(rows_scan_next(&scan, &key, &value) && key.len == sizeof(note));
    memcpy(note, key.data, sizeof(note));
    rows_scan_done(&scan);
    return txn_del(txn, SPACE_REF_COMMITS, str_of(note, sizeof(note)));
}

static void lake_open_old(struct lake *l)
{
    lake_open(l);
    CHECK_OK(meta_run(l->store.meta, no_note_fn, NULL));
}

static void adopt_and_work_in(struct lake *l, struct refs_cursor *adopting)
{
    struct refs_cursor cursor = { { 0 } };
    bool more = true;

    while (more) CHECK_OK(refs_adopt(&l->store, adopting, &more));
    for (more = true; more;) CHECK_OK(refs_step(&l->store, &cursor, &l->pauses, NULL, &more));
}

/* Before and behind the healthy one: a row that is no object, one that lacks all, and one that is no JSON. */
static struct err damaged_tables_fn(struct txn *txn, void *arg)
{
    static const struct {
        const char *uuid, *key, *row;
    } tables[] = {
        { "00000000-0000-0000-0000-000000000000", "catalog.schema..a", "[]" },
        { "00000000-0000-0000-0000-000000000001", "catalog.schema..b", "{}" },
        { "ffffffff-ffff-ffff-ffff-ffffffffffff", "catalog.schema..c", "no JSON" },
    };

    (void)arg;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        TRY(txn_put(txn, SPACE_TABLE_IDS, str_from_z(tables[i].uuid), str_from_z(tables[i].key)));
        TRY(txn_put(txn, SPACE_TABLES, str_from_z(tables[i].key), str_from_z(tables[i].row)));
    }
    return OK;
}

TEST(a_damaged_table_does_not_keep_others_from_being_adopted_with_it)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } };

    lake_open_old(&l);
    CHECK_OK(meta_run(l.store.meta, damaged_tables_fn, NULL));
    adopt_and_work_in(&l, &adopting);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}

static struct err nothing_fn(struct txn *txn, void *arg)
{
    (void)txn;
    (void)arg;
    return OK;
}

static bool is_writable(const struct lake *l)
{
    struct meta_status status;

    meta_status(l->store.meta, &status);
    return status.is_writable;
}

/* The disk is looked at now and then, when somebody writes. */
static void set_free(struct lake *l, uint64_t bytes)
{
    const uint64_t deadline = clock_mono_ms() + 20000;

    fault_set_free(bytes);
    while (is_writable(l) != (bytes > 0)) {
        CHECK_OK(meta_run_freeing(l->store.meta, nothing_fn, NULL));
        CHECK(clock_mono_ms() < deadline);
    }
}

TEST(what_could_not_be_adopted_is_adopted_the_next_time)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } };
    bool more = false;

    lake_open_old(&l);
    set_free(&l, 0);
    CHECK_ERR(refs_adopt(&l.store, &adopting, &more), ERR_NO_SPACE);
    set_free(&l, UINT64_MAX);
    adopt_and_work_in(&l, &adopting);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}
