/*
 * signing_key.c - the key of an access key, day and region.
 *
 * It takes four HMACs and is the same for a whole day, so each thread keeps the last few: no lock, and nothing of a request but
 * what is derived from its claim (reliability.md A5). That a claim finds a key here says nothing: the signature is compared all the same.
 * The secret itself is not kept; its CRC tells an entry of another secret under the same name: of before a rotation, or of the other of two.
 */
#include "server/auth/sigv4.h"

#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/metrics.h"

#define CACHE_ENTRIES 32 /* a thread serves few callers at a time; each takes 200 bytes */
#define REGION_MAX 32
#define DATE_LEN 8

struct cached_key {
    char access_key[LIMIT_CREDENTIAL], region[REGION_MAX], date[DATE_LEN];
    uint8_t access_key_len, region_len; /* access_key_len 0: free */
    uint64_t secret_crc;
    uint8_t key[32];
};

static _Thread_local struct cached_key cache[CACHE_ENTRIES];

static void derive(const struct sigv4_claim *c, struct str secret, uint8_t key[32])
{
    char first[4 + LIMIT_CREDENTIAL] = "AWS4";
    const size_t len = secret.len <= LIMIT_CREDENTIAL ? secret.len : LIMIT_CREDENTIAL;

    memcpy(first + 4, secret.data, len);
    hmac_sha256(str_of(first, 4 + len), c->date, key);
    hmac_sha256(str_of(key, 32), c->region, key);
    hmac_sha256(str_of(key, 32), STR("s3"), key);
    hmac_sha256(str_of(key, 32), STR("aws4_request"), key);
    bytes_wipe(first, sizeof(first));
}

static bool is_of(const struct cached_key *k, const struct sigv4_claim *c, uint64_t secret_crc)
{
    return k->access_key_len && str_eq(str_of(k->access_key, k->access_key_len), c->access_key)
        && str_eq(str_of(k->region, k->region_len), c->region) && str_eq(str_of(k->date, DATE_LEN), c->date)
        && k->secret_crc == secret_crc;
}

void sigv4_signing_key(const struct sigv4_claim *c, struct str secret, uint8_t out[32])
{
    if (c->access_key.len > LIMIT_CREDENTIAL || c->region.len > REGION_MAX) {
        derive(c, secret, out);
        return;
    }
    const uint64_t secret_crc = crc64nvme(0, secret.data, secret.len);
    uint64_t place = crc64nvme(secret_crc, c->access_key.data, c->access_key.len);
    place = crc64nvme(place, c->scope.data, c->scope.len);
    struct cached_key *k = &cache[place % CACHE_ENTRIES];

    if (is_of(k, c, secret_crc)) {
        METRIC_ADD(signing_key_hits, 1);
    } else {
        METRIC_ADD(signing_key_misses, 1);
        memset(k, 0, sizeof(*k));
        derive(c, secret, k->key);
        memcpy(k->access_key, c->access_key.data, c->access_key.len);
        memcpy(k->region, c->region.data, c->region.len);
        memcpy(k->date, c->date.data, DATE_LEN);
        k->access_key_len = (uint8_t)c->access_key.len;
        k->region_len = (uint8_t)c->region.len;
        k->secret_crc = secret_crc;
    }
    memcpy(out, k->key, sizeof(k->key));
}
