/* sweep_test.c - see sweep_test.h; it has no tests of its own. */
#include "catalog/maintain/sweep_test.h"

#include "catalog/maintain/deletion.h"
#include "catalog/refs/refs.h"
#include "tests/unit/test.h"

void two_snapshots(struct lake *l)
{
    lake_manifest(l, "m1", "a b");
    lake_manifest(l, "m2", "c");
    lake_list(l, "l1", "m1 m2");
    lake_list(l, "l2", "m2");
    CHECK_OK(lake_snapshot(l, 1, "l1"));
    CHECK_OK(lake_snapshot(l, 2, "l2"));
    CHECK_OK(refs_work_in(&l->store, lake_uuid(l), NULL));
}

void expire_first(struct lake *l)
{
    CHECK_OK(lake_expire(l, 1));
    CHECK_OK(refs_work_in(&l->store, lake_uuid(l), NULL));
}

uint64_t sweep(struct lake *l, int64_t grace_ms)
{
    struct deletion_cursor cursor = { .at = { .len = 0 } };

    return sweep_on(l, grace_ms, &cursor);
}

uint64_t sweep_on(struct lake *l, int64_t grace_ms, struct deletion_cursor *cursor)
{
    const struct deletion_rule rule = { .grace_ms = grace_ms, .files_max = 1000 };
    struct deletion_result result = { .is_end = false };
    uint64_t files = 0;

    while (!result.is_end) {
        CHECK_OK(deletion_step(&l->store, STR_NONE, &rule, cursor, &result));
        files += result.files;
    }
    return files;
}

void check_there(struct lake *l, const char *places, bool want)
{
    struct str place;

    for (struct str_split it = str_split_on(str_from_z(places), ' '); str_split_next(&it, &place);) {
        const char *z = arena_z(l->arena, place);
        if (lake_has(l, z) != want)
            test_fail(__FILE__, __LINE__, "%s: wanted %s", z, want ? "there" : "gone");
    }
}
