/*
 * session_token.h - signed statements: bearer tokens for the catalog, and vended S3 keys. Checked without a look-up; no state is kept.
 *
 * Bearer token: a JWT with HMAC-SHA256 (alg HS256 and nothing else is accepted), key id, iss "firn", sub = principal, iat, exp, jti, scope, epoch.
 * Vended key: access key id "FV" + 18 of A-Z2-7; session token = base64url(version, key id, scope, expiry, principal, epoch, access key id, MAC); secret = HMAC(key, "secret" || session token), base64.
 *
 * Both name the epoch of their principal's secret: a rotated or reset secret, or a principal that is gone, makes them worthless at once.
 */
#ifndef ADMIN_IAM_SESSION_TOKEN_H
#define ADMIN_IAM_SESSION_TOKEN_H

#include "admin/iam/access.h"

/* A token for p, valid for ttl_s, in the arena. scope: words as OAuth has them; "PRINCIPAL_ROLE:x" limits it to roles that p has, anything else to nothing. ERR_BAD_SCOPE: p
 * has not that role. */
struct err token_issue(const struct iam *iam, const struct principal *p, int64_t ttl_s, struct str scope, struct arena *arena, struct str *ret);
/* ERR_UNAUTHENTICATED (not of this server, malformed, alg, revoked), ERR_EXPIRED_TOKEN. ret->principal exists still, and acts in the roles of the scope that it has still. *ret_scope: a token
 * that is exchanged for it must not be wider. */
struct err token_check(const struct iam *iam, struct str token, struct arena *arena, struct caller *ret, struct str *ret_scope);

/* Does the scope name roles, so that a token of it gives those alone? */
bool token_scope_is_limited(struct str scope);
/* Does the caller act in each role that the scope names? ERR_BAD_SCOPE. */
struct err token_scope_check(const struct caller *who, struct str scope);

struct vended_key {
    struct str access_key, secret, session_token;
    int64_t expires_ms;
};
struct err vended_issue(const struct iam *iam, const struct principal *p, const struct session_scope *scope, struct arena *arena, struct vended_key *ret);
/* From a request's access key and session token: secret and scope. ERR_INVALID_TOKEN, ERR_EXPIRED_TOKEN. */
struct err vended_check(const struct iam *iam, struct str access_key, struct str session_token, struct arena *arena, struct str *ret_secret,
                        struct session_scope *ret_scope, struct caller *ret);

#endif
