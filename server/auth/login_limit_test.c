#include "server/auth/login_limit.h"

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
