/*
 * manage.h - the management edge: /api/management/v1/..., Apache Polaris' API for catalogs, principals, roles and grants.
 *
 * The same shape as the other edges: manage_ops.c is the table of operations, manage_dispatch.c says what happens to each, handlers by subject.
 */
#ifndef SERVER_MANAGE_MANAGE_H
#define SERVER_MANAGE_MANAGE_H

#include <stdio.h>

#include "admin/iam/audit_log.h"
#include "admin/iam/iam.h"
#include "server/http/http.h"
#include "storage/object/object.h"

#define MANAGE_BASE "/api/management/v1"

struct manage_options {
    struct store *store;
    struct iam *iam;
    struct audit_log *audit;
    bool audit_reads;
};

struct manage;
struct err manage_new(const struct manage_options *options, struct manage **ret); /* options are copied, what they point to is borrowed */
struct manage *manage_free(struct manage *m);
const struct http_app *manage_app(struct manage *m);

/* The table of operations, for --list-management-operations: a line a row, tab-separated: name, method, path below the base, privileges wanted, on what, body. */
void manage_ops_print(FILE *out);

#endif
