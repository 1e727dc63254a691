/*
 * histogram.h - how long things took, counted in buckets of fixed bounds.
 *
 * The bounds go from 100 microseconds (a flush of a fast disk) to 10 seconds (a client has given up), two or three a decade: with them the 99th percentile is known within
 * a factor of about two, which is what an alert needs. All histograms have the same ones, so that they can be added and compared.
 */
#ifndef STORAGE_BASE_HISTOGRAM_H
#define STORAGE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/base/buf.h"

#define HISTOGRAM_BOUNDS 13

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last is for what took longer than every bound */
    _Atomic uint64_t sum_ns;
};

/* From any thread: two relaxed adds. */
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_count(const struct histogram *h);

/* Samples NAME_bucket{LABELS,le="..."}, NAME_sum and NAME_count in the Prometheus text format, without HELP and TYPE. labels may be empty. */
void histogram_print(const struct histogram *h, const char *name, struct str labels, struct buf *out);

#endif
