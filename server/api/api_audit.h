/*
 * api_audit.h - what a request leaves in the audit log beside the row that a change wrote in its own transaction: that it was refused, that it failed, that it read.
 *
 * One call at the end of each request, from the edge's `done`: so a new operation is audited without a line of its own.
 */
#ifndef SERVER_API_API_AUDIT_H
#define SERVER_API_API_AUDIT_H

#include "admin/iam/audit_log.h"
#include "server/http/http.h"

struct api_audited {
    const struct actor *who;
    const char *operation;  /* NULL: no operation was found */
    struct str object;      /* what it was about: "ns.t", a principal's name; empty: not known */
    bool has_reads;         /* what only read is recorded too */
    bool is_act;            /* it did something, but no transaction of it has a row: it is recorded when it succeeds, whatever its method */
};

/* Outcomes: 401, 403 and 429 are "denied", 404 "not found" (also what one may not see), other errors "failed"; GET and HEAD that succeeded, and acts, are "ok". */
void api_audit(struct audit_log *log, const struct http_request *http, const struct api_audited *what);

#endif
