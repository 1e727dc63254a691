/*
 * sigv4.h - the pieces of s3_auth.c: what a request claims, its canonical form, and the comparison. For the files of this folder alone.
 */
#ifndef SERVER_AUTH_SIGV4_H
#define SERVER_AUTH_SIGV4_H

#include "server/auth/s3_auth.h"
#include "storage/base/buf.h"

#define SKEW_MS (15 * 60 * 1000ll)  /* AWS: how far a clock may be off */
#define LIMIT_SIGNED_HEADERS 200    /* as many as a request may have */
#define LIMIT_CANONICAL_BYTES (256 * KIB) /* target and headers, each byte escaped to three at most, twice over */
#define LIMIT_EXTERNAL_HOSTS 8      /* each is one more canonical request before a bad signature is refused */

/* What the caller says of himself. Views into the request or its arena; nothing of it is proved. */
struct sigv4_claim {
    struct str access_key;
    struct str date, region;   /* "20130524", "us-east-1" */
    struct str scope;          /* date/region/s3/aws4_request */
    struct str signed_headers; /* "host;x-amz-date" */
    struct str signature;      /* as sent */
    struct str amz_date;       /* "20130524T000000Z" */
    bool is_query;
};

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...", with the request's date, which must be near the present. Region and service are checked. */
struct err sigv4_read_header(const struct s3_auth_options *o, const struct http_request *req, struct str authorization, struct sigv4_claim *ret);
/* X-Amz-Algorithm and its companions, each once, and in their time. */
struct err sigv4_read_query(const struct s3_auth_options *o, const struct http_request *req, struct sigv4_claim *ret);

/* Is everything signed that must be: host, and every x-amz-* header? ERR_DENIED names what is not; ERR_AUTH_HEADER_MALFORMED. */
struct err sigv4_check_signed_headers(const struct http_request *req, const struct sigv4_claim *claim);

/* What varies between the attempts. */
struct sigv4_variant {
    struct str host;
    struct str path;  /* as it stands in the canonical request */
    struct str query; /* from sigv4_canonical_query */
};

/* Sorted and encoded anew, without X-Amz-Signature of a presigned request. In the arena. ERR_NO_MEMORY. */
struct err sigv4_canonical_query(const struct http_request *req, bool is_presigned, struct str *ret);
/* The path decoded once and encoded anew: '/' is kept, nothing is normalised (s3.md 1). */
struct err sigv4_canonical_path(const struct http_request *req, struct str *ret);
/* Append the canonical request. */
void sigv4_canonical_request(const struct http_request *req, const struct sigv4_claim *claim, const struct sigv4_variant *v, struct str payload, struct buf *out);

/* Is the signature that of this secret? payload: the text of x-amz-content-sha256. Fills signing key, seed and date of *auth; on ERR_SIGNATURE_MISMATCH what is shown. */
struct err sigv4_verify(const struct s3_auth_options *o, const struct http_request *req, const struct sigv4_claim *claim, struct str payload, struct str secret,
                        struct s3_auth *auth);

/* The signing key of a day, from a small cache of this thread. */
void sigv4_signing_key(const struct sigv4_claim *claim, struct str secret, uint8_t out[32]);

/* A Date header: any form of clock_parse, and "... +0000" as s3cmd writes it. */
bool auth_read_date(struct str text, int64_t *ret_ms);
/* ERR_CLOCK_SKEWED: too far from the present. */
struct err auth_check_time(int64_t time_ms);

/* The only query parameter of that name. ERR_AUTH_QUERY_INVALID when it is missing, empty or there twice. */
struct err auth_query_once(const struct http_request *req, const char *name, struct str *ret);

/* ---- sigv2.c ---- */

struct sigv2_claim {
    struct str access_key, signature;
    bool is_query;
};

struct err sigv2_read_header(const struct http_request *req, struct str authorization, struct sigv2_claim *ret);
struct err sigv2_read_query(const struct http_request *req, struct sigv2_claim *ret);
struct err sigv2_verify(const struct s3_auth_options *o, const struct http_request *req, const struct sigv2_claim *claim, struct str secret, struct s3_auth *auth);

#endif
