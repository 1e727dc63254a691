/*
 * digest.c - message digests, HMAC and sealing, by OpenSSL. The CRCs are in crc.c.
 *
 * A row of `algorithms` has all in which the kinds differ. OpenSSL looks an algorithm up by name through
 * locks and hash tables, which costs more than the digest of a small body, so each is fetched once and kept.
 * Contexts are not kept: making one costs 40 ns of the 700 that SHA-256 of 1 KiB takes.
 *
 * HMAC is put together here from SHA-256 (RFC 2104): OpenSSL's own takes 1.2 us for a short message, of which
 * 0.2 are work, and every signed request makes five.
 *
 * A sealed text is AES-256-GCM with a random nonce:
 *   OFFSET  SIZE  MEANING
 *   0       12    nonce
 *   12      n     ciphertext
 *   12 + n  16    tag
 * Random nonces of 96 bits may be used 2^32 times with one key (NIST SP 800-38D 8.3).
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: the one SHA-256 that takes no memory, so that an HMAC cannot fail */

#include "storage/base/digest.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/ids.h"

/* OpenSSL takes lengths as int in places; whatever is longer goes in such pieces. */
#define PIECE_MAX ((size_t)1 << 30)

static uint64_t update_crc32(uint64_t crc, const void *data, size_t len)
{
    return crc32_ieee((uint32_t)crc, data, len);
}

static uint64_t update_crc32c(uint64_t crc, const void *data, size_t len)
{
    return crc32c((uint32_t)crc, data, len);
}

/* A kind is a CRC, a digest of OpenSSL, or (DIGEST_NONE) neither. */
static const struct algorithm {
    uint8_t bytes;
    const char *openssl_name;
    uint64_t (*crc)(uint64_t seed, const void *data, size_t len);
} algorithms[DIGEST_KIND_COUNT] = {
    [DIGEST_NONE] = { .bytes = 0 },
    [DIGEST_MD5] = { .bytes = 16, .openssl_name = "MD5" },
    [DIGEST_SHA1] = { .bytes = 20, .openssl_name = "SHA1" },
    [DIGEST_SHA256] = { .bytes = 32, .openssl_name = "SHA256" },
    [DIGEST_CRC32] = { .bytes = 4, .crc = update_crc32 },
    [DIGEST_CRC32C] = { .bytes = 4, .crc = update_crc32c },
    [DIGEST_CRC64NVME] = { .bytes = 8, .crc = crc64nvme },
};

/* Fetched once, and kept until the process ends. NULL: OpenSSL does not have it (MD5, as FIPS configures it). */
static EVP_MD *fetched[DIGEST_KIND_COUNT];
static EVP_CIPHER *aes_256_gcm;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    for (int kind = 0; kind < DIGEST_KIND_COUNT; kind++) {
        if (algorithms[kind].openssl_name)
            fetched[kind] = EVP_MD_fetch(NULL, algorithms[kind].openssl_name, NULL);
    }
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

size_t digest_bytes(enum digest_kind kind)
{
    return algorithms[kind].bytes;
}

/* ---- streaming ---- */

struct err digest_init(struct digest *d, enum digest_kind kind)
{
    *d = (struct digest){ .kind = kind };
    if (!algorithms[kind].openssl_name) return OK;

    (void)pthread_once(&fetch_once, fetch);
    if (!fetched[kind]) return FAIL(ERR_UNSUPPORTED, "OpenSSL does not offer this digest");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, fetched[kind], NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return FAIL(ERR_NO_MEMORY, "no memory for a digest");
    }
    d->state = ctx;
    return OK;
}

void digest_update(struct digest *d, const void *data, size_t len)
{
    const struct algorithm *a = &algorithms[d->kind];

    if (a->crc) {
        d->crc = a->crc(d->crc, data, len);
    } else if (a->openssl_name) {
        const int went_well = EVP_DigestUpdate(d->state, data, len);
        assert(went_well == 1); /* it fails only on a digest that was ended, or never begun */
        (void)went_well;
    }
}

struct digest_value digest_final(struct digest *d)
{
    const struct algorithm *a = &algorithms[d->kind];
    struct digest_value value = { .len = a->bytes };

    if (a->openssl_name) {
        const int went_well = EVP_DigestFinal_ex(d->state, value.bytes, NULL);
        assert(went_well == 1);
        (void)went_well;
    } else if (a->bytes == 8) {
        put_be64(value.bytes, d->crc);
    } else if (a->bytes == 4) {
        put_be32(value.bytes, (uint32_t)d->crc);
    }
    return value;
}

void digest_done(struct digest *d)
{
    EVP_MD_CTX_free(d->state);
    d->state = NULL;
}

/* A digest that could not be made must not be taken for one: two of them would be equal. */
struct digest_value digest_of(enum digest_kind kind, const void *data, size_t len)
{
    struct digest d;
    const struct err e = digest_init(&d, kind);

    if (e.code) {
        (void)fprintf(stderr, "firn: digest_of: %s\n", e.why);
        abort();
    }
    digest_update(&d, data, len);
    const struct digest_value value = digest_final(&d);
    digest_done(&d);
    return value;
}

/* ---- HMAC ---- */

#define SHA256_BLOCK 64

/* SHA-256 of key ^ pad, then data. */
static void hmac_pass(const uint8_t key[SHA256_BLOCK], uint8_t pad, const void *data, size_t len,
                      uint8_t out[32])
{
    uint8_t block[SHA256_BLOCK];
    SHA256_CTX ctx;

    for (int i = 0; i < SHA256_BLOCK; i++) block[i] = key[i] ^ pad;
    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, block, sizeof(block));
    (void)SHA256_Update(&ctx, data, len);
    (void)SHA256_Final(out, &ctx); /* and wipes ctx */
    bytes_wipe(block, sizeof(block));
}

void hmac_sha256(struct str key, struct str message, uint8_t out[32])
{
    uint8_t block[SHA256_BLOCK] = { 0 }, inner[32];

    if (key.len > sizeof(block)) {
        (void)SHA256((const uint8_t *)key.data, key.len, block);
    } else if (key.len) {
        memcpy(block, key.data, key.len);
    }
    hmac_pass(block, 0x36, message.data, message.len, inner);
    hmac_pass(block, 0x5c, inner, sizeof(inner), out);
    bytes_wipe(block, sizeof(block));
}

bool bytes_equal_secret(struct str a, struct str b)
{
    return a.len == b.len && (!a.len || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void bytes_wipe(void *data, size_t len)
{
    if (len) OPENSSL_cleanse(data, len);
}

/* ---- sealing ---- */

#define NONCE_BYTES 12
#define TAG_BYTES 16
_Static_assert(NONCE_BYTES + TAG_BYTES == SEAL_OVERHEAD, "digest.h states what sealing adds");

/* Feed in to the cipher; out NULL: as what is authenticated alone. */
static bool cipher_feed(EVP_CIPHER_CTX *ctx, struct str in, uint8_t *out)
{
    const uint8_t *data = (const uint8_t *)in.data;

    for (size_t done = 0; done < in.len;) {
        const size_t piece = in.len - done < PIECE_MAX ? in.len - done : PIECE_MAX;
        int written;
        if (EVP_CipherUpdate(ctx, out ? out + done : NULL, &written, data + done, (int)piece) != 1)
            return false;
        done += piece;
    }
    return true;
}

/* A context with key and nonce set, for sealing (1) or unsealing (0). NULL: no memory. */
static EVP_CIPHER_CTX *cipher_new(const uint8_t key[32], const uint8_t nonce[NONCE_BYTES], int is_sealing)
{
    (void)pthread_once(&fetch_once, fetch);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_CipherInit_ex2(ctx, aes_256_gcm, key, nonce, is_sealing, NULL) == 1) return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

struct err seal(const uint8_t key[32], struct str aad, struct str plain, uint8_t *out)
{
    uint8_t *const text = out + NONCE_BYTES, *const tag = text + plain.len;
    int written;

    ids_random(out, NONCE_BYTES);
    EVP_CIPHER_CTX *ctx = cipher_new(key, out, 1);
    if (!ctx) return FAIL(ERR_NO_MEMORY, "no memory to seal");
    const bool is_sealed = cipher_feed(ctx, aad, NULL) && cipher_feed(ctx, plain, text)
        && EVP_CipherFinal_ex(ctx, tag, &written) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return is_sealed ? OK : FAIL(ERR_INTERNAL, "sealing failed");
}

struct err unseal(const uint8_t key[32], struct str aad, struct str sealed, uint8_t *out)
{
    if (sealed.len < SEAL_OVERHEAD) return FAIL(ERR_CORRUPT, "a sealed text is too short");

    const struct str text = str_of(sealed.data + NONCE_BYTES, sealed.len - SEAL_OVERHEAD);
    uint8_t tag[TAG_BYTES], nothing[TAG_BYTES];
    int written;
    memcpy(tag, text.data + text.len, sizeof(tag));

    EVP_CIPHER_CTX *ctx = cipher_new(key, (const uint8_t *)sealed.data, 0);
    if (!ctx) return FAIL(ERR_NO_MEMORY, "no memory to unseal");
    const bool is_whole = cipher_feed(ctx, aad, NULL) && cipher_feed(ctx, text, out)
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1
        && EVP_CipherFinal_ex(ctx, nothing, &written) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (is_whole) return OK;
    bytes_wipe(out, text.len); /* nobody shall use what was not authenticated */
    return FAIL(ERR_CORRUPT, "a sealed text was changed, or the key is another");
}
