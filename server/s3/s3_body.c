/*
 * s3_body.c - the body of a request: lengths, decoding, sums.
 *
 * Sources: AWS "Checking object integrity"; s3.md 7-10, 24, 39. Checks come in this order at the end of a body: its length, the chunk signatures, the
 * signed SHA-256, Content-MD5, the S3 checksum: so a forged body is a signature error before it is a checksum error.
 */
#include "server/s3/s3_body.h"

#include <string.h>

#include "server/auth/aws_chunked.h"
#include "server/s3/s3_ops.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

struct body_state {
    struct s3_checksum checksum;
    bool has_md5;
    uint8_t md5[16];
    int64_t expected; /* decoded bytes announced; -1: not known */
};

static const struct {
    enum digest_kind kind;
    const char *algorithm, *header, *element;
} checksums[] = {
    { DIGEST_CRC32, "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32" },
    { DIGEST_CRC32C, "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C" },
    { DIGEST_CRC64NVME, "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME" },
    { DIGEST_SHA1, "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1" },
    { DIGEST_SHA256, "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256" },
};
#define CHECKSUM_COUNT (sizeof(checksums) / sizeof(checksums[0]))

/* ---- names of checksums ---- */

const char *s3_checksum_algorithm(enum digest_kind kind)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (checksums[i].kind == kind) return checksums[i].algorithm;
    }
    return NULL;
}

const char *s3_checksum_header(enum digest_kind kind)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (checksums[i].kind == kind) return checksums[i].header;
    }
    return NULL;
}

const char *s3_checksum_element(enum digest_kind kind)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (checksums[i].kind == kind) return checksums[i].element;
    }
    return NULL;
}

enum digest_kind s3_checksum_kind(struct str algorithm)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (str_is_nocase(algorithm, checksums[i].algorithm)) return checksums[i].kind;
    }
    return DIGEST_NONE;
}

struct str s3_checksum_text(struct arena *arena, const struct digest_value *value)
{
    return base64_str(arena, str_of(value->bytes, value->len));
}

struct err s3_checksum_decode(struct str text, enum digest_kind kind, struct digest_value *ret)
{
    struct digest_value value = { 0 };
    size_t len;

    if (!base64_from(text, value.bytes, sizeof(value.bytes), &len) || len != digest_bytes(kind))
        return err_fail(ERR_INVALID_REQUEST, "Value for %s header is invalid.", s3_checksum_header(kind));
    value.len = (uint8_t)len;
    *ret = value;
    return OK;
}

/* The checksum header, if there is one; more than one is refused. */
static struct err checksum_from_value_headers(struct http_request *http, struct s3_checksum *found)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        const struct str text = http_header(http, checksums[i].header);
        if (!text.data) continue;
        if (found->is_given)
            return FAIL(
                ERR_INVALID_REQUEST,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        found->kind = checksums[i].kind;
        found->is_given = true;
        TRY(s3_checksum_decode(text, found->kind, &found->value));
    }
    return OK;
}

static struct err checksum_from_trailer_header(struct http_request *http, struct s3_checksum *found)
{
    const struct str trailer = http_header(http, "x-amz-trailer");

    if (!trailer.data) return OK;
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (!str_is_nocase(str_trim(trailer), checksums[i].header)) continue;
        if (found->is_given) return FAIL(ERR_INVALID_REQUEST, "Expecting a single x-amz-checksum- header");
        found->kind = checksums[i].kind;
        found->is_trailer = true;
        return OK;
    }
    return FAIL(ERR_INVALID_REQUEST, "The value specified in the x-amz-trailer header is not supported");
}

/* x-amz-sdk-checksum-algorithm on writes, x-amz-checksum-algorithm on CreateMultipartUpload and CopyObject. */
static struct err checksum_from_algorithm_header(struct http_request *http, struct s3_checksum *found)
{
    struct str name = http_header(http, "x-amz-sdk-checksum-algorithm");

    if (!name.data) name = http_header(http, "x-amz-checksum-algorithm");
    if (!name.data) return OK;
    const enum digest_kind kind = s3_checksum_kind(name);
    if (kind == DIGEST_NONE)
        return FAIL(
            ERR_INVALID_REQUEST,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    if (found->kind != DIGEST_NONE && found->kind != kind)
        return FAIL(ERR_INVALID_REQUEST, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    found->kind = kind;
    return OK;
}

struct err s3_checksum_from_headers(struct http_request *http, struct s3_checksum *ret)
{
    struct s3_checksum found = { .kind = DIGEST_NONE };

    TRY(checksum_from_value_headers(http, &found));
    TRY(checksum_from_trailer_header(http, &found));
    TRY(checksum_from_algorithm_header(http, &found));
    *ret = found;
    return OK;
}

/* ---- the head ---- */

static struct err content_md5(struct http_request *http, struct body_state *body)
{
    const struct str text = http_header(http, "content-md5");
    uint8_t bytes[DIGEST_BYTES_MAX];
    size_t len;

    if (!text.data) return OK;
    if (!base64_from(text, bytes, sizeof(bytes), &len) || len != sizeof(body->md5))
        return FAIL(ERR_INVALID_DIGEST, "The Content-MD5 you specified was invalid");
    memcpy(body->md5, bytes, sizeof(body->md5));
    body->has_md5 = true;
    return OK;
}

static bool is_chunked(const struct s3_request *req)
{
    return req->auth.payload >= PAYLOAD_CHUNKED_SIGNED;
}

static bool has_trailers(const struct s3_request *req)
{
    return req->auth.payload == PAYLOAD_CHUNKED_SIGNED_TRAILER
        || req->auth.payload == PAYLOAD_CHUNKED_UNSIGNED_TRAILER;
}

/* How many bytes the client says that there are, after decoding. */
static struct err expected_length(struct s3_request *req, struct body_state *body)
{
    const struct str decoded = http_header(req->http, "x-amz-decoded-content-length");
    uint64_t length;

    body->expected = -1;
    if (is_chunked(req)) {
        if (!decoded.data)
            return FAIL(ERR_MISSING_CONTENT_LENGTH,
                        "You must provide the x-amz-decoded-content-length HTTP header.");
        if (!str_to_u64(decoded, &length) || length > INT64_MAX)
            return FAIL(ERR_INVALID_ARGUMENT, "x-amz-decoded-content-length is not a number");
        body->expected = (int64_t)length;
    } else if (req->http->has_content_length) {
        if (req->http->content_length > INT64_MAX)
            return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
        body->expected = (int64_t)req->http->content_length;
    } else if (!req->http->is_chunked && req->op->body == BODY_STREAM) {
        return FAIL(ERR_MISSING_CONTENT_LENGTH, err_text(ERR_MISSING_CONTENT_LENGTH));
    }
    return OK;
}

static void text_done(void *arg)
{
    buf_done(arg);
}

static struct err text_begin(struct s3_request *req, const struct body_state *body)
{
    if (body->expected > (int64_t)LIMIT_XML_BYTES)
        return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    req->text = arena_new_of(req->arena, struct buf);
    if (!req->text || !arena_defer(req->arena, text_done, req->text))
        return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    buf_init(req->text, LIMIT_XML_BYTES);
    return OK;
}

static struct err stream_begin(struct s3_request *req, const struct body_state *body)
{
    if (body->expected > (int64_t)LIMIT_PUT_BYTES)
        return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
    const struct body_sums_wanted wanted = {
        .checksum = body->checksum.kind,
        .sha256 = req->auth.payload == PAYLOAD_SHA256,
    };
    return body_writer_new(req->options->store, wanted, body->expected > 0 ? (uint64_t)body->expected : 0,
                           &req->writer);
}

bool s3_is_body_ahead(const struct s3_request *req)
{
    return req->http->is_chunked || req->http->content_length > LIMIT_DRAIN_BYTES
        || http_has_header(req->http, "expect");
}

struct err s3_body_begin(struct s3_request *req)
{
    struct body_state *body = arena_new_of(req->arena, struct body_state);

    if (!body) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    req->body = body;
    if (req->op->body == BODY_NONE) return OK;
    TRY(expected_length(req, body));
    TRY(content_md5(req->http, body));
    if (!(req->op->flags & OP_SUM_OF_OBJECT)) TRY(s3_checksum_from_headers(req->http, &body->checksum));
    if (body->checksum.is_trailer && !has_trailers(req))
        return FAIL(ERR_INVALID_REQUEST, "x-amz-trailer goes with a STREAMING-...-TRAILER payload alone");
    if (is_chunked(req)) TRY(aws_chunked_new(&req->auth, body->expected, req->arena, &req->chunked));
    return req->op->body == BODY_XML ? text_begin(req, body) : stream_begin(req, body);
}

/* ---- the bytes ---- */

static struct err take(struct s3_request *req, struct str bytes)
{
    req->received += bytes.len;
    if (req->writer) return body_writer_write(req->writer, bytes);
    if (!req->text) return OK;
    buf_str(req->text, bytes);
    return buf_err(req->text).code == ERR_OK ? OK : FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
}

struct err s3_body_data(struct s3_request *req, struct str piece)
{
    struct str decoded;

    if (!req->chunked) return take(req, piece);
    while (piece.len) {
        TRY(aws_chunked_next(req->chunked, &piece, &decoded));
        if (decoded.len) TRY(take(req, decoded));
    }
    return OK;
}

/* ---- the end ---- */

struct sums {
    struct digest_value md5, sha256, checksum;
};

static void sums_of_text(const struct s3_request *req, const struct body_state *body, struct sums *ret)
{
    const struct str text = buf_view(req->text);

    if (body->has_md5) ret->md5 = digest_of(DIGEST_MD5, text.data, text.len);
    if (req->auth.payload == PAYLOAD_SHA256) ret->sha256 = digest_of(DIGEST_SHA256, text.data, text.len);
    if (body->checksum.is_given) ret->checksum = digest_of(body->checksum.kind, text.data, text.len);
}

static void sums_of_writer(struct s3_request *req, struct sums *ret)
{
    ret->md5 = body_writer_md5(req->writer);
    ret->checksum = body_writer_checksum(req->writer);
    if (req->auth.payload == PAYLOAD_SHA256) ret->sha256 = body_writer_sha256(req->writer);
}

static struct err check_sums(const struct s3_request *req, const struct body_state *body,
                             const struct sums *sums)
{
    if (req->auth.payload == PAYLOAD_SHA256 && memcmp(sums->sha256.bytes, req->auth.payload_sha256, 32) != 0)
        return FAIL(ERR_CONTENT_SHA256_MISMATCH, err_text(ERR_CONTENT_SHA256_MISMATCH));
    if (body->has_md5 && memcmp(sums->md5.bytes, body->md5, sizeof(body->md5)) != 0)
        return FAIL(ERR_BAD_DIGEST, err_text(ERR_BAD_DIGEST));
    const struct s3_checksum *c = &body->checksum;
    if (c->is_given
        && (sums->checksum.len != c->value.len
            || memcmp(sums->checksum.bytes, c->value.bytes, c->value.len) != 0))
        return err_fail(ERR_CHECKSUM_MISMATCH, "The %s you specified did not match the calculated checksum.",
                        s3_checksum_algorithm(c->kind));
    return OK;
}

static struct err finish_chunked(struct s3_request *req, struct body_state *body)
{
    TRY(aws_chunked_finish(req->chunked));
    if (!body->checksum.is_trailer) return OK;
    const struct str value = aws_chunked_trailer(req->chunked, s3_checksum_header(body->checksum.kind));
    if (!value.data) return FAIL(ERR_INVALID_REQUEST, "The announced checksum trailer is missing");
    TRY(s3_checksum_decode(value, body->checksum.kind, &body->checksum.value));
    body->checksum.is_given = true;
    return OK;
}

struct err s3_body_end(struct s3_request *req)
{
    struct body_state *body = req->body;
    struct sums sums = { 0 };

    if (req->op->body == BODY_NONE) return OK;
    if (req->chunked) TRY(finish_chunked(req, body));
    if (body->expected >= 0 && req->received != (uint64_t)body->expected)
        return FAIL(ERR_INCOMPLETE_BODY, err_text(ERR_INCOMPLETE_BODY));
    if (req->writer) sums_of_writer(req, &sums);
    else sums_of_text(req, body, &sums);
    return check_sums(req, body, &sums);
}

const struct s3_checksum *s3_body_checksum(const struct s3_request *req)
{
    return &((const struct body_state *)req->body)->checksum;
}
