/*
 * api_caller.h - who asks: for the checks of rights, and for the audit log.
 */
#ifndef SERVER_API_API_CALLER_H
#define SERVER_API_API_CALLER_H

#include "catalog/commit/catalog.h"
#include "server/auth/bearer.h"

/* Of a request about whom nothing is known yet but where it comes from. */
struct actor api_actor_new(const struct http_request *http);
/* By the token: errors as bearer_verify. who keeps what it has besides principal and roles. */
struct err api_authenticate(const struct iam *iam, struct http_request *http, struct caller *ret, struct actor *who);

#endif
