/* s3_json_test.c - SeaweedFS' files are read as they are, and nothing else is. */
#include "admin/iam/s3_json.h"

#include "admin/iam/fixture_test.h"

static struct arena *arena;

static struct err parse(const char *text, struct identities *ret)
{
    if (!arena) arena = arena_new(8 << 20);
    return s3_json_parse(str_from_z(text), arena, ret);
}

/* Seed 003's own file. */
TEST(the_file_of_the_seed_is_read)
{
    struct identities all;

    CHECK_OK(parse(
        "{\n  \"identities\": [\n    {\n      \"name\": \"lakehouse-admin\",\n      \"credentials\": [\n"
        "        {\n          \"accessKey\": \"lakehouse_key\",\n          \"secretKey\": \"lakehouse_secret\"\n"
        "        }\n      ],\n      \"actions\": [\"Read\", \"Write\", \"List\", \"Tagging\", \"Admin\"]\n    }\n  ]\n}\n",
        &all));
    CHECK_U64(all.principal_count, 1);
    CHECK_U64(all.key_count, 1);
    CHECK_STR(all.principals[0].name, STR("lakehouse-admin"));
    CHECK_U64(all.principals[0].grant_count, 5);
    CHECK_STR(all.keys[0].id, STR("lakehouse_key"));
    CHECK_STR(all.keys[0].secrets.items[0], STR("lakehouse_secret"));
    CHECK(all.keys[0].owner == &all.principals[0]);
}

TEST(accounts_and_an_anonymous_identity_are_read)
{
    struct identities all;

    CHECK_OK(parse(
        "{\"identities\":[{\"name\":\"anonymous\",\"actions\":[\"Read:public\"]},"
        "{\"name\":\"a\",\"credentials\":[],\"actions\":[],\"account\":{\"id\":\"1\",\"displayName\":\"x\"}}],"
        "\"accounts\":[{\"id\":\"1\",\"displayName\":\"x\",\"emailAddress\":\"x@y\"}]}",
        &all));
    CHECK_U64(all.principal_count, 2);
    CHECK_U64(all.key_count, 0);
}

/* s3.md 11: such a file opened SeaweedFS to the world. */
TEST(an_empty_file_is_nobody)
{
    static const char *const texts[] = { "", " \n\t", "{}", "{\"identities\":[]}", "{\"identities\":null}" };
    struct identities all;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK_OK(parse(texts[i], &all));
        CHECK_U64(all.principal_count, 0);
        CHECK_U64(all.key_count, 0);
    }
}

#define ONE(members) "{\"identities\":[{\"name\":\"a\"," members "}]}"

TEST(g3_an_unknown_word_is_an_error_that_names_it)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        { "{\"identitys\":[]}", "'identitys'" },
        { "[]", "the file must be an object" },
        { "{\"identities\":{}}", "'identities'" },
        { "{\"identities\":[1]}", "identities[0]" },
        { "{\"identities\":[{}]}", "'name'" },
        { "{\"identities\":[{\"name\":\"\"}]}", "a name has" },
        { "{\"identities\":[{\"name\":\"a b\"}]}", "a name has" },
        { "{\"identities\":[{\"name\":\"root\"}]}", "'root'" },
        { "{\"identities\":[{\"name\":\"b\"},{\"name\":\"a\",\"action\":[]}]}",
          "identities[1] (a): unknown field 'action'" },
        { ONE("\"actions\":[\"read\"]"), "unknown action 'read'" },
        { ONE("\"actions\":[\"Reed:b\"]"), "unknown action 'Reed:b'" },
        { ONE("\"actions\":[\"Read:\"]"), "names no bucket" },
        { ONE("\"actions\":[\"Read:/x\"]"), "names no bucket" },
        { ONE("\"actions\":[\"Read:b/\"]"), "names no key" },
        { ONE("\"actions\":[\"Read:b*\"]"), "'*'" },
        { ONE("\"actions\":[\"Read:*\"]"), "'*'" },
        { ONE("\"actions\":[\"Read:b/x*y\"]"), "'*'" },
        { ONE("\"actions\":[\"Read:b/x**\"]"), "'*'" },
        { ONE("\"actions\":[\"Read:b/x?\"]"), "'*'" },
        { ONE("\"actions\":[1]"), "an action must be a string" },
        { ONE("\"actions\":\"Read\""), "'actions'" },
        { ONE("\"disabled\":true"), "'disabled'" },
        { ONE("\"credentials\":[{\"accessKey\":\"k\"}]"), "'secretKey'" },
        { ONE("\"credentials\":[{\"secretKey\":\"k\"}]"), "'accessKey'" },
        { ONE("\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"\"}]"), "secretKey" },
        { ONE("\"credentials\":[{\"accessKey\":\"k,k\",\"secretKey\":\"s\"}]"), "accessKey" },
        { ONE("\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"s\",\"status\":\"Inactive\"}]"),
          "'status'" },
        { ONE("\"account\":{\"id\":1}"), "'id'" },
        { ONE("\"account\":{\"ID\":\"1\"}"), "'ID'" },
        { "{\"identities\":[{\"name\":\"a\",\"name\":\"b\"}]}", "JSON" },
        { "{\"accounts\":[{\"x\":\"\"}]}", "'x'" },
        { "{\"identities\":[{\"name\":\"anonymous\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"s\"}]}]}",
          "unsigned" },
        { "{\"identities\":[", "line 1" },
    };
    struct identities all;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = parse(rows[i].text, &all);
        if (e.code != ERR_INVALID || !strstr(e.why, rows[i].named))
            test_fail(__FILE__, __LINE__, "%s: %s (%s)", rows[i].text, err_name(e.code), e.why ? e.why : "");
    }
}

TEST(no_error_of_the_file_shows_a_secret)
{
    static const char *const texts[] = {
        ONE("\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"hidden\",\"x\":1}]"),
        ONE("\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"hidden\"},{\"accessKey\":\"\",\"secretKey\":\"hidden\"}]"),
        ONE("\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"hidden\"}],\"actions\":[\"x\"]"),
    };
    struct identities all;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct err e = parse(texts[i], &all);
        CHECK_ERR(e, ERR_INVALID);
        CHECK(!strstr(e.why, "hidden"));
    }
}

TEST(actions_have_four_scopes)
{
    static const struct {
        const char *text;
        unsigned action;
        enum grant_scope scope;
        const char *bucket, *key;
    } rows[] = {
        { "Read", ACTION_READ, GRANT_EVERYWHERE, "", "" },
        { "Admin", ACTION_ADMIN, GRANT_EVERYWHERE, "", "" },
        { "List:b", ACTION_LIST, GRANT_BUCKET, "b", "" },
        { "Write:b/*", ACTION_WRITE, GRANT_PREFIX, "b", "" },
        { "Tagging:b/p/q*", ACTION_TAGGING, GRANT_PREFIX, "b", "p/q" },
        { "ReadAcp:b/p:q", ACTION_READ_ACP, GRANT_KEY, "b", "p:q" },
        { "WriteAcp:b/p/", ACTION_WRITE_ACP, GRANT_KEY, "b", "p/" },
    };
    struct grant g;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_OK(s3_json_grant(str_from_z(rows[i].text), &g));
        CHECK_U64(g.action, rows[i].action);
        CHECK_U64(g.scope, rows[i].scope);
        CHECK_STR(g.bucket, str_from_z(rows[i].bucket));
        CHECK_STR(g.key, str_from_z(rows[i].key));
    }
}
