/*
 * metrics.c - the values of metrics.def, and how Prometheus reads them.
 *
 * The text exposition format (version 0.0.4): for each metric its # HELP and # TYPE, then one sample. Names
 * of counters end in _total, as the format's naming rules ask. Help texts are constants of metrics.def
 * without backslash or newline, the two characters that would need escaping (metrics_test.c holds that).
 */
#include "storage/base/metrics.h"

_Atomic int64_t metric_values[METRIC_COUNT];
struct histogram metric_histograms[METRIC_HISTOGRAM_COUNT];

static const struct {
    const char *name, *type, *help;
} metrics[METRIC_COUNT] = {
#define COUNTER(name_, help_) [METRIC_##name_] = { "firn_" #name_ "_total", "counter", help_ },
#define GAUGE(name_, help_) [METRIC_##name_] = { "firn_" #name_, "gauge", help_ },
#define HISTOGRAM(name_, help_)
#include "storage/base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static const struct {
    const char *name, *help;
} histograms[METRIC_HISTOGRAM_COUNT] = {
#define COUNTER(name_, help_)
#define GAUGE(name_, help_)
#define HISTOGRAM(name_, help_) [METRIC_HISTOGRAM_##name_] = { "firn_" #name_ "_seconds", help_ },
#include "storage/base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

void metrics_print(struct buf *out)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s ", metrics[i].name, metrics[i].help, metrics[i].name,
                   metrics[i].type, metrics[i].name);
        buf_i64(out, atomic_load_explicit(&metric_values[i], memory_order_relaxed));
        buf_char(out, '\n');
    }
    for (int i = 0; i < METRIC_HISTOGRAM_COUNT; i++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", histograms[i].name, histograms[i].help,
                   histograms[i].name);
        histogram_print(&metric_histograms[i], histograms[i].name, STR_NONE, out);
    }
}
