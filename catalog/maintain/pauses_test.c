/*
 * pauses_test.c - a table whose files may not be read at another endpoint, whose bucket rests after each try.
 */
#include "catalog/maintain/maintain_state.h"
#include "catalog/maintain/sweep_test.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define MINUTE_MS (60LL * 1000)

/* As if the time of the rest had passed. */
static void end_rest(struct lake *l)
{
    const struct remote_place p = { .endpoint = str_from_z(l->far->url), .bucket = STR("lake") };

    CHECK_OK(remote_check_bucket(l->store.remote, &p, l->arena));
}

/* What the background does in a while: references after commits, then a round of all tables. */
static void work(struct lake *l, struct maintain *m)
{
    bool more = true;

    while (more) CHECK_OK(maintain_index_step(m, &more));
    end_rest(l);
    m->walking.next_ms = 0;
    for (more = true; more;) CHECK_OK(maintain_walk_step(m, &more));
    end_rest(l);
}

TEST(a_table_whose_list_is_denied_is_tried_less_and_less)
{
    struct lake l;
    struct maintain *m = NULL;

    lake_open_far(&l);
    lake_manifest(&l, "m1", "a");
    lake_list(&l, "l1", "m1");
    CHECK_OK(lake_snapshot(&l, 1, "l1"));
    const struct maintain_options o = { .store = &l.store, .interval_s = 1000, .rate = 1000 };
    CHECK_OK(maintain_new(&o, &m));
    l.far->fail_path = "/lake/t/l1";
    l.far->fail_status = 403;
    l.far->fail_code = "AccessDenied";
    l.far->fail_next = 1000;
    for (int minute = 0; minute < 3 * 60; minute++) {
        clock_set_offset_ms(minute * MINUTE_MS);
        work(&l, m);
    }
    const int tries = 1000 - l.far->fail_next;
    CHECK(tries >= 7 && tries <= 10); /* 30 s, 1 min, 2, 4, 8, 16, 32, 60, 60 */
    CHECK(!lake_is_whole(&l) && lake_table(&l).why[0]);
    l.far->fail_next = 0;
    clock_set_offset_ms(5 * 60 * MINUTE_MS);
    work(&l, m);
    CHECK(lake_is_whole(&l));
    maintain_free(m);
    lake_close(&l);
}
