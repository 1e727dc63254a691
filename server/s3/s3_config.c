/*
 * s3_config.c - what a bucket's configurations are when nothing was configured: the true answers, in AWS' words.
 *
 * Terraform, aws s3 rb, s3fs and others ask these questions of every bucket and take anything but AWS' answer for a failure (s3.md 27). Each first makes sure
 * that the bucket (or object) is there.
 */
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

/* ---- "there is none" ---- */

static const struct absent {
    const char *query, *code, *message;
} absents[] = {
    { "analytics", "NoSuchConfiguration", "The specified configuration does not exist." },
    { "cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist" },
    { "intelligent-tiering", "NoSuchConfiguration", "The specified configuration does not exist." },
    { "inventory", "NoSuchConfiguration", "The specified configuration does not exist." },
    { "lifecycle", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist" },
    { "metadataConfiguration", "MetadataConfigurationNotFound", "The metadata configuration does not exist" },
    { "metadataTable", "MetadataConfigurationNotFound", "The metadata table configuration does not exist" },
    { "metrics", "NoSuchConfiguration", "The specified configuration does not exist." },
    { "policy", "NoSuchBucketPolicy", "The bucket policy does not exist" },
    { "policyStatus", "NoSuchBucketPolicy", "The bucket policy does not exist" },
    { "replication", "ReplicationConfigurationNotFoundError", "The replication configuration was not found" },
    { "website", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration" },
    { "object-lock", "ObjectLockConfigurationNotFoundError",
      "Object Lock configuration does not exist for this bucket" },
    { "publicAccessBlock", "NoSuchPublicAccessBlockConfiguration",
      "The public access block configuration was not found" },
    { "encryption", "ServerSideEncryptionConfigurationNotFoundError",
      "The server side encryption configuration was not found" },
    { "retention", "NoSuchObjectLockConfiguration",
      "The specified object does not have a ObjectLock configuration" },
    { "legal-hold", "NoSuchObjectLockConfiguration",
      "The specified object does not have a ObjectLock configuration" },
};

static struct err object_exists(const struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    TRY(view_open(req->options->store->meta, &view));
    return object_stat(view, req->bucket, req->key, NULL, &info);
}

static struct err exists(const struct s3_request *req)
{
    return req->level == LEVEL_OBJECT ? object_exists(req) : s3_bucket_exists(req);
}

struct err s3_get_no_configuration(struct s3_request *req)
{
    TRY(exists(req));
    for (size_t i = 0; i < sizeof(absents) / sizeof(absents[0]); i++) {
        if (!req->op->query[0] || !str_is(str_from_z(absents[i].query), req->op->query[0])) continue;
        req->error_code = absents[i].code;
        return FAIL(ERR_NO_SUCH_CONFIGURATION, absents[i].message);
    }
    return FAIL(ERR_NO_SUCH_CONFIGURATION, err_text(ERR_NO_SUCH_CONFIGURATION));
}

/* We have none: AWS' own answer since 2023 (SSE-S3 by default) would say that what is on our disk is encrypted. */
struct err s3_get_encryption(struct s3_request *req)
{
    return s3_get_no_configuration(req);
}

struct err s3_get_policy_status(struct s3_request *req)
{
    return s3_get_no_configuration(req);
}

/* ---- documents that say little ---- */

static struct err answer_fixed(struct s3_request *req, const char *root, const char *inside)
{
    struct xml *xml;

    TRY(exists(req));
    xml = xml_begin(req->arena, root, 64 * KIB);
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xml_raw(xml, inside);
    return s3_answer_document(req, xml);
}

struct err s3_get_versioning(struct s3_request *req)
{
    return answer_fixed(req, "VersioningConfiguration", "");
}

struct err s3_get_accelerate(struct s3_request *req)
{
    return answer_fixed(req, "AccelerateConfiguration", "");
}

struct err s3_get_logging(struct s3_request *req)
{
    return answer_fixed(req, "BucketLoggingStatus", "");
}

struct err s3_get_notification(struct s3_request *req)
{
    return answer_fixed(req, "NotificationConfiguration", "");
}

struct err s3_get_request_payment(struct s3_request *req)
{
    return answer_fixed(req, "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>");
}

/* ACLs are off, so the owner of the bucket owns all in it. */
struct err s3_get_ownership_controls(struct s3_request *req)
{
    return answer_fixed(req, "OwnershipControls",
                        "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>");
}

struct err s3_list_no_configurations(struct s3_request *req)
{
    static const struct {
        const char *query, *root;
    } lists[] = {
        { "analytics", "ListBucketAnalyticsConfigurationResult" },
        { "intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput" },
        { "inventory", "ListInventoryConfigurationsResult" },
        { "metrics", "ListMetricsConfigurationsResult" },
    };
    size_t i = 0;

    while (i < 3 && !str_is(str_from_z(lists[i].query), req->op->query[0])) i++;
    return answer_fixed(req, lists[i].root, "<IsTruncated>false</IsTruncated>");
}

/* ---- ACLs ---- */

static struct err answer_acl(struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct xml *xml = xml_begin(req->arena, "AccessControlPolicy", 64 * KIB);
    struct bucket_info bucket;

    TRY(view_open(req->options->store->meta, &view));
    TRY(bucket_get(view, req->bucket, NULL, &bucket));
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    s3_xml_owner(xml, "Owner", bucket.owner);
    xml_raw(
        xml,
        "<AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">");
    xml_text(xml, "ID", bucket.owner);
    xml_text(xml, "DisplayName", bucket.owner);
    xml_raw(xml, "</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>");
    return s3_answer_document(req, xml);
}

struct err s3_get_bucket_acl(struct s3_request *req)
{
    return answer_acl(req);
}

struct err s3_get_object_acl(struct s3_request *req)
{
    TRY(object_exists(req));
    return answer_acl(req);
}

/* With BucketOwnerEnforced, which is what we say of every bucket, AWS refuses this with these words. */
struct err s3_put_acl(struct s3_request *req)
{
    TRY(exists(req));
    return FAIL(ERR_ACL_NOT_SUPPORTED, err_text(ERR_ACL_NOT_SUPPORTED));
}
