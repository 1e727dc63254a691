/* histogram_test.c - every duration is in the buckets whose bound it does not exceed. */
#include "storage/base/histogram.h"

#include "tests/unit/test.h"

TEST(a_histogram_prints_cumulative_buckets_sum_and_count)
{
    static struct histogram h;
    struct buf b;

    histogram_add(&h, 0);
    histogram_add(&h, 100000); /* a bound belongs to its bucket */
    histogram_add(&h, 100001);
    histogram_add(&h, 11000000000);
    CHECK_U64(histogram_count(&h), 4);
    buf_init(&b, 1 << 16);
    histogram_print(&h, "firn_x_seconds", STR(""), &b);
    CHECK(
        str_starts(buf_view(&b),
                   STR("firn_x_seconds_bucket{le=\"0.0001\"} 2\nfirn_x_seconds_bucket{le=\"0.00025\"} 3\n")));
    CHECK(str_ends(buf_view(&b),
                   STR("firn_x_seconds_bucket{le=\"10\"} 3\nfirn_x_seconds_bucket{le=\"+Inf\"} 4\n"
                       "firn_x_seconds_sum 11.000200001\nfirn_x_seconds_count 4\n")));
    buf_clear(&b);
    histogram_print(&h, "firn_x_seconds", STR("api=\"s3\""), &b);
    CHECK(str_ends(buf_view(&b),
                   STR("firn_x_seconds_bucket{api=\"s3\",le=\"+Inf\"} 4\n"
                       "firn_x_seconds_sum{api=\"s3\"} 11.000200001\nfirn_x_seconds_count{api=\"s3\"} 4\n")));
    buf_done(&b);
}
