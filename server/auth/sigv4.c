/*
 * sigv4.c - is this signature that of the secret?
 *
 * The canonical request is tried in a few variants, because what arrives is not always what was signed: a proxy may have put its own Host, and some
 * clients sign the path as they sent it, not as S3 says it is encoded (s3.md 1, 3). Every variant names the same bucket, key and query, so more of
 * them make no forgery easier than one does.
 */
#include "server/auth/sigv4.h"

#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SIGNATURE_DIGITS 64

struct attempt {
    const struct s3_auth_options *o;
    const struct http_request *req;
    const struct sigv4_claim *claim;
    struct str payload;
    struct s3_auth *auth;
    struct buf canonical, to_sign; /* of the last attempt */
};

static void put_string_to_sign(struct attempt *a)
{
    const struct digest_value sum = digest_of(DIGEST_SHA256, a->canonical.data, a->canonical.len);

    buf_clear(&a->to_sign);
    buf_z(&a->to_sign, ALGORITHM "\n");
    buf_str(&a->to_sign, a->claim->amz_date);
    buf_char(&a->to_sign, '\n');
    buf_str(&a->to_sign, a->claim->scope);
    buf_char(&a->to_sign, '\n');
    hex_to(&a->to_sign, str_of(sum.bytes, sum.len));
}

/* The first attempt is what a person looks for when they differ. */
static struct err keep_texts(struct attempt *a)
{
    struct arena *arena = a->req->arena;

    if (a->auth->canonical_request.data) return OK;
    a->auth->canonical_request = arena_str(arena, buf_view(&a->canonical));
    a->auth->string_to_sign = arena_str(arena, buf_view(&a->to_sign));
    a->auth->signature_provided = a->claim->signature;
    return a->auth->string_to_sign.data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

static struct err try_variant(struct attempt *a, const struct sigv4_variant *v, bool *ret_is_right)
{
    char hex[SIGNATURE_DIGITS + 1];
    uint8_t mac[32];

    buf_clear(&a->canonical);
    sigv4_canonical_request(a->req, a->claim, v, a->payload, &a->canonical);
    if (a->canonical.is_too_large) return FAIL(ERR_INVALID_REQUEST, "the signed headers are too large");
    TRY(buf_err(&a->canonical));
    put_string_to_sign(a);
    TRY(buf_err(&a->to_sign));
    hmac_sha256(str_of(a->auth->signing_key, sizeof(a->auth->signing_key)), buf_view(&a->to_sign), mac);
    hex_z(mac, sizeof(mac), hex);
    *ret_is_right = bytes_equal_secret(str_of(hex, SIGNATURE_DIGITS), a->claim->signature);
    if (!*ret_is_right) return keep_texts(a);
    memcpy(a->auth->seed_signature, mac, sizeof(mac));
    return OK;
}

/* The path as S3 encodes it, then as it was sent. */
static struct err try_paths(struct attempt *a, struct str host, struct str path, struct str query,
                            bool *ret_is_right)
{
    struct sigv4_variant v = { .host = host, .path = path, .query = query };

    TRY(try_variant(a, &v, ret_is_right));
    if (*ret_is_right || str_eq(path, a->req->raw_path)) return OK;
    v.path = a->req->raw_path;
    return try_variant(a, &v, ret_is_right);
}

static struct err try_hosts(struct attempt *a)
{
    struct str path, query, host;
    bool is_right = false;
    int count = 0;

    TRY(sigv4_canonical_path(a->req, &path));
    TRY(sigv4_canonical_query(a->req, a->claim->is_query, &query));
    TRY(try_paths(a, a->req->host, path, query, &is_right));
    for (struct str_split it = str_split_on(a->o->external_hosts, ',');
         !is_right && str_split_next(&it, &host);) {
        if (!str_trim(host).len || ++count > LIMIT_EXTERNAL_HOSTS) continue;
        TRY(try_paths(a, str_trim(host), path, query, &is_right));
    }
    return is_right ? OK : FAIL(ERR_SIGNATURE_MISMATCH, err_text(ERR_SIGNATURE_MISMATCH));
}

struct err sigv4_verify(const struct s3_auth_options *o, const struct http_request *req,
                        const struct sigv4_claim *claim, struct str payload, struct str secret,
                        struct s3_auth *auth)
{
    struct attempt a = { .o = o, .req = req, .claim = claim, .payload = payload, .auth = auth };

    TRY(sigv4_check_signed_headers(req, claim));
    sigv4_signing_key(claim, secret, auth->signing_key);
    auth->amz_date = claim->amz_date;
    auth->scope = claim->scope;
    buf_init(&a.canonical, LIMIT_CANONICAL_BYTES);
    buf_init(&a.to_sign, 4 * KIB);
    const struct err e = try_hosts(&a);
    buf_done(&a.canonical);
    buf_done(&a.to_sign);
    if (e.code != ERR_OK) bytes_wipe(auth->signing_key, sizeof(auth->signing_key));
    return e;
}
