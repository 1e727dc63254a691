/*
 * metrics.h - counters, gauges and histograms, one row each in metrics.def. The hot path does one relaxed add, or two.
 */
#ifndef STORAGE_BASE_METRICS_H
#define STORAGE_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/histogram.h"

enum metric {
#define COUNTER(name, help) METRIC_##name,
#define GAUGE(name, help) METRIC_##name,
#define HISTOGRAM(name, help)
#include "storage/base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_COUNT,
};

enum metric_histogram {
#define COUNTER(name, help)
#define GAUGE(name, help)
#define HISTOGRAM(name, help) METRIC_HISTOGRAM_##name,
#include "storage/base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_HISTOGRAM_COUNT,
};

extern _Atomic int64_t metric_values[METRIC_COUNT];
extern struct histogram metric_histograms[METRIC_HISTOGRAM_COUNT];

#define METRIC_ADD(name, n) atomic_fetch_add_explicit(&metric_values[METRIC_##name], (int64_t)(n), memory_order_relaxed)
#define METRIC_SET(name, n) atomic_store_explicit(&metric_values[METRIC_##name], (int64_t)(n), memory_order_relaxed)
#define METRIC_GET(name) atomic_load_explicit(&metric_values[METRIC_##name], memory_order_relaxed)

/* How long something took. */
#define METRIC_OBSERVE(name, ns) histogram_add(&metric_histograms[METRIC_HISTOGRAM_##name], (ns))

/* All of them in the Prometheus text format: firn_NAME_total for counters, firn_NAME for gauges, firn_NAME_seconds for histograms. */
void metrics_print(struct buf *out);

#endif
