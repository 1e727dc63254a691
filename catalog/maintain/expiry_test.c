/*
 * expiry_test.c - E1 to E5 of expiry.h, in rows. Times are days; now is day 100.
 */
#include "catalog/maintain/expiry.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define DAY 86400000LL

/* "ID<PARENT@DAY ..." without "<PARENT" for the first. */
static json_t *snapshots_of(const char *text)
{
    json_t *list = json_array();
    struct str piece;

    for (struct str_split it = str_split_on(str_from_z(text), ' '); str_split_next(&it, &piece);) {
        struct str id, parent;
        uint64_t day, number;
        const struct str when = str_cut(piece, '@', &id);
        if (id.len == 0) continue;
        json_t *snapshot = json_object();
        const struct str behind = str_cut(id, '<', &parent);
        CHECK(str_to_u64(when, &day) && str_to_u64(parent, &number));
        json_object_set_new(snapshot, "snapshot-id", json_integer((json_int_t)number));
        json_object_set_new(snapshot, "timestamp-ms", json_integer((json_int_t)day * DAY));
        if (behind.len && str_to_u64(behind, &number))
            json_object_set_new(snapshot, "parent-snapshot-id", json_integer((json_int_t)number));
        json_array_append_new(list, snapshot);
    }
    return list;
}

static const struct expiry_case {
    const char *what, *snapshots, *refs, *properties;
    int64_t older_days, keep; /* -1: not given */
    const char *removed;      /* ids, then refs behind a '-'; "!": refused */
} cases[] = {
    { "no snapshots", "", "{}", "{}", 0, 1, "" },
    { "the head stays whatever its age", "1@1 2<1@2 3<2@3",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}", "{}", 0, 1, "1 2" },
    { "young ones stay", "1@10 2<1@95 3<2@99", "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}", "{}", 7,
      1, "1" },
    { "exactly of that age stays", "1@93 2<1@99", "{\"main\":{\"snapshot-id\":2,\"type\":\"branch\"}}", "{}",
      7, 1, "" },
    { "keep counts from the head", "1@1 2<1@2 3<2@3 4<3@4",
      "{\"main\":{\"snapshot-id\":4,\"type\":\"branch\"}}", "{}", 0, 3, "1" },
    { "five days and one are the defaults", "1@1 2<1@94 3<2@96 4<3@97",
      "{\"main\":{\"snapshot-id\":4,\"type\":\"branch\"}}", "{}", -1, -1, "1 2" },
    { "the table's properties come before them", "1@1 2<1@50 3<2@96",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}",
      "{\"history.expire.max-snapshot-age-ms\":\"5184000000\"}", -1, -1, "1" },
    { "flags come before the properties", "1@1 2<1@50 3<2@96",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}",
      "{\"history.expire.min-snapshots-to-keep\":\"3\"}", 0, 2, "1" },
    { "a wrong property is told", "1@1", "{}", "{\"history.expire.min-snapshots-to-keep\":\"many\"}", -1, -1,
      "!" },
    { "a tag keeps its own and not what is before", "1@1 2<1@2 3<2@3",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"},\"t\":{\"snapshot-id\":2,\"type\":\"tag\"}}", "{}",
      0, 1, "1" },
    { "a branch's own retention is stronger than flags", "1@1 2<1@2 3<2@3 4<3@4",
      "{\"main\":{\"snapshot-id\":4,\"type\":\"branch\",\"min-snapshots-to-keep\":3}}", "{}", 0, 1, "1" },
    { "a branch's own age too", "1@1 2<1@60 3<2@90",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\",\"max-snapshot-age-ms\":4320000000}}", "{}", 0, 1,
      "1" },
    { "each branch keeps its own", "1@1 2<1@2 3<2@3 4<2@4 5<4@5",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"},\"b\":{\"snapshot-id\":5,\"type\":\"branch\",\"min-snapshots-to-keep\":2}}",
      "{}", 0, 1, "1 2" },
    { "a gap in age ends the branch's history", "1@99 2<1@10 3<2@99",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}", "{}", 7, 1, "1 2" },
    { "a loose one stays while it is young", "1@1 2@99 3<1@99",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}", "{}", 7, 1, "1" },
    { "and goes when it is old", "1@50 3@99", "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"}}", "{}", 7,
      1, "1" },
    { "a parent that is gone ends the walk", "5<4@1 6<5@2",
      "{\"main\":{\"snapshot-id\":6,\"type\":\"branch\"}}", "{}", 0, 1, "5" },
    { "a circle ends", "1<2@1 2<1@2", "{\"main\":{\"snapshot-id\":2,\"type\":\"branch\"}}", "{}", 0, 1, "1" },
    { "gc.enabled=false is refused", "1@1 2<1@2", "{\"main\":{\"snapshot-id\":2,\"type\":\"branch\"}}",
      "{\"gc.enabled\":\"false\"}", 0, 1, "!" },
    { "an old tag goes when the table says so, and its snapshot with it", "1@1 2<1@2 3<2@99",
      "{\"main\":{\"snapshot-id\":3,\"type\":\"branch\"},\"t\":{\"snapshot-id\":1,\"type\":\"tag\"}}",
      "{\"history.expire.max-ref-age-ms\":\"864000000\"}", 0, 1, "1 2 -t" },
    { "a ref's own age is stronger than the table's", "1@1 2<1@99",
      "{\"main\":{\"snapshot-id\":2,\"type\":\"branch\"},\"t\":{\"snapshot-id\":1,\"type\":\"tag\",\"max-ref-age-ms\":86400000000}}",
      "{\"history.expire.max-ref-age-ms\":\"1\"}", 0, 1, "" },
    { "refs have no age of their own by default", "1@1 2<1@99",
      "{\"main\":{\"snapshot-id\":2,\"type\":\"branch\"},\"t\":{\"snapshot-id\":1,\"type\":\"tag\"}}", "{}",
      0, 1, "" },
    { "main is never too old", "1@1", "{\"main\":{\"snapshot-id\":1,\"type\":\"branch\"}}",
      "{\"history.expire.max-ref-age-ms\":\"1\"}", 0, 1, "" },
    { "a ref to nothing goes", "1@1",
      "{\"main\":{\"snapshot-id\":1,\"type\":\"branch\"},\"b\":{\"snapshot-id\":9,\"type\":\"branch\"}}",
      "{}", 0, 1, "-b" },
    { "a ref without a type is refused", "1@1", "{\"main\":{\"snapshot-id\":1}}", "{}", 0, 1, "!" },
};

static void check_case(const struct expiry_case *c)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    CLEANUP(json_freep) json_t *metadata = json_object();
    const struct expiry_rule rule = { 100 * DAY, c->older_days < 0 ? -1 : c->older_days * DAY, c->keep };
    struct expiry_choice choice = { .count = 0 };
    json_t *refs, *properties;

    CHECK_OK(json_parse(str_from_z(c->refs), &refs));
    CHECK_OK(json_parse(str_from_z(c->properties), &properties));
    json_object_set_new(metadata, "snapshots", snapshots_of(c->snapshots));
    json_object_set_new(metadata, "refs", refs);
    json_object_set_new(metadata, "properties", properties);
    const struct err e = expiry_select(metadata, &rule, arena, &choice);
    struct str got = STR("");
    if (e.code == ERR_INVALID) got = STR("!");
    else CHECK_OK(e);
    for (size_t i = 0; i < choice.count; i++)
        got = arena_printf(arena, "%.*s%s%lld", STR_ARG(got), i ? " " : "", (long long)choice.ids[i]);
    for (size_t i = 0; i < choice.ref_count; i++)
        got = arena_printf(arena, "%.*s%s-%s", STR_ARG(got), got.len ? " " : "", choice.refs[i]);
    if (!str_is(got, c->removed))
        test_fail(__FILE__, __LINE__, "%s: removed '%.*s', not '%s'", c->what, STR_ARG(got), c->removed);
}

TEST(expiry_keeps_what_the_rules_keep)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) check_case(&cases[i]);
}

TEST(old_metadata_without_refs_keeps_its_current_snapshot)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    CLEANUP(json_freep)
    json_t *metadata = json_pack("{s:o, s:i}", "snapshots", snapshots_of("1@1 2<1@2"), "current-snapshot-id",
                                 2);
    const struct expiry_rule rule = { 100 * DAY, 0, 1 };
    struct expiry_choice choice;

    CHECK_OK(expiry_select(metadata, &rule, arena, &choice));
    CHECK(choice.count == 1 && choice.ids[0] == 1);
}

TEST(only_what_somebody_set_is_asked_for)
{
    static const struct {
        const char *metadata;
        bool want;
    } rows[] = {
        { "{\"properties\":{},\"refs\":{\"main\":{\"snapshot-id\":1,\"type\":\"branch\"}}}", false },
        { "{\"properties\":{\"history.expire.min-snapshots-to-keep\":\"3\"}}", true },
        { "{\"properties\":{\"history.expire.max-ref-age-ms\":\"3\"}}", true },
        { "{\"refs\":{\"b\":{\"snapshot-id\":1,\"type\":\"branch\",\"max-ref-age-ms\":5}}}", true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *metadata = NULL;
        CHECK_OK(json_parse(str_from_z(rows[i].metadata), &metadata));
        if (expiry_is_asked_for(metadata) != rows[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted %d", rows[i].metadata, rows[i].want);
        json_decref(metadata);
    }
}

TEST(the_updates_take_refs_out_before_snapshots)
{
    const int64_t ids[] = { 7, 8 };
    const char *refs[] = { "t" };
    const struct expiry_choice choice = { .ids = ids, .count = 2, .refs = refs, .ref_count = 1 };
    CLEANUP(json_freep) json_t *updates = expiry_updates(&choice);
    struct buf out;

    buf_init(&out, 4096);
    CHECK_OK(json_print(updates, &out));
    CHECK_STR(buf_view(&out),
              STR("[{\"action\":\"remove-snapshot-ref\",\"ref-name\":\"t\"},"
                  "{\"action\":\"remove-snapshots\",\"snapshot-ids\":[7,8]}]"));
    buf_done(&out);
}
