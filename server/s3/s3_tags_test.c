#include "server/s3/s3_tags.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(tags_of_a_header_are_a_query_string)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    const struct pair *tags;
    size_t count;

    CHECK_OK(s3_tags_from_header(arena, STR("e=b&c+d=%C3%BC&empty=&bare"), &tags, &count));
    CHECK_U64(count, 4);
    CHECK_STR(tags[1].name, STR("c d"));
    CHECK_STR(tags[1].value, STR("\xc3\xbc"));
    CHECK_STR(tags[0].name, STR("bare"));
    CHECK_U64(tags[0].value.len, 0);
    CHECK_OK(s3_tags_from_header(arena, STR(""), &tags, &count));
    CHECK_U64(count, 0);
    CHECK_ERR(s3_tags_from_header(arena, STR("a=%zz"), &tags, &count), ERR_INVALID_ARGUMENT);
    CHECK_ERR(s3_tags_from_header(arena, STR("a=1&a=2"), &tags, &count), ERR_INVALID_TAG);
    CHECK_ERR(s3_tags_from_header(arena, STR("=1"), &tags, &count), ERR_INVALID_TAG);
    CHECK_ERR(s3_tags_from_header(arena, STR("aws:x=1"), &tags, &count), ERR_INVALID_TAG);
    CHECK_ERR(s3_tags_from_header(arena, STR("a&b&c&d&e&f&g&h&i&j&k"), &tags, &count), ERR_INVALID_TAG);
}

TEST(tags_of_a_document_need_key_and_value)
{
    static const struct {
        const char *text;
        enum err_code code;
        size_t count;
    } rows[] = {
        { "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", ERR_OK, 1 },
        { "<Tagging><TagSet/></Tagging>", ERR_OK, 0 },
        { "<Tagging><TagSet><Tag><Key>a</Key><Value></Value></Tag></TagSet></Tagging>", ERR_OK, 1 },
        { "<Tagging/>", ERR_MALFORMED_XML, 0 },
        { "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", ERR_MALFORMED_XML, 0 },
        { "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>", ERR_MALFORMED_XML, 0 },
        { "<Tagging><TagSet><Other/></TagSet></Tagging>", ERR_MALFORMED_XML, 0 },
        { "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>a</Key><Value>c</Value></Tag></TagSet></Tagging>",
          ERR_INVALID_TAG, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
        const struct pair *tags;
        size_t count = 99;
        const struct err e = s3_tags_from_xml(arena, str_from_z(rows[i].text), LIMIT_TAGS, &tags, &count);
        if (e.code != rows[i].code) test_fail(__FILE__, __LINE__, "%s: %s", rows[i].text, err_name(e.code));
        if (e.code == ERR_OK) CHECK_U64(count, rows[i].count);
    }
}

TEST(lengths_of_tags_are_counted_in_characters)
{
    char name[3 * LIMIT_TAG_KEY + 4];
    struct pair tag = { .value = STR("v") };

    for (int i = 0; i < LIMIT_TAG_KEY + 1; i++) {
        name[2 * i] = '\xc3';
        name[2 * i + 1] = '\xbc';
    }
    tag.name = str_of(name, 2 * LIMIT_TAG_KEY);
    CHECK_OK(s3_tags_check(&tag, 1, LIMIT_TAGS));
    tag.name = str_of(name, 2 * LIMIT_TAG_KEY + 2);
    CHECK_ERR(s3_tags_check(&tag, 1, LIMIT_TAGS), ERR_INVALID_TAG);
}
