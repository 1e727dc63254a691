/*
 * sign.c - one signature: canonical request -> string to sign -> key of the day -> HMAC.
 */
#include "storage/remote/sign.h"

#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define CANONICAL_MAX (256 * KIB) /* a target and its headers, escaped */

void sign_payload(struct str bytes, char out[65])
{
    const struct digest_value sum = digest_of(DIGEST_SHA256, bytes.data, bytes.len);

    hex_z(sum.bytes, sum.len, out);
}

static void put_names(const struct sign_request *r, struct buf *out)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (i) buf_char(out, ';');
        buf_str(out, r->headers[i].name);
    }
}

static void put_canonical(const struct sign_request *r, struct buf *out)
{
    const struct str lines[] = { r->method, r->path, r->query };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        buf_str(out, lines[i]);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < r->header_count; i++) {
        buf_str(out, r->headers[i].name);
        buf_char(out, ':');
        buf_str(out, r->headers[i].value);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
    put_names(r, out);
    buf_char(out, '\n');
    buf_str(out, r->payload);
}

static struct err day_key(const struct remote_keys *keys, const struct sign_request *r, struct arena *arena,
                          uint8_t key[32])
{
    const struct str first = arena_join(arena, STR("AWS4"), keys->secret_key);

    if (!first.data) return no_memory();
    hmac_sha256(first, str_slice(r->amz_date, 0, 8), key);
    hmac_sha256(str_of(key, 32), r->region, key);
    hmac_sha256(str_of(key, 32), STR("s3"), key);
    hmac_sha256(str_of(key, 32), STR("aws4_request"), key);
    bytes_wipe((char *)first.data, first.len);
    return OK;
}

static struct err signature(const struct remote_keys *keys, const struct sign_request *r, struct str scope,
                            struct arena *arena, char out[65])
{
    struct buf canonical;
    char sum[65];
    uint8_t key[32], mac[32];

    buf_init(&canonical, CANONICAL_MAX);
    put_canonical(r, &canonical);
    const struct err e = buf_err(&canonical);
    sign_payload(buf_view(&canonical), sum);
    buf_done(&canonical);
    TRY(e);
    const struct str text = arena_printf(arena, ALGORITHM "\n%.*s\n%.*s\n%s", STR_ARG(r->amz_date),
                                         STR_ARG(scope), sum);
    if (!text.data) return no_memory();
    TRY(day_key(keys, r, arena, key));
    hmac_sha256(str_of(key, sizeof(key)), text, mac);
    bytes_wipe(key, sizeof(key));
    hex_z(mac, sizeof(mac), out);
    return OK;
}

struct err sign_request(const struct remote_keys *keys, const struct sign_request *r, struct arena *arena,
                        struct str *ret)
{
    const struct str scope = arena_printf(arena, "%.*s/%.*s/s3/aws4_request",
                                          STR_ARG(str_slice(r->amz_date, 0, 8)), STR_ARG(r->region));
    struct buf names;
    char hex[65];

    if (!scope.data) return no_memory();
    TRY(signature(keys, r, scope, arena, hex));
    buf_init(&names, CANONICAL_MAX);
    put_names(r, &names);
    struct err e = buf_err(&names);
    if (e.code == ERR_OK)
        *ret = arena_printf(arena, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%s",
                            STR_ARG(keys->access_key), STR_ARG(scope), STR_ARG(buf_view(&names)), hex);
    buf_done(&names);
    TRY(e);
    return ret->data ? OK : no_memory();
}
