/*
 * maintain.c - the steps of the background.
 */
#include "catalog/maintain/maintain.h"

#include <stdlib.h>

#include "catalog/maintain/expire.h"
#include "catalog/maintain/maintain_state.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

static const struct actor server_actor = { .principal = STR("firn"),
                                           .request_id = STR("maintenance"),
                                           .address = STR("-") };

struct err maintain_new(const struct maintain_options *options, struct maintain **ret)
{
    struct maintain *m = calloc(1, sizeof(*m));

    if (!m) return no_memory();
    m->options = *options;
    m->rate = rate_of(options->rate);
    *ret = m;
    return OK;
}

struct maintain *maintain_free(struct maintain *m)
{
    if (!m) return NULL;
    walk_done(&m->walk);
    if (m->is_scanning) orphan_scan_done(&m->orphans);
    free(m);
    return NULL;
}

void maintain_stop(struct maintain *m)
{
    atomic_store(&m->is_stopping, true);
}

static struct err counted(struct err e)
{
    if (e.code == ERR_CLOSED) return OK; /* it goes on after the next start */
    if (e.code != ERR_OK) METRIC_ADD(maintenance_failures, 1);
    return e;
}

/* ---- rounds ---- */

static bool round_runs(struct round *r, const struct maintain *m)
{
    if (m->options.interval_s == 0) return false;
    if (!r->is_running) r->is_running = clock_mono_ms() >= r->next_ms;
    return r->is_running;
}

static void round_ends(struct round *r, const struct maintain *m)
{
    r->is_running = false;
    r->next_ms = clock_mono_ms() + m->options.interval_s * 1000;
}

/* ---- references ---- */

static struct err deletes_metadata(struct maintain *m, struct str uuid, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table t = { .deletes_metadata = false };

    TRY(view_open(m->options.store->meta, &view));
    const struct err e = ref_table_get(view, uuid, &t);
    *ret = e.code == ERR_OK && t.deletes_metadata;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* Metadata files have no grace: they go as soon as it is known that they may. */
static struct err delete_metadata(struct maintain *m, struct str uuid)
{
    bool is_asked = false;
    const struct deletion_rule rule = { .files_max = LIMIT_PAGE, .is_metadata_only = true };
    struct deletion_cursor cursor = { .at = { .len = 0 } };
    struct deletion_result result;

    TRY(deletes_metadata(m, uuid, &is_asked));
    return is_asked ? deletion_step(m->options.store, uuid, &rule, &cursor, &result) : OK;
}

struct err maintain_index_step(struct maintain *m, bool *ret_more)
{
    struct store *s = m->options.store;
    bool more = false;

    if (!m->is_adopted) {
        TRY(counted(refs_adopt(s, &m->adopting, &more)));
        m->is_adopted = !more;
        *ret_more = true;
        return OK;
    }
    TRY(counted(refs_step(s, &m->indexing, &m->pauses, &m->is_stopping, ret_more)));
    return *ret_more ? counted(delete_metadata(m, str_from_z(m->indexing.uuid))) : OK;
}

/* ---- tables ---- */

static struct err read_again(struct maintain *m, struct str uuid)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool has_unread = false;

    TRY(view_open(m->options.store->meta, &view));
    TRY(ref_any(view, SPACE_REF_TODO, uuid, &has_unread));
    view = view_close(view);
    if (!has_unread) return OK;
    const struct err e = refs_try(m->options.store, &m->pauses, uuid, &m->is_stopping);
    return e.code == ERR_CONFLICT || e.code == ERR_UNAVAILABLE ? OK : e; /* the table's row says why */
}

bool maintain_expire_from(struct str text, enum maintain_expire *ret)
{
    static const char *const words[] = { [MAINTAIN_EXPIRE_OFF] = "off",
                                         [MAINTAIN_EXPIRE_PROPERTIES] = "properties",
                                         [MAINTAIN_EXPIRE_ALL] = "all" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!str_is(text, words[i])) continue;
        *ret = (enum maintain_expire)i;
        return true;
    }
    return false;
}

/* The nearest namespace that says it, else the server's. */
static struct err expire_mode(struct maintain *m, const struct walked *table, struct arena *arena,
                              enum maintain_expire *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row catalog;
    struct ns_path path = table->ident.ns;

    *ret = m->options.expire;
    TRY(view_open(m->options.store->meta, &view));
    TRY(catalog_row_get(view, table->catalog, arena, &catalog));
    for (; path.count > 0; path.count--) {
        struct ns_row ns;
        TRY(ns_row_get(view, catalog.id, &path, arena, &ns));
        const json_t *said = json_object_get(json_object_get(ns.json, "properties"), "firn.expire-snapshots");
        if (maintain_expire_from(json_str(said), ret)) return OK;
    }
    return OK;
}

/* Met again in the next round, if at all: the table refuses, others change it all the time, or it has gone under the walk. */
static bool is_for_another_time(struct err e)
{
    return e.code == ERR_INVALID || e.code == ERR_COMMIT_FAILED || e.code == ERR_NO_SUCH_TABLE
        || e.code == ERR_NO_SUCH_NAMESPACE || e.code == ERR_NO_SUCH_WAREHOUSE;
}

static struct err try_expire(struct maintain *m, const struct walked *table, struct arena *arena)
{
    struct expire_report report;
    enum maintain_expire mode;

    TRY(expire_mode(m, table, arena, &mode));
    if (mode == MAINTAIN_EXPIRE_OFF) return OK;
    const struct expire_request request = {
        .catalog = table->catalog,
        .ident = table->ident,
        .older_than_ms = -1,
        .keep = -1,
        .is_asked_only = mode == MAINTAIN_EXPIRE_PROPERTIES,
        .who = &server_actor,
    };
    return expire_table(m->options.store, &request, arena, &report);
}

static struct err expire_some(struct maintain *m, const struct walked *table, struct arena *arena)
{
    const struct err e = try_expire(m, table, arena);

    if (!is_for_another_time(e)) return e;
    LOG_DEBUG("a table's snapshots do not expire now", STRV("table", table->ident.name), ERRF(e));
    return OK;
}

static struct err removes_orphans(struct maintain *m, struct str uuid, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table t = { .removes_orphans = false };

    TRY(view_open(m->options.store->meta, &view));
    const struct err e = ref_table_get(view, uuid, &t);
    *ret = e.code == ERR_OK && (t.removes_orphans || m->options.removes_orphans)
        && clock_now_ms() - t.orphans_ms >= ORPHAN_ROUND_MS;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err scanned_fn(struct txn *txn, void *arg)
{
    const struct str *uuid = arg;
    struct ref_table t;
    const struct err e = ref_table_get(txn_rows(txn), *uuid, &t);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    t.orphans_ms = clock_now_ms();
    return ref_table_put(txn, *uuid, &t);
}

static void end_scan(struct maintain *m)
{
    if (m->orphans.removed_files)
        LOG_INFO("orphans removed", STRF("table", m->orphans.uuid), U64("files", m->orphans.removed_files),
                 U64("bytes", m->orphans.removed_bytes));
    orphan_scan_done(&m->orphans);
    m->is_scanning = false;
}

/* A file at another endpoint was not deleted: the scan goes on behind it, at once or, when the endpoint rests, with the next one, a day later. Sooner, that file would have the bucket rest each time, and the tables behind this
 * one would be passed over in each round. */
static struct err scan_passed(struct maintain *m, struct err e)
{
    struct str uuid = str_from_z(m->orphans.uuid);
    char why[256];
    bool rests = false;

    e = err_keep(e, why, sizeof(why));
    TRY(refs_rest(m->options.store, uuid, &rests));
    if (rests) {
        orphan_stops_keep(&m->stops, &m->orphans);
        TRY(meta_run(m->options.store->meta, scanned_fn, &uuid));
        end_scan(m);
    }
    return err_fail(e.code, "%s", why);
}

static struct err scan_orphans(struct maintain *m)
{
    const struct orphan_rule rule = { .removes = true };
    struct str uuid = str_from_z(m->orphans.uuid);
    struct err e = orphan_scan_step(m->options.store, &m->orphans, &rule);

    if (e.code == ERR_OK && !m->orphans.is_end) return OK;
    if (m->orphans.has_passed) return scan_passed(m, e);
    if (e.code == ERR_OK) e = meta_run(m->options.store->meta, scanned_fn, &uuid);
    end_scan(m);
    return e;
}

static struct err visit_table(struct maintain *m, const struct walked *table, struct arena *arena)
{
    bool removes = false, rests = false;

    if (table->is_external) TRY(refs_rest(m->options.store, table->uuid, &rests));
    if (rests) return OK; /* in the next round */
    TRY(read_again(m, table->uuid));
    TRY(expire_some(m, table, arena));
    TRY(removes_orphans(m, table->uuid, &removes));
    if (!removes) return OK;
    orphan_scan_init(&m->orphans, table->uuid, false);
    orphan_stops_take(&m->stops, &m->orphans);
    m->is_scanning = true;
    return OK;
}

struct err maintain_walk_step(struct maintain *m, bool *ret_more)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    struct walked table;
    bool found = false;

    *ret_more = round_runs(&m->walking, m);
    if (!*ret_more) return OK;
    if (m->is_scanning) return counted(scan_orphans(m));
    if (!arena) return no_memory();
    TRY(counted(walk_next(m->options.store, &m->walk, arena, &table, &found)));
    if (found) return counted(visit_table(m, &table, arena));
    round_ends(&m->walking, m);
    *ret_more = false;
    return OK;
}

/* ---- the queue ---- */

static void say_deleted(struct maintain *m)
{
    if (m->deleted_files)
        LOG_INFO("files that nothing needs were deleted", U64("files", m->deleted_files),
                 U64("bytes", m->deleted_bytes));
    m->deleted_files = m->deleted_bytes = 0;
}

struct err maintain_delete_step(struct maintain *m, bool *ret_more)
{
    struct deletion_result result = { .files = 0 };
    struct deletion_rule rule = { .grace_ms = (int64_t)m->options.grace_s * 1000 };

    *ret_more = false;
    if (!round_runs(&m->deleting, m)) return OK;
    rule.files_max = (size_t)rate_left(&m->rate);
    if (rule.files_max == 0)
        return OK; /* the thread comes back when there is nothing else to do, or in a second */
    const struct err e = deletion_step(m->options.store, STR_NONE, &rule, &m->cursor, &result);
    rate_take(&m->rate, result.files + result.failed);
    m->deleted_files += result.files;
    m->deleted_bytes += result.bytes;
    *ret_more = !result.is_end;
    if (result.is_end) {
        say_deleted(m);
        round_ends(&m->deleting, m);
    }
    return counted(e);
}
