#include "storage/base/rate.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(a_rate_begins_with_a_second_and_a_debt_leaves_nothing)
{
    struct rate r = rate_of(1000);

    CHECK_U64(rate_left(&r), 1000); /* never more than a second's worth */
    rate_take(&r, 400);
    CHECK(rate_left(&r) >= 600 && rate_left(&r) <= 1000);
    r = rate_of(1);
    rate_take(&r, 1000000000);
    CHECK_U64(rate_left(&r), 0);
}

TEST(a_rate_comes_back_with_time_up_to_a_second)
{
    struct rate r = rate_of(1000);

    rate_take(&r, 1500);
    r.at_ms -= 700; /* it was so this long ago */
    CHECK(rate_left(&r) >= 200);
    r.at_ms -= 1000000;
    CHECK_U64(rate_left(&r), 1000);
}
