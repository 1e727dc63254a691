/*
 * by_hand.c - maintenance that somebody asks for: of one table, of a namespace, of a catalog; answered as JSON.
 */
#include "catalog/maintain/maintain.h"

#include <string.h>

#include "catalog/commit/warehouse_file.h"
#include "catalog/maintain/expire.h"
#include "catalog/maintain/maintain_state.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- which tables ---- */

static bool is_below(const struct ns_path *path, const struct ns_path *above)
{
    if (path->count < above->count) return false;
    for (size_t i = 0; i < above->count; i++) {
        if (!str_eq(path->levels[i], above->levels[i])) return false;
    }
    return true;
}

static bool is_in_scope(const struct maintain_scope *scope, const struct walked *t)
{
    if (!str_eq(t->catalog, scope->catalog) || !is_below(&t->ident.ns, &scope->ns)) return false;
    if (scope->table.len == 0) return true;
    return t->ident.ns.count == scope->ns.count && str_eq(t->ident.name, scope->table);
}

struct tables {
    struct walked *list;
    size_t count;
    bool is_cut;
};

static struct err one_table(struct store *s, const struct maintain_scope *scope, struct arena *arena,
                            struct tables *ret)
{
    const struct table_ident ident = { .ns = scope->ns, .name = scope->table };
    struct table_info info;

    TRY(table_stat(s, scope->catalog, &ident, arena, &info));
    ret->list[0] = (struct walked){ .catalog = scope->catalog,
                                    .ident = ident,
                                    .uuid = arena_str(arena, str_from_z(info.uuid)),
                                    .is_external = info.is_external };
    ret->count = 1;
    return ret->list[0].uuid.data ? OK : no_memory();
}

static struct err find_tables(struct store *s, const struct maintain_scope *scope, struct arena *arena,
                              struct tables *ret)
{
    CLEANUP(walk_done) struct walk walk = { .is_begun = false };
    struct catalog_info catalog;
    struct walked table;
    bool found = true;

    *ret = (struct tables){ .list = arena_array(arena, struct walked, LIMIT_REPORT_TABLES) };
    if (!ret->list) return no_memory();
    TRY(catalog_get(s, scope->catalog, arena, &catalog));
    if (scope->table.len) return one_table(s, scope, arena, ret);
    for (;;) {
        TRY(walk_next(s, &walk, arena, &table, &found));
        if (!found) return OK;
        if (!is_in_scope(scope, &table)) continue;
        ret->is_cut = ret->count == LIMIT_REPORT_TABLES;
        if (ret->is_cut) return OK;
        ret->list[ret->count++] = table;
    }
}

/* ---- what is said of each ---- */

static json_t *named(const struct walked *t)
{
    json_t *levels = json_array();

    for (size_t i = 0; i < t->ident.ns.count; i++)
        json_array_append_new(levels, json_of_str(t->ident.ns.levels[i]));
    return json_pack("{s:o, s:o, s:o}", "namespace", levels, "name", json_of_str(t->ident.name), "uuid",
                     json_of_str(t->uuid));
}

json_t *maintain_by_kind(const uint64_t files[REF_KIND_COUNT], const uint64_t bytes[REF_KIND_COUNT])
{
    json_t *kinds = json_object();

    for (int i = 0; i < REF_KIND_COUNT; i++)
        json_object_set_new(
            kinds, ref_kind_name((enum ref_kind)i),
            json_pack("{s:I, s:I}", "files", (json_int_t)files[i], "bytes", (json_int_t)bytes[i]));
    return kinds;
}

static uint64_t sum(const uint64_t numbers[REF_KIND_COUNT])
{
    uint64_t all = 0;

    for (int i = 0; i < REF_KIND_COUNT; i++) all += numbers[i];
    return all;
}

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *answer_new(const struct tables *tables, json_t **ret_list)
{
    *ret_list = json_array();
    return json_pack("{s:o, s:b}", "tables", *ret_list, "more", tables->is_cut);
}

/* ---- expiry ---- */

static void put_impact(json_t *row, const struct impact *i)
{
    json_t *paths = json_array();

    if (!i->is_known) {
        set(row, "files", json_null());
        set(row, "why", json_string(i->why));
        json_decref(paths);
        return;
    }
    for (size_t n = 0; n < i->path_count; n++) json_array_append_new(paths, json_of_str(i->paths[n]));
    set(row, "files", maintain_by_kind(i->files, i->bytes));
    set(row, "file-count", json_integer((json_int_t)sum(i->files)));
    set(row, "byte-count", json_integer((json_int_t)sum(i->bytes)));
    set(row, "paths", paths);
}

static json_t *expire_row(const struct walked *t, const struct expire_report *report)
{
    json_t *row = named(t), *ids = json_array(), *refs = json_array();

    for (size_t i = 0; i < report->choice.count; i++)
        json_array_append_new(ids, json_integer(report->choice.ids[i]));
    for (size_t i = 0; i < report->choice.ref_count; i++)
        json_array_append_new(refs, json_string(report->choice.refs[i]));
    set(row, "snapshots", ids);
    set(row, "refs", refs);
    put_impact(row, &report->impact);
    return row;
}

struct err maintain_expire(struct maintain *m, const struct maintain_scope *scope,
                           const struct maintain_expire_request *request, struct arena *arena, json_t **ret)
{
    struct store *s = m->options.store;
    struct tables tables;
    json_t *list;

    TRY(find_tables(s, scope, arena, &tables));
    CLEANUP(json_freep) json_t *answer = answer_new(&tables, &list);
    set(answer, "dry-run", json_boolean(request->is_dry_run));
    for (size_t i = 0; i < tables.count; i++) {
        CLEANUP(arena_freep) struct arena *scratch = arena_new(LIMIT_REST_ARENA);
        struct expire_report report = { .impact = { .is_known = true } };
        const struct expire_request one = { .catalog = scope->catalog,
                                            .ident = tables.list[i].ident,
                                            .older_than_ms = request->older_than_ms,
                                            .keep = request->keep,
                                            .is_dry_run = request->is_dry_run,
                                            .wants_files = true,
                                            .who = request->who };
        if (!scratch) return no_memory();
        const struct err e = expire_table(s, &one, scratch, &report);
        if (e.code != ERR_OK && scope->table.len) return e;
        json_t *row = e.code == ERR_OK ? expire_row(&tables.list[i], &report) : named(&tables.list[i]);
        if (e.code != ERR_OK) set(row, "error", json_string(e.why));
        json_array_append_new(list, row);
    }
    *ret = json_incref(answer);
    return OK;
}

/* ---- orphans ---- */

static json_t *orphan_row(const struct walked *t, const struct orphan_scan *scan)
{
    json_t *row = named(t);

    set(row, "files", json_integer((json_int_t)scan->files));
    set(row, "bytes", json_integer((json_int_t)scan->bytes));
    set(row, "removable-files", json_integer((json_int_t)scan->removable_files));
    set(row, "removable-bytes", json_integer((json_int_t)scan->removable_bytes));
    set(row, "removed-files", json_integer((json_int_t)scan->removed_files));
    set(row, "removed-bytes", json_integer((json_int_t)scan->removed_bytes));
    set(row, "paths", json_incref(scan->paths));
    if (scan->forbidden) set(row, "why", json_string(scan->forbidden));
    return row;
}

/* Up to the end, behind files that another endpoint did not delete; or until that is not worth it: it fails, it rests, or there are too many of them. *ret_why: the first failure, empty: none. */
static struct err scan_orphans(struct store *s, const struct walked *t, struct orphan_scan *scan,
                               const struct orphan_rule *rule, char ret_why[256])
{
    bool goes_on = true, rests = false;

    ret_why[0] = '\0';
    for (int failures = 0; goes_on && !scan->is_end;) {
        const struct err e = orphan_scan_step(s, scan, rule);
        if (e.code == ERR_OK) continue;
        if (!t->is_external || !warehouse_is_to_blame(e)) return e;
        if (failures++ == 0) (void)err_keep(e, ret_why, 256);
        if (scan->has_passed) TRY(refs_rest(s, t->uuid, &rests));
        goes_on = scan->has_passed && !rests && failures < LIMIT_ORPHAN_FAILURES;
    }
    return OK;
}

/* What fails at another endpoint is that table's alone; what was removed there is told with it. */
static struct err orphans_of(struct store *s, const struct walked *t, const struct orphan_rule *rule,
                             json_t **ret)
{
    struct orphan_scan scan;
    char why[256];

    orphan_scan_init(&scan, t->uuid, true);
    const struct err e = scan_orphans(s, t, &scan, rule, why);
    if (e.code == ERR_OK) *ret = orphan_row(t, &scan);
    if (e.code == ERR_OK && why[0]) set(*ret, "error", json_string(why));
    orphan_scan_done(&scan);
    return e;
}

struct err maintain_orphans(struct maintain *m, const struct maintain_scope *scope, int64_t older_than_ms,
                            bool removes, struct arena *arena, json_t **ret)
{
    const struct orphan_rule rule = { .older_than_ms = older_than_ms, .removes = removes };
    struct tables tables;
    json_t *list, *row = NULL;

    TRY(find_tables(m->options.store, scope, arena, &tables));
    CLEANUP(json_freep) json_t *answer = answer_new(&tables, &list);
    set(answer, "dry-run", json_boolean(!removes));
    for (size_t i = 0; i < tables.count; i++) {
        TRY(orphans_of(m->options.store, &tables.list[i], &rule, &row));
        json_array_append_new(list, row);
    }
    *ret = json_incref(answer);
    return OK;
}

/* ---- status ---- */

static json_t *status_row(const struct maintain *m, const struct walked *t, const struct ref_table *r,
                          const char *why)
{
    json_t *row = named(t);
    const int64_t grace_ms = r->grace_ms >= 0 ? r->grace_ms : (int64_t)m->options.grace_s * 1000;

    set(row, "complete", json_boolean(why == NULL));
    if (why) set(row, "why", json_string(r->why[0] ? r->why : why));
    set(row, "gc-enabled", json_boolean(r->has_gc));
    set(row, "grace-ms", json_integer(grace_ms));
    set(row, "live", maintain_by_kind(r->live_files, r->live_bytes));
    set(row, "live-files", json_integer((json_int_t)sum(r->live_files)));
    set(row, "live-bytes", json_integer((json_int_t)sum(r->live_bytes)));
    set(row, "queued-files", json_integer((json_int_t)r->queued_files));
    set(row, "queued-bytes", json_integer((json_int_t)r->queued_bytes));
    set(row, "known-at-ms", json_integer(r->known_ms));
    if (r->expired_ms) {
        set(row, "expired-at-ms", json_integer(r->expired_ms));
        set(row, "expired-snapshots", json_integer((json_int_t)r->expired));
    }
    return row;
}

/* Where its files are, and whether they are left alone for now. */
static struct err put_endpoint(const struct maintain *m, const struct walked *t, json_t *row)
{
    bool rests = false;

    TRY(refs_rest(m->options.store, t->uuid, &rests));
    set(row, "external", json_true());
    set(row, "endpoint-rests", json_boolean(rests));
    return OK;
}

static struct err status_of(struct maintain *m, const struct walked *t, json_t **ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table r = { .grace_ms = -1, .has_gc = true };
    const char *why = NULL;
    bool is_whole = false;

    TRY(view_open(m->options.store->meta, &view));
    const struct err e = ref_table_get(view, t->uuid, &r);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    TRY(ref_table_is_whole(view, t->uuid, &is_whole, &why));
    view = view_close(view);
    *ret = status_row(m, t, &r, is_whole ? NULL : why);
    return t->is_external ? put_endpoint(m, t, *ret) : OK;
}

struct err maintain_status(struct maintain *m, const struct maintain_scope *scope, struct arena *arena,
                           json_t **ret)
{
    struct tables tables;
    json_t *list, *row = NULL;

    TRY(find_tables(m->options.store, scope, arena, &tables));
    CLEANUP(json_freep) json_t *answer = answer_new(&tables, &list);
    for (size_t i = 0; i < tables.count; i++) {
        TRY(status_of(m, &tables.list[i], &row));
        json_array_append_new(list, row);
    }
    *ret = json_incref(answer);
    return OK;
}
