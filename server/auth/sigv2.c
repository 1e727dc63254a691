/*
 * sigv2.c - the old signature: HMAC-SHA1 over a few things of the request. boto3's presigned URLs, s3cmd and older tools still use it (clients.md).
 *
 *   METHOD \n Content-MD5 \n Content-Type \n Date or Expires \n  x-amz-name:value \n (each, sorted)  /bucket/path ?subresources
 *
 * It does not sign the Host, the region or most of the query. So everything in the query that changes what is done must be among the
 * subresources below, and the bucket comes from the edge, which knows whether a Host names one.
 */
#include "server/auth/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define SHA1_BLOCK 64
#define SHA1_LEN 20

/* Those of AWS' documentation and of botocore. Sorted. */
static const char *const subresources[] = {
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

/* ---- HMAC-SHA1 (RFC 2104) ---- */

/* SHA-1 of key ^ pad, then data. */
static struct err hmac_pass(const uint8_t key[SHA1_BLOCK], uint8_t pad, struct str data,
                            uint8_t out[SHA1_LEN])
{
    uint8_t block[SHA1_BLOCK];
    struct digest d;

    TRY(digest_init(&d, DIGEST_SHA1));
    for (size_t i = 0; i < SHA1_BLOCK; i++) block[i] = key[i] ^ pad;
    digest_update(&d, block, sizeof(block));
    digest_update(&d, data.data, data.len);
    const struct digest_value sum = digest_final(&d);
    digest_done(&d);
    bytes_wipe(block, sizeof(block));
    memcpy(out, sum.bytes, SHA1_LEN);
    return OK;
}

static struct err hmac_sha1(struct str secret, struct str message, uint8_t out[SHA1_LEN])
{
    uint8_t key[SHA1_BLOCK] = { 0 }, inner[SHA1_LEN];

    if (secret.len > SHA1_BLOCK) {
        const struct digest_value sum = digest_of(DIGEST_SHA1, secret.data, secret.len);
        memcpy(key, sum.bytes, sum.len);
    } else {
        memcpy(key, secret.data, secret.len);
    }
    struct err e = hmac_pass(key, 0x36, message, inner);
    if (e.code == ERR_OK) e = hmac_pass(key, 0x5c, str_of(inner, sizeof(inner)), out);
    bytes_wipe(key, sizeof(key));
    return e;
}

/* ---- the claim ---- */

struct err sigv2_read_header(const struct http_request *req, struct str authorization,
                             struct sigv2_claim *ret)
{
    const struct str text = str_trim(str_from(authorization, sizeof("AWS") - 1));
    const size_t colon = str_rfind_char(text, ':');
    const char *const name = http_has_header(req, "x-amz-date") ? "x-amz-date" : "date";
    int64_t ms;

    if (colon == 0 || colon + 1 >= text.len || colon > LIMIT_CREDENTIAL)
        return FAIL(ERR_AUTH_HEADER_MALFORMED,
                    "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature");
    if (http_header_repeats(req, name) != 1 || !auth_read_date(http_header(req, name), &ms))
        return FAIL(ERR_DENIED, "AWS authentication requires a valid Date or x-amz-date header");
    TRY(auth_check_time(ms));
    *ret = (struct sigv2_claim){ .access_key = str_slice(text, 0, colon),
                                 .signature = str_from(text, colon + 1) };
    return OK;
}

struct err sigv2_read_query(const struct http_request *req, struct sigv2_claim *ret)
{
    struct sigv2_claim c = { .is_query = true };
    struct str expires;
    uint64_t seconds;

    /* As for SigV4: a claim without a signature is refused as such. */
    if (!http_has_query(req, "Signature")) return FAIL(ERR_DENIED, "credentials without a signature");
    TRY(auth_query_once(req, "AWSAccessKeyId", &c.access_key));
    TRY(auth_query_once(req, "Signature", &c.signature));
    TRY(auth_query_once(req, "Expires", &expires));
    if (c.access_key.len > LIMIT_CREDENTIAL)
        return FAIL(ERR_INVALID_ACCESS_KEY, err_text(ERR_INVALID_ACCESS_KEY));
    if (!str_to_u64(expires, &seconds))
        return FAIL(ERR_DENIED, "Invalid date (should be seconds since epoch)");
    if ((uint64_t)(clock_now_ms() / 1000) > seconds)
        return FAIL(ERR_REQUEST_EXPIRED, err_text(ERR_REQUEST_EXPIRED));
    *ret = c;
    return OK;
}

/* ---- the string to sign ---- */

/* A presigned request may carry in its query what was a header when it was signed; a header counts before it. */
static struct str header_or_query(const struct http_request *req, const char *name, bool is_query)
{
    if (http_has_header(req, name) || !is_query) return http_header(req, name);
    for (size_t i = 0; i < req->query_count; i++) {
        if (str_is_nocase(req->query[i].name, name)) return req->query[i].value;
    }
    return STR_NONE;
}

static struct str date_line(const struct http_request *req, bool is_query)
{
    if (is_query) return http_query(req, "Expires");
    return http_has_header(req, "x-amz-date") ? STR_NONE : http_header(req, "date");
}

struct named {
    struct str name, value;
    size_t order;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int order = str_cmp(x->name, y->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct str lowered(struct arena *arena, struct str s)
{
    char *text = arena_z(arena, s);

    for (size_t i = 0; text && i < s.len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] - 'A' + 'a');
    }
    return str_of(text, s.len);
}

static bool is_amz(struct str name)
{
    return str_eq_nocase(str_slice(name, 0, 6), STR("x-amz-"));
}

/* The x-amz-* headers, and of a presigned request the parameters of such names. */
static struct err put_amz_headers(const struct http_request *req, bool is_query, struct buf *out)
{
    struct named *found = arena_array(req->arena, struct named, req->header_count + req->query_count + 1);
    size_t count = 0;

    if (!found) return no_memory();
    for (size_t i = 0; i < req->header_count; i++) {
        if (is_amz(req->headers[i].name))
            found[count++] = (struct named){ req->headers[i].name, req->headers[i].value, i };
    }
    for (size_t i = 0; is_query && i < req->query_count; i++) {
        if (!is_amz(req->query[i].name)) continue;
        const struct str name = lowered(req->arena, req->query[i].name);
        if (!name.data) return no_memory();
        found[count++] = (struct named){ name, req->query[i].value, req->header_count + i };
    }
    qsort(found, count, sizeof(*found), by_name);
    for (size_t i = 0; i < count; i++) {
        const bool is_same = i && str_eq(found[i - 1].name, found[i].name);
        if (i) buf_char(out, is_same ? ',' : '\n');
        if (!is_same) buf_str(out, found[i].name);
        if (!is_same) buf_char(out, ':');
        buf_str(out, str_trim(found[i].value));
    }
    if (count) buf_char(out, '\n');
    return OK;
}

static bool is_subresource(struct str name)
{
    for (size_t i = 0; i < sizeof(subresources) / sizeof(subresources[0]); i++) {
        if (str_is(name, subresources[i])) return true;
    }
    return false;
}

/* Values stand in the string to sign decoded, so "1&uploadId=U" as one value would read like two parameters, and a line feed like the end of
 * a line: a URL could be rewritten into another operation under the same signature. */
static bool is_ambiguous(struct str value)
{
    const size_t first = str_find_char(value, '&');
    struct str piece, name;

    if (str_find_char(value, '\n') < value.len) return true;
    if (first == value.len) return false;
    for (struct str_split it = str_split_on(str_from(value, first + 1), '&'); str_split_next(&it, &piece);) {
        (void)str_cut(piece, '=', &name);
        if (is_subresource(name)) return true;
    }
    return false;
}

static struct err check_query(const struct http_request *req)
{
    for (size_t i = 0; i < req->query_count; i++) {
        const struct http_pair *p = &req->query[i];
        const bool is_signed = is_subresource(p->name) || is_amz(p->name)
            || str_is_nocase(p->name, "content-type") || str_is_nocase(p->name, "content-md5");
        if (is_signed && is_ambiguous(p->value))
            return FAIL(ERR_INVALID_REQUEST, "a query value may be read in two ways under SigV2");
    }
    return OK;
}

static struct err put_subresources(const struct http_request *req, struct buf *out)
{
    struct named *found = arena_array(req->arena, struct named, req->query_count + 1);
    size_t count = 0;

    if (!found) return no_memory();
    for (size_t i = 0; i < req->query_count; i++) {
        const struct http_pair *p = &req->query[i];
        if (!is_subresource(p->name)) continue;
        found[count++] = (struct named){ p->name, p->has_equals ? p->value : STR_NONE, i };
    }
    qsort(found, count, sizeof(*found), by_name);
    for (size_t i = 0; i < count; i++) {
        buf_char(out, i ? '&' : '?');
        buf_str(out, found[i].name);
        if (found[i].value.data) buf_char(out, '=');
        buf_str(out, found[i].value);
    }
    return OK;
}

static struct err put_string_to_sign(const struct s3_auth_options *o, const struct http_request *req,
                                     bool is_query, struct str path, struct buf *out)
{
    const struct str lines[] = { req->method_name, header_or_query(req, "content-md5", is_query),
                                 header_or_query(req, "content-type", is_query), date_line(req, is_query) };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        buf_str(out, lines[i]);
        buf_char(out, '\n');
    }
    TRY(put_amz_headers(req, is_query, out));
    if (o->virtual_bucket.len) {
        buf_char(out, '/');
        buf_str(out, o->virtual_bucket);
    }
    buf_str(out, path);
    TRY(put_subresources(req, out));
    return buf_err(out);
}

/* ---- the comparison ---- */

static struct err try_path(const struct s3_auth_options *o, const struct http_request *req,
                           const struct sigv2_claim *claim, struct str path, struct str secret,
                           struct str *ret_text, bool *ret_is_right)
{
    uint8_t mac[SHA1_LEN];
    struct buf b;

    buf_init(&b, LIMIT_CANONICAL_BYTES);
    struct err e = put_string_to_sign(o, req, claim->is_query, path, &b);
    const struct str text = e.code == ERR_OK ? arena_str(req->arena, buf_view(&b)) : STR_NONE;
    buf_done(&b);
    TRY(e);
    if (!text.data) return no_memory();
    TRY(hmac_sha1(secret, text, mac));
    const struct str signature = base64_str(req->arena, str_of(mac, sizeof(mac)));
    if (!signature.data) return no_memory();
    *ret_text = text;
    *ret_is_right = bytes_equal_secret(signature, claim->signature);
    return OK;
}

/* "/bucket" is signed as "/bucket/" by boto3 and by tools that think of virtual hosts. *ret is empty where that is not so. */
static struct err with_slash(const struct s3_auth_options *o, const struct http_request *req, struct str *ret)
{
    *ret = STR_NONE;
    if (o->virtual_bucket.len || req->raw_path.len < 2 || str_rfind_char(req->raw_path, '/') != 0) return OK;
    *ret = arena_join(req->arena, req->raw_path, STR("/"));
    return ret->data ? OK : no_memory();
}

/* The path is signed as it was sent; a program between us may have escaped it otherwise. */
struct err sigv2_verify(const struct s3_auth_options *o, const struct http_request *req,
                        const struct sigv2_claim *claim, struct str secret, struct s3_auth *auth)
{
    struct str text, again, path;
    bool is_right = false;

    TRY(check_query(req));
    TRY(try_path(o, req, claim, req->raw_path, secret, &text, &is_right));
    if (is_right) return OK;
    TRY(sigv4_canonical_path(req, &path));
    TRY(try_path(o, req, claim, path, secret, &again, &is_right));
    if (is_right) return OK;
    TRY(with_slash(o, req, &path));
    if (path.len) TRY(try_path(o, req, claim, path, secret, &again, &is_right));
    if (is_right) return OK;
    auth->string_to_sign = text;
    auth->signature_provided = claim->signature;
    return FAIL(ERR_SIGNATURE_MISMATCH, err_text(ERR_SIGNATURE_MISMATCH));
}
