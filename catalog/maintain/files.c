/*
 * files.c - the files of one table as an answer: those that a snapshot needs, those that wait for their deletion, those that nothing names.
 *
 * A page is of one moment; the next one begins behind the last file by its place in the order of the rows, so a table that changes in between shows some files as they were and some as they are.
 */
#include "catalog/maintain/maintain.h"

#include <string.h>

#include "catalog/maintain/catch_up.h"
#include "catalog/maintain/expire.h"
#include "catalog/maintain/file_scan.h"
#include "catalog/maintain/maintain_state.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

static const char *const state_names[] = {
    [FILES_LIVE] = "live", [FILES_QUEUED] = "queued", [FILES_ORPHANS] = "orphan"
};

bool maintain_files_from(struct str text, enum maintain_files *ret)
{
    for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++) {
        if (!str_is(text, state_names[i])) continue;
        *ret = (enum maintain_files)i;
        return true;
    }
    return false;
}

struct listing {
    struct maintain *maintain;
    struct store *store;
    const struct maintain_scope *scope;
    const struct maintain_files_request *request;
    struct arena *arena;
    struct table_info info;
    struct str uuid;
    json_t *metadata; /* in the arena */
    json_t *snapshot; /* in the metadata; NULL: the table has none */
    json_t *answer, *files;
};

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

/* ---- tokens: bytes in hex, the first of which says what they are of ---- */

static struct err token_read(const struct listing *l, void *out, size_t size)
{
    uint8_t bytes[1 + sizeof(struct file_place)];
    const struct str token = l->request->token;

    if (token.len == 0) return OK;
    if (size < sizeof(bytes) && hex_from(token, bytes, 1 + size) && bytes[0] == l->request->state) {
        memcpy(out, bytes + 1, size);
        return OK;
    }
    return FAIL(ERR_INVALID, "query 'page-token' is none that was given for this list");
}

static struct err token_set(struct listing *l, const void *bytes, size_t size)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, 8 * KIB);
    hex_to(&text, str_of((const uint8_t[]){ (uint8_t)l->request->state }, 1));
    hex_to(&text, str_of(bytes, size));
    TRY(buf_err(&text));
    set(l->answer, "next-page-token", json_of_str(buf_view(&text)));
    return OK;
}

/* ---- the table ---- */

static json_t *snapshot_by_id(const json_t *metadata, int64_t id)
{
    json_t *snapshot;
    size_t i;

    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        if (json_integer_value(json_object_get(snapshot, "snapshot-id")) == id) return snapshot;
    }
    return NULL;
}

static struct err find_snapshot(struct listing *l)
{
    const struct maintain_files_request *q = l->request;
    const json_t *id = json_object_get(l->metadata, "current-snapshot-id");

    if (q->ref.len) {
        const char *name = arena_z(l->arena, q->ref);
        if (!name) return no_memory();
        id = json_object_get(json_object_get(json_object_get(l->metadata, "refs"), name), "snapshot-id");
        if (!id) return err_fail(ERR_INVALID, "the table has no branch or tag '%.*s'", STR_ARG(q->ref));
    }
    l->snapshot = snapshot_by_id(l->metadata, q->snapshot_id >= 0 ? q->snapshot_id : json_integer_value(id));
    if (q->snapshot_id >= 0 && !l->snapshot)
        return err_fail(ERR_INVALID, "the table has no snapshot %lld", (long long)q->snapshot_id);
    return OK;
}

static struct err load(struct listing *l)
{
    const struct table_ident ident = { .ns = l->scope->ns, .name = l->scope->table };

    TRY(table_load(l->store, l->scope->catalog, &ident, l->arena, &l->info));
    l->uuid = str_from_z(l->info.uuid);
    TRY(metadata_parse(METADATA_TABLE, l->info.metadata, &l->metadata));
    if (!json_defer(l->arena, l->metadata)) return no_memory();
    return find_snapshot(l);
}

/* What is missing in what is known of it. */
static struct err put_unread(struct listing *l, struct rows *view)
{
    json_t *unread = json_array();
    struct rows_scan scan;
    struct str key, value;
    struct ref_file file;
    struct err e = OK;

    set(l->answer, "unread", unread);
    rows_scan_begin(&scan, view, SPACE_REF_TODO, l->uuid, false);
    while (e.code == ERR_OK && json_array_size(unread) < LIMIT_REPORT_UNREAD
           && rows_scan_next(&scan, &key, &value) && str_starts(key, l->uuid)) {
        e = ref_file_decode(value, &file);
        const struct str url = arena_printf(l->arena, "s3://%.*s", STR_ARG(place_plain(file.place)));
        if (e.code == ERR_OK)
            json_array_append_new(unread,
                                  json_pack("{s:s, s:o, s:o}", "kind", ref_kind_name(file.kind), "path",
                                            json_of_str(url), "why", json_of_str(file.why)));
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err put_known(struct listing *l, struct rows *view)
{
    const char *why = NULL;
    bool is_whole = false;
    struct ref_table t;

    TRY(ref_table_is_whole(view, l->uuid, &is_whole, &why));
    set(l->answer, "complete", json_boolean(is_whole));
    if (is_whole) return OK;
    const struct err e = ref_table_get(view, l->uuid, &t);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    set(l->answer, "why", json_string(e.code == ERR_OK && t.why[0] ? t.why : why));
    return put_unread(l, view);
}

/* ---- live files ---- */

static json_t *file_row(const struct listing *l, const struct ref_file *file)
{
    const struct str url = arena_printf(l->arena, "s3://%.*s", STR_ARG(place_plain(file->place)));

    return json_pack("{s:o, s:s, s:s, s:o}", "path", json_of_str(url), "kind", ref_kind_name(file->kind),
                     "state", state_names[l->request->state], "bytes", number(file->size));
}

static struct err scope_of(const struct listing *l, struct rows *view, struct file_scope *ret)
{
    *ret = (struct file_scope){ .uuid = l->uuid,
                                .is_external = l->info.is_external,
                                .is_all = l->request->is_all };
    if (l->request->is_all || !l->snapshot) return OK;
    return file_scope_of(view, l->snapshot, l->arena, ret);
}

static struct err add_live(struct listing *l, struct file_scan *scan, bool *ret_is_end)
{
    struct ref_file file;
    uint64_t snapshots;

    while (json_array_size(l->files) < l->request->page_size && scan->visited < LIMIT_SCAN_ROWS) {
        TRY(file_scan_next(scan, &file, &snapshots, ret_is_end));
        if (*ret_is_end) return OK;
        json_t *row = file_row(l, &file);
        if (!row) return no_memory();
        if (snapshots) set(row, "snapshots", number(snapshots));
        json_array_append_new(l->files, row);
    }
    return OK;
}

static struct err list_live(struct listing *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(file_scan_done) struct file_scan scan = { .is_open = false };
    struct file_place from = { .heads = 0 };
    struct file_scope scope;
    bool is_end = false;

    TRY(token_read(l, &from, sizeof(from)));
    TRY(view_open(l->store->meta, &view));
    TRY(put_known(l, view));
    TRY(scope_of(l, view, &scope));
    if (l->snapshot && !l->request->is_all)
        set(l->answer, "snapshot-id", json_incref(json_object_get(l->snapshot, "snapshot-id")));
    if (from.heads > scope.head_count)
        from.heads = (uint32_t)scope.head_count; /* another state of the table */
    file_scan_begin(&scan, view, &scope, from);
    TRY(add_live(l, &scan, &is_end));
    return is_end ? OK : token_set(l, &scan.at, sizeof(scan.at));
}

/* ---- files that wait for their deletion ---- */

static json_t *queued_row(const struct listing *l, const struct ref_file *file, const struct ref_table *t,
                          const char *forbidden)
{
    const int64_t grace_ms = t->grace_ms >= 0 ? t->grace_ms : (int64_t)l->maintain->options.grace_s * 1000;
    const bool is_metadata = file->kind
        == REF_METADATA; /* has no grace, and its own conditions (deletion.h) */
    json_t *row = file_row(l, file);

    set(row, "since-ms", json_integer(file->since_ms));
    set(row, "may-go-ms", json_integer(file->since_ms + (is_metadata ? 0 : grace_ms)));
    if (file->why.len) set(row, "why", json_of_str(file->why));
    else if (forbidden && !is_metadata) set(row, "why", json_string(forbidden));
    return row;
}

static struct err list_queued(struct listing *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table t = { .grace_ms = -1 };
    struct ref_id from = ref_root;
    struct rows_scan scan;
    struct str key, value;
    struct ref_file file;
    uint8_t begin[REF_PAIR];
    const char *forbidden = NULL;
    bool is_full = false;

    TRY(token_read(l, &from, sizeof(from)));
    TRY(view_open(l->store->meta, &view));
    TRY(put_known(l, view));
    struct err e = ref_table_get(view, l->uuid, &t);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    TRY(deletion_forbidden(view, l->uuid, &forbidden));
    rows_scan_begin(&scan, view, SPACE_REF_QUEUE, ref_key_pair(l->uuid, from, begin), false);
    e = OK;
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, l->uuid)) {
        is_full = json_array_size(l->files) == l->request->page_size;
        if (is_full) break;
        if (memcmp(key.data, begin, REF_PAIR) == 0) continue;
        e = ref_file_decode(value, &file);
        from = file.id;
        if (e.code == ERR_OK) json_array_append_new(l->files, queued_row(l, &file, &t, forbidden));
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    return is_full ? token_set(l, &from, sizeof(from)) : OK;
}

/* ---- files that nothing names ---- */

static struct err token_of_orphans(struct listing *l, struct orphan_scan *scan)
{
    CLEANUP(buf_done) struct buf bytes;

    buf_init(&bytes, LIMIT_KEY + 1);
    buf_char(&bytes, (char)scan->place);
    buf_str(&bytes, buf_view(&scan->after));
    TRY(buf_err(&bytes));
    return token_set(l, bytes.data, bytes.len);
}

static struct err orphans_from(const struct listing *l, struct orphan_scan *scan)
{
    uint8_t bytes[2 + LIMIT_KEY];
    const struct str token = l->request->token;
    const size_t len = token.len / 2;

    if (token.len == 0) return OK;
    if (len < 2 || len > sizeof(bytes) || !hex_from(token, bytes, len) || bytes[0] != l->request->state)
        return FAIL(ERR_INVALID, "query 'page-token' is none that was given for this list");
    scan->place = bytes[1];
    buf_str(&scan->after, str_of(bytes + 2, len - 2));
    return buf_err(&scan->after);
}

/* A page is one of the listing of the table's places, and may so have no files, but for the last. */
static struct err add_orphans(struct listing *l, struct orphan_scan *scan)
{
    const struct orphan_rule rule = { .older_than_ms = -1 };
    json_t *row;
    size_t i;

    TRY(orphans_from(l, scan));
    while (!scan->is_end && json_array_size(scan->paths) == 0) TRY(orphan_scan_step(l->store, scan, &rule));
    json_array_foreach(scan->paths, i, row)
    {
        set(row, "state", json_string(state_names[FILES_ORPHANS]));
        json_array_append(l->files, row);
    }
    if (scan->forbidden) set(l->answer, "why-not-removable", json_string(scan->forbidden));
    return scan->is_end ? OK : token_of_orphans(l, scan);
}

/* Each step has a view of its own. */
static struct err put_known_alone(struct listing *l)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(l->store->meta, &view));
    return put_known(l, view);
}

static struct err list_orphans(struct listing *l)
{
    CLEANUP(orphan_scan_done) struct orphan_scan scan;

    orphan_scan_init(&scan, l->uuid, true);
    TRY(put_known_alone(l));
    return add_orphans(l, &scan);
}

/* ---- the summary ---- */

struct sums {
    uint64_t files[REF_KIND_COUNT], bytes[REF_KIND_COUNT];
};

static struct err sum_some(struct listing *l, struct file_place *at, struct sums *sums, bool *ret_is_end)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(file_scan_done) struct file_scan scan = { .is_open = false };
    struct file_scope scope;
    struct ref_file file;
    uint64_t snapshots;

    TRY(view_open(l->store->meta, &view));
    TRY(scope_of(l, view, &scope));
    file_scan_begin(&scan, view, &scope, *at);
    while (scan.visited < LIMIT_SCAN_ROWS) {
        TRY(file_scan_next(&scan, &file, &snapshots, ret_is_end));
        if (*ret_is_end) break;
        sums->files[file.kind]++;
        sums->bytes[file.kind] += file.size;
    }
    *at = scan.at;
    return OK;
}

static json_t *sums_json(const uint64_t files[REF_KIND_COUNT], const uint64_t bytes[REF_KIND_COUNT])
{
    json_t *json = maintain_by_kind(files, bytes);
    uint64_t all_files = 0, all_bytes = 0;

    for (int i = 0; i < REF_KIND_COUNT; i++) {
        all_files += files[i];
        all_bytes += bytes[i];
    }
    return json_pack("{s:o, s:o, s:o}", "kinds", json, "files", number(all_files), "bytes",
                     number(all_bytes));
}

/* What only snapshots need which no branch or tag points to: an expiry that keeps no more would free it. */
static struct err put_expirable(struct listing *l, json_t *summary)
{
    const struct expire_request dry = { .catalog = l->scope->catalog,
                                        .ident = { .ns = l->scope->ns, .name = l->scope->table },
                                        .older_than_ms = 0,
                                        .keep = 1,
                                        .is_dry_run = true,
                                        .wants_files = true,
                                        .who = l->request->who };
    struct expire_report report = { .impact = { .is_known = true } };
    const struct err e = expire_table(l->store, &dry, l->arena, &report);
    const char *why = e.code == ERR_OK ? report.impact.why : e.why;

    if (e.code != ERR_INVALID && e.code != ERR_TOO_LARGE) TRY(e);
    if (e.code == ERR_OK && report.impact.is_known)
        set(summary, "expirable", sums_json(report.impact.files, report.impact.bytes));
    else set(summary, "why-not-expirable", json_string(why));
    return OK;
}

static struct err put_summary(struct listing *l)
{
    struct file_place at = { .heads = 0 };
    struct sums sums = { { 0 }, { 0 } };
    json_t *summary = json_object();
    bool is_end = false;

    set(l->answer, "summary", summary);
    while (!is_end) TRY(sum_some(l, &at, &sums, &is_end));
    set(summary, "live", sums_json(sums.files, sums.bytes));
    return put_expirable(l, summary);
}

/* ---- the answer ---- */

typedef struct err list_fn(struct listing *l);
static list_fn *const lists[] = {
    [FILES_LIVE] = list_live, [FILES_QUEUED] = list_queued, [FILES_ORPHANS] = list_orphans
};

struct err maintain_files(struct maintain *m, const struct maintain_scope *scope,
                          const struct maintain_files_request *request, struct arena *arena, json_t **ret)
{
    struct listing l = {
        .maintain = m, .store = m->options.store, .scope = scope, .request = request, .arena = arena
    };

    TRY(load(&l));
    TRY(catch_up(l.store, l.uuid));
    l.files = json_array();
    CLEANUP(json_freep)
    json_t *answer = json_pack("{s:o, s:o}", "uuid", json_of_str(l.uuid), "files", l.files);
    if (!answer) return no_memory();
    l.answer = answer;
    TRY(lists[request->state](&l));
    if (request->has_summary) TRY(put_summary(&l));
    *ret = json_incref(answer);
    return OK;
}
