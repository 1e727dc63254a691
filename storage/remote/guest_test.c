#include "storage/remote/guest.h"

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define HERE "https://s3.example.com"

static struct endpoint here(void)
{
    struct endpoint e;

    CHECK_OK(endpoint_parse(STR(HERE), &e));
    return e;
}

static struct guest_request request(const char *method, const char *uri, const char *name, const char *value)
{
    struct guest_request r = { .method = str_from_z(method), .uri = str_from_z(uri) };

    if (name) r.headers[r.header_count++] = (struct sign_header){ str_from_z(name), str_from_z(value) };
    return r;
}

TEST(what_a_request_does_is_known_or_it_is_not_signed)
{
    enum { NO = -1 };
    static const struct {
        const char *method, *uri;
        int act; /* NO: refused */
        const char *key;
    } rows[] = {
        { "GET", HERE "/lake/t/f", GUEST_READ, "t/f" },
        { "HEAD", HERE "/lake/t/f?x-id=HeadObject", GUEST_READ, "t/f" },
        { "GET", "https://lake.s3.example.com/t/f", GUEST_READ, "t/f" },
        { "GET", HERE "/lake?list-type=2&prefix=t%2F&delimiter=%2F", GUEST_LIST, "t/" },
        { "GET", HERE "/lake/?list-type=2", GUEST_LIST, "" },
        { "PUT", HERE "/lake/t/f", GUEST_WRITE, "t/f" },
        { "PUT", HERE "/lake/t/f?partNumber=1&uploadId=u", GUEST_WRITE, "t/f" },
        { "POST", HERE "/lake/t/f?uploads", GUEST_WRITE, "t/f" },
        { "POST", HERE "/lake/t/f?uploadId=u", GUEST_WRITE, "t/f" },
        { "GET", HERE "/lake/t/f?uploadId=u", GUEST_WRITE, "t/f" },
        { "DELETE", HERE "/lake/t/f", GUEST_DELETE, "t/f" },
        { "DELETE", HERE "/lake/t/f?uploadId=u", GUEST_WRITE, "t/f" },
        { "GET", HERE "/lake", NO, "" },
        { "HEAD", HERE "/lake", NO, "" },
        { "PUT", HERE "/lake", NO, "" },
        { "DELETE", HERE "/lake", NO, "" },
        { "GET", HERE "/", NO, "" },
        { "GET", HERE "/lake?uploads", NO, "" },
        { "POST", HERE "/lake?delete", NO, "" },
        { "POST", HERE "/lake/t/f", NO, "" },
        { "POST", HERE "/lake/t/f?select&select-type=2", NO, "" },
        { "PUT", HERE "/lake/t/f?acl", NO, "" },
        { "GET", HERE "/lake/t/f?acl", NO, "" },
        { "GET", HERE "/lake/t/f?versionId=1", NO, "" },
        { "DELETE", HERE "/lake/t/f?versionId=1", NO, "" },
        { "GET", HERE "/lake/t/f?X-Amz-Signature=x", NO, "" },
        { "GET", HERE "/lake?list-type=2&prefix=t%2F&prefix=u%2F", NO, "" },
        { "GET", HERE "/lake?list-type=2&prefix=t%2F..%2Fu", NO, "" },
        { "PATCH", HERE "/lake/t/f", NO, "" },
        { "get", HERE "/lake/t/f", NO, "" },
        { "GET", "https://elsewhere.com/lake/t/f", NO, "" },
        { "GET", "http://s3.example.com/lake/t/f", NO, "" },
        { "GET", HERE "/lake/t/../u/f", NO, "" },
        { "GET", HERE "@evil.com/lake/t/f", NO, "" },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct endpoint e = here();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct guest_request r = request(rows[i].method, rows[i].uri, NULL, NULL);
        struct guest_look look;
        const struct err got = guest_look(&e, STR("lake"), &r, arena, &look);
        const int act = got.code == ERR_OK ? (int)look.act : NO;
        if (act != rows[i].act) test_fail(__FILE__, __LINE__, "%s %s: %d", rows[i].method, rows[i].uri, act);
        if (act == NO) CHECK_ERR(got, ERR_DENIED);
        else CHECK_STR(look.key, str_from_z(rows[i].key));
    }
}

TEST(a_header_that_reaches_further_is_refused)
{
    static const struct {
        const char *name, *value;
        enum err_code code;
    } rows[] = {
        { "Content-Type", "x/y", ERR_OK },
        { "x-amz-checksum-crc32", "AAAA", ERR_OK },
        { "X-Amz-Meta-Owner", "me", ERR_OK },
        { "x-amz-server-side-encryption", "AES256", ERR_OK },
        { "x-amz-copy-source", "/lake/u/secret", ERR_DENIED },
        { "X-Amz-Copy-Source-Range", "bytes=0-1", ERR_DENIED },
        { "x-amz-acl", "public-read", ERR_DENIED },
        { "x-amz-grant-read", "id=1", ERR_DENIED },
        { "x-amz-bypass-governance-retention", "true", ERR_DENIED },
        { "x-amz-tagging", "a=b", ERR_DENIED },
        { "x-amz-meta-a", "b\r\nx-amz-acl: public-read", ERR_INVALID },
        { "x amz", "b", ERR_INVALID },
        { "", "b", ERR_INVALID },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct endpoint e = here();
    struct guest_look look;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct guest_request r = request("PUT", HERE "/lake/t/f", rows[i].name, rows[i].value);
        CHECK_ERR(guest_look(&e, STR("lake"), &r, arena, &look), rows[i].code);
    }
    struct guest_request twice = request("PUT", HERE "/lake/t/f", "x-amz-meta-a", "1");
    twice.headers[twice.header_count++] = (struct sign_header){ STR("X-Amz-Meta-A"), STR("2") };
    CHECK_ERR(guest_look(&e, STR("lake"), &twice, arena, &look), ERR_INVALID);
}

static struct str value_of(const struct guest_request *r, const char *name)
{
    struct str found = STR_NONE;
    int count = 0;

    for (size_t i = 0; i < r->header_count; i++) {
        if (!str_is_nocase(r->headers[i].name, name)) continue;
        found = r->headers[i].value;
        count++;
    }
    CHECK(count <= 1);
    return found;
}

TEST(what_is_signed_is_what_was_looked_at)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct remote_options o = { .access_key = STR("KEY"),
                                      .secret_key = STR("SECRET"),
                                      .session_token = STR("TOKEN"),
                                      .timeout_ms = 1000,
                                      .cache_bytes = 1000 };
    const struct remote_place p = { .endpoint = STR(HERE), .region = STR("eu-1"), .bucket = STR("lake") };
    const struct endpoint e = here();
    struct remote *remote;
    struct guest_look look;
    struct guest_request out,
        r = request("PUT", "https://lake.s3.example.com/t/a%20b", "X-Amz-Meta-A", " x   y ");

    CHECK_OK(remote_new(&o, &remote));
    r.headers[r.header_count++] = (struct sign_header){ STR("Content-Type"), STR("x/y") };
    r.headers[r.header_count++] = (struct sign_header){ STR("X-Amz-Date"), STR("20000101T000000Z") };
    r.headers[r.header_count++] = (struct sign_header){ STR("Host"), STR("evil") };
    CHECK_OK(guest_look(&e, STR("lake"), &r, arena, &look));
    CHECK_OK(guest_sign(remote, &p, &r, &look, arena, &out));
    CHECK_STR(value_of(&out, "content-type"), STR("x/y"));
    CHECK_STR(value_of(&out, "x-amz-content-sha256"), STR("UNSIGNED-PAYLOAD"));
    CHECK_STR(value_of(&out, "x-amz-security-token"), STR("TOKEN"));
    CHECK(!str_eq(value_of(&out, "x-amz-date"), STR("20000101T000000Z")));
    CHECK(!value_of(&out, "host").data);

    /* The same by hand. */
    const struct sign_header headers[] = { { STR("host"), STR("lake.s3.example.com") },
                                           { STR("x-amz-content-sha256"), STR("UNSIGNED-PAYLOAD") },
                                           { STR("x-amz-date"), value_of(&out, "x-amz-date") },
                                           { STR("x-amz-meta-a"), STR("x y") },
                                           { STR("x-amz-security-token"), STR("TOKEN") } };
    struct sign_request s = { .method = STR("PUT"),
                              .path = STR("/t/a%20b"),
                              .payload = STR("UNSIGNED-PAYLOAD"),
                              .headers = headers,
                              .header_count = 5,
                              .amz_date = value_of(&out, "x-amz-date") };
    struct str wanted = STR_NONE;
    CHECK_OK(remote_sign(remote, &p, &s, arena, &wanted));
    CHECK_STR(value_of(&out, "authorization"), wanted);

    struct guest_request trailer = request("PUT", HERE "/lake/t/f", "x-amz-trailer", "x-amz-checksum-crc32");
    CHECK_OK(guest_look(&e, STR("lake"), &trailer, arena, &look));
    CHECK_OK(guest_sign(remote, &p, &trailer, &look, arena, &out));
    CHECK_STR(value_of(&out, "x-amz-content-sha256"), STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
    remote_free(remote);
}
