/*
 * commit_fault_test.c - commits while the machine fails.
 *
 * One script (two tables in one transaction, a metadata file that is too large for the journal, a new table, a rename) runs again and again, each time with the next system call
 * failing, or the machine stopping there, until none is left to fail. What was acknowledged must be there afterwards, what was refused must not, and what was said to be unknown is one
 * or the other: whole. Never half a transaction, never a pointer without its file.
 */
#include <errno.h>
#include <stdlib.h>

#include "catalog/commit/apply.h"
#include "catalog/commit/catalog.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_get.h"
#include "tests/unit/test.h"

static const struct actor who = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

struct world {
    struct store store;
    struct arena *arena;
    const char *dir;
};

enum { BOTH, LARGE, CREATED, RENAMED, STEP_COUNT };
enum outcome { REFUSED, DONE, UNKNOWN };

static struct err world_start(struct world *w)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/rows", w->dir);
    const struct meta_options m = { .dir = path,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .map_bytes = 64 * MIB,
                                    .is_checkpoint_manual = true };
    TRY(meta_open(&m, &w->store.meta));
    (void)snprintf(path, sizeof(path), "%s/volumes", w->dir);
    const struct blob_options b = { .dir = path,
                                    .meta = w->store.meta,
                                    .volume_bytes = 8 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .writers_open_max = 2,
                                    .is_reclaim_manual = true };
    const struct err e = blob_open(&b, &w->store.blobs);
    if (e.code != ERR_OK) w->store.meta = meta_close(w->store.meta);
    w->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    w->store.small_body_max = LIMIT_SMALL_BODY;
    return e;
}

static void world_stop(struct world *w)
{
    w->store.blobs = blob_close(w->store.blobs);
    w->store.meta = meta_close(w->store.meta);
}

static struct table_ident ident(const char *name)
{
    struct table_ident t = { .ns = { .count = 1 }, .name = str_from_z(name) };
    t.ns.levels[0] = STR("n");
    return t;
}

static struct err create(struct world *w, const char *name)
{
    const struct table_ident t = ident(name);
    struct table_info info;
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", name, "schema", "type",
                                "struct", "fields", "id", 1, "name", "a", "required", 0, "type", "int");
    return table_create(&w->store, STR("lake"), &t.ns, request, false, &who, w->arena, &info);
}

static struct err set_property(struct world *w, const char *const *tables, size_t count, const char *name,
                               const char *value)
{
    struct table_change changes[2];
    struct table_info infos[2];
    CLEANUP(json_freep)
    json_t *updates = json_pack("[{s:s, s:{s:s}}]", "action", "set-properties", "updates", name, value);

    for (size_t i = 0; i < count; i++)
        changes[i] = (struct table_change){ .ident = ident(tables[i]), .updates = updates };
    return table_commit(&w->store, STR("lake"), changes, count, &who, w->arena, infos);
}

static void prepare(struct world *w)
{
    const struct table_ident t = ident("a");

    log_set_level(LOG_LEVEL_ERROR);
    *w = (struct world){ .dir = test_dir(), .arena = arena_new(256 * MIB) };
    CHECK_OK(world_start(w));
    CHECK_OK(bucket_create(&w->store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&w->store, STR("lake"), STR("s3://lake"), &who));
    CHECK_OK(ns_create(&w->store, STR("lake"), &t.ns, NULL, &who));
    CHECK_OK(create(w, "a"));
    CHECK_OK(create(w, "b"));
    CHECK_OK(create(w, "old"));
}

/* An error that is not "unknown" is a promise that nothing was changed. */
static enum outcome outcome_of(struct err e)
{
    return e.code == ERR_OK ? DONE : e.code == ERR_OUTCOME_UNKNOWN ? UNKNOWN : REFUSED;
}

static void run_script(struct world *w, enum outcome ret[STEP_COUNT])
{
    static const char *const both[] = { "a", "b" }, *const one[] = { "a" };
    const struct table_ident from = ident("old"), to = ident("new");
    char *large = calloc(1, LIMIT_JOURNAL_BODY + 4096);

    memset(large, 'x', LIMIT_JOURNAL_BODY + 4000);
    ret[BOTH] = outcome_of(set_property(w, both, 2, "both", "1"));
    ret[LARGE] = outcome_of(set_property(w, one, 1, "large", large));
    ret[CREATED] = outcome_of(create(w, "c"));
    ret[RENAMED] = outcome_of(table_rename(&w->store, STR("lake"), &from, &to, &who));
    free(large);
}

/* Is the table there, with its file, and has it the property (NULL: any)? */
static bool has(struct world *w, const char *table, const char *property)
{
    const struct table_ident t = ident(table);
    struct table_info info;
    json_t *metadata = NULL;
    const struct err e = table_load(&w->store, STR("lake"), &t, w->arena, &info);

    if (e.code == ERR_NO_SUCH_TABLE) return false;
    CHECK_OK(e);
    CHECK_OK(metadata_parse(METADATA_TABLE, info.metadata, &metadata));
    const bool found = !property || json_object_get(json_object_get(metadata, "properties"), property);
    json_decref(metadata);
    return found;
}

static void check_step(uint64_t n, const char *step, enum outcome outcome, bool is_there)
{
    if (outcome != UNKNOWN && is_there != (outcome == DONE))
        test_fail(__FILE__, __LINE__, "fault %llu: %s was %s, but is %s", (unsigned long long)n, step,
                  outcome == DONE ? "acknowledged" : "refused", is_there ? "there" : "not there");
}

static void check(struct world *w, uint64_t n, const enum outcome outcomes[STEP_COUNT])
{
    CHECK(has(w, "a", "both") == has(w, "b", "both"));
    CHECK(has(w, "old", NULL) != has(w, "new", NULL));
    check_step(n, "the transaction", outcomes[BOTH], has(w, "a", "both"));
    check_step(n, "the large commit", outcomes[LARGE], has(w, "a", "large"));
    check_step(n, "the new table", outcomes[CREATED], has(w, "c", NULL));
    check_step(n, "the rename", outcomes[RENAMED], has(w, "new", NULL));
    const char *const a[] = { "a" };
    CHECK_OK(set_property(w, a, 1, "after", "1")); /* and it goes on */
}

/* How many of the faults had an outcome that is not known: told through ret, since a sweep that never meets one shows little. kinds 0: the machine stops at the nth call. */
static int sweep(unsigned kinds, int errno_value)
{
    bool has_struck = true;
    int unknown = 0;

    for (uint64_t n = 0; has_struck; n++) {
        enum outcome outcomes[STEP_COUNT];
        struct world w;

        prepare(&w);
        if (kinds) fault_arm(kinds, n, errno_value);
        else fault_arm_stop(n);
        run_script(&w, outcomes);
        if (kinds) has_struck = fault_disarm();
        world_stop(&w);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(world_start(&w));
        check(&w, n, outcomes);
        world_stop(&w);
        arena_free(w.arena);
        for (int i = 0; i < STEP_COUNT; i++) unknown += outcomes[i] == UNKNOWN;
        if (!has_struck)
            CHECK(outcomes[BOTH] == DONE && outcomes[LARGE] == DONE && outcomes[CREATED] == DONE
                  && outcomes[RENAMED] == DONE);
    }
    return unknown;
}

TEST(no_commit_is_half_done_when_a_call_fails_and_an_unknown_outcome_is_told)
{
    CHECK(sweep(FAULT_ALL, EIO) > 0);
}

TEST(no_commit_is_half_done_when_writes_are_cut_short)
{
    (void)sweep(FAULT_WRITE | FAULT_SHORT, EIO);
}

TEST(no_commit_is_half_done_when_the_disk_is_full)
{
    (void)sweep(FAULT_WRITE | FAULT_SPACE, ENOSPC);
}

TEST(no_commit_is_half_done_when_the_machine_stops)
{
    (void)sweep(0, 0);
}

/* ---- purges ---- */

static bool is_file_there(struct world *w, struct str location)
{
    struct str bucket, key, bytes;

    CHECK_OK(location_parse(location, w->arena, &bucket, &key));
    const struct err e = object_read_all(&w->store, bucket, key, 1 * MIB, w->arena, &bytes);
    CHECK(e.code == ERR_OK || e.code == ERR_NO_SUCH_KEY);
    return e.code == ERR_OK;
}

/* However a purge was interrupted, it comes to its end after the next start, and takes nothing else with it. */
static void sweep_purge(unsigned kinds)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        const struct table_ident purged = ident("a"), kept = ident("b");
        struct table_info of_purged, of_kept;
        struct world w;
        bool more = true;

        prepare(&w);
        CHECK_OK(table_load(&w.store, STR("lake"), &purged, w.arena, &of_purged));
        CHECK_OK(table_load(&w.store, STR("lake"), &kept, w.arena, &of_kept));
        CHECK_OK(table_drop(&w.store, STR("lake"), &purged, true, &who));
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        for (int i = 0; i < 4; i++) err_ignore(purge_step(&w.store, &more));
        if (kinds) has_struck = fault_disarm();
        world_stop(&w);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(world_start(&w));
        clock_set_offset_ms(2 * 3600 * 1000); /* one that met a failure waits an hour */
        for (more = true; more;) CHECK_OK(purge_step(&w.store, &more));
        clock_set_offset_ms(0);
        CHECK(!is_file_there(&w, of_purged.metadata_location));
        CHECK(is_file_there(&w, of_kept.metadata_location));
        world_stop(&w);
        arena_free(w.arena);
    }
}

TEST(a_purge_is_done_after_any_failed_call)
{
    sweep_purge(FAULT_ALL);
}

TEST(a_purge_is_done_after_a_stop_at_any_call)
{
    sweep_purge(0);
}
