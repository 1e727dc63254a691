/* fuzz_session_token.c - no bytes that we did not sign are a session token; and signed ones give only scopes that access.c can hold to. */
#include "admin/iam/session_token.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "tests/fuzz/fuzz_iam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(4 * MIB);
    const struct str body = str_of(data, len), access_key = str_slice(body, 14, 34);
    const struct principal *root = fuzz_root(arena);
    struct caller who = { .principal = NULL };
    struct session_scope scope;
    uint8_t key[32], id[32], mac[32];
    struct str secret;
    struct buf b, text;

    must(vended_check(fuzz_iam(), access_key, body, arena, &secret, &scope, &who).code == ERR_INVALID_TOKEN);
    buf_init(&b, 1 * MIB);
    buf_init(&text, 1 * MIB);
    buf_str(&b, body);
    iam_derive_key(fuzz_iam(), "vended", key);
    hmac_sha256(str_of(key, 32), STR("id"), id);
    for (size_t i = 0; i < 4 && b.len > 4; i++) b.data[1 + i] = (char)id[i]; /* the key id */
    if (b.len > 38) put_be32(b.data + 34, principal_epoch(root));
    hmac_sha256(str_of(key, 32), buf_view(&b), mac);
    buf_append(&b, mac, 32);
    base64url_to(&text, buf_view(&b));
    const enum err_code code = vended_check(fuzz_iam(), access_key, buf_view(&text), arena, &secret, &scope, &who).code;
    must(code == ERR_OK || code == ERR_INVALID_TOKEN || code == ERR_EXPIRED_TOKEN);
    must((code == ERR_OK) == (who.principal != NULL));
    for (size_t i = 0; code == ERR_OK && i < scope.prefix_count; i++) must(str_ends(scope.prefixes[i], STR("/")));
    buf_done(&b);
    buf_done(&text);
    arena_free(arena);
    return 0;
}
