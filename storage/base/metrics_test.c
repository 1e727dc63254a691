/* metrics_test.c - what Prometheus reads is well formed. */
#include "storage/base/metrics.h"

#include "tests/unit/test.h"

static struct buf printed(void)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    metrics_print(&b);
    CHECK_OK(buf_err(&b));
    return b;
}

TEST(metrics_are_printed_with_help_and_type)
{
    METRIC_ADD(volume_appended_bytes, 5);
    METRIC_ADD(volume_appended_bytes, 7);
    METRIC_SET(http_connections, 3);
    METRIC_ADD(http_connections, -1);
    CHECK(METRIC_GET(volume_appended_bytes) == 12);

    struct buf b = printed();
    CHECK(str_contains(buf_view(&b),
                       STR("# HELP firn_volume_appended_bytes_total Bytes of bodies appended to volumes\n"
                           "# TYPE firn_volume_appended_bytes_total counter\n"
                           "firn_volume_appended_bytes_total 12\n")));
    CHECK(str_contains(buf_view(&b), STR("# TYPE firn_http_connections gauge\nfirn_http_connections 2\n")));
    buf_done(&b);
}

/* Three lines a counter or gauge, then histograms; none empty, and no character that the format would want escaped. */
TEST(every_metric_has_three_lines)
{
    static const struct str wanted[] = { STR("# HELP firn_"), STR("# TYPE firn_"), STR("firn_") };
    struct buf b = printed();
    struct str line;
    int lines = 0;

    CHECK(str_ends(buf_view(&b), STR("\n")));
    CHECK(!str_contains(buf_view(&b), STR("\\")));
    for (struct str_split it = str_split_on(str_of(b.data, b.len - 1), '\n'); str_split_next(&it, &line);
         lines++) {
        CHECK(str_starts(line,
                         lines < 3 * METRIC_COUNT  ? wanted[lines % 3]
                             : line.data[0] == '#' ? STR("# ")
                                                   : wanted[2]));
    }
    CHECK_U64(lines, 3 * METRIC_COUNT + METRIC_HISTOGRAM_COUNT * (2 + HISTOGRAM_BOUNDS + 1 + 2));
    buf_done(&b);
}

TEST(metrics_that_do_not_fit_are_an_error)
{
    struct buf b;

    buf_init(&b, 100);
    metrics_print(&b);
    CHECK_ERR(buf_err(&b), ERR_TOO_LARGE);
    buf_done(&b);
}
