/*
 * elements_test.c
 */
#include "admin/cli/elements.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(buckets_are_found_one_by_one)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    struct str text = STR(
        "<?xml version=\"1.0\"?>\n<ListAllMyBucketsResult xmlns=\"http://s3\"><Owner><ID>x</ID></Owner><Buckets>"
        "<Bucket><Name>a&amp;b</Name><CreationDate>2026-11-21T09:30:00.000Z</CreationDate></Bucket>"
        "<Bucket ><Name  >c</Name><CreationDate/></Bucket></Buckets></ListAllMyBucketsResult>");
    struct str bucket;

    CHECK(element_next(&text, "Bucket", &bucket));
    CHECK_STR(element_text(bucket, "Name", arena), STR("a&b"));
    CHECK_STR(element_text(bucket, "CreationDate", arena), STR("2026-11-21T09:30:00.000Z"));
    CHECK(element_next(&text, "Bucket", &bucket));
    CHECK_STR(element_text(bucket, "Name", arena), STR("c"));
    CHECK_STR(element_text(bucket, "CreationDate", arena), STR(""));
    CHECK(!element_next(&text, "Bucket", &bucket));
}

TEST(texts_are_unescaped_or_refused)
{
    static const struct {
        const char *xml, *text; /* NULL: none */
    } cases[] = {
        { "<N>plain</N>", "plain" },
        { "<N></N>", "" },
        { "<N/>", "" },
        { "<N>&lt;&gt;&quot;&apos;&amp;</N>", "<>\"'&" },
        { "<N>&#65;&#x1b;&#xFC;&#x20ac;&#x1F600;</N>", "A\x1b\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "<Name>longer</Name>", NULL },
        { "<N>no end", NULL },
        { "<N", NULL },
        { "<N>", NULL },
        { "<", NULL },
        { "", NULL },
        { "<N>a</M>", NULL },
        { "<N>a<", NULL },
        { "<N>a</N", NULL },
        { "<N><M>nested</M></N>", NULL },
        { "<N>&unknown;</N>", NULL },
        { "<N>&amp</N>", NULL },
        { "<N>&#;</N>", NULL },
        { "<N>&#x;</N>", NULL },
        { "<N>&#0;</N>", NULL },
        { "<N>&#xD800;</N>", NULL },
        { "<N>&#x110000;</N>", NULL },
        { "<N>&#99999999999999;</N>", NULL },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct str got = element_text(str_from_z(cases[i].xml), "N", arena);
        if (!got.data != !cases[i].text || (got.data && !str_is(got, cases[i].text)))
            test_fail(__FILE__, __LINE__, "%s gave '%.*s'", cases[i].xml, STR_ARG(got));
    }
}

/* Whatever a server sends, cut anywhere: the reader stays inside (asan sees to it) and ends. */
TEST(every_prefix_of_an_answer_is_read_to_its_end)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    const char *whole = "<A><Bucket><Name>x&#x41;</Name></Bucket><Bucket a=''/></</Bucket></Bucke></A>";

    for (size_t len = 0; len <= strlen(whole); len++) {
        char *copy = arena_z(arena, str_of(whole, len));
        struct str text = str_of(copy, len), bucket;
        CHECK(copy);
        while (element_next(&text, "Bucket", &bucket)) (void)element_text(bucket, "Name", arena);
        arena_reset(arena);
    }
}
