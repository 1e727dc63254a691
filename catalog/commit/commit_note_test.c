/*
 * commit_note_test.c - what a commit says that it let go.
 */
#include "catalog/commit/commit_note.h"

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static json_t *parsed(const char *text)
{
    json_t *json = NULL;

    CHECK_OK(json_parse(str_from_z(text), &json));
    return json;
}

/* "l:s3://... s:..." */
static struct str printed(struct str names, struct arena *arena)
{
    struct str out = STR(""), url;
    enum commit_name kind;

    while (commit_name_next(&names, &kind, &url))
        out = arena_printf(arena, "%.*s%s%c:%.*s", STR_ARG(out), out.len ? " " : "", (char)kind,
                           STR_ARG(url));
    CHECK_U64(names.len, 0);
    return out;
}

TEST(a_commit_names_what_it_lets_go)
{
#define S(id) "{\"snapshot-id\":" #id ",\"manifest-list\":\"s3://b/l" #id "\"}"
    static const struct {
        const char *before, *after, *want;
    } rows[] = {
        { "{}", "{\"snapshots\":[" S(1) "]}", "" },
        { "{\"snapshots\":[" S(1) "]}", "{\"snapshots\":[" S(1) "," S(2) "]}", "" },
        { "{\"snapshots\":[" S(1) "," S(2) "]}", "{\"snapshots\":[" S(2) "]}", "l:s3://b/l1" },
        { "{\"snapshots\":[" S(1) "," S(2) "]}", "{}", "l:s3://b/l1 l:s3://b/l2" },
        { "{\"snapshots\":[{\"snapshot-id\":1,\"manifests\":[\"s3://b/m1\",\"s3://b/m2\"]}]}",
          "{\"snapshots\":[]}", "m:s3://b/m1 m:s3://b/m2" },
        { "{\"statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/p\"}]}",
          "{\"statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/q\"}]}", "s:s3://b/p" },
        { "{\"partition-statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/p\"}]}", "{}",
          "s:s3://b/p" },
        { "{\"statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/p\"}]}",
          "{\"statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/p\"}]}", "" },
    };
#undef S

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
        CLEANUP(json_freep) json_t *before = parsed(rows[i].before);
        CLEANUP(json_freep) json_t *after = parsed(rows[i].after);
        struct commit_dropped dropped;
        CHECK_OK(commit_dropped_of(before, after, arena, &dropped));
        CHECK(!dropped.is_more);
        CHECK_STR(printed(dropped.names, arena), str_from_z(rows[i].want));
        CHECK_OK(commit_dropped_of(NULL, after, arena, &dropped));
        CHECK_U64(dropped.names.len, 0);
    }
}

TEST(more_than_a_note_holds_is_said_to_be_more)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    CLEANUP(json_freep) json_t *before = json_pack("{s:[]}", "snapshots");
    CLEANUP(json_freep) json_t *after = json_object();
    struct commit_dropped dropped;

    json_t *list = json_object_get(before, "snapshots");

    for (int i = 0; i < 5000; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:s}", "snapshot-id", i, "manifest-list",
                                        "s3://bucket/table/metadata/snap-of-some-length.avro"));
    CHECK_OK(commit_dropped_of(before, after, arena, &dropped));
    CHECK(dropped.is_more && dropped.names.len == 0);
}

TEST(a_damaged_note_is_told)
{
    static const struct {
        struct str value;
        enum err_code want;
    } rows[] = {
        { STR("\1\0\3abc"), ERR_OK },      { STR("\1\1\0"), ERR_OK },
        { STR(""), ERR_CORRUPT },          { STR("\2\0\3abc"), ERR_CORRUPT },
        { STR("\1\4\3abc"), ERR_CORRUPT }, { STR("\1\0\4abc"), ERR_CORRUPT },
    };
    char key[COMMIT_NOTE_KEY] = { 0 };
    struct commit_note note;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_U64(commit_note_decode(str_of(key, sizeof(key)), rows[i].value, &note).code, rows[i].want);
    CHECK_ERR(commit_note_decode(STR("short"), rows[0].value, &note), ERR_CORRUPT);
}
