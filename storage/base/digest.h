/*
 * digest.h - checksums, digests, HMAC and sealing. The only owner of OpenSSL besides the token code.
 *
 * One streaming type for all algorithms, so that callers keep a table and not a switch. CRCs (crc.c) use carry-less multiplication,
 * and CRC32C its instruction when there is little, where the processor has them, else tables.
 */
#ifndef STORAGE_BASE_DIGEST_H
#define STORAGE_BASE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

enum digest_kind {
    DIGEST_NONE,
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_CRC32,     /* ISO-HDLC, as zlib; S3 puts CRCs as big-endian bytes */
    DIGEST_CRC32C,    /* Castagnoli */
    DIGEST_CRC64NVME, /* polynomial 0xad93d23594c93659, reflected, init and xorout all ones */
    DIGEST_KIND_COUNT,
};

#define DIGEST_BYTES_MAX 32

struct digest_value {
    uint8_t bytes[DIGEST_BYTES_MAX];
    uint8_t len; /* 0: none */
};

/* A running digest, held by value. digest_done may be called on a zeroed one, and twice. */
struct digest {
    enum digest_kind kind;
    uint64_t crc;
    void *state; /* EVP_MD_CTX of the others */
};

/* ERR_NO_MEMORY; ERR_UNSUPPORTED if OpenSSL is configured without it (MD5 under FIPS). DIGEST_NONE takes anything and gives len 0. */
struct err digest_init(struct digest *d, enum digest_kind kind);
void digest_update(struct digest *d, const void *data, size_t len);
/* The value of what was fed so far (CRCs: big-endian); once, and the digest may not be fed any more. */
struct digest_value digest_final(struct digest *d);
void digest_done(struct digest *d);

size_t digest_bytes(enum digest_kind kind);

/* In one call. digest_of aborts the process if there is no memory for 200 bytes; hmac_sha256 and the CRCs take none. */
struct digest_value digest_of(enum digest_kind kind, const void *data, size_t len);
void hmac_sha256(struct str key, struct str message, uint8_t out[32]);

uint32_t crc32c(uint32_t seed, const void *data, size_t len); /* seed 0 to begin, or the result so far */
uint32_t crc32_ieee(uint32_t seed, const void *data, size_t len);
uint64_t crc64nvme(uint64_t seed, const void *data, size_t len);

/* The CRC of A followed by B, from both CRCs and B's length; kind is one of the three CRCs. For full-object multipart checksums. */
uint64_t crc_combine(enum digest_kind kind, uint64_t crc_a, uint64_t crc_b, uint64_t len_b);

/* Tests only: the tables, whatever the processor has. Not while another thread computes a CRC. */
void crc_set_portable(bool is_portable);

/* Equal, in time that depends on the lengths alone. */
bool bytes_equal_secret(struct str a, struct str b);
void bytes_wipe(void *data, size_t len); /* not optimised away */

/* AES-256-GCM. out of seal: 12 bytes nonce, ciphertext, 16 bytes tag: plain.len + 28. aad may be empty; out overlaps no input. At most
 * 2^32 seals with one key. */
#define SEAL_OVERHEAD 28
struct err seal(const uint8_t key[32], struct str aad, struct str plain, uint8_t *out);
/* ERR_CORRUPT if it was changed or the key is another (out is then wiped). out has sealed.len - SEAL_OVERHEAD bytes. */
struct err unseal(const uint8_t key[32], struct str aad, struct str sealed, uint8_t *out);

/* RSA is not offered: tokens are HMAC-SHA256 (admin/iam/session_token.h). */
#endif
