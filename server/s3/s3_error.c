/*
 * s3_error.c - from our error codes to S3's, and the error document.
 *
 * Sources: AWS "Error responses"; s3.md 27. One row for every code of err.def, held by a static assertion. Codes of the catalog never
 * arise behind this edge; they answer InternalError so that a mistake is seen.
 */
#include "server/s3/s3.h"

#include "server/s3/s3_ops.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"

/* clang-format off */
static const struct s3_error_row rows[] = {
    [ERR_OK] = { "InternalError", 500 },
    [ERR_INVALID] = { "InvalidRequest", 400 },
    [ERR_NOT_FOUND] = { "NoSuchKey", 404 },
    [ERR_EXISTS] = { "BucketAlreadyExists", 409 },
    [ERR_CONFLICT] = { "OperationAborted", 409 },
    [ERR_PRECONDITION] = { "PreconditionFailed", 412 },
    [ERR_NOT_MODIFIED] = { "NotModified", 304 },
    [ERR_DENIED] = { "AccessDenied", 403 },
    [ERR_UNSUPPORTED] = { "NotImplemented", 501 },
    [ERR_TOO_LARGE] = { "MaxMessageLengthExceeded", 400 },
    [ERR_INTERNAL] = { "InternalError", 500 },
    [ERR_IO] = { "InternalError", 500 },
    [ERR_CORRUPT] = { "InternalError", 500 },
    [ERR_NO_SPACE] = { "InsufficientStorage", 507 },
    [ERR_NO_MEMORY] = { "SlowDown", 503 },
    [ERR_BUSY] = { "SlowDown", 503 },
    [ERR_UNAVAILABLE] = { "ServiceUnavailable", 503 },
    [ERR_OUTCOME_UNKNOWN] = { "InternalError", 500 },
    [ERR_CLOSED] = { "ServiceUnavailable", 503 },
    [ERR_IN_USE] = { "AccessDenied", 403 },
    [ERR_NO_SUCH_BUCKET] = { "NoSuchBucket", 404 },
    [ERR_NO_SUCH_KEY] = { "NoSuchKey", 404 },
    [ERR_NO_SUCH_VERSION] = { "NoSuchVersion", 404 },
    [ERR_NO_SUCH_UPLOAD] = { "NoSuchUpload", 404 },
    [ERR_NO_SUCH_CONFIGURATION] = { "NoSuchConfiguration", 404 },
    [ERR_BUCKET_OWNED_BY_YOU] = { "BucketAlreadyOwnedByYou", 409 },
    [ERR_BUCKET_NOT_EMPTY] = { "BucketNotEmpty", 409 },
    [ERR_INVALID_BUCKET_NAME] = { "InvalidBucketName", 400 },
    [ERR_KEY_TOO_LONG] = { "KeyTooLongError", 400 },
    [ERR_INVALID_URI] = { "InvalidURI", 400 },
    [ERR_INVALID_ARGUMENT] = { "InvalidArgument", 400 },
    [ERR_INVALID_RANGE] = { "InvalidRange", 416 },
    [ERR_INVALID_PART] = { "InvalidPart", 400 },
    [ERR_INVALID_PART_NUMBER] = { "InvalidPartNumber", 416 },
    [ERR_INVALID_PART_ORDER] = { "InvalidPartOrder", 400 },
    [ERR_ENTITY_TOO_SMALL] = { "EntityTooSmall", 400 },
    [ERR_ENTITY_TOO_LARGE] = { "EntityTooLarge", 400 },
    [ERR_INCOMPLETE_BODY] = { "IncompleteBody", 400 },
    [ERR_MISSING_CONTENT_LENGTH] = { "MissingContentLength", 411 },
    [ERR_BAD_DIGEST] = { "BadDigest", 400 },
    [ERR_INVALID_DIGEST] = { "InvalidDigest", 400 },
    [ERR_CHECKSUM_MISMATCH] = { "BadDigest", 400 },
    [ERR_CONTENT_SHA256_MISMATCH] = { "XAmzContentSHA256Mismatch", 400 },
    [ERR_MALFORMED_XML] = { "MalformedXML", 400 },
    [ERR_INVALID_TAG] = { "InvalidTag", 400 },
    [ERR_METADATA_TOO_LARGE] = { "MetadataTooLarge", 400 },
    [ERR_METHOD_NOT_ALLOWED] = { "MethodNotAllowed", 405 },
    [ERR_ILLEGAL_LOCATION] = { "InvalidLocationConstraint", 400 },
    [ERR_INVALID_REQUEST] = { "InvalidRequest", 400 },
    [ERR_ACL_NOT_SUPPORTED] = { "AccessControlListNotSupported", 400 },
    [ERR_REQUEST_TIMEOUT] = { "RequestTimeout", 400 },
    [ERR_NO_CREDENTIALS] = { "AccessDenied", 403 },
    [ERR_INVALID_ACCESS_KEY] = { "InvalidAccessKeyId", 403 },
    [ERR_SIGNATURE_MISMATCH] = { "SignatureDoesNotMatch", 403 },
    [ERR_AUTH_HEADER_MALFORMED] = { "AuthorizationHeaderMalformed", 400 },
    [ERR_AUTH_QUERY_INVALID] = { "AuthorizationQueryParametersError", 400 },
    [ERR_REQUEST_EXPIRED] = { "AccessDenied", 403 },
    [ERR_CLOCK_SKEWED] = { "RequestTimeTooSkewed", 403 },
    [ERR_INVALID_TOKEN] = { "InvalidToken", 403 },
    [ERR_EXPIRED_TOKEN] = { "ExpiredToken", 400 },
    [ERR_UNAUTHENTICATED] = { "AccessDenied", 403 },
    [ERR_BAD_CLIENT] = { "AccessDenied", 403 },
    [ERR_BAD_SCOPE] = { "AccessDenied", 403 },
    [ERR_BAD_GRANT] = { "AccessDenied", 403 },
    [ERR_NO_SUCH_WAREHOUSE] = { "InternalError", 500 },
    [ERR_NO_SUCH_NAMESPACE] = { "InternalError", 500 },
    [ERR_NO_SUCH_TABLE] = { "InternalError", 500 },
    [ERR_NO_SUCH_VIEW] = { "InternalError", 500 },
    [ERR_NAMESPACE_EXISTS] = { "InternalError", 500 },
    [ERR_TABLE_EXISTS] = { "InternalError", 500 },
    [ERR_VIEW_EXISTS] = { "InternalError", 500 },
    [ERR_NAMESPACE_NOT_EMPTY] = { "InternalError", 500 },
    [ERR_COMMIT_FAILED] = { "InternalError", 500 },
    [ERR_UNPROCESSABLE] = { "InternalError", 500 },
    [ERR_LOCATION_TAKEN] = { "InternalError", 500 },
};
/* clang-format on */
_Static_assert(sizeof(rows) / sizeof(rows[0]) == ERR_CODE_COUNT, "a row for every error code");

const struct s3_error_row *s3_error_row(enum err_code code)
{
    return rows[code].code ? &rows[code] : &rows[ERR_INTERNAL];
}

/* Can XML 1.0 hold it at all? A key with other bytes is left out: an error document that cannot be read tells nothing. */
static bool is_xml_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if ((unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    }
    return str_is_utf8(text);
}

static void element(struct buf *out, const char *name, struct str text)
{
    if (!is_xml_text(text)) return;
    buf_printf(out, "<%s>", name);
    xml_escape_to(out, text);
    buf_printf(out, "</%s>", name);
}

struct str s3_error_text(struct err e)
{
    if (e.code == ERR_DENIED) return STR("Access Denied");
    if (e.code == ERR_IO || e.code == ERR_CORRUPT || e.code == ERR_INTERNAL)
        return STR("We encountered an internal error. Please try again.");
    if (e.code == ERR_BUSY || e.code == ERR_NO_MEMORY) return STR("Please reduce your request rate.");
    return str_from_z(e.why ? e.why : err_text(e.code));
}

static void signature_elements(struct buf *out, const struct s3_auth *auth)
{
    element(out, "AWSAccessKeyId", auth->access_key);
    element(out, "StringToSign", auth->string_to_sign);
    element(out, "SignatureProvided", auth->signature_provided);
    element(out, "CanonicalRequest", auth->canonical_request);
}

/* A condition's sentence ends with its header's name (conditions.c). s3fs looks for the element. */
static void condition_element(struct buf *out, struct err e)
{
    const struct str why = str_from_z(e.why);
    const struct str name = str_trim(str_from(why, str_rfind_char(why, ':') + 1));

    if (str_starts(name, STR("If-"))) element(out, "Condition", name);
}

static void code_elements(struct buf *out, const struct s3_request *req, struct err e)
{
    const enum err_code code = e.code;
    char now[CLOCK_ISO_SIZE];

    if (code == ERR_SIGNATURE_MISMATCH && req->auth.string_to_sign.data) signature_elements(out, &req->auth);
    if (code == ERR_PRECONDITION) condition_element(out, e);
    if (code == ERR_INVALID_ACCESS_KEY) element(out, "AWSAccessKeyId", req->auth.access_key);
    if (code == ERR_AUTH_HEADER_MALFORMED && req->options->region.len)
        element(out, "Region", req->options->region);
    if (code == ERR_INVALID_RANGE && req->has_object_size) {
        element(out, "RangeRequested", http_header(req->http, "range"));
        buf_printf(out, "<ActualObjectSize>%llu</ActualObjectSize>", (unsigned long long)req->object_size);
    }
    if (code == ERR_CLOCK_SKEWED) {
        clock_iso(clock_now_ms(), now);
        element(out, "ServerTime", str_from_z(now));
        element(out, "MaxAllowedSkewMilliseconds", STR("900000"));
    }
}

static void print_error(struct buf *out, const struct s3_request *req, struct err e,
                        const struct s3_error_row *row)
{
    buf_z(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(out, "Code", str_from_z(row->code));
    element(out, "Message", s3_error_text(e));
    if (req->key.len) element(out, "Key", req->key);
    if (req->bucket.len) element(out, "BucketName", req->bucket);
    code_elements(out, req, e);
    element(out, "Resource", req->http->raw_path);
    element(out, "RequestId", str_from_z(req->http->id));
    element(out, "HostId", str_from_z(req->http->id));
    buf_z(out, "</Error>");
}

static void error_headers(struct s3_request *req, struct err e, int status)
{
    if (status == 503) http_set(req->http, "Retry-After", STR("1"));
    if (e.code == ERR_METHOD_NOT_ALLOWED) http_set(req->http, "Allow", STR("GET, HEAD, PUT, POST, DELETE"));
}

void s3_answer_error(struct s3_request *req, struct err e)
{
    const struct s3_error_row *row = s3_error_row(e.code);
    const char *code = req->error_code ? req->error_code : row->code;
    const struct s3_error_row shown = { code, row->status };
    struct buf out;

    if (e.code == ERR_IN_USE) METRIC_ADD(guard_refusals, 1);
    err_ignore(err_keep(e, req->failure, sizeof(req->failure)));
    error_headers(req, e, row->status);
    if (row->status == 304) {
        http_answer(req->http, 304, STR(""));
        return;
    }
    buf_init(&out, 64 * KIB);
    print_error(&out, req, e, &shown);
    const struct str document = buf_err(&out).code == ERR_OK ? arena_str(req->arena, buf_view(&out))
                                                             : STR_NONE;
    buf_done(&out);
    http_set(req->http, "Content-Type", STR("application/xml"));
    http_answer(req->http, row->status, req->http->method == HTTP_HEAD ? STR("") : document);
}
