/*
 * deletion.c - sweeps over the queue.
 */
#include "catalog/maintain/deletion.h"

#include <string.h>

#include "catalog/commit/commit_note.h"
#include "catalog/maintain/deletion_slice.h"
#include "catalog/refs/ref_edge.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_delete.h"

/* ---- what speaks for a file ---- */

struct err deletion_forbidden(struct rows *r, struct str uuid, const char **ret_why)
{
    struct ref_table t;
    bool is_whole = false;

    TRY(ref_table_is_whole(r, uuid, &is_whole, ret_why));
    if (!is_whole) return OK;
    TRY(ref_table_get(r, uuid, &t));
    *ret_why = t.has_gc ? NULL : "the table has gc.enabled=false";
    return OK;
}

/* Does a commit that is not worked in yet make this metadata file current? */
static struct err is_noted(struct rows *r, const struct deletion_slice *slice, const struct ref_file *file,
                           bool *ret)
{
    struct rows_scan scan;
    struct str key, value, place;
    struct commit_note note;
    struct err e = OK;

    *ret = false;
    rows_scan_begin(&scan, r, SPACE_REF_COMMITS, slice->uuid, false);
    while (e.code == ERR_OK && !*ret && rows_scan_next(&scan, &key, &value) && str_starts(key, slice->uuid)) {
        e = commit_note_decode(key, value, &note);
        if (e.code != ERR_OK || note.is_gone) continue;
        e = ref_place(note.metadata_location, place_is_external(file->place), slice->arena, &place);
        *ret = e.code == ERR_OK && str_eq(place, file->place);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* ---- one transaction ---- */

struct deleting {
    struct txn *txn;
    struct deletion_slice *slice;
    struct ref_table table;
    struct location_set places;
    const char *forbidden;
};

static struct err leave_queue(struct deleting *d, struct str pair, const struct ref_file *file)
{
    d->table.queued_files--;
    d->table.queued_bytes -= file->size;
    return txn_del(d->txn, SPACE_REF_QUEUE, pair);
}

static struct err must_stay(struct deleting *d, const struct ref_file *file, bool *ret)
{
    struct rows *r = txn_rows(d->txn);

    if (file->kind == REF_METADATA) TRY(is_noted(r, d->slice, file, ret));
    else *ret = d->forbidden != NULL;
    return *ret ? OK : ref_is_named(r, file->id, ret);
}

/* D3 and D5 decide for good: the row goes, the file stays. */
static struct err delete_object(struct deleting *d, const struct ref_file *file)
{
    struct object_info info;
    struct str bucket;
    uint64_t bucket_id;
    const struct str key = str_cut(file->place, '/', &bucket);
    const struct err e = object_stat(txn_rows(d->txn), bucket, key, NULL, &info);

    if (e.code == ERR_NO_SUCH_KEY || e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    if (!ref_is_own(&d->places, file->place) || info.mtime_ms > file->since_ms) return OK;
    TRY(bucket_id_get(txn_rows(d->txn), bucket, &bucket_id));
    TRY(object_unpublish(d->txn, bucket_id, key, NULL, NULL));
    d->slice->deleted++;
    d->slice->bytes += info.size;
    return OK;
}

/* At another endpoint: by D1 to D4 it may go, and who runs the transaction sends for it. D3 decides for good. */
static struct err intend(struct deleting *d, struct str pair, const struct ref_file *file)
{
    struct ref_file going = *file;

    if (!ref_is_own(&d->places, file->place)) return leave_queue(d, pair, file);
    going.intent = txn_number(d->txn);
    going.why = STR("");
    d->slice->going[d->slice->going_count++] = going;
    return ref_file_put(d->txn, SPACE_REF_QUEUE, pair, &going);
}

static struct err delete_file(struct deleting *d, const struct ref_file *file)
{
    uint8_t key[REF_PAIR];
    struct ref_file queued;
    struct str value;
    bool stays = false;
    const struct str pair = ref_key_pair(d->slice->uuid, file->id, key);
    const struct err e = rows_get(txn_rows(d->txn), SPACE_REF_QUEUE, pair, &value);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(ref_file_decode(value, &queued));
    if (queued.since_ms != file->since_ms) return OK;
    TRY(must_stay(d, file, &stays));
    if (stays) return OK;
    if (d->slice->home.is_external) return intend(d, pair, file);
    TRY(delete_object(d, file));
    return leave_queue(d, pair, file);
}

static struct err slice_fn(struct txn *txn, void *arg)
{
    struct deletion_slice *slice = arg;
    struct deleting d = { .txn = txn, .slice = slice };
    struct table_row row;
    const struct err e = ref_row_of(txn_rows(txn), slice->uuid, slice->arena, &row);

    slice->deleted = slice->bytes = slice->failed = 0;
    slice->going_count = 0;
    if (e.code == ERR_NOT_FOUND) return OK; /* D1; what is known of it will be forgotten */
    TRY(e);
    d.places = row.places;
    TRY(ref_table_get(txn_rows(txn), slice->uuid, &d.table));
    TRY(deletion_forbidden(txn_rows(txn), slice->uuid, &d.forbidden));
    for (size_t i = 0; i < slice->count; i++) TRY(delete_file(&d, &slice->files[i]));
    return ref_table_put(txn, slice->uuid, &d.table);
}

static void add(struct deletion_result *sum, struct deletion_cursor *cursor,
                const struct deletion_slice *slice)
{
    sum->files += slice->deleted;
    sum->bytes += slice->bytes;
    sum->failed += slice->failed;
    METRIC_ADD(maintenance_files_deleted, slice->deleted);
    METRIC_ADD(maintenance_bytes_deleted, slice->bytes);
    METRIC_ADD(maintenance_files_failed, slice->failed);
    if (slice->failed == 0 || cursor->failed.len) return;
    cursor->failed.len = ref_key_pair(slice->uuid, slice->first_failed, cursor->failed.key).len;
}

static struct err run_slice(struct store *s, struct deletion_slice *slice, struct deletion_cursor *cursor,
                            struct deletion_result *ret)
{
    struct err e = meta_run_freeing(s->meta, slice_fn, slice);

    if (slice->count > 1 && (e.code == ERR_TOO_LARGE || e.code == ERR_CORRUPT)) {
        struct deletion_slice *one = arena_new_of(slice->arena, struct deletion_slice);
        struct err last = OK;
        if (!one) return no_memory();
        for (size_t i = 0; i < slice->count; i++) {
            *one = (struct deletion_slice){
                .uuid = slice->uuid, .home = slice->home, .arena = slice->arena, .count = 1
            };
            one->files[0] = slice->files[i];
            const struct err single = run_slice(s, one, cursor, ret);
            if (single.code != ERR_OK) last = single;
        }
        return last;
    }
    TRY(e);
    if (slice->going_count) e = deletion_elsewhere(s, slice);
    add(ret, cursor, slice); /* what was deleted elsewhere is, also when its rows are still there */
    return e;
}

enum home { HOME_GONE, HOME_RESTS, HOME_DUE };

static struct err find_home(struct store *s, struct deletion_slice *slice, enum home *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct table_row row;

    TRY(view_open(s->meta, &view));
    const struct err e = ref_row_of(view, slice->uuid, slice->arena, &row);
    *ret = HOME_GONE;
    if (e.code == ERR_NOT_FOUND || (e.code == ERR_OK && row.places.count == 0)) return OK;
    TRY(e);
    TRY(warehouse_for_upkeep(s, view, &row, slice->arena, &slice->home));
    *ret = warehouse_rests(&slice->home, row.places.keys[0]) ? HOME_RESTS : HOME_DUE;
    return OK;
}

/* ---- a sweep ---- */

struct sweep {
    const struct deletion_rule *rule;
    struct str only; /* uuid; empty: all */
    int64_t now_ms;
    char table_uuid[REF_UUID]; /* whose grace it is */
    int64_t grace_ms;
    struct err damaged; /* of a row that was passed over; OK: none was */
    char why[256];      /* its text */
};

static struct err grace_of(struct sweep *w, struct rows *view, struct str uuid)
{
    struct ref_table t = { .grace_ms = -1 };

    if (memcmp(w->table_uuid, uuid.data, REF_UUID) == 0) return OK;
    const struct err e = ref_table_get(view, uuid, &t);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    memcpy(w->table_uuid, uuid.data, REF_UUID);
    w->grace_ms = t.grace_ms >= 0 ? t.grace_ms : w->rule->grace_ms;
    return OK;
}

static bool is_due(const struct sweep *w, const struct ref_file *file)
{
    if (file->kind == REF_METADATA) return !w->rule->is_metadata_only || file->why.len == 0;
    return !w->rule->is_metadata_only && file->since_ms + w->grace_ms <= w->now_ms;
}

/* Take the row into the slice if it is due. */
static struct err visit(struct sweep *w, struct rows *view, struct str key, struct str value,
                        struct deletion_slice *slice)
{
    struct ref_file file;

    TRY(ref_file_decode(value, &file));
    TRY(grace_of(w, view, str_slice(key, 0, REF_UUID)));
    if (!is_due(w, &file)) return OK;
    if (slice->count == 0) slice->uuid = arena_str(slice->arena, str_slice(key, 0, REF_UUID));
    TRY(ref_file_keep(value, slice->arena, &slice->files[slice->count]));
    return slice->uuid.data ? (slice->count++, OK) : no_memory();
}

/* A damaged row is told at the end of the step, and holds up none of the others. */
static struct err pass_over_damage(struct sweep *w, struct err e)
{
    if (e.code != ERR_CORRUPT) return e;
    w->damaged = err_keep(e, w->why, sizeof(w->why));
    return OK;
}

static struct str key_of(const struct deletion_mark *mark)
{
    return str_of(mark->key, mark->len);
}

/* Around once, the sweep ends with the row that it began behind. */
static bool is_past_start(const struct deletion_cursor *cursor, struct str key)
{
    return cursor->is_around && str_cmp(key, key_of(&cursor->start)) > 0;
}

/* There is nothing behind the cursor: the sweep goes on from the beginning, or is at its end, and the next one is made ready. Where everything rested, that one begins where this one did: nothing was tried. */
static void come_around(struct deletion_cursor *cursor, struct deletion_result *ret)
{
    struct deletion_mark next = cursor->failed;

    ret->is_end = cursor->is_around || cursor->start.len == 0;
    if (!ret->is_end) {
        cursor->is_around = true;
        cursor->at.len = 0;
        return;
    }
    if (next.len == 0 && cursor->has_rested) next = cursor->start;
    *cursor = (struct deletion_cursor){ .at = next, .start = next };
}

/* Due rows of one table behind the cursor, which is then at the last row that was visited. */
static struct err collect(struct store *s, struct sweep *w, struct deletion_cursor *cursor,
                          struct deletion_slice *slice, struct deletion_result *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;
    const size_t most = w->rule->files_max < LIMIT_DELETE_SLICE ? w->rule->files_max : LIMIT_DELETE_SLICE;
    const struct deletion_mark at = cursor->at;
    const struct str from = key_of(&at);

    TRY(view_open(s->meta, &view));
    rows_scan_begin(&scan, view, SPACE_REF_QUEUE, from.len ? from : w->only, false);
    ret->is_end = true;
    for (size_t visited = 0; e.code == ERR_OK && rows_scan_next(&scan, &key, &value); visited++) {
        if (key.len != REF_PAIR || !str_starts(key, w->only)) break;
        if (visited == 0 && str_eq(key, from)) continue;
        if (is_past_start(cursor, key)) break;
        ret->is_end = visited < LIMIT_SCAN_ROWS && slice->count < most
            && (slice->count == 0 || str_starts(key, slice->uuid));
        if (!ret->is_end) break;
        e = pass_over_damage(w, visit(w, view, key, value, slice));
        memcpy(cursor->at.key, key.data, REF_PAIR);
        cursor->at.len = REF_PAIR;
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err sweep_slice(struct store *s, struct deletion_slice *slice, struct deletion_cursor *cursor,
                              struct deletion_result *ret)
{
    enum home home = HOME_GONE;

    TRY(find_home(s, slice, &home));
    cursor->has_rested |= home == HOME_RESTS;
    return home == HOME_DUE ? run_slice(s, slice, cursor, ret) : OK;
}

struct err deletion_step(struct store *s, struct str uuid, const struct deletion_rule *rule,
                         struct deletion_cursor *cursor, struct deletion_result *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct sweep w = { .rule = rule, .only = uuid, .now_ms = clock_now_ms() };

    *ret = (struct deletion_result){ .files = 0 };
    if (!arena) return no_memory();
    struct deletion_slice *slice = arena_new_of(arena, struct deletion_slice);
    if (!slice) return no_memory();
    slice->arena = arena;
    TRY(collect(s, &w, cursor, slice, ret));
    const struct err e = slice->count ? sweep_slice(s, slice, cursor, ret) : OK;
    if (ret->is_end) come_around(cursor, ret);
    TRY(e);
    return w.damaged.code == ERR_OK ? OK : err_fail(w.damaged.code, "%s", w.damaged.why);
}
