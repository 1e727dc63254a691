/* sigv2_test.c - the examples of "Signing and authenticating REST requests" (Signature Version 2), and what must not pass. */
#include "server/auth/fixture_test.h"

#define AUTH "authorization:AWS " ACCESS_KEY ":"

/* All in virtual-host style, as AWS has them; the edge says which bucket the Host names. */
static const struct {
    const char *name, *now, *bucket, *method, *target, *headers;
} examples[] = {
    { "GET", "2007-03-27T19:36:42Z", "johnsmith", "GET", "/photos/puppy.jpg",
      "host:johnsmith.s3.amazonaws.com\ndate:Tue, 27 Mar 2007 19:36:42 +0000\n" AUTH
      "bWq2s1WEIj+Ydj0vQ697zp+IXMU=\n" },
    { "PUT", "2007-03-27T21:15:45Z", "johnsmith", "PUT", "/photos/puppy.jpg",
      "content-type:image/jpeg\ncontent-length:94328\nhost:johnsmith.s3.amazonaws.com\ndate:Tue, 27 Mar 2007 21:15:45 +0000\n" AUTH
      "MyyxeRY7whkBe+bq8fHCL/2kKUg=\n" },
    { "list", "2007-03-27T19:42:41Z", "johnsmith", "GET", "/?prefix=photos&max-keys=50&marker=puppy",
      "user-agent:Mozilla/5.0\nhost:johnsmith.s3.amazonaws.com\ndate:Tue, 27 Mar 2007 19:42:41 +0000\n" AUTH
      "htDYFYduRNen8P9ZfE/s9SuKy0U=\n" },
    { "fetch", "2007-03-27T19:44:46Z", "johnsmith", "GET", "/?acl",
      "host:johnsmith.s3.amazonaws.com\ndate:Tue, 27 Mar 2007 19:44:46 +0000\n" AUTH
      "c2WLPFtWHVgbEmeEG93a4cG37dM=\n" },
    { "upload", "2007-03-27T21:06:08Z", "", "PUT", "/static.johnsmith.net/db-backup.dat.gz",
      "user-agent:curl/7.15.5\nhost:static.johnsmith.net:8080\ndate:Tue, 27 Mar 2007 21:06:08 +0000\nx-amz-acl:public-read\n"
      "content-type:application/x-download\ncontent-md5:4gJE4saaMU4BqNR0kLY+lw==\nx-amz-meta-reviewedby:joe@johnsmith.net\n"
      "x-amz-meta-reviewedby:jane@johnsmith.net\nx-amz-meta-filechecksum:0x02661779\nx-amz-meta-checksumalgorithm:crc32\n"
      "content-disposition:attachment; filename=database.dat\ncontent-encoding:gzip\ncontent-length:5913339\n" AUTH
      "ilyl83RwaSoYIEdixDQcA4OnAnc=\n" },
    { "list buckets", "2007-03-28T01:29:59Z", "", "GET", "/",
      "host:s3.amazonaws.com\ndate:Wed, 28 Mar 2007 01:29:59 +0000\n" AUTH "qGdzdERIC03wnaRNKh6OqZehG9s=\n" },
    { "unicode keys", "2007-03-28T01:49:49Z", "", "GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
      "host:s3.amazonaws.com\ndate:Wed, 28 Mar 2007 01:49:49 +0000\n" AUTH "DNEZGsoieTZ92F3bUfSPQcbGmlM=\n" },
    { "query", "2007-03-28T01:49:49Z", "johnsmith", "GET",
      "/photos/puppy.jpg?AWSAccessKeyId=" ACCESS_KEY
      "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
      "host:johnsmith.s3.amazonaws.com\ndate:Mon, 26 Mar 2007 19:37:58 +0000\n" },
};

TEST(the_examples_of_aws_for_version_2_are_right)
{
    begin(NULL, "2007-03-27T19:36:42Z");
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct s3_auth auth;
        set_now(examples[i].now);
        options.virtual_bucket = str_from_z(examples[i].bucket);
        struct http_request *req = request(examples[i].method, examples[i].target, examples[i].headers);
        const struct err e = verify(req, &auth);
        if (e.code)
            test_fail(__FILE__, __LINE__, "%s: %s (%s)\n%.*s", examples[i].name, err_name(e.code), e.why,
                      STR_ARG(auth.string_to_sign));
        CHECK(principal_is_root(auth.caller.principal) && auth.payload == PAYLOAD_UNSIGNED);
        options.virtual_bucket = STR("other");
        CHECK_REFUSED(req, ERR_SIGNATURE_MISMATCH);
    }
    finish();
}

#define QUERY_EXAMPLE 7

TEST(a12_a_version_2_url_expires)
{
    begin(NULL, "2007-03-28T01:49:49Z");
    options.virtual_bucket = STR("johnsmith");
    const char *target = examples[QUERY_EXAMPLE].target;
    set_now("2007-03-29T03:40:20Z");
    struct s3_auth auth;
    CHECK_OK(verify(request("GET", target, "host:h\n"), &auth));
    CHECK(auth.is_presigned);
    set_now("2007-03-29T03:40:21Z");
    CHECK_REFUSED(request("GET", target, "host:h\n"), ERR_REQUEST_EXPIRED);
    finish();
}

TEST(a12_a_version_2_url_may_not_be_changed)
{
    static const char *const added[] = { "acl",
                                         "versionId=1",
                                         "uploads",
                                         "response-content-type=text%2Fhtml",
                                         "x-amz-acl=public-read",
                                         "partNumber=1",
                                         "tagging",
                                         "Content-Type=a",
                                         "content-md5=x",
                                         "retention",
                                         "legal-hold" };

    begin(NULL, "2007-03-28T01:49:49Z");
    options.virtual_bucket = STR("johnsmith");
    const char *target = examples[QUERY_EXAMPLE].target;
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        CHECK_REFUSED(request("GET", arena_printf(arena, "%s&%s", target, added[i]).data, "host:h\n"),
                      ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("PUT", target, "host:h\n"), ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("GET", target, "host:h\ncontent-type:text/plain\n"), ERR_SIGNATURE_MISMATCH);
    CHECK_REFUSED(request("GET", target, "host:h\nx-amz-acl:private\n"), ERR_SIGNATURE_MISMATCH);
    finish();
}

/* "partNumber=1&uploadId=U" is signed as it reads: as one value it would be another operation. */
TEST(one_text_to_sign_has_one_request)
{
    static const char *const targets[] = {
        "/b/k?partNumber=1%26uploadId%3DU",
        "/b/k?response-content-type=a%26versionId%3D1",
        "/b/k?versionId=a%0Ab",
        "/b/k?x-amz-meta-a=b%0Ax-amz-acl:public-read",
        "/b/k?content-type=a%0Ab",
        "/b/k?response-expires=%26acl",
    };

    begin(NULL, "2026-11-21T09:30:00Z");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const struct str url = arena_printf(
            arena, "%s&AWSAccessKeyId=" ACCESS_KEY "&Signature=x&Expires=1795254000", targets[i]);
        CHECK_REFUSED(request("PUT", url.data, "host:h\n"), ERR_INVALID_REQUEST);
    }
    finish();
}

TEST(a_version_2_header_is_dated)
{
    static const struct {
        const char *date;
        enum err_code code;
    } rows[] = {
        { "date:Tue, 27 Mar 2007 19:36:42 +0000\n", ERR_SIGNATURE_MISMATCH },
        { "x-amz-date:Tue, 27 Mar 2007 19:36:42 +0000\n", ERR_SIGNATURE_MISMATCH },
        { "x-amz-date:Tue, 27 Mar 2007 19:36:42 GMT\ndate:x\n", ERR_SIGNATURE_MISMATCH },
        { "date:Tue, 27 Mar 2007 19:20:42 +0000\n", ERR_CLOCK_SKEWED },
        { "date:Tue, 27 Mar 2007 19:36:42 -0700\n", ERR_DENIED },
        { "date:yesterday\n", ERR_DENIED },
        { "", ERR_DENIED },
    };

    begin(NULL, "2007-03-27T19:36:42Z");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct str headers = arena_printf(arena, "host:h\n%s" AUTH "bWq2s1WEIj+Ydj0vQ697zp+IXMU=\n",
                                                rows[i].date);
        CHECK_REFUSED(request("GET", "/b/k", headers.data), rows[i].code);
    }
    finish();
}

TEST(an_unknown_key_of_version_2_is_refused)
{
    begin(NULL, "2007-03-28T01:29:59Z");
    CHECK_REFUSED(request("GET", "/?AWSAccessKeyId=nobody&Signature=x&Expires=1795254000", "host:h\n"),
                  ERR_INVALID_ACCESS_KEY);
    finish();
}

/* RFC 2104: a key that is longer than a block is digested first. */
TEST(a_long_secret_signs_too)
{
    struct s3_auth auth;
    char secret[101] = "", identities[256];

    memset(secret, 'K', 100);
    snprintf(
        identities, sizeof(identities),
        "{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"%s\"}]}]}",
        secret);
    begin(identities, "2026-11-21T09:30:00Z");
    CHECK_OK(verify(
        request("GET", "/b/k?AWSAccessKeyId=k&Signature=IDaCKIRgyvp8UZqLeJ5jJHFGQG0%3D&Expires=1795254000",
                "host:h\n"),
        &auth));
    finish();
}
