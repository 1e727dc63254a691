/*
 * apply_test.c - requirements and updates as rows: metadata before, what is sent, what must be true after.
 */
#include "catalog/commit/apply.h"

#include <stdlib.h>

#include "catalog/commit/draft.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static json_t *parsed(const char *text)
{
    json_t *json = NULL;
    CHECK_OK(json_parse(str_from_z(text), &json));
    return json;
}

/* A schema of every nesting; ids as a client might number them. */
static const char schema_text[] =
    "{\"type\":\"struct\",\"schema-id\":7,\"identifier-field-ids\":[10],\"fields\":["
    "{\"id\":10,\"name\":\"id\",\"required\":true,\"type\":\"long\"},"
    "{\"id\":20,\"name\":\"tags\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":21,\"element\":\"string\",\"element-required\":true}},"
    "{\"id\":30,\"name\":\"m\",\"required\":false,\"type\":{\"type\":\"map\",\"key-id\":31,\"key\":\"string\",\"value-id\":32,\"value\":\"int\",\"value-required\":false}},"
    "{\"id\":40,\"name\":\"s\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":[{\"id\":41,\"name\":\"x\",\"required\":false,\"type\":\"double\"}]}},"
    "{\"id\":50,\"name\":\"day\",\"required\":false,\"type\":\"date\"}]}";

static json_t *new_table(const char *properties)
{
    CLEANUP(json_freep) json_t *schema = parsed(schema_text);
    CLEANUP(json_freep) json_t *props = parsed(properties);
    CLEANUP(json_freep)
    json_t *spec = parsed(
        "{\"spec-id\":3,\"fields\":[{\"source-id\":50,\"field-id\":7,\"name\":\"day_m\",\"transform\":\"month\"}]}");
    const struct table_create_parts parts = { .schema = schema,
                                              .partition_spec = spec,
                                              .properties = props,
                                              .location = STR("s3://b/t"),
                                              .now_ms = 1000 };
    json_t *table = NULL;

    CHECK_OK(apply_create_table(&parts, &table));
    return table;
}

static struct err commit(const json_t *base, const char *requirements, const char *updates, json_t **ret)
{
    CLEANUP(json_freep) json_t *r = parsed(requirements);
    CLEANUP(json_freep) json_t *u = parsed(updates);
    const struct apply_input in = { .kind = METADATA_TABLE,
                                    .base = base,
                                    .base_file = STR("s3://b/t/metadata/00000-x.metadata.json"),
                                    .requirements = r,
                                    .updates = u,
                                    .now_ms = 2000 };
    struct apply_output out = { 0 };

    TRY(apply_commit(&in, &out));
    *ret = out.metadata;
    return OK;
}

static json_t *committed(const json_t *base, const char *updates)
{
    json_t *after = NULL;
    CHECK_OK(commit(base, "[]", updates, &after));
    return after;
}

static int64_t number(const json_t *json, const char *field)
{
    return json_integer_value(json_object_get(json, field));
}

TEST(a_new_table_gets_fresh_ids_in_the_references_order)
{
    CLEANUP(json_freep) json_t *t = new_table("{}");
    const json_t *schema = json_array_get(json_object_get(t, "schemas"), 0);
    const json_t *fields = json_object_get(schema, "fields");
    const int64_t top[] = { 1, 2, 3, 4, 5 };

    for (size_t i = 0; i < 5; i++) CHECK_U64(number(json_array_get(fields, i), "id"), top[i]);
    CHECK_U64(number(json_object_get(json_array_get(fields, 1), "type"), "element-id"), 6);
    CHECK_U64(number(json_object_get(json_array_get(fields, 2), "type"), "key-id"), 7);
    CHECK_U64(number(json_object_get(json_array_get(fields, 2), "type"), "value-id"), 8);
    CHECK_U64(number(json_array_get(
                         json_object_get(json_object_get(json_array_get(fields, 3), "type"), "fields"), 0),
                     "id"),
              9);
    CHECK_U64(number(t, "last-column-id"), 9);
    CHECK_U64(number(t, "last-partition-id"), 1000);
    CHECK_U64(number(schema, "schema-id"), 0);
    CHECK_U64(json_integer_value(json_array_get(json_object_get(schema, "identifier-field-ids"), 0)), 1);
    const json_t *spec = json_array_get(json_object_get(t, "partition-specs"), 0);
    CHECK_U64(number(json_array_get(json_object_get(spec, "fields"), 0), "source-id"), 5);
    CHECK_U64(number(json_array_get(json_object_get(spec, "fields"), 0), "field-id"), 1000);
    CHECK_U64(number(t, "format-version"), 2);
    CHECK(number(t, "current-snapshot-id") == -1);
}

TEST(format_version_3_writes_null_for_no_snapshot_and_counts_rows)
{
    CLEANUP(json_freep) json_t *t = new_table("{\"format-version\":\"3\"}");

    CHECK_U64(number(t, "format-version"), 3);
    CHECK(json_is_null(json_object_get(t, "current-snapshot-id")));
    CHECK(json_is_integer(json_object_get(t, "next-row-id")));
    CHECK(!json_object_get(json_object_get(t, "properties"), "format-version"));
}

TEST(requirements_hold_or_say_why)
{
    static const struct {
        const char *requirement;
        enum err_code want;
    } rows[] = {
        { "{\"type\":\"assert-create\"}", ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-table-uuid\",\"uuid\":\"00000000-0000-0000-0000-000000000000\"}",
          ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-ref-snapshot-id\",\"ref\":\"main\",\"snapshot-id\":null}", ERR_OK },
        { "{\"type\":\"assert-ref-snapshot-id\",\"ref\":\"main\",\"snapshot-id\":5}", ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-ref-snapshot-id\",\"ref\":\"main\"}", ERR_INVALID },
        { "{\"type\":\"assert-last-assigned-field-id\",\"last-assigned-field-id\":9}", ERR_OK },
        { "{\"type\":\"assert-last-assigned-field-id\",\"last-assigned-field-id\":8}", ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-current-schema-id\",\"current-schema-id\":0}", ERR_OK },
        { "{\"type\":\"assert-current-schema-id\",\"current-schema-id\":1}", ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-last-assigned-partition-id\",\"last-assigned-partition-id\":1000}", ERR_OK },
        { "{\"type\":\"assert-default-spec-id\",\"default-spec-id\":1}", ERR_COMMIT_FAILED },
        { "{\"type\":\"assert-default-sort-order-id\",\"default-sort-order-id\":0}", ERR_OK },
        { "{\"type\":\"assert-view-uuid\",\"uuid\":\"x\"}", ERR_INVALID },
        { "{\"type\":\"assert-nothing\"}", ERR_INVALID },
        { "{}", ERR_INVALID },
        { "5", ERR_INVALID },
    };
    CLEANUP(json_freep) json_t *t = new_table("{}");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_freep) json_t *r = parsed(rows[i].requirement);
        const struct err e = requirement_check(METADATA_TABLE, t, r);
        if (e.code != rows[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s", rows[i].requirement,
                      err_name(rows[i].want), err_name(e.code));
    }
}

#define SNAPSHOT(id, seq, parent)                                                                            \
    "{\"action\":\"add-snapshot\",\"snapshot\":{\"snapshot-id\":" #id ",\"sequence-number\":" #seq parent    \
    ",\"timestamp-ms\":1500,\"manifest-list\":\"s3://b/t/m\","                                               \
    "\"summary\":{\"operation\":\"append\"},\"schema-id\":0}}"
#define MAIN(id)                                                                                             \
    "{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\",\"snapshot-id\":" #id "}"

TEST(adding_a_snapshot_moves_main_and_the_log)
{
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep) json_t *after = committed(t, "[" SNAPSHOT(11, 1, "") "," MAIN(11) "]");

    CHECK_U64(number(after, "current-snapshot-id"), 11);
    CHECK_U64(number(after, "last-sequence-number"), 1);
    CHECK_U64(number(json_array_get(json_object_get(after, "snapshot-log"), 0), "timestamp-ms"), 1500);
    CHECK_U64(json_array_size(json_object_get(after, "metadata-log")), 1);
    CHECK_U64(json_array_size(json_object_get(t, "snapshots")), 0); /* the base is untouched */
    CHECK_U64(number(after, "last-updated-ms"), 2000);
}

TEST(a_stale_sequence_number_is_a_conflict_and_not_a_bad_request)
{
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep) json_t *one = committed(t, "[" SNAPSHOT(11, 5, "") "," MAIN(11) "]");
    json_t *after = NULL;

    CHECK_ERR(commit(one, "[]", "[" SNAPSHOT(12, 5, ",\"parent-snapshot-id\":11") "]", &after),
              ERR_COMMIT_FAILED);
    CHECK_ERR(commit(one, "[]", "[" SNAPSHOT(11, 6, "") "]", &after), ERR_INVALID);
}

TEST(removing_snapshots_cuts_refs_statistics_and_history)
{
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep)
    json_t *one = committed(
        t,
        "[" SNAPSHOT(11, 1, "") "," MAIN(
            11) ",{\"action\":\"set-snapshot-ref\",\"ref-name\":\"old\",\"type\":\"tag\",\"snapshot-id\":11}"
                ",{\"action\":\"set-statistics\",\"statistics\":{\"snapshot-id\":11,\"statistics-path\":\"p\",\"file-size-in-bytes\":1,\"file-footer-size-in-bytes\":1,\"blob-metadata\":[]}}]");
    CLEANUP(json_freep)
    json_t *two = committed(one, "[" SNAPSHOT(12, 2, ",\"parent-snapshot-id\":11") "," MAIN(12) "]");
    CLEANUP(json_freep)
    json_t *after = committed(two, "[{\"action\":\"remove-snapshots\",\"snapshot-ids\":[11,99]}]");

    CHECK_U64(json_array_size(json_object_get(after, "snapshots")), 1);
    CHECK_U64(json_array_size(json_object_get(after, "statistics")), 0);
    CHECK(!json_object_get(json_object_get(after, "refs"), "old"));
    CHECK_U64(json_array_size(json_object_get(after, "snapshot-log")), 1);
    CHECK_U64(number(after, "current-snapshot-id"), 12);
}

TEST(schemas_evolve_only_as_readers_can_follow)
{
    static const struct {
        const char *field;
        enum err_code want;
    } rows[] = {
        { "{\"id\":9,\"name\":\"x\",\"required\":false,\"type\":\"int\"}",
          ERR_INVALID }, /* double -> int of a nested id is another kind here */
        { "{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"string\"}",
          ERR_INVALID }, /* long -> string */
        { "{\"id\":1,\"name\":\"renamed\",\"required\":true,\"type\":\"long\"}", ERR_OK },
        { "{\"id\":1,\"name\":\"id\",\"required\":false,\"type\":\"long\"}",
          ERR_OK }, /* required -> optional */
        { "{\"id\":5,\"name\":\"day\",\"required\":true,\"type\":\"date\"}",
          ERR_INVALID }, /* optional -> required */
        { "{\"id\":10,\"name\":\"new\",\"required\":false,\"type\":\"string\"}", ERR_OK },
        { "{\"id\":10,\"name\":\"new\",\"required\":true,\"type\":\"string\"}",
          ERR_INVALID }, /* files have no value for it */
    };
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep) json_t *one = committed(t, "[" SNAPSHOT(11, 1, "") "," MAIN(11) "]");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char updates[1024];
        json_t *after = NULL;
        const char *day = strstr(rows[i].field, "\"id\":5")
            ? ""
            : ",{\"id\":5,\"name\":\"day\",\"required\":false,\"type\":\"date\"}";
        (void)snprintf(
            updates, sizeof(updates),
            "[{\"action\":\"add-schema\",\"schema\":{\"type\":\"struct\",\"fields\":[%s%s]}},{\"action\":\"set-current-schema\",\"schema-id\":-1}]",
            rows[i].field, day);
        const struct err e = commit(one, "[]", updates, &after);
        json_decref(after);
        if (e.code != rows[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s (%s)", rows[i].field, err_name(rows[i].want),
                      err_name(e.code), e.why ? e.why : "");
    }
}

TEST(an_identical_schema_is_not_added_again)
{
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep)
    json_t *text = json_pack("[{s:s, s:O}, {s:s, s:i}]", "action", "add-schema", "schema",
                             json_array_get(json_object_get(t, "schemas"), 0), "action", "set-current-schema",
                             "schema-id", -1);
    const struct apply_input in = { .kind = METADATA_TABLE, .base = t, .updates = text, .now_ms = 5 };
    struct apply_output out;

    CHECK_OK(apply_commit(&in, &out));
    CHECK(!out.is_changed);
    json_decref(out.metadata);
}

TEST(bad_updates_are_refused_by_name)
{
    static const struct {
        const char *update;
        enum err_code want;
    } rows[] = {
        { "{\"action\":\"fly\"}", ERR_INVALID },
        { "{}", ERR_INVALID },
        { "[]", ERR_INVALID },
        { "{\"action\":\"set-current-schema\",\"schema-id\":-1}", ERR_INVALID },
        { "{\"action\":\"set-current-schema\",\"schema-id\":77}", ERR_INVALID },
        { "{\"action\":\"set-default-spec\",\"spec-id\":77}", ERR_INVALID },
        { "{\"action\":\"add-spec\",\"spec\":{\"fields\":[{\"source-id\":99,\"name\":\"p\",\"transform\":\"identity\"}]}}",
          ERR_INVALID },
        { "{\"action\":\"add-spec\",\"spec\":{\"fields\":[{\"source-id\":1,\"name\":\"p\",\"transform\":\"month\"}]}}",
          ERR_INVALID },
        { "{\"action\":\"add-spec\",\"spec\":{\"fields\":[{\"source-id\":1,\"name\":\"day\",\"transform\":\"bucket[4]\"}]}}",
          ERR_INVALID },
        { "{\"action\":\"add-spec\",\"spec\":{\"fields\":[{\"source-id\":1,\"name\":\"p\",\"transform\":\"bucket[0]\"}]}}",
          ERR_INVALID },
        { "{\"action\":\"remove-partition-specs\",\"spec-ids\":[0]}", ERR_INVALID },
        { "{\"action\":\"remove-schemas\",\"schema-ids\":[0]}", ERR_INVALID },
        { "{\"action\":\"upgrade-format-version\",\"format-version\":1}", ERR_INVALID },
        { "{\"action\":\"upgrade-format-version\",\"format-version\":4}", ERR_INVALID },
        { "{\"action\":\"set-snapshot-ref\",\"ref-name\":\"main\",\"type\":\"branch\",\"snapshot-id\":1}",
          ERR_INVALID },
        { "{\"action\":\"assign-uuid\",\"uuid\":\"00000000-0000-0000-0000-000000000000\"}", ERR_INVALID },
        { "{\"action\":\"set-properties\",\"updates\":{\"a\":1}}", ERR_INVALID },
        { "{\"action\":\"add-view-version\",\"view-version\":{}}", ERR_INVALID },
        { "{\"action\":\"remove-snapshot-ref\",\"ref-name\":\"absent\"}", ERR_OK },
        { "{\"action\":\"set-properties\",\"updates\":{\"a\":\"1\"}}", ERR_OK },
        { "{\"action\":\"remove-properties\",\"removals\":[\"absent\"]}", ERR_OK },
    };
    CLEANUP(json_freep) json_t *t = new_table("{}");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char updates[512];
        json_t *after = NULL;
        (void)snprintf(updates, sizeof(updates), "[%s]", rows[i].update);
        const struct err e = commit(t, "[]", updates, &after);
        json_decref(after);
        if (e.code != rows[i].want)
            test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s (%s)", rows[i].update,
                      err_name(rows[i].want), err_name(e.code), e.why ? e.why : "");
    }
}

TEST(the_tables_are_the_specifications)
{
    static const char *const updates[] = {
        "assign-uuid",
        "upgrade-format-version",
        "add-schema",
        "set-current-schema",
        "add-spec",
        "set-default-spec",
        "add-sort-order",
        "set-default-sort-order",
        "add-snapshot",
        "set-snapshot-ref",
        "remove-snapshots",
        "remove-snapshot-ref",
        "set-location",
        "set-properties",
        "remove-properties",
        "add-view-version",
        "set-current-view-version",
        "set-statistics",
        "remove-statistics",
        "set-partition-statistics",
        "remove-partition-statistics",
        "remove-partition-specs",
        "remove-schemas",
        "add-encryption-key",
        "remove-encryption-key",
    };
    size_t i;

    for (i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
        CHECK(update_name(i) && strcmp(update_name(i), updates[i]) == 0);
    CHECK(!update_name(i));
    for (i = 0; requirement_name(i);) i++;
    CHECK_U64(i, 9);
}

TEST(an_upgrade_from_version_1_brings_the_lists_and_leaves_the_legacy_fields)
{
    static const char v1[] =
        "{\"format-version\":1,\"table-uuid\":\"11111111-2222-3333-4444-555555555555\",\"location\":\"s3://b/t\",\"last-updated-ms\":1,\"last-column-id\":1,"
        "\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"}]},\"partition-spec\":[],\"properties\":{},"
        "\"current-snapshot-id\":-1,\"snapshots\":[],\"x-unknown\":{\"kept\":true}}";
    json_t *t = NULL;

    CHECK_OK(metadata_parse(METADATA_TABLE, str_from_z(v1), &t));
    CLEANUP(json_freep) json_t *base = t;
    CLEANUP(json_freep)
    json_t *same = committed(base, "[{\"action\":\"set-properties\",\"updates\":{\"a\":\"b\"}}]");
    CHECK(json_object_get(same, "schema") && json_object_get(same, "schemas"));
    CLEANUP(json_freep)
    json_t *after = committed(base, "[{\"action\":\"upgrade-format-version\",\"format-version\":2}]");
    CHECK(!json_object_get(after, "schema"));
    CHECK_U64(number(after, "last-sequence-number"), 0);
    CHECK(json_object_get(json_object_get(after, "x-unknown"), "kept") != NULL);
}

TEST(the_metadata_log_is_trimmed_to_what_the_table_asks_for)
{
    CLEANUP(json_freep)
    json_t *t = new_table(
        "{\"write.metadata.previous-versions-max\":\"1\",\"write.metadata.delete-after-commit.enabled\":\"true\"}");
    CLEANUP(json_freep)
    json_t *one = committed(t, "[{\"action\":\"set-properties\",\"updates\":{\"a\":\"1\"}}]");
    CLEANUP(json_freep) json_t *u = parsed("[{\"action\":\"set-properties\",\"updates\":{\"a\":\"2\"}}]");
    const struct apply_input in = { .kind = METADATA_TABLE,
                                    .base = one,
                                    .base_file = STR("s3://b/t/metadata/00001-y.metadata.json"),
                                    .updates = u,
                                    .now_ms = 3000 };
    struct apply_output out;

    CHECK_OK(apply_commit(&in, &out));
    CHECK_U64(json_array_size(json_object_get(out.metadata, "metadata-log")), 1);
    const json_t *kept = json_array_get(json_object_get(out.metadata, "metadata-log"), 0);
    CHECK_STR(json_str(json_object_get(kept, "metadata-file")),
              STR("s3://b/t/metadata/00001-y.metadata.json"));
    json_decref(out.metadata);
}

TEST(a_replaced_table_may_begin_with_another_schema_but_a_grown_one_may_not)
{
    static const char change[] =
        "{\"action\":\"add-schema\",\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":false,\"type\":\"string\"}]}},"
        "{\"action\":\"set-current-schema\",\"schema-id\":-1},{\"action\":\"add-spec\",\"spec\":{\"fields\":[]}},{\"action\":\"set-default-spec\",\"spec-id\":-1}";
    CLEANUP(json_freep) json_t *t = new_table("{}");
    CLEANUP(json_freep) json_t *one = committed(t, "[" SNAPSHOT(11, 1, "") "," MAIN(11) "]");
    char updates[2048];
    json_t *after = NULL;

    (void)snprintf(updates, sizeof(updates), "[%s]", change);
    CHECK_ERR(commit(one, "[]", updates, &after), ERR_INVALID);
    (void)snprintf(updates, sizeof(updates),
                   "[%s,{\"action\":\"remove-snapshot-ref\",\"ref-name\":\"main\"}]", change);
    CHECK_OK(commit(one, "[]", updates, &after));
    json_decref(after);
    /* To drop main and put the old snapshot back is no new beginning. */
    (void)snprintf(updates, sizeof(updates),
                   "[%s,{\"action\":\"remove-snapshot-ref\",\"ref-name\":\"main\"},%s]", change, MAIN(11));
    CHECK_ERR(commit(one, "[]", updates, &after), ERR_INVALID);
}

TEST(row_ids_do_not_overflow)
{
    CLEANUP(json_freep) json_t *t = new_table("{\"format-version\":\"3\"}");
    json_t *after = NULL;

    CHECK_ERR(commit(t, "[]",
                     "[" SNAPSHOT(11, 1, ",\"first-row-id\":9223372036854775807,\"added-rows\":1") "]",
                     &after),
              ERR_INVALID);
}
