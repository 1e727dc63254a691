/* manage_test.c - principals, roles and grants: made, changed, dropped, and in force when the call returns. */
#include "admin/iam/manage.h"

#include <stdatomic.h>

#include "admin/iam/lake_test.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

static const struct iam_new plain;

static const struct principal *owner_of(struct lake *l, struct str client_id, struct secrets *ret)
{
    return directory_find_key(directory_of(l->iam), client_id, ret);
}

TEST(a_principal_is_known_when_it_is_made_and_unknown_when_it_is_dropped)
{
    const struct iam_ref alice = principal_ref("alice");
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "team", "sales");
    const struct iam_new made = { .properties = properties };
    struct iam_credentials c;
    struct secrets secrets;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    CHECK_OK(iam_entity_create(&l.call, &alice, &made, &e, &c));
    CHECK_U64(e.version, 1);
    CHECK_STR(e.client_id, c.client_id);
    CHECK_U64(c.client_id.len, 16);
    CHECK_U64(c.client_secret.len, 32);
    const struct principal *p = owner_of(&l, c.client_id, &secrets);
    CHECK(p);
    CHECK_STR(principal_name(p), STR("alice"));
    CHECK_STR(secrets.items[0], c.client_secret);
    CHECK_OK(iam_entity_get(&l.call, &alice, &e));
    CHECK_STR(json_str(json_object_get(e.properties, "team")), STR("sales"));
    CHECK_ERR(iam_entity_create(&l.call, &alice, &made, &e, &c), ERR_EXISTS);
    CHECK_OK(iam_entity_drop(&l.call, &alice));
    CHECK(!owner_of(&l, c.client_id, &secrets));
    CHECK_ERR(iam_entity_get(&l.call, &alice, &e), ERR_NOT_FOUND);
    CHECK_ERR(iam_entity_drop(&l.call, &alice), ERR_NOT_FOUND);
    lake_close(&l);
}

TEST(what_was_made_is_there_after_a_restart)
{
    struct secrets secrets;
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    lake_give(&l, "catalog_admin", "prod", PRIV_TABLE_LIST);
    struct iam_credentials c = lake_person(&l, "alice");
    char id[17];
    (void)snprintf(id, sizeof(id), "%.*s", STR_ARG(c.client_id));
    lake_give(&l, "alice", "prod", PRIV_TABLE_READ_DATA);
    lake_reopen(&l);
    CHECK(owner_of(&l, str_from_z(id), &secrets));
    CHECK(lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_WRITE_DATA, "prod"));
    lake_close(&l);
}

TEST(g4_no_secret_is_in_a_row_as_it_is)
{
    struct rows_scan scan;
    struct rows *view;
    struct str key, value;
    size_t rows = 0;
    struct lake l;

    lake_open(&l);
    const struct iam_credentials c = lake_person(&l, "alice");
    CHECK_OK(view_open(l.store.meta, &view));
    for (int space = 1; space < 64; space++) {
        rows_scan_begin(&scan, view, (enum space)space, STR_NONE, false);
        for (; rows_scan_next(&scan, &key, &value); rows++) {
            CHECK(!str_contains(value, c.client_secret));
            CHECK(!str_contains(key, c.client_secret));
        }
        rows_scan_done(&scan);
    }
    CHECK(rows > 5);
    view_close(view);
    lake_close(&l);
}

TEST(an_update_names_the_version_that_it_saw)
{
    static const enum iam_kind kinds[] = { IAM_PRINCIPAL, IAM_PRINCIPAL_ROLE, IAM_CATALOG_ROLE };
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", "a", "1");
    CLEANUP(json_freep) json_t *wrong = json_pack("{s:i}", "a", 1);
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    (void)lake_person(&l, "alice");
    for (size_t i = 0; i < 3; i++) {
        const struct iam_ref ref = { .kind = kinds[i], .catalog = STR("lake"), .name = STR("alice") };
        CHECK_OK(iam_entity_update(&l.call, &ref, 1, properties, &e));
        CHECK_U64(e.version, 2);
        CHECK_ERR(iam_entity_update(&l.call, &ref, 1, properties, &e), ERR_CONFLICT);
        CHECK_ERR(iam_entity_update(&l.call, &ref, 2, wrong, &e), ERR_INVALID);
        CHECK_OK(iam_entity_update(&l.call, &ref, 2, properties, &e));
    }
    lake_close(&l);
}

TEST(what_belongs_to_the_configuration_is_shown_and_not_changed)
{
    const struct iam_ref root = principal_ref("root"), any = principal_ref("");
    CLEANUP(json_freep) json_t *none = json_object();
    struct iam_credentials c = { .client_id = STR_NONE };
    struct iam_entity e, *all;
    struct lake l;
    size_t count;

    lake_open(&l);
    (void)lake_person(&l, "alice");
    (void)lake_person(&l, "zoe");
    CHECK_OK(iam_entity_get(&l.call, &root, &e));
    CHECK_STR(e.client_id, STR(ROOT_USER));
    CHECK_OK(iam_entity_list(&l.call, &any, &all, &count));
    CHECK_U64(count, 3);
    CHECK_STR(all[0].name, STR("alice"));
    CHECK_STR(all[1].name, STR("root"));
    CHECK_STR(all[2].name, STR("zoe"));
    CHECK_ERR(iam_entity_drop(&l.call, &root), ERR_INVALID);
    CHECK_ERR(iam_entity_update(&l.call, &root, 1, none, &e), ERR_INVALID);
    CHECK_ERR(iam_credentials_rotate(&l.call, STR("root"), &e, &c), ERR_INVALID);
    CHECK_ERR(iam_entity_create(&l.call, &root, &plain, &e, &c), ERR_EXISTS);
    lake_close(&l);
}

TEST(names_that_are_refused)
{
    static const char *const names[] = { "", "system$x", " SYSTEM$x", "a\nb", "a\x7f" };
    struct iam_credentials c;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct iam_ref p = principal_ref(names[i]), r = role_ref(names[i]),
                             cr = catalog_role_ref(names[i]);
        CHECK_ERR(iam_entity_create(&l.call, &p, &plain, &e, &c), ERR_INVALID);
        CHECK_ERR(iam_entity_create(&l.call, &r, &plain, &e, NULL), ERR_INVALID);
        CHECK_ERR(iam_entity_create(&l.call, &cr, &plain, &e, NULL), ERR_INVALID);
    }
    lake_close(&l);
}

/* ---- credentials ---- */

TEST(d20_two_secrets_live_after_a_rotation_and_one_after_a_reset)
{
    struct iam_credentials first, second, third, reset;
    const struct iam_credentials none = { .client_id = STR_NONE };
    struct secrets s;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    first = lake_person(&l, "alice");
    const uint32_t epoch = principal_epoch(owner_of(&l, first.client_id, &s));
    CHECK_OK(iam_credentials_rotate(&l.call, STR("alice"), &e, &second));
    CHECK_STR(second.client_id, first.client_id);
    CHECK(principal_epoch(owner_of(&l, first.client_id, &s)) != epoch);
    CHECK_U64(s.count, 2);
    CHECK_STR(s.items[0], second.client_secret);
    CHECK_STR(s.items[1], first.client_secret);
    CHECK_OK(iam_credentials_rotate(&l.call, STR("alice"), &e, &third));
    CHECK(owner_of(&l, first.client_id, &s));
    CHECK_STR(s.items[0], third.client_secret);
    CHECK_STR(s.items[1], second.client_secret);
    CHECK_OK(iam_credentials_reset(&l.call, STR("alice"), &none, &e, &reset));
    CHECK(owner_of(&l, first.client_id, &s));
    CHECK_U64(s.count, 1);
    CHECK_STR(s.items[0], reset.client_secret);
    lake_close(&l);
}

TEST(credentials_of_ones_own_choice_are_checked)
{
    static const struct {
        const char *id, *secret;
        enum err_code code;
    } rows[] = {
        { "chosen-id", "chosen-secret", ERR_OK }, { "", "short", ERR_INVALID },
        { "a/b", "long-enough", ERR_INVALID },    { "a:b", "long-enough", ERR_INVALID },
        { "a b", "long-enough", ERR_INVALID },    { "", "has blank in", ERR_INVALID },
        { ROOT_USER, "long-enough", ERR_EXISTS }, { "taken", "long-enough", ERR_EXISTS },
    };
    const struct iam_credentials taken = { .client_id = STR("taken"), .client_secret = STR("taken-secret") };
    struct iam_credentials c, old;
    struct secrets s;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    old = lake_person(&l, "alice");
    (void)lake_person(&l, "bob");
    CHECK_OK(iam_credentials_reset(&l.call, STR("bob"), &taken, &e, &c));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct iam_credentials wanted = { .client_id = str_from_z(rows[i].id),
                                                .client_secret = str_from_z(rows[i].secret) };
        CHECK_ERR(iam_credentials_reset(&l.call, STR("alice"), &wanted, &e, &c), rows[i].code);
    }
    CHECK(owner_of(&l, STR("chosen-id"), &s));
    CHECK(!owner_of(&l, old.client_id, &s));
    lake_close(&l);
}

TEST(who_must_rotate_may_do_nothing_else)
{
    const struct iam_ref alice = principal_ref("eve"), role = role_ref("alice");
    const struct iam_new must = { .is_rotation_required = true };
    struct iam_credentials c;
    struct iam_entity e;
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "", PRIV_CATALOG_MANAGE_CONTENT);
    CHECK_OK(iam_entity_create(&l.call, &alice, &must, &e, &c));
    CHECK(e.is_rotation_required);
    CHECK_OK(iam_role_assign(&l.call, &role, &alice));
    CHECK(!lake_may(&l, "eve", PRIV_TABLE_LIST, "prod"));
    CHECK_OK(iam_credentials_rotate(&l.call, STR("eve"), &e, &c));
    CHECK(lake_may(&l, "eve", PRIV_TABLE_LIST, "prod"));
    lake_close(&l);
}

/* ---- roles ---- */

TEST(a_role_gives_from_the_moment_that_it_is_assigned_until_it_is_taken)
{
    const struct iam_ref alice = principal_ref("alice"), role = role_ref("alice"),
                         crole = catalog_role_ref("alice");
    struct iam_entity *all;
    struct lake l;
    size_t count;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "prod", PRIV_TABLE_READ_DATA);
    CHECK(lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK_OK(iam_roles_of(&l.call, &alice, STR_NONE, &all, &count));
    CHECK_U64(count, 1);
    CHECK_OK(iam_holders_of(&l.call, &role, &all, &count));
    CHECK_U64(count, 1);
    CHECK_STR(all[0].name, STR("alice"));
    CHECK_OK(iam_roles_of(&l.call, &role, STR("lake"), &all, &count));
    CHECK_U64(count, 1);
    CHECK_OK(iam_role_unassign(&l.call, &crole, &role));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK_ERR(iam_role_unassign(&l.call, &crole, &role), ERR_NOT_FOUND);
    CHECK_OK(iam_role_assign(&l.call, &crole, &role));
    CHECK_OK(iam_role_assign(&l.call, &crole, &role));
    CHECK(lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK_OK(iam_role_unassign(&l.call, &role, &alice));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    lake_close(&l);
}

TEST(what_hung_at_a_dropped_role_does_not_come_back_with_its_name)
{
    const struct iam_ref role = role_ref("alice"), crole = catalog_role_ref("alice");
    struct iam_entity e;
    struct iam_grant *grants;
    struct lake l;
    size_t count;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "prod", PRIV_TABLE_READ_DATA);
    CHECK_OK(iam_entity_drop(&l.call, &crole));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK_OK(iam_entity_create(&l.call, &crole, &plain, &e, NULL));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    CHECK_OK(iam_grant_list(&l.call, &crole, &grants, &count));
    CHECK_U64(count, 0);
    CHECK_OK(iam_role_assign(&l.call, &crole, &role));
    lake_give(&l, "alice", "prod", PRIV_TABLE_READ_DATA);
    CHECK_OK(iam_entity_drop(&l.call, &role));
    CHECK_OK(iam_entity_create(&l.call, &role, &plain, &e, NULL));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod"));
    lake_close(&l);
}

TEST(service_admin_and_catalog_admin_are_there_and_stay)
{
    const struct iam_ref service = role_ref("service_admin"), admin = catalog_role_ref("catalog_admin");
    const struct iam_ref ann = principal_ref("ann");
    const struct iam_grant access = lake_grant("", PRIV_CATALOG_MANAGE_ACCESS);
    const struct iam_grant metadata = lake_grant("", PRIV_CATALOG_MANAGE_METADATA);
    struct iam_entity *all;
    struct lake l;
    size_t count;

    lake_open(&l);
    CHECK_OK(iam_holders_of(&l.call, &service, &all, &count));
    CHECK_U64(count, 1);
    CHECK_STR(all[0].name, STR("root"));
    CHECK_OK(iam_holders_of(&l.call, &admin, &all, &count));
    CHECK_STR(all[0].name, STR("service_admin"));
    (void)lake_person(&l, "ann");
    lake_namespace(&l, "prod");
    CHECK(!lake_may(&l, "ann", PRIV_CATALOG_CREATE, ""));
    CHECK_OK(iam_role_assign(&l.call, &service, &ann));
    CHECK(lake_may(&l, "ann", PRIV_CATALOG_CREATE, ""));
    CHECK(lake_may(&l, "ann", PRIV_TABLE_CREATE, "prod"));
    CHECK(!lake_may(&l, "ann", PRIV_TABLE_READ_DATA, "prod")); /* who administers does not read */
    CHECK_ERR(iam_entity_drop(&l.call, &service), ERR_INVALID);
    CHECK_ERR(iam_entity_drop(&l.call, &admin), ERR_INVALID);
    CHECK_ERR(iam_grant_remove(&l.call, &admin, &access), ERR_INVALID);
    CHECK_OK(iam_grant_remove(&l.call, &admin, &metadata));
    CHECK(!lake_may(&l, "ann", PRIV_TABLE_CREATE, "prod"));
    CHECK_OK(iam_bootstrap(l.iam)); /* what was revoked stays so */
    CHECK(!lake_may(&l, "ann", PRIV_TABLE_CREATE, "prod"));
    lake_close(&l);
}

/* ---- grants ---- */

TEST(grants_are_listed_by_the_names_of_now)
{
    const struct iam_ref role = catalog_role_ref("alice");
    const struct table_ident from = { .ns = lake_ns("prod"), .name = STR("t") },
                             to = { .ns = lake_ns("dev.x"), .name = STR("u") };
    struct iam_grant *g;
    struct lake l;
    size_t count;

    lake_open(&l);
    lake_namespace(&l, "prod");
    lake_namespace(&l, "dev");
    lake_namespace(&l, "dev.x");
    (void)lake_table(&l, "prod", "t");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "", PRIV_NAMESPACE_LIST);
    lake_give(&l, "alice", "dev.x", PRIV_TABLE_CREATE);
    lake_give(&l, "alice", "prod/t", PRIV_TABLE_READ_DATA);
    lake_give(&l, "alice", "prod/t", PRIV_TABLE_READ_DATA);
    CHECK_OK(table_rename(&l.store, STR("lake"), &from, &to, l.call.who));
    CHECK_OK(iam_grant_list(&l.call, &role, &g, &count));
    CHECK_U64(count, 3);
    CHECK(g[0].on == ON_CATALOG && g[0].privilege == PRIV_NAMESPACE_LIST);
    CHECK(g[1].on == ON_NAMESPACE && g[1].ns.count == 2);
    CHECK_STR(g[1].ns.levels[1], STR("x"));
    CHECK(g[2].on == ON_TABLE && g[2].ns.count == 2);
    CHECK_STR(g[2].name, STR("u"));
    CHECK(lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "dev.x/u"));
    lake_close(&l);
}

TEST(d21_what_cannot_be_granted_is_refused_by_name)
{
    static const struct {
        const char *on;
        enum privilege p;
        enum err_code code;
    } rows[] = {
        { "", PRIV_SERVICE_MANAGE_ACCESS, ERR_INVALID },
        { "", PRIV_CATALOG_CREATE, ERR_INVALID },
        { "prod", PRIV_CATALOG_MANAGE_CONTENT, ERR_OK },
        { "prod/t", PRIV_TABLE_CREATE, ERR_INVALID },
        { "prod/t", PRIV_VIEW_DROP, ERR_INVALID },
        { "none", PRIV_TABLE_LIST, ERR_NO_SUCH_NAMESPACE },
        { "none/t", PRIV_TABLE_LIST, ERR_NO_SUCH_NAMESPACE },
        { "prod/none", PRIV_TABLE_DROP, ERR_NO_SUCH_TABLE },
        { "prod", PRIV_PRINCIPAL_CREATE, ERR_INVALID },
    };
    const struct iam_ref role = catalog_role_ref("alice"), missing = catalog_role_ref("none");
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_table(&l, "prod", "t");
    (void)lake_person(&l, "alice");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct iam_grant g = lake_grant(rows[i].on, rows[i].p);
        CHECK_ERR(iam_grant_add(&l.call, &role, &g), rows[i].code);
    }
    const struct iam_grant g = lake_grant("prod", PRIV_TABLE_LIST);
    CHECK_ERR(iam_grant_add(&l.call, &missing, &g), ERR_NOT_FOUND);
    CHECK_ERR(iam_grant_remove(&l.call, &role, &g), ERR_NOT_FOUND);
    lake_close(&l);
}

TEST(grants_go_with_what_they_are_on)
{
    const struct table_ident t = { .ns = lake_ns("prod"), .name = STR("t") };
    const struct iam_ref role = catalog_role_ref("alice");
    const struct ns_path prod = lake_ns("prod");
    struct iam_grant *g;
    struct table_info info, again;
    struct lake l;
    size_t count;

    lake_open(&l);
    lake_namespace(&l, "prod");
    info = lake_table(&l, "prod", "t");
    (void)lake_person(&l, "alice");
    lake_give(&l, "alice", "prod/t", PRIV_TABLE_READ_DATA);
    lake_give(&l, "alice", "prod", PRIV_NAMESPACE_LIST);
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, l.call.who));
    /* The same table again, uuid and all: it is nobody's. */
    CHECK_OK(table_register(&l.store, STR("lake"), &t, info.metadata_location, false, l.call.who, l.arena,
                            &again));
    CHECK(strcmp(info.uuid, again.uuid) == 0);
    CHECK_OK(iam_reload(l.iam));
    CHECK(!lake_may(&l, "alice", PRIV_TABLE_READ_DATA, "prod/t"));
    CHECK_OK(iam_grant_list(&l.call, &role, &g, &count));
    CHECK_U64(count, 1);
    CHECK_OK(table_drop(&l.store, STR("lake"), &t, false, l.call.who));
    CHECK_OK(ns_drop(&l.store, STR("lake"), &prod, l.call.who));
    CHECK_OK(iam_grant_list(&l.call, &role, &g, &count));
    CHECK_U64(count, 0);
    lake_close(&l);
}

/* ---- while others ask ---- */

enum { ASKERS = 4, CHANGES = 100 };

struct asker {
    struct lake *lake;
    atomic_bool *is_over;
    uint64_t asked;
};

/* Each question is a request of its own: it takes what is known, looks at all of it, and lets it go. */
static void ask(void *arg)
{
    struct asker *a = arg;
    const struct securable_path on = { .nodes = { securable_of_id(SECURABLE_CATALOG, 1) }, .count = 1 };

    while (!atomic_load(a->is_over)) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
        const struct directory *d;
        CHECK_OK(iam_directory(a->lake->iam, arena, &d));
        const struct principal *p = directory_find_name(d, STR("alice"));
        const struct caller who = caller_of_principal(p);
        if (p) (void)rights_have(&who, PRIV_TABLE_LIST, &on);
        CHECK(!p || str_eq(principal_name(p), STR("alice")));
        a->asked++;
    }
}

/* C21: a role that was taken gives nothing to whoever asks after that, however many ask meanwhile. */
TEST(c21_a_change_is_in_force_when_it_is_answered_while_others_ask)
{
    const struct iam_ref role = catalog_role_ref("alice");
    const struct iam_grant grant = lake_grant("prod", PRIV_TABLE_LIST);
    atomic_bool is_over = false;
    struct asker askers[ASKERS];
    pthread_t threads[ASKERS];
    struct lake l;

    lake_open(&l);
    lake_namespace(&l, "prod");
    (void)lake_person(&l, "alice");
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .lake = &l, .is_over = &is_over };
        CHECK_OK(thread_start("ask", ask, &askers[i], &threads[i]));
    }
    for (int i = 0; i < CHANGES; i++) {
        CHECK_OK(iam_grant_add(&l.call, &role, &grant));
        CHECK(lake_may(&l, "alice", PRIV_TABLE_LIST, "prod"));
        CHECK_OK(iam_grant_remove(&l.call, &role, &grant));
        CHECK(!lake_may(&l, "alice", PRIV_TABLE_LIST, "prod"));
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < ASKERS; i++) {
        thread_join(threads[i]);
        CHECK(askers[i].asked > 0);
    }
    lake_close(&l);
}

/* ---- other servers ---- */

/* What a second server on the same rows knows of her. */
static struct err know(struct iam *other, const char *name, bool *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct directory *d;

    TRY(iam_directory(other, arena, &d));
    *ret = directory_find_name(d, str_from_z(name)) != NULL;
    return OK;
}

static struct iam *other_open(struct lake *l, uint64_t lease_ms)
{
    struct iam_options o = options_in(l->dir);
    struct iam *other;
    bool made_root;

    o.meta = l->store.meta;
    o.is_new_store = false;
    o.lease_ms = lease_ms;
    CHECK_OK(iam_open(&o, &other, &made_root));
    return other;
}

TEST(what_another_server_changed_is_known_when_the_lease_is_over)
{
    const struct iam_ref alice = principal_ref("alice");
    const uint64_t deadline = clock_mono_ms() + 60000;
    bool is_known = false;
    struct lake l;

    lake_open(&l);
    struct iam *leased = other_open(&l, 50), *unleased = other_open(&l, 0);
    (void)lake_person(&l, "alice");
    while (!is_known) { /* nobody calls iam_reload there */
        CHECK(clock_mono_ms() < deadline);
        CHECK_OK(know(leased, "alice", &is_known));
    }
    CHECK_OK(know(unleased, "alice", &is_known));
    CHECK(!is_known); /* it is the lease that made the difference */
    is_known = true;
    CHECK_OK(iam_entity_drop(&l.call, &alice));
    while (is_known) {
        CHECK(clock_mono_ms() < deadline);
        CHECK_OK(know(leased, "alice", &is_known));
    }
    iam_close(leased);
    iam_close(unleased);
    lake_close(&l);
}

static struct err damage_epoch(struct txn *txn, void *arg)
{
    (void)arg;
    return txn_put(txn, SPACE_EPOCHS, STR("iam"), STR("damaged"));
}

/* Old rights are not believed beyond the lease, when it cannot be found out what is right now. */
TEST(who_cannot_look_believes_nothing_when_the_lease_is_over)
{
    const uint64_t deadline = clock_mono_ms() + 60000;
    struct err e = OK;
    bool is_known;
    struct lake l;

    lake_open(&l);
    struct iam *leased = other_open(&l, 50), *unleased = other_open(&l, 0);
    CHECK_OK(meta_run(l.store.meta, damage_epoch, NULL));
    while (e.code == ERR_OK) {
        CHECK(clock_mono_ms() < deadline);
        e = know(leased, "root", &is_known);
    }
    CHECK_U64(e.code, ERR_CORRUPT);
    CHECK_OK(know(unleased, "root", &is_known));
    CHECK(is_known);
    iam_close(leased);
    iam_close(unleased);
    lake_close(&l);
}
