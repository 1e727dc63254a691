/* fuzz_jwt.c - no text that we did not sign is a token; and claims that are signed but not of our form do no harm. */
#include "admin/iam/session_token.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "tests/fuzz/fuzz_iam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The header of a right token, then `claims` with the epoch of root's secret in front, signed. */
static struct str sign(struct str claims, struct arena *arena)
{
    uint8_t key[32], mac[32];
    const struct principal *root = fuzz_root(arena);
    struct str token, header;
    struct buf b;

    must(token_issue(fuzz_iam(), root, 60, STR(""), arena, &token).code == ERR_OK);
    (void)str_cut(token, '.', &header);
    buf_init(&b, 1 * MIB);
    buf_str(&b, header);
    buf_char(&b, '.');
    base64url_to(&b, arena_printf(arena, "{\"epoch\":%u,%.*s", principal_epoch(root), STR_ARG(str_from(claims, 1))));
    iam_derive_key(fuzz_iam(), "token", key);
    hmac_sha256(str_of(key, 32), buf_view(&b), mac);
    buf_char(&b, '.');
    base64url_to(&b, str_of(mac, 32));
    token = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(4 * MIB);
    struct caller who = { .principal = NULL };
    struct str scope;

    must(token_check(fuzz_iam(), str_of(data, len), arena, &who, &scope).code == ERR_UNAUTHENTICATED);
    const enum err_code code = token_check(fuzz_iam(), sign(str_of(data, len), arena), arena, &who, &scope).code;
    must(code == ERR_OK || code == ERR_UNAUTHENTICATED || code == ERR_EXPIRED_TOKEN);
    must(code == ERR_OK ? principal_is_root(who.principal) : !who.principal);
    arena_free(arena);
    return 0;
}
