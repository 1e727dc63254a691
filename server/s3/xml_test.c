#include "server/s3/xml.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static struct err parse(struct str text, const char *root)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(16 * MIB);
    struct xml_node *node;
    return xml_parse(text, root, arena, &node);
}

TEST(a_document_is_printed_with_its_namespace_and_everything_escaped)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    struct xml *x = xml_begin(arena, "Root", 4096);
    struct str document;

    xml_open(x, "List");
    xml_text(x, "Key", STR("a<b>&\"c\x01\r"));
    xml_key(x, "Name", STR("a b/c+\xc3\xbc"), true);
    xml_key(x, "Name", STR("a&b"), false);
    xml_u64(x, "Size", 18446744073709551615ull);
    xml_bool(x, "Truth", true);
    xml_close(x, "List");
    CHECK_OK(xml_end(x, &document));
    CHECK_STR(
        document,
        STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><List>"
            "<Key>a&lt;b&gt;&amp;&quot;c&#x1;&#xD;</Key><Name>a%20b/c%2B%C3%BC</Name><Name>a&amp;b</Name>"
            "<Size>18446744073709551615</Size><Truth>true</Truth></List></Root>"));
}

TEST(a_document_beyond_its_ceiling_is_an_error)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    struct xml *x = xml_begin(arena, "Root", 200);
    struct str document;

    for (int i = 0; i < 100; i++) xml_text(x, "Key", STR("0123456789"));
    CHECK_ERR(xml_end(x, &document), ERR_TOO_LARGE);
}

TEST(a_document_is_read_with_and_without_a_namespace)
{
    static const char *const texts[] = {
        "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b&#13;&lt;</Key></Object><Object><Key>c</Key></Object></Delete>",
        "<?xml version=\"1.0\"?>\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"> <Quiet>true</Quiet>\n <Object><Key>a&amp;b&#13;&lt;</Key></Object>"
        "<Object><Key>c</Key></Object></Delete>",
        "<x:Delete xmlns:x=\"urn:x\"><x:Quiet>true</x:Quiet><x:Object><x:Key><![CDATA[a&b\r<]]></x:Key></x:Object><x:Object><x:Key>c</x:Key></x:Object></x:Delete>",
    };

    for (size_t i = 0; i < 2; i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
        struct xml_node *root;
        CHECK_OK(xml_parse(str_from_z(texts[i]), "Delete", arena, &root));
        CHECK_STR(xml_child_text(root, "Quiet"), STR("true"));
        const struct xml_node *object = xml_child(root, "Object");
        CHECK(object && object->next && !object->next->next);
        CHECK_STR(xml_child_text(object, "Key"), STR("a&b\r<"));
        CHECK_STR(xml_child_text(object->next, "Key"), STR("c"));
        CHECK(!xml_child_text(object, "VersionId").data);
    }
    CHECK_OK(parse(str_from_z(texts[2]), "Delete"));
}

/* reliability.md E1 */
TEST(hostile_documents_are_malformed)
{
    static const struct str rows[] = {
        { NULL, 0 },
        STR("not xml"),
        STR("<Delete>"),
        STR("<Delete></Deleted>"),
        STR("<Delete/><Delete/>"),
        STR("<Other/>"),
        STR("<Delete>&unknown;</Delete>"),
        STR("<Delete>&#0;</Delete>"),
        STR("<Delete>\0</Delete>"),
        STR("<Delete>\x01</Delete>"),
        STR("<Delete>\xff</Delete>"),
        STR("<Delete a=1/>"),
        STR("<!DOCTYPE Delete><Delete/>"),
        STR("<!DOCTYPE Delete SYSTEM \"file:///etc/passwd\"><Delete/>"),
        STR("<!DOCTYPE Delete [<!ENTITY a \"b\">]><Delete>&a;</Delete>"),
        STR("<!DOCTYPE Delete [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Delete>&a;</Delete>"),
        STR("<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]><Delete>&c;</Delete>"),
        STR("<!DOCTYPE d [<!ENTITY % p SYSTEM \"http://127.0.0.1/x\">%p;]><Delete/>"),
        STR("<?xml version=\"1.0\" encoding=\"UTF-16\"?><Delete/>"),
        STR("\xff\xfe<\0D\0e\0l\0e\0t\0e\0/\0>\0"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = parse(rows[i], "Delete");
        if (e.code != ERR_MALFORMED_XML)
            test_fail(__FILE__, __LINE__, "row %zu, %.*s: %s", i, STR_ARG(rows[i]), err_name(e.code));
    }
}

static struct err parse_nested(size_t depth)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, 8 * MIB);
    for (size_t i = 0; i < depth; i++) buf_z(&text, "<a>");
    for (size_t i = 0; i < depth; i++) buf_z(&text, "</a>");
    return parse(buf_view(&text), "a");
}

TEST(nesting_and_size_are_bounded)
{
    CLEANUP(buf_done) struct buf text;

    CHECK_OK(parse_nested(16));
    CHECK_ERR(parse_nested(17), ERR_MALFORMED_XML);
    CHECK_ERR(parse_nested(10000), ERR_MALFORMED_XML);
    buf_init(&text, 8 * MIB);
    buf_z(&text, "<a>");
    for (size_t i = 0; i < 3 * MIB; i++) buf_char(&text, 'x');
    buf_z(&text, "</a>");
    CHECK_ERR(parse(buf_view(&text), "a"), ERR_MALFORMED_XML);
}

TEST(the_largest_documents_that_clients_send_fit_a_request)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    CLEANUP(buf_done) struct buf text;
    struct xml_node *root;
    size_t count = 0;

    buf_init(&text, LIMIT_XML_BYTES);
    buf_z(&text, "<CompleteMultipartUpload>");
    for (int i = 1; i <= 10000; i++)
        buf_printf(
            &text,
            "<Part><ETag>&quot;%032d&quot;</ETag><PartNumber>%d</PartNumber><ChecksumSHA256>%044d</ChecksumSHA256></Part>",
            i, i, i);
    buf_z(&text, "</CompleteMultipartUpload>");
    CHECK_OK(buf_err(&text));
    CHECK_OK(xml_parse(buf_view(&text), "CompleteMultipartUpload", arena, &root));
    for (const struct xml_node *n = root->children; n; n = n->next) count++;
    CHECK_U64(count, 10000);
    CHECK(arena_bytes(arena) < LIMIT_REQUEST_ARENA * 3 / 4); /* and room for what is made of it */
}
