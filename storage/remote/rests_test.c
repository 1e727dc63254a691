#include "storage/remote/rests.h"

#include "tests/unit/test.h"

static struct remote_place place_of(const char *endpoint, const char *profile, const char *bucket)
{
    return (struct remote_place){ .endpoint = str_from_z(endpoint),
                                  .profile = str_from_z(profile),
                                  .bucket = str_from_z(bucket) };
}

TEST(a_rest_is_over_when_its_time_has_passed_or_it_is_ended)
{
    struct rests r;
    const struct remote_place p = place_of("http://a", "", "lake");

    rests_init(&r);
    CHECK(!rests_has(&r, &p, 1000));
    rests_set(&r, &p, 2000);
    CHECK(rests_has(&r, &p, 1000) && !rests_has(&r, &p, 2000));
    rests_set(&r, &p, 0);
    CHECK(!rests_has(&r, &p, 1000));
    rests_done(&r);
}

TEST(a_place_is_endpoint_credentials_and_bucket)
{
    struct rests r;
    const struct remote_place p = place_of("http://a", "b", "c");
    const struct remote_place others[] = { place_of("http://a", "b", "d"), place_of("http://a", "", "c"),
                                           place_of("http://b", "b", "c"), place_of("http://a", "bc", ""),
                                           place_of("http://ab", "", "c") };

    rests_init(&r);
    rests_set(&r, &p, 2000);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CHECK(!rests_has(&r, &others[i], 1000));
        rests_set(&r, &others[i], 0);
        CHECK(rests_has(&r, &p, 1000));
    }
    rests_done(&r);
}

TEST(when_too_many_rest_the_one_that_ends_first_ends)
{
    struct rests r;
    char name[16];

    rests_init(&r);
    for (size_t i = 0; i <= LIMIT_REMOTE_RESTS; i++) {
        (void)snprintf(name, sizeof(name), "b%zu", i);
        const struct remote_place p = place_of("http://a", "", name);
        rests_set(&r, &p, 2000 + i);
        CHECK(rests_has(&r, &p, 1000));
    }
    const struct remote_place first = place_of("http://a", "", "b0"), second = place_of("http://a", "", "b1");
    CHECK(!rests_has(&r, &first, 1000) && rests_has(&r, &second, 1000));
    rests_done(&r);
}
