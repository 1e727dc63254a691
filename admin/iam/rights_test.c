/* rights_test.c - who may do what, at the catalog and at the S3 door. */
#include "admin/iam/rights.h"

#include "admin/iam/lake_test.h"
#include "admin/iam/session_token.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

TEST(a_privilege_holds_for_all_that_is_below_and_for_nothing_beside)
{
    static const struct {
        const char *granted_on, *asked_on;
        bool is_held;
    } rows[] = {
        { "", "prod", true },
        { "", "prod/t", true },
        { "", "dev/t", true },
        { "prod", "prod/t", true },
        { "prod", "prod.eu/t", true },
        { "prod", "prod.eu", true },
        { "prod", "dev/t", false },
        { "prod", "", false },
        { "prod.eu", "prod/t", false },
        { "prod.eu", "prod", false },
        { "prod/t", "prod/t", true },
        { "prod/t", "prod/t2", false },
        { "prod/t", "prod", false },
        { "prod/t", "prod.eu/t", false },
        { "prod", "production/t", false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lake l;
        lake_open(&l);
        lake_namespace(&l, "prod");
        lake_namespace(&l, "prod.eu");
        lake_namespace(&l, "dev");
        lake_namespace(&l, "production");
        (void)lake_table(&l, "prod", "t");
        (void)lake_table(&l, "prod", "t2");
        (void)lake_table(&l, "prod.eu", "t");
        (void)lake_table(&l, "dev", "t");
        (void)lake_table(&l, "production", "t");
        (void)lake_person(&l, "alice");
        lake_give(&l, "alice", rows[i].granted_on, PRIV_TABLE_READ_DATA);
        if (lake_may(&l, "alice", PRIV_TABLE_READ_DATA, rows[i].asked_on) != rows[i].is_held)
            test_fail(__FILE__, __LINE__, "granted on '%s', asked on '%s'", rows[i].granted_on,
                      rows[i].asked_on);
        CHECK(!lake_may(&l, "alice", PRIV_TABLE_WRITE_DATA, rows[i].asked_on));
        lake_close(&l);
    }
}

/* ---- the way to what one may see ---- */

static struct caller person(struct lake *l, const char *name)
{
    const struct directory *d = directory_of(l->iam);
    return caller_of_principal(directory_find_name(d, str_from_z(name)));
}

static struct str children(struct lake *l, const char *name, const char *parent)
{
    const struct caller who = person(l, name);
    const struct ns_path none = { .count = 0 }, path = parent[0] ? lake_ns(parent) : none;
    const struct securable_name place = { .catalog = STR("lake"), .ns = &path };
    struct securable_path on;
    struct str *names, text = STR("");
    struct rows *view;
    size_t count;

    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(securable_find(view, &place, l->arena, &on));
    CHECK_OK(rights_children_seen(&who, view, &on, &path, l->arena, &names, &count));
    view_close(view);
    for (size_t i = 0; i < count; i++)
        text = arena_printf(l->arena, "%.*s%.*s,", STR_ARG(text), STR_ARG(names[i]));
    return text;
}

TEST(one_sees_the_way_to_a_single_table_and_nothing_else)
{
    struct securable_path on;
    struct str *names;
    struct rows *view;
    struct lake l;
    size_t count;

    lake_open(&l);
    lake_namespace(&l, "a");
    lake_namespace(&l, "a.b");
    lake_namespace(&l, "a.c");
    lake_namespace(&l, "z");
    (void)lake_table(&l, "a.b", "t");
    (void)lake_table(&l, "a.b", "hidden");
    (void)lake_person(&l, "alice");
    (void)lake_person(&l, "bob");
    lake_give(&l, "alice", "a.b/t", PRIV_TABLE_READ_DATA);
    CHECK_STR(children(&l, "alice", ""), STR("a,"));
    CHECK_STR(children(&l, "alice", "a"), STR("b,"));
    CHECK_STR(children(&l, "alice", "a.b"), STR(""));
    CHECK_STR(children(&l, "bob", ""), STR(""));
    const struct caller alice = person(&l, "alice"), bob = person(&l, "bob");
    const struct ns_path ab = lake_ns("a.b");
    const struct securable_name place = { .catalog = STR("lake"), .ns = &ab };
    CHECK_OK(view_open(l.store.meta, &view));
    CHECK_OK(securable_find(view, &place, l.arena, &on));
    CHECK_OK(rights_tables_seen(&alice, view, on.ns_id, SECURABLE_TABLE, l.arena, &names, &count));
    CHECK_U64(count, 1);
    CHECK_STR(names[0], STR("t"));
    CHECK(rights_see_catalog(&alice, &on) && !rights_see_catalog(&bob, &on));
    view_close(view);
    lake_close(&l);
}

/* ---- files ---- */

static bool may_file(struct lake *l, const struct caller *who, enum permission what, struct str url,
                     const char *more)
{
    struct str bucket;
    const struct str key = str_cut(str_from(url, 5), '/', &bucket);
    const struct s3_resource on = { .meta = l->store.meta,
                                    .bucket = bucket,
                                    .key = arena_join(l->arena, key, str_from_z(more)) };
    const struct err e = rights_check_s3(who, what, &on, l->arena);

    CHECK(e.code == ERR_OK || e.code == ERR_DENIED);
    return e.code == ERR_OK;
}

TEST(d7_table_privileges_open_that_tables_files_and_no_others)
{
    static const struct {
        enum permission what;
        bool reads, writes;
    } rows[] = {
        { PERM_READ, true, true },
        { PERM_LIST, true, true },
        { PERM_WRITE, false, true },
        { PERM_DELETE, false, true },
        { PERM_READ_TAGS, true, true },
        { PERM_WRITE_TAGS, false, true },
        { PERM_READ_CONFIG, false, false },
        { PERM_CREATE_BUCKET, false, false },
        { PERM_DELETE_BUCKET, false, false },
        { PERM_WRITE_CONFIG, false, false },
        { PERM_READ_ACL, false, false },
        { PERM_SERVER_STATUS, false, false },
    };
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    lake_namespace(&l, "dev");
    const struct table_info mine = lake_table(&l, "prod", "t"), other = lake_table(&l, "prod", "t2"),
                            dev = lake_table(&l, "dev", "t");
    (void)lake_person(&l, "reader");
    (void)lake_person(&l, "writer");
    lake_give(&l, "reader", "prod/t", PRIV_TABLE_READ_DATA);
    lake_give(&l, "writer", "prod/t", PRIV_TABLE_WRITE_DATA);
    lake_give(&l, "reader", "dev", PRIV_TABLE_READ_PROPERTIES); /* the metadata, not the files */
    const struct caller reader = person(&l, "reader"), writer = person(&l, "writer");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(may_file(&l, &reader, rows[i].what, mine.location, "/data/x") == rows[i].reads);
        CHECK(may_file(&l, &writer, rows[i].what, mine.location, "/data/x") == rows[i].writes);
        CHECK(!may_file(&l, &reader, rows[i].what, other.location, "/data/x"));
        CHECK(!may_file(&l, &writer, rows[i].what, other.location, "/data/x"));
        CHECK(!may_file(&l, &reader, rows[i].what, dev.location, "/data/x"));
        CHECK(!may_file(&l, &writer, rows[i].what, mine.location, "2/x"));
        CHECK(!may_file(&l, &writer, rows[i].what, STR("s3://lake"), ""));
        CHECK(!may_file(&l, &writer, rows[i].what, STR("s3://lake/"), "x"));
    }
    CHECK(may_file(&l, &reader, PERM_LIST, mine.location, "/"));
    CHECK(!may_file(&l, &reader, PERM_LIST, mine.location, ""));
    lake_close(&l);
}

static bool may_pass(struct lake *l, const struct caller *who, struct str url, const char *more)
{
    struct str bucket;
    const struct str key = str_cut(str_from(url, 5), '/', &bucket);
    const struct s3_resource on = { .meta = l->store.meta,
                                    .bucket = bucket,
                                    .key = arena_join(l->arena, key, str_from_z(more)) };
    const struct err e = rights_check_bypass(who, &on, l->arena);

    CHECK(e.code == ERR_OK || e.code == ERR_DENIED);
    return e.code == ERR_OK;
}

TEST(past_the_guard_goes_who_manages_the_content_around_the_table_and_no_writer)
{
    const struct session_scope scope = { .prefix_count = 0 };
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    lake_namespace(&l, "dev");
    const struct table_info prod = lake_table(&l, "prod", "t"), dev = lake_table(&l, "dev", "t");
    (void)lake_person(&l, "writer");
    (void)lake_person(&l, "manager");
    lake_give(&l, "writer", "prod", PRIV_TABLE_WRITE_DATA);
    lake_give(&l, "writer", "prod", PRIV_TABLE_FULL_METADATA);
    lake_give(&l, "manager", "prod", PRIV_CATALOG_MANAGE_CONTENT);
    const struct caller writer = person(&l, "writer"), manager = person(&l, "manager"), nobody = { 0 };
    CHECK(!may_pass(&l, &writer, prod.location, "/x") && !may_pass(&l, &nobody, prod.location, "/x"));
    CHECK(may_pass(&l, &manager, prod.location, "/x"));
    CHECK(!may_pass(&l, &manager, dev.location, "/x") && !may_pass(&l, &manager, STR("s3://lake/"), "x"));
    struct caller vended_to = manager;
    vended_to.scope = &scope;
    CHECK(!may_pass(&l, &vended_to, prod.location, "/x"));
    lake_close(&l);
}

static struct caller vended(struct lake *l, const char *name, const struct table_info *t, uint64_t staged_in)
{
    const struct session_scope scope = {
        .prefixes = { arena_join(l->arena, str_from(t->location, 5), STR("/")) },
        .prefix_count = 1,
        .rights = SESSION_READ | SESSION_WRITE | SESSION_DELETE | SESSION_LIST,
        .expires_ms = clock_now_ms() + 3600000,
        .table_uuid = arena_str(l->arena, str_from_z(t->uuid)),
        .staged_in = staged_in,
    };
    struct session_scope *back = arena_new_of(l->arena, struct session_scope);
    struct vended_key key;
    struct caller who;
    struct str secret;

    CHECK_OK(vended_issue(l->iam, person(l, name).principal, &scope, l->arena, &key));
    CHECK_OK(vended_check(l->iam, key.access_key, key.session_token, l->arena, &secret, back, &who));
    return who;
}

/* The same key, presented now. */
static struct caller now(struct lake *l, const struct caller *key)
{
    struct caller who = person(l, "alice");

    who.scope = key->scope;
    return who;
}

TEST(d13_a_vended_key_is_worth_what_its_principal_may_now)
{
    const struct iam_ref role = catalog_role_ref("alice");
    const struct iam_grant grant = lake_grant("prod", PRIV_TABLE_WRITE_DATA);
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    const struct table_info t = lake_table(&l, "prod", "t"), t2 = lake_table(&l, "prod", "t2");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "prod", PRIV_TABLE_WRITE_DATA);
    const struct caller key = vended(&l, "alice", &t, 0);
    struct caller who = now(&l, &key);
    CHECK(may_file(&l, &who, PERM_WRITE, t.location, "/x"));
    CHECK(!may_file(&l, &who, PERM_READ, t2.location,
                    "/x")); /* its scope ends there, whatever its principal may */
    CHECK_OK(iam_grant_remove(&l.call, &role, &grant));
    lake_give(&l, "alice", "prod/t", PRIV_TABLE_READ_DATA);
    who = now(&l, &key);
    CHECK(may_file(&l, &who, PERM_READ, t.location, "/x"));
    CHECK(!may_file(&l, &who, PERM_WRITE, t.location, "/x"));
    const struct iam_grant read = lake_grant("prod/t", PRIV_TABLE_READ_DATA);
    CHECK_OK(iam_grant_remove(&l.call, &role, &read));
    who = now(&l, &key);
    CHECK(!may_file(&l, &who, PERM_READ, t.location, "/x"));
    lake_close(&l);
}

TEST(a_dropped_table_ends_the_keys_vended_for_it_also_those_of_root)
{
    const struct table_ident ident = { .ns = lake_ns("prod"), .name = STR("t") };
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    const struct table_info t = lake_table(&l, "prod", "t");
    const struct caller key = vended(&l, "root", &t, 0);
    CHECK(may_file(&l, &key, PERM_READ, t.location, "/x"));
    CHECK_OK(table_drop(&l.store, STR("lake"), &ident, false, l.call.who));
    CHECK(!may_file(&l, &key, PERM_READ, t.location, "/x"));
    lake_close(&l);
}

TEST(d1_a_key_for_a_staged_table_never_opens_another_that_came_first)
{
    struct securable_path on;
    struct rows *view;
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    const struct table_info other = lake_table(&l, "prod", "t");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "prod", PRIV_TABLE_WRITE_DATA);
    const struct ns_path prod = lake_ns("prod");
    const struct securable_name place = { .catalog = STR("lake"), .ns = &prod };
    CHECK_OK(view_open(l.store.meta, &view));
    CHECK_OK(securable_find(view, &place, l.arena, &on));
    view_close(view);
    struct table_info staged = { .uuid = "01234567-89ab-cdef-0123-456789abcdef",
                                 .location = STR("s3://lake/prod/new") };
    struct caller key = vended(&l, "alice", &staged, on.ns_id);
    CHECK(may_file(&l, &key, PERM_WRITE, staged.location, "/x"));
    staged.location = other.location;
    key = vended(&l, "alice", &staged, on.ns_id);
    CHECK(!may_file(&l, &key, PERM_READ, other.location, "/x"));
    staged.location = STR("s3://lake/prod/new");
    key = vended(&l, "alice", &staged, 0); /* not staged: then the table must be there */
    CHECK(!may_file(&l, &key, PERM_READ, staged.location, "/x"));
    lake_close(&l);
}

TEST(a_key_or_token_of_before_a_rotation_is_dead)
{
    struct iam_credentials c;
    struct vended_key key;
    struct str token, secret, scope_text;
    struct session_scope back;
    struct caller who;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    const struct table_info t = lake_table(&l, "prod", "t");
    (void)lake_person(&l, "alice");
    const struct session_scope scope = { .prefixes = { arena_join(l.arena, str_from(t.location, 5),
                                                                  STR("/")) },
                                         .prefix_count = 1,
                                         .rights = SESSION_READ,
                                         .expires_ms = clock_now_ms() + 3600000 };
    CHECK_OK(vended_issue(l.iam, person(&l, "alice").principal, &scope, l.arena, &key));
    CHECK_OK(token_issue(l.iam, person(&l, "alice").principal, 3600, STR("catalog"), l.arena, &token));
    CHECK_OK(vended_check(l.iam, key.access_key, key.session_token, l.arena, &secret, &back, &who));
    CHECK_OK(token_check(l.iam, token, l.arena, &who, &scope_text));
    CHECK_OK(iam_credentials_rotate(&l.call, STR("alice"), &e, &c));
    CHECK_ERR(vended_check(l.iam, key.access_key, key.session_token, l.arena, &secret, &back, &who),
              ERR_INVALID_TOKEN);
    CHECK_ERR(token_check(l.iam, token, l.arena, &who, &scope_text), ERR_UNAUTHENTICATED);
    lake_close(&l);
}

TEST(a_token_for_some_roles_gives_those_alone)
{
    const struct iam_ref alice = principal_ref("alice"), bob = role_ref("bob");
    struct str token, scope;
    struct securable_path on;
    struct caller who;
    struct rows *view;
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    lake_namespace(&l, "dev");
    (void)lake_person(&l, "alice");
    (void)lake_person(&l, "bob");
    lake_give(&l, "alice", "prod", PRIV_TABLE_LIST);
    lake_give(&l, "bob", "dev", PRIV_TABLE_LIST);
    CHECK_OK(iam_role_assign(&l.call, &bob, &alice));
    CHECK(lake_may(&l, "alice", PRIV_TABLE_LIST, "prod") && lake_may(&l, "alice", PRIV_TABLE_LIST, "dev"));
    CHECK_OK(
        token_issue(l.iam, person(&l, "alice").principal, 60, STR("PRINCIPAL_ROLE:bob"), l.arena, &token));
    CHECK_OK(token_check(l.iam, token, l.arena, &who, &scope));
    CHECK_STR(caller_roles(&who, l.arena), STR("bob"));
    const struct ns_path prod = lake_ns("prod");
    const struct securable_name place = { .catalog = STR("lake"), .ns = &prod };
    CHECK_OK(view_open(l.store.meta, &view));
    CHECK_OK(securable_find(view, &place, l.arena, &on));
    view_close(view);
    CHECK(!rights_have(&who, PRIV_TABLE_LIST, &on));
    CHECK_OK(iam_role_unassign(&l.call, &bob, &alice));
    CHECK_OK(token_check(l.iam, token, l.arena, &who, &scope));
    CHECK_U64(who.role_count, 0);
    CHECK_ERR(
        token_issue(l.iam, person(&l, "alice").principal, 60, STR("PRINCIPAL_ROLE:bob"), l.arena, &token),
        ERR_BAD_SCOPE);
    lake_close(&l);
}
