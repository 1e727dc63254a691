/*
 * walk_test.c - every table is met once, whatever the names, and while tables come and go.
 */
#include "catalog/maintain/walk.h"

#include "catalog/refs/lake_test.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "tests/unit/test.h"

static struct ns_path path_of(const char *text)
{
    struct ns_path path = { .count = 0 };
    struct str level;

    for (struct str_split it = str_split_on(str_from_z(text), '.'); str_split_next(&it, &level);)
        path.levels[path.count++] = level;
    return path;
}

static void make(struct lake *l, const char *catalog, const char *ns, const char *name)
{
    const struct ns_path path = path_of(ns);
    struct table_info info;
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", name, "schema", "type",
                                "struct", "fields", "id", 1, "name", "a", "required", 0, "type", "int");
    const struct err e = ns_create(&l->store, str_from_z(catalog), &path, NULL, &lake_actor);

    CHECK(e.code == ERR_OK || e.code == ERR_NAMESPACE_EXISTS);
    CHECK_OK(
        table_create(&l->store, str_from_z(catalog), &path, request, false, &lake_actor, l->arena, &info));
}

/* "catalog:ns.table" of each table that is met, with spaces between. */
static struct str walk_all(struct lake *l, struct walk *w)
{
    struct str met = STR("");
    struct walked t;
    bool found = true;

    for (;;) {
        CHECK_OK(walk_next(&l->store, w, l->arena, &t, &found));
        if (!found) return met;
        CHECK_U64(t.uuid.len, 36);
        met = arena_printf(l->arena, "%.*s%s%.*s:%.*s", STR_ARG(met), met.len ? " " : "", STR_ARG(t.catalog),
                           STR_ARG(table_ident_print(&t.ident, l->arena)));
    }
}

static void more_tables(struct lake *l)
{
    CHECK_OK(bucket_create(&l->store, STR("second"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&l->store, STR("second"), STR("s3://second"), &lake_actor));
    make(l, "second", "x", "b");
    make(l, "second", "x", "a");
    make(l, "lake", "empty", "gone");
    make(l, "lake", "n.inner", "t");
    make(l, "lake", "z", "t!");
    const struct table_ident gone = { .ns = path_of("empty"), .name = STR("gone") };
    CHECK_OK(table_drop(&l->store, STR("lake"), &gone, false, &lake_actor));
}

TEST(each_table_of_each_catalog_is_met_once_and_again_in_the_next_round)
{
    struct lake l;
    CLEANUP(walk_done) struct walk w = { .is_begun = false };

    lake_open(&l);
    more_tables(&l);
    for (int round = 0; round < 2; round++)
        CHECK_STR(walk_all(&l, &w), STR("lake:n.t lake:n.inner.t lake:z.t! second:x.a second:x.b"));
    lake_close(&l);
}

TEST(tables_and_namespaces_that_go_under_the_walk_do_not_end_it)
{
    struct lake l;
    CLEANUP(walk_done) struct walk w = { .is_begun = false };
    struct walked t;
    const struct ns_path n = path_of("n"), inner = path_of("n.inner");
    const struct table_ident first = lake_ident(), second = { .ns = inner, .name = STR("t") };
    bool found = false;

    lake_open(&l);
    more_tables(&l);
    CHECK_OK(walk_next(&l.store, &w, l.arena, &t, &found));
    CHECK(found);
    CHECK_OK(table_drop(&l.store, STR("lake"), &first, false, &lake_actor));
    CHECK_OK(table_drop(&l.store, STR("lake"), &second, false, &lake_actor));
    CHECK_OK(ns_drop(&l.store, STR("lake"), &inner, &lake_actor));
    CHECK_OK(ns_drop(&l.store, STR("lake"), &n, &lake_actor));
    CHECK_STR(walk_all(&l, &w), STR("lake:z.t! second:x.a second:x.b"));
    lake_close(&l);
}

TEST(a_store_without_tables_is_walked_at_once)
{
    struct lake l;
    CLEANUP(walk_done) struct walk w = { .is_begun = false };
    const struct table_ident t = lake_ident();

    lake_open(&l);
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, &lake_actor));
    CHECK_STR(walk_all(&l, &w), STR(""));
    lake_close(&l);
}
