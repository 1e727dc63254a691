/*
 * op_metrics.h - how many requests of each operation, how they ended, and how long they took.
 *
 * An edge has a table of operations; here it has a row of counters for each, and one more for requests that are none of them. So the labels are bounded by the tables, whatever
 * clients send. Counting is three relaxed adds. Time is from the head of a request to the end of its answer.
 *
 *   firn_operation_requests_total{api="s3",operation="PutObject",status="2xx"}
 *   firn_operation_seconds_bucket{api="s3",operation="PutObject",le="0.001"} ... _sum, _count
 *
 * An operation that was never asked for is not printed.
 */
#ifndef SERVER_HTTP_OP_METRICS_H
#define SERVER_HTTP_OP_METRICS_H

#include "server/http/http.h"
#include "storage/base/buf.h"

struct op_metrics;

/* name_of(i) for i < count: constants. From now on op_metrics_print prints it. ERR_NO_MEMORY. At most
 * OP_METRICS_MAX at a time. */
#define OP_METRICS_MAX 4
struct err op_metrics_new(const char *api, size_t count, const char *(*name_of)(size_t i), struct op_metrics **ret);
/* When nobody counts or prints any more. NULL is fine; returns NULL. */
struct op_metrics *op_metrics_free(struct op_metrics *m);

/* In an app's `done`: the request was one of operation op, or of none (op >= count). */
void op_metrics_count(struct op_metrics *m, size_t op, const struct http_request *req);

/* All that there are, HELP and TYPE before them. */
void op_metrics_print(struct buf *out);

#endif
