/* audit_test.c - what is told of a change: as much as there is room for, and of every kind something. */
#include "catalog/commit/audit.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static size_t printed(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_COMPACT);
}

static json_t *updates_of(const char *text)
{
    json_t *json = NULL;

    CHECK_OK(json_parse(str_from_z(text), &json));
    return json;
}

/* n property keys of that length. */
static json_t *many_keys(int n, int length)
{
    json_t *keys = json_object();
    char key[4096];

    for (int i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "%d%0*d", i, length, i);
        CHECK(json_object_set_new(keys, key, json_string("v")) == 0);
    }
    return keys;
}

static json_int_t number(const json_t *details, const char *object, const char *field)
{
    return json_integer_value(json_object_get(json_object_get(details, object), field));
}

TEST(a_commit_is_told_by_names_and_numbers)
{
    CLEANUP(json_freep)
    json_t *updates = updates_of(
        "[{\"action\":\"add-snapshot\",\"snapshot\":{\"snapshot-id\":7,\"summary\":{\"operation\":\"append\",\"x\":\"hidden\"}}},"
        "{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\",\"snapshot-id\":7},"
        "{\"action\":\"set-properties\",\"updates\":{\"k\":\"hidden\"}},"
        "{\"action\":\"remove-snapshots\",\"snapshot-ids\":[1,2]},"
        "{\"action\":\"add-schema\",\"schema\":{\"doc\":\"hidden\"}}]");
    CLEANUP(json_freep) json_t *details = audit_of_updates(updates, LIMIT_AUDIT_TOLD);
    char *text = json_dumps(details, JSON_COMPACT);

    CHECK_STR(
        str_from_z(text),
        STR("{\"update-count\":5,\"actions\":{\"add-snapshot\":1,\"set-snapshot-ref\":1,\"set-properties\":1,"
            "\"remove-snapshots\":1,\"add-schema\":1},\"updates\":["
            "{\"action\":\"add-snapshot\",\"snapshot-id\":7,\"operation\":\"append\"},"
            "{\"action\":\"set-snapshot-ref\",\"snapshot-id\":7,\"ref-name\":\"main\"},"
            "{\"action\":\"set-properties\",\"keys\":[\"k\"]},"
            "{\"action\":\"remove-snapshots\",\"snapshot-ids\":[1,2]},{\"action\":\"add-schema\"}]}"));
    free(text);
}

TEST(bug_one_long_name_hid_what_else_a_commit_did)
{
    static const struct {
        int updates, keys, length;
    } rows[] = { { 1, 1, 4000 }, { 1, 3000, 300 }, { 500, 1, 10 }, { 60, 100, 300 }, { 1, 1, 1 } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_freep) json_t *updates = json_array();
        CLEANUP(json_freep) json_t *keys = many_keys(rows[i].keys, rows[i].length);
        for (int n = 0; n < rows[i].updates; n++) {
            CHECK(json_array_append_new(updates,
                                        json_pack("{s:s, s:O}", "action", "set-properties", "updates", keys))
                  == 0);
        }
        CHECK(json_array_append_new(
                  updates, json_pack("{s:s, s:[i]}", "action", "remove-snapshots", "snapshot-ids", 1))
              == 0);
        for (size_t room = 1024; room <= LIMIT_AUDIT_TOLD; room += LIMIT_AUDIT_TOLD - 1024) {
            CLEANUP(json_freep) json_t *details = audit_of_updates(updates, room);
            CHECK_U64(number(details, "actions", "set-properties"), rows[i].updates);
            CHECK_U64(number(details, "actions", "remove-snapshots"), 1);
            CHECK(json_array_size(json_object_get(details, "updates")) >= 1);
            CHECK(printed(details) < LIMIT_AUDIT_DETAILS);
            CHECK(room > 1024 || printed(details) < 3 * KIB);
        }
    }
}

TEST(names_that_are_left_out_are_counted)
{
    CLEANUP(json_freep) json_t *many = many_keys(2000, 10), *long_ones = many_keys(99, 600);
    CLEANUP(json_freep) json_t *a = audit_of_properties(many);
    CLEANUP(json_freep) json_t *b = audit_of_properties(long_ones);
    CLEANUP(json_freep) json_t *lists = json_pack("{s:O, s:O, s:[s]}", "a", many, "b", long_ones, "c", "x");
    CLEANUP(json_freep) json_t *c = audit_of_lists(lists);

    CHECK_U64(json_array_size(json_object_get(a, "properties")), LIMIT_AUDIT_NAMES);
    CHECK_U64(json_integer_value(json_object_get(a, "more")), 2000 - LIMIT_AUDIT_NAMES);
    const size_t told = json_array_size(json_object_get(b, "properties"));
    CHECK(told > 10);
    CHECK_U64(json_integer_value(json_object_get(b, "more")), 99 - told);
    CHECK_U64(json_string_length(json_array_get(json_object_get(b, "properties"), 0)), LIMIT_AUDIT_NAME);
    CHECK(json_array_size(json_object_get(c, "a")) == LIMIT_AUDIT_NAMES);
    CHECK(printed(c) < LIMIT_AUDIT_DETAILS);
}

TEST(a_name_is_cut_between_characters)
{
    char key[LIMIT_AUDIT_NAME + 8];

    memset(key, 'x', sizeof(key));
    (void)snprintf(key + LIMIT_AUDIT_NAME - 1, 4, "\xc3\xa9z");
    CLEANUP(json_freep) json_t *keys = json_pack("{s:s}", key, "v");
    CLEANUP(json_freep) json_t *details = audit_of_properties(keys);
    CHECK_U64(json_string_length(json_array_get(json_object_get(details, "properties"), 0)),
              LIMIT_AUDIT_NAME - 1);
}
