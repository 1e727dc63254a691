/*
 * elsewhere_test.c - files at another endpoint: which are deleted, and what an endpoint that fails, a crash and a commit in between do to that.
 */
#include "catalog/commit/warehouse.h"
#include "catalog/maintain/deletion.h"
#include "catalog/maintain/maintain_state.h"
#include "catalog/maintain/orphans.h"
#include "catalog/maintain/sweep_test.h"
#include "catalog/refs/refs.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define DAY_MS (24LL * 3600 * 1000)

/* All endpoints may be asked again: as if the time of the rest had passed. */
static void end_rest(struct lake *l)
{
    const struct remote_place p = { .endpoint = str_from_z(l->far->url), .bucket = STR("lake") };

    CHECK_OK(remote_check_bucket(l->store.remote, &p, l->arena));
}

TEST(files_elsewhere_go_when_their_grace_is_over)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    CHECK(lake_is_whole(&l));
    const struct ref_table live = lake_table(&l);
    CHECK_U64(live.live_files[REF_DATA], 3);
    CHECK_U64(live.live_files[REF_LIST], 2);
    CHECK(live.live_bytes[REF_LIST] > 100); /* known since they were read */
    expire_first(&l);
    CHECK_U64(lake_table(&l).queued_files, 4);
    CHECK_U64(sweep(&l, DAY_MS), 0);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    clock_set_offset_ms(DAY_MS + 1000);
    CHECK_U64(sweep(&l, DAY_MS), 4);
    check_there(&l, "l1 m1 a b", false);
    check_there(&l, "l2 m2 c", true);
    CHECK_U64(lake_table(&l).queued_files, 0);
    CHECK_U64(lake_table(&l).queued_bytes, 0);
    lake_close(&l);
}

TEST(an_endpoint_that_is_away_leaves_a_table_incomplete_and_says_why)
{
    struct lake l;

    lake_open_far(&l);
    lake_manifest(&l, "m1", "a");
    lake_list(&l, "l1", "m1");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    l.far->fail_status = 503;
    l.far->fail_next = 1000;
    CHECK_ERR(refs_work_in(&l.store, lake_uuid(&l), NULL), ERR_UNAVAILABLE);
    CHECK(!lake_is_whole(&l));
    CHECK(str_contains(str_from_z(lake_table(&l).why), str_from_z(l.far->url)));
    l.far->fail_next = 0;
    const int requests = l.far->requests;
    CHECK_ERR(refs_work_in(&l.store, lake_uuid(&l), NULL), ERR_UNAVAILABLE); /* it rests */
    CHECK_U64(l.far->requests, requests);
    end_rest(&l);
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    CHECK(lake_is_whole(&l));
    CHECK_U64(lake_table(&l).why[0], 0);
    lake_close(&l);
}

TEST(what_an_endpoint_refuses_waits_in_the_queue)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    expire_first(&l);
    l.far->fail_status = 403;
    l.far->fail_code = "AccessDenied";
    l.far->fail_next = 1000;
    CHECK_U64(sweep(&l, 0), 0);
    CHECK_U64(lake_table(&l).queued_files, 4);
    const int requests = l.far->requests;
    CHECK_U64(sweep(&l, 0), 0); /* it rests */
    CHECK_U64(l.far->requests, requests);
    l.far->fail_next = 0;
    end_rest(&l);
    CHECK_U64(sweep(&l, 0), 4);
    check_there(&l, "l1 m1 a b", false);
    check_there(&l, "l2 m2 c", true);
    lake_close(&l);
}

TEST(what_a_proxy_calls_not_found_waits_in_the_queue)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    expire_first(&l);
    l.far->fail_status = 404;
    l.far->fail_page = "<html>404 Not Found</html>";
    l.far->fail_next = 1000;
    CHECK_U64(sweep(&l, 0), 0);
    CHECK_U64(lake_table(&l).queued_files, 4);
    l.far->fail_next = 0;
    end_rest(&l);
    CHECK_U64(sweep(&l, 0), 4);
    check_there(&l, "l1 m1 a b", false);
    lake_close(&l);
}

/* ---- what cannot be deleted holds up nothing else ---- */

static void refuse(struct lake *l, const char *path, int status, const char *code)
{
    l->far->fail_path = path;
    l->far->fail_status = status;
    l->far->fail_code = code;
    l->far->fail_next = 1000;
}

/* Requests that were refused since. */
static uint64_t refused(const struct lake *l)
{
    return (uint64_t)(1000 - l->far->fail_next);
}

/* The endpoint rests after a denial: what is behind it waits for the next sweep, which begins there. */
TEST(a_denied_file_costs_an_attempt_a_sweep_and_holds_up_no_other)
{
    static const char *const names[] = { "l1", "m1", "a", "b" };

    for (size_t i = 0; i < 4; i++) {
        struct lake l;
        struct deletion_cursor cursor = { .at = { .len = 0 } };
        uint64_t gone = 0;
        lake_open_far(&l);
        two_snapshots(&l);
        expire_first(&l);
        refuse(&l, arena_printf(l.arena, "/lake/t/%s", names[i]).data, 403, "AccessDenied");
        for (uint64_t round = 1; round <= 3; round++) {
            gone += sweep_on(&l, 0, &cursor);
            CHECK_U64(refused(&l), round);
            end_rest(&l);
        }
        CHECK_U64(gone, 3);
        CHECK_U64(lake_table(&l).queued_files, 1);
        check_there(&l, names[i], true);
        check_there(&l, "l2 m2 c", true);
        l.far->fail_next = 0;
        CHECK_U64(sweep_on(&l, 0, &cursor), 1);
        check_there(&l, "l1 m1 a b", false);
        lake_close(&l);
    }
}

/* More than one slice of a table, some of it denied: each denied file is tried in its turn. */
TEST(several_denied_files_do_not_hide_what_is_between_them)
{
    struct lake l;
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct buf names;
    uint64_t gone = 0;

    lake_open_far(&l);
    buf_init(&names, 64 * 1024);
    for (int i = 0; i < 150; i++) buf_printf(&names, "%s%d", i ? " " : "", i);
    buf_char(&names, '\0');
    lake_manifest(&l, "m1", names.data);
    lake_manifest(&l, "m2", "c");
    lake_list(&l, "l1", "m1");
    lake_list(&l, "l2", "m2");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    CHECK_OK(lake_snapshot(&l, 2, "l2"));
    expire_first(&l);
    refuse(&l, "/lake/t/7*", 403, "AccessDenied"); /* 7 and 70 to 79 */
    for (int round = 0; round < 12; round++) {
        gone += sweep_on(&l, 0, &cursor);
        end_rest(&l);
    }
    CHECK_U64(gone, 152 - 11);
    CHECK_U64(lake_table(&l).queued_files, 11);
    CHECK_U64(refused(&l), 12);
    buf_done(&names);
    lake_close(&l);
}

/* What is no reason for a rest leaves the others in the same sweep. */
TEST(a_file_with_an_odd_answer_is_passed_over_in_the_same_sweep)
{
    static const struct {
        int status;
        const char *code;
    } answers[] = { { 409, "OperationAborted" }, { 400, "InvalidRequest" }, { 412, "PreconditionFailed" } };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct lake l;
        lake_open_far(&l);
        two_snapshots(&l);
        expire_first(&l);
        refuse(&l, "/lake/t/a", answers[i].status, answers[i].code);
        CHECK_U64(sweep(&l, 0), 3);
        CHECK_U64(refused(&l), 1);
        CHECK_U64(lake_table(&l).queued_files, 1);
        check_there(&l, "l1 m1 b", false);
        check_there(&l, "a", true);
        lake_close(&l);
    }
}

/* After each commit metadata files are deleted: one that is denied is left to the sweeps, or the endpoint would rest all the time. */
TEST(a_denied_metadata_file_is_not_tried_after_each_commit)
{
    const struct deletion_rule rule = { .files_max = 1000, .is_metadata_only = true };
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct deletion_result result;
    struct lake l;

    lake_open_far(&l);
    CHECK_OK(lake_property(&l, "write.metadata.previous-versions-max", "1"));
    CHECK_OK(lake_property(&l, "write.metadata.delete-after-commit.enabled", "true"));
    two_snapshots(&l);
    const uint64_t queued = lake_table(&l).queued_files;
    refuse(&l, NULL, 403, "AccessDenied");
    CHECK_OK(deletion_step(&l.store, lake_uuid(&l), &rule, &cursor, &result));
    CHECK_U64(refused(&l), 1);
    l.far->fail_next = 0;
    end_rest(&l);
    cursor = (struct deletion_cursor){ .at = { .len = 0 } };
    CHECK_OK(deletion_step(&l.store, lake_uuid(&l), &rule, &cursor, &result));
    CHECK_U64(result.files, queued - 1);
    CHECK_U64(lake_table(&l).queued_files, 1);
    CHECK_U64(sweep(&l, DAY_MS), 1);
    lake_close(&l);
}

/* The same as a crash between the deletion and the transaction behind it. */
TEST(a_deletion_whose_answer_is_lost_is_decided_again)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    expire_first(&l);
    l.far->fails_late = true;
    l.far->fail_status = 503;
    for (int i = 0; i < 8;
         i++) { /* the HEAD and all attempts of the DELETE: carried out, and told as failed */
        l.far->fail_next = i % 2 ? 5 : 1;
        (void)sweep(&l, 0);
        l.far->fail_next = 0;
        end_rest(&l);
    }
    (void)sweep(&l, 0);
    CHECK_U64(lake_table(&l).queued_files, 0);
    check_there(&l, "l1 m1 a b", false);
    check_there(&l, "l2 m2 c", true);
    lake_close(&l);
}

TEST(a_file_that_was_written_again_stays)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    expire_first(&l);
    clock_set_offset_ms(10 * 1000);
    lake_put(&l, "a", STR("somebody's anew"));
    CHECK_U64(sweep(&l, 0), 3);
    check_there(&l, "a", true);
    CHECK_U64(lake_table(&l).queued_files, 0);
    lake_close(&l);
}

struct revival {
    struct lake *lake;
    struct str location;
    bool is_done;
};

/* Somebody registers the state before, and it is worked in, between the decision and the deletion. */
static void revive(void *arg)
{
    struct revival *r = arg;
    struct table_info after;
    const struct table_ident t = lake_ident();

    if (r->is_done) return;
    r->is_done = true;
    CHECK_OK(table_register(&r->lake->store, STR("lake"), &t, r->location, true, &lake_actor, r->lake->arena,
                            &after));
    CHECK_OK(refs_work_in(&r->lake->store, lake_uuid(r->lake), NULL));
}

TEST(a_file_that_is_named_again_before_it_was_deleted_stays)
{
    struct lake l;
    struct table_info before;
    const struct table_ident t = lake_ident();

    lake_open_far(&l);
    two_snapshots(&l);
    CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &before));
    expire_first(&l);
    struct revival r = { .lake = &l, .location = before.metadata_location };
    l.far->arg = &r;
    l.far->on_head = revive;
    CHECK_U64(sweep(&l, 0), 0);
    CHECK(r.is_done);
    l.far->on_head = NULL;
    CHECK_U64(sweep(&l, 0), 0);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    CHECK(lake_is_whole(&l));
    lake_close(&l);
}

TEST(nothing_elsewhere_goes_while_a_commit_is_not_worked_in)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    expire_first(&l);
    CHECK_OK(lake_property(&l, "p", "1"));
    CHECK_U64(sweep(&l, 0), 0);
    CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
    CHECK_U64(sweep(&l, 0), 4);
    lake_close(&l);
}

static struct orphan_scan scan_all(struct lake *l, bool removes)
{
    const struct orphan_rule rule = { .older_than_ms = -1, .removes = removes };
    struct orphan_scan scan;

    orphan_scan_init(&scan, lake_uuid(l), false);
    while (!scan.is_end) CHECK_OK(orphan_scan_step(&l->store, &scan, &rule));
    orphan_scan_done(&scan);
    return scan;
}

TEST(orphans_elsewhere_go_after_a_week_and_nothing_else_does)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    lake_put(&l, "left", STR("12345"));
    lake_put(&l, "../u/another's", STR("12345"));
    CHECK_U64(scan_all(&l, true).files, 1);
    CHECK_U64(scan_all(&l, true).removable_files, 0);
    check_there(&l, "left", true);
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 10000);
    CHECK_U64(scan_all(&l, false).removable_files, 1);
    const struct orphan_scan scan = scan_all(&l, true);
    CHECK_U64(scan.removed_files, 1);
    CHECK_U64(scan.removed_bytes, 5);
    check_there(&l, "l1 l2 m1 m2 a b c ../u/another's", true);
    check_there(&l, "left", false);
    lake_close(&l);
}

/* A round of the walk, the next whenever its time has come. */
static int walk_round(struct maintain *m)
{
    int failures = 0;
    bool more = true;

    m->walking.next_ms = 0;
    while (more && failures < 10) failures += maintain_walk_step(m, &more).code != ERR_OK;
    return failures;
}

/* The bucket rests after a denial: the next scan of the table, a day later, begins behind that file. */
TEST(a_denied_orphan_holds_up_no_other_orphan_and_no_other_table)
{
    struct lake l;
    struct maintain *m = NULL;
    const int64_t week_ms = ORPHAN_AGE_MIN_MS + 10000;

    lake_open_far(&l);
    two_snapshots(&l);
    lake_put(&l, "o1", STR("1"));
    lake_put(&l, "o2", STR("2"));
    lake_put(&l, "o3", STR("3"));
    const struct maintain_options o = {
        .store = &l.store, .interval_s = 1000, .grace_s = 1000000, .removes_orphans = true, .rate = 1000
    };
    CHECK_OK(maintain_new(&o, &m));
    clock_set_offset_ms(week_ms);
    refuse(&l, "/lake/t/o2", 403, "AccessDenied");
    CHECK_U64(walk_round(m), 1);
    check_there(&l, "o1", false);
    check_there(&l, "o2 o3", true);
    end_rest(&l);
    clock_set_offset_ms(week_ms + 3600 * 1000);
    CHECK_U64(walk_round(m), 0); /* the bucket is awake for the tables behind */
    CHECK_U64(refused(&l), 1);
    clock_set_offset_ms(week_ms + DAY_MS + 10000);
    CHECK_U64(walk_round(m), 0);
    CHECK_U64(refused(&l), 1);
    check_there(&l, "o3", false);
    l.far->fail_next = 0;
    clock_set_offset_ms(week_ms + 2 * DAY_MS + 20000);
    CHECK_U64(walk_round(m), 0);
    check_there(&l, "o2", false);
    check_there(&l, "l1 l2 m1 m2 a b c", true);
    maintain_free(m);
    lake_close(&l);
}

/* ---- by hand ---- */

static struct maintain *by_hand(struct lake *l)
{
    const struct maintain_options o = { .store = &l->store, .interval_s = 1000, .rate = 1000 };
    struct maintain *m = NULL;

    CHECK_OK(maintain_new(&o, &m));
    return m;
}

/* The row of the only table. */
static json_t *orphans_by_hand(struct lake *l)
{
    const struct maintain_scope scope = { .catalog = STR("lake") };
    struct maintain *m = by_hand(l);
    json_t *answer = NULL;

    CHECK_OK(maintain_orphans(m, &scope, -1, true, l->arena, &answer));
    CHECK(json_defer(l->arena, answer));
    maintain_free(m);
    return json_array_get(json_object_get(answer, "tables"), 0);
}

static uint64_t number(const json_t *row, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(row, name));
}

/* What fails is that file, not the request. */
TEST(by_hand_an_orphan_that_stays_holds_up_no_other_and_is_told)
{
    static const struct {
        int status;
        const char *code;
    } answers[] = { { 409, "OperationAborted" }, { 400, "InvalidRequest" }, { 412, "PreconditionFailed" } };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct lake l;
        clock_set_offset_ms(0);
        lake_open_far(&l);
        two_snapshots(&l);
        lake_put(&l, "o1", STR("1"));
        lake_put(&l, "o2", STR("22"));
        lake_put(&l, "o3", STR("333"));
        lake_put(&l, "o4", STR("4444"));
        clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 10000);
        refuse(&l, "/lake/t/o2", answers[i].status, answers[i].code);
        const json_t *row = orphans_by_hand(&l);
        check_there(&l, "o1 o3 o4", false);
        check_there(&l, "o2 l1 l2 m1 m2 a b c", true);
        CHECK_U64(number(row, "files"), 4); /* each is counted once */
        CHECK_U64(number(row, "bytes"), 10);
        CHECK_U64(number(row, "removable-files"), 4);
        CHECK_U64(number(row, "removed-files"), 3);
        CHECK_U64(number(row, "removed-bytes"), 8);
        CHECK_U64(json_array_size(json_object_get(row, "paths")), 4);
        CHECK(str_contains(json_str(json_object_get(row, "error")), STR("o2")));
        lake_close(&l);
    }
}

/* After a denial the bucket rests, and what is behind that file waits. */
TEST(by_hand_a_denied_orphan_ends_the_scan_and_is_told)
{
    struct lake l;

    lake_open_far(&l);
    two_snapshots(&l);
    lake_put(&l, "o1", STR("1"));
    lake_put(&l, "o2", STR("22"));
    lake_put(&l, "o3", STR("333"));
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 10000);
    refuse(&l, "/lake/t/o2", 403, "AccessDenied");
    const json_t *row = orphans_by_hand(&l);
    check_there(&l, "o1", false);
    check_there(&l, "o2 o3", true);
    CHECK_U64(refused(&l), 1);
    CHECK_U64(number(row, "removed-files"), 1);
    CHECK(str_contains(json_str(json_object_get(row, "error")), STR("o2")));
    lake_close(&l);
}

/* A request is not kept for as long as an endpoint finds reasons. */
TEST(by_hand_a_scan_ends_when_many_orphans_stay)
{
    struct lake l;
    char path[32];

    lake_open_far(&l);
    two_snapshots(&l);
    for (int i = 0; i < LIMIT_ORPHAN_FAILURES + 10; i++) {
        (void)snprintf(path, sizeof(path), "o%d", i);
        lake_put(&l, path, STR("1"));
    }
    clock_set_offset_ms(ORPHAN_AGE_MIN_MS + 10000);
    refuse(&l, "/lake/t/o*", 409, "OperationAborted");
    CHECK(json_object_get(orphans_by_hand(&l), "error") != NULL);
    CHECK_U64(refused(&l), LIMIT_ORPHAN_FAILURES);
    lake_close(&l);
}
