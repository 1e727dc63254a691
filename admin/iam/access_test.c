/* access_test.c - who may do what; every row of the table, and the ways round it that are closed. */
#include "admin/iam/access.h"

#include "admin/iam/fixture_test.h"

#define IDENTITY(name, actions) "{\"name\":\"" name "\",\"actions\":[" actions "]}"

static struct iam *people(void)
{
    return iam_with(
        "{\"identities\":[" IDENTITY("anonymous", "\"Read:public\"") "," IDENTITY("reader", "\"Read\"") "," IDENTITY("writer", "\"Write\"") "," IDENTITY("lister", "\"List\"") "," IDENTITY(
            "tagger",
            "\"Tagging\"") "," IDENTITY("admin",
                                        "\"Admin\"") "," IDENTITY("owner",
                                                                  "\"Admin:bucket1\"") "," IDENTITY("one",
                                                                                                    "\"Read:bucket1\",\"Write:bucket1\",\"List:bucket1\"") "," IDENTITY("prefix",
                                                                                                                                                                        "\"Read:b/p/*\",\"List:b/p/*\",\"Write:b/q/only\"") "," IDENTITY("nothing",
                                                                                                                                                                                                                                         "") "]}");
}

static bool may(const struct caller *who, enum permission what, const char *bucket, const char *key)
{
    const struct err e = access_check(who, what, str_from_z(bucket), str_from_z(key));

    CHECK(e.code == ERR_OK || e.code == ERR_DENIED);
    return e.code == ERR_OK;
}

/* One letter a permission, in the enum's order: x may, - may not. */
TEST(each_action_opens_its_own_row)
{
    static const struct {
        const char *name, *may;
    } rows[] = {
        /*          Public ListB CrB DelB List Read Write Del RTag WTag RCfg WCfg RAcl Status */
        { "root", "xxxxxxxxxxxxxx" },   { "admin", "xxxxxxxxxxxxxx" },   { "owner", "xxxxxxxxxxxxx-" },
        { "reader", "xx---x--x-----" }, { "writer", "xx----xx------" },  { "lister", "xx--x-----x---" },
        { "tagger", "xx------xx----" }, { "nothing", "x-------------" }, { "one", "xx--xxxxx-x---" },
    };
    struct iam *iam = people();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct caller who = caller_of(iam, rows[i].name);
        CHECK_U64(strlen(rows[i].may), PERM_COUNT);
        for (int p = 0; p < PERM_COUNT; p++) {
            const bool has_place = p != PERM_LIST_BUCKETS && p != PERM_SERVER_STATUS;
            const bool is_allowed = may(&who, (enum permission)p, has_place ? "bucket1" : "",
                                        has_place ? "k" : "");
            if (is_allowed != (rows[i].may[p] == 'x'))
                test_fail(__FILE__, __LINE__, "%s: %s is %d", rows[i].name,
                          permission_name((enum permission)p), is_allowed);
        }
    }
    iam_close(iam);
}

TEST(nobody_may_do_nothing)
{
    const struct caller nobody = { .is_anonymous = true };

    for (int p = PERM_PUBLIC + 1; p < PERM_COUNT; p++) CHECK(!may(&nobody, (enum permission)p, "b", "k"));
    CHECK(may(&nobody, PERM_PUBLIC, "", ""));
    CHECK(!access_sees_bucket(&nobody, STR("b")));
}

TEST(c7_names_of_buckets_match_whole)
{
    static const char *const others[] = { "bucket2", "bucket10", "bucket1x", "bucket",
                                          "Bucket1", "bucket1/", "" };
    struct iam *iam = people();
    const struct caller one = caller_of(iam, "one"), owner = caller_of(iam, "owner");

    CHECK(may(&one, PERM_READ, "bucket1", "k"));
    CHECK(access_sees_bucket(&one, STR("bucket1")));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        for (int p = PERM_CREATE_BUCKET; p < PERM_COUNT; p++) {
            CHECK(!may(&one, (enum permission)p, others[i], "k"));
            CHECK(!may(&owner, (enum permission)p, others[i], "k"));
        }
        CHECK(!access_sees_bucket(&one, str_from_z(others[i])));
    }
    iam_close(iam);
}

TEST(keys_match_by_prefix_or_whole)
{
    static const struct {
        enum permission what;
        const char *bucket, *key;
        bool is_allowed;
    } rows[] = {
        { PERM_READ, "b", "p/x", true },     { PERM_READ, "b", "p/", true },
        { PERM_READ, "b", "p", false },      { PERM_READ, "b", "px", false },
        { PERM_READ, "c", "p/x", false },    { PERM_READ, "b", "P/x", false },
        { PERM_LIST, "b", "p/", true },      { PERM_LIST, "b", "p/deep/", true },
        { PERM_LIST, "b", "", false },       { PERM_LIST, "b", "p", false },
        { PERM_WRITE, "b", "q/only", true }, { PERM_WRITE, "b", "q/only2", false },
        { PERM_WRITE, "b", "q/onl", false }, { PERM_DELETE, "b", "q/only", true },
        { PERM_WRITE, "b", "p/x", false },   { PERM_READ_CONFIG, "b", "", false },
    };
    struct iam *iam = people();
    const struct caller who = caller_of(iam, "prefix");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (may(&who, rows[i].what, rows[i].bucket, rows[i].key) != rows[i].is_allowed)
            test_fail(__FILE__, __LINE__, "%s %s/%s", permission_name(rows[i].what), rows[i].bucket,
                      rows[i].key);
    }
    CHECK(access_sees_bucket(&who, STR("b")));
    iam_close(iam);
}

/* C16: public reading gives objects, and neither listings nor configurations. */
TEST(c16_an_anonymous_reader_reads_objects_alone)
{
    struct iam *iam = people();
    const struct caller who = { .principal = directory_anonymous(directory_of(iam)), .is_anonymous = true };

    CHECK(may(&who, PERM_READ, "public", "k"));
    CHECK(may(&who, PERM_READ_TAGS, "public", "k"));
    CHECK(!may(&who, PERM_READ, "private", "k"));
    CHECK(!may(&who, PERM_LIST_BUCKETS, "", ""));
    CHECK(!may(&who, PERM_LIST, "public", ""));
    CHECK(!may(&who, PERM_READ_CONFIG, "public", ""));
    CHECK(!may(&who, PERM_READ_ACL, "public", "k"));
    CHECK(!may(&who, PERM_WRITE, "public", "k"));
    CHECK(!may(&who, PERM_DELETE, "public", "k"));
    iam_close(iam);
}

/* ---- vended keys ---- */

static struct caller vended(const struct iam *iam, const char *name, const struct session_scope *scope)
{
    struct caller who = caller_of(iam, name);

    who.scope = scope;
    return who;
}

static const struct session_scope table_scope = {
    .prefixes = { { "wh/db/t/", 8 } },
    .prefix_count = 1,
    .rights = SESSION_READ | SESSION_WRITE | SESSION_DELETE | SESSION_LIST,
};

TEST(d7_a_vended_key_stays_inside_its_prefix)
{
    static const struct {
        const char *bucket, *key;
        bool is_allowed;
    } rows[] = {
        { "wh", "db/t/x", true },    { "wh", "db/t/", true },    { "wh", "db/t/a//b", true },
        { "wh", "db/t", false },     { "wh", "db/t2/x", false }, { "wh", "db/t/../t2/x", false },
        { "wh", "db/t/./x", false }, { "wh", "db/t/..", false }, { "wh", "db//t/x", false },
        { "wh", "/db/t/x", false },  { "wh", "db/T/x", false },  { "wh", "", false },
        { "wh2", "db/t/x", false },  { "w", "h/db/t/x", false }, { "wh/db", "t/x", false },
        { "", "wh/db/t/x", false },  { "wh", "db/t/..x", true }, { "wh", "db/t/a..b/x", true },
        { "wh", "db%2Ft/x", false }, { "wh", "db", false },
    };
    static const enum permission all[] = { PERM_READ, PERM_WRITE,     PERM_DELETE,
                                           PERM_LIST, PERM_READ_TAGS, PERM_WRITE_TAGS };
    struct iam *iam = people();
    const struct caller who = vended(iam, "root", &table_scope);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t p = 0; p < sizeof(all) / sizeof(all[0]); p++) {
            if (may(&who, all[p], rows[i].bucket, rows[i].key) != rows[i].is_allowed)
                test_fail(__FILE__, __LINE__, "%s %s/%s", permission_name(all[p]), rows[i].bucket,
                          rows[i].key);
        }
    }
    CHECK(access_sees_bucket(&who, STR("wh")));
    CHECK(!access_sees_bucket(&who, STR("wh2")));
    CHECK(!access_sees_bucket(&who, STR("w")));
    iam_close(iam);
}

/* D3: a table may be called so; its name is no pattern. */
TEST(d3_names_in_prefixes_are_literal)
{
    static const char *const names[] = { "*", "f*.t1", "*.*", "foo?", "${aws:username}", "[a-z]", "a%2Fb" };
    struct iam *iam = people();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char prefix[64], own[64];
        snprintf(prefix, sizeof(prefix), "wh/%s/", names[i]);
        snprintf(own, sizeof(own), "%s/x", names[i]);
        const struct session_scope scope = { .prefixes = { str_from_z(prefix) },
                                             .prefix_count = 1,
                                             .rights = SESSION_READ | SESSION_LIST };
        const struct caller who = vended(iam, "root", &scope);
        CHECK(may(&who, PERM_READ, "wh", own));
        CHECK(!may(&who, PERM_READ, "wh", "foo1/x"));
        CHECK(!may(&who, PERM_READ, "wh", "fa.t1/x"));
        CHECK(!may(&who, PERM_READ, "wh", "a/b/x"));
        CHECK(!may(&who, PERM_LIST, "wh", "root/"));
    }
    iam_close(iam);
}

TEST(d13_a_vended_key_has_only_its_rights)
{
    struct session_scope scope = table_scope;
    struct iam *iam = people();
    const struct caller who = vended(iam, "root", &scope);

    scope.rights = SESSION_READ | SESSION_LIST;
    CHECK(may(&who, PERM_READ, "wh", "db/t/x"));
    CHECK(may(&who, PERM_LIST, "wh", "db/t/"));
    CHECK(!may(&who, PERM_WRITE, "wh", "db/t/x"));
    CHECK(!may(&who, PERM_DELETE, "wh", "db/t/x"));
    CHECK(!may(&who, PERM_WRITE_TAGS, "wh", "db/t/x"));
    scope.rights = SESSION_WRITE;
    CHECK(!may(&who, PERM_READ, "wh", "db/t/x"));
    CHECK(!may(&who, PERM_DELETE, "wh", "db/t/x"));
    scope.rights = SESSION_READ | SESSION_WRITE | SESSION_DELETE | SESSION_LIST;
    for (int p = PERM_PUBLIC + 1; p < PERM_COUNT; p++) {
        const bool is_of_objects = p == PERM_LIST || p == PERM_READ || p == PERM_WRITE || p == PERM_DELETE
            || p == PERM_READ_TAGS || p == PERM_WRITE_TAGS;
        CHECK(may(&who, (enum permission)p, "wh", "db/t/x") == is_of_objects);
    }
    iam_close(iam);
}

/* C1: what is made for somebody is never more than he is. */
TEST(c1_a_vended_key_is_cut_by_its_principal)
{
    struct iam *iam = people();
    const struct caller reader = vended(iam, "reader", &table_scope),
                        nothing = vended(iam, "nothing", &table_scope);

    CHECK(may(&reader, PERM_READ, "wh", "db/t/x"));
    CHECK(!may(&reader, PERM_WRITE, "wh", "db/t/x"));
    CHECK(!may(&reader, PERM_LIST, "wh", "db/t/"));
    CHECK(!may(&nothing, PERM_READ, "wh", "db/t/x"));
    iam_close(iam);
}

TEST(a_denial_says_who_what_and_where)
{
    struct iam *iam = people();
    const struct caller who = caller_of(iam, "reader");
    const struct err e = access_check(&who, PERM_WRITE, STR("b"), STR("some/key"));

    CHECK_ERR(e, ERR_DENIED);
    CHECK(strstr(e.why, "reader") && strstr(e.why, "Write") && strstr(e.why, "b/some/key"));
    iam_close(iam);
}
