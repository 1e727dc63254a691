/*
 * live_guard_test.c - a client may take away what no snapshot needs, whenever it comes, and nothing else.
 */
#include "catalog/refs/live_guard.h"

#include <errno.h>

#include "catalog/commit/guarded.h"
#include "catalog/refs/lake_test.h"
#include "catalog/refs/refs.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_delete.h"
#include "tests/unit/test.h"

static void guard_set(struct lake *l, const char *name, const char *value)
{
    struct catalog_info before, after;
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", GUARD_PROPERTY, value);

    CHECK_OK(catalog_get(&l->store, str_from_z(name), l->arena, &before));
    const struct catalog_change change = { .version = before.version, .properties = properties };
    CHECK_OK(catalog_update(&l->store, str_from_z(name), &change, &lake_actor, l->arena, &after));
}

static struct str key_of(struct lake *l, const char *place)
{
    const struct str p = str_from_z(place);

    return str_starts(p, STR("../")) ? str_from(p, 3) : arena_printf(l->arena, "t/%s", place);
}

/* As DeleteObjects does it: what is in doubt is settled. */
static struct err delete (struct lake *l, const char *place)
{
    struct object_guard guard = { .rule = &live_guard };
    struct delete_item item = { .key = key_of(l, place), .guard = &guard };

    CHECK_OK(object_delete_many(&l->store, STR("lake"), &item, 1, l->arena));
    CHECK((item.outcome.code != ERR_OK) == lake_has(l, place));
    return item.outcome;
}

/* As it is asked in a transaction: nothing is settled. */
static enum err_code asked(struct lake *l, const char *place, bool *ret_is_in_doubt)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_guard guard = { .rule = &live_guard };

    CHECK_OK(view_open(l->store.meta, &view));
    const struct err e = object_guard_ask(&guard, view, STR("lake"), key_of(l, place));
    *ret_is_in_doubt = guard.is_in_doubt;
    return e.code;
}

static bool is_in_doubt(struct lake *l, const char *place)
{
    bool doubt = false;

    CHECK((asked(l, place, &doubt) == ERR_BUSY) == doubt);
    return doubt;
}

static void check_stay(struct lake *l, const char *places)
{
    struct str place;

    for (struct str_split it = str_split_on(str_from_z(places), ' '); str_split_next(&it, &place);) {
        const struct err e = delete (l, arena_z(l->arena, place));
        if (e.code != ERR_IN_USE || !str_contains(str_from_z(e.why), STR("'n.t'")))
            test_fail(__FILE__, __LINE__, "%.*s: wanted it to stay for n.t: %s", STR_ARG(place),
                      e.code ? e.why : "it went");
    }
}

static void check_go(struct lake *l, const char *places)
{
    struct str place;

    for (struct str_split it = str_split_on(str_from_z(places), ' '); str_split_next(&it, &place);) {
        const struct err e = delete (l, arena_z(l->arena, place));
        if (e.code != ERR_OK)
            test_fail(__FILE__, __LINE__, "%.*s: wanted it to go: %s", STR_ARG(place), e.why);
    }
}

/* The place of the current metadata file, below the table. */
static const char *metadata_of(struct lake *l)
{
    const struct table_ident t = lake_ident();
    struct table_info info;

    CHECK_OK(table_stat(&l->store, STR("lake"), &t, l->arena, &info));
    return arena_z(l->arena, str_from(info.metadata_location, sizeof("s3://lake/t/") - 1));
}

static void work_in(struct lake *l)
{
    CHECK_OK(refs_work_in(&l->store, str_from_z(l->uuid), NULL));
}

/* Snapshot 1: manifest m1 (a, b). Snapshot 2: m2 (a, c). "p" is a file that no commit names. */
static void open_guarded(struct lake *l)
{
    lake_open(l);
    guard_set(l, "lake", "true");
    lake_manifest(l, "m1", "a b");
    lake_manifest(l, "m2", "a c");
    lake_list(l, "l1", "m1");
    lake_list(l, "l2", "m2");
    lake_put(l, "p", STR("pending"));
    lake_put(l, "../elsewhere", STR("no table's"));
    CHECK_OK(lake_snapshot(l, 1, "l1"));
    CHECK_OK(lake_snapshot(l, 2, "l2"));
}

TEST(what_a_snapshot_needs_stays_and_all_else_goes)
{
    struct lake l;

    open_guarded(&l);
    check_stay(&l, "l1 l2 m1 m2 a b c");
    check_stay(&l, metadata_of(&l));
    check_go(&l, "p ../elsewhere");
    lake_close(&l);
}

TEST(a_catalog_that_does_not_guard_lets_everything_go)
{
    struct lake l;

    open_guarded(&l);
    guard_set(&l, "lake", "false");
    check_go(&l, "l1 a p");
    guard_set(&l, "lake", "true");
    check_stay(&l, "l2 m2 c");
    lake_close(&l);
}

TEST(what_only_an_expired_snapshot_needed_goes_at_once)
{
    struct lake l;

    open_guarded(&l);
    check_stay(&l, "b");
    CHECK_OK(lake_expire(&l, 1));
    CHECK(is_in_doubt(&l, "b"));
    check_go(&l, "b m1 l1");
    check_stay(&l, "a c m2 l2");
    lake_close(&l);
}

TEST(what_a_tag_holds_stays)
{
    struct lake l;

    open_guarded(&l);
    CHECK_OK(lake_commit(
        &l, "[{\"action\":\"set-snapshot-ref\",\"ref-name\":\"kept\",\"type\":\"tag\",\"snapshot-id\":1}]"));
    CHECK_OK(lake_snapshot(&l, 3, "l2"));
    CHECK_OK(lake_expire(&l, 2));
    check_stay(&l, "b m1 l1 a c m2");
    lake_close(&l);
}

/* G3, the other way round: the file was free when somebody looked, and is not when it is deleted. */
TEST(a_commit_between_the_look_and_the_delete_counts)
{
    struct lake l;
    bool doubt = false;

    open_guarded(&l);
    work_in(&l);
    CHECK(asked(&l, "p", &doubt) == ERR_OK);
    lake_manifest(&l, "m3", "a");
    lake_list(&l, "l3", "m3 m4");
    lake_manifest(&l, "m4", "s3://lake/t/p");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    CHECK(is_in_doubt(&l, "p") && is_in_doubt(&l, "a") && is_in_doubt(&l, "never-there"));
    check_stay(&l, "p m3 m4");
    lake_close(&l);
}

/* Nothing has to be read for it, and clients delete old ones themselves. */
TEST(of_metadata_files_only_the_current_one_stays)
{
    struct lake l;
    bool doubt = false;

    open_guarded(&l);
    const char *before = metadata_of(&l);
    CHECK_OK(lake_property(&l, "x", "1"));
    CHECK(asked(&l, metadata_of(&l), &doubt) == ERR_IN_USE && !doubt);
    check_go(&l, before);
    check_stay(&l, metadata_of(&l));
    work_in(&l);
    check_stay(&l, metadata_of(&l));
    lake_close(&l);
}

TEST(the_files_of_a_dropped_table_go)
{
    const struct table_ident t = lake_ident();
    struct lake l;

    open_guarded(&l);
    work_in(&l);
    const char *metadata = metadata_of(&l);
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, &lake_actor));
    check_go(&l, "l1 m1 a");
    check_go(&l, metadata);
    lake_close(&l);
}

TEST(what_cannot_be_read_keeps_everything_and_says_why)
{
    struct lake l;

    open_guarded(&l);
    lake_put(&l, "bad", STR("no manifest"));
    lake_list(&l, "l3", "bad");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    check_stay(&l, "bad p a");
    const struct err e = delete (&l, "p");
    CHECK(str_contains(str_from_z(e.why), STR("s3://lake/t/bad")));
    lake_manifest(&l, "bad", "c"); /* mended: it is looked at again */
    check_go(&l, "p");
    check_stay(&l, "bad");
    lake_put(&l, "bad2", STR("no manifest either"));
    lake_list(&l, "l4", "bad2");
    CHECK_OK(lake_snapshot(&l, 4, "l4"));
    check_stay(&l, "bad2");
    CHECK_OK(lake_snapshot(&l, 5, "l2"));
    CHECK_OK(lake_expire(&l, 4));
    check_go(&l, "bad2 l4");
    lake_close(&l);
}

/* Metadata that cannot be read at all: a table is behind, and stays so. */
TEST(a_table_whose_metadata_is_damaged_keeps_its_files)
{
    struct lake l;

    open_guarded(&l);
    lake_put(&l, metadata_of(&l), STR("no JSON"));
    const struct err e = delete (&l, "p");
    CHECK_ERR(e, ERR_IN_USE);
    CHECK(str_contains(str_from_z(e.why), STR("its metadata")));
    lake_close(&l);
}

/* A table of a catalog that does not guard, and which somebody may have made for that purpose alone. */
TEST(a_table_of_another_catalog_keeps_nothing_here)
{
    struct lake l;
    const struct table_ident t = { .ns = { .levels = { STR("n") }, .count = 1 }, .name = STR("t") };
    struct table_info info;

    open_guarded(&l);
    CHECK_OK(bucket_create(&l.store, STR("other"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&l.store, STR("other"), STR("s3://other"), &lake_actor));
    CHECK_OK(ns_create(&l.store, STR("other"), &t.ns, NULL, &lake_actor));
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:{s:s, s:[]}, s:{s:s}}", "name", "t", "schema", "type", "struct",
                                "fields", "properties", "x", "1");
    CHECK_OK(table_create(&l.store, STR("other"), &t.ns, request, false, &lake_actor, l.arena, &info));
    CLEANUP(json_freep) json_t *updates = NULL;
    CHECK_OK(json_parse(
        STR("[{\"action\":\"set-statistics\",\"snapshot-id\":1,\"statistics\":{\"snapshot-id\":1,"
            "\"statistics-path\":\"s3://lake/t/p\",\"file-size-in-bytes\":1,\"file-footer-size-in-bytes\":1,"
            "\"blob-metadata\":[]}}]"),
        &updates));
    const struct table_change change = { .ident = t, .updates = updates };
    CHECK_OK(table_commit(&l.store, STR("other"), &change, 1, &lake_actor, l.arena, &info));
    CHECK_OK(refs_work_in(&l.store, str_from_z(info.uuid), NULL));
    guard_set(&l, "other", "true");
    check_go(&l, "p");
    lake_close(&l);
}

/* A file of add_files: the table's, but not in its place. */
TEST(a_file_outside_of_the_tables_place_stays_once_it_is_known)
{
    struct lake l;

    open_guarded(&l);
    lake_put(&l, "../added", STR("0123456789"));
    lake_manifest(&l, "m3", "s3://lake/added");
    lake_list(&l, "l3", "m3");
    CHECK_OK(lake_snapshot(&l, 3, "l3"));
    work_in(&l);
    CHECK_OK(lake_snapshot(&l, 4, "l3"));
    check_stay(&l, "../added");
    CHECK_OK(lake_snapshot(&l, 5, "l2"));
    CHECK_OK(lake_expire(&l, 3));
    CHECK_OK(lake_expire(&l, 4));
    check_go(&l, "../added");
    lake_close(&l);
}

/* ---- faults ---- */

/* Whichever call fails while a doubt is settled and a file deleted: nothing that is needed goes. */
static void sweep(unsigned kinds)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct object_guard guard = { .rule = &live_guard };
        struct lake l;

        open_guarded(&l);
        CHECK_OK(lake_expire(&l, 1));
        struct delete_item items[] = { { .key = STR("t/a"), .guard = &guard },
                                       { .key = STR("t/b"), .guard = &guard } };
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        const struct err e = object_delete_many(&l.store, STR("lake"), items, 2, l.arena);
        if (kinds) has_struck = fault_disarm();
        lake_stop(&l);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(lake_start(&l));
        CHECK(lake_has(&l, "a"));
        if (e.code == ERR_OK && items[1].outcome.code == ERR_OK) CHECK(!lake_has(&l, "b"));
        check_stay(&l, "a c m2 l2");
        check_go(&l, "b m1 l1 p");
        lake_close(&l);
    }
}

TEST(nothing_that_is_needed_goes_when_a_call_fails)
{
    sweep(FAULT_ALL);
}

TEST(nothing_that_is_needed_goes_when_the_machine_stops)
{
    sweep(0);
}

/* ---- many at once ---- */

struct deleter {
    struct lake *lake;
    struct arena *arena;
    struct delete_item items[2];
    struct object_guard guard;
    struct err outcome;
    pthread_t thread;
};

static void delete_both(void *arg)
{
    struct deleter *d = arg;

    d->outcome = object_delete_many(&d->lake->store, STR("lake"), d->items, 2, d->arena);
}

TEST(many_in_doubt_about_one_table_all_get_their_answer)
{
    struct deleter all[8];
    struct lake l;

    open_guarded(&l);
    for (int i = 0; i < 8; i++) {
        const struct str key = arena_printf(l.arena, "p%d", i);
        lake_put(&l, key.data, STR("pending"));
        all[i] = (struct deleter){ .lake = &l, .arena = arena_new(1 * MIB), .guard.rule = &live_guard };
        all[i].items[0] = (struct delete_item){ .key = STR("t/a"), .guard = &all[i].guard };
        all[i].items[1] = (struct delete_item){ .key = key_of(&l, key.data), .guard = &all[i].guard };
    }
    for (int i = 0; i < 8; i++) CHECK_OK(thread_start("deleter", delete_both, &all[i], &all[i].thread));
    for (int i = 0; i < 8; i++) thread_join(all[i].thread);
    for (int i = 0; i < 8; i++) {
        CHECK_OK(all[i].outcome);
        CHECK_ERR(all[i].items[0].outcome, ERR_IN_USE);
        CHECK_OK(all[i].items[1].outcome);
        arena_free(all[i].arena);
    }
    lake_close(&l);
}
