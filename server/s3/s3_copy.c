/*
 * s3_copy.c - CopyObject. It waits, so it runs on a worker. Source: AWS; s3.md 20, 41.
 */
#include "server/s3/s3_body.h"
#include "server/s3/s3_copy_source.h"
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/limits.h"
#include "storage/object/object_copy.h"

/* COPY (also when it is absent) or REPLACE. */
static struct err directive(const struct s3_request *req, const char *header, bool *ret_replace)
{
    const struct str text = http_header(req->http, header);

    *ret_replace = str_is(text, "REPLACE");
    if (text.data && !*ret_replace && !str_is(text, "COPY"))
        return err_fail(ERR_INVALID_ARGUMENT, "Unknown %s.", header);
    return OK;
}

static struct err answer(struct s3_request *req, const struct object_info *info)
{
    struct xml *xml = xml_begin(req->arena, "CopyObjectResult", 64 * KIB);
    char etag[ETAG_SIZE];

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    object_etag(info, etag);
    s3_xml_time(xml, "LastModified", info->mtime_ms);
    s3_xml_etag(xml, etag);
    s3_xml_checksum(xml, &info->checksum, info->part_count);
    return s3_answer_document(req, xml);
}

struct err s3_copy_object(struct s3_request *req)
{
    struct object_copy copy = {
        .store = req->options->store, .bucket = req->bucket, .key = req->key, .guard = s3_guard(req, req->key)
    };
    struct s3_copy_source source;
    struct s3_checksum checksum;

    TRY(s3_copy_source_of(req, &source));
    TRY(s3_meta_from_headers(req, &copy.meta));
    TRY(directive(req, "x-amz-metadata-directive", &copy.replace_meta));
    TRY(directive(req, "x-amz-tagging-directive", &copy.replace_tags));
    TRY(s3_checksum_from_headers(req->http, &checksum));
    copy.source_bucket = source.bucket;
    copy.source_key = source.key;
    copy.checksum = checksum.kind;
    s3_copy_conditions(req, &copy.source_conditions);
    s3_write_conditions(req, &copy.conditions);
    TRY(object_copy(&copy, req->arena));
    return answer(req, &copy.ret);
}
