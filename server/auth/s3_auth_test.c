/* s3_auth_test.c - signatures that others made are right: AWS' published examples, and botocore's (vectors_test.h). */
#include "server/auth/s3_auth.h"

#include "admin/iam/session_token.h"
#include "server/auth/fixture_test.h"
#include "server/auth/vectors_test.h"
#include "storage/base/clock.h"

#define SCOPE_2013 ACCESS_KEY "/20130524/us-east-1/s3/aws4_request"

/* "Signature Calculations for the Authorization Header" and "Using Query Parameters", Amazon S3 API reference. */
static const struct vector aws_examples[] = {
    { "GET object", "GET", "/test.txt",
      "host:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-sha256:" EMPTY_SHA256
      "\nx-amz-date:20130524T000000Z\n"
      "authorization:AWS4-HMAC-SHA256 Credential=" SCOPE_2013
      ",SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n" },
    { "PUT object", "PUT", "/test%24file.text",
      "host:examplebucket.s3.amazonaws.com\ndate:Fri, 24 May 2013 00:00:00 GMT\nx-amz-date:20130524T000000Z\n"
      "x-amz-storage-class:REDUCED_REDUNDANCY\nx-amz-content-sha256:44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n"
      "authorization:AWS4-HMAC-SHA256 Credential=" SCOPE_2013
      ",SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
      "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\n" },
    { "GET bucket lifecycle", "GET", "/?lifecycle",
      "host:examplebucket.s3.amazonaws.com\nx-amz-date:20130524T000000Z\nx-amz-content-sha256:" EMPTY_SHA256
      "\n"
      "authorization:AWS4-HMAC-SHA256 Credential=" SCOPE_2013
      ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
      "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\n" },
    { "list objects", "GET", "/?max-keys=2&prefix=J",
      "host:examplebucket.s3.amazonaws.com\nx-amz-date:20130524T000000Z\nx-amz-content-sha256:" EMPTY_SHA256
      "\n"
      "authorization:AWS4-HMAC-SHA256 Credential=" SCOPE_2013
      ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\n" },
    { "presigned GET", "GET",
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      "host:examplebucket.s3.amazonaws.com\n" },
    { "chunked PUT", "PUT", "/examplebucket/chunkObject.txt",
      "host:s3.amazonaws.com\nx-amz-date:20130524T000000Z\nx-amz-storage-class:REDUCED_REDUNDANCY\n"
      "x-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\ncontent-encoding:aws-chunked\nx-amz-decoded-content-length:66560\n"
      "content-length:66824\nauthorization:AWS4-HMAC-SHA256 Credential=" SCOPE_2013
      ",SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"
      "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\n" },
};

static void check_vectors(const struct vector *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct s3_auth auth;
        const struct err e = verify(request(rows[i].method, rows[i].target, rows[i].headers), &auth);
        if (e.code)
            test_fail(__FILE__, __LINE__, "%s %s: %s (%s)\n%.*s\n%.*s", rows[i].name, rows[i].target,
                      err_name(e.code), e.why, STR_ARG(auth.canonical_request), STR_ARG(auth.string_to_sign));
        CHECK(auth.is_signed && !auth.caller.is_anonymous && principal_is_root(auth.caller.principal));
        CHECK_STR(auth.access_key, STR(ACCESS_KEY));
    }
}

TEST(the_examples_of_aws_are_right)
{
    begin(NULL, "20130524T000000Z");
    check_vectors(aws_examples, sizeof(aws_examples) / sizeof(aws_examples[0]));
    finish();
}

TEST(what_botocore_signs_is_right)
{
    begin(NULL, VECTORS_NOW);
    check_vectors(botocore_vectors, sizeof(botocore_vectors) / sizeof(botocore_vectors[0]));
    finish();
}

/* A vector proves little if anything passes: each fails with one character of its method, path, query or signature changed. */
TEST(every_vector_fails_when_it_is_changed)
{
    begin(NULL, VECTORS_NOW);
    for (size_t i = 0; i < sizeof(botocore_vectors) / sizeof(botocore_vectors[0]); i++) {
        const struct vector *v = &botocore_vectors[i];
        struct s3_auth auth;
        char *target = arena_z(arena, str_from_z(v->target));
        target[1] = target[1] == 'c' ? 'd' : 'c'; /* another bucket, or ListBuckets with another query */
        if (v->target[1] == '\0') continue;
        CHECK(verify(request(v->method, target, v->headers), &auth).code != ERR_OK);
        CHECK(verify(request("POST", v->target, v->headers), &auth).code != ERR_OK);
        CHECK(!auth.caller.principal);
    }
    finish();
}

TEST(a_mismatch_shows_what_was_signed_and_no_secret)
{
    struct s3_auth auth;

    begin(NULL, VECTORS_NOW);
    struct http_request *req = signed_request("GET", "/b/k", "host:h\n", usual_signer());
    req->method_name = STR("HEAD");
    CHECK_ERR(verify(req, &auth), ERR_SIGNATURE_MISMATCH);
    CHECK(str_starts(auth.canonical_request, STR("HEAD\n/b/k\n\nhost:h\n")));
    CHECK(str_starts(auth.string_to_sign,
                     STR("AWS4-HMAC-SHA256\n20261121T093000Z\n20261121/us-east-1/s3/aws4_request\n")));
    CHECK_U64(auth.signature_provided.len, 64);
    CHECK(!str_contains(auth.canonical_request, STR(SECRET))
          && !str_contains(auth.string_to_sign, STR(SECRET)));
    CHECK_STR(auth.access_key, STR(ACCESS_KEY));
    finish();
}

TEST(the_kind_of_payload_is_read_from_the_header)
{
    static const struct {
        const char *text;
        enum err_code code;
        enum payload_kind kind;
    } rows[] = {
        { "UNSIGNED-PAYLOAD", ERR_OK, PAYLOAD_UNSIGNED },
        { EMPTY_SHA256, ERR_OK, PAYLOAD_SHA256 },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ERR_OK, PAYLOAD_CHUNKED_SIGNED },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", ERR_OK, PAYLOAD_CHUNKED_SIGNED_TRAILER },
        { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ERR_OK, PAYLOAD_CHUNKED_UNSIGNED_TRAILER },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ERR_UNSUPPORTED, PAYLOAD_UNSIGNED },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", ERR_UNSUPPORTED, PAYLOAD_UNSIGNED },
        { "unsigned-payload", ERR_INVALID_ARGUMENT, PAYLOAD_UNSIGNED },
        { "e3b0", ERR_INVALID_ARGUMENT, PAYLOAD_UNSIGNED },
        { EMPTY_SHA256 "00", ERR_INVALID_ARGUMENT, PAYLOAD_UNSIGNED },
        { "", ERR_INVALID_REQUEST, PAYLOAD_UNSIGNED },
    };

    begin(NULL, VECTORS_NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct signer s = usual_signer();
        struct s3_auth auth;
        s.payload = rows[i].text;
        CHECK_ERR(verify(signed_request("PUT", "/b/k", "host:h\n", s), &auth), rows[i].code);
        if (rows[i].code == ERR_OK) CHECK_U64(auth.payload, rows[i].kind);
        else CHECK(!auth.caller.principal && !auth.is_signed);
    }
    finish();
}

TEST(a_header_signature_needs_the_payloads_header)
{
    begin(NULL, VECTORS_NOW);
    struct http_request *req = signed_request("GET", "/b/k", "host:h\n", usual_signer());
    remove_header(req, "x-amz-content-sha256");
    CHECK_REFUSED(req, ERR_INVALID_REQUEST);
    finish();
}

TEST(a_proxys_host_is_tried_after_the_one_received)
{
    struct s3_auth auth;

    begin(NULL, VECTORS_NOW);
    struct http_request *req = signed_request("GET", "/b/k", "host:s3.example.com\n", usual_signer());
    req->host = STR("10.0.0.7:8333");
    CHECK_ERR(verify(req, &auth), ERR_SIGNATURE_MISMATCH);
    options.external_hosts = STR("other.example.com, s3.example.com");
    CHECK_OK(verify(req, &auth));
    options.external_hosts = STR("other.example.com");
    CHECK_ERR(verify(req, &auth), ERR_SIGNATURE_MISMATCH);
    CHECK(str_contains(auth.canonical_request, STR("host:10.0.0.7:8333\n")));
    finish();
}

TEST(the_region_is_checked_if_one_is_set)
{
    struct s3_auth auth;

    begin(NULL, VECTORS_NOW);
    struct signer s = usual_signer();
    s.region = "eu-west-7";
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    options.region = STR("us-east-1");
    CHECK_REFUSED(signed_request("GET", "/b/k", "host:h\n", s), ERR_AUTH_HEADER_MALFORMED);
    CHECK_REFUSED(request("GET", presigned_target("GET", "/b/k", "h", s), "host:h\n"),
                  ERR_AUTH_QUERY_INVALID);
    s.region = "us-east-1";
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    finish();
}

TEST(dates_more_than_fifteen_minutes_off_are_refused)
{
    static const struct {
        const char *date;
        enum err_code code;
    } rows[] = {
        { "20261121T093000Z", ERR_OK },           { "20261121T091501Z", ERR_OK },
        { "20261121T091459Z", ERR_CLOCK_SKEWED }, { "20261121T094459Z", ERR_OK },
        { "20261121T094502Z", ERR_CLOCK_SKEWED }, { "20251121T093000Z", ERR_CLOCK_SKEWED },
        { "20261121T0930Z", ERR_DENIED },         { "20261121 093000Z", ERR_DENIED },
        { "20261321T093000Z", ERR_DENIED },
    };

    begin(NULL, VECTORS_NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct signer s = usual_signer();
        struct s3_auth auth;
        s.date = rows[i].date;
        const struct err e = verify(signed_request("GET", "/b/k", "host:h\n", s), &auth);
        if (e.code != rows[i].code) test_fail(__FILE__, __LINE__, "%s: %s", rows[i].date, err_name(e.code));
    }
    finish();
}

/* The signing key of one secret is not taken for another's, though name, day and region are the same. */
TEST(the_cache_tells_secrets_apart)
{
    struct s3_auth auth;

    begin("{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"one\"}]}]}",
          VECTORS_NOW);
    struct signer s = usual_signer();
    s.access_key = "k";
    s.secret = "one";
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    finish();
    begin("{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"two\"}]}]}",
          VECTORS_NOW);
    CHECK_REFUSED(signed_request("GET", "/b/k", "host:h\n", s), ERR_SIGNATURE_MISMATCH);
    s.secret = "two";
    CHECK_OK(verify(signed_request("GET", "/b/k", "host:h\n", s), &auth));
    finish();
}

/* ---- vended keys ---- */

static struct vended_key vend(void)
{
    const struct session_scope scope = { .prefixes = { STR("wh/t/") },
                                         .prefix_count = 1,
                                         .rights = SESSION_READ,
                                         .expires_ms = clock_now_ms() + 60000 };
    const struct directory *d;
    struct vended_key key;

    CHECK_OK(iam_directory(options.iam, arena, &d));
    CHECK_OK(vended_issue(options.iam, directory_find_name(d, STR("root")), &scope, arena, &key));
    return key;
}

TEST(a_vended_key_signs_with_its_token)
{
    struct s3_auth auth;

    begin(NULL, VECTORS_NOW);
    const struct vended_key key = vend();
    struct signer s = usual_signer();
    s.access_key = key.access_key.data;
    s.secret = key.secret.data;
    CHECK_REFUSED(signed_request("GET", "/wh/t/x", "host:h\n", s), ERR_INVALID_ACCESS_KEY);
    s.token = key.session_token.data;
    CHECK_OK(verify(signed_request("GET", "/wh/t/x", "host:h\n", s), &auth));
    CHECK(auth.caller.scope && auth.caller.scope->rights == SESSION_READ);
    CHECK_OK(access_check(&auth.caller, PERM_READ, STR("wh"), STR("t/x")));
    CHECK_ERR(access_check(&auth.caller, PERM_READ, STR("wh"), STR("u/x")), ERR_DENIED);
    CHECK_OK(verify(request("GET", presigned_target("GET", "/wh/t/x", "h", s), "host:h\n"), &auth));
    CHECK(auth.caller.scope);
    finish();
}

TEST(a_session_token_must_be_right_and_signed)
{
    begin(NULL, VECTORS_NOW);
    const struct vended_key key = vend();
    struct signer s = usual_signer();
    s.token = key.session_token.data; /* somebody else's */
    CHECK_REFUSED(signed_request("GET", "/wh/t/x", "host:h\n", s), ERR_INVALID_TOKEN);
    s.access_key = key.access_key.data;
    s.secret = "guessed";
    CHECK_REFUSED(signed_request("GET", "/wh/t/x", "host:h\n", s), ERR_SIGNATURE_MISMATCH);
    s.secret = key.secret.data;
    s.signed_headers = "host;x-amz-content-sha256;x-amz-date";
    CHECK_REFUSED(signed_request("GET", "/wh/t/x", "host:h\n", s), ERR_DENIED);
    s.signed_headers = NULL;
    CHECK_REFUSED(signed_request("GET", "/wh/t/x", "host:h\nx-amz-security-token:x\n", s), ERR_INVALID_TOKEN);
    struct http_request *late = signed_request("GET", "/wh/t/x", "host:h\n", s);
    set_now("20261121T093200Z");
    CHECK_REFUSED(late, ERR_EXPIRED_TOKEN);
    finish();
}
