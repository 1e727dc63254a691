/*
 * s3_ops.c - which S3 operation a request asks for.
 *
 * S3 does not name the operation in the request: it follows from the method, from whether the path names a bucket or an
 * object, and from marker query keys and headers (PUT with ?partNumber&uploadId is UploadPart; with x-amz-copy-source as
 * well it is UploadPartCopy). So there is one table, and the row that asks for most wins. Start-up refuses two rows with
 * the same conditions, so the order of rows matters only to a request that names two subresources at once, which S3 does
 * not define.
 *
 * To add an operation: add a row here, and its handler in the file for its subject. Authorisation, the reading of the
 * body, error documents, logging and metrics all follow from the row. An operation that we know of but do not have gets
 * a row too, so that it answers NotImplemented and does not fall through to GetObject or a listing.
 *
 * The 111 operations are those of the service model of November 2026 (s3/2006-03-01).
 */
#include "server/s3/s3_ops.h"

#include <string.h>

/* clang-format off */
#define NO NULL
/* An operation; one that waits and therefore runs on a worker; one that reads a bucket's configuration. */
#define OP(name, method, level, key1, key2, header, perm, body, flags, check, run) \
    { #name, HTTP_##method, LEVEL_##level, { key1, key2 }, header, PERM_##perm, BODY_##body, flags, check, run }
#define WORK(name, method, level, key1, key2, header, perm, body, run) \
    OP(name, method, level, key1, key2, header, perm, body, OP_WORKER, NO, run)
#define CONFIG(name, key1, key2, run) OP(name, GET, BUCKET, key1, key2, NO, READ_CONFIG, NONE, 0, NO, run)
/* One that we know of and do not have; another name of a row above. */
#define NOT_SERVED(name, method, level, key1, key2, perm) \
    OP(name, method, level, key1, key2, NO, perm, NONE, OP_NOT_SERVED, NO, s3_not_implemented)
#define ALIAS(name, method, level, key1, key2) \
    OP(name, method, level, key1, key2, NO, PUBLIC, NONE, OP_ALIAS, NO, s3_not_implemented)

static const struct s3_op ops[] = {
    /* ---- the service ---- */
    OP(ListBuckets, GET, ROOT, NO, NO, NO, LIST_BUCKETS, NONE, 0, NO, s3_list_buckets),
    ALIAS(ListDirectoryBuckets, GET, ROOT, NO, NO),
    OP(WriteGetObjectResponse, POST, ROOT, NO, NO, "x-amz-request-route", WRITE_CONFIG, NONE, OP_NOT_SERVED, NO, s3_not_implemented),

    /* ---- buckets ---- */
    NOT_SERVED(CreateSession, GET, BUCKET, "session", NO, READ_CONFIG),
    NOT_SERVED(GetBucketAbac, GET, BUCKET, "abac", NO, READ_CONFIG),
    CONFIG(GetBucketAccelerateConfiguration, "accelerate", NO, s3_get_accelerate),
    OP(GetBucketAcl, GET, BUCKET, "acl", NO, NO, READ_ACL, NONE, 0, NO, s3_get_bucket_acl),
    CONFIG(GetBucketAnalyticsConfiguration, "analytics", "id", s3_get_no_configuration),
    CONFIG(GetBucketCors, "cors", NO, s3_get_no_configuration),
    CONFIG(GetBucketEncryption, "encryption", NO, s3_get_encryption),
    CONFIG(GetBucketIntelligentTieringConfiguration, "intelligent-tiering", "id", s3_get_no_configuration),
    CONFIG(GetBucketInventoryConfiguration, "inventory", "id", s3_get_no_configuration),
    ALIAS(GetBucketLifecycle, GET, BUCKET, "lifecycle", NO),
    CONFIG(GetBucketLifecycleConfiguration, "lifecycle", NO, s3_get_no_configuration),
    OP(GetBucketLocation, GET, BUCKET, "location", NO, NO, LIST, NONE, 0, NO, s3_get_bucket_location),
    CONFIG(GetBucketLogging, "logging", NO, s3_get_logging),
    CONFIG(GetBucketMetadataConfiguration, "metadataConfiguration", NO, s3_get_no_configuration),
    CONFIG(GetBucketMetadataTableConfiguration, "metadataTable", NO, s3_get_no_configuration),
    CONFIG(GetBucketMetricsConfiguration, "metrics", "id", s3_get_no_configuration),
    ALIAS(GetBucketNotification, GET, BUCKET, "notification", NO),
    CONFIG(GetBucketNotificationConfiguration, "notification", NO, s3_get_notification),
    CONFIG(GetBucketOwnershipControls, "ownershipControls", NO, s3_get_ownership_controls),
    CONFIG(GetBucketPolicy, "policy", NO, s3_get_no_configuration),
    CONFIG(GetBucketPolicyStatus, "policyStatus", NO, s3_get_policy_status),
    CONFIG(GetBucketReplication, "replication", NO, s3_get_no_configuration),
    CONFIG(GetBucketRequestPayment, "requestPayment", NO, s3_get_request_payment),
    CONFIG(GetBucketTagging, "tagging", NO, s3_get_bucket_tagging),
    CONFIG(GetBucketVersioning, "versioning", NO, s3_get_versioning),
    CONFIG(GetBucketWebsite, "website", NO, s3_get_no_configuration),
    CONFIG(GetObjectLockConfiguration, "object-lock", NO, s3_get_no_configuration),
    CONFIG(GetPublicAccessBlock, "publicAccessBlock", NO, s3_get_no_configuration),
    CONFIG(ListBucketAnalyticsConfigurations, "analytics", NO, s3_list_no_configurations),
    CONFIG(ListBucketIntelligentTieringConfigurations, "intelligent-tiering", NO, s3_list_no_configurations),
    CONFIG(ListBucketInventoryConfigurations, "inventory", NO, s3_list_no_configurations),
    CONFIG(ListBucketMetricsConfigurations, "metrics", NO, s3_list_no_configurations),
    OP(ListMultipartUploads, GET, BUCKET, "uploads", NO, NO, LIST, NONE, 0, NO, s3_list_multipart_uploads),
    OP(ListObjectVersions, GET, BUCKET, "versions", NO, NO, LIST, NONE, 0, NO, s3_list_object_versions),
    OP(ListObjects, GET, BUCKET, NO, NO, NO, LIST, NONE, 0, NO, s3_list_objects),
    OP(ListObjectsV2, GET, BUCKET, "list-type", NO, NO, LIST, NONE, 0, NO, s3_list_objects_v2),
    OP(HeadBucket, HEAD, BUCKET, NO, NO, NO, LIST, NONE, 0, NO, s3_head_bucket),
    WORK(CreateBucket, PUT, BUCKET, NO, NO, NO, CREATE_BUCKET, XML, s3_create_bucket),
    NOT_SERVED(PutBucketAbac, PUT, BUCKET, "abac", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketAccelerateConfiguration, PUT, BUCKET, "accelerate", NO, WRITE_CONFIG),
    OP(PutBucketAcl, PUT, BUCKET, "acl", NO, NO, WRITE_CONFIG, NONE, 0, NO, s3_put_acl),
    NOT_SERVED(PutBucketAnalyticsConfiguration, PUT, BUCKET, "analytics", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketCors, PUT, BUCKET, "cors", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketEncryption, PUT, BUCKET, "encryption", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketIntelligentTieringConfiguration, PUT, BUCKET, "intelligent-tiering", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketInventoryConfiguration, PUT, BUCKET, "inventory", NO, WRITE_CONFIG),
    ALIAS(PutBucketLifecycle, PUT, BUCKET, "lifecycle", NO),
    NOT_SERVED(PutBucketLifecycleConfiguration, PUT, BUCKET, "lifecycle", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketLogging, PUT, BUCKET, "logging", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketMetricsConfiguration, PUT, BUCKET, "metrics", NO, WRITE_CONFIG),
    ALIAS(PutBucketNotification, PUT, BUCKET, "notification", NO),
    NOT_SERVED(PutBucketNotificationConfiguration, PUT, BUCKET, "notification", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketOwnershipControls, PUT, BUCKET, "ownershipControls", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketPolicy, PUT, BUCKET, "policy", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketReplication, PUT, BUCKET, "replication", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketRequestPayment, PUT, BUCKET, "requestPayment", NO, WRITE_CONFIG),
    WORK(PutBucketTagging, PUT, BUCKET, "tagging", NO, NO, WRITE_CONFIG, XML, s3_put_bucket_tagging),
    NOT_SERVED(PutBucketVersioning, PUT, BUCKET, "versioning", NO, WRITE_CONFIG),
    NOT_SERVED(PutBucketWebsite, PUT, BUCKET, "website", NO, WRITE_CONFIG),
    NOT_SERVED(PutObjectLockConfiguration, PUT, BUCKET, "object-lock", NO, WRITE_CONFIG),
    NOT_SERVED(PutPublicAccessBlock, PUT, BUCKET, "publicAccessBlock", NO, WRITE_CONFIG),
    NOT_SERVED(UpdateBucketMetadataInventoryTableConfiguration, PUT, BUCKET, "metadataInventoryTable", NO, WRITE_CONFIG),
    NOT_SERVED(UpdateBucketMetadataJournalTableConfiguration, PUT, BUCKET, "metadataJournalTable", NO, WRITE_CONFIG),
    NOT_SERVED(CreateBucketMetadataConfiguration, POST, BUCKET, "metadataConfiguration", NO, WRITE_CONFIG),
    NOT_SERVED(CreateBucketMetadataTableConfiguration, POST, BUCKET, "metadataTable", NO, WRITE_CONFIG),
    OP(DeleteObjects, POST, BUCKET, "delete", NO, NO, DELETE, XML, OP_WORKER | OP_PER_KEY, NO, s3_delete_objects),
    WORK(DeleteBucket, DELETE, BUCKET, NO, NO, NO, DELETE_BUCKET, NONE, s3_delete_bucket),
    NOT_SERVED(DeleteBucketAnalyticsConfiguration, DELETE, BUCKET, "analytics", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketCors, DELETE, BUCKET, "cors", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketEncryption, DELETE, BUCKET, "encryption", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketIntelligentTieringConfiguration, DELETE, BUCKET, "intelligent-tiering", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketInventoryConfiguration, DELETE, BUCKET, "inventory", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketLifecycle, DELETE, BUCKET, "lifecycle", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketMetadataConfiguration, DELETE, BUCKET, "metadataConfiguration", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketMetadataTableConfiguration, DELETE, BUCKET, "metadataTable", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketMetricsConfiguration, DELETE, BUCKET, "metrics", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketOwnershipControls, DELETE, BUCKET, "ownershipControls", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketPolicy, DELETE, BUCKET, "policy", NO, WRITE_CONFIG),
    NOT_SERVED(DeleteBucketReplication, DELETE, BUCKET, "replication", NO, WRITE_CONFIG),
    WORK(DeleteBucketTagging, DELETE, BUCKET, "tagging", NO, NO, WRITE_CONFIG, NONE, s3_delete_bucket_tagging),
    NOT_SERVED(DeleteBucketWebsite, DELETE, BUCKET, "website", NO, WRITE_CONFIG),
    NOT_SERVED(DeletePublicAccessBlock, DELETE, BUCKET, "publicAccessBlock", NO, WRITE_CONFIG),

    /* ---- objects ---- */
    OP(GetObject, GET, OBJECT, NO, NO, NO, READ, NONE, 0, NO, s3_get_object),
    OP(GetObjectAcl, GET, OBJECT, "acl", NO, NO, READ_ACL, NONE, 0, NO, s3_get_object_acl),
    OP(GetObjectAttributes, GET, OBJECT, "attributes", NO, NO, READ, NONE, 0, NO, s3_get_object_attributes),
    OP(GetObjectLegalHold, GET, OBJECT, "legal-hold", NO, NO, READ_CONFIG, NONE, 0, NO, s3_get_no_configuration),
    OP(GetObjectRetention, GET, OBJECT, "retention", NO, NO, READ_CONFIG, NONE, 0, NO, s3_get_no_configuration),
    OP(GetObjectTagging, GET, OBJECT, "tagging", NO, NO, READ_TAGS, NONE, 0, NO, s3_get_object_tagging),
    NOT_SERVED(GetObjectTorrent, GET, OBJECT, "torrent", NO, READ),
    OP(ListParts, GET, OBJECT, "uploadId", NO, NO, LIST, NONE, 0, NO, s3_list_parts),
    OP(HeadObject, HEAD, OBJECT, NO, NO, NO, READ, NONE, 0, NO, s3_head_object),
    WORK(CopyObject, PUT, OBJECT, NO, NO, "x-amz-copy-source", WRITE, NONE, s3_copy_object),
    OP(PutObject, PUT, OBJECT, NO, NO, NO, WRITE, STREAM, 0, s3_put_object_check, s3_put_object),
    OP(PutObjectAcl, PUT, OBJECT, "acl", NO, NO, WRITE, NONE, 0, NO, s3_put_acl),
    NOT_SERVED(PutObjectLegalHold, PUT, OBJECT, "legal-hold", NO, WRITE),
    NOT_SERVED(PutObjectRetention, PUT, OBJECT, "retention", NO, WRITE),
    WORK(PutObjectTagging, PUT, OBJECT, "tagging", NO, NO, WRITE_TAGS, XML, s3_put_object_tagging),
    NOT_SERVED(RenameObject, PUT, OBJECT, "renameObject", NO, WRITE),
    NOT_SERVED(UpdateObjectEncryption, PUT, OBJECT, "encryption", NO, WRITE),
    OP(UploadPart, PUT, OBJECT, "partNumber", "uploadId", NO, WRITE, STREAM, 0, s3_upload_part_check, s3_upload_part),
    WORK(UploadPartCopy, PUT, OBJECT, "partNumber", "uploadId", "x-amz-copy-source", WRITE, NONE, s3_upload_part_copy),
    OP(CompleteMultipartUpload, POST, OBJECT, "uploadId", NO, NO, WRITE, XML, OP_WORKER | OP_SUM_OF_OBJECT, NO,
       s3_complete_multipart_upload),
    WORK(CreateMultipartUpload, POST, OBJECT, "uploads", NO, NO, WRITE, NONE, s3_create_multipart_upload),
    NOT_SERVED(RestoreObject, POST, OBJECT, "restore", NO, WRITE),
    NOT_SERVED(SelectObjectContent, POST, OBJECT, "select", "select-type", WRITE),
    WORK(AbortMultipartUpload, DELETE, OBJECT, "uploadId", NO, NO, WRITE, NONE, s3_abort_multipart_upload),
    OP(DeleteObject, DELETE, OBJECT, NO, NO, NO, DELETE, NONE, 0, NO, s3_delete_object),
    WORK(DeleteObjectTagging, DELETE, OBJECT, "tagging", NO, NO, WRITE_TAGS, NONE, s3_delete_object_tagging),
};
/* clang-format on */
#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

/* What a request gets that names a known subresource in a way that no row asks for: never a listing, never GetObject. */
static const struct s3_op unknown_subresource = {
    .name = "UnknownSubresource",
    .permission = PERM_READ_CONFIG,
    .flags = OP_NOT_SERVED,
    .run = s3_not_implemented,
};

/* Marker keys that only refine a subresource or carry data, and so do not make a request name one. */
static const char *const refinements[] = { "id", "partNumber", "list-type", "select-type" };

/* A marker query key says more than a header: the key names a subresource. */
static int specificity(const struct s3_op *op)
{
    return (op->query[0] ? 4 : 0) + (op->query[1] ? 2 : 0) + (op->header ? 1 : 0);
}

static bool op_matches(const struct s3_op *op, const struct s3_request *req)
{
    if (op->flags & OP_ALIAS) return false;
    if (op->method != req->http->method || op->level != req->level) return false;
    for (int i = 0; i < 2; i++) {
        if (op->query[i] && !http_has_query(req->http, op->query[i])) return false;
    }
    return !op->header || http_has_header(req->http, op->header);
}

static bool is_refinement(const struct s3_request *req, const char *key)
{
    /* A part that is written without its upload must not become the object. */
    if (strcmp(key, "partNumber") == 0 && req->http->method == HTTP_PUT) return false;
    for (size_t i = 0; i < sizeof(refinements) / sizeof(refinements[0]); i++) {
        if (strcmp(key, refinements[i]) == 0) return true;
    }
    return false;
}

static bool op_names(const struct s3_op *op, const char *key)
{
    return (op->query[0] && strcmp(op->query[0], key) == 0)
        || (op->query[1] && strcmp(op->query[1], key) == 0);
}

/* Is this a subresource key (of any row) that the row found does not ask for? */
static bool is_another_subresource(const struct s3_request *req, const struct s3_op *found, struct str name)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        const char *key = ops[i].query[0];
        if (key && str_is(name, key)) return !is_refinement(req, key) && !op_names(found, key);
    }
    return false;
}

static bool names_another_subresource(const struct s3_request *req, const struct s3_op *found)
{
    for (size_t i = 0; i < req->http->query_count; i++) {
        const struct str name = req->http->query[i].name;
        /* Most parameters there are: those of a presigned request. */
        if (!str_starts(name, STR("X-Amz-")) && is_another_subresource(req, found, name)) return true;
    }
    return false;
}

const struct s3_op *s3_op_find(const struct s3_request *req)
{
    const struct s3_op *best = NULL;

    for (size_t i = 0; i < OP_COUNT; i++) {
        if (!op_matches(&ops[i], req)) continue;
        if (!best || specificity(&ops[i]) > specificity(best)) best = &ops[i];
    }
    if (best && !best->query[0] && names_another_subresource(req, best)) return &unknown_subresource;
    return best;
}

const struct s3_op *s3_ops(size_t *ret_count)
{
    *ret_count = OP_COUNT;
    return ops;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_conditions(const struct s3_op *a, const struct s3_op *b)
{
    return a->method == b->method && a->level == b->level && same_text(a->query[0], b->query[0])
        && same_text(a->query[1], b->query[1]) && same_text(a->header, b->header);
}

struct err s3_ops_check(void)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        if (!ops[i].run) return err_fail(ERR_INTERNAL, "operation %s has no handler", ops[i].name);
        if (ops[i].flags & OP_ALIAS) continue;
        for (size_t j = i + 1; j < OP_COUNT; j++) {
            if (ops[j].flags & OP_ALIAS || !same_conditions(&ops[i], &ops[j])) continue;
            return err_fail(ERR_INTERNAL, "operations %s and %s have the same conditions", ops[i].name,
                            ops[j].name);
        }
    }
    return OK;
}

static const char *served_text(const struct s3_op *op)
{
    if (op->flags & OP_ALIAS) return "alias";
    return op->flags & OP_NOT_SERVED ? "not yet" : "served";
}

void s3_ops_print(FILE *out)
{
    static const char *const methods[] = {
        "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "OTHER"
    };
    static const char *const levels[] = { "service", "bucket", "object" };

    for (size_t i = 0; i < OP_COUNT; i++) {
        const struct s3_op *op = &ops[i];
        fprintf(out, "%s\t%s\t%s\t%s%s%s%s%s\t%s\t%s\n", op->name, methods[op->method], levels[op->level],
                op->query[0] ? "?" : "", op->query[0] ? op->query[0] : "", op->query[1] ? "&" : "",
                op->query[1] ? op->query[1] : "", op->header ? op->header : "",
                permission_name(op->permission), served_text(op));
    }
}
