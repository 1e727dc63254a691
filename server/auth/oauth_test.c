/* oauth_test.c - the token endpoint, and bearer tokens at the catalog. */
#include <string.h>

#include "admin/iam/session_token.h"
#include "server/auth/bearer.h"
#include "server/auth/fixture_test.h"
#include "storage/base/buf.h"
#include "storage/base/encode.h"
#include "storage/base/json.h"

#define NOW "20261121T093000Z"
#define PEOPLE                                                                                               \
    "{\"identities\":[{\"name\":\"alice\",\"credentials\":[{\"accessKey\":\"alice-id\",\"secretKey\":\"p+w/d%41&=\"}]}]}"
#define EXCHANGE "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
#define TYPE "&subject_token_type=urn:ietf:params:oauth:token-type:access_token"
#define ALICE "&client_id=alice-id&client_secret=p%2Bw%2Fd%2541%26%3D"

struct answer {
    int status;
    json_t *body;
};

static struct answer ask(const char *headers, const char *form)
{
    struct http_request *req = request("POST", "/v1/oauth/tokens",
                                       arena_printf(arena, "host:h\n%s", headers).data);
    struct oauth_answer got;

    CHECK_OK(oauth_token(options.iam, req, str_from_z(form), 3600, &got));
    struct answer a = { .status = got.status };
    CHECK_OK(json_parse(got.body, &a.body));
    return a;
}

static void check_error(const char *headers, const char *form, int status, const char *error)
{
    const struct answer a = ask(headers, form);
    const struct str got = json_str(json_object_get(a.body, "error"));

    if (a.status != status || !str_is(got, error))
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", form, a.status, STR_ARG(got));
    CHECK(json_object_get(a.body, "error_description"));
    CHECK(!json_object_get(a.body, "access_token"));
    json_decref(a.body);
}

/* The token's text lives in the arena. */
static struct str token_of(const char *headers, const char *form)
{
    const struct answer a = ask(headers, form);
    const struct str token = arena_str(arena, json_str(json_object_get(a.body, "access_token")));

    if (a.status != 200)
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", form, a.status,
                  STR_ARG(json_str(json_object_get(a.body, "error"))));
    CHECK_STR(json_str(json_object_get(a.body, "token_type")), STR("bearer"));
    CHECK_STR(json_str(json_object_get(a.body, "issued_token_type")),
              STR("urn:ietf:params:oauth:token-type:access_token"));
    CHECK_U64(json_integer_value(json_object_get(a.body, "expires_in")), 3600);
    json_decref(a.body);
    return token;
}

static const char *basic(const char *pair)
{
    return arena_printf(arena, "authorization:Basic %s\n", base64_str(arena, str_from_z(pair)).data).data;
}

static struct err bearer(struct str token, struct caller *ret)
{
    return bearer_verify(
        options.iam,
        request("GET", "/v1/config",
                arena_printf(arena, "host:h\nauthorization:Bearer %.*s\n", STR_ARG(token)).data),
        ret);
}

static void check_is(struct str token, const char *name)
{
    struct caller who;

    CHECK_OK(bearer(token, &who));
    CHECK_STR(principal_name(who.principal), str_from_z(name));
    CHECK(!who.scope && !who.is_anonymous);
}

TEST(credentials_give_a_token)
{
    begin(PEOPLE, NOW);
    check_is(token_of("", "grant_type=client_credentials" ALICE "&scope=catalog"),
             "alice"); /* PyIceberg, Java */
    check_is(
        token_of(basic("alice-id:p+w/d%41&="), "grant_type=client_credentials&scope=PRINCIPAL_ROLE%3AALL"),
        "alice"); /* DuckDB */
    check_is(token_of(basic("alice%2Did:p%2Bw%2Fd%2541%26%3D"), "grant_type=client_credentials"),
             "alice"); /* RFC 6749 2.3.1 */
    check_is(token_of("",
                      "grant_type=client_credentials&client_id=" ACCESS_KEY
                      "&client_secret=wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY&scope="),
             "root");
    finish();
}

TEST(the_scope_is_given_back)
{
    begin(PEOPLE, NOW);
    struct answer a = ask("", "grant_type=client_credentials" ALICE "&scope=PRINCIPAL_ROLE:ALL+catalog");
    CHECK_STR(json_str(json_object_get(a.body, "scope")), STR("PRINCIPAL_ROLE:ALL catalog"));
    json_decref(a.body);
    a = ask("", "grant_type=client_credentials" ALICE);
    CHECK(!json_object_get(a.body, "scope"));
    json_decref(a.body);
    finish();
}

TEST(d20_a_role_that_one_lacks_is_no_scope)
{
    begin(PEOPLE, NOW);
    check_error("", "grant_type=client_credentials" ALICE "&scope=PRINCIPAL_ROLE:service_admin", 400,
                "invalid_scope");
    check_error("", "grant_type=client_credentials" ALICE "&scope=catalog+PRINCIPAL_ROLE:a", 400,
                "invalid_scope");
    finish();
}

TEST(d20_wrong_credentials_are_refused_alike)
{
    static const char *const forms[] = {
        "grant_type=client_credentials&client_id=alice-id&client_secret=wrong",
        "grant_type=client_credentials&client_id=alice-id&client_secret=",
        "grant_type=client_credentials&client_id=alice-id",
        "grant_type=client_credentials&client_id=nobody&client_secret=x",
        "grant_type=client_credentials&client_secret=x",
        "grant_type=client_credentials",
        "grant_type=client_credentials&client_id=alice&client_secret=p%2Bw%2Fd%2541%26%3D",
        (EXCHANGE "&client_id=alice-id&client_secret=wrong"),
    };

    begin(PEOPLE, NOW);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        check_error("", forms[i], 401, "invalid_client");
    check_error(basic("alice-id:wrong"), "grant_type=client_credentials", 401, "invalid_client");
    check_error(basic("alice-id"), "grant_type=client_credentials", 401, "invalid_client");
    check_error(basic(":"), "grant_type=client_credentials", 401, "invalid_client");
    check_error("authorization:Basic !!!\n", "grant_type=client_credentials", 401, "invalid_client");
    /* Basic counts, though the form is right. */
    check_error(basic("alice-id:wrong"), "grant_type=client_credentials" ALICE, 401, "invalid_client");
    finish();
}

TEST(what_is_wrong_with_a_form_is_said_in_oauths_words)
{
    static const struct {
        const char *form;
        int status;
        const char *error;
    } rows[] = {
        { "", 400, "invalid_request" },
        { "grant_type=", 400, "invalid_request" },
        { "grant_type=password" ALICE, 400, "unsupported_grant_type" },
        { "grant_type=client_credentials&grant_type=client_credentials" ALICE, 400, "invalid_request" },
        { "grant_type=client_credentials&client_id=%zz", 400, "invalid_request" },
        { "grant_type=client_credentials" ALICE "&scope=admin", 400, "invalid_scope" },
        { "grant_type=client_credentials" ALICE "&scope=PRINCIPAL_ROLE:", 400, "invalid_scope" },
        { "grant_type=client_credentials" ALICE "&scope=PRINCIPAL_ROLE:%ff", 400, "invalid_scope" },
        { EXCHANGE, 400, "invalid_request" },
        { EXCHANGE TYPE, 400, "invalid_request" },
        { EXCHANGE "&subject_token=x", 400, "invalid_request" },
        { EXCHANGE TYPE "&subject_token=x", 400, "invalid_grant" },
        { EXCHANGE "&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:jwt", 400,
          "invalid_request" },
    };

    begin(PEOPLE, NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_error("", rows[i].form, rows[i].status, rows[i].error);
    struct buf many;
    buf_init(&many, 1 << 16);
    for (int i = 0; i < 40; i++) buf_printf(&many, "f%d=1&", i);
    buf_char(&many, '\0');
    check_error("", many.data, 400, "invalid_request");
    buf_done(&many);
    finish();
}

TEST(a_token_is_exchanged_for_a_fresh_one)
{
    begin(PEOPLE, NOW);
    const struct str old = token_of("", "grant_type=client_credentials" ALICE);
    const char *form = arena_join(arena, STR(EXCHANGE TYPE "&subject_token="), old).data;
    const char *own_bearer = arena_printf(arena, "authorization:Bearer %.*s\n", STR_ARG(old)).data;
    set_now("20261121T102900Z");
    const struct str fresh = token_of(own_bearer, form); /* as the Java client asks */
    check_is(token_of("", form), "alice");
    set_now("20261121T103001Z");
    struct caller who;
    CHECK_ERR(bearer(old, &who), ERR_EXPIRED_TOKEN);
    check_is(fresh, "alice");
    check_error("", form, 400, "invalid_grant");
    check_is(token_of(basic("alice-id:p+w/d%41&="), form), "alice"); /* a new login */
    finish();
}

TEST(d17_d19_only_our_own_tokens_are_bearers)
{
    static const char *const tokens[] = {
        "x",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0.AAAA",
        SECRET,
        "..",
        "...",
    };
    struct caller who = { 0 };

    begin(PEOPLE, NOW);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        CHECK_ERR(bearer(str_from_z(tokens[i]), &who), ERR_UNAUTHENTICATED);
    CHECK(!who.principal);
    finish();
}

TEST(c9_c23_nothing_but_a_bearer_counts_at_the_catalog)
{
    static const char *const headers[] = {
        "",
        "userid:root\n",
        "x-forwarded-user:root\n",
        "authorization:\n",
        "authorization:Bearer\n",
        "polaris-principal:root\n",
        "authorization:AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/s3tables/aws4_request, SignedHeaders=host, Signature=00\n",
        "authorization:Basic QUtJQUlPU0ZPRE5ON0VYQU1QTEU6eA==\n",
    };
    struct caller who = { 0 };

    begin(PEOPLE, NOW);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct http_request *req = request("GET", "/v1/config",
                                           arena_printf(arena, "host:h\n%s", headers[i]).data);
        CHECK_ERR(bearer_verify(options.iam, req, &who), ERR_UNAUTHENTICATED);
    }
    const struct str token = token_of("", "grant_type=client_credentials" ALICE);
    struct http_request *req = request(
        "GET", "/v1/config", arena_printf(arena, "host:h\nauthorization:Bearer %.*s\n", STR_ARG(token)).data);
    CHECK_OK(bearer_verify(options.iam, req, &who));
    add_header(req, "authorization", "Bearer x");
    CHECK_ERR(bearer_verify(options.iam, req, &who), ERR_UNAUTHENTICATED);
    CHECK_REFUSED(signed_request("GET", "/v1/config?access_token=x", "host:h\nauthorization:Bearer x\n",
                                 usual_signer()),
                  ERR_AUTH_HEADER_MALFORMED);
    finish();
}

/* A vended key's session token, or its secret, is no bearer token: they are signed for another purpose. */
TEST(a_vended_key_opens_no_catalog)
{
    begin(PEOPLE, NOW);
    const struct session_scope scope = {
        .prefixes = { STR("wh/t/") }, .prefix_count = 1, .rights = SESSION_READ, .expires_ms = INT64_MAX
    };
    const struct directory *d;
    struct vended_key key;
    struct caller who;
    CHECK_OK(iam_directory(options.iam, arena, &d));
    CHECK_OK(vended_issue(options.iam, directory_find_name(d, STR("root")), &scope, arena, &key));
    CHECK_ERR(bearer(key.session_token, &who), ERR_UNAUTHENTICATED);
    const struct str form = arena_printf(arena, "grant_type=client_credentials&client_id=%s&client_secret=x",
                                         key.access_key.data);
    check_error("", form.data, 401, "invalid_client");
    finish();
}

TEST(without_authorization_one_is_the_anonymous_principal_if_there_is_one)
{
    struct caller who;

    begin("{\"identities\":[{\"name\":\"anonymous\",\"actions\":[\"Read:wh\"]}]}", NOW);
    CHECK_OK(bearer_verify(options.iam, request("GET", "/v1/config", "host:h\n"), &who));
    CHECK(who.is_anonymous);
    CHECK_STR(principal_name(who.principal), STR("anonymous"));
    CHECK_OK(access_check(&who, PERM_READ, STR("wh"), STR("t")));
    CHECK_ERR(access_check(&who, PERM_WRITE, STR("wh"), STR("t")), ERR_DENIED);
    finish();
}
