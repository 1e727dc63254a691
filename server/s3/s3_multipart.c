/*
 * s3_multipart.c - uploads in parts: beginning, finishing, giving up, listing them. The parts themselves are s3_part.c's.
 *
 * Sources: AWS; s3.md 2.4. All that waits runs on a worker.
 */
#include "storage/object/multipart.h"

#include "server/s3/s3_body.h"
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "server/s3/s3_part.h"
#include "storage/base/limits.h"

#define UPLOADS_BYTES (16 * MIB) /* a page of 1,000 uploads with keys of 1,024 escaped bytes */

/* ---- CreateMultipartUpload ---- */

/* CRC64NVME is of the whole object alone, SHA digests of the parts alone; the other two as the client likes (s3.md 39). */
static struct err checksum_type(const struct s3_request *req, struct upload_info *what)
{
    const struct str text = http_header(req->http, "x-amz-checksum-type");
    const bool is_full = str_is(text, "FULL_OBJECT");
    const bool is_sha = what->checksum == DIGEST_SHA1 || what->checksum == DIGEST_SHA256;

    if (text.data && !is_full && !str_is(text, "COMPOSITE"))
        return FAIL(ERR_INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.");
    if (text.data && what->checksum == DIGEST_NONE)
        return FAIL(
            ERR_INVALID_REQUEST,
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
    if ((is_full && is_sha) || (text.data && !is_full && what->checksum == DIGEST_CRC64NVME))
        return err_fail(ERR_INVALID_REQUEST,
                        "The %.*s checksum type cannot be used with the %s checksum algorithm.",
                        STR_ARG(text), s3_checksum_algorithm(what->checksum));
    const bool is_composite = text.data ? !is_full
                                        : what->checksum != DIGEST_NONE && what->checksum != DIGEST_CRC64NVME;
    what->checksum_type = is_composite ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
    return OK;
}

static struct err answer_created(struct s3_request *req, struct uid upload)
{
    struct xml *xml = xml_begin(req->arena, "InitiateMultipartUploadResult", 64 * KIB);
    char id[UPLOAD_ID_SIZE];

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    upload_id_print(upload, id);
    xml_text(xml, "Bucket", req->bucket);
    xml_text(xml, "Key", req->key);
    xml_text(xml, "UploadId", str_from_z(id));
    return s3_answer_document(req, xml);
}

struct err s3_create_multipart_upload(struct s3_request *req)
{
    struct upload_info what = { .key = req->key, .owner = principal_name(req->auth.caller.principal) };
    struct s3_checksum checksum;
    struct uid id;

    TRY(s3_meta_from_headers(req, &what.meta));
    TRY(s3_checksum_from_headers(req->http, &checksum));
    what.checksum = checksum.kind;
    TRY(checksum_type(req, &what));
    TRY(upload_create(req->options->store, req->bucket, req->key, &what, &id));
    if (what.checksum != DIGEST_NONE) {
        http_set(req->http, "x-amz-checksum-algorithm", str_from_z(s3_checksum_algorithm(what.checksum)));
        http_set(req->http, "x-amz-checksum-type", str_from_z(s3_checksum_type_name(what.checksum_type)));
    }
    return answer_created(req, id);
}

/* ---- CompleteMultipartUpload ---- */

static struct err read_part(const struct xml_node *node, struct complete_part *ret)
{
    const struct str number = str_trim(xml_child_text(node, "PartNumber"));
    struct complete_part part = { .etag = str_trim(xml_child_text(node, "ETag")) };
    uint64_t value;

    if (!str_to_u64(number, &value) || !part.etag.data)
        return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    if (value < 1 || value > LIMIT_PARTS)
        return FAIL(ERR_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
    part.number = (uint32_t)value;
    for (int kind = DIGEST_NONE + 1; kind < DIGEST_KIND_COUNT; kind++) {
        const char *element = s3_checksum_element((enum digest_kind)kind);
        const struct str text = element ? str_trim(xml_child_text(node, element)) : STR_NONE;
        if (!text.len) continue;
        part.checksum.kind = (enum digest_kind)kind;
        TRY(s3_checksum_decode(text, part.checksum.kind, &part.checksum.value));
    }
    *ret = part;
    return OK;
}

static struct err read_parts(struct s3_request *req, struct upload_complete *c)
{
    struct complete_part *parts;
    struct xml_node *root;
    size_t count = 0;

    TRY(xml_parse(buf_view(req->text), "CompleteMultipartUpload|CompleteMultipartUploadRequest", req->arena,
                  &root));
    for (const struct xml_node *n = root->children; n; n = n->next) count += str_is(n->name, "Part");
    if (count == 0 || count > LIMIT_PARTS) return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    parts = arena_array(req->arena, struct complete_part, count);
    if (!parts) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    count = 0;
    for (const struct xml_node *n = root->children; n; n = n->next) {
        if (str_is(n->name, "Part")) TRY(read_part(n, &parts[count++]));
    }
    c->parts = parts;
    c->part_count = count;
    return OK;
}

/* Of the whole object; a composite one may come with "-N" behind it. */
static struct err read_whole_checksum(const struct s3_request *req, struct object_checksum *ret)
{
    for (int kind = DIGEST_NONE + 1; kind < DIGEST_KIND_COUNT; kind++) {
        const char *name = s3_checksum_header((enum digest_kind)kind);
        const struct str text = name ? http_header(req->http, name) : STR_NONE;
        if (!text.data) continue;
        ret->kind = (enum digest_kind)kind;
        TRY(s3_checksum_decode(str_slice(text, 0, str_find_char(text, '-')), ret->kind, &ret->value));
    }
    return OK;
}

static struct err read_size(const struct s3_request *req, struct upload_complete *c)
{
    const struct str text = http_header(req->http, "x-amz-mp-object-size");

    c->has_object_size = text.data;
    if (text.data && !str_to_u64(text, &c->object_size))
        return FAIL(ERR_INVALID_REQUEST, "Value for x-amz-mp-object-size header is invalid.");
    return OK;
}

static struct err answer_completed(struct s3_request *req, const struct object_info *info)
{
    struct xml *xml = xml_begin(req->arena, "CompleteMultipartUploadResult", 64 * KIB);
    char etag[ETAG_SIZE];

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    object_etag(info, etag);
    xml_text(
        xml, "Location",
        arena_printf(req->arena, "http://%.*s%.*s", STR_ARG(req->http->host), STR_ARG(req->http->raw_path)));
    xml_text(xml, "Bucket", req->bucket);
    xml_text(xml, "Key", req->key);
    s3_xml_etag(xml, etag);
    s3_xml_checksum(xml, &info->checksum, info->part_count);
    return s3_answer_document(req, xml);
}

struct err s3_complete_multipart_upload(struct s3_request *req)
{
    struct upload_complete c = {
        .store = req->options->store, .bucket = req->bucket, .key = req->key, .guard = s3_guard(req, req->key)
    };

    TRY(s3_upload_of(req, &c.upload));
    TRY(read_parts(req, &c));
    TRY(read_whole_checksum(req, &c.checksum));
    TRY(read_size(req, &c));
    s3_write_conditions(req, &c.conditions);
    TRY(upload_complete(&c, req->arena));
    return answer_completed(req, &c.ret);
}

/* ---- AbortMultipartUpload ---- */

struct err s3_abort_multipart_upload(struct s3_request *req)
{
    struct uid upload;

    TRY(s3_upload_of(req, &upload));
    TRY(upload_abort(req->options->store, req->bucket, req->key, upload));
    s3_answer_empty(req, 204);
    return OK;
}

/* ---- ListMultipartUploads ---- */

static void print_upload(struct xml *xml, const struct upload_entry *e, bool is_url)
{
    const struct str class = e->info.meta.headers[OBJECT_STORAGE_CLASS];
    char id[UPLOAD_ID_SIZE];

    upload_id_print(e->info.id, id);
    xml_open(xml, "Upload");
    xml_key(xml, "Key", e->key, is_url);
    xml_text(xml, "UploadId", str_from_z(id));
    s3_xml_owner(xml, "Initiator", e->info.owner);
    s3_xml_owner(xml, "Owner", e->info.owner);
    xml_text(xml, "StorageClass", class.len ? class : STR("STANDARD"));
    s3_xml_time(xml, "Initiated", e->info.created_ms);
    if (e->info.checksum != DIGEST_NONE) {
        xml_text(xml, "ChecksumAlgorithm", str_from_z(s3_checksum_algorithm(e->info.checksum)));
        xml_text(xml, "ChecksumType", str_from_z(s3_checksum_type_name(e->info.checksum_type)));
    }
    xml_close(xml, "Upload");
}

static void print_uploads(struct xml *xml, const struct upload_page *page, bool is_url)
{
    for (size_t i = 0; i < page->count; i++) {
        if (!page->entries[i].is_prefix) print_upload(xml, &page->entries[i], is_url);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (!page->entries[i].is_prefix) continue;
        xml_open(xml, "CommonPrefixes");
        xml_key(xml, "Prefix", page->entries[i].key, is_url);
        xml_close(xml, "CommonPrefixes");
    }
}

static struct err answer_uploads(struct s3_request *req, const struct upload_query *q,
                                 const struct upload_page *page, bool is_url)
{
    struct xml *xml = xml_begin(req->arena, "ListMultipartUploadsResult", UPLOADS_BYTES);

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xml_text(xml, "Bucket", req->bucket);
    xml_key(xml, "KeyMarker", q->key_marker, is_url);
    xml_text(xml, "UploadIdMarker", q->upload_id_marker);
    if (page->is_truncated) {
        xml_key(xml, "NextKeyMarker", page->next_key_marker, is_url);
        xml_text(xml, "NextUploadIdMarker", page->next_upload_id_marker);
    }
    xml_key(xml, "Prefix", q->prefix, is_url);
    if (q->delimiter.len) xml_key(xml, "Delimiter", q->delimiter, is_url);
    if (is_url) xml_text(xml, "EncodingType", STR("url"));
    xml_u64(xml, "MaxUploads", q->max);
    xml_bool(xml, "IsTruncated", page->is_truncated);
    print_uploads(xml, page, is_url);
    return s3_answer_document(req, xml);
}

struct err s3_list_multipart_uploads(struct s3_request *req)
{
    struct upload_query q = {
        .bucket = req->bucket,
        .prefix = http_query(req->http, "prefix"),
        .delimiter = http_query(req->http, "delimiter"),
        .key_marker = http_query(req->http, "key-marker"),
        .upload_id_marker = http_query(req->http, "upload-id-marker"),
        .max = LIMIT_PAGE,
    };
    struct upload_page page;
    bool is_url;

    TRY(s3_query_number(req, "max-uploads", INT32_MAX, &q.max));
    TRY(s3_query_encoding(req, &is_url));
    if (q.max > LIMIT_PAGE) q.max = LIMIT_PAGE;
    if (q.key_marker.len == 0) q.upload_id_marker = STR_NONE; /* AWS: it says nothing without a key marker */
    TRY(upload_list(req->options->store, &q, req->arena, &page));
    return answer_uploads(req, &q, &page, is_url);
}
