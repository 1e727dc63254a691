#include "storage/remote/waiters.h"

#include <stdio.h>

#include "tests/unit/test.h"

static struct waiter_row *enter(struct waiters *w, const char *endpoint, uint64_t now_ms)
{
    struct waiter_row *row = NULL;

    CHECK(waiters_enter(w, str_from_z(endpoint), now_ms, &row));
    return row;
}

TEST(a_failing_endpoint_has_a_few_waiters_and_others_have_theirs)
{
    struct waiters w;
    struct waiter_row *row = NULL, *rows[LIMIT_REMOTE_WAITERS];

    waiters_init(&w);
    waiters_leave(&w, enter(&w, "a", 1000), true, 1000);
    for (int i = 0; i < LIMIT_REMOTE_WAITERS; i++) rows[i] = enter(&w, "a", 1001);
    CHECK(!waiters_enter(&w, STR("a"), 1001, &row));
    waiters_leave(&w, enter(&w, "b", 1001), false, 1001);
    waiters_leave(&w, enter(&w, "a", 1000 + LIMIT_REMOTE_WARY_MS), false, 1000); /* it is given a chance */
    waiters_leave(&w, rows[0], false, 1002);
    waiters_leave(&w, enter(&w, "a", 1002), false, 1002);
    waiters_done(&w);
}

TEST(endpoints_that_are_waited_for_keep_their_rows)
{
    struct waiters w;
    struct waiter_row *rows[LIMIT_REMOTE_ENDPOINTS];
    char name[16];

    waiters_init(&w);
    for (int i = 0; i < LIMIT_REMOTE_ENDPOINTS; i++) {
        (void)snprintf(name, sizeof(name), "e%d", i);
        rows[i] = enter(&w, name, 1000);
        CHECK(rows[i]);
    }
    CHECK(!enter(&w, "one more", 1000)); /* and may call: it is not counted */
    waiters_leave(&w, NULL, true, 1000);
    waiters_leave(&w, rows[7], false, 1000);
    CHECK(enter(&w, "one more", 1000) == rows[7]);
    waiters_done(&w);
}
