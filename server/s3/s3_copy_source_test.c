#include "server/s3/s3_copy_source.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(a_copy_source_is_cut_before_it_is_decoded)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *bucket, *key;
    } rows[] = {
        { "bucket/key", ERR_OK, "bucket", "key" },
        { "/bucket/key", ERR_OK, "bucket", "key" },
        { "/bucket/a/b/c", ERR_OK, "bucket", "a/b/c" },
        { "/bucket//a", ERR_OK, "bucket", "/a" },
        { "bucket/a%2Fb%20c", ERR_OK, "bucket", "a/b c" },
        { "bucket%2Fkey", ERR_OK, "bucket", "key" },
        { "bucket/a+b", ERR_OK, "bucket", "a+b" },
        { "bucket/what%3FversionId=1", ERR_OK, "bucket", "what?versionId=1" },
        { "bucket/what?ever", ERR_OK, "bucket", "what?ever" },
        { "bucket/key?versionId=null", ERR_OK, "bucket", "key" },
        { "bucket/a/../b/secret", ERR_OK, "bucket", "a/../b/secret" },
        { "bucket/..%2F..%2Fetc", ERR_OK, "bucket", "../../etc" },
        { "bucket/%C3%BC", ERR_OK, "bucket", "\xc3\xbc" },
        { "bucket/key?versionId=", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "bucket/key?versionId=1", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "bucket/key?versionId=abcdefghijklmnopqrstuvwxyz012345", ERR_NO_SUCH_VERSION, NULL, NULL },
        { "bucket/%zz", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "bucket/%FF", ERR_INVALID_URI, NULL, NULL },
        { "bucket/", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "bucket", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "/", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "../b/secret", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "Upper/key", ERR_INVALID_ARGUMENT, NULL, NULL },
        { "arn:aws:s3:us-east-1:1:accesspoint/x/object/y", ERR_INVALID_ARGUMENT, NULL, NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
        struct s3_copy_source source;
        const struct err e = s3_copy_source_parse(arena, str_from_z(rows[i].text), &source);
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "\"%s\": %s", rows[i].text, err_name(e.code));
        if (e.code != ERR_OK) continue;
        CHECK_STR(source.bucket, str_from_z(rows[i].bucket));
        CHECK_STR(source.key, str_from_z(rows[i].key));
    }
}
