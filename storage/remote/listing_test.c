#include "storage/remote/listing.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define FILE_OF(key, size)                                                                                   \
    "<Contents><Key>" key "</Key><LastModified>2026-11-21T09:30:00.000Z</LastModified><Size>" size           \
    "</Size></Contents>"
#define PAGE(inner)                                                                                          \
    "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" inner    \
    "</ListBucketResult>\n"

static struct err parse(const char *text, struct arena *arena, struct remote_listing *ret)
{
    const struct remote_query q = { .prefix = STR("t/"), .after = STR("t/#"), .max = 3 };

    return listing_parse(str_from_z(text), &q, arena, ret);
}

TEST(a_page_has_its_files_and_says_whether_it_goes_on)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct remote_listing page;

    CHECK_OK(parse(
        PAGE(
            "<Name>b</Name><Prefix>t%2F</Prefix><IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>x</NextContinuationToken>"
            "<Contents><Owner><ID>x</ID></Owner><Key>t/&lt;&#65;&#x3E;</Key><Size>0</Size><ETag>&quot;e&quot;</ETag>"
            "<LastModified>2026-11-21T09:30:01Z</LastModified><StorageClass/></Contents>" FILE_OF(
                "t%2Fa+b%C3%A9", "12") "<EncodingType>url</EncodingType>"),
        arena, &page));
    CHECK_U64(page.count, 2);
    CHECK_STR(page.files[0].key, STR("t/<A>"));
    CHECK_STR(page.files[1].key, STR("t/a b\xc3\xa9"));
    CHECK_U64(page.files[1].size, 12);
    CHECK(page.files[0].written_ms - page.files[1].written_ms == 1000);
    CHECK(page.is_truncated);
}

TEST(keys_are_taken_as_they_stand_without_an_encoding)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct remote_listing page;

    CHECK_OK(parse(PAGE("<IsTruncated>false</IsTruncated>" FILE_OF("t/a+%20", "1")), arena, &page));
    CHECK_STR(page.files[0].key, STR("t/a+%20"));
    CHECK(!page.is_truncated);
    CHECK_OK(parse("<ListBucketResult/>", arena, &page));
    CHECK_U64(page.count, 0);
}

TEST(what_is_no_page_is_refused_as_a_whole)
{
    static const char *const rows[] = {
        "",
        "text",
        "<Error><Code>x</Code></Error>",
        "<ListBucketResult>",
        PAGE("") "<more/>",
        PAGE("<Contents></ListBucketResult>"),
        PAGE("<!-- a -->"),
        "<!DOCTYPE x>" PAGE(""),
        PAGE("<Contents><Key>t/a</Key><Size>1</Size></Contents>"),
        PAGE("<Contents><Key>t/a</Key><LastModified>2026-11-21T09:30:00Z</LastModified></Contents>"),
        PAGE(FILE_OF("", "1")),
        PAGE(FILE_OF("t/a", "-1")),
        PAGE(FILE_OF("u/a", "1")),
        PAGE(FILE_OF("t", "1")),
        PAGE("<EncodingType>url</EncodingType>" FILE_OF("t%2", "1")),
        PAGE("<EncodingType>rot13</EncodingType>"),
        PAGE("<IsTruncated>true</IsTruncated>"),
        PAGE("<IsTruncated>perhaps</IsTruncated>"),
        PAGE(FILE_OF("t/b", "1") FILE_OF("t/a", "1")),
        PAGE(FILE_OF("t/a", "1") FILE_OF("t/a", "1")),
        PAGE(FILE_OF("t/#", "1")),
        PAGE(FILE_OF("t/\xff", "1")),
        PAGE("<EncodingType>url</EncodingType>" FILE_OF("t/%00", "1")),
        PAGE(FILE_OF("t/&nbsp;", "1")),
        PAGE(FILE_OF("t/&#0;", "1")),
        PAGE(FILE_OF("t/&#x;", "1")),
        PAGE(FILE_OF("t/&#xg;", "1")),
        PAGE(FILE_OF("t/&amp", "1")),
        PAGE("<a><b><c><d><e><f><g><h><i></i></h></g></f></e></d></c></b></a>"),
        PAGE(FILE_OF("t/1", "1") FILE_OF("t/2", "1") FILE_OF("t/3", "1") FILE_OF("t/4", "1")),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct remote_listing page = { .count = 77 };
        const struct err e = parse(rows[i], arena, &page);
        if (e.code != ERR_CORRUPT || page.count != 77)
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i], err_text(e.code));
    }
}
