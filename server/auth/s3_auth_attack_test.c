/* s3_auth_attack_test.c - the attack cases of reliability.md 3 A that the head of a request can carry, by their numbers. */
#include "server/auth/fixture_test.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define NOW "20261121T093000Z"
#define CREDENTIAL ACCESS_KEY "/20261121/us-east-1/s3/aws4_request"
#define MADE_UP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *forged_headers(const char *payload, const char *signature)
{
    return arena_printf(
               arena,
               "host:h\nx-amz-date:" NOW "\nx-amz-content-sha256:%s\nx-amz-decoded-content-length:5\n"
               "authorization:AWS4-HMAC-SHA256 Credential=" CREDENTIAL
               ", SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length, Signature=%s\n",
               payload, signature)
        .data;
}

TEST(a1_an_unsigned_stream_does_not_excuse_the_signature)
{
    static const char *const payloads[] = { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD",
                                            EMPTY_SHA256, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                                            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        CHECK_REFUSED(request("PUT", "/b/k", forged_headers(payloads[i], MADE_UP)), ERR_SIGNATURE_MISMATCH);
    finish();
}

TEST(a2_a_credential_in_the_query_alone_is_refused)
{
    static const char *const targets[] = {
        "/b/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261121%2Fus-east-1%2Fs3%2Faws4_request",
        "/b/k?partNumber=1&uploadId=u&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261121%2Fus-east-1%2Fs3%2Faws4_request",
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE",
        "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=99999999999",
    };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        CHECK_REFUSED(
            request(
                "PUT", targets[i],
                "host:h\nx-amz-content-sha256:STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length:5\n"),
            ERR_DENIED);
    finish();
}

/* Nothing of a good request helps the next one, on whatever connection and thread. */
TEST(a5_every_request_is_judged_alone)
{
    struct s3_auth auth;

    begin(NULL, NOW);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(verify(signed_request("PUT", "/b/k", "host:h\n", usual_signer()), &auth));
        CHECK_REFUSED(request("PUT", "/b/k", forged_headers("STREAMING-UNSIGNED-PAYLOAD-TRAILER", MADE_UP)),
                      ERR_SIGNATURE_MISMATCH);
        CHECK_OK(verify(request("PUT", "/b/k", "host:h\n"), &auth)); /* anonymous */
        CHECK(!auth.is_signed && auth.caller.is_anonymous && !auth.caller.principal);
    }
    finish();
}

TEST(a6_a_claimed_key_alone_counts_for_nothing)
{
    static const char *const signatures[] = {
        "00", "0", "x", (MADE_UP "00"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
        CHECK_REFUSED(request("GET", "/b/k", forged_headers(EMPTY_SHA256, signatures[i])),
                      ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("GET", "/b/k", forged_headers(EMPTY_SHA256, "")), ERR_AUTH_HEADER_MALFORMED);
    finish();
}

TEST(an_unknown_key_is_refused_by_its_name)
{
    struct s3_auth auth;

    begin(NULL, NOW);
    struct signer s = usual_signer();
    s.access_key = "nobody";
    CHECK_ERR(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth), ERR_INVALID_ACCESS_KEY);
    CHECK_STR(auth.access_key, STR("nobody"));
    CHECK(!auth.caller.principal);
    finish();
}

TEST(a8_two_signatures_are_none)
{
    begin(NULL, NOW);
    struct http_request *req = signed_request("GET", "/b/k", "host:h\n", usual_signer());
    add_header(req, "authorization", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=00");
    CHECK_REFUSED(req, ERR_AUTH_HEADER_MALFORMED);
    const char *url = presigned_target("GET", "/b/k", "h", usual_signer());
    CHECK_REFUSED(request("GET", arena_printf(arena, "%s&X-Amz-Signature=" MADE_UP, url).data, "host:h\n"),
                  ERR_AUTH_QUERY_INVALID);
    CHECK_REFUSED(request("GET", arena_printf(arena, "%s&X-Amz-Credential=x", url).data, "host:h\n"),
                  ERR_AUTH_QUERY_INVALID);
    CHECK_REFUSED(request("GET", arena_printf(arena, "%s&Signature=x", url).data, "host:h\n"),
                  ERR_INVALID_ARGUMENT);
    req = signed_request("GET", "/b/k?X-Amz-Signature=00", "host:h\n", usual_signer());
    CHECK_REFUSED(req, ERR_INVALID_ARGUMENT);
    CHECK_REFUSED(
        request("GET", "/b/k?AWSAccessKeyId=a&Signature=x&Signature=y&Expires=99999999999", "host:h\n"),
        ERR_AUTH_QUERY_INVALID);
    finish();
}

TEST(a9_unsigned_amz_header)
{
    static const char *const names[] = { "x-amz-copy-source", "x-amz-acl", "x-amz-meta-x",
                                         "x-amz-security-token", "x-amz-decoded-content-length" };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct http_request *req = signed_request("PUT", "/b/k", "host:h\n", usual_signer());
        add_header(req, names[i], "");
        CHECK_REFUSED(req, ERR_DENIED);
        req = request("PUT", presigned_target("PUT", "/b/k", "h", usual_signer()), "host:h\n");
        add_header(req, names[i], "");
        CHECK_REFUSED(req, ERR_DENIED);
    }
    /* One that was signed, and then came twice. */
    struct http_request *req = signed_request("PUT", "/b/k", "host:h\nx-amz-acl:private\n", usual_signer());
    add_header(req, "x-amz-acl", "public-read");
    CHECK_REFUSED(req, ERR_SIGNATURE_MISMATCH);
    finish();
}

TEST(headers_that_a_proxy_adds_do_no_harm)
{
    struct s3_auth auth;

    begin(NULL, NOW);
    struct http_request *req = signed_request("GET", "/b/k", "host:h\n", usual_signer());
    add_header(req, "x-forwarded-for", "10.0.0.1");
    add_header(req, "x-amzn-trace-id", "Root=1");
    CHECK_OK(verify(req, &auth));
    finish();
}

TEST(a10_the_host_must_be_signed)
{
    begin(NULL, NOW);
    struct signer s = usual_signer();
    s.signed_headers = "x-amz-content-sha256;x-amz-date";
    CHECK_REFUSED(signed_request("GET", "/b/k", "host:h\n", s), ERR_DENIED);
    s.signed_headers = "range";
    CHECK_REFUSED(request("GET", presigned_target("GET", "/b/k", "h", s), "host:h\n"), ERR_DENIED);
    finish();
}

TEST(signed_headers_are_sorted_and_each_once)
{
    static const char *const lists[] = { "x-amz-date;x-amz-content-sha256;host",
                                         "host;host;x-amz-content-sha256;x-amz-date", ";host" };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct signer s = usual_signer();
        s.signed_headers = lists[i];
        CHECK_REFUSED(signed_request("GET", "/b/k", "host:h\n", s), ERR_AUTH_HEADER_MALFORMED);
    }
    finish();
}

TEST(a12_the_life_of_a_presigned_request_is_bounded)
{
    static const struct {
        const char *expires, *now;
        enum err_code code;
    } rows[] = {
        { "600", "20261121T093000Z", ERR_OK },
        { "600", "20261121T093959Z", ERR_OK },
        { "600", "20261121T094001Z", ERR_REQUEST_EXPIRED },
        { "604800", "20261128T092959Z", ERR_OK },
        { "604801", "20261121T093000Z", ERR_AUTH_QUERY_INVALID },
        { "0", "20261121T093000Z", ERR_AUTH_QUERY_INVALID },
        { "-1", "20261121T093000Z", ERR_AUTH_QUERY_INVALID },
        { "1e30", "20261121T093000Z", ERR_AUTH_QUERY_INVALID },
        { "99999999999999999999", "20261121T093000Z", ERR_AUTH_QUERY_INVALID },
        { "600", "20261121T091401Z", ERR_DENIED }, /* from the future */
        { "600", "20261121T091600Z", ERR_OK },
    };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct signer s = usual_signer();
        struct s3_auth auth;
        s.expires = rows[i].expires;
        s.date = NOW;
        set_now(rows[i].now);
        struct http_request *req = request("GET", presigned_target("GET", "/b/k", "h", s), "host:h\n");
        const struct err e = verify(req, &auth);
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "%s at %s: %s", rows[i].expires, rows[i].now, err_name(e.code));
        if (e.code == ERR_OK) CHECK(auth.is_presigned && auth.payload == PAYLOAD_UNSIGNED);
    }
    finish();
}

TEST(a12_a_presigned_request_may_not_be_changed)
{
    static const char *const added[] = { "versionId=1", "response-content-type=text%2Fhtml",
                                         "acl",         "uploads",
                                         "x",           "X-Amz-Security-Token=" };

    begin(NULL, NOW);
    const char *url = presigned_target("GET", "/b/k", "h", usual_signer());
    CHECK_REFUSED(request("PUT", url, "host:h\n"), ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("HEAD", url, "host:h\n"), ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("GET", url, "host:other\n"), ERR_SIGNATURE_MISMATCH);
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        CHECK_REFUSED(request("GET", arena_printf(arena, "%s&%s", url, added[i]).data, "host:h\n"),
                      ERR_SIGNATURE_MISMATCH);
    finish();
}

TEST(a13_a_signature_without_a_key_is_none)
{
    static const char *const keys[] = { "", "AWS4", ACCESS_KEY, "aws4_request" };
    const char *const target =
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261121%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=" NOW "&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=";
    struct s3_auth auth;
    char hex[65];
    uint8_t mac[32];

    begin(NULL, NOW);
    CHECK_ERR(verify(request("GET", arena_printf(arena, "%s" MADE_UP, target).data, "host:h\n"), &auth),
              ERR_SIGNATURE_MISMATCH);
    const struct str texts[] = { auth.string_to_sign, auth.canonical_request };
    for (size_t t = 0; t < 2; t++) {
        const struct digest_value sum = digest_of(DIGEST_SHA256, texts[t].data, texts[t].len);
        hex_z(sum.bytes, sum.len, hex);
        CHECK_REFUSED(request("GET", arena_printf(arena, "%s%s", target, hex).data, "host:h\n"),
                      ERR_SIGNATURE_MISMATCH);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            hmac_sha256(str_from_z(keys[i]), texts[t], mac);
            hex_z(mac, sizeof(mac), hex);
            CHECK_REFUSED(request("GET", arena_printf(arena, "%s%s", target, hex).data, "host:h\n"),
                          ERR_SIGNATURE_MISMATCH);
        }
    }
    finish();
}

/* The signature that a client makes who does not encode the path: taken from what the verifier says that it looks for. */
static struct http_request *sign_raw_path(struct http_request *req)
{
    uint8_t key[32], mac[32];
    char hex[65];
    const struct sigv4_claim claim = { .access_key = STR(ACCESS_KEY),
                                       .date = STR("20261121"),
                                       .region = STR("us-east-1"),
                                       .scope = STR("20261121/us-east-1/s3/aws4_request") };
    const struct str canonical = arena_printf(
        arena,
        "GET\n%.*s\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:" NOW
        "\n\nhost;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
        STR_ARG(req->raw_path));
    const struct digest_value sum = digest_of(DIGEST_SHA256, canonical.data, canonical.len);

    hex_z(sum.bytes, sum.len, hex);
    const struct str text = arena_printf(arena, "AWS4-HMAC-SHA256\n" NOW "\n%.*s\n%s", STR_ARG(claim.scope),
                                         hex);
    sigv4_signing_key(&claim, STR(SECRET), key);
    hmac_sha256(str_of(key, 32), text, mac);
    hex_z(mac, sizeof(mac), hex);
    add_header(req, "x-amz-date", NOW);
    add_header(req, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    add_header(req, "authorization",
               arena_printf(arena,
                            "AWS4-HMAC-SHA256 Credential=" CREDENTIAL
                            ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s",
                            hex)
                   .data);
    return req;
}

/* The path is decoded once. Texts that mean one key have one signature; those that mean different keys never share one. */
TEST(a18_a_key_has_one_canonical_form)
{
    static const struct {
        const char *is_signed, *sent;
        bool is_same;
    } rows[] = {
        { "/b/a", "/b/%61", true },         { "/b/a%20b", "/b/a%20b", true },
        { "/b/a+b", "/b/a%2Bb", true },     { "/b/a+b", "/b/a%20b", false },
        { "/b/%C3%A9", "/b/%c3%a9", true }, { "/b/%C3%A9", "/b/e%CC%81", false },
        { "/b/%2e%2e/c", "/b/../c", true }, { "/b/%2e%2e/c", "/c", false },
        { "/b/a//c", "/b/a/c", false },     { "/b/./a", "/b/a", false },
        { "/b/%2561", "/b/%61", false },    { "/b/%2561", "/b/a", false },
        { "/b/a", "/b/A", false },          { "/b/a=b", "/b/a%3Db", true },
        { "/b/a~", "/b/a%7E", true },       { "/b/a/", "/b/a", false },
    };
    struct s3_auth auth;

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_request *from = signed_request("GET", rows[i].is_signed, "host:h\n",
                                                         usual_signer());
        struct http_request *req = request("GET", rows[i].sent, "host:h\n");
        req->headers = from->headers;
        req->header_count = from->header_count;
        const struct err e = verify(req, &auth);
        if ((e.code == ERR_OK) != rows[i].is_same)
            test_fail(__FILE__, __LINE__, "%s as %s: %s", rows[i].is_signed, rows[i].sent, err_name(e.code));
    }
    CHECK_REFUSED(request("GET", "/b/%zz", "host:h\n"), ERR_INVALID_URI);
    CHECK_REFUSED(request("GET", "/b/k?x=%2", "host:h\n"), ERR_INVALID_URI);
    finish();
}

/* s3.md 1: some clients sign the path as they send it, although S3 would encode it otherwise. */
TEST(a_path_signed_as_it_was_sent_is_right_too)
{
    struct s3_auth auth;

    begin(NULL, NOW);
    struct http_request *other = request("GET", "/b/a(1).txt", "host:h\n");
    struct http_request *req = sign_raw_path(other);
    CHECK_OK(verify(req, &auth));
    req->raw_path = STR("/b/a%281%29.txt");
    CHECK_ERR(verify(req, &auth), ERR_SIGNATURE_MISMATCH);
    finish();
}

TEST(c9_headers_do_not_say_who_one_is)
{
    struct s3_auth auth;

    begin(NULL, NOW);
    CHECK_OK(verify(
        request(
            "GET", "/b/k",
            "host:h\nuserid:root\ngroups:admin\nx-amz-meta-aws:username\naws:principalarn:root\nx-forwarded-user:root\n"
            "remote-user:root\nx-amz-source-identity:root\n"),
        &auth));
    CHECK(auth.caller.is_anonymous && !auth.caller.principal && !auth.is_signed);
    CHECK_ERR(access_check(&auth.caller, PERM_READ, STR("b"), STR("k")), ERR_DENIED);
    finish();
}

TEST(c23_a_signature_for_another_service_is_refused)
{
    static const char *const services[] = { "s3tables", "execute-api", "sts", "iam", "S3", "" };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        struct signer s = usual_signer();
        s.service = services[i];
        CHECK_REFUSED(signed_request("GET", "/b/k", "host:h\n", s), ERR_AUTH_HEADER_MALFORMED);
        CHECK_REFUSED(request("GET", presigned_target("GET", "/b/k", "h", s), "host:h\n"),
                      ERR_AUTH_QUERY_INVALID);
    }
    finish();
}

/* ---- what is malformed ---- */

TEST(malformed_authorizations_are_refused)
{
    static const struct {
        const char *text;
        enum err_code code;
    } rows[] = {
        { "", ERR_INVALID_ARGUMENT },
        { "Basic cm9vdDpyb290", ERR_INVALID_ARGUMENT },
        { "Bearer x", ERR_INVALID_ARGUMENT },
        { "AWS4-ECDSA-P256-SHA256 Credential=x", ERR_INVALID_ARGUMENT },
        { "AWS4-HMAC-SHA256", ERR_INVALID_ARGUMENT },
        { "AWS4-HMAC-SHA256 ", ERR_INVALID_ARGUMENT }, /* trimmed */
        { "AWS4-HMAC-SHA256 x", ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL, ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=host", ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=host,Signature=0,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=host,Signature=0,More=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/s3,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=/20261121/r/s3/aws4_request,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=k/20261121/r/s3/aws4_reques,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=k/2026-1-1/r/s3/aws4_request,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS4-HMAC-SHA256 Credential=k/20261120/r/s3/aws4_request,SignedHeaders=host,Signature=0",
          ERR_AUTH_HEADER_MALFORMED },
        { "AWS x", ERR_AUTH_HEADER_MALFORMED },
        { "AWS :x", ERR_AUTH_HEADER_MALFORMED },
        { "AWS x:", ERR_AUTH_HEADER_MALFORMED },
    };

    begin(NULL, NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request *req = request(
            "GET", "/b/k", "host:h\nx-amz-date:" NOW "\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n");
        add_header(req, "authorization",
                   str_trim(str_from_z(rows[i].text)).len ? arena_z(arena, str_trim(str_from_z(rows[i].text)))
                                                          : "");
        CHECK_REFUSED(req, rows[i].code);
    }
    finish();
}

TEST(an_access_key_may_have_slashes)
{
    struct s3_auth auth;

    begin(
        "{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"team/a/key\",\"secretKey\":\"s\"}]}]}",
        NOW);
    struct signer s = usual_signer();
    s.access_key = "team/a/key";
    s.secret = "s";
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    CHECK_STR(auth.access_key, STR("team/a/key"));
    CHECK_OK(verify(request("GET", presigned_target("GET", "/b/k", "h", s), "host:h\n"), &auth));
    finish();
}

TEST(an_anonymous_caller_has_the_anonymous_identitys_rights)
{
    struct s3_auth auth;

    begin("{\"identities\":[{\"name\":\"anonymous\",\"actions\":[\"Read:public\"]}]}", NOW);
    CHECK_OK(verify(request("GET", "/public/k", "host:h\n"), &auth));
    CHECK(auth.caller.is_anonymous && !auth.is_signed && auth.payload == PAYLOAD_UNSIGNED);
    CHECK_OK(access_check(&auth.caller, PERM_READ, STR("public"), STR("k")));
    CHECK_ERR(access_check(&auth.caller, PERM_READ, STR("private"), STR("k")), ERR_DENIED);
    CHECK_REFUSED(
        request("PUT", "/public/k", "host:h\nx-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n"),
        ERR_INVALID_REQUEST);
    CHECK_REFUSED(request("PUT", "/public/k", "host:h\nx-amz-content-sha256:x\n"), ERR_INVALID_ARGUMENT);
    finish();
}

/* Whatever a client lists, the canonical request stays small. */
TEST(large_headers_are_refused_and_not_copied_many_times)
{
    begin(NULL, NOW);
    char *value = arena_alloc(arena, 300001);
    memset(value, 'a', 300000);
    struct http_request *req = signed_request("GET", "/b/k", "host:h\nx-amz-meta-a:1\n", usual_signer());
    remove_header(req, "x-amz-meta-a");
    add_header(req, "x-amz-meta-a", value);
    CHECK_REFUSED(req, ERR_INVALID_REQUEST);
    finish();
}
