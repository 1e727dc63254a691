/*
 * maintain_test.c - which files are deleted, when, and which never are.
 */
#include "catalog/maintain/maintain.h"

#include <errno.h>

#include "catalog/maintain/deletion.h"
#include "catalog/maintain/orphans.h"
#include "catalog/maintain/sweep_test.h"
#include "catalog/refs/refs.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define HOUR_MS (3600LL * 1000)
#define DAY_MS (24 * HOUR_MS)

TEST(files_go_when_their_grace_is_over_and_not_before)
{
    struct lake l;

    lake_open(&l);
    two_snapshots(&l);
    CHECK_U64(sweep(&l, 0), 0);
    expire_first(&l);
    CHECK_U64(sweep(&l, DAY_MS), 0);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    clock_set_offset_ms(DAY_MS - 60 * 1000);
    CHECK_U64(sweep(&l, DAY_MS), 0);
    clock_set_offset_ms(DAY_MS + 1000);
    CHECK_U64(sweep(&l, DAY_MS), 4);
    check_there(&l, "l1 m1 a b", false);
    check_there(&l, "l2 m2 c", true);
    CHECK_U64(sweep(&l, 0), 0);
    lake_close(&l);
}

TEST(a_tables_own_grace_comes_before_the_servers)
{
    struct lake l;

    lake_open(&l);
    CHECK_OK(lake_property(&l, "firn.expire-grace-ms", "3600000"));
    two_snapshots(&l);
    expire_first(&l);
    CHECK_U64(sweep(&l, 0), 0);
    clock_set_offset_ms(HOUR_MS + 1000);
    CHECK_U64(sweep(&l, DAY_MS), 4);
    lake_close(&l);
}

TEST(gc_enabled_false_keeps_what_is_queued)
{
    struct lake l;

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    CHECK_OK(lake_property(&l, "gc.enabled", "false"));
    CHECK_U64(sweep(&l, 0), 0); /* not worked in yet: D1 */
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    CHECK_U64(sweep(&l, 0), 0);
    CHECK_OK(lake_property(&l, "gc.enabled", "true"));
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    CHECK_U64(sweep(&l, 0), 4);
    lake_close(&l);
}

/* D1: the commit that makes them live again is not worked in yet. */
TEST(nothing_goes_while_a_commit_is_not_worked_in)
{
    struct lake l;
    struct table_info before, after;
    const struct table_ident t = lake_ident();

    lake_open(&l);
    two_snapshots(&l);
    CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &before));
    expire_first(&l);
    CHECK_OK(table_register(&l.store, STR("lake"), &t, before.metadata_location, true, &lake_actor, l.arena,
                            &after));
    CHECK_U64(sweep(&l, 0), 0);
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    CHECK_U64(sweep(&l, 0), 0);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    lake_close(&l);
}

/* D2: another table's snapshot names it. */
TEST(a_file_that_another_table_names_stays)
{
    struct lake l;
    struct table_info info;
    const struct table_ident t = lake_ident(), other = { .ns = t.ns, .name = STR("other") };
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", "other", "location",
                                "s3://lake/other", "schema", "type", "struct", "fields", "id", 1, "name", "a",
                                "required", 0, "type", "int");
    CLEANUP(json_freep)
    json_t *updates = json_pack("[{s:s, s:{s:i, s:i, s:I, s:s, s:{s:s}, s:i}}]", "action", "add-snapshot",
                                "snapshot", "snapshot-id", 1, "sequence-number", 1, "timestamp-ms",
                                (json_int_t)clock_now_ms(), "manifest-list", "s3://lake/other/l", "summary",
                                "operation", "append", "schema-id", 0);
    const struct table_change change = { .ident = other, .updates = updates };

    lake_open(&l);
    two_snapshots(&l);
    CHECK_OK(table_create(&l.store, STR("lake"), &t.ns, request, false, &lake_actor, l.arena, &info));
    lake_manifest(&l, "../other/m", "s3://lake/t/a");
    lake_list(&l, "../other/l", "s3://lake/other/m");
    CHECK_OK(table_commit(&l.store, STR("lake"), &change, 1, &lake_actor, l.arena, &info));
    CHECK_OK(refs_work_in(&l.store, str_from_z(info.uuid), NULL));
    expire_first(&l);
    CHECK_U64(sweep(&l, 0), 3);
    check_there(&l, "l1 m1 b", false);
    check_there(&l, "a", true);
    CHECK_OK(table_drop(&l.store, STR("lake"), &other, false, &lake_actor));
    CHECK_OK(refs_work_in(&l.store, str_from_z(info.uuid), NULL));
    CHECK_U64(sweep(&l, 0), 1);
    check_there(&l, "a", false);
    lake_close(&l);
}

/* D3: the metadata names a file that is another's. */
TEST(foreign_files_are_never_deleted)
{
    struct lake l;

    lake_open(&l);
    lake_put(&l, "../foreign/x", STR("somebody else's"));
    lake_manifest(&l, "m1", "a s3://lake/foreign/x");
    lake_list(&l, "l1", "m1");
    lake_manifest(&l, "m2", "b");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    expire_first(&l);
    CHECK_U64(sweep(&l, 0), 3);
    check_there(&l, "a l1 m1", false);
    check_there(&l, "../foreign/x", true);
    lake_close(&l);
}

/* D5: a writer put a new file under the same name, and has not committed it yet. */
TEST(a_file_that_was_written_again_stays)
{
    struct lake l;

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    clock_set_offset_ms(1000);
    lake_put(&l, "a", STR("new"));
    CHECK_U64(sweep(&l, 0), 3);
    check_there(&l, "a", true);
    lake_close(&l);
}

TEST(metadata_files_go_without_grace_when_the_table_asks_for_it)
{
    struct lake l;
    const struct deletion_rule rule = { .grace_ms = DAY_MS, .files_max = 1000, .is_metadata_only = true };
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct deletion_result result;

    lake_open(&l);
    CHECK_OK(lake_property(&l, "write.metadata.previous-versions-max", "1"));
    CHECK_OK(lake_property(&l, "write.metadata.delete-after-commit.enabled", "true"));
    two_snapshots(&l);
    expire_first(&l);
    CHECK_OK(deletion_step(&l.store, lake_uuid(&l), &rule, &cursor, &result));
    CHECK_U64(result.files, 4); /* of six, the newest and the one before it stay */
    check_there(&l, "l1 m1 a b", true);
    lake_close(&l);
}

static struct err damage_fn(struct txn *txn, void *arg)
{
    const struct lake *l = arg;
    uint8_t key[REF_PAIR];
    struct ref_id last;

    memset(&last, 0xff, sizeof(last));
    return txn_put(txn, SPACE_REF_QUEUE, ref_key_pair(lake_uuid(l), last, key), STR("no row"));
}

TEST(a_damaged_row_of_the_queue_holds_up_no_other)
{
    struct lake l;
    const struct deletion_rule rule = { .files_max = 1000 };
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct deletion_result result;

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    CHECK_OK(meta_run(l.store.meta, damage_fn, &l));
    CHECK_ERR(deletion_step(&l.store, STR_NONE, &rule, &cursor, &result), ERR_CORRUPT);
    CHECK(result.files == 4 && result.is_end);
    check_there(&l, "l1 m1 a b", false);
    lake_close(&l);
}

/* ---- rates and rounds ---- */

TEST(a_step_deletes_no_more_than_it_may)
{
    struct lake l;
    const struct deletion_rule rule = { .files_max = 3 };
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct deletion_result result;

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    CHECK_OK(deletion_step(&l.store, STR_NONE, &rule, &cursor, &result));
    CHECK(result.files == 3 && !result.is_end);
    CHECK_OK(deletion_step(&l.store, STR_NONE, &rule, &cursor, &result));
    CHECK(result.files == 1 && result.is_end);
    lake_close(&l);
}

/* ---- orphans ---- */

static struct orphan_scan scan_all(struct lake *l, const struct orphan_rule *rule)
{
    struct orphan_scan scan;

    orphan_scan_init(&scan, lake_uuid(l), true);
    while (!scan.is_end) CHECK_OK(orphan_scan_step(&l->store, &scan, rule));
    return scan;
}

TEST(orphans_are_told_and_go_only_when_they_are_old_and_somebody_asks)
{
    struct lake l;
    const struct orphan_rule look = { .older_than_ms = 0 }, remove = { .older_than_ms = 0, .removes = true };

    lake_open(&l);
    two_snapshots(&l);
    lake_put(&l, "data/lost", STR("12345"));
    lake_put(&l, "metadata/version-hint.text", STR("1"));
    struct orphan_scan scan = scan_all(&l, &look);
    CHECK(scan.files == 1 && scan.bytes == 5 && scan.removable_files == 0);
    CHECK_STR(json_str(json_object_get(json_array_get(scan.paths, 0), "path")), STR("s3://lake/t/data/lost"));
    orphan_scan_done(&scan);
    scan = scan_all(&l, &remove);
    CHECK_U64(scan.removed_files, 0); /* O1 */
    orphan_scan_done(&scan);
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 1000);
    lake_put(&l, "data/young", STR("123"));
    scan = scan_all(&l, &look);
    CHECK(scan.files == 2 && scan.removable_files == 1 && scan.removed_files == 0);
    orphan_scan_done(&scan);
    scan = scan_all(&l, &remove);
    CHECK(scan.removed_files == 1 && scan.removed_bytes == 5);
    orphan_scan_done(&scan);
    check_there(&l, "data/lost", false);
    check_there(&l, "data/young l1 l2 m1 m2 a b c metadata/version-hint.text", true);
    lake_close(&l);
}

/* O2, O3 */
TEST(no_orphan_goes_while_the_table_is_not_whole_and_none_whose_grace_is_running)
{
    struct lake l;
    const struct orphan_rule remove = { .older_than_ms = 0, .removes = true };

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    lake_put(&l, "data/lost", STR("12345"));
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 1000);
    lake_put(&l, "m3", STR("not Avro"));
    lake_list(&l, "l3", "m2 m3");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    struct orphan_scan scan = scan_all(&l, &remove);
    CHECK(scan.removed_files == 0 && scan.forbidden); /* not worked in */
    orphan_scan_done(&scan);
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    scan = scan_all(&l, &remove);
    CHECK(scan.removed_files == 0 && scan.forbidden); /* not readable */
    orphan_scan_done(&scan);
    lake_manifest(&l, "m3", "d");
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    scan = scan_all(&l, &remove);
    CHECK(scan.removed_files == 1 && !scan.forbidden);
    orphan_scan_done(&scan);
    check_there(&l, "l1 m1 a b c d l2 l3 m2 m3", true);
    lake_close(&l);
}

/* ---- the steps of the background ---- */

#define RATE_ANY 1000000

static struct maintain *maintain_of(struct lake *l, enum maintain_expire expire, bool removes_orphans,
                                    uint64_t rate)
{
    const struct maintain_options o = { .store = &l->store,
                                        .interval_s = 1000,
                                        .expire = expire,
                                        .removes_orphans = removes_orphans,
                                        .rate = rate };
    struct maintain *m = NULL;

    CHECK_OK(maintain_new(&o, &m));
    return m;
}

static void run_all(struct maintain *m)
{
    bool more = true;

    for (int i = 0; i < 1000 && more; i++) {
        bool index = false, walk = false, deletes = false;
        CHECK_OK(maintain_index_step(m, &index));
        CHECK_OK(maintain_walk_step(m, &walk));
        CHECK_OK(maintain_delete_step(m, &deletes));
        more = index || walk || deletes;
    }
    CHECK(!more);
}

/* Two rounds: what the first lets go of, the second deletes. */
static void rounds(struct lake *l, enum maintain_expire expire, bool removes_orphans)
{
    for (int i = 0; i < 2; i++) {
        struct maintain *m = maintain_of(l, expire, removes_orphans, RATE_ANY);
        run_all(m);
        maintain_free(m);
    }
}

/* Nobody waits a second after the start for what was left over from before. */
TEST(the_first_second_may_delete_at_once)
{
    struct lake l;
    bool more = false;

    lake_open(&l);
    two_snapshots(&l);
    expire_first(&l);
    struct maintain *m = maintain_of(&l, MAINTAIN_EXPIRE_OFF, false, 3);
    CHECK_OK(maintain_delete_step(m, &more));
    CHECK(more);
    CHECK_U64(lake_has(&l, "l1") + lake_has(&l, "m1") + lake_has(&l, "a") + lake_has(&l, "b"), 1);
    check_there(&l, "l2 m2 c", true);
    maintain_free(m);
    lake_close(&l);
}

static int64_t snapshots_of(struct lake *l)
{
    const struct table_ident t = lake_ident();
    struct table_info info;
    json_t *metadata = NULL;

    CHECK_OK(table_load(&l->store, STR("lake"), &t, l->arena, &info));
    CHECK_OK(metadata_parse(METADATA_TABLE, info.metadata, &metadata));
    const int64_t count = (int64_t)json_array_size(json_object_get(metadata, "snapshots"));
    json_decref(metadata);
    return count;
}

TEST(snapshots_expire_by_themselves_only_where_that_is_asked_for)
{
    static const struct {
        enum maintain_expire mode;
        const char *property, *value;
        int64_t left;
    } rows[] = {
        { MAINTAIN_EXPIRE_OFF, "history.expire.max-snapshot-age-ms", "1", 2 },
        { MAINTAIN_EXPIRE_PROPERTIES, "other", "1", 2 },
        { MAINTAIN_EXPIRE_PROPERTIES, "history.expire.max-snapshot-age-ms", "1", 1 },
        { MAINTAIN_EXPIRE_PROPERTIES, "history.expire.min-snapshots-to-keep", "2", 2 },
        { MAINTAIN_EXPIRE_ALL, "other", "1", 1 },
        { MAINTAIN_EXPIRE_ALL, "gc.enabled", "false", 2 },
        { MAINTAIN_EXPIRE_ALL, "history.expire.max-snapshot-age-ms", "wrong", 2 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lake l;
        lake_open(&l);
        clock_set_offset_ms(-10 * DAY_MS);
        two_snapshots(&l);
        CHECK_OK(lake_property(&l, rows[i].property, rows[i].value));
        clock_set_offset_ms(0);
        rounds(&l, rows[i].mode, false);
        if (snapshots_of(&l) != rows[i].left)
            test_fail(__FILE__, __LINE__, "%s=%s: wanted %lld snapshots, got %lld", rows[i].property,
                      rows[i].value, (long long)rows[i].left, (long long)snapshots_of(&l));
        lake_close(&l);
    }
}

static void say_in_namespace(struct lake *l, const char *word)
{
    const struct ns_path n = lake_ident().ns;
    CLEANUP(json_freep) json_t *updates = json_pack("{s:s}", "firn.expire-snapshots", word);
    json_t *changed = NULL;

    CHECK_OK(ns_set_properties(&l->store, STR("lake"), &n, updates, NULL, &lake_actor, &changed));
    json_decref(changed);
}

TEST(a_namespace_may_say_otherwise_than_the_server)
{
    static const struct {
        enum maintain_expire server;
        const char *word;
        int64_t left;
    } rows[] = {
        { MAINTAIN_EXPIRE_OFF, "all", 1 },
        { MAINTAIN_EXPIRE_ALL, "off", 2 },
        { MAINTAIN_EXPIRE_ALL, "properties", 2 },
        { MAINTAIN_EXPIRE_ALL, "nonsense", 1 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lake l;
        lake_open(&l);
        clock_set_offset_ms(-10 * DAY_MS);
        two_snapshots(&l);
        clock_set_offset_ms(0);
        say_in_namespace(&l, rows[i].word);
        rounds(&l, rows[i].server, false);
        if (snapshots_of(&l) != rows[i].left)
            test_fail(__FILE__, __LINE__, "%s: wanted %lld snapshots, got %lld", rows[i].word,
                      (long long)rows[i].left, (long long)snapshots_of(&l));
        lake_close(&l);
    }
}

TEST(the_background_removes_orphans_of_tables_that_ask_for_it)
{
    struct lake l;

    lake_open(&l);
    two_snapshots(&l);
    lake_put(&l, "data/lost", STR("12345"));
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 1000);
    rounds(&l, MAINTAIN_EXPIRE_OFF, false);
    check_there(&l, "data/lost", true);
    CHECK_OK(lake_property(&l, "firn.orphan-removal.enabled", "true"));
    rounds(&l, MAINTAIN_EXPIRE_OFF, false);
    check_there(&l, "data/lost", false);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    lake_close(&l);
}

/* ---- by hand ---- */

static json_t *expire_by_hand(struct lake *l, struct maintain *m, bool is_dry_run)
{
    struct maintain_scope scope = { .catalog = STR("lake"), .ns = lake_ident().ns };
    const struct maintain_expire_request request = {
        .older_than_ms = 0, .keep = 1, .is_dry_run = is_dry_run, .who = &lake_actor
    };
    json_t *answer = NULL;

    CHECK_OK(maintain_expire(m, &scope, &request, l->arena, &answer));
    json_t *row = json_incref(json_array_get(json_object_get(answer, "tables"), 0));
    json_decref(answer);
    return row;
}

TEST(a_dry_run_says_what_is_then_done)
{
    struct lake l;

    lake_open(&l);
    clock_set_offset_ms(-1000);
    two_snapshots(&l);
    clock_set_offset_ms(0);
    struct maintain *m = maintain_of(&l, MAINTAIN_EXPIRE_OFF, false, RATE_ANY);
    CLEANUP(json_freep) json_t *would = expire_by_hand(&l, m, true);
    CHECK_U64(snapshots_of(&l), 2);
    CHECK_U64(json_integer_value(json_object_get(would, "file-count")), 4);
    CHECK_U64(json_array_size(json_object_get(would, "paths")), 4);
    CLEANUP(json_freep) json_t *done = expire_by_hand(&l, m, false);
    CHECK(json_equal(would, done));
    CHECK_U64(snapshots_of(&l), 1);
    maintain_free(m);
    rounds(&l, MAINTAIN_EXPIRE_OFF, false);
    check_there(&l, "l1 m1 a b", false);
    check_there(&l, "l2 m2 c", true);
    lake_close(&l);
}

/* ---- faults ---- */

/* However deletion was interrupted, the next sweep ends it; nothing that is needed goes. */
static void fault_sweep(unsigned kinds)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct lake l;
        const struct deletion_rule rule = { .files_max = 2 };
        struct deletion_cursor cursor = { .at = { .len = 0 } };
        struct deletion_result result = { .is_end = false };
        lake_open(&l);
        two_snapshots(&l);
        expire_first(&l);
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        for (int i = 0; i < 3 && !result.is_end; i++)
            err_ignore(deletion_step(&l.store, STR_NONE, &rule, &cursor, &result));
        if (kinds) has_struck = fault_disarm();
        lake_stop(&l);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(lake_start(&l));
        (void)sweep(&l, 0);
        check_there(&l, "l1 m1 a b", false);
        check_there(&l, "l2 m2 c", true);
        lake_close(&l);
    }
}

TEST(deletion_is_right_after_any_failed_call)
{
    fault_sweep(FAULT_ALL);
}

TEST(deletion_is_right_after_a_stop_at_any_call)
{
    fault_sweep(0);
}
