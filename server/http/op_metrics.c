/*
 * op_metrics.c - a row of counters an operation.
 *
 * Which edges there are is a short list of atomic pointers rather than a list under a lock: they come at the start, while another port may already be asked for its
 * metrics, and go after the last request.
 */
#include "server/http/op_metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/histogram.h"

static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
#define CLASS_COUNT (sizeof(classes) / sizeof(classes[0]))

struct row {
    _Atomic uint64_t by_class[CLASS_COUNT];
    struct histogram seconds;
};

struct op_metrics {
    const char *api;
    const char *(*name_of)(size_t i);
    size_t count;
    struct row rows[]; /* count + 1: the last is for requests of no operation */
};

static struct op_metrics *_Atomic all[OP_METRICS_MAX];

struct err op_metrics_new(const char *api, size_t count, const char *(*name_of)(size_t i),
                          struct op_metrics **ret)
{
    struct op_metrics *m = calloc(1, sizeof(*m) + (count + 1) * sizeof(m->rows[0]));
    int place = 0;

    if (!m) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    m->api = api;
    m->name_of = name_of;
    m->count = count;
    for (struct op_metrics *none = NULL; !atomic_compare_exchange_strong(&all[place], &none, m);
         none = NULL) {
        place++;
        assert(place < OP_METRICS_MAX);
    }
    *ret = m;
    return OK;
}

struct op_metrics *op_metrics_free(struct op_metrics *m)
{
    for (int i = 0; m && i < OP_METRICS_MAX; i++) {
        if (atomic_load(&all[i]) == m) atomic_store(&all[i], NULL);
    }
    free(m);
    return NULL;
}

void op_metrics_count(struct op_metrics *m, size_t op, const struct http_request *req)
{
    struct row *row = &m->rows[op < m->count ? op : m->count];
    const int hundreds = http_status(req) / 100; /* 0: the connection broke before there was an answer */

    atomic_fetch_add_explicit(&row->by_class[hundreds < (int)CLASS_COUNT ? hundreds : 0], 1,
                              memory_order_relaxed);
    histogram_add(&row->seconds, clock_mono_ns() - req->start_ns);
}

static struct str labels_of(const struct op_metrics *m, size_t i, char *text, size_t size)
{
    const int len = snprintf(text, size, "api=\"%s\",operation=\"%s\"", m->api,
                             i < m->count ? m->name_of(i) : "none");
    return str_of(text, len < (int)size ? (size_t)len : size - 1);
}

static void print_requests(const struct op_metrics *m, size_t i, struct buf *out)
{
    char text[128];
    const struct str labels = labels_of(m, i, text, sizeof(text));

    for (size_t c = 0; c < CLASS_COUNT; c++) {
        const uint64_t n = atomic_load_explicit(&m->rows[i].by_class[c], memory_order_relaxed);
        if (n == 0) continue;
        buf_printf(out, "firn_operation_requests_total{%.*s,status=\"%s\"} %llu\n", STR_ARG(labels),
                   classes[c], (unsigned long long)n);
    }
}

static void print_seconds(const struct op_metrics *m, size_t i, struct buf *out)
{
    char text[128];

    if (histogram_count(&m->rows[i].seconds) == 0) return;
    histogram_print(&m->rows[i].seconds, "firn_operation_seconds", labels_of(m, i, text, sizeof(text)), out);
}

static void print_each(void (*print)(const struct op_metrics *m, size_t i, struct buf *out), struct buf *out)
{
    for (int place = 0; place < OP_METRICS_MAX; place++) {
        const struct op_metrics *m = atomic_load(&all[place]);
        for (size_t i = 0; m && i <= m->count; i++) print(m, i, out);
    }
}

/* The samples of one metric stand together, as the format asks. */
void op_metrics_print(struct buf *out)
{
    buf_z(
        out,
        "# HELP firn_operation_requests_total Requests of each operation, by the class of their status; none: without an answer\n"
        "# TYPE firn_operation_requests_total counter\n");
    print_each(print_requests, out);
    buf_z(out,
          "# HELP firn_operation_seconds From the head of a request to the end of its answer\n"
          "# TYPE firn_operation_seconds histogram\n");
    print_each(print_seconds, out);
}
