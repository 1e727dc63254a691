/*
 * api_error.c - from our error codes to HTTP status and the exception names that clients know.
 *
 * Source: the REST specification's ErrorModel, and the names of the Java reference (catalog.md 1, 2.6). The statuses are a promise: 409 and other 4xx only when nothing was done,
 * 503 only before any change, 500 and 504 when it is not known. One row for every code of err.def.
 */
#include "server/api/api.h"

struct error_row {
    const char *type;
    int status;
};

/* clang-format off */
#define BAD { "BadRequestException", 400 }
#define BROKEN { "InternalServerError", 500 }
#define LATER { "ServiceUnavailableException", 503 }
#define WHO { "NotAuthorizedException", 401 }
static const struct error_row rows[] = {
    [ERR_OK] = BROKEN,
    [ERR_INVALID] = BAD,
    [ERR_NOT_FOUND] = { "NotFoundException", 404 },
    [ERR_EXISTS] = { "AlreadyExistsException", 409 },
    [ERR_CONFLICT] = { "CommitFailedException", 409 },
    [ERR_PRECONDITION] = { "PreconditionFailedException", 412 },
    [ERR_NOT_MODIFIED] = { "NotModified", 304 },
    [ERR_DENIED] = { "ForbiddenException", 403 },
    [ERR_IN_USE] = { "ForbiddenException", 403 },
    [ERR_UNSUPPORTED] = { "UnsupportedOperationException", 406 },
    [ERR_TOO_LARGE] = { "BadRequestException", 413 },
    [ERR_INTERNAL] = BROKEN, [ERR_IO] = BROKEN, [ERR_CORRUPT] = BROKEN,
    [ERR_NO_SPACE] = { "InsufficientStorageException", 507 },
    [ERR_NO_MEMORY] = LATER, [ERR_BUSY] = LATER, [ERR_UNAVAILABLE] = LATER, [ERR_CLOSED] = LATER,
    [ERR_OUTCOME_UNKNOWN] = { "CommitStateUnknownException", 500 },
    [ERR_NO_SUCH_BUCKET] = BAD, [ERR_NO_SUCH_KEY] = BAD, [ERR_NO_SUCH_VERSION] = BAD, [ERR_NO_SUCH_UPLOAD] = BAD,
    [ERR_NO_SUCH_CONFIGURATION] = BAD, [ERR_BUCKET_OWNED_BY_YOU] = BAD, [ERR_BUCKET_NOT_EMPTY] = BAD,
    [ERR_INVALID_BUCKET_NAME] = BAD, [ERR_KEY_TOO_LONG] = BAD, [ERR_INVALID_URI] = BAD, [ERR_INVALID_ARGUMENT] = BAD,
    [ERR_INVALID_RANGE] = BAD, [ERR_INVALID_PART] = BAD, [ERR_INVALID_PART_NUMBER] = BAD, [ERR_INVALID_PART_ORDER] = BAD,
    [ERR_ENTITY_TOO_SMALL] = BAD, [ERR_ENTITY_TOO_LARGE] = BAD, [ERR_INCOMPLETE_BODY] = BAD,
    [ERR_MISSING_CONTENT_LENGTH] = BAD, [ERR_BAD_DIGEST] = BAD, [ERR_INVALID_DIGEST] = BAD, [ERR_CHECKSUM_MISMATCH] = BAD,
    [ERR_CONTENT_SHA256_MISMATCH] = BAD, [ERR_MALFORMED_XML] = BAD, [ERR_INVALID_TAG] = BAD, [ERR_METADATA_TOO_LARGE] = BAD,
    [ERR_METHOD_NOT_ALLOWED] = { "MethodNotAllowedException", 405 },
    [ERR_ILLEGAL_LOCATION] = BAD, [ERR_INVALID_REQUEST] = BAD, [ERR_ACL_NOT_SUPPORTED] = BAD, [ERR_REQUEST_TIMEOUT] = BAD,
    [ERR_NO_CREDENTIALS] = WHO, [ERR_INVALID_ACCESS_KEY] = WHO, [ERR_SIGNATURE_MISMATCH] = WHO,
    [ERR_AUTH_HEADER_MALFORMED] = WHO, [ERR_AUTH_QUERY_INVALID] = WHO, [ERR_REQUEST_EXPIRED] = WHO, [ERR_CLOCK_SKEWED] = WHO,
    [ERR_INVALID_TOKEN] = WHO, [ERR_EXPIRED_TOKEN] = WHO, [ERR_UNAUTHENTICATED] = WHO, [ERR_BAD_CLIENT] = WHO,
    [ERR_BAD_SCOPE] = BAD, [ERR_BAD_GRANT] = BAD,
    [ERR_NO_SUCH_WAREHOUSE] = { "NoSuchWarehouseException", 404 },
    [ERR_NO_SUCH_NAMESPACE] = { "NoSuchNamespaceException", 404 },
    [ERR_NO_SUCH_TABLE] = { "NoSuchTableException", 404 },
    [ERR_NO_SUCH_VIEW] = { "NoSuchViewException", 404 },
    [ERR_NAMESPACE_EXISTS] = { "AlreadyExistsException", 409 },
    [ERR_TABLE_EXISTS] = { "AlreadyExistsException", 409 },
    [ERR_VIEW_EXISTS] = { "AlreadyExistsException", 409 },
    [ERR_NAMESPACE_NOT_EMPTY] = { "NamespaceNotEmptyException", 409 },
    [ERR_COMMIT_FAILED] = { "CommitFailedException", 409 },
    [ERR_UNPROCESSABLE] = { "UnprocessableEntityException", 422 },
    [ERR_LOCATION_TAKEN] = { "AlreadyExistsException", 409 },
};
/* clang-format on */
_Static_assert(sizeof(rows) / sizeof(rows[0]) == ERR_CODE_COUNT, "a row for every error code");

/* Clients get no paths and no system texts of the machine's own failures. */
static struct str public_text(struct err e, int status)
{
    if (status == 500 && e.code != ERR_OUTCOME_UNKNOWN) return STR("Internal server error");
    if (status == 403) return STR("Principal is not authorized for this operation");
    return str_from_z(e.why ? e.why : err_text(e.code));
}

void api_answer_error_as(struct http_request *http, int status, const char *type, struct str said)
{
    json_t *error = json_pack("{s:{s:o, s:s, s:i}}", "error", "message", json_of_str(said), "type", type,
                              "code", status);
    api_answer_json(http, status, error);
}

void api_answer_error(struct http_request *http, struct err e)
{
    const struct error_row *row = rows[e.code].type ? &rows[e.code] : &rows[ERR_INTERNAL];

    if (row->status == 503) http_set(http, "Retry-After", STR("1"));
    if (row->status == 401) http_set(http, "WWW-Authenticate", STR("Bearer realm=\"firn\""));
    if (row->status == 304 || http->method == HTTP_HEAD) api_answer_empty(http, row->status);
    else api_answer_error_as(http, row->status, row->type, public_text(e, row->status));
}
