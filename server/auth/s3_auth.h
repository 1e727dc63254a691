/*
 * s3_auth.h - who signed an S3 request: SigV4 (header, presigned, the streaming forms), SigV2 (presigned and header).
 *
 * Sources: AWS "Authenticating Requests (AWS Signature Version 4)"; s3.md 2.1; attack cases A of reliability.md. Every decision is of this request alone: nothing is remembered from
 * earlier ones on the connection but derived keys.
 */
#ifndef SERVER_AUTH_S3_AUTH_H
#define SERVER_AUTH_S3_AUTH_H

#include "admin/iam/access.h"
#include "server/http/http.h"
#include "storage/base/digest.h"

struct s3_auth_options {
    const struct iam *iam;
    struct str region;         /* empty: any */
    struct str external_hosts; /* comma-separated Host values that a proxy replaced: tried after the Host as received */
    struct str virtual_bucket; /* the bucket that the Host names; empty in path style. SigV2 signs it, and not the Host */
};

enum payload_kind {
    PAYLOAD_UNSIGNED,         /* UNSIGNED-PAYLOAD, presigned, SigV2, anonymous */
    PAYLOAD_SHA256,           /* hex digest of the whole body */
    PAYLOAD_CHUNKED_SIGNED,   /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    PAYLOAD_CHUNKED_SIGNED_TRAILER,
    PAYLOAD_CHUNKED_UNSIGNED_TRAILER,
};

struct s3_auth {
    struct caller caller;
    enum payload_kind payload;
    uint8_t payload_sha256[32];   /* PAYLOAD_SHA256 */
    bool is_presigned;
    bool is_signed;               /* false: anonymous */
    struct str access_key;
    /* for chunk signatures: */
    uint8_t signing_key[32];
    uint8_t seed_signature[32];
    struct str amz_date, scope;   /* "20261121T093000Z", "20261121/us-east-1/s3/aws4_request" */
    /* for the error document of ERR_SIGNATURE_MISMATCH: */
    struct str canonical_request, string_to_sign, signature_provided;
};

/* Verify the head of a request. Anonymous requests succeed with caller.principal = iam_anonymous (or NULL) and is_signed false. Errors: ERR_INVALID_ACCESS_KEY, ERR_SIGNATURE_MISMATCH (the
 * last three fields are set), ERR_AUTH_HEADER_MALFORMED, ERR_AUTH_QUERY_INVALID, ERR_REQUEST_EXPIRED, ERR_CLOCK_SKEWED, ERR_INVALID_TOKEN, ERR_EXPIRED_TOKEN, ERR_INVALID_ARGUMENT (payload hash), ERR_INVALID_REQUEST, ERR_DENIED. */
struct err s3_auth_verify(const struct s3_auth_options *o, struct http_request *req, struct s3_auth *ret);

#endif
