#include "storage/base/json.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(json_is_printed_as_it_was_read)
{
    static const char *const rows[] = {
        "{\"z\":1,\"a\":2,\"m\":{\"b\":null,\"a\":[true,false,\"x\"]}}",
        "[9223372036854775807,-9223372036854775808,0]",
        "[1.0,0.5,-2.25]",
        "\"\\u0000\\n\\\"\\\\\"",
        "\"/\xc3\xa4\"",
        "{}",
        "[]",
        "1",
        "null",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_freep) json_t *value = NULL;
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 1000);
        CHECK_OK(json_parse(str_from_z(rows[i]), &value));
        CHECK_OK(json_print(value, &b));
        CHECK_STR(buf_view(&b), str_from_z(rows[i]));
    }
}

TEST(reals_have_17_digits)
{
    CLEANUP(json_freep) json_t *value = json_real(0.1);
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 100);
    CHECK_OK(json_print(value, &b));
    CHECK_STR(buf_view(&b), STR("0.10000000000000001"));
}

TEST(what_is_not_json_is_refused)
{
    static const struct str rows[] = {
        STR(""),
        STR(" "),
        STR("{"),
        STR("[1,]"),
        STR("{\"a\":1} x"),
        STR("1 2"),
        STR("nul"),
        STR("\"a"),
        STR("'a'"),
        STR("{\"a\":1,\"a\":2}"),
        STR("{\"a\\u0000b\":1}"),
        STR("[01]"),
        STR("[.5]"),
        STR("[NaN]"),
        STR("// x\n1"),
        STR("9223372036854775808"),
        STR("1e999"),
        STR("\"\xff\""),
        STR("\"\xed\xa0\x80\""),
        STR("\"\xc0\x80\""),
        STR("\"\\ud800\""),
        STR("\"\\udc00\""),
        STR("\"\\ud800x\""),
        STR("\"\n\""),
        STR("1\0"),
        STR("\"a\0\""),
        STR("\xef\xbb\xbf{}"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *value = NULL;
        const struct err e = json_parse(rows[i], &value);
        if (e.code != ERR_INVALID || value) test_fail(__FILE__, __LINE__, "taken: %.*s", STR_ARG(rows[i]));
    }
    CHECK_ERR(json_parse(STR_NONE, NULL), ERR_INVALID);
    CHECK(strstr(json_parse(STR("{\n  \"a\" 1}"), NULL).why, "line 2 column"));
}

static struct err parse_nested(size_t depth)
{
    CLEANUP(json_freep) json_t *value = NULL;
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 10000);
    for (size_t i = 0; i < depth; i++) buf_z(&b, i % 2 ? "{\"[\\\"[\":" : "[");
    buf_z(&b, "1");
    for (size_t i = depth; i > 0; i--) buf_z(&b, (i - 1) % 2 ? "}" : "]");
    return json_parse(buf_view(&b), &value);
}

TEST(nesting_is_bounded_and_brackets_in_strings_do_not_count)
{
    CLEANUP(json_freep) json_t *value = NULL;
    char wide[1000] = "[";
    char deep[100];

    CHECK_OK(parse_nested(LIMIT_JSON_DEPTH));
    CHECK_ERR(parse_nested(LIMIT_JSON_DEPTH + 1), ERR_INVALID);

    for (int i = 0; i < 300; i++) strncat(wide, "[],", 4);
    strncat(wide, "1]", 3);
    CHECK_OK(json_parse(str_from_z(wide), &value));

    memset(deep, '[', sizeof(deep));
    deep[1] = '\n';
    CHECK(strstr(json_parse(str_of(deep, sizeof(deep)), NULL).why, "line 2 column 64"));
}

TEST(a_text_above_the_limit_is_too_large)
{
    char *text = calloc(1, LIMIT_JSON_BYTES + 1);

    CHECK(text);
    CHECK_ERR(json_parse(str_of(text, LIMIT_JSON_BYTES + 1), NULL), ERR_TOO_LARGE);
    CHECK_ERR(json_parse(str_of(text, LIMIT_JSON_BYTES), NULL), ERR_INVALID);
    free(text);
}

TEST(printing_stops_at_the_ceiling)
{
    CLEANUP(json_freep) json_t *value = json_string("more than ten bytes");
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 10);
    CHECK_ERR(json_print(value, &b), ERR_TOO_LARGE);
}

static json_t *sample(void)
{
    static const char text[] =
        "{\"s\":\"a\\u0000b\",\"i\":-5,\"r\":1.0,\"t\":true,\"f\":false,\"n\":null,\"a\":[1],\"o\":{}}";
    json_t *value = NULL;

    CHECK_OK(json_parse(str_from_z(text), &value));
    return value;
}

TEST(needed_members_have_to_be_there_and_of_their_type)
{
    CLEANUP(json_freep) json_t *v = sample();
    struct str s = STR("untouched");
    int64_t i = 77;
    bool b = false;
    json_t *j = NULL;

    CHECK_OK(json_need_str(v, "s", &s));
    CHECK_STR(s, STR("a\0b"));
    CHECK_OK(json_need_i64(v, "i", &i));
    CHECK(i == -5);
    CHECK_OK(json_need_bool(v, "t", &b));
    CHECK(b);
    CHECK_OK(json_need_bool(v, "f", &b));
    CHECK(!b);
    CHECK_OK(json_need_array(v, "a", &j));
    CHECK_U64(json_array_size(j), 1);
    CHECK_OK(json_need_object(v, "o", &j));
    CHECK(json_is_object(j));

    CHECK_ERR(json_need_i64(v, "r", &i), ERR_INVALID);
    CHECK_ERR(json_need_i64(v, "s", &i), ERR_INVALID);
    CHECK_ERR(json_need_bool(v, "i", &b), ERR_INVALID);
    CHECK_ERR(json_need_str(v, "t", &s), ERR_INVALID);
    CHECK_ERR(json_need_str(v, "f", &s), ERR_INVALID);
    CHECK_ERR(json_need_array(v, "o", &j), ERR_INVALID);
    CHECK_ERR(json_need_object(v, "a", &j), ERR_INVALID);
    CHECK_ERR(json_need_object(NULL, "a", &j), ERR_INVALID);
    CHECK(i == -5 && !b && json_is_object(j));
    CHECK_STR(s, STR("a\0b"));
}

TEST(errors_name_the_member)
{
    CLEANUP(json_freep) json_t *v = sample();
    struct str s;
    bool b;

    CHECK_STR(str_from_z(json_need_str(v, "x", &s).why), STR("field 'x' is missing"));
    CHECK_STR(str_from_z(json_need_str(v, "n", &s).why), STR("field 'n' is missing"));
    CHECK_STR(str_from_z(json_need_str(v, "i", &s).why), STR("field 'i' must be a string"));
    CHECK_STR(str_from_z(json_want_bool(v, "i", &b).why), STR("field 'i' must be a boolean"));
}

TEST(wanted_members_may_be_missing_or_null)
{
    CLEANUP(json_freep) json_t *v = sample();
    struct str s = STR("default");
    int64_t i = 77;
    bool b = true;
    json_t *j = v;

    CHECK_OK(json_want_str(v, "x", &s));
    CHECK_OK(json_want_str(v, "n", &s));
    CHECK_OK(json_want_i64(v, "x", &i));
    CHECK_OK(json_want_bool(v, "n", &b));
    CHECK_OK(json_want_array(v, "x", &j));
    CHECK_OK(json_want_object(v, "n", &j));
    CHECK(i == 77 && b && j == v && str_is(s, "default"));

    CHECK_ERR(json_want_str(v, "i", &s), ERR_INVALID);
    CHECK_ERR(json_want_i64(v, "s", &i), ERR_INVALID);
    CHECK_ERR(json_want_array(v, "o", &j), ERR_INVALID);
    CHECK_ERR(json_want_object(v, "a", &j), ERR_INVALID);

    CHECK_OK(json_want_str(v, "s", &s));
    CHECK_OK(json_want_i64(v, "i", &i));
    CHECK_OK(json_want_bool(v, "f", &b));
    CHECK(i == -5 && !b && s.len == 3);
    CHECK_OK(json_want_array(v, "a", &j));
    CHECK(json_is_array(j));
    CHECK_OK(json_want_object(v, "o", &j));
    CHECK(json_is_object(j));
}

TEST(properties_are_strings)
{
    CLEANUP(json_freep) json_t *fine = json_pack("{s:s, s:s}", "a", "1", "b", "");
    CLEANUP(json_freep) json_t *wrong = json_pack("{s:s, s:i}", "a", "1", "count", 2);

    CHECK_OK(json_check_properties(fine));
    CHECK_OK(json_check_properties(NULL));
    const struct err e = json_check_properties(wrong);
    CHECK(e.code == ERR_INVALID && strstr(e.why, "'count'"));
}

TEST(strings_go_in_and_out_as_views)
{
    CLEANUP(json_freep) json_t *value = json_of_str(STR("a\0\xc3\xa4"));
    CLEANUP(json_freep) json_t *empty = json_of_str(STR_NONE);

    CHECK_STR(json_str(value), STR("a\0\xc3\xa4"));
    CHECK(empty && json_str(empty).len == 0);
    CHECK(!json_of_str(STR("\xff")));
    CHECK(!json_str(NULL).data && !json_str(json_true()).data);
}
