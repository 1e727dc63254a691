/*
 * s3_list.c - ListObjects, ListObjectsV2, ListObjectVersions: three ways to ask for the same page.
 *
 * Sources: AWS; s3.md 28-31. The three differ in how the place to go on from is named and echoed, so each reads its own query and prints its own head; the
 * page and its entries are the same. A bucket has no versions but the one that is called "null" (design.md), so the listing of versions is the listing
 * of keys.
 */
#include "storage/object/object_list.h"

#include "server/s3/s3_body.h"
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

#define LISTING_BYTES                                                                                        \
    (8 * MIB) /* 1,000 keys of 1,024 bytes, each as %XX or &#xX;, with what belongs to them */

struct listing {
    struct s3_request *req;
    struct list_query query;
    struct list_page page;
    struct str owner; /* of the bucket; .data NULL: not told */
    bool is_url;      /* encoding-type=url */
    struct xml *xml;
};

/* ---- the query ---- */

static struct err read_query(struct s3_request *req, struct listing *l)
{
    uint32_t max = LIMIT_PAGE;

    *l = (struct listing){ .req = req };
    TRY(s3_query_number(req, "max-keys", INT32_MAX, &max));
    TRY(s3_query_encoding(req, &l->is_url));
    l->query = (struct list_query){
        .bucket = req->bucket,
        .prefix = http_query(req->http, "prefix"),
        .delimiter = http_query(req->http, "delimiter"),
        .max = max < LIMIT_PAGE ? max : LIMIT_PAGE,
    };
    return OK;
}

static struct err read_owner(struct listing *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_info bucket;

    TRY(view_open(l->req->options->store->meta, &view));
    TRY(bucket_get(view, l->req->bucket, NULL, &bucket));
    l->owner = arena_str(l->req->arena, bucket.owner);
    return l->owner.data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

/* Where the page before ended, made opaque: clients must not build one. */
static struct str token_print(struct arena *arena, struct str place)
{
    struct buf out;

    buf_init(&out, 4 * KIB);
    base64url_to(&out, place);
    const struct str token = arena_str(arena, buf_view(&out));
    buf_done(&out);
    return token;
}

static struct err token_parse(struct arena *arena, struct str token, struct str *ret)
{
    char *bytes = arena_alloc(arena, token.len + 1);
    size_t len;

    if (!bytes) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    if (token.len == 0 || !base64url_from(token, bytes, token.len, &len) || len == 0 || len > LIMIT_KEY)
        return FAIL(ERR_INVALID_ARGUMENT, "The continuation token provided is incorrect");
    *ret = str_of(bytes, len);
    return OK;
}

/* ---- the document ---- */

static struct err begin(struct listing *l, const char *root)
{
    struct s3_request *req = l->req;

    TRY(object_list(req->options->store, &l->query, req->arena, &l->page));
    l->xml = xml_begin(req->arena, root, LISTING_BYTES);
    if (!l->xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xml_text(l->xml, "Name", req->bucket);
    xml_key(l->xml, "Prefix", l->query.prefix, l->is_url);
    if (l->query.delimiter.len) xml_key(l->xml, "Delimiter", l->query.delimiter, l->is_url);
    xml_u64(l->xml, "MaxKeys", l->query.max);
    if (l->is_url) xml_text(l->xml, "EncodingType", STR("url"));
    xml_bool(l->xml, "IsTruncated", l->page.is_truncated);
    return OK;
}

static void print_entry(const struct listing *l, const struct list_entry *e, const char *element)
{
    struct xml *xml = l->xml;

    xml_open(xml, element);
    xml_key(xml, "Key", e->name, l->is_url);
    s3_xml_time(xml, "LastModified", e->mtime_ms);
    s3_xml_etag(xml, e->etag);
    if (s3_checksum_algorithm(e->checksum)) {
        xml_text(xml, "ChecksumAlgorithm", str_from_z(s3_checksum_algorithm(e->checksum)));
        xml_text(xml, "ChecksumType", str_from_z(s3_checksum_type_name(e->checksum_type)));
    }
    xml_u64(xml, "Size", e->size);
    if (l->owner.data) s3_xml_owner(xml, "Owner", l->owner);
    xml_text(xml, "StorageClass", e->storage_class.len ? e->storage_class : STR("STANDARD"));
}

static struct err end(struct listing *l, const char *element, const char *more)
{
    for (size_t i = 0; i < l->page.count; i++) {
        if (l->page.entries[i].is_prefix) continue;
        print_entry(l, &l->page.entries[i], element);
        xml_raw(l->xml, more);
        xml_close(l->xml, element);
    }
    for (size_t i = 0; i < l->page.count; i++) {
        if (!l->page.entries[i].is_prefix) continue;
        xml_open(l->xml, "CommonPrefixes");
        xml_key(l->xml, "Prefix", l->page.entries[i].name, l->is_url);
        xml_close(l->xml, "CommonPrefixes");
    }
    return s3_answer_document(l->req, l->xml);
}

/* ---- the operations ---- */

struct err s3_list_objects(struct s3_request *req)
{
    struct listing l;

    TRY(read_query(req, &l));
    l.query.after = http_query(req->http, "marker");
    TRY(read_owner(&l));
    TRY(begin(&l, "ListBucketResult"));
    xml_key(l.xml, "Marker", l.query.after, l.is_url);
    if (l.page.is_truncated) xml_key(l.xml, "NextMarker", l.page.next, l.is_url);
    return end(&l, "Contents", "");
}

struct err s3_list_objects_v2(struct s3_request *req)
{
    const struct str token = http_query(req->http, "continuation-token");
    const struct str start_after = http_query(req->http, "start-after");
    struct listing l;

    if (!str_is(http_query(req->http, "list-type"), "2"))
        return FAIL(ERR_INVALID_ARGUMENT, "list-type must be 2");
    TRY(read_query(req, &l));
    l.query.after = start_after;
    if (token.data) TRY(token_parse(req->arena, token, &l.query.after));
    if (str_is(http_query(req->http, "fetch-owner"), "true")) TRY(read_owner(&l));
    TRY(begin(&l, "ListBucketResult"));
    if (start_after.len) xml_key(l.xml, "StartAfter", start_after, l.is_url);
    xml_u64(l.xml, "KeyCount", l.page.count);
    if (token.data) xml_text(l.xml, "ContinuationToken", token);
    if (l.page.is_truncated) xml_text(l.xml, "NextContinuationToken", token_print(req->arena, l.page.next));
    return end(&l, "Contents", "");
}

struct err s3_list_object_versions(struct s3_request *req)
{
    const struct str version = http_query(req->http, "version-id-marker");
    struct listing l;

    TRY(read_query(req, &l));
    l.query.after = http_query(req->http, "key-marker");
    if (version.len && l.query.after.len == 0)
        return FAIL(ERR_INVALID_ARGUMENT, "A version-id marker cannot be specified without a key marker.");
    TRY(read_owner(&l));
    TRY(begin(&l, "ListVersionsResult"));
    xml_key(l.xml, "KeyMarker", l.query.after, l.is_url);
    xml_text(l.xml, "VersionIdMarker", version);
    if (l.page.is_truncated) {
        xml_key(l.xml, "NextKeyMarker", l.page.next, l.is_url);
        if (!l.page.entries[l.page.count - 1].is_prefix) xml_text(l.xml, "NextVersionIdMarker", STR("null"));
    }
    return end(&l, "Version", "<VersionId>null</VersionId><IsLatest>true</IsLatest>");
}
