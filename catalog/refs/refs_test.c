/*
 * refs_test.c - what is known of a table's files after commits of all kinds, in any order, with stops and faults between.
 */
#include "catalog/refs/refs.h"

#include <errno.h>

#include "catalog/refs/lake_test.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/object_delete.h"
#include "tests/unit/test.h"

static struct ref_id id_of(struct lake *l, const char *place)
{
    return ref_id_of(REF_DATA, arena_printf(l->arena, "lake/t/%s", place));
}

static bool has_row(struct lake *l, enum space space, const void *key, size_t len)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool found = false;

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(ref_any(view, space, str_of(key, len), &found));
    return found;
}

static bool is_live(struct lake *l, const char *place)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool named = false;

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(ref_is_named(view, id_of(l, place), &named));
    return named;
}

static bool is_queued(struct lake *l, const char *place)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool queued = false;

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(ref_is_queued(view, str_from_z(l->uuid), id_of(l, place), &queued));
    return queued;
}

static bool has_any(struct lake *l, enum space space)
{
    return has_row(l, space, "", 0);
}

static void work_in(struct lake *l)
{
    CHECK_OK(refs_work_in(&l->store, str_from_z(l->uuid), NULL));
}

/* Snapshot 1: manifest m1 (a, b). Snapshot 2: m1 and m2 (c). Snapshot 3: m3, in which b is deleted, a and c live on; and m4 (d). */
static void three_snapshots(struct lake *l)
{
    lake_manifest(l, "m1", "a b");
    lake_manifest(l, "m2", "c");
    lake_manifest(l, "m3", "a c -b");
    lake_manifest(l, "m4", "d");
    lake_list(l, "l1", "m1");
    lake_list(l, "l2", "m1 m2");
    lake_list(l, "l3", "m3 m4");
    CHECK_OK(lake_snapshot(l, 1, "l1"));
    CHECK_OK(lake_snapshot(l, 2, "l2"));
    CHECK_OK(lake_snapshot(l, 3, "l3"));
}

static void check_all(struct lake *l, bool (*is)(struct lake *, const char *), const char *places, bool want)
{
    struct str place;

    for (struct str_split it = str_split_on(str_from_z(places), ' '); str_split_next(&it, &place);) {
        const char *z = arena_z(l->arena, place);
        if (is(l, z) != want) test_fail(__FILE__, __LINE__, "%s: wanted %s", z, want ? "yes" : "no");
    }
}

TEST(what_snapshots_name_is_live_and_what_none_names_any_more_is_queued)
{
    struct lake l;

    lake_open(&l);
    three_snapshots(&l);
    CHECK(!lake_is_whole(&l));
    work_in(&l);
    CHECK(lake_is_whole(&l));
    check_all(&l, is_live, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    CHECK_U64(lake_table(&l).live_files[REF_DATA], 4);
    CHECK_U64(lake_table(&l).live_bytes[REF_DATA], 40);
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    check_all(&l, is_queued, "l1", true);
    check_all(&l, is_live, "l2 l3 m1 m2 m3 m4 a b c d", true);
    CHECK_OK(lake_expire(&l, 2));
    work_in(&l);
    check_all(&l, is_queued, "l1 l2 m1 m2 b", true);
    check_all(&l, is_queued, "l3 m3 m4 a c d", false);
    check_all(&l, is_live, "l3 m3 m4 a c d", true);
    CHECK_U64(lake_table(&l).queued_files, 5);
    CHECK(!has_any(&l, SPACE_REF_TODO) && !has_any(&l, SPACE_REF_DROPS) && !has_any(&l, SPACE_REF_COMMITS));
    lake_close(&l);
}

/* F2: nobody looked between the commits. */
TEST(a_snapshot_that_came_and_went_before_anybody_looked_is_not_forgotten)
{
    struct lake l;

    lake_open(&l);
    lake_manifest(&l, "m1", "a");
    lake_manifest(&l, "m2", "b");
    lake_list(&l, "l1", "m1");
    lake_list(&l, "l2", "m1 m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    CHECK_OK(lake_commit(
        &l,
        "[{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\",\"snapshot-id\":1}]"));
    CHECK_OK(lake_expire(&l, 2));
    work_in(&l);
    check_all(&l, is_queued, "l2 m2 b", true);
    check_all(&l, is_live, "l1 m1 a", true);
    lake_close(&l);
}

/* PyIceberg deletes old metadata files itself, as soon as it has committed. */
TEST(nothing_is_forgotten_though_the_metadata_between_is_gone)
{
    struct lake l;
    struct table_info between;
    struct str bucket, key;
    struct delete_item item = { 0 };
    const struct table_ident t = lake_ident();

    lake_open(&l);
    lake_manifest(&l, "m1", "a");
    lake_manifest(&l, "m2", "b");
    lake_list(&l, "l1", "m1");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &between));
    CHECK_OK(lake_expire(&l, 1));
    CHECK_OK(location_parse(between.metadata_location, l.arena, &bucket, &key));
    item.key = key;
    CHECK_OK(object_delete_many(&l.store, bucket, &item, 1, l.arena));
    work_in(&l);
    CHECK(lake_is_whole(&l));
    check_all(&l, is_queued, "l1 m1 a", true);
    check_all(&l, is_live, "l2 m2 b", true);
    lake_close(&l);
}

TEST(a_file_that_becomes_live_again_leaves_the_queue)
{
    struct lake l;
    struct table_info before, after;
    const struct table_ident t = lake_ident();

    lake_open(&l);
    three_snapshots(&l);
    work_in(&l);
    CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &before));
    CHECK_OK(lake_expire(&l, 1));
    CHECK_OK(lake_expire(&l, 2));
    work_in(&l);
    check_all(&l, is_queued, "l1 l2 m1 m2 b", true);
    CHECK_OK(table_register(&l.store, STR("lake"), &t, before.metadata_location, true, &lake_actor, l.arena,
                            &after));
    work_in(&l);
    check_all(&l, is_live, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    check_all(&l, is_queued, "l1 l2 l3 m1 m2 m3 m4 a b c d", false);
    CHECK_U64(lake_table(&l).queued_files, 0);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}

/* F4 */
TEST(a_manifest_that_cannot_be_read_leaves_the_table_incomplete_until_it_can)
{
    struct lake l;

    lake_open(&l);
    lake_manifest(&l, "m1", "a");
    lake_put(&l, "m2", STR("this is not Avro"));
    lake_list(&l, "l1", "m1 m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    work_in(&l);
    CHECK(!lake_is_whole(&l));
    CHECK(str_starts(str_from_z(lake_table(&l).why), STR("s3://lake/t/m2: ")));
    check_all(&l, is_live, "l1 m1 m2 a", true);
    lake_manifest(&l, "m2", "b");
    work_in(&l);
    CHECK(lake_is_whole(&l));
    CHECK_U64(strlen(lake_table(&l).why), 0);
    check_all(&l, is_live, "b", true);
    lake_close(&l);
}

TEST(an_unreadable_manifest_goes_with_the_last_snapshot_that_needs_it)
{
    struct lake l;

    lake_open(&l);
    lake_list(&l, "l1", "missing");
    lake_manifest(&l, "m2", "b");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    work_in(&l);
    CHECK(!lake_is_whole(&l));
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}

TEST(paths_that_cannot_be_told_make_a_table_incomplete_and_foreign_ones_are_passed_over)
{
    static const struct {
        const char *path;
        bool is_whole;
    } rows[] = {
        { "gs://elsewhere/data/x", true }, { "s3://other/data/x", true },   { "s3a://lake/t/data/x", true },
        { "s3://lake/t//data/x", false },  { "s3://lake/t/../u/x", false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lake l;
        lake_open(&l);
        lake_manifest(&l, "m1", rows[i].path);
        lake_list(&l, "l1", "m1");
        CHECK_OK(lake_snapshot(&l, 1, "l1"));
        work_in(&l);
        if (lake_is_whole(&l) != rows[i].is_whole)
            test_fail(__FILE__, __LINE__, "%s: wanted %s", rows[i].path, rows[i].is_whole ? "whole" : "not");
        lake_close(&l);
    }
}

TEST(a_manifest_in_anothers_place_is_not_read)
{
    struct lake l;

    lake_open(&l);
    lake_list(&l, "l1", "s3://lake/other/m");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    work_in(&l);
    CHECK(!lake_is_whole(&l));
    CHECK(str_contains(str_from_z(lake_table(&l).why), STR("outside of the table's places")));
    lake_close(&l);
}

TEST(a_dropped_table_is_forgotten_and_its_files_are_left_alone)
{
    struct lake l;
    const struct table_ident t = lake_ident();

    lake_open(&l);
    three_snapshots(&l);
    work_in(&l);
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, &lake_actor));
    work_in(&l);
    for (enum space space = SPACE_REF_COMMITS; space <= SPACE_REF_QUEUE; space++) CHECK(!has_any(&l, space));
    check_all(&l, lake_has, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    lake_close(&l);
}

TEST(a_table_dropped_and_registered_again_is_known_as_it_is_now)
{
    struct lake l;
    struct table_info before, after;
    const struct table_ident t = lake_ident();

    lake_open(&l);
    three_snapshots(&l);
    CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &before));
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, &lake_actor));
    CHECK_OK(table_register(&l.store, STR("lake"), &t, before.metadata_location, false, &lake_actor, l.arena,
                            &after));
    work_in(&l); /* up to the drop */
    work_in(&l);
    CHECK(lake_is_whole(&l));
    check_all(&l, is_live, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    CHECK(!has_any(&l, SPACE_REF_QUEUE));
    lake_close(&l);
}

TEST(old_metadata_files_are_queued_only_when_the_table_says_so)
{
    struct lake l;

    lake_open(&l);
    CHECK_OK(lake_property(&l, "write.metadata.previous-versions-max", "1"));
    for (int i = 0; i < 3; i++) CHECK_OK(lake_property(&l, "i", i % 2 ? "1" : "2"));
    work_in(&l);
    CHECK_U64(lake_table(&l).live_files[REF_METADATA], 2);
    CHECK_U64(lake_table(&l).queued_files, 0);
    CHECK_OK(lake_property(&l, "write.metadata.delete-after-commit.enabled", "true"));
    for (int i = 0; i < 3; i++) CHECK_OK(lake_property(&l, "i", i % 2 ? "3" : "4"));
    work_in(&l);
    CHECK_U64(lake_table(&l).live_files[REF_METADATA], 2);
    CHECK_U64(lake_table(&l).queued_files, 4);
    lake_close(&l);
}

/* A list whose place cannot be told, and more commits behind it than are taken up at once. */
TEST(metadata_that_cannot_be_made_out_is_told_and_forgotten_with_its_snapshot)
{
    struct lake l;

    lake_open(&l);
    lake_manifest(&l, "m1", "a");
    lake_list(&l, "l1", "m1");
    CHECK_OK(lake_snapshot(&l, 1, "s3://lake/t//l"));
    CHECK_OK(lake_snapshot(&l, 2, "l1"));
    work_in(&l);
    CHECK(!lake_is_whole(&l));
    CHECK(str_starts(str_from_z(lake_table(&l).why), STR("its metadata: ")));
    for (int i = 0; i < LIMIT_REF_NOTES + 10; i++)
        CHECK_OK(lake_property(&l, "i", arena_printf(l.arena, "%d", i).data));
    work_in(&l);
    CHECK(!lake_is_whole(&l));
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    work_in(&l);
    CHECK(lake_is_whole(&l) && !lake_table(&l).why[0]);
    check_all(&l, is_live, "l1 m1 a", true);
    lake_close(&l);
}

/* The manifest of a later snapshot was named as a data file before, so that it would not be read; and a list names itself. */
TEST(a_place_that_is_named_as_two_kinds_is_read_all_the_same)
{
    struct lake l;

    lake_open(&l);
    lake_manifest(&l, "m2", "b");
    lake_manifest(&l, "m1", "a m2");
    lake_manifest(&l, "m2", "b"); /* again: naming it as a file wrote over it */
    lake_list(&l, "l1", "m1");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    work_in(&l);
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    work_in(&l);
    CHECK(lake_is_whole(&l) && is_live(&l, "b"));
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    check_all(&l, is_live, "l2 m2 b", true);
    lake_list(&l, "l3", "l3");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    work_in(&l);
    CHECK(!lake_is_whole(&l)); /* a list is no manifest */
    CHECK_OK(lake_snapshot(&l, 4, "l2"));
    CHECK_OK(lake_expire(&l, 3));
    work_in(&l);
    CHECK(lake_is_whole(&l) && !is_live(&l, "l3"));
    lake_close(&l);
}

/* A thousand files are several transactions; with another taking the turn between, the first gives up and nothing is lost. */
TEST(a_large_manifest_goes_in_slices)
{
    struct lake l;
    struct buf names;

    lake_open(&l);
    buf_init(&names, 1 * MIB);
    for (int i = 0; i < 1000; i++) buf_printf(&names, "%s%d", i ? " " : "", i);
    buf_char(&names, '\0');
    lake_manifest(&l, "m1", names.data);
    lake_list(&l, "l1", "m1");
    lake_manifest(&l, "m2", "999 new");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    work_in(&l);
    CHECK_U64(lake_table(&l).live_files[REF_DATA], 1000);
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    CHECK_OK(lake_expire(&l, 1));
    work_in(&l);
    CHECK_U64(lake_table(&l).live_files[REF_DATA], 2);
    CHECK_U64(lake_table(&l).queued_files, 999 + 2);
    buf_done(&names);
    lake_close(&l);
}

/* As a store is whose server did not leave notes yet. */
static struct err no_notes_fn(struct txn *txn, void *arg)
{
    struct rows_scan scan;
    struct str key, value, keys[16];
    struct lake *l = arg;
    size_t count = 0;

    rows_scan_begin(&scan, txn_rows(txn), SPACE_REF_COMMITS, STR_NONE, false);
    while (count < 16 && rows_scan_next(&scan, &key, &value)) keys[count++] = arena_str(l->arena, key);
    rows_scan_done(&scan);
    for (size_t i = 0; i < count; i++) TRY(txn_del(txn, SPACE_REF_COMMITS, keys[i]));
    return scan.err;
}

TEST(a_store_from_before_is_adopted)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } }, cursor = { { 0 } };
    bool more = true;

    lake_open(&l);
    three_snapshots(&l);
    CHECK_OK(meta_run(l.store.meta, no_notes_fn, &l));
    CHECK_OK(refs_step(&l.store, &cursor, &l.pauses, NULL, &more));
    CHECK(!more && !lake_is_whole(&l));
    CHECK_OK(refs_adopt(&l.store, &adopting, &more));
    CHECK(!more);
    for (more = true; more;) CHECK_OK(refs_step(&l.store, &cursor, &l.pauses, NULL, &more));
    CHECK(lake_is_whole(&l));
    check_all(&l, is_live, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    adopting = (struct refs_cursor){ { 0 } };
    CHECK_OK(refs_adopt(&l.store, &adopting, &more));
    CHECK(!has_any(&l, SPACE_REF_COMMITS)); /* what is known is left alone */
    lake_close(&l);
}

static struct err turn_alone_fn(struct txn *txn, void *arg)
{
    CLEANUP(json_freep) json_t *row = json_pack("{s:i, s:i}", "turn", 7, "known", 0);

    return entity_put(txn, SPACE_REF_TABLES, lake_uuid(arg), row);
}

/* An earlier version made a table's row when somebody asked for its files before it was adopted, and passed over tables with a row. */
TEST(a_table_of_which_only_the_turn_is_known_is_adopted)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } }, cursor = { { 0 } };
    bool more = true;

    lake_open(&l);
    three_snapshots(&l);
    CHECK_OK(meta_run(l.store.meta, no_notes_fn, &l));
    CHECK_OK(meta_run(l.store.meta, turn_alone_fn, &l));
    CHECK_OK(refs_adopt(&l.store, &adopting, &more));
    CHECK(!more);
    for (more = true; more;) CHECK_OK(refs_step(&l.store, &cursor, &l.pauses, NULL, &more));
    CHECK(lake_is_whole(&l));
    check_all(&l, is_live, "l1 l2 l3 m1 m2 m3 m4 a b c d", true);
    lake_close(&l);
}

TEST(a_table_that_is_asked_about_before_it_is_adopted_is_adopted)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } };
    bool more = true;

    lake_open(&l);
    three_snapshots(&l);
    CHECK_OK(meta_run(l.store.meta, no_notes_fn, &l));
    work_in(&l); /* as a person's request does */
    CHECK(!lake_is_whole(&l));
    CHECK_OK(refs_adopt(&l.store, &adopting, &more));
    work_in(&l);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}

static struct err damaged_fn(struct txn *txn, void *arg)
{
    const struct lake *l = arg;

    return txn_put(txn, SPACE_REF_TABLES, lake_uuid(l), STR("no JSON"));
}

/* All tables wait for the end of the adoption. */
TEST(a_damaged_row_does_not_stop_the_adoption)
{
    struct lake l;
    struct refs_cursor adopting = { { 0 } };
    bool more = true;

    lake_open(&l);
    CHECK_OK(meta_run(l.store.meta, damaged_fn, &l));
    CHECK_OK(refs_adopt(&l.store, &adopting, &more));
    CHECK(!more);
    lake_close(&l);
}

/* ---- faults ---- */

static void expire_script(struct lake *l, bool *ret_is_acknowledged)
{
    const struct str uuid = str_from_z(l->uuid);

    err_ignore(refs_work_in(&l->store, uuid, NULL));
    *ret_is_acknowledged = lake_expire(l, 1).code == ERR_OK && lake_expire(l, 2).code == ERR_OK;
    err_ignore(refs_work_in(&l->store, uuid, NULL));
}

/* However it was interrupted, the next work brings the rows to what the metadata says now (R1-R4, F1). */
static void sweep(unsigned kinds)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct lake l;
        bool is_acknowledged = false;
        lake_open(&l);
        three_snapshots(&l);
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        expire_script(&l, &is_acknowledged);
        if (kinds) has_struck = fault_disarm();
        lake_stop(&l);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(lake_start(&l));
        work_in(&l);
        CHECK(lake_is_whole(&l));
        check_all(&l, is_live, "l3 m3 m4 a c d", true);
        if (is_acknowledged) check_all(&l, is_queued, "l1 l2 m1 m2 b", true);
        check_all(&l, is_queued, "l3 m3 m4 a c d", false);
        CHECK(!has_any(&l, SPACE_REF_TODO) && !has_any(&l, SPACE_REF_DROPS));
        lake_close(&l);
    }
}

TEST(references_are_right_after_any_failed_call)
{
    sweep(FAULT_ALL);
}

TEST(references_are_right_after_a_stop_at_any_call)
{
    sweep(0);
}

/* ---- two at once ---- */

struct other {
    struct lake *lake;
    atomic_bool stop;
    pthread_t thread;
};

static void work_in_all_the_time(void *arg)
{
    struct other *o = arg;

    while (!atomic_load(&o->stop)) {
        const struct err e = refs_work_in(&o->lake->store, str_from_z(o->lake->uuid), NULL);
        CHECK(e.code == ERR_OK || e.code == ERR_CONFLICT);
    }
}

/* F3: whoever is late finds the turn taken; what the last one leaves is what the metadata says. */
TEST(two_who_work_on_one_table_leave_the_rows_right)
{
    struct lake l;
    struct other others[2];

    lake_open(&l);
    three_snapshots(&l);
    for (int i = 0; i < 2; i++) {
        others[i] = (struct other){ .lake = &l };
        CHECK_OK(thread_start("other", work_in_all_the_time, &others[i], &others[i].thread));
    }
    for (int i = 4; i < 40; i++) {
        const char *list = arena_printf(l.arena, "l%d", i).data,
                   *manifest = arena_printf(l.arena, "m%d", i).data;
        lake_manifest(&l, manifest, arena_printf(l.arena, "f%d", i).data);
        lake_list(&l, list, arena_printf(l.arena, "m3 m4 %s", manifest).data);
        CHECK_OK(lake_snapshot(&l, i, list));
        if (i % 3 == 0) CHECK_OK(lake_expire(&l, i - 1));
        while (!lake_is_whole(&l)) continue; /* until the others are done with it */
        CHECK(is_live(&l, list) && is_live(&l, manifest));
    }
    for (int i = 0; i < 2; i++) atomic_store(&others[i].stop, true);
    for (int i = 0; i < 2; i++) thread_join(others[i].thread);
    work_in(&l);
    CHECK(lake_is_whole(&l));
    for (int i = 4; i < 40; i++) {
        const char *file = arena_printf(l.arena, "f%d", i).data;
        CHECK(is_live(&l, file) == (i % 3 != 2));
        CHECK(is_queued(&l, file) != is_live(&l, file));
    }
    CHECK(!has_any(&l, SPACE_REF_TODO) && !has_any(&l, SPACE_REF_DROPS));
    lake_close(&l);
}
