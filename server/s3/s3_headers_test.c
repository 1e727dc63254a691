#include "server/s3/s3_headers.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

/* What a write with these headers ("name: value" each) says of its object. */
static struct err read(struct arena *arena, const char *const *lines, struct object_meta *ret)
{
    static struct http_pair headers[40];
    static struct http_request http;
    static struct s3_request req;

    http = (struct http_request){ .headers = headers };
    req = (struct s3_request){ .http = &http, .arena = arena };
    for (; *lines; lines++) {
        struct http_pair *h = &headers[http.header_count++];
        h->value = str_trim(str_cut(str_from_z(*lines), ':', &h->name));
    }
    return s3_meta_from_headers(&req, ret);
}

TEST(what_a_write_says_of_its_object_is_kept)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    const char *const lines[] = { "host: x",
                                  "content-type: a/b",
                                  "cache-control: no-store",
                                  "x-amz-storage-class: STANDARD",
                                  "x-amz-acl: private",
                                  "x-amz-meta-a: 1",
                                  "x-amz-meta-: 2",
                                  "x-amz-meta-a: 3",
                                  "x-amz-tagging: t=v",
                                  "content-encoding: aws-chunked, gzip,br",
                                  NULL };
    struct object_meta meta;

    CHECK_OK(read(arena, lines, &meta));
    CHECK_STR(meta.headers[OBJECT_CONTENT_TYPE], STR("a/b"));
    CHECK_STR(meta.headers[OBJECT_CACHE_CONTROL], STR("no-store"));
    CHECK_STR(meta.headers[OBJECT_CONTENT_ENCODING], STR("gzip,br"));
    CHECK(!meta.headers[OBJECT_STORAGE_CLASS].data && !meta.headers[OBJECT_EXPIRES].data);
    CHECK_U64(meta.user_count, 2);
    CHECK_STR(meta.user[0].value, STR("1,3"));
    CHECK_U64(meta.user[1].name.len, 0);
    CHECK_U64(meta.tag_count, 1);
}

TEST(a_header_that_asks_for_what_is_not_built_refuses_the_write)
{
    static const struct {
        const char *line;
        enum err_code code;
    } rows[] = {
        { "x-amz-server-side-encryption: AES256", ERR_UNSUPPORTED },
        { "x-amz-server-side-encryption-customer-key: k", ERR_UNSUPPORTED },
        { "x-amz-copy-source-server-side-encryption-customer-key: k", ERR_UNSUPPORTED },
        { "x-amz-object-lock-mode: COMPLIANCE", ERR_UNSUPPORTED },
        { "x-amz-write-offset-bytes: 0", ERR_UNSUPPORTED },
        { "x-amz-acl: public-read", ERR_ACL_NOT_SUPPORTED },
        { "x-amz-acl: bucket-owner-full-control", ERR_OK },
        { "x-amz-grant-read: id=x", ERR_ACL_NOT_SUPPORTED },
        { "x-amz-storage-class: GLACIER", ERR_INVALID_ARGUMENT },
        { "x-amz-storage-class: ONEZONE_IA", ERR_OK },
        { "x-amz-tagging: a=1&a=2", ERR_INVALID_TAG },
        { "content-encoding: aws-chunked", ERR_OK },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
        const char *const lines[] = { rows[i].line, NULL };
        struct object_meta meta;
        const struct err e = read(arena, lines, &meta);
        if (e.code != rows[i].code) test_fail(__FILE__, __LINE__, "%s: %s", rows[i].line, err_name(e.code));
    }
}

TEST(user_metadata_is_bounded_by_names_and_values_together)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    char line[2200] = "x-amz-meta-big: ";
    const size_t prefix = strlen(line);
    const char *const lines[] = { line, NULL };
    struct object_meta meta;

    memset(line + prefix, 'v', LIMIT_USER_METADATA - 3);
    CHECK_OK(read(arena, lines, &meta));
    line[prefix + LIMIT_USER_METADATA - 3] = 'v';
    CHECK_ERR(read(arena, lines, &meta), ERR_METADATA_TOO_LARGE);
}

TEST(null_is_the_only_version)
{
    CHECK_OK(s3_version_check(STR_NONE));
    CHECK_OK(s3_version_check(STR("null")));
    CHECK_ERR(s3_version_check(STR("")), ERR_INVALID_ARGUMENT);
    CHECK_ERR(s3_version_check(STR("1")), ERR_INVALID_ARGUMENT);
    CHECK_ERR(s3_version_check(STR("../../../../../../../../../../../x")), ERR_INVALID_ARGUMENT);
    CHECK_ERR(s3_version_check(STR("L4kqtJlcpXroDTDmpUMLUo.qwertyuio")), ERR_NO_SUCH_VERSION);
}
