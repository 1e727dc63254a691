/*
 * catalog_change_test.c - catalogs are made, changed and dropped: whole, by version, apart from one another, whichever call of the system fails.
 */
#include "catalog/commit/catalog.h"

#include <errno.h>

#include "catalog/commit/entity.h"
#include "catalog/commit/guarded.h"
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

/* ---- guarded places ---- */

static uint64_t guarded(struct world *w, const char *bucket, const char *key)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint64_t id = 0;

    CHECK_OK(view_open(w->store.meta, &view));
    CHECK_OK(guarded_find(view, str_from_z(bucket), str_from_z(key), &id));
    return id;
}

static struct err make_guarded(struct world *w, const char *name, const char *location, const char *guard,
                               struct catalog_info *ret)
{
    CLEANUP(json_freep)
    json_t *properties = json_pack("{s:s, s:s}", "default-base-location", location, GUARD_PROPERTY, guard);
    const struct catalog_new made = { .name = str_from_z(name), .properties = properties };

    return catalog_create(&w->store, &made, &who, w->arena, ret);
}

static void set_guard(struct world *w, struct catalog_info *c, const char *location, const char *guard)
{
    CLEANUP(json_freep)
    json_t *properties = json_pack("{s:s, s:s}", "default-base-location", location, GUARD_PROPERTY, guard);
    const struct catalog_change change = { .version = c->version,
                                           .properties = properties,
                                           .may_move = true };

    CHECK_OK(catalog_update(&w->store, c->name, &change, &who, w->arena, c));
}

TEST(a_place_is_guarded_as_long_as_its_catalog_says_so)
{
    struct world w = world();
    struct catalog_info a, b, c;

    CHECK_OK(bucket_create(&w.store, STR("pond"), STR("root"), STR_NONE));
    CHECK_OK(make_guarded(&w, "a", "s3://lake/a", "true", &a));
    CHECK_OK(make_guarded(&w, "b", "s3://lake/b/", "true", &b));
    CHECK_OK(make_guarded(&w, "c", "s3://lake/c", "false", &c));
    CHECK_U64(guarded(&w, "lake", "a/t/x"), a.id);
    CHECK_U64(guarded(&w, "lake", "b/t/x"), b.id);
    CHECK_U64(guarded(&w, "lake", "c/t/x"), 0);
    CHECK_U64(guarded(&w, "lake", "ab/x"), 0);
    CHECK_U64(guarded(&w, "pond", "a/t/x"), 0);
    set_guard(&w, &a, "s3://lake/a", "false");
    CHECK_U64(guarded(&w, "lake", "a/t/x"), 0);
    CHECK_U64(guarded(&w, "lake", "b/t/x"), b.id);
    set_guard(&w, &a, "s3://pond", "true"); /* moves, too */
    CHECK_U64(guarded(&w, "lake", "a/t/x"), 0);
    CHECK_U64(guarded(&w, "pond", "anything"), a.id);
    set_guard(&w, &a, "s3://lake/d", "true");
    CHECK_U64(guarded(&w, "pond", "anything"), 0);
    CHECK_U64(guarded(&w, "lake", "d/x"), a.id);
    CHECK_OK(catalog_drop(&w.store, STR("b"), NULL, &who));
    CHECK_U64(guarded(&w, "lake", "b/t/x"), 0);
    CHECK_OK(catalog_drop(&w.store, STR("a"), NULL, &who));
    CHECK_U64(guarded(&w, "lake", "d/x"), 0);
    world_stop(&w);
}

TEST(a_guard_is_on_or_off)
{
    struct world w = world();
    struct catalog_info c;

    const struct err e = make_guarded(&w, "a", "s3://lake/a", "yes", &c);
    CHECK_ERR(e, ERR_INVALID);
    CHECK(str_contains(str_from_z(e.why), STR(GUARD_PROPERTY)));
    world_stop(&w);
}

/* ---- faults of changing and dropping ---- */

/* The catalog's row and its guarded place say the same. */
static bool is_on(struct world *w, const char *name, bool *ret_is_there)
{
    struct catalog_info info;
    bool on = false;
    const struct err e = catalog_get(&w->store, str_from_z(name), w->arena, &info);

    CHECK(e.code == ERR_OK || e.code == ERR_NO_SUCH_WAREHOUSE);
    *ret_is_there = e.code == ERR_OK;
    if (*ret_is_there) CHECK_OK(guarded_by(info.properties, &on));
    CHECK((guarded(w, "lake", "a/x") != 0) == on);
    return on;
}

static enum err_code turn_on(struct world *w, const struct catalog_info *c)
{
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", GUARD_PROPERTY, "true");
    const struct catalog_change change = { .version = c->version, .properties = properties };
    struct catalog_info after;

    return catalog_update(&w->store, c->name, &change, &who, w->arena, &after).code;
}

static void check_outcome(enum err_code code, bool is_done)
{
    if (code != ERR_OUTCOME_UNKNOWN) CHECK((code == ERR_OK) == is_done);
}

static void sweep_change(unsigned kinds)
{
    bool has_struck = true, is_there = false;

    log_set_level(LOG_LEVEL_ERROR);
    for (uint64_t n = 0; has_struck; n++) {
        struct world w = world();
        struct catalog_info c;

        CHECK_OK(make_guarded(&w, "a", "s3://lake/a", "false", &c));
        if (kinds) fault_arm(kinds, n, EIO);
        else fault_arm_stop(n);
        const enum err_code changed = turn_on(&w, &c);
        const enum err_code dropped = catalog_drop(&w.store, STR("a"), NULL, &who).code;
        if (kinds) has_struck = fault_disarm();
        w.store.meta = meta_close(w.store.meta);
        if (!kinds) has_struck = fault_disarm();
        CHECK_OK(world_start(&w));
        const bool on = is_on(&w, "a", &is_there);
        check_outcome(dropped, !is_there);
        if (is_there) check_outcome(changed, on);
        world_stop(&w);
    }
}

TEST(a_catalog_is_changed_and_dropped_whole_when_a_call_fails)
{
    sweep_change(FAULT_ALL);
}

TEST(a_catalog_is_changed_and_dropped_whole_when_the_machine_stops)
{
    sweep_change(0);
}
