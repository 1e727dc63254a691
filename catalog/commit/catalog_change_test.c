/*
 * catalog_change_test.c - catalogs are made, changed and dropped: whole, by version, apart from one another, whichever call of the system fails.
 */
#include "catalog/commit/catalog.h"

#include <errno.h>

#include "catalog/commit/entity.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "tests/unit/test.h"

static const struct actor who = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

struct world {
    struct store store;
    struct arena *arena;
    const char *dir;
};

static struct err world_start(struct world *w)
{
    const struct meta_options m = { .dir = w->dir,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB,
                                    .map_bytes = 64 * MIB,
                                    .is_checkpoint_manual = true };
    return meta_open(&m, &w->store.meta);
}

static struct world world(void)
{
    struct world w = { .dir = test_dir(), .arena = arena_new(64 * MIB) };

    CHECK_OK(world_start(&w));
    CHECK_OK(bucket_create(&w.store, STR("lake"), STR("root"), STR_NONE));
    return w;
}

static void world_stop(struct world *w)
{
    w->store.meta = meta_close(w->store.meta);
    w->arena = arena_free(w->arena);
}

static struct err make(struct world *w, const char *name, const char *location, catalog_hook_fn *hook,
                       struct catalog_info *ret)
{
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "default-base-location", location);
    const struct catalog_new made = { .name = str_from_z(name), .properties = properties, .made = hook };

    return catalog_create(&w->store, &made, &who, w->arena, ret);
}

static struct err put_old_row(struct txn *txn, void *row)
{
    return txn_put(txn, SPACE_CATALOGS, STR("old"), str_from_z(row));
}

static struct err refuse(struct txn *txn, uint64_t catalog_id, struct arena *arena)
{
    (void)txn, (void)catalog_id, (void)arena;
    return FAIL(ERR_INVALID, "the hook refuses");
}

TEST(a_catalog_of_an_earlier_version_reads_as_its_first)
{
    static const char row[] =
        "{\"id\":7,\"base-location\":\"s3://lake\",\"type\":\"INTERNAL\",\"created-ms\":5,\"properties\":{}}";
    struct world w = world();
    struct catalog_info info;
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "a", "b");
    const struct catalog_change change = { .version = 1, .properties = properties };

    CHECK_OK(meta_run(w.store.meta, put_old_row, (void *)row));
    CHECK_OK(catalog_get(&w.store, STR("old"), w.arena, &info));
    CHECK(info.id == 7 && info.version == 1 && info.updated_ms == 5);
    CHECK_STR(json_str(json_object_get(info.properties, "default-base-location")), STR("s3://lake"));
    CHECK_STR(json_str(json_object_get(info.storage, "storageType")), STR("S3"));
    CHECK_OK(catalog_update(&w.store, STR("old"), &change, &who, w.arena, &info));
    CHECK(info.id == 7 && info.version == 2 && info.created_ms == 5);
    CHECK_STR(info.base_location, STR("s3://lake"));
    world_stop(&w);
}

TEST(a_change_of_another_version_does_nothing_and_places_are_moved_by_leave)
{
    struct world w = world();
    struct catalog_info info;
    CLEANUP(json_freep) json_t *moved = json_pack("{s:s}", "default-base-location", "s3://lake/b");
    struct catalog_change change = { .version = 2, .properties = moved, .may_move = true };

    CHECK_OK(make(&w, "c", "s3://lake/a", NULL, &info));
    CHECK_ERR(catalog_update(&w.store, STR("c"), &change, &who, w.arena, &info), ERR_CONFLICT);
    change.version = 1;
    change.may_move = false;
    CHECK_ERR(catalog_update(&w.store, STR("c"), &change, &who, w.arena, &info), ERR_DENIED);
    CHECK_OK(catalog_get(&w.store, STR("c"), w.arena, &info));
    CHECK_STR(info.base_location, STR("s3://lake/a"));
    change.may_move = true;
    CHECK_OK(catalog_update(&w.store, STR("c"), &change, &who, w.arena, &info));
    CHECK_STR(info.base_location, STR("s3://lake/b"));
    world_stop(&w);
}

TEST(places_of_catalogs_lie_apart)
{
    static const struct {
        const char *location;
        enum err_code code;
    } rows[] = {
        { "s3://lake/a", ERR_INVALID },
        { "s3://lake/a/", ERR_INVALID },
        { "s3a://lake/a/b", ERR_INVALID },
        { "s3://lake", ERR_INVALID },
        { "s3://lake/ab", ERR_OK },
        { "s3://lake/c", ERR_OK },
        { "s3://nothing/a", ERR_NO_SUCH_BUCKET },
        { "file:///a", ERR_INVALID },
    };
    struct world w = world();
    struct catalog_info info;

    CHECK_OK(make(&w, "first", "s3://lake/a", NULL, &info));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%zu", i);
        const struct err e = make(&w, name, rows[i].location, NULL, &info);
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].location, err_name(e.code));
    }
    CHECK_ERR(make(&w, "first", "s3://lake/z", NULL, &info), ERR_EXISTS);
    world_stop(&w);
}

TEST(a_hook_that_refuses_leaves_nothing_behind)
{
    struct world w = world();
    struct catalog_info info;

    CHECK_ERR(make(&w, "c", "s3://lake/a", refuse, &info), ERR_INVALID);
    CHECK_ERR(catalog_get(&w.store, STR("c"), w.arena, &info), ERR_NO_SUCH_WAREHOUSE);
    CHECK_OK(make(&w, "c", "s3://lake/a", NULL, &info));
    CHECK_ERR(catalog_drop(&w.store, STR("c"), refuse, &who), ERR_INVALID);
    CHECK_OK(catalog_get(&w.store, STR("c"), w.arena, &info));
    CHECK_OK(catalog_drop(&w.store, STR("c"), NULL, &who));
    CHECK_ERR(catalog_drop(&w.store, STR("c"), NULL, &who), ERR_NO_SUCH_WAREHOUSE);
    world_stop(&w);
}

/* ---- while the machine fails ---- */

static struct err put_mark(struct txn *txn, uint64_t catalog_id, struct arena *arena)
{
    (void)catalog_id, (void)arena;
    return txn_put(txn, SPACE_SYSTEM, STR("mark"), STR("1"));
}

static struct err drop_mark(struct txn *txn, void *arg)
{
    (void)arg;
    return txn_del(txn, SPACE_SYSTEM, STR("mark"));
}

static bool has_mark(struct world *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct err e = OK;

    CHECK_OK(view_open(w->store.meta, &view));
    const bool has = rows_have(view, SPACE_SYSTEM, STR("mark"), &e);
    CHECK_OK(e);
    return has;
}

/* The catalog and what its hook wrote are there together or not at all; what was acknowledged is there, what was refused is not. kinds 0: the machine stops. */
static void sweep(unsigned kinds)
{
    const char *dir = test_dir();
    struct catalog_info info;
    bool has_struck = true;

    log_set_level(LOG_LEVEL_ERROR);

    for (uint64_t n = 0; has_struck; n++) {
        struct world w = { .dir = dir, .arena = arena_new(64 * MIB) };
        char name[32], location[64];

        (void)snprintf(name, sizeof(name), "c%d", (int)n);
        (void)snprintf(location, sizeof(location), "s3://lake/%s", name);
        CHECK_OK(world_start(&w));
        if (n == 0) CHECK_OK(bucket_create(&w.store, STR("lake"), STR("root"), STR_NONE));
        CHECK_OK(meta_run(w.store.meta, drop_mark, NULL));
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        const enum err_code code = make(&w, name, location, put_mark, &info).code;
        if (kinds) has_struck = fault_disarm();
        w.store.meta = meta_close(w.store.meta);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(world_start(&w));
        const bool is_there = catalog_get(&w.store, str_from_z(name), w.arena, &info).code == ERR_OK;
        CHECK(is_there == has_mark(&w));
        if (code == ERR_OK) CHECK(is_there);
        if (code != ERR_OK && code != ERR_OUTCOME_UNKNOWN) CHECK(!is_there);
        world_stop(&w);
    }
}

TEST(a_catalog_and_its_roles_are_made_together_when_a_call_fails)
{
    sweep(FAULT_ALL);
}

TEST(a_catalog_and_its_roles_are_made_together_when_the_machine_stops)
{
    sweep(0);
}
