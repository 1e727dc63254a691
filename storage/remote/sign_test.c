#include "storage/remote/sign.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

/* "Authenticating Requests: Using the Authorization Header", examples of the S3 API reference. */
static const struct remote_keys example = {
    .access_key = { "AKIAIOSFODNN7EXAMPLE", 20 },
    .secret_key = { "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40 },
};
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void check(const struct sign_request *r, const char *signature)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct str got = STR_NONE;

    CHECK_OK(sign_request(&example, r, arena, &got));
    CHECK(str_starts(
        got, STR("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ")));
    CHECK_STR(str_from(got, got.len - 64), str_from_z(signature));
}

TEST(the_reference_s_examples_come_out)
{
    const struct sign_header get[] = {
        { STR("host"), STR("examplebucket.s3.amazonaws.com") },
        { STR("range"), STR("bytes=0-9") },
        { STR("x-amz-content-sha256"), STR(EMPTY) },
        { STR("x-amz-date"), STR("20130524T000000Z") },
    };
    struct sign_request r = { .method = STR("GET"),
                              .path = STR("/test.txt"),
                              .payload = STR(EMPTY),
                              .headers = get,
                              .header_count = 4,
                              .amz_date = STR("20130524T000000Z"),
                              .region = STR("us-east-1") };

    check(&r, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    const struct sign_header list[] = { get[0], get[2], get[3] };
    r.headers = list;
    r.header_count = 3;
    r.path = STR("/");
    r.query = STR("max-keys=2&prefix=J");
    check(&r, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(the_digest_of_nothing_is_the_known_one)
{
    char out[65];

    sign_payload(STR(""), out);
    CHECK_STR(str_from_z(out), STR(EMPTY));
}
