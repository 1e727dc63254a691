/* session_token_test.c - bearer tokens: what we made is taken, and nothing else. */
#include "admin/iam/session_token.h"

#include "admin/iam/fixture_test.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/json.h"

static struct arena *arena;
static struct iam *iam;

static struct str token_for(const char *name, int64_t ttl_s)
{
    const struct principal *p = principal_called(iam, name);
    struct str token;

    CHECK_OK(token_issue(iam, p, ttl_s, STR("catalog"), arena, &token));
    return token;
}

static struct err check(struct str token)
{
    struct caller who;
    struct str scope;

    return token_check(iam, token, arena, &who, &scope);
}

static void set_up(void)
{
    arena = arena_new(1 << 20);
    iam = iam_with(
        "{\"identities\":[{\"name\":\"alice\",\"credentials\":[{\"accessKey\":\"ak\",\"secretKey\":\"alice-secret\"}]}]}");
}

static void tear_down(void)
{
    iam = iam_close(iam);
    arena = arena_free(arena);
}

/* header.claims, signed with that key: as somebody would forge it. */
static struct str forged(const char *header, const char *claims, struct str key)
{
    uint8_t mac[32];
    struct buf b;

    buf_init(&b, 1 << 16);
    base64url_to(&b, str_from_z(header));
    buf_char(&b, '.');
    base64url_to(&b, str_from_z(claims));
    hmac_sha256(key, buf_view(&b), mac);
    buf_char(&b, '.');
    if (key.len) base64url_to(&b, str_of(mac, sizeof(mac)));
    const struct str token = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return token;
}

static const char *kid_of_ours(void)
{
    uint8_t key[32], id[32];
    char *hex = arena_alloc(arena, 17);

    iam_derive_key(iam, "token", key);
    hmac_sha256(str_of(key, 32), STR("id"), id);
    hex_z(id, 8, hex);
    return hex;
}

/* Right claims of a token of alice, but for `more` in front of them. */
static const char *claims_with(const char *more)
{
    return arena_printf(arena, "{%s\"iss\":\"firn\",\"sub\":\"alice\",\"exp\":99999999999}", more).data;
}

static const char *right_claims(void)
{
    const struct principal *p = principal_called(iam, "alice");
    return claims_with(arena_printf(arena, "\"epoch\":%u,", principal_epoch(p)).data);
}
#define CLAIMS right_claims()

TEST(a_token_without_the_epoch_of_now_is_refused)
{
    static const char *const wrong[] = { "", "\"epoch\":1,", "\"epoch\":\"1\",", "\"epoch\":null,",
                                         "\"epoch\":1e300," };
    char header[128];
    uint8_t key[32];

    set_up();
    iam_derive_key(iam, "token", key);
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid_of_ours());
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK_ERR(check(forged(header, claims_with(wrong[i]), str_of(key, 32))), ERR_UNAUTHENTICATED);
    CHECK_OK(check(forged(header, CLAIMS, str_of(key, 32))));
    tear_down();
}

TEST(a_token_names_its_principal_until_it_expires)
{
    struct caller who;
    struct str scope;

    set_up();
    const struct str token = token_for("alice", 60);
    CHECK_OK(token_check(iam, token, arena, &who, &scope));
    CHECK_STR(principal_name(who.principal), STR("alice"));
    CHECK_STR(scope, STR("catalog"));
    clock_set_offset_ms(58000);
    CHECK_OK(check(token));
    clock_set_offset_ms(60001);
    CHECK_ERR(check(token), ERR_EXPIRED_TOKEN);
    tear_down();
}

TEST(a_token_has_the_claims_that_clients_look_at)
{
    char text[1024];
    size_t len;
    json_t *claims;
    struct str header, rest;

    set_up();
    rest = str_cut(token_for("alice", 60), '.', &header);
    (void)str_cut(rest, '.', &rest);
    CHECK(base64url_from(rest, text, sizeof(text), &len));
    CHECK_OK(json_parse(str_of(text, len), &claims));
    CHECK_STR(json_str(json_object_get(claims, "iss")), STR("firn"));
    CHECK_STR(json_str(json_object_get(claims, "sub")), STR("alice"));
    CHECK_STR(json_str(json_object_get(claims, "scope")), STR("catalog"));
    CHECK_U64(json_str(json_object_get(claims, "jti")).len, 36);
    CHECK_U64(json_integer_value(json_object_get(claims, "exp"))
                  - json_integer_value(json_object_get(claims, "iat")),
              60);
    json_decref(claims);
    tear_down();
}

TEST(d17_no_other_algorithm_is_taken)
{
    static const char *const algorithms[] = { "none",  "None",  "nOnE",  "NONE",  "",
                                              "HS384", "HS512", "RS256", "hs256", "HS256 " };
    char header[128];

    set_up();
    uint8_t key[32];
    iam_derive_key(iam, "token", key);
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}", algorithms[i],
                 kid_of_ours());
        CHECK_ERR(check(forged(header, CLAIMS, STR(""))), ERR_UNAUTHENTICATED);
        CHECK_ERR(check(forged(header, CLAIMS, str_of(key, 32))), ERR_UNAUTHENTICATED);
    }
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid_of_ours());
    CHECK_ERR(check(forged(header, CLAIMS, STR(""))), ERR_UNAUTHENTICATED);
    CHECK_OK(
        check(forged(header, CLAIMS, str_of(key, 32)))); /* so the rows above failed for their own reason */
    tear_down();
}

TEST(d19_no_secret_of_a_person_signs_tokens)
{
    static const char *const secrets[] = { ROOT_PASSWORD, "alice-secret", "ak", ROOT_USER, "firn" };
    char header[128];

    set_up();
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid_of_ours());
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        CHECK_ERR(check(forged(header, CLAIMS, str_from_z(secrets[i]))), ERR_UNAUTHENTICATED);
    uint8_t vended[32];
    iam_derive_key(iam, "vended", vended);
    CHECK_ERR(check(forged(header, CLAIMS, str_of(vended, 32))), ERR_UNAUTHENTICATED);
    tear_down();
}

TEST(d19_a_token_of_another_store_is_refused)
{
    set_up();
    const struct str token = token_for("alice", 60);
    struct iam *other = iam_with(
        "{\"identities\":[{\"name\":\"alice\"}]}"); /* in another directory, with another key */
    struct caller who;
    struct str scope;
    CHECK_ERR(token_check(other, token, arena, &who, &scope), ERR_UNAUTHENTICATED);
    iam_close(other);
    tear_down();
}

TEST(no_byte_of_a_token_may_change)
{
    set_up();
    const struct str token = token_for("alice", 60);
    for (size_t i = 0; i < token.len; i++) {
        char *changed = arena_z(arena, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        const struct err e = check(str_of(changed, token.len));
        CHECK_ERR(e, ERR_UNAUTHENTICATED);
    }
    for (size_t len = 0; len < token.len; len++)
        CHECK_ERR(check(str_of(token.data, len)), ERR_UNAUTHENTICATED);
    CHECK_ERR(check(arena_join(arena, token, STR("."))), ERR_UNAUTHENTICATED);
    CHECK_ERR(check(arena_join(arena, token, STR("A"))), ERR_UNAUTHENTICATED);
    tear_down();
}

/* Even what is signed right must have the form. */
TEST(a_signed_token_of_another_form_is_refused)
{
    static const char *const claims[] = {
        "{}",
        "[]",
        "1",
        "",
        "{\"iss\":\"firn\",\"sub\":\"alice\"}",
        "{\"iss\":\"firn\",\"sub\":\"alice\",\"exp\":\"99999999999\"}",
        "{\"iss\":\"polaris\",\"sub\":\"alice\",\"exp\":99999999999}",
        "{\"iss\":\"firn\",\"sub\":\"nobody\",\"exp\":99999999999}",
        "{\"iss\":\"firn\",\"sub\":\"alice\",\"exp\":99999999999,\"exp\":1}",
        "{\"iss\":\"firn\",\"sub\":[\"alice\"],\"exp\":99999999999}",
    };
    char header[128];
    uint8_t key[32];

    set_up();
    iam_derive_key(iam, "token", key);
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid_of_ours());
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        CHECK_ERR(check(forged(header, claims[i], str_of(key, 32))), ERR_UNAUTHENTICATED);
    CHECK_ERR(check(forged(header, "{\"iss\":\"firn\",\"sub\":\"alice\",\"exp\":-5}", str_of(key, 32))),
              ERR_EXPIRED_TOKEN);
    CHECK_ERR(check(forged(header, "{\"iss\":\"firn\",\"sub\":\"alice\",\"exp\":9223372036854775807}",
                           str_of(key, 32))),
              ERR_EXPIRED_TOKEN);
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\",\"crit\":[\"x\"]}", kid_of_ours());
    CHECK_ERR(check(forged(header, CLAIMS, str_of(key, 32))), ERR_UNAUTHENTICATED);
    CHECK_ERR(check(forged("{\"alg\":\"HS256\"}", CLAIMS, str_of(key, 32))), ERR_UNAUTHENTICATED);
    CHECK_ERR(check(forged("{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", CLAIMS, str_of(key, 32))),
              ERR_UNAUTHENTICATED);
    tear_down();
}
