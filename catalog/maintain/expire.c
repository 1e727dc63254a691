/*
 * expire.c - look, choose, commit; again if somebody was faster.
 */
#include "catalog/maintain/expire.h"

#include <string.h>

#include "catalog/maintain/catch_up.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

enum { ATTEMPTS = 3 };

/* ---- which files ---- */

static struct err find_row(struct store *s, struct str uuid, struct arena *arena, struct table_row *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(s->meta, &view));
    return ref_row_of(view, uuid, arena, ret);
}

static struct err find_files(struct store *s, const json_t *metadata, const json_t *updates, struct str uuid,
                             struct arena *arena, struct impact *ret)
{
    const struct apply_input in = {
        .kind = METADATA_TABLE, .base = metadata, .updates = updates, .now_ms = clock_now_ms()
    };
    struct apply_output out = { .metadata = NULL };
    struct table_row row;

    TRY(catch_up(s, uuid));
    TRY(find_row(s, uuid, arena, &row));
    TRY(apply_commit(&in, &out));
    const struct err e = impact_of(s, &row, metadata, out.metadata, arena, ret);
    json_decref(out.metadata);
    return e;
}

/* ---- when ---- */

struct mark {
    struct str uuid;
    size_t count;
};

static struct err mark_fn(struct txn *txn, void *arg)
{
    const struct mark *m = arg;
    struct ref_table t;
    const struct err e = ref_table_get(txn_rows(txn), m->uuid, &t);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    t.expired_ms = clock_now_ms();
    t.expired = m->count;
    return ref_table_put(txn, m->uuid, &t);
}

/* For status only: what was done is done. */
static void mark(struct store *s, const struct expire_request *request, const struct table_info *info,
                 size_t count)
{
    struct mark m = { .uuid = str_from_z(info->uuid), .count = count };
    const struct err e = meta_run(s->meta, mark_fn, &m);

    if (e.code != ERR_OK) LOG_WARN("the time of an expiry could not be noted", ERRF(e));
    METRIC_ADD(maintenance_snapshots_expired, count);
    LOG_INFO("snapshots expired", STRV("catalog", request->catalog), STRV("table", request->ident.name),
             STRF("uuid", info->uuid), U64("snapshots", count));
}

/* ---- once ---- */

static struct err commit(struct store *s, const struct expire_request *request, const json_t *updates,
                         uint64_t version, struct arena *arena)
{
    const struct table_change change = { .ident = request->ident,
                                         .updates = updates,
                                         .only_version = version };
    struct table_info info;

    return table_commit(s, request->catalog, &change, 1, request->who, arena, &info);
}

static struct err expire_once(struct store *s, const struct expire_request *request, struct arena *arena,
                              struct expire_report *ret)
{
    const struct expiry_rule rule = { clock_now_ms(), request->older_than_ms, request->keep };
    json_t *metadata = NULL;
    struct table_info info;

    TRY(table_load(s, request->catalog, &request->ident, arena, &info));
    memcpy(ret->uuid, info.uuid, sizeof(ret->uuid));
    TRY(metadata_parse(METADATA_TABLE, info.metadata, &metadata));
    if (!json_defer(arena, metadata)) return no_memory(); /* names of refs point into it */
    ret->choice = (struct expiry_choice){ .count = 0 };
    ret->impact = (struct impact){ .is_known = true };
    if (request->is_asked_only && !expiry_is_asked_for(metadata)) return OK;
    TRY(expiry_select(metadata, &rule, arena, &ret->choice));
    if (ret->choice.count + ret->choice.ref_count == 0) return OK;
    CLEANUP(json_freep) json_t *updates = expiry_updates(&ret->choice);
    if (!updates) return no_memory();
    if (request->wants_files)
        TRY(find_files(s, metadata, updates, str_from_z(info.uuid), arena, &ret->impact));
    if (request->is_dry_run) return OK;
    TRY(commit(s, request, updates, info.version, arena));
    mark(s, request, &info, ret->choice.count);
    return OK;
}

struct err expire_table(struct store *s, const struct expire_request *request, struct arena *arena,
                        struct expire_report *ret)
{
    struct err e = OK;

    for (int i = 0; i < ATTEMPTS; i++) {
        e = expire_once(s, request, arena, ret);
        if (e.code != ERR_COMMIT_FAILED) break;
    }
    return e;
}
