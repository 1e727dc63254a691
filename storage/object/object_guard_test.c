/*
 * object_guard_test.c - who takes an object away asks the guard, in the transaction, of what is there and of nothing else; a doubt is settled and asked again.
 */
#include "storage/object/object_guard.h"

#include <string.h>

#include "storage/base/thread.h"
#include "storage/object/object_copy.h"
#include "storage/object/object_delete.h"
#include "storage/object/upload_fixture_test.h"
#include "tests/unit/test.h"

/* The rule of this test: keys that begin with "kept" stay; with "doubt", nobody knows until it was settled; all others may go. */
static struct {
    int asked, settled;
    int doubts; /* how often a doubt comes back */
} seen;

static struct err rule_prefetch(struct txn *txn, struct str bucket)
{
    return txn_prefetch(txn, SPACE_SYSTEM, &bucket, 1);
}

static struct err rule_ask(struct object_guard *g, struct rows *r, struct str bucket, struct str key)
{
    struct object_info info;

    seen.asked++;
    CHECK_OK(object_stat(r, bucket, key, NULL, &info)); /* only of what is there */
    if (str_starts(key, STR("kept"))) return err_fail(ERR_IN_USE, "%.*s stays", STR_ARG(key));
    if (!str_starts(key, STR("doubt")) || seen.settled >= seen.doubts) return OK;
    g->is_in_doubt = true;
    memcpy(g->doubt, "it", sizeof("it"));
    return FAIL(ERR_BUSY, "who knows");
}

static struct err rule_settle(struct object_guard *g, struct store *s)
{
    CHECK(s != NULL && str_is(str_from_z(g->doubt), "it"));
    seen.settled++;
    return OK;
}

static const struct object_guard_rule rule = { rule_prefetch, rule_ask, rule_settle };

static void begin(struct fixture *f, struct object_guard *g, int doubts)
{
    fixture_open(f);
    memset(&seen, 0, sizeof(seen));
    seen.doubts = doubts;
    *g = (struct object_guard){ .rule = &rule };
}

static struct err put(struct fixture *f, struct object_guard *g, const char *key)
{
    struct object_put p = { .store = &f->store, .bucket = STR("bucket"), .key = str_from_z(key), .guard = g };

    return meta_run(f->store.meta, object_put_fn, &p);
}

static struct err delete (struct fixture *f, struct object_guard *g, const char *key)
{
    struct object_delete d = {
        .store = &f->store, .bucket = STR("bucket"), .key = str_from_z(key), .guard = g
    };

    return meta_run_freeing(f->store.meta, object_delete_fn, &d);
}

static struct err copy_onto(struct fixture *f, struct object_guard *g, const char *key)
{
    struct object_copy c = { .store = &f->store,
                             .source_bucket = STR("bucket"),
                             .source_key = STR("source"),
                             .bucket = STR("bucket"),
                             .key = str_from_z(key),
                             .guard = g };

    return object_copy(&c, f->arena);
}

static struct err complete_onto(struct fixture *f, struct object_guard *g, const char *key)
{
    const struct sent_part parts[] = { { 1, fixture_body(f, 7, 100) }, { 2, fixture_body(f, 8, 100) } };
    struct uid id;

    CHECK_OK(upload_begin(f, key, &id));
    CHECK_OK(upload_put_all(f, key, id, parts, 2));
    struct upload_complete c = upload_list_of(f, key, id, parts, 2);
    c.guard = g;
    return upload_complete(&c, f->arena);
}

static bool is_as_put(struct fixture *f, const char *key)
{
    struct str body;

    CHECK_OK(fixture_get(f, key, &body));
    return str_eq(body, fixture_body(f, 1, 10));
}

typedef struct err take_fn(struct fixture *f, struct object_guard *g, const char *key);
static take_fn *const ways[] = { put, delete, copy_onto, complete_onto };
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

TEST(whatever_would_take_it_away_is_refused_and_leaves_it_as_it_was)
{
    struct object_guard g;
    struct fixture f;

    begin(&f, &g, 0);
    CHECK_OK(fixture_put(&f, "kept", fixture_body(&f, 1, 10)));
    CHECK_OK(fixture_put(&f, "source", fixture_body(&f, 2, 10)));
    for (int i = 0; i < WAYS; i++) {
        const struct err e = ways[i](&f, &g, "kept");
        CHECK_ERR(e, ERR_IN_USE);
        CHECK_STR(str_from_z(e.why), STR("kept stays"));
        CHECK(is_as_put(&f, "kept"));
    }
    for (int i = 0; i < WAYS; i++) CHECK_OK(ways[i](&f, NULL, "kept")); /* who has no guard is not asked */
    fixture_done(&f);
}

TEST(what_is_not_there_is_not_asked_about)
{
    struct object_guard g;
    struct fixture f;

    begin(&f, &g, 0);
    CHECK_OK(fixture_put(&f, "source", fixture_body(&f, 2, 10)));
    CHECK_OK(put(&f, &g, "kept1"));
    CHECK_OK(delete (&f, &g, "kept2"));
    CHECK_OK(copy_onto(&f, &g, "kept3"));
    CHECK_OK(complete_onto(&f, &g, "kept4"));
    CHECK(seen.asked == 0);
    CHECK_ERR(delete (&f, &g, "kept3"), ERR_IN_USE);
    fixture_done(&f);
}

TEST(a_doubt_is_settled_and_then_decided)
{
    struct object_guard g;
    struct fixture f;

    begin(&f, &g, 3);
    CHECK_OK(fixture_put(&f, "source", fixture_body(&f, 2, 10)));
    CHECK_OK(fixture_put(&f, "doubt", fixture_body(&f, 1, 10)));
    CHECK_OK(copy_onto(&f, &g, "doubt"));
    CHECK(seen.settled == 3 && g.tries == 3 && !g.is_in_doubt);
    CHECK_OK(complete_onto(&f, &g, "doubt"));
    fixture_done(&f);
}

TEST(a_doubt_that_comes_back_forever_ends_as_busy)
{
    struct object_guard g;
    struct fixture f;

    begin(&f, &g, 1 << 20);
    CHECK_OK(fixture_put(&f, "source", fixture_body(&f, 2, 10)));
    CHECK_OK(fixture_put(&f, "doubt", fixture_body(&f, 1, 10)));
    CHECK_ERR(copy_onto(&f, &g, "doubt"), ERR_BUSY);
    CHECK(seen.settled < 100 && is_as_put(&f, "doubt"));
    fixture_done(&f);
}

TEST(of_many_each_has_its_own_outcome)
{
    struct object_guard g;
    struct fixture f;

    begin(&f, &g, 2);
    CHECK_OK(fixture_put(&f, "a", STR("1")));
    CHECK_OK(fixture_put(&f, "kept", fixture_body(&f, 1, 10)));
    CHECK_OK(fixture_put(&f, "kept2", STR("2")));
    CHECK_OK(fixture_put(&f, "doubt", STR("3")));
    struct delete_item items[] = {
        { .key = STR("a"), .guard = &g },     { .key = STR("kept"), .guard = &g },  { .key = STR("kept2") },
        { .key = STR("doubt"), .guard = &g }, { .key = STR("kept9"), .guard = &g },
    };
    CHECK_OK(object_delete_many(&f.store, STR("bucket"), items, 5, f.arena));
    for (int i = 0; i < 5; i++) CHECK((items[i].outcome.code == ERR_OK) == (i != 1));
    CHECK_ERR(items[1].outcome, ERR_IN_USE);
    CHECK_STR(str_from_z(items[1].outcome.why), STR("kept stays"));
    CHECK(seen.settled == 2 && is_as_put(&f, "kept") && fixture_count(&f, SPACE_OBJECTS) == 1);
    fixture_done(&f);
}
