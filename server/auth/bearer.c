/*
 * bearer.c - the caller of the catalog, by its token. The token endpoint is oauth.c.
 *
 * Nothing else counts: an S3 signature, Basic credentials or a vended key at the catalog are no credentials there, and no other header is
 * looked at (reliability.md C9, C23).
 */
#include "server/auth/bearer.h"

#include "admin/iam/session_token.h"

static struct err be_anonymous(const struct directory *d, struct caller *ret)
{
    const struct principal *p = directory_anonymous(d);

    if (!p) return FAIL(ERR_UNAUTHENTICATED, "no Authorization header");
    *ret = caller_of_principal(p);
    ret->is_anonymous = true;
    return OK;
}

struct err bearer_verify(const struct iam *iam, struct http_request *req, struct caller *ret)
{
    const size_t count = http_header_repeats(req, "authorization");
    const struct directory *d;
    struct str scheme, scope;

    TRY(iam_directory(iam, req->arena, &d));
    if (count == 0) return be_anonymous(d, ret);
    if (count > 1) return FAIL(ERR_UNAUTHENTICATED, "two Authorization headers");
    const struct str token = str_trim(str_cut(http_header(req, "authorization"), ' ', &scheme));
    if (!str_is_nocase(scheme, "bearer"))
        return FAIL(ERR_UNAUTHENTICATED, "the Authorization is not a bearer token");
    /* What PyIceberg sends when it was given no credential: it has none, and means to have none. */
    if (str_is(token, "None") && directory_anonymous(d)) return be_anonymous(d, ret);
    return token_check(iam, token, req->arena, ret, &scope);
}
