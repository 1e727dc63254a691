/*
 * metrics.h - counters and gauges, one row each in metrics.def. The hot path does one relaxed add.
 */
#ifndef STORAGE_BASE_METRICS_H
#define STORAGE_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/base/buf.h"

enum metric {
#define COUNTER(name, help) METRIC_##name,
#define GAUGE(name, help) METRIC_##name,
#include "storage/base/metrics.def"
#undef COUNTER
#undef GAUGE
    METRIC_COUNT,
};

extern _Atomic int64_t metric_values[METRIC_COUNT];

#define METRIC_ADD(name, n) atomic_fetch_add_explicit(&metric_values[METRIC_##name], (int64_t)(n), memory_order_relaxed)
#define METRIC_SET(name, n) atomic_store_explicit(&metric_values[METRIC_##name], (int64_t)(n), memory_order_relaxed)
#define METRIC_GET(name) atomic_load_explicit(&metric_values[METRIC_##name], memory_order_relaxed)

/* All of them in the Prometheus text format: firn_NAME_total for counters, firn_NAME for gauges. */
void metrics_print(struct buf *out);

#endif
