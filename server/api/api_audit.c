/*
 * api_audit.c - how a request ended, in the words of the audit log.
 */
#include "server/api/api_audit.h"

static struct str outcome_of(int status)
{
    if (status < 400) return STR("ok");
    if (status == 401 || status == 403 || status == 429) return STR("denied");
    return status == 404 ? STR("not found") : STR("failed");
}

/* A change that succeeded has its row already. */
static bool is_wanted(const struct http_request *http, int status, const struct api_audited *what)
{
    const bool is_read = http->method == HTTP_GET || http->method == HTTP_HEAD;

    return status >= 400 || what->is_act || (is_read && what->has_reads);
}

void api_audit(struct audit_log *log, const struct http_request *http, const struct api_audited *what)
{
    const int status = http_status(http);

    if (!is_wanted(http, status, what)) return;
    audit_log_add(
        log,
        &(struct audit_event){ .who = *what->who,
                               .operation = str_from_z(what->operation ? what->operation : "unknown"),
                               .object = what->object,
                               .outcome = outcome_of(status),
                               .status = status });
}
