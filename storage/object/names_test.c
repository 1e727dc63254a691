/* names_test.c - which names buckets and objects may have. */
#include "storage/object/object.h"
#include "tests/unit/test.h"

TEST(bucket_names_follow_the_rules_of_aws)
{
    static const struct {
        const char *name;
        enum err_code code;
    } rows[] = {
        { "abc", ERR_OK },
        { "0bucket9", ERR_OK },
        { "my.bucket-1.example", ERR_OK },
        { "a-.-b", ERR_OK },
        { "1.2.3", ERR_OK },
        { "1.2.3.4.5", ERR_OK },
        { "1.2.3.a", ERR_OK },
        { "amzn-s3-demo-bucket", ERR_OK },
        { "sthree", ERR_OK },
        { "healthy", ERR_OK },
        { "api2", ERR_OK },
        { "123456789012345678901234567890123456789012345678901234567890123", ERR_OK },
        { "1234567890123456789012345678901234567890123456789012345678901234", ERR_INVALID_BUCKET_NAME },
        { "", ERR_INVALID_BUCKET_NAME },
        { "ab", ERR_INVALID_BUCKET_NAME },
        { "Abc", ERR_INVALID_BUCKET_NAME },
        { "a_c", ERR_INVALID_BUCKET_NAME },
        { "a c", ERR_INVALID_BUCKET_NAME },
        { "a/c", ERR_INVALID_BUCKET_NAME },
        { "a\xc3\xa4z", ERR_INVALID_BUCKET_NAME },
        { "-abc", ERR_INVALID_BUCKET_NAME },
        { "abc-", ERR_INVALID_BUCKET_NAME },
        { ".abc", ERR_INVALID_BUCKET_NAME },
        { "abc.", ERR_INVALID_BUCKET_NAME },
        { "a..b", ERR_INVALID_BUCKET_NAME },
        { "192.168.5.4", ERR_INVALID_BUCKET_NAME },
        { "999.999.999.999", ERR_INVALID_BUCKET_NAME },
        { "xn--abc", ERR_INVALID_BUCKET_NAME },
        { "sthree-abc", ERR_INVALID_BUCKET_NAME },
        { "abc-s3alias", ERR_INVALID_BUCKET_NAME },
        { "abc--ol-s3", ERR_INVALID_BUCKET_NAME },
        { "abc--x-s3", ERR_INVALID_BUCKET_NAME },
        { "abc.mrap", ERR_INVALID_BUCKET_NAME },
        { "api", ERR_INVALID_BUCKET_NAME },
        { "health", ERR_INVALID_BUCKET_NAME },
        { "metrics", ERR_INVALID_BUCKET_NAME },
        { "iceberg", ERR_INVALID_BUCKET_NAME },
        { "cluster", ERR_INVALID_BUCKET_NAME },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = bucket_name_check(str_from_z(rows[i].name));
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "\"%s\": %s", rows[i].name, err_name(e.code));
    }
}

TEST(keys_are_1_to_1024_bytes_of_utf8)
{
    char long_key[1025];
    memset(long_key, 'k', sizeof(long_key));

    CHECK_OK(object_key_check(STR("a")));
    CHECK_OK(object_key_check(STR("/")));
    CHECK_OK(object_key_check(STR("\0\1\n\xc3\xa4")));
    CHECK_OK(object_key_check(str_of(long_key, 1024)));
    CHECK_ERR(object_key_check(str_of(long_key, 1025)), ERR_KEY_TOO_LONG);
    CHECK_ERR(object_key_check(STR("")), ERR_INVALID_URI);
    CHECK_ERR(object_key_check(STR("\xff")), ERR_INVALID_URI);
    CHECK_ERR(object_key_check(STR("\xc0\xaf")), ERR_INVALID_URI);
}

TEST(row_keys_order_by_bucket_and_then_by_key)
{
    uint8_t a[OBJECT_ROW_KEY_SIZE], b[OBJECT_ROW_KEY_SIZE];

    CHECK(str_cmp(object_row_key(1, STR("zzz"), a), object_row_key(2, STR("a"), b)) < 0);
    CHECK(str_cmp(object_row_key(255, STR("a"), a), object_row_key(256, STR("a"), b)) < 0);
    CHECK(str_cmp(object_row_key(7, STR("a"), a), object_row_key(7, STR("a/"), b)) < 0);
    CHECK_U64(object_row_key(7, STR(""), a).len, 8);
}
