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
    struct str uuid, bucket; /* as places have it: of an external table behind PLACE_EXTERNAL */
    struct warehouse home;
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
    buf_init(&scan->counted, LIMIT_KEY);
    if (wants_paths) scan->paths = json_array();
}

void orphan_scan_done(struct orphan_scan *scan)
{
    buf_done(&scan->after);
    buf_done(&scan->counted);
    json_decref(scan->paths);
    scan->paths = NULL;
}

void orphan_stops_keep(struct orphan_stops *stops, const struct orphan_scan *scan)
{
    struct orphan_stop *stop = &stops->rows[stops->next++ % LIMIT_ORPHAN_STOPS];
    const struct str after = buf_view(&scan->after);

    memcpy(stop->uuid, scan->uuid, sizeof(stop->uuid));
    stop->place = scan->place;
    stop->len = after.len < sizeof(stop->after) ? after.len : sizeof(stop->after);
    memcpy(stop->after, after.data, stop->len);
}

void orphan_stops_take(struct orphan_stops *stops, struct orphan_scan *scan)
{
    for (size_t i = 0; i < LIMIT_ORPHAN_STOPS; i++) {
        struct orphan_stop *stop = &stops->rows[i];
        if (strcmp(stop->uuid, scan->uuid) != 0) continue;
        scan->place = stop->place;
        buf_str(&scan->after, str_of(stop->after, stop->len));
        stop->uuid[0] = '\0';
    }
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

/* O2 and O3, as of now. */
static struct err may_go(struct store *s, const struct slice *slice, struct str key, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const char *forbidden;

    *ret = false;
    TRY(view_open(s->meta, &view));
    TRY(deletion_forbidden(view, slice->uuid, &forbidden));
    return forbidden ? OK : is_orphan(view, slice->uuid, slice->bucket, key, slice->arena, ret);
}

/* At another endpoint there is no transaction for it. The age is asked for once more, then the rows, and at once it is deleted: a commit that names a file in that very moment, which no commit has named in a week,
 * is as late as one a moment later. */
static struct err remove_elsewhere(struct store *s, struct slice *slice, struct str key)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct remote_file file;
    bool goes = false;

    if (!arena) return no_memory();
    const struct str place = arena_printf(arena, "%.*s/%.*s", STR_ARG(slice->bucket), STR_ARG(key));
    if (!place.data) return no_memory();
    const struct err e = warehouse_stat(&slice->home, place, arena, &file);
    if (e.code == ERR_NO_SUCH_KEY || e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    if (file.written_ms > slice->newest_ms) return OK;
    TRY(may_go(s, slice, key, &goes));
    if (!goes) return OK;
    TRY(warehouse_remove(&slice->home, place, arena));
    slice->files++;
    slice->bytes += file.size;
    return OK;
}

/* Up to the first that is not removed: the scan is behind that one then. */
static struct err remove_all_elsewhere(struct store *s, struct orphan_scan *scan, struct slice *slice)
{
    slice->files = slice->bytes = 0;
    for (size_t i = 0; i < slice->count; i++) {
        const struct err e = remove_elsewhere(s, slice, slice->keys[i]);
        if (e.code == ERR_OK) continue;
        METRIC_ADD(maintenance_files_failed, 1);
        buf_clear(&scan->after);
        buf_str(&scan->after, slice->keys[i]);
        scan->has_passed = true;
        return e;
    }
    return OK;
}

static struct err remove_all(struct store *s, struct orphan_scan *scan, struct slice *slice)
{
    return slice->home.is_external ? remove_all_elsewhere(s, scan, slice)
                                   : meta_run_freeing(s->meta, remove_fn, slice);
}

static struct err run_slice(struct store *s, struct orphan_scan *scan, struct slice *slice)
{
    if (slice->count == 0) return OK;
    const struct err e = remove_all(s, scan, slice);
    scan->removed_files += slice->files;
    scan->removed_bytes += slice->bytes;
    METRIC_ADD(maintenance_files_deleted, slice->files);
    METRIC_ADD(maintenance_bytes_deleted, slice->bytes);
    slice->count = 0;
    return e;
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

    if (str_cmp(entry->name, buf_view(&scan->counted)) <= 0) return;
    const struct str url = arena_printf(p->arena, "s3://%.*s/%.*s", STR_ARG(place_plain(p->bucket)),
                                        STR_ARG(entry->name));

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

/* The next step lists again what is behind the file that was passed, of which some was counted before it was to be removed. */
static void keep_counted(struct orphan_scan *scan, struct str key)
{
    if (str_cmp(key, buf_view(&scan->counted)) <= 0) return;
    buf_clear(&scan->counted);
    buf_str(&scan->counted, key);
}

static struct err visit_all(struct page *p, const struct list_page *list)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str last = STR_NONE;
    struct err e = OK;

    TRY(view_open(p->store->meta, &view));
    for (size_t i = 0; i < list->count && e.code == ERR_OK; i++) {
        last = list->entries[i].name;
        e = visit(p, view, &list->entries[i]);
        if (e.code == ERR_OK && p->slice->count == LIMIT_DELETE_SLICE)
            e = run_slice(p->store, p->scan, p->slice);
    }
    if (e.code == ERR_OK) e = run_slice(p->store, p->scan, p->slice);
    if (p->scan->has_passed) keep_counted(p->scan, last);
    return e;
}

static struct err list_here(struct page *p, struct str place, struct list_page *ret)
{
    struct list_query q = { .max = LIMIT_PAGE, .after = buf_view(&p->scan->after), .bucket = p->bucket };
    struct str bucket;

    q.prefix = str_cut(place, '/', &bucket);
    return object_list(p->store, &q, p->arena, ret);
}

static struct err list_elsewhere(struct page *p, struct str place, struct list_page *ret)
{
    const struct warehouse_page wanted = { .place = place,
                                           .after = buf_view(&p->scan->after),
                                           .max = LIMIT_PAGE };
    struct remote_listing listing;

    TRY(warehouse_list(&p->slice->home, wanted, p->arena, &listing));
    struct list_entry *entries = arena_array(p->arena, struct list_entry, listing.count + 1);
    if (!entries) return no_memory();
    for (size_t i = 0; i < listing.count; i++)
        entries[i] = (struct list_entry){ .name = listing.files[i].key,
                                          .size = listing.files[i].size,
                                          .mtime_ms = listing.files[i].written_ms };
    *ret = (struct list_page){ .entries = entries,
                               .count = listing.count,
                               .is_truncated = listing.is_truncated };
    if (listing.is_truncated) ret->next = entries[listing.count - 1].name;
    return OK;
}

static struct err next_page(struct page *p, struct str place)
{
    struct list_page list;

    (void)str_cut(place, '/', &p->bucket);
    p->slice->bucket = p->bucket;
    const struct err e = p->slice->home.is_external ? list_elsewhere(p, place, &list)
                                                    : list_here(p, place, &list);
    if (e.code == ERR_NO_SUCH_BUCKET) list = (struct list_page){ .count = 0 };
    else TRY(e);
    TRY(visit_all(p, &list));
    buf_clear(&p->scan->after);
    buf_clear(&p->scan->counted);
    if (list.is_truncated) buf_str(&p->scan->after, list.next);
    else p->scan->place++;
    return buf_err(&p->scan->after);
}

static struct err look(struct store *s, struct orphan_scan *scan, struct slice *slice, struct table_row *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct str uuid = str_from_z(scan->uuid);

    TRY(view_open(s->meta, &view));
    const struct err e = ref_row_of(view, uuid, slice->arena, ret);
    scan->is_end = e.code == ERR_NOT_FOUND || (e.code == ERR_OK && scan->place >= ret->places.count);
    if (scan->is_end) return OK;
    TRY(e);
    TRY(warehouse_for_upkeep(s, view, ret, slice->arena, &slice->home));
    return deletion_forbidden(view, uuid, &scan->forbidden);
}

struct err orphan_scan_step(struct store *s, struct orphan_scan *scan, const struct orphan_rule *rule)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA + LIMIT_REMOTE_LISTING);
    struct page p = { .store = s, .scan = scan, .rule = rule, .arena = arena, .now_ms = clock_now_ms() };
    const int64_t age = rule->older_than_ms > ORPHAN_AGE_MIN_MS ? rule->older_than_ms : ORPHAN_AGE_MIN_MS;
    struct table_row row;

    scan->has_passed = false;
    if (!arena) return no_memory();
    p.slice = arena_new_of(arena, struct slice);
    if (!p.slice) return no_memory();
    *p.slice = (struct slice){ .uuid = str_from_z(scan->uuid), .newest_ms = p.now_ms - age, .arena = arena };
    TRY(look(s, scan, p.slice, &row));
    if (scan->is_end) return OK;
    return next_page(&p, row.places.keys[scan->place]);
}
