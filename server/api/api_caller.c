/*
 * api_caller.c - from a request to who it is.
 */
#include "server/api/api_caller.h"

struct actor api_actor_new(const struct http_request *http)
{
    const struct actor who = { .principal = STR("-"),
                               .request_id = str_from_z(http->id),
                               .address = http->peer };

    return who;
}

struct err api_authenticate(const struct iam *iam, struct http_request *http, struct caller *ret,
                            struct actor *who)
{
    TRY(bearer_verify(iam, http, ret));
    if (ret->principal) who->principal = principal_name(ret->principal);
    who->roles = caller_roles(ret, http->arena);
    return OK;
}
