/*
 * s3_bucket.c - buckets: listing, making, looking at and removing them. Sources: AWS; s3.md 34, 35.
 */
#include "storage/object/bucket.h"

#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "server/s3/s3_tags.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- ListBuckets ---- */

struct bucket_list {
    struct str prefix, after;
    uint32_t max, count;
    struct str last; /* the name that the page ended with; empty: nothing is behind it */
};

static struct err read_list_query(struct s3_request *req, struct bucket_list *l)
{
    const struct str token = http_query(req->http, "continuation-token");

    *l = (struct bucket_list){ .prefix = http_query(req->http, "prefix"), .max = LIMIT_BUCKETS_PER_PAGE };
    TRY(s3_query_number(req, "max-buckets", LIMIT_BUCKETS_PER_PAGE, &l->max));
    if (l->max == 0)
        return FAIL(ERR_INVALID_ARGUMENT, "Argument max-buckets must be an integer between 1 and 10000");
    if (!token.data) return OK;
    char *bytes = arena_alloc(req->arena, token.len + 1);
    size_t len;
    if (!bytes) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (!base64url_from(token, bytes, token.len, &len) || len == 0)
        return FAIL(ERR_INVALID_ARGUMENT, "The continuation token provided is incorrect");
    l->after = str_of(bytes, len);
    return OK;
}

static void print_bucket(struct xml *xml, struct str name, const struct bucket_info *bucket,
                         struct str region)
{
    xml_open(xml, "Bucket");
    xml_text(xml, "Name", name);
    s3_xml_time(xml, "CreationDate", bucket->created_ms);
    xml_text(xml, "BucketRegion", region);
    xml_close(xml, "Bucket");
}

static struct err print_buckets(struct s3_request *req, struct xml *xml, struct bucket_list *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_info bucket;
    struct bucket_iter it;
    struct str name;

    TRY(view_open(req->options->store->meta, &view));
    bucket_iter_begin(&it, view, l->prefix, l->after, req->arena);
    while (bucket_iter_next(&it, &name, &bucket)) {
        if (!access_sees_bucket(&req->auth.caller, name)) continue;
        if (l->count++ == l->max) break;
        print_bucket(xml, name, &bucket, bucket.region.len ? bucket.region : s3_region(req));
        l->last = arena_str(req->arena, name);
    }
    if (l->count <= l->max) l->last = STR_NONE;
    const struct err e = it.err;
    bucket_iter_done(&it);
    return e;
}

static struct str list_token(struct arena *arena, struct str name)
{
    struct buf out;

    buf_init(&out, KIB);
    base64url_to(&out, name);
    const struct str token = arena_str(arena, buf_view(&out));
    buf_done(&out);
    return token;
}

struct err s3_list_buckets(struct s3_request *req)
{
    struct bucket_list l;
    struct xml *xml = xml_begin(req->arena, "ListAllMyBucketsResult", 4 * MIB);

    TRY(read_list_query(req, &l));
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    s3_xml_owner(xml, "Owner", principal_name(req->auth.caller.principal));
    xml_open(xml, "Buckets");
    TRY(print_buckets(req, xml, &l));
    xml_close(xml, "Buckets");
    if (l.prefix.len) xml_text(xml, "Prefix", l.prefix);
    if (l.last.len) xml_text(xml, "ContinuationToken", list_token(req->arena, l.last));
    return s3_answer_document(req, xml);
}

/* ---- CreateBucket ---- */

struct new_bucket {
    struct str region;
    const struct pair *tags;
    size_t tag_count;
};

/* <Tags> of CreateBucketConfiguration (2025) are Tag elements without a TagSet around them. */
static struct err read_tags(struct s3_request *req, const struct xml_node *tags, struct new_bucket *b)
{
    struct pair *list = arena_array(req->arena, struct pair, LIMIT_BUCKET_TAGS + 1);

    if (!list) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (const struct xml_node *tag = tags->children; tag && b->tag_count <= LIMIT_BUCKET_TAGS;
         tag = tag->next)
        list[b->tag_count++] = (struct pair){ xml_child_text(tag, "Key"), xml_child_text(tag, "Value") };
    b->tags = list;
    return s3_tags_check(list, b->tag_count, LIMIT_BUCKET_TAGS);
}

static struct err read_configuration(struct s3_request *req, struct new_bucket *b)
{
    struct xml_node *root;

    *b = (struct new_bucket){ 0 };
    if (buf_view(req->text).len == 0) return OK;
    TRY(xml_parse(buf_view(req->text), "CreateBucketConfiguration|CreateBucketRequest", req->arena, &root));
    const struct xml_node *tags = xml_child(root, "Tags");
    if (tags) TRY(read_tags(req, tags, b));
    b->region = xml_child_text(root, "LocationConstraint");
    if (b->region.len && req->options->region.len && !str_eq(b->region, req->options->region))
        return FAIL(ERR_ILLEGAL_LOCATION, err_text(ERR_ILLEGAL_LOCATION));
    return OK;
}

static struct err check_create_headers(struct s3_request *req)
{
    const struct str lock = http_header(req->http, "x-amz-bucket-object-lock-enabled");
    const struct str ownership = http_header(req->http, "x-amz-object-ownership");

    TRY(s3_refuse_headers(req));
    if (lock.data && !str_is_nocase(lock, "false"))
        return FAIL(ERR_UNSUPPORTED, "Object lock is not implemented; the bucket was not made.");
    if (ownership.data && !str_is(ownership, "BucketOwnerEnforced"))
        return FAIL(ERR_UNSUPPORTED, "Only BucketOwnerEnforced is implemented: ACLs are off.");
    return OK;
}

struct err s3_create_bucket(struct s3_request *req)
{
    const struct str owner = principal_name(req->auth.caller.principal);
    struct new_bucket b;

    TRY(check_create_headers(req));
    TRY(read_configuration(req, &b));
    const struct err e = bucket_create(req->options->store, req->bucket, owner, b.region);
    /* Another principal's bucket too: all principals of a server are of one account. */
    const bool is_there = e.code == ERR_BUCKET_OWNED_BY_YOU || e.code == ERR_EXISTS;
    if (!is_there || !req->options->is_recreate_ok) TRY(e);
    if (b.tag_count && !is_there) TRY(bucket_set_tags(req->options->store, req->bucket, b.tags, b.tag_count));
    http_setf(req->http, "Location", "/%.*s", STR_ARG(req->bucket));
    s3_answer_empty(req, 200);
    return OK;
}

/* ---- one bucket ---- */

/* Its region as clients see it. */
static struct err region_of(const struct s3_request *req, struct str *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_info bucket;

    TRY(view_open(req->options->store->meta, &view));
    TRY(bucket_get(view, req->bucket, NULL, &bucket));
    *ret = arena_str(req->arena, bucket.region.len ? bucket.region : s3_region(req));
    return ret->data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err s3_head_bucket(struct s3_request *req)
{
    struct str region;

    TRY(region_of(req, &region));
    http_set(req->http, "x-amz-bucket-region", region);
    http_set(req->http, "Content-Type", STR("application/xml"));
    s3_answer_empty(req, 200);
    return OK;
}

/* us-east-1 is told as an empty element, for historical reasons of AWS'. */
struct err s3_get_bucket_location(struct s3_request *req)
{
    struct xml *xml = xml_begin(req->arena, "LocationConstraint", 64 * KIB);
    struct str region;

    TRY(region_of(req, &region));
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (!str_is(region, "us-east-1")) xml_escape_to(&xml->out, region);
    return s3_answer_document(req, xml);
}

struct err s3_delete_bucket(struct s3_request *req)
{
    TRY(bucket_delete(req->options->store, req->bucket));
    s3_answer_empty(req, 204);
    return OK;
}
