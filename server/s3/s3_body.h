/*
 * s3_body.h - the body of a request: where it goes, and what must be true of it before anything is done with it.
 *
 * s3_body_begin looks at the head (lengths, Content-MD5, checksum headers, trailers announced) and refuses what cannot be right; s3_body_data decodes aws-chunked and
 * feeds a body_writer or a text; s3_body_end checks length, signatures and sums. A body that fails any of them leaves nothing behind.
 */
#ifndef SERVER_S3_S3_BODY_H
#define SERVER_S3_S3_BODY_H

#include "server/s3/s3.h"

/* The checksum that a request carries: x-amz-checksum-* (header or announced trailer), or only asks for (x-amz-sdk-checksum-algorithm, x-amz-checksum-algorithm). */
struct s3_checksum {
    enum digest_kind kind;     /* DIGEST_NONE: none */
    bool is_given;             /* value is set: by the header, or after s3_body_end by the trailer */
    bool is_trailer;
    struct digest_value value;
};

/* "CRC32" etc. and "x-amz-checksum-crc32": by kind; NULL for MD5 and none. */
const char *s3_checksum_algorithm(enum digest_kind kind);
const char *s3_checksum_header(enum digest_kind kind);
const char *s3_checksum_element(enum digest_kind kind); /* "ChecksumCRC32" */
/* DIGEST_NONE for a name that is none. */
enum digest_kind s3_checksum_kind(struct str algorithm);
/* Base64 of the value, in the arena. */
struct str s3_checksum_text(struct arena *arena, const struct digest_value *value);

/* Base64 of exactly that kind's length; ERR_INVALID_REQUEST. */
struct err s3_checksum_decode(struct str text, enum digest_kind kind, struct digest_value *ret);

/* What the headers say. ERR_INVALID_REQUEST: several checksums, wrong length or base64, an unknown algorithm. */
struct err s3_checksum_from_headers(struct http_request *http, struct s3_checksum *ret);

/* Does the body come after the head, so that looking things up first saves the client something? A small one without Expect is here already. */
bool s3_is_body_ahead(const struct s3_request *req);

struct err s3_body_begin(struct s3_request *req);
struct err s3_body_data(struct s3_request *req, struct str piece);
struct err s3_body_end(struct s3_request *req);

/* After s3_body_end: what the request's checksum was (kind NONE: it had none). */
const struct s3_checksum *s3_body_checksum(const struct s3_request *req);

#endif
