/*
 * aws_chunked.h - the body encoding of the STREAMING-* payloads: chunks, their signatures, trailers (s3.md 9).
 *
 * A push decoder: feed it what arrives, it hands out decoded bytes. Bytes are handed out before their chunk's signature is known to be right: the caller must
 * not publish them until aws_chunked_finish is OK. Nothing is buffered but header and trailer lines (bounded).
 */
#ifndef SERVER_AUTH_AWS_CHUNKED_H
#define SERVER_AUTH_AWS_CHUNKED_H

#include "server/auth/s3_auth.h"

struct aws_chunked;

/* decoded_length: x-amz-decoded-content-length; -1: not given. */
struct err aws_chunked_new(const struct s3_auth *auth, int64_t decoded_length, struct arena *arena, struct aws_chunked **ret);

/* Decode from *input (cut at its front as it is consumed): *ret_data is the next run of decoded bytes, pointing into it; empty when more input is needed. Call it until
 * *input is empty. ERR_INVALID_REQUEST (grammar), ERR_SIGNATURE_MISMATCH (a chunk), ERR_INCOMPLETE_BODY (more bytes than announced). */
struct err aws_chunked_next(struct aws_chunked *c, struct str *input, struct str *ret_data);

/* The body has ended. ERR_INCOMPLETE_BODY: the final chunk is missing or the sum differs; ERR_SIGNATURE_MISMATCH: of the trailer. A missing CRLF at the very end is accepted. */
struct err aws_chunked_finish(struct aws_chunked *c);

/* A trailer by lower-case name, after finish; STR_NONE without it. */
struct str aws_chunked_trailer(const struct aws_chunked *c, const char *name);

#endif
