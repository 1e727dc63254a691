/*
 * request_test.c - reading of targets and queries. (Heads that are refused: framing_test.c.)
 */
#include <stdlib.h>

#include "server/http/call.h"
#include "tests/unit/test.h"

static struct arena *arena;

static struct http_request parsed(const char *target)
{
    struct http_request req = {
        .arena = arena, .method_name = STR("GET"), .target = str_from_z(target), .host = STR("h")
    };
    int status;
    const char *refusal = request_parse_target(&req, &status);

    if (refusal) test_fail(__FILE__, __LINE__, "%s: %s", target, refusal);
    return req;
}

TEST(targets_are_cut_and_decoded_once)
{
    static const struct {
        const char *target, *raw_path, *path, *raw_query;
        bool is_path_bad, is_query_bad;
    } rows[] = {
        { "/", "/", "/", "", false, false },
        { "//", "//", "//", "", false, false },
        { "/?", "/", "/", "", false, false },
        { "/b/k", "/b/k", "/b/k", "", false, false },
        { "/b/a%20b%2Fc+d", "/b/a%20b%2Fc+d", "/b/a b/c+d", "", false, false },
        { "/%2520", "/%2520", "/%20", "", false, false },
        { "/a?b?c", "/a", "/a", "b?c", false, false },
        { "/a?x=%41", "/a", "/a", "x=%41", false, false },
        { "/%", "/%", "/%", "", true, false },
        { "/%zz", "/%zz", "/%zz", "", true, false },
        { "/a?%", "/a", "/a", "%", false, true },
        { "/a?x=%4", "/a", "/a", "x=%4", false, true },
        { "http://h/a?b", "/a", "/a", "b", false, false },
        { "HTTP://H/a", "/a", "/a", "", false, false },
        { "https://h", "/", "/", "", false, false },
        { "http://h?b", "/", "/", "b", false, false },
    };

    arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_request req = parsed(rows[i].target);
        CHECK_STR(req.raw_path, str_from_z(rows[i].raw_path));
        CHECK_STR(req.path, str_from_z(rows[i].path));
        CHECK_STR(req.raw_query, str_from_z(rows[i].raw_query));
        CHECK(req.is_path_bad == rows[i].is_path_bad);
        CHECK(req.is_query_bad == rows[i].is_query_bad);
    }
    arena = arena_free(arena);
}

TEST(queries_keep_their_order_and_their_raw_text)
{
    arena = arena_new(1 << 20);
    const struct http_request req = parsed("/k?acl&prefix=a%2Fb+c&&x=&=y&prefix=2");

    CHECK_U64(req.query_count, 5);
    CHECK(http_has_query(&req, "acl"));
    CHECK(http_query(&req, "acl").data != NULL);
    CHECK_STR(http_query(&req, "acl"), STR(""));
    CHECK(!req.query[0].has_equals);
    CHECK_STR(http_query(&req, "prefix"), STR("a/b c"));
    CHECK_STR(req.query[1].raw_value, STR("a%2Fb+c"));
    CHECK(req.query[2].has_equals);
    CHECK_STR(req.query[2].value, STR(""));
    CHECK_STR(req.query[3].name, STR(""));
    CHECK_STR(req.query[4].value, STR("2"));
    CHECK(!http_query(&req, "X").data);
    arena = arena_free(arena);
}

TEST(paths_are_split_before_they_are_decoded)
{
    static const struct {
        const char *target;
        size_t count;
        const char *parts[4];
    } rows[] = {
        { "/", 0, { NULL } },
        { "/v1", 1, { "v1" } },
        { "/v1/", 1, { "v1" } },
        { "/v1/a%2Fb/c", 3, { "v1", "a/b", "c" } },
        { "/v1//c", 3, { "v1", "", "c" } },
        { "/a%1Fb",
          1,
          { "a\x1f"
            "b" } },
        { "/a+b", 1, { "a+b" } },
    };
    struct http_path_parts parts;

    arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request req = parsed(rows[i].target);
        CHECK_OK(http_split_path(&req, &parts));
        CHECK_U64(parts.count, rows[i].count);
        for (size_t k = 0; k < parts.count; k++) CHECK_STR(parts.parts[k], str_from_z(rows[i].parts[k]));
    }
    struct http_request bad = parsed("/a/%zz");
    CHECK_ERR(http_split_path(&bad, &parts), ERR_INVALID_URI);
    bad = parsed("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
    CHECK_ERR(http_split_path(&bad, &parts), ERR_INVALID_URI);
    arena = arena_free(arena);
}

TEST(headers_are_trimmed_and_found_by_their_lower_case_name)
{
    struct http_pair headers[] = {
        { .name = STR("host"), .value = STR("h:80") }, { .name = STR("content-length"), .value = STR("12") },
        { .name = STR("x-a"), .value = STR("1 \t") },  { .name = STR("x-a"), .value = STR("2") },
        { .name = STR("x-empty"), .value = STR("") },  { .name = STR("x-u"), .value = STR("\xc3\xa9\tx") },
    };
    struct http_request req = { .header_count = 6 };
    int status;

    CHECK(request_check_headers(&req, headers, false, &status) == NULL);
    CHECK(req.has_body && req.has_content_length && !req.is_chunked);
    CHECK_U64(req.content_length, 12);
    CHECK_STR(req.host, STR("h:80"));
    CHECK_STR(http_header(&req, "x-a"), STR("1"));
    CHECK_U64(http_header_repeats(&req, "x-a"), 2);
    CHECK(http_has_header(&req, "x-empty"));
    CHECK_STR(http_header(&req, "x-u"), STR("\xc3\xa9\tx"));
    CHECK(!http_has_header(&req, "x-none"));
    CHECK(!http_header(&req, "x-none").data);
}

TEST(methods_are_known_by_their_exact_name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } rows[] = {
        { "GET", HTTP_GET },     { "HEAD", HTTP_HEAD },     { "PUT", HTTP_PUT },
        { "POST", HTTP_POST },   { "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS },
        { "PATCH", HTTP_PATCH }, { "get", HTTP_OTHER },     { "PROPFIND", HTTP_OTHER },
        { "TRACE", HTTP_OTHER },
    };
    int status;

    arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request req = {
            .arena = arena, .method_name = str_from_z(rows[i].name), .target = STR("/"), .host = STR("h")
        };
        CHECK(request_parse_target(&req, &status) == NULL);
        CHECK(req.method == rows[i].method);
    }
    arena = arena_free(arena);
}
