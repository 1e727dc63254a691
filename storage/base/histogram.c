/*
 * histogram.c - two relaxed adds to count, sums to print.
 *
 * The count that is printed is the sum of the buckets that were read, not a counter of its own: so the last bucket and the count agree, as the format demands, also
 * while others add.
 */
#include "storage/base/histogram.h"

static const struct {
    uint64_t ns;
    const char *seconds; /* as it is printed */
} bounds[HISTOGRAM_BOUNDS] = {
    { 100000, "0.0001" },  { 250000, "0.00025" }, { 500000, "0.0005" }, { 1000000, "0.001" },
    { 2500000, "0.0025" }, { 5000000, "0.005" },  { 10000000, "0.01" }, { 25000000, "0.025" },
    { 50000000, "0.05" },  { 100000000, "0.1" },  { 500000000, "0.5" }, { 2500000000, "2.5" },
    { 10000000000, "10" },
};

void histogram_add(struct histogram *h, uint64_t ns)
{
    int i = 0;

    while (i < HISTOGRAM_BOUNDS && ns > bounds[i].ns) i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;

    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
    return count;
}

static void print_sample(struct buf *out, const char *name, const char *suffix, struct str labels)
{
    buf_printf(out, "%s%s", name, suffix);
    if (labels.len) buf_printf(out, "{%.*s}", STR_ARG(labels));
}

void histogram_print(const struct histogram *h, const char *name, struct str labels, struct buf *out)
{
    uint64_t count = 0;
    const uint64_t sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);

    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        count += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%.*s%sle=\"%s\"} %llu\n", name, STR_ARG(labels), labels.len ? "," : "",
                   i < HISTOGRAM_BOUNDS ? bounds[i].seconds : "+Inf", (unsigned long long)count);
    }
    print_sample(out, name, "_sum", labels);
    buf_printf(out, " %llu.%09llu\n", (unsigned long long)(sum_ns / 1000000000),
               (unsigned long long)(sum_ns % 1000000000));
    print_sample(out, name, "_count", labels);
    buf_printf(out, " %llu\n", (unsigned long long)count);
}
