#include "storage/remote/endpoint.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(an_endpoint_is_a_scheme_a_host_and_perhaps_a_port)
{
    static const struct {
        const char *url, *scheme, *authority; /* NULL: refused */
    } rows[] = {
        { "http://minio:9000", "http", "minio:9000" },
        { "https://s3.example.com/", "https", "s3.example.com" },
        { "HTTPS://s3.example.com:443", "https", "s3.example.com" },
        { "http://h:80", "http", "h" },
        { "http://[::1]:9000", "http", "[::1]:9000" },
        { "ftp://h", NULL, NULL },
        { "h:9000", NULL, NULL },
        { "http://", NULL, NULL },
        { "http://user@h", NULL, NULL },
        { "http://h/path", NULL, NULL },
        { "http://h?x", NULL, NULL },
        { "http://h:0", NULL, NULL },
        { "http://h:99999", NULL, NULL },
        { "http://h:", NULL, NULL },
        { "http://:80", NULL, NULL },
        { "http://a b", NULL, NULL },
        { "http://a\r\nHost: b", NULL, NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint e;
        const struct err got = endpoint_parse(str_from_z(rows[i].url), &e);
        if (!rows[i].scheme) {
            if (got.code != ERR_INVALID) test_fail(__FILE__, __LINE__, "taken: %s", rows[i].url);
            continue;
        }
        CHECK_OK(got);
        CHECK_STR(e.scheme, str_from_z(rows[i].scheme));
        CHECK_STR(e.authority, str_from_z(rows[i].authority));
    }
}

TEST(hosts_without_room_for_a_bucket_are_asked_by_path)
{
    static const struct {
        const char *url;
        bool is_path_style;
    } rows[] = { { "http://minio:9000", true },
                 { "http://127.0.0.1:9000", true },
                 { "http://[::1]:9000", true },
                 { "https://s3.eu-1.example.com", false },
                 { "http://s3.example.com:9", false } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint e;
        CHECK_OK(endpoint_parse(str_from_z(rows[i].url), &e));
        CHECK(endpoint_wants_path_style(&e) == rows[i].is_path_style);
    }
}

static struct endpoint at(const char *url)
{
    struct endpoint e;

    CHECK_OK(endpoint_parse(str_from_z(url), &e));
    return e;
}

TEST(a_url_is_taken_apart_in_either_style)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct endpoint e = at("https://s3.example.com");
    struct endpoint_object o;

    CHECK_OK(endpoint_take_apart(&e, STR("lake"),
                                 STR("https://s3.example.com/lake/a%20b/c%2Bd?uploadId=x%2Fy&partNumber=2"),
                                 arena, &o));
    CHECK_STR(o.bucket, STR("lake"));
    CHECK_STR(o.key, STR("a b/c+d"));
    CHECK_STR(o.path, STR("/lake/a%20b/c%2Bd"));
    CHECK_STR(o.query, STR("partNumber=2&uploadId=x%2Fy"));
    CHECK_STR(o.pairs[1].value, STR("x/y"));
    CHECK_OK(endpoint_take_apart(&e, STR("lake"), STR("https://lake.s3.example.com/k?list-type=2&prefix="),
                                 arena, &o));
    CHECK_STR(o.bucket, STR("lake"));
    CHECK_STR(o.key, STR("k"));
    CHECK_STR(o.authority, STR("lake.s3.example.com"));
    CHECK_STR(o.query, STR("list-type=2&prefix="));
    CHECK_OK(endpoint_take_apart(&e, STR("lake"), STR("https://s3.example.com/other/k"), arena, &o));
    CHECK_STR(o.bucket, STR("other"));
    CHECK_OK(endpoint_take_apart(&e, STR("lake"), STR("https://s3.example.com"), arena, &o));
    CHECK_STR(o.bucket, STR(""));
}

TEST(what_two_readers_could_read_differently_is_refused)
{
    static const char *const urls[] = {
        "http://s3.example.com/lake/k",
        "https://other.example.com/lake/k",
        "https://s3.example.com:444/lake/k",
        "https://u@s3.example.com/lake/k",
        "https://other.s3.example.com/k",
        "https://s3.example.com/lake/a/../b",
        "https://s3.example.com/lake/%2e%2e/b",
        "https://s3.example.com/lake/k#f",
        "https://s3.example.com/lake/a%2F..%2Fb",
        "https://s3.example.com/lake/%zz",
        "https://s3.example.com/lake/a b",
        "https://s3.example.com/lake/%00",
        "https://s3.example.com/lake/k?x=%z",
        "https://s3.example.com/lake/k?=v",
        "s3://lake/k",
        "",
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct endpoint e = at("https://s3.example.com");
    struct endpoint_object o;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        if (endpoint_take_apart(&e, STR("lake"), str_from_z(urls[i]), arena, &o).code != ERR_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", urls[i]);
    }
}
