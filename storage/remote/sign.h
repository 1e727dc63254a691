/*
 * sign.h - making SigV4 signatures in the Authorization header (the checking of others' is server/auth/sigv4.c).
 */
#ifndef STORAGE_REMOTE_SIGN_H
#define STORAGE_REMOTE_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "storage/remote/keys.h"

#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"

struct sign_header {
    struct str name;  /* lower case */
    struct str value; /* trimmed */
};

/* All texts as they stand in the canonical request. */
struct sign_request {
    struct str method;
    struct str path;    /* encoded once: percent_to(key, "/") */
    struct str query;   /* sorted and encoded; empty: none */
    struct str payload; /* SHA-256 in hex, or SIGN_UNSIGNED */
    const struct sign_header *headers; /* ascending by name, each once; host and x-amz-date are among them */
    size_t header_count;
    struct str amz_date; /* "20130524T000000Z" */
    struct str region;
};

/* The value of Authorization, in the arena; service s3. ERR_NO_MEMORY. */
struct err sign_request(const struct remote_keys *keys, const struct sign_request *r, struct arena *arena, struct str *ret);

/* SHA-256 of bytes, in hex: 65 bytes. */
void sign_payload(struct str bytes, char out[65]);

#endif
