/* vended_key_test.c - vended keys: whole, or nothing. */
#include "admin/iam/fixture_test.h"
#include "admin/iam/session_token.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"

static struct arena *arena;
static struct iam *iam;

static void set_up(void)
{
    arena = arena_new(4 << 20);
    iam = iam_with("{\"identities\":[{\"name\":\"alice\",\"actions\":[\"Read\"]}]}");
}

static void tear_down(void)
{
    iam = iam_close(iam);
    arena = arena_free(arena);
}

static struct session_scope scope_for(int64_t life_ms)
{
    return (struct session_scope){
        .prefixes = { STR("wh/db/t/"), STR("other/") },
        .prefix_count = 2,
        .rights = SESSION_READ | SESSION_LIST,
        .expires_ms = clock_now_ms() + life_ms,
        .table_uuid = STR("01234567-89ab-cdef-0123-456789abcdef"),
    };
}

static struct vended_key issued(int64_t life_ms)
{
    const struct session_scope scope = scope_for(life_ms);
    struct vended_key key;

    CHECK_OK(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &key));
    return key;
}

static struct err check(struct str access_key, struct str token)
{
    struct session_scope scope;
    struct caller who;
    struct str secret;

    return vended_check(iam, access_key, token, arena, &secret, &scope, &who);
}

TEST(a_vended_key_comes_back_as_it_was_made)
{
    struct session_scope scope;
    struct caller who;
    struct str secret;

    set_up();
    const struct vended_key key = issued(60000);
    CHECK_U64(key.access_key.len, 20);
    CHECK(str_starts(key.access_key, STR("FV")));
    CHECK_OK(vended_check(iam, key.access_key, key.session_token, arena, &secret, &scope, &who));
    CHECK_STR(secret, key.secret);
    CHECK_U64(secret.len, 44);
    CHECK_STR(principal_name(who.principal), STR("alice"));
    CHECK_U64(scope.prefix_count, 2);
    CHECK_STR(scope.prefixes[0], STR("wh/db/t/"));
    CHECK_STR(scope.prefixes[1], STR("other/"));
    CHECK_U64(scope.rights, SESSION_READ | SESSION_LIST);
    CHECK_U64(scope.expires_ms, key.expires_ms);
    CHECK_STR(scope.table_uuid, STR("01234567-89ab-cdef-0123-456789abcdef"));
    tear_down();
}

TEST(two_vended_keys_differ)
{
    set_up();
    const struct vended_key a = issued(60000), b = issued(60000);
    CHECK(!str_eq(a.access_key, b.access_key) && !str_eq(a.secret, b.secret)
          && !str_eq(a.session_token, b.session_token));
    CHECK_ERR(check(a.access_key, b.session_token), ERR_INVALID_TOKEN);
    CHECK_ERR(check(STR(ROOT_USER), a.session_token), ERR_INVALID_TOKEN);
    tear_down();
}

TEST(a_vended_key_expires)
{
    set_up();
    const struct vended_key key = issued(60000);
    clock_set_offset_ms(59000);
    CHECK_OK(check(key.access_key, key.session_token));
    clock_set_offset_ms(60001);
    CHECK_ERR(check(key.access_key, key.session_token), ERR_EXPIRED_TOKEN);
    tear_down();
}

TEST(no_bit_of_a_session_token_may_change)
{
    char bytes[1024];
    size_t len;

    set_up();
    const struct vended_key key = issued(60000);
    CHECK(base64url_from(key.session_token, bytes, sizeof(bytes), &len));
    for (size_t i = 0; i < len; i++) {
        struct buf b;
        bytes[i] ^= 1;
        buf_init(&b, 4096);
        base64url_to(&b, str_of(bytes, len));
        CHECK_ERR(check(key.access_key, buf_view(&b)), ERR_INVALID_TOKEN);
        buf_done(&b);
        bytes[i] ^= 1;
    }
    for (size_t cut = 0; cut < key.session_token.len; cut++)
        CHECK_ERR(check(key.access_key, str_of(key.session_token.data, cut)), ERR_INVALID_TOKEN);
    CHECK_ERR(check(key.access_key, arena_join(arena, key.session_token, STR("AAAA"))), ERR_INVALID_TOKEN);
    tear_down();
}

TEST(d19_a_vended_key_of_another_store_is_refused)
{
    struct session_scope scope;
    struct caller who;
    struct str secret;

    set_up();
    const struct vended_key key = issued(60000);
    struct iam *other = iam_with("{\"identities\":[{\"name\":\"alice\"}]}");
    CHECK_ERR(vended_check(other, key.access_key, key.session_token, arena, &secret, &scope, &who),
              ERR_INVALID_TOKEN);
    iam_close(other);
    tear_down();
}

TEST(d7_a_prefix_that_does_not_end_with_a_slash_is_not_vended)
{
    static const char *const prefixes[] = { "", "/", "wh", "wh/t", "/wh/", "wh/db/t" };
    struct vended_key key;

    set_up();
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        struct session_scope scope = scope_for(60000);
        scope.prefixes[1] = str_from_z(prefixes[i]);
        CHECK_ERR(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &key), ERR_INVALID);
    }
    struct session_scope scope = scope_for(60000);
    scope.prefix_count = 0;
    CHECK_ERR(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &key), ERR_INVALID);
    scope = scope_for(60000);
    scope.rights = 0;
    CHECK_ERR(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &key), ERR_INVALID);
    scope.rights = 16;
    CHECK_ERR(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &key), ERR_INVALID);
    tear_down();
}

TEST(the_longest_scope_fits)
{
    static char key[1025];
    struct session_scope scope = scope_for(60000), back;
    struct caller who;
    struct vended_key vended;
    struct str secret;

    memset(key, 'k', 1024);
    set_up();
    scope.prefix_count = SESSION_PREFIXES_MAX;
    for (size_t i = 0; i < SESSION_PREFIXES_MAX; i++)
        scope.prefixes[i] = arena_printf(arena, "%.63s/%s/", key, key);
    CHECK_OK(vended_issue(iam, principal_called(iam, "alice"), &scope, arena, &vended));
    CHECK_OK(vended_check(iam, vended.access_key, vended.session_token, arena, &secret, &back, &who));
    CHECK_STR(back.prefixes[3], scope.prefixes[3]);
    tear_down();
}
