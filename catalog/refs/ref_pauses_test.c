#include "catalog/refs/ref_pauses.h"

#include "tests/unit/test.h"

#define UUID STR("00000000-0000-0000-0000-000000000001")
#define OTHER STR("00000000-0000-0000-0000-000000000002")

static const int64_t start_ms = 1700000000000;

/* From now until then, and no longer. */
static void check_pause(const struct ref_pauses *p, int64_t now_ms, int64_t length_ms)
{
    CHECK(ref_pauses_has(p, UUID, now_ms));
    CHECK(ref_pauses_has(p, UUID, now_ms + length_ms - 1));
    CHECK(!ref_pauses_has(p, UUID, now_ms + length_ms));
}

TEST(a_pause_doubles_up_to_an_hour_until_it_is_forgotten)
{
    static const int64_t seconds[] = { 30, 60, 120, 240, 480, 960, 1920, 3600, 3600 };
    struct ref_pauses p = { .rows = { { .until_ms = 0 } } };

    CHECK(!ref_pauses_has(&p, UUID, start_ms));
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        ref_pauses_grow(&p, UUID, start_ms);
        check_pause(&p, start_ms, seconds[i] * 1000);
    }
    CHECK(!ref_pauses_has(&p, OTHER, start_ms));
    ref_pauses_forget(&p, OTHER);
    CHECK(ref_pauses_has(&p, UUID, start_ms));
    ref_pauses_forget(&p, UUID);
    CHECK(!ref_pauses_has(&p, UUID, start_ms));
    ref_pauses_grow(&p, UUID, start_ms);
    check_pause(&p, start_ms, 30 * 1000);
}

TEST(a_clock_that_is_set_back_ends_a_pause)
{
    struct ref_pauses p = { .rows = { { .until_ms = 0 } } };

    ref_pauses_grow(&p, UUID, start_ms);
    CHECK(!ref_pauses_has(&p, UUID, start_ms - 2 * 3600 * 1000));
}

TEST(of_more_pauses_than_are_kept_the_first_to_end_goes)
{
    struct ref_pauses p = { .rows = { { .until_ms = 0 } } };
    char uuid[REF_UUID + 1];

    ref_pauses_grow(&p, UUID, start_ms);
    for (int i = 0; i < LIMIT_REF_PAUSES; i++) {
        (void)snprintf(uuid, sizeof(uuid), "%036d", 100 + i);
        ref_pauses_grow(&p, str_from_z(uuid), start_ms + 1 + i);
        CHECK(ref_pauses_has(&p, str_from_z(uuid), start_ms + 1 + i));
        CHECK(ref_pauses_has(&p, UUID, start_ms) == (i < LIMIT_REF_PAUSES - 1));
    }
}
