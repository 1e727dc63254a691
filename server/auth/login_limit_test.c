#include "server/auth/login_limit.h"

#include <stdio.h>

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(d20_a_guesser_is_slowed_down_and_others_are_not)
{
    for (int i = 0; i < LIMIT_LOGIN_FAILURES; i++) {
        CHECK_OK(login_may_try(STR("alice"), STR("10.0.0.1")));
        login_failed(STR("alice"), STR("10.0.0.1"));
    }
    CHECK_ERR(login_may_try(STR("alice"), STR("10.0.0.1")), ERR_BUSY);
    CHECK_OK(login_may_try(STR("alice"), STR("10.0.0.2")));
    CHECK_OK(login_may_try(STR("bob"), STR("10.0.0.1")));
}

/* With one row of places two of these would be taken for the guesser. */
TEST(d20_of_ten_thousand_others_nobody_is_taken_for_the_guesser)
{
    uint32_t refused = 0;

    for (int i = 0; i < LIMIT_LOGIN_FAILURES; i++) login_failed(STR("alice"), STR("10.0.0.1"));
    for (int i = 0; i < 10000; i++) {
        char name[16];
        const int len = snprintf(name, sizeof(name), "client-%d", i);
        refused += login_may_try(str_of(name, (size_t)len), STR("10.0.0.1")).code != ERR_OK;
    }
    CHECK_U64(refused, 0);
}
