/*
 * files_test.c - what is told of a table's files: each once, by snapshot, page by page, and what only old snapshots need.
 */
#include "catalog/maintain/maintain.h"

#include "catalog/refs/lake_test.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define HOUR_MS (3600LL * 1000)

/* Snapshot 1: m1 (a b), m2 (c). Snapshot 2: m2, m3 (a d), where a is in a second manifest. "p" is named by nothing. */
static void open_lake(struct lake *l)
{
    lake_open(l);
    lake_manifest(l, "m1", "a b");
    lake_manifest(l, "m2", "c");
    lake_manifest(l, "m3", "a d");
    lake_list(l, "l1", "m1 m2");
    lake_list(l, "l2", "m2 m3");
    lake_put(l, "p", STR("pending"));
    CHECK_OK(lake_snapshot(l, 1, "l1"));
    CHECK_OK(lake_snapshot(l, 2, "l2"));
}

static struct err ask(struct lake *l, const struct maintain_files_request *request, json_t **ret)
{
    const struct maintain_options options = { .store = &l->store, .grace_s = 3600 };
    const struct table_ident t = lake_ident();
    const struct maintain_scope scope = { .catalog = STR("lake"), .ns = t.ns, .table = t.name };
    struct maintain *m;

    CHECK_OK(maintain_new(&options, &m));
    const struct err e = maintain_files(m, &scope, request, l->arena, ret);
    maintain_free(m);
    return e;
}

static struct maintain_files_request request_of(enum maintain_files state)
{
    return (struct maintain_files_request){
        .state = state, .snapshot_id = -1, .page_size = LIMIT_PAGE, .who = &lake_actor
    };
}

static const json_t *file_of(const json_t *answer, const char *place)
{
    const json_t *found = NULL;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "files"), i, row)
    {
        const struct str path = json_str(json_object_get(row, "path"));
        if (!str_is(str_from(path, sizeof("s3://lake/t/") - 1), place)) continue;
        CHECK(!found); /* each once */
        found = row;
    }
    return found;
}

static int64_t number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* "a:2 l1:1": these files are told, with so many snapshots, and no others but metadata files. */
static void check_files(const json_t *answer, const char *wanted)
{
    struct str word;
    size_t count = 0, metadata = 0, i;
    json_t *row;

    for (struct str_split it = str_split_on(str_from_z(wanted), ' '); wanted[0] && str_split_next(&it, &word);
         count++) {
        struct str place;
        const struct str snapshots = str_cut(word, ':', &place);
        char name[32];
        (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(place));
        const json_t *file = file_of(answer, name);
        if (!file || number(file, "snapshots") != snapshots.data[0] - '0')
            test_fail(__FILE__, __LINE__, "%s: %lld snapshots", name,
                      file ? (long long)number(file, "snapshots") : -1);
    }
    json_array_foreach(json_object_get(answer, "files"), i, row)
    {
        metadata += str_is(json_str(json_object_get(row, "kind")), "metadata");
    }
    CHECK_U64(json_array_size(json_object_get(answer, "files")) - metadata, count);
}

static void check_state(struct lake *l, struct maintain_files_request request, const char *wanted)
{
    CLEANUP(json_freep) json_t *answer = NULL;

    CHECK_OK(ask(l, &request, &answer));
    CHECK(json_is_true(json_object_get(answer, "complete")));
    CHECK(!json_object_get(answer, "next-page-token"));
    check_files(answer, wanted);
}

TEST(of_a_snapshot_each_file_is_told_once_and_who_else_needs_it)
{
    struct maintain_files_request request = request_of(FILES_LIVE);
    struct lake l;

    open_lake(&l);
    check_state(&l, request, "l2:1 m2:2 m3:1 a:2 c:2 d:1");
    request.snapshot_id = 1;
    check_state(&l, request, "l1:1 m1:1 m2:2 a:2 b:1 c:2");
    request.snapshot_id = -1;
    request.is_all = true;
    check_state(&l, request, "l1:1 l2:1 m1:1 m2:2 m3:1 a:2 b:1 c:2 d:1");
    lake_close(&l);
}

TEST(a_ref_is_its_snapshot_and_what_is_not_there_is_named)
{
    struct maintain_files_request request = request_of(FILES_LIVE);
    CLEANUP(json_freep) json_t *answer = NULL;
    struct lake l;

    open_lake(&l);
    CHECK_OK(lake_commit(
        &l, "[{\"action\":\"set-snapshot-ref\",\"ref-name\":\"old\",\"type\":\"tag\",\"snapshot-id\":1}]"));
    request.ref = STR("old");
    check_state(&l, request, "l1:1 m1:1 m2:2 a:2 b:1 c:2");
    request.ref = STR("none");
    struct err e = ask(&l, &request, &answer);
    CHECK_ERR(e, ERR_INVALID);
    CHECK(str_contains(str_from_z(e.why), STR("'none'")));
    request = request_of(FILES_LIVE);
    request.snapshot_id = 7;
    e = ask(&l, &request, &answer);
    CHECK_ERR(e, ERR_INVALID);
    CHECK(str_contains(str_from_z(e.why), STR("snapshot 7")));
    lake_close(&l);
}

/* One page after another; all rows in one answer. */
static json_t *by_pages(struct lake *l, struct maintain_files_request request, size_t page_size)
{
    json_t *files = json_array();
    size_t pages = 0;

    request.page_size = page_size;
    for (request.token = STR_NONE; pages < 100; pages++) {
        CLEANUP(json_freep) json_t *answer = NULL;
        CHECK_OK(ask(l, &request, &answer));
        CHECK(json_array_size(json_object_get(answer, "files")) <= page_size);
        CHECK(json_array_extend(files, json_object_get(answer, "files")) == 0);
        request.token = arena_str(l->arena, json_str(json_object_get(answer, "next-page-token")));
        if (request.token.len == 0) break;
    }
    CHECK(pages > 0 && pages < 100);
    return json_pack("{s:o}", "files", files);
}

TEST(pages_of_any_size_tell_the_same)
{
    struct lake l;

    open_lake(&l);
    for (size_t size = 1; size < 4; size++) {
        struct maintain_files_request request = request_of(FILES_LIVE);
        CLEANUP(json_freep) json_t *one = by_pages(&l, request, size);
        check_files(one, "l2:1 m2:2 m3:1 a:2 c:2 d:1");
        request.is_all = true;
        CLEANUP(json_freep) json_t *all = by_pages(&l, request, size);
        check_files(all, "l1:1 l2:1 m1:1 m2:2 m3:1 a:2 b:1 c:2 d:1");
    }
    CHECK_OK(lake_expire(&l, 1));
    CLEANUP(json_freep) json_t *queued = by_pages(&l, request_of(FILES_QUEUED), 1);
    check_files(queued, "l1:0 m1:0 b:0");
    lake_close(&l);
}

TEST(a_token_of_another_list_is_refused)
{
    static const char *const tokens[] = { "x", "00", "0102", "zz", "01000000000000000000000000000000" };
    struct lake l;

    open_lake(&l);
    for (int state = FILES_LIVE; state <= FILES_ORPHANS; state++) {
        for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
            struct maintain_files_request request = request_of((enum maintain_files)state);
            json_t *answer = NULL;
            request.token = str_from_z(tokens[i]);
            const struct err e = ask(&l, &request, &answer);
            CHECK_ERR(e, ERR_INVALID);
            CHECK(str_contains(str_from_z(e.why), STR("page-token")));
        }
    }
    lake_close(&l);
}

TEST(what_waits_for_its_deletion_says_when_it_may_go_and_why_it_does_not)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct maintain_files_request request = request_of(FILES_QUEUED);
    struct lake l;

    open_lake(&l);
    check_state(&l, request, "");
    CHECK_OK(lake_expire(&l, 1));
    CHECK_OK(ask(&l, &request, &answer));
    check_files(answer, "l1:0 m1:0 b:0");
    const json_t *b = file_of(answer, "b");
    CHECK(number(b, "bytes") == 10 && number(b, "may-go-ms") == number(b, "since-ms") + HOUR_MS);
    CHECK(!json_object_get(b, "why"));
    json_decref(answer);
    answer = NULL;
    CHECK_OK(lake_property(&l, "gc.enabled", "false"));
    CHECK_OK(ask(&l, &request, &answer));
    CHECK(str_contains(json_str(json_object_get(file_of(answer, "b"), "why")), STR("gc.enabled")));
    lake_close(&l);
}

TEST(what_nothing_names_is_an_orphan_and_young)
{
    struct lake l;

    open_lake(&l);
    CLEANUP(json_freep) json_t *young = by_pages(&l, request_of(FILES_ORPHANS), LIMIT_PAGE);
    check_files(young, "p:0");
    CHECK(json_is_false(json_object_get(file_of(young, "p"), "removable")));
    clock_set_offset_ms(8 * 24 * HOUR_MS);
    CLEANUP(json_freep) json_t *answer = by_pages(&l, request_of(FILES_ORPHANS), LIMIT_PAGE);
    CHECK(json_is_true(json_object_get(file_of(answer, "p"), "removable")));
    lake_close(&l);
}

TEST(the_summary_says_what_an_expiry_would_free)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct maintain_files_request request = request_of(FILES_LIVE);
    struct lake l;

    open_lake(&l);
    request.has_summary = true;
    request.page_size = 1; /* the sums are of all */
    CHECK_OK(ask(&l, &request, &answer));
    const json_t *summary = json_object_get(answer, "summary");
    const json_t *live = json_object_get(summary, "live"), *old = json_object_get(summary, "expirable");
    CHECK(number(live, "files") == 6);
    CHECK(number(json_object_get(json_object_get(live, "kinds"), "data"), "bytes") == 30);
    CHECK(number(old, "files") == 3); /* l1 m1 b */
    CHECK(number(json_object_get(json_object_get(old, "kinds"), "data"), "bytes") == 10);
    lake_close(&l);
}

TEST(a_table_that_cannot_be_read_says_which_file_and_why)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct maintain_files_request request = request_of(FILES_LIVE);
    struct lake l;

    open_lake(&l);
    lake_put(&l, "bad", STR("no manifest"));
    lake_list(&l, "l3", "m2 bad");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    request.has_summary = true;
    CHECK_OK(ask(&l, &request, &answer));
    CHECK(json_is_false(json_object_get(answer, "complete")));
    const json_t *unread = json_array_get(json_object_get(answer, "unread"), 0);
    CHECK_STR(json_str(json_object_get(unread, "path")), STR("s3://lake/t/bad"));
    CHECK_STR(json_str(json_object_get(unread, "kind")), STR("manifest"));
    CHECK(json_str(json_object_get(unread, "why")).len > 0);
    CHECK(json_object_get(json_object_get(answer, "summary"), "why-not-expirable") != NULL);
    check_files(answer, "l3:1 m2:3 bad:1 c:3"); /* what is known is told */
    lake_close(&l);
}

TEST(a_table_without_snapshots_has_its_metadata_alone)
{
    struct maintain_files_request request = request_of(FILES_LIVE);
    struct lake l;

    lake_open(&l);
    check_state(&l, request, "");
    request.is_all = request.has_summary = true;
    check_state(&l, request, "");
    lake_close(&l);
}
