/*
 * session_token.h - signed statements: bearer tokens for the catalog, and vended S3 keys. Checked without a look-up; no state is kept.
 *
 * Bearer token: a JWT with HMAC-SHA256 (alg HS256 and nothing else is accepted), key id, iss "firn", sub = principal, iat, exp, jti, scope.
 * Vended key: access key id "FV" + 18 of A-Z2-7; session token = base64url(version, key id, scope, expiry, principal, access key id, MAC); secret = HMAC(key, "secret" || session token), base64.
 */
#ifndef ADMIN_IAM_SESSION_TOKEN_H
#define ADMIN_IAM_SESSION_TOKEN_H

#include "admin/iam/access.h"

/* A token for p, valid for ttl_s, in the arena. */
struct err token_issue(const struct iam *iam, const struct principal *p, int64_t ttl_s, struct str scope, struct arena *arena, struct str *ret);
/* ERR_UNAUTHENTICATED (not of this server, malformed, alg), ERR_EXPIRED_TOKEN. *ret_principal exists still. */
struct err token_check(const struct iam *iam, struct str token, struct arena *arena, const struct principal **ret_principal, int64_t *ret_expires_ms);

struct vended_key {
    struct str access_key, secret, session_token;
    int64_t expires_ms;
};
struct err vended_issue(const struct iam *iam, const struct principal *p, const struct session_scope *scope, struct arena *arena, struct vended_key *ret);
/* From a request's access key and session token: secret and scope. ERR_INVALID_TOKEN, ERR_EXPIRED_TOKEN. */
struct err vended_check(const struct iam *iam, struct str access_key, struct str session_token, struct arena *arena, struct str *ret_secret,
                        struct session_scope *ret_scope, const struct principal **ret_principal);

#endif
