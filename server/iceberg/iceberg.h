/*
 * iceberg.h - the Iceberg REST edge: /api/catalog/v1/... and /iceberg/v1/...
 *
 * The same shape as the S3 edge: rest_ops.c is the table of operations (method, path template, permission, handler), rest_dispatch.c says what happens to each, handlers by subject.
 */
#ifndef SERVER_ICEBERG_ICEBERG_H
#define SERVER_ICEBERG_ICEBERG_H

#include <stdio.h>

#include "admin/iam/audit_log.h"
#include "admin/iam/iam.h"
#include "server/http/http.h"
#include "storage/object/object.h"

struct iceberg_options {
    struct store *store;
    const struct iam *iam;
    struct str s3_endpoint;             /* what clients are told; empty: from the request's Host, with s3_port */
    const struct str *s3_endpoint_map;  /* "CATALOG-HOST=S3-URL" each */
    size_t s3_endpoint_map_count;
    uint16_t s3_port;
    struct str region;                  /* told to clients; empty: us-east-1 */
    int64_t token_ttl_s, vended_ttl_s;
    struct audit_log *audit;            /* NULL: nothing is kept of what changes nothing */
    bool audit_reads;
};

struct iceberg;
struct err iceberg_new(const struct iceberg_options *options, struct iceberg **ret); /* options are copied, strings borrowed */
struct iceberg *iceberg_free(struct iceberg *i);
const struct http_app *iceberg_app(struct iceberg *i);

/* The table of operations, for --list-rest-operations: a line a row, tab-separated: name, method, path below the base, permission, body, listed in `endpoints` or not. */
void rest_ops_print(FILE *out);

#endif
