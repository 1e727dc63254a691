/*
 * s3_auth.c - from the head of a request to its caller.
 *
 *   which form -> what it claims -> whose key that is -> is the signature right -> what kind of body follows
 *
 * There is no way past: a request that says anything of a signature is either right or refused, and only one that says nothing at all is
 * anonymous. How the body is encoded is read last and decides nothing before it (the classic hole: A1, A2, A6 of reliability.md).
 */
#include "server/auth/s3_auth.h"

#include <string.h>

#include "admin/iam/session_token.h"
#include "server/auth/sigv4.h"
#include "storage/base/encode.h"

enum auth_form { FORM_ANONYMOUS, FORM_V4_HEADER, FORM_V4_QUERY, FORM_V2_HEADER, FORM_V2_QUERY };

/* ---- which form ---- */

static const char *const v4_parameters[] = { "X-Amz-Signature",     "X-Amz-Credential", "X-Amz-Algorithm",
                                             "X-Amz-SignedHeaders", "X-Amz-Expires",    NULL };
static const char *const v2_parameters[] = { "AWSAccessKeyId", "Signature", NULL };

static bool has_any(const struct http_request *req, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        if (http_has_query(req, names[i])) return true;
    }
    return false;
}

static struct err form_of_header(struct str authorization, enum auth_form *ret)
{
    if (str_starts(authorization, STR("AWS4-HMAC-SHA256 "))) *ret = FORM_V4_HEADER;
    else if (str_starts(authorization, STR("AWS "))) *ret = FORM_V2_HEADER;
    else return FAIL(ERR_INVALID_ARGUMENT, "Unsupported Authorization Type");
    return OK;
}

static struct err find_form(const struct http_request *req, enum auth_form *ret)
{
    const size_t headers = http_header_repeats(req, "authorization");
    const bool has_v4 = has_any(req, v4_parameters), has_v2 = has_any(req, v2_parameters);

    if (headers > 1) return FAIL(ERR_AUTH_HEADER_MALFORMED, "the Authorization header is given twice");
    if ((headers == 1) + has_v4 + has_v2 > 1)
        return FAIL(
            ERR_INVALID_ARGUMENT,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
            "string parameter or the Authorization header should be specified");
    if (headers) return form_of_header(http_header(req, "authorization"), ret);
    *ret = has_v4 ? FORM_V4_QUERY : has_v2 ? FORM_V2_QUERY : FORM_ANONYMOUS;
    return OK;
}

/* ---- whose key ---- */

/* In a header, or in the query of a presigned request: there SigV2 writes it in lower case. */
static struct err find_token(const struct http_request *req, struct str *ret)
{
    struct str token = http_header(req, "x-amz-security-token");
    size_t count = http_header_repeats(req, "x-amz-security-token");

    for (size_t i = 0; i < req->query_count; i++) {
        if (!str_is_nocase(req->query[i].name, "x-amz-security-token")) continue;
        token = req->query[i].value;
        count++;
    }
    if (count > 1) return FAIL(ERR_INVALID_TOKEN, "two session tokens");
    *ret = token;
    return OK;
}

/* The caller is handed out only when the signature is right: until then it is a claim. */
static struct err find_caller(const struct s3_auth_options *o, const struct http_request *req,
                              struct str access_key, struct caller *ret, struct secrets *ret_secrets)
{
    const struct directory *d;
    struct str token;

    TRY(iam_directory(o->iam, req->arena, &d));
    TRY(find_token(req, &token));
    if (!token.len) {
        *ret = caller_of_principal(directory_find_key(d, access_key, ret_secrets));
        return ret->principal ? OK : FAIL(ERR_INVALID_ACCESS_KEY, err_text(ERR_INVALID_ACCESS_KEY));
    }
    struct session_scope *scope = arena_new_of(req->arena, struct session_scope);
    if (!scope) return no_memory();
    ret_secrets->count = 1;
    return vended_check(o->iam, access_key, token, req->arena, &ret_secrets->items[0], scope, ret);
}

/* ---- what kind of body ---- */

static const struct {
    const char *text;
    enum payload_kind kind;
    bool is_offered;
} payloads[] = {
    { "UNSIGNED-PAYLOAD", PAYLOAD_UNSIGNED, true },
    { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", PAYLOAD_CHUNKED_UNSIGNED_TRAILER, true },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PAYLOAD_CHUNKED_SIGNED, true },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PAYLOAD_CHUNKED_SIGNED_TRAILER, true },
    { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", PAYLOAD_UNSIGNED, false },
    { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", PAYLOAD_UNSIGNED, false },
};

static struct err read_payload(struct str text, struct s3_auth *auth)
{
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        if (!str_is(text, payloads[i].text)) continue;
        if (!payloads[i].is_offered)
            return FAIL(ERR_UNSUPPORTED, "ECDSA signatures (SigV4A) are not implemented here.");
        auth->payload = payloads[i].kind;
        return OK;
    }
    if (!hex_from(text, auth->payload_sha256, sizeof(auth->payload_sha256)))
        return FAIL(
            ERR_INVALID_ARGUMENT,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.");
    auth->payload = PAYLOAD_SHA256;
    return OK;
}

/* What x-amz-content-sha256 says; otherwise: what it is without that header. */
static struct err payload_text(const struct http_request *req, struct str otherwise, struct str *ret)
{
    const size_t count = http_header_repeats(req, "x-amz-content-sha256");

    if (count > 1) return FAIL(ERR_INVALID_ARGUMENT, "x-amz-content-sha256 is given twice");
    *ret = count ? http_header(req, "x-amz-content-sha256") : otherwise;
    return ret->len
        ? OK
        : FAIL(ERR_INVALID_REQUEST, "Missing required header for this request: x-amz-content-sha256");
}

/* Chunk signatures go on from that of the head, which must then be SigV4's. */
static struct err read_plain_payload(const struct http_request *req, struct s3_auth *auth)
{
    struct str text;

    TRY(payload_text(req, STR("UNSIGNED-PAYLOAD"), &text));
    TRY(read_payload(text, auth));
    if (auth->payload == PAYLOAD_CHUNKED_SIGNED || auth->payload == PAYLOAD_CHUNKED_SIGNED_TRAILER)
        return FAIL(ERR_INVALID_REQUEST, "signed chunks need a request signed with AWS4-HMAC-SHA256");
    return OK;
}

/* ---- the forms ---- */

static struct err verify_v4(const struct s3_auth_options *o, const struct http_request *req,
                            enum auth_form form, struct s3_auth *auth)
{
    struct sigv4_claim claim;
    struct caller caller = { .principal = NULL };
    struct secrets secrets = { .count = 0 };
    struct str payload, in_query = STR("UNSIGNED-PAYLOAD");
    struct err e = OK;

    if (form == FORM_V4_HEADER) TRY(sigv4_read_header(o, req, http_header(req, "authorization"), &claim));
    else TRY(sigv4_read_query(o, req, &claim));
    auth->access_key = claim.access_key;
    if (http_has_query(req, "X-Amz-Content-Sha256")) in_query = http_query(req, "X-Amz-Content-Sha256");
    TRY(payload_text(req, form == FORM_V4_HEADER ? STR_NONE : in_query, &payload));
    TRY(find_caller(o, req, claim.access_key, &caller, &secrets));
    /* The secret before a rotation still signs. */
    for (size_t i = 0; i < secrets.count; i++) {
        e = sigv4_verify(o, req, &claim, payload, secrets.items[i], auth);
        if (e.code != ERR_SIGNATURE_MISMATCH) break;
    }
    TRY(e);
    TRY(read_payload(payload, auth));
    auth->caller = caller;
    return OK;
}

static struct err verify_v2(const struct s3_auth_options *o, const struct http_request *req,
                            enum auth_form form, struct s3_auth *auth)
{
    struct sigv2_claim claim;
    struct caller caller = { .principal = NULL };
    struct secrets secrets = { .count = 0 };
    struct err e = OK;

    if (form == FORM_V2_HEADER) TRY(sigv2_read_header(req, http_header(req, "authorization"), &claim));
    else TRY(sigv2_read_query(req, &claim));
    auth->access_key = claim.access_key;
    TRY(find_caller(o, req, claim.access_key, &caller, &secrets));
    for (size_t i = 0; i < secrets.count; i++) {
        e = sigv2_verify(o, req, &claim, secrets.items[i], auth);
        if (e.code != ERR_SIGNATURE_MISMATCH) break;
    }
    TRY(e);
    TRY(read_plain_payload(req, auth));
    auth->caller = caller;
    return OK;
}

static struct err be_anonymous(const struct s3_auth_options *o, const struct http_request *req,
                               struct s3_auth *auth)
{
    const struct directory *d;

    TRY(iam_directory(o->iam, req->arena, &d));
    TRY(read_plain_payload(req, auth));
    auth->caller = caller_of_principal(directory_anonymous(d));
    auth->caller.is_anonymous = true;
    return OK;
}

struct err s3_auth_verify(const struct s3_auth_options *o, struct http_request *req, struct s3_auth *ret)
{
    enum auth_form form = FORM_ANONYMOUS;

    *ret = (struct s3_auth){ .payload = PAYLOAD_UNSIGNED };
    if (req->is_path_bad || req->is_query_bad) return FAIL(ERR_INVALID_URI, err_text(ERR_INVALID_URI));
    TRY(find_form(req, &form));
    if (form == FORM_ANONYMOUS) return be_anonymous(o, req, ret);
    ret->is_presigned = form == FORM_V4_QUERY || form == FORM_V2_QUERY;
    if (form == FORM_V4_HEADER || form == FORM_V4_QUERY) TRY(verify_v4(o, req, form, ret));
    else TRY(verify_v2(o, req, form, ret));
    ret->is_signed = true;
    return OK;
}
