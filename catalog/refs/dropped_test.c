/*
 * dropped_test.c - a commit that lets go of more than its note holds, of a table whose files are at another endpoint: what it let go is read from the metadata before.
 */
#include "catalog/commit/warehouse.h"
#include "catalog/refs/lake_test.h"
#include "catalog/refs/refs.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

enum { SNAPSHOTS = 200, NAME = 400 }; /* their names are more than LIMIT_NOTE_NAMES */

static struct err commit(struct lake *l, struct buf *updates)
{
    buf_char(updates, '\0');
    const struct err e = lake_commit(l, updates->data);
    buf_done(updates);
    return e;
}

static void add_snapshots(struct lake *l)
{
    struct buf updates;

    buf_init(&updates, 4 * MIB);
    for (int id = 1; id <= SNAPSHOTS; id++)
        buf_printf(&updates,
                   "%c{\"action\":\"add-snapshot\",\"snapshot\":{\"snapshot-id\":%d,\"sequence-number\":%d,"
                   "\"timestamp-ms\":%lld,\"manifest-list\":\"s3://lake/t/%0*d\","
                   "\"summary\":{\"operation\":\"append\"},\"schema-id\":0}}",
                   id == 1 ? '[' : ',', id, id, (long long)clock_now_ms(), NAME, id);
    buf_char(&updates, ']');
    CHECK_OK(commit(l, &updates));
}

static void remove_snapshots(struct lake *l)
{
    struct buf updates;

    buf_init(&updates, 1 * MIB);
    buf_z(&updates, "[{\"action\":\"remove-snapshots\",\"snapshot-ids\":[");
    for (int id = 1; id <= SNAPSHOTS; id++) buf_printf(&updates, "%s%d", id == 1 ? "" : ",", id);
    buf_z(&updates, "]}]");
    CHECK_OK(commit(l, &updates));
}

/* Without memory of files and of failures. */
static void renew_remote(struct lake *l)
{
    const struct remote_options o = {
        .access_key = STR("KEY"), .secret_key = STR("SECRET"), .timeout_ms = 10000, .cache_bytes = 1 * MIB
    };

    l->store.remote = remote_free(l->store.remote);
    CHECK_OK(remote_new(&o, &l->store.remote));
}

TEST(what_a_large_commit_let_go_is_not_forgotten_while_the_endpoint_is_away)
{
    static const int statuses[] = { 503, 403 };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct lake l;
        struct table_info before;
        const struct table_ident t = lake_ident();
        lake_open_far(&l);
        CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
        add_snapshots(&l);
        CHECK_OK(table_load(&l.store, STR("lake"), &t, l.arena, &before));
        remove_snapshots(&l);
        renew_remote(&l);
        l.far->fail_path =
            arena_printf(l.arena, "/%.*s", STR_ARG(str_from(before.metadata_location, 5))).data;
        l.far->fail_status = statuses[i];
        l.far->fail_next = 1000;
        CHECK_ERR(refs_work_in(&l.store, lake_uuid(&l), NULL), ERR_UNAVAILABLE);
        CHECK(!lake_is_whole(&l));
        l.far->fail_next = 0;
        renew_remote(&l);
        CHECK_OK(refs_work_in(&l.store, lake_uuid(&l), NULL));
        CHECK(lake_is_whole(&l));
        CHECK_U64(lake_table(&l).queued_files, SNAPSHOTS);
        lake_close(&l);
    }
}
