/*
 * orphans.c - a listing of the table's places, held against the references.
 */
#include "catalog/maintain/orphans.h"

#include <string.h>

#include "catalog/maintain/deletion.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_delete.h"
#include "storage/object/object_list.h"

struct slice {
    struct str uuid, bucket;
    struct str keys[LIMIT_DELETE_SLICE];
    size_t count;
    int64_t newest_ms;
    struct arena *arena;
    uint64_t files, bytes; /* out */
};

void orphan_scan_init(struct orphan_scan *scan, struct str uuid, bool wants_paths)
{
    *scan = (struct orphan_scan){ .place = 0 };
    memcpy(scan->uuid, uuid.data, uuid.len < REF_UUID ? uuid.len : REF_UUID);
    buf_init(&scan->after, LIMIT_KEY);
    if (wants_paths) scan->paths = json_array();
}

void orphan_scan_done(struct orphan_scan *scan)
{
    buf_done(&scan->after);
    json_decref(scan->paths);
    scan->paths = NULL;
}

/* ---- which are ---- */

/* Hadoop's tables keep a pointer of their own there, which no metadata names. */
static bool is_known_name(struct str key)
{
    return str_ends(key, STR("/metadata/version-hint.text"));
}

static struct err is_orphan(struct rows *r, struct str uuid, struct str bucket, struct str key,
                            struct arena *arena, bool *ret)
{
    bool is_named = false, is_queued = false;
    const struct str place = arena_printf(arena, "%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));

    *ret = false;
    if (!place.data) return no_memory();
    if (is_known_name(key)) return OK;
    const struct ref_id id = ref_id_of(REF_DATA, place);
    TRY(ref_is_named(r, id, &is_named));
    if (!is_named) TRY(ref_is_queued(r, uuid, id, &is_queued));
    *ret = !is_named && !is_queued;
    return OK;
}

/* ---- removing ---- */

static struct err remove_one(struct txn *txn, struct slice *slice, uint64_t bucket_id, struct str key)
{
    struct object_info info;
    bool orphan = false;
    const struct err e = object_stat(txn_rows(txn), slice->bucket, key, NULL, &info);

    if (e.code == ERR_NO_SUCH_KEY) return OK;
    TRY(e);
    if (info.mtime_ms > slice->newest_ms) return OK;
    TRY(is_orphan(txn_rows(txn), slice->uuid, slice->bucket, key, slice->arena, &orphan));
    if (!orphan) return OK;
    TRY(object_unpublish(txn, bucket_id, key, NULL, NULL));
    slice->files++;
    slice->bytes += info.size;
    return OK;
}

static struct err remove_fn(struct txn *txn, void *arg)
{
    struct slice *slice = arg;
    const char *forbidden;
    uint64_t bucket_id;

    slice->files = slice->bytes = 0;
    TRY(deletion_forbidden(txn_rows(txn), slice->uuid, &forbidden));
    if (forbidden) return OK;
    const struct err e = bucket_id_get(txn_rows(txn), slice->bucket, &bucket_id);
    if (e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    for (size_t i = 0; i < slice->count; i++) TRY(remove_one(txn, slice, bucket_id, slice->keys[i]));
    return OK;
}

static struct err run_slice(struct store *s, struct orphan_scan *scan, struct slice *slice)
{
    if (slice->count == 0) return OK;
    TRY(meta_run_freeing(s->meta, remove_fn, slice));
    scan->removed_files += slice->files;
    scan->removed_bytes += slice->bytes;
    METRIC_ADD(maintenance_files_deleted, slice->files);
    METRIC_ADD(maintenance_bytes_deleted, slice->bytes);
    slice->count = 0;
    return OK;
}

/* ---- a page ---- */

struct page {
    struct store *store;
    struct orphan_scan *scan;
    const struct orphan_rule *rule;
    struct arena *arena;
    struct str bucket;
    int64_t now_ms;
    struct slice *slice;
};

static void report(struct page *p, const struct list_entry *entry, bool is_removable)
{
    struct orphan_scan *scan = p->scan;
    const struct str url = arena_printf(p->arena, "s3://%.*s/%.*s", STR_ARG(p->bucket), STR_ARG(entry->name));

    scan->files++;
    scan->bytes += entry->size;
    if (is_removable) {
        scan->removable_files++;
        scan->removable_bytes += entry->size;
    }
    if (!scan->paths || json_array_size(scan->paths) >= LIMIT_REPORT_PATHS) return;
    json_array_append_new(scan->paths,
                          json_pack("{s:o, s:I, s:I, s:b}", "path", json_of_str(url), "bytes",
                                    (json_int_t)entry->size, "age-ms",
                                    (json_int_t)(p->now_ms - entry->mtime_ms), "removable", is_removable));
}

static struct err visit(struct page *p, struct rows *view, const struct list_entry *entry)
{
    bool orphan = false;

    TRY(is_orphan(view, str_from_z(p->scan->uuid), p->bucket, entry->name, p->arena, &orphan));
    if (!orphan) return OK;
    const bool is_removable = !p->scan->forbidden && entry->mtime_ms <= p->slice->newest_ms;
    report(p, entry, is_removable);
    if (is_removable && p->rule->removes) p->slice->keys[p->slice->count++] = entry->name;
    return OK;
}

static struct err visit_all(struct page *p, const struct list_page *list)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(p->store->meta, &view));
    for (size_t i = 0; i < list->count; i++) {
        TRY(visit(p, view, &list->entries[i]));
        if (p->slice->count == LIMIT_DELETE_SLICE) TRY(run_slice(p->store, p->scan, p->slice));
    }
    return run_slice(p->store, p->scan, p->slice);
}

static struct err next_page(struct page *p, struct str place)
{
    struct list_page list;
    struct list_query q = { .max = LIMIT_PAGE, .after = buf_view(&p->scan->after) };

    q.prefix = str_cut(place, '/', &p->bucket);
    q.bucket = p->slice->bucket = p->bucket;
    const struct err e = object_list(p->store, &q, p->arena, &list);
    if (e.code == ERR_NO_SUCH_BUCKET) list = (struct list_page){ .count = 0 };
    else TRY(e);
    TRY(visit_all(p, &list));
    buf_clear(&p->scan->after);
    if (list.is_truncated) buf_str(&p->scan->after, list.next);
    else p->scan->place++;
    return buf_err(&p->scan->after);
}

static struct err look(struct store *s, struct orphan_scan *scan, struct arena *arena, struct table_row *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct str uuid = str_from_z(scan->uuid);

    TRY(view_open(s->meta, &view));
    const struct err e = ref_row_of(view, uuid, arena, ret);
    scan->is_end = e.code == ERR_NOT_FOUND || (e.code == ERR_OK && scan->place >= ret->places.count);
    if (scan->is_end) return OK;
    TRY(e);
    return deletion_forbidden(view, uuid, &scan->forbidden);
}

struct err orphan_scan_step(struct store *s, struct orphan_scan *scan, const struct orphan_rule *rule)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct page p = { .store = s, .scan = scan, .rule = rule, .arena = arena, .now_ms = clock_now_ms() };
    const int64_t age = rule->older_than_ms > ORPHAN_AGE_MIN_MS ? rule->older_than_ms : ORPHAN_AGE_MIN_MS;
    struct table_row row;

    if (!arena) return no_memory();
    TRY(look(s, scan, arena, &row));
    if (scan->is_end) return OK;
    p.slice = arena_new_of(arena, struct slice);
    if (!p.slice) return no_memory();
    *p.slice = (struct slice){ .uuid = str_from_z(scan->uuid), .newest_ms = p.now_ms - age, .arena = arena };
    return next_page(&p, row.places.keys[scan->place]);
}
