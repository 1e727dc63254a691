/*
 * s3_documents.c - the pieces that several documents share.
 */
#include "server/s3/s3_documents.h"

#include "server/s3/s3_body.h"
#include "server/s3/s3_headers.h"
#include "storage/base/clock.h"

void s3_xml_etag(struct xml *xml, const char *etag)
{
    xml_raw(xml, "<ETag>&quot;");
    xml_raw(xml, etag);
    xml_raw(xml, "&quot;</ETag>");
}

void s3_xml_time(struct xml *xml, const char *name, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];

    clock_iso(ms, text);
    xml_text(xml, name, str_of(text, CLOCK_ISO_SIZE - 1));
}

void s3_xml_owner(struct xml *xml, const char *name, struct str owner)
{
    xml_open(xml, name);
    xml_text(xml, "ID", owner);
    xml_text(xml, "DisplayName", owner);
    xml_close(xml, name);
}

void s3_xml_checksum(struct xml *xml, const struct object_checksum *checksum, uint32_t part_count)
{
    const char *element = s3_checksum_element(checksum->kind);

    if (!element || checksum->value.len == 0) return;
    xml_text(xml, element, s3_checksum_value(xml->arena, checksum, part_count));
    xml_text(xml, "ChecksumType", str_from_z(s3_checksum_type_name(checksum->type)));
}

struct err s3_answer_document(struct s3_request *req, struct xml *xml)
{
    struct str document;

    TRY(xml_end(xml, &document));
    s3_answer_xml(req, 200, document);
    return OK;
}
