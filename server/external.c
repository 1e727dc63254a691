/*
 * external.c - the settings external-*.
 */
#include "server/external.h"

#include "storage/base/limits.h"

struct err external_open(const struct config *config, struct arena *arena, struct remote **ret)
{
    const char *file = config->external_credentials.len ? arena_z(arena, config->external_credentials) : NULL;
    const struct remote_options o = {
        .credentials_file = file,
        .access_key = config->external_access_key,
        .secret_key = config->external_secret_key,
        .session_token = config->external_session_token,
        .timeout_ms = config->external_timeout_s * 1000,
        .cache_bytes = LIMIT_REMOTE_CACHE,
    };

    if (config->external_credentials.len && !file) return no_memory();
    const struct err e = remote_new(&o, ret);
    if (e.code == ERR_OK || !file) return e;
    return err_fail(ERR_INVALID, "setting 'external-credentials': %s", e.why);
}
