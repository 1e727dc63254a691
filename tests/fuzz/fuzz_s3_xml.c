/* fuzz_s3_xml.c - whatever is read, can be printed and is then read the same: no byte is lost or made up. */
#include <stdlib.h>

#include "server/s3/xml.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void print(struct xml *x, const struct xml_node *first)
{
    for (const struct xml_node *n = first; n; n = n->next) {
        xml_open(x, n->children ? "n" : "leaf");
        if (n->children) print(x, n->children); /* at most 16 deep */
        else xml_text(x, "t", n->text);
        xml_close(x, n->children ? "n" : "leaf");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(256 * MIB);
    struct xml_node *node, *again;
    struct str text;

    if (xml_parse(str_of(data, len), "Delete|Tagging|CompleteMultipartUpload|CreateBucketConfiguration", arena, &node).code == ERR_OK) {
        struct xml *x = xml_begin(arena, "r", 64 * MIB);
        print(x, node->children);
        if (xml_end(x, &text).code != ERR_OK) abort();
        /* One level is added by the printer, so the deepest documents do not come back. */
        if (text.len <= LIMIT_XML_BYTES && xml_parse(text, "r", arena, &again).code == ERR_OK) {
            for (const struct xml_node *a = node->children, *b = again->children; a || b; a = a->next, b = b->next) {
                if (!a || !b || !a->children != str_is(b->name, "leaf")) abort();
                if (!a->children && !str_eq(a->text, xml_child_text(b, "t"))) abort();
            }
        }
    }
    arena_free(arena);
    return 0;
}
