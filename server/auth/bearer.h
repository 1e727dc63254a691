/*
 * bearer.h - who calls the catalog: "Authorization: Bearer" tokens, and the token endpoint.
 */
#ifndef SERVER_AUTH_BEARER_H
#define SERVER_AUTH_BEARER_H

#include "admin/iam/access.h"
#include "server/http/http.h"

/* The caller by its bearer token; without an Authorization header the anonymous principal if one is set. ERR_UNAUTHENTICATED, ERR_EXPIRED_TOKEN. Any other scheme is ERR_UNAUTHENTICATED. */
struct err bearer_verify(const struct iam *iam, struct http_request *req, struct caller *ret);

/* POST .../v1/oauth/tokens: the form body in, the answer out (RFC 6749 5, RFC 8693). grant client_credentials with credentials in the body or by Basic; token-exchange of an own access token, or
 * with Basic (a new login). Any scope of the forms catalog, PRINCIPAL_ROLE:*, empty is accepted (catalog.md 0). *ret is set also for OAuth errors, then the
 * result is OK all the same; ERR_NO_MEMORY otherwise. */
struct oauth_answer {
    int status;
    struct str body;                   /* JSON */
    const struct principal *principal; /* whose client id was given, with the right secret or not; NULL: nobody's that is known */
};
struct err oauth_token(const struct iam *iam, struct http_request *req, struct str form, int64_t ttl_s, struct oauth_answer *ret);

#endif
