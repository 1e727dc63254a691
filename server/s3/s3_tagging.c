/*
 * s3_tagging.c - the tags of objects and buckets. An object without tags has an empty TagSet; a bucket without tags has none at all (NoSuchTagSet), as AWS answers.
 */
#include "server/s3/s3_documents.h"
#include "server/s3/s3_ops.h"
#include "server/s3/s3_tags.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_copy.h"

static struct err answer_tags(struct s3_request *req, const struct pair *tags, size_t count)
{
    struct xml *xml = xml_begin(req->arena, "Tagging", 256 * KIB);

    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xml_open(xml, "TagSet");
    for (size_t i = 0; i < count; i++) {
        xml_open(xml, "Tag");
        xml_text(xml, "Key", tags[i].name);
        xml_text(xml, "Value", tags[i].value);
        xml_close(xml, "Tag");
    }
    xml_close(xml, "TagSet");
    return s3_answer_document(req, xml);
}

struct err s3_get_object_tagging(struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    TRY(view_open(req->options->store->meta, &view));
    TRY(object_stat(view, req->bucket, req->key, req->arena, &info));
    return answer_tags(req, info.meta.tags, info.meta.tag_count);
}

struct err s3_put_object_tagging(struct s3_request *req)
{
    const struct pair *tags;
    size_t count;

    TRY(s3_tags_from_xml(req->arena, buf_view(req->text), LIMIT_TAGS, &tags, &count));
    TRY(object_set_tags(req->options->store, req->bucket, req->key, tags, count, req->arena));
    s3_answer_empty(req, 200);
    return OK;
}

struct err s3_delete_object_tagging(struct s3_request *req)
{
    TRY(object_set_tags(req->options->store, req->bucket, req->key, NULL, 0, req->arena));
    s3_answer_empty(req, 204);
    return OK;
}

struct err s3_get_bucket_tagging(struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_info info;

    TRY(view_open(req->options->store->meta, &view));
    TRY(bucket_get(view, req->bucket, req->arena, &info));
    if (info.tag_count) return answer_tags(req, info.tags, info.tag_count);
    req->error_code = "NoSuchTagSet";
    return FAIL(ERR_NO_SUCH_CONFIGURATION, "The TagSet does not exist");
}

struct err s3_put_bucket_tagging(struct s3_request *req)
{
    const struct pair *tags;
    size_t count;

    TRY(s3_tags_from_xml(req->arena, buf_view(req->text), LIMIT_BUCKET_TAGS, &tags, &count));
    TRY(bucket_set_tags(req->options->store, req->bucket, tags, count));
    s3_answer_empty(req, 204);
    return OK;
}

struct err s3_delete_bucket_tagging(struct s3_request *req)
{
    TRY(bucket_set_tags(req->options->store, req->bucket, NULL, 0));
    s3_answer_empty(req, 204);
    return OK;
}
