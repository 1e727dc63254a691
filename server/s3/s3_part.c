/*
 * s3_part.c - the parts of an upload: UploadPart, UploadPartCopy, ListParts. Sources: AWS; s3.md 37-41.
 */
#include "server/s3/s3_part.h"

#include <string.h>

#include "server/s3/s3_body.h"
#include "server/s3/s3_copy_source.h"
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "server/s3/s3_range.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/multipart.h"

struct err s3_upload_of(const struct s3_request *req, struct uid *ret)
{
    if (!upload_id_parse(http_query(req->http, "uploadId"), ret))
        return FAIL(ERR_NO_SUCH_UPLOAD, err_text(ERR_NO_SUCH_UPLOAD));
    return OK;
}

struct err s3_part_number_of(const struct s3_request *req, uint32_t *ret)
{
    uint64_t number;

    if (!str_to_u64(http_query(req->http, "partNumber"), &number) || number < 1 || number > LIMIT_PARTS)
        return FAIL(ERR_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
    *ret = (uint32_t)number;
    return OK;
}

/* ---- UploadPart ---- */

/* Is the upload there? Asked before the body only when that comes later than the head (s3_object_put.c); the transaction decides. */
static struct err look_early(const struct s3_request *req, const struct part_put *p)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct upload_info upload;

    TRY(view_open(req->options->store->meta, &view));
    return upload_get(view, req->bucket, req->key, p->upload, req->arena, &upload);
}

struct err s3_upload_part_check(struct s3_request *req)
{
    struct part_put *p = arena_new_of(req->arena, struct part_put);

    if (!p) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *p = (struct part_put){ .store = req->options->store, .bucket = req->bucket, .key = req->key };
    TRY(s3_part_number_of(req, &p->number));
    TRY(s3_upload_of(req, &p->upload));
    TRY(s3_refuse_headers(req));
    req->plan = p;
    return s3_is_body_ahead(req) ? look_early(req, p) : OK;
}

static void stored(struct s3_request *req)
{
    const struct part_put *p = req->plan;
    char etag[2 * 16 + 3] = "\"";

    if (req->outcome.code != ERR_OK) {
        s3_answer_error(req, req->outcome);
        return;
    }
    hex_z(p->ret_md5, 16, etag + 1);
    etag[33] = '"';
    http_set(req->http, "ETag", str_of(etag, 34));
    const struct object_checksum checksum = {
        .kind = body_writer_checksum_kind(req->writer),
        .value = body_writer_checksum(req->writer),
    };
    http_set(req->http, s3_checksum_header(checksum.kind), s3_checksum_text(req->arena, &checksum.value));
    s3_answer_empty(req, 200);
}

struct err s3_upload_part(struct s3_request *req)
{
    struct part_put *p = req->plan;

    p->body = req->writer;
    p->checksum.kind = s3_body_checksum(req)->kind;
    return s3_commit_body(req, part_put_fn, p, stored);
}

/* ---- UploadPartCopy ---- */

static struct err answer_copied(struct s3_request *req, const struct part_copy *c)
{
    struct xml *xml = xml_begin(req->arena, "CopyPartResult", 64 * KIB);
    const char *element = s3_checksum_element(c->ret_checksum.kind);
    char etag[33];

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    hex_z(c->ret_md5, 16, etag);
    s3_xml_time(xml, "LastModified", c->ret_mtime_ms);
    s3_xml_etag(xml, etag);
    if (element && c->ret_checksum.value.len)
        xml_text(xml, element, s3_checksum_text(req->arena, &c->ret_checksum.value));
    return s3_answer_document(req, xml);
}

struct err s3_upload_part_copy(struct s3_request *req)
{
    const struct str text = http_header(req->http, "x-amz-copy-source-range");
    struct part_copy c = {
        .store = req->options->store, .bucket = req->bucket, .key = req->key, .has_range = text.data
    };
    struct s3_copy_source source;
    struct s3_range range = { 0 };

    TRY(s3_copy_source_of(req, &source));
    TRY(s3_refuse_headers(req));
    TRY(s3_part_number_of(req, &c.number));
    TRY(s3_upload_of(req, &c.upload));
    if (c.has_range && !s3_range_parse_both(text, &range))
        return FAIL(
            ERR_INVALID_ARGUMENT,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy");
    c.range_offset = range.offset;
    c.range_len = range.len;
    c.source_bucket = source.bucket;
    c.source_key = source.key;
    s3_copy_conditions(req, &c.source_conditions);
    TRY(part_copy(&c, req->arena));
    return answer_copied(req, &c);
}

/* ---- ListParts ---- */

static void print_part(struct xml *xml, const struct part_info *part)
{
    const char *element = s3_checksum_element(part->checksum.kind);
    char etag[33];

    hex_z(part->md5, 16, etag);
    xml_open(xml, "Part");
    xml_u64(xml, "PartNumber", part->number);
    s3_xml_time(xml, "LastModified", part->mtime_ms);
    s3_xml_etag(xml, etag);
    xml_u64(xml, "Size", part->size);
    if (element && part->checksum.value.len)
        xml_text(xml, element, s3_checksum_text(xml->arena, &part->checksum.value));
    xml_close(xml, "Part");
}

static void print_upload(struct xml *xml, const struct upload_info *upload)
{
    const struct str class = upload->meta.headers[OBJECT_STORAGE_CLASS];

    s3_xml_owner(xml, "Initiator", upload->owner);
    s3_xml_owner(xml, "Owner", upload->owner);
    xml_text(xml, "StorageClass", class.len ? class : STR("STANDARD"));
    if (upload->checksum == DIGEST_NONE) return;
    xml_text(xml, "ChecksumAlgorithm", str_from_z(s3_checksum_algorithm(upload->checksum)));
    xml_text(xml, "ChecksumType", str_from_z(s3_checksum_type_name(upload->checksum_type)));
}

static struct err print_upload_of(struct s3_request *req, struct xml *xml, struct uid id)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct upload_info upload;

    TRY(view_open(req->options->store->meta, &view));
    TRY(upload_get(view, req->bucket, req->key, id, req->arena, &upload));
    print_upload(xml, &upload);
    return OK;
}

struct err s3_list_parts(struct s3_request *req)
{
    struct xml *xml = xml_begin(req->arena, "ListPartsResult", 2 * MIB);
    uint32_t max = LIMIT_PAGE, after = 0;
    struct part_page page;
    struct uid id;
    bool is_url;

    TRY(s3_upload_of(req, &id));
    TRY(s3_query_number(req, "max-parts", INT32_MAX, &max));
    TRY(s3_query_number(req, "part-number-marker", INT32_MAX, &after));
    TRY(s3_query_encoding(req, &is_url));
    if (max > LIMIT_PAGE) max = LIMIT_PAGE;
    TRY(upload_list_parts(req->options->store, req->bucket, req->key, id, after, max, req->arena, &page));
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xml_text(xml, "Bucket", req->bucket);
    xml_key(xml, "Key", req->key, is_url);
    xml_text(xml, "UploadId", http_query(req->http, "uploadId"));
    xml_u64(xml, "PartNumberMarker", after);
    xml_u64(xml, "NextPartNumberMarker", page.count ? page.next_marker : after);
    xml_u64(xml, "MaxParts", max);
    xml_bool(xml, "IsTruncated", page.is_truncated);
    TRY(print_upload_of(req, xml, id));
    for (size_t i = 0; i < page.count; i++) print_part(xml, &page.parts[i]);
    return s3_answer_document(req, xml);
}
