/*
 * table_purge.c - deleting the files of tables that were dropped with purge: the rows of SPACE_PURGES.
 *
 * A row is JSON: the places, who owns them (the purge), and how far it got. A step deletes one page of one purge; a restart goes on where it stopped. Only what lies below the table's own places is ever
 * deleted, whatever its metadata names (reliability.md D12).
 *
 * Of the purges that are due the one that has waited the longest is next.
 *
 * A file that cannot be deleted is passed over, and counted. A purge that comes to its end with such files keeps its places and begins again an hour later; others have their turn
 * meanwhile. Keys are read from the rows, not by a listing: a damaged row would break that off.
 *
 * At another endpoint (the row has `storage` then, as the catalog had it) the keys are those of a listing, and files go one by one. A file that is not deleted there is passed over too. When the listing fails, or the
 * endpoint at all, the purge stays where it is. The bucket rests after that, and with it all tables in it: so the purge pauses before it goes on, and twice as long each time that nothing went in between, up to an
 * hour. Who may list or delete nothing there is asked once an hour, and others have the bucket in the meantime. While the bucket rests because of others, the pause does not grow: nobody was asked.
 *
 * A purge that fails in any other way of its own pauses like that; whose row is damaged is told and passed over: the ones behind have their turn.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/warehouse_file.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_delete.h"

enum { PURGE_KEY = 16, RETRY_MS = 3600 * 1000, ENDPOINT_RETRY_MS = 30 * 1000 };

struct purge {
    uint8_t key_bytes[PURGE_KEY]; /* of its row */
    json_t *json;                 /* its own: purge_done */
    int64_t not_before_ms;
    struct arena *arena;
    bool has_moved;     /* its row says how far it got, or when it goes on */
    bool was_resting;   /* its bucket, when the step began: it was not asked */
    struct err damaged; /* of a row that was passed over; OK: none was */
    char why[256];      /* its text */
};

struct page {
    struct delete_item items[LIMIT_PAGE];
    size_t count;
    bool is_truncated;
};

static void purge_done(struct purge *p)
{
    json_decref(p->json);
}

static struct str key_of(const struct purge *p)
{
    return str_of((const char *)p->key_bytes, sizeof(p->key_bytes));
}

/* ---- which purge ---- */

/* Of those that are due, the one that waits the longest: the first of all would be due again before the last had its turn, were there many of a dead endpoint. */
static struct err choose(struct purge *p, struct str key, struct str value)
{
    CLEANUP(json_freep) json_t *json = NULL;
    int64_t not_before_ms = 0;

    TRY(entity_parse(value, &json));
    TRY(json_want_i64(json, "not-before-ms", &not_before_ms));
    if (key.len != PURGE_KEY) return FAIL(ERR_CORRUPT, "the key of a purge is damaged");
    if (not_before_ms > clock_now_ms() || (p->json && not_before_ms >= p->not_before_ms)) return OK;
    memcpy(p->key_bytes, key.data, PURGE_KEY);
    p->not_before_ms = not_before_ms;
    json_decref(p->json);
    p->json = json_incref(json);
    return OK;
}

static struct err pass_over_damage(struct purge *p, struct err e)
{
    if (!warehouse_is_to_blame(e)) return e;
    p->damaged = err_keep(e, p->why, sizeof(p->why));
    return OK;
}

/* p->json is NULL: none is due. One that was never put off (0) has waited longer than all behind it, so a row of each of a thousand tables, dropped at once, is not read in each step. */
static struct err find_due(struct store *s, struct purge *p)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    TRY(view_open(s->meta, &view));
    rows_scan_begin(&scan, view, SPACE_PURGES, STR_NONE, false);
    while (!(p->json && p->not_before_ms <= 0) && e.code == ERR_OK && rows_scan_next(&scan, &key, &value))
        e = pass_over_damage(p, choose(p, key, value));
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* ---- a page of its files ---- */

static bool next_key(struct rows_scan *scan, struct str prefix, struct str *ret_key)
{
    struct str key, value;

    if (!rows_scan_next(scan, &key, &value) || !str_starts(key, prefix)) return false;
    *ret_key = str_from(key, 8);
    return true;
}

/* Keys of the place behind `after` (a key; empty: all). A bucket that is gone took its files with it. */
static struct err read_page(struct store *s, struct str place, struct str after, struct arena *arena,
                            struct page *page)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str bucket, key;
    uint8_t prefix_bytes[OBJECT_ROW_KEY_SIZE], from_bytes[OBJECT_ROW_KEY_SIZE];
    uint64_t bucket_id;
    const struct str prefix = str_cut(place, '/', &bucket);

    TRY(view_open(s->meta, &view));
    const struct err e = bucket_id_get(view, bucket, &bucket_id);
    if (e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    const struct str row_prefix = object_row_key(bucket_id, prefix, prefix_bytes);
    const struct str from = object_row_key(bucket_id, after.len ? after : prefix, from_bytes);
    rows_scan_begin(&scan, view, SPACE_OBJECTS, from, false);
    while (page->count < LIMIT_PAGE && next_key(&scan, row_prefix, &key)) {
        if (str_eq(key, after)) continue;
        page->items[page->count].key = arena_str(arena, key);
        if (!page->items[page->count++].key.data) break;
    }
    page->is_truncated = page->count == LIMIT_PAGE;
    const struct err scanned = scan.err;
    rows_scan_done(&scan);
    TRY(scanned);
    return page->count && !page->items[page->count - 1].key.data ? no_memory() : OK;
}

/* *ret_failed: how many could not be deleted; *ret_why: the first of their errors. */
static struct err delete_page(struct store *s, struct str place, struct page *page, struct arena *arena,
                              int64_t *ret_failed, struct err *ret_why)
{
    struct str bucket;

    (void)str_cut(place, '/', &bucket);
    *ret_failed = 0;
    if (page->count == 0) return OK;
    TRY(object_delete_many(s, bucket, page->items, page->count, arena));
    for (size_t i = 0; i < page->count; i++) {
        const struct err e = page->items[i].outcome;
        if (e.code != ERR_OK && (*ret_failed)++ == 0) *ret_why = e;
    }
    METRIC_ADD(maintenance_files_deleted, page->count - (size_t)*ret_failed);
    return OK;
}

/* ---- how far it got ---- */

static struct err finish_fn(struct txn *txn, void *arg)
{
    struct purge *p = arg;
    const struct str owner = json_str(json_object_get(p->json, "owner"));
    size_t i;
    json_t *place;

    json_array_foreach(json_object_get(p->json, "places"), i, place)
    {
        TRY(location_release(txn, json_str(place), owner));
    }
    return txn_del(txn, SPACE_PURGES, key_of(p));
}

static struct err progress_fn(struct txn *txn, void *arg)
{
    struct purge *p = arg;

    p->has_moved = true;
    return entity_put(txn, SPACE_PURGES, key_of(p), p->json);
}

static struct err set_number(struct purge *p, const char *field, int64_t value)
{
    return json_object_set_new(p->json, field, json_integer(value)) == 0 ? OK : no_memory();
}

/* 0: none since the last that went. What is no number there is none either, or it could not be put off. */
static int64_t last_pause(const struct purge *p)
{
    const int64_t pause_ms = json_integer_value(json_object_get(p->json, "pause-ms"));

    return pause_ms < 0 || pause_ms > RETRY_MS ? RETRY_MS : pause_ms;
}

static struct err set_pause(struct purge *p, int64_t pause_ms)
{
    if (pause_ms < ENDPOINT_RETRY_MS) pause_ms = ENDPOINT_RETRY_MS;
    if (pause_ms > RETRY_MS) pause_ms = RETRY_MS;
    TRY(set_number(p, "pause-ms", pause_ms));
    return set_number(p, "not-before-ms", clock_now_ms() + pause_ms);
}

/* Where the next step goes on. */
static struct err put_progress(struct store *s, struct purge *p, int64_t place, struct str after,
                               int64_t failed)
{
    TRY(set_number(p, "place", place));
    TRY(set_number(p, "failed", failed));
    if (json_object_set_new(p->json, "after", json_of_str(after)) != 0) return no_memory();
    return meta_run_freeing(s->meta, progress_fn, p);
}

static struct err end_of_places(struct store *s, struct purge *p, int64_t failed)
{
    if (failed == 0) return meta_run_freeing(s->meta, finish_fn, p);
    TRY(set_number(p, "not-before-ms", clock_now_ms() + RETRY_MS));
    return put_progress(s, p, 0, STR(""), 0);
}

static struct err put_off(struct store *s, struct purge *p)
{
    TRY(set_pause(p, p->was_resting ? last_pause(p) : 2 * last_pause(p)));
    return meta_run_freeing(s->meta, progress_fn, p);
}

/* ---- at another endpoint ---- */

/* *ret_done: how many went, before the first that did not, or all. */
static struct err delete_listed(const struct warehouse *w, struct str place,
                                const struct remote_listing *files, struct arena *arena, size_t *ret_done)
{
    struct str bucket;

    (void)str_cut(place, '/', &bucket);
    for (*ret_done = 0; *ret_done < files->count; ++*ret_done) {
        const struct str file = arena_printf(arena, "%.*s/%.*s", STR_ARG(bucket),
                                             STR_ARG(files->files[*ret_done].key));
        if (!file.data) return no_memory();
        const struct err e = warehouse_remove(w, file, arena);
        if (e.code != ERR_NO_SUCH_BUCKET) TRY(e);
        METRIC_ADD(maintenance_files_deleted, 1);
    }
    return OK;
}

/* A bucket that is gone took its files with it. */
static struct err list_place(const struct warehouse *w, struct str place, struct str after,
                             struct arena *arena, struct remote_listing *ret)
{
    const struct warehouse_page page = { .place = place, .after = after, .max = LIMIT_REMOTE_PAGE };
    const struct err e = warehouse_list(w, page, arena, ret);

    if (e.code != ERR_NO_SUCH_BUCKET) return e;
    *ret = (struct remote_listing){ .count = 0 };
    return OK;
}

struct elsewhere {
    int64_t place, failed;
    struct str after;
};

/* The file at `key` was not deleted: the purge goes on behind it, after a pause. */
static struct err pass_over(struct store *s, struct purge *p, const struct elsewhere *at, struct str key,
                            bool has_deleted)
{
    METRIC_ADD(maintenance_files_failed, 1);
    TRY(set_pause(p, has_deleted ? 0 : 2 * last_pause(p)));
    return put_progress(s, p, at->place, key, at->failed + 1);
}

static struct err delete_page_elsewhere(struct store *s, struct purge *p, const struct warehouse *w,
                                        struct str place, const struct elsewhere *at)
{
    struct remote_listing page;
    char why[256];
    size_t done = 0;

    p->was_resting = warehouse_rests(w, place);
    TRY(list_place(w, place, at->after, p->arena, &page));
    const struct err e = delete_listed(w, place, &page, p->arena, &done);
    if (warehouse_is_to_blame(e)) {
        const struct err kept = err_keep(e, why, sizeof(why));
        TRY(pass_over(s, p, at, page.files[done].key, done > 0));
        return err_fail(kept.code, "%s", kept.why);
    }
    TRY(e);
    TRY(set_number(p, "pause-ms", 0));
    if (!page.is_truncated) return put_progress(s, p, at->place + 1, STR(""), at->failed);
    return put_progress(s, p, at->place, page.files[page.count - 1].key, at->failed);
}

static struct err step_elsewhere(struct store *s, struct purge *p, const json_t *storage)
{
    const json_t *places = json_object_get(p->json, "places");
    const struct warehouse w = warehouse_elsewhere(s, storage);
    struct elsewhere at = { .after = json_str(json_object_get(p->json, "after")) };

    TRY(json_want_i64(p->json, "place", &at.place));
    TRY(json_want_i64(p->json, "failed", &at.failed));
    if (at.place < 0 || (size_t)at.place >= json_array_size(places)) return end_of_places(s, p, at.failed);
    return delete_page_elsewhere(s, p, &w, json_str(json_array_get(places, (size_t)at.place)), &at);
}

static struct err step(struct store *s, struct purge *p)
{
    struct page *page = arena_new_of(p->arena, struct page);
    const json_t *places = json_object_get(p->json, "places");
    const struct str after = json_str(json_object_get(p->json, "after"));
    int64_t at = 0, failed_before = 0, failed = 0;
    struct err why = OK;

    const json_t *storage = json_object_get(p->json, "storage");
    if (storage) return step_elsewhere(s, p, storage);
    if (!page) return no_memory();
    TRY(json_want_i64(p->json, "place", &at));
    TRY(json_want_i64(p->json, "failed", &failed_before));
    if (at < 0 || (size_t)at >= json_array_size(places)) return end_of_places(s, p, failed_before);
    const struct str place = json_str(json_array_get(places, (size_t)at));
    TRY(read_page(s, place, after, p->arena, page));
    TRY(delete_page(s, place, page, p->arena, &failed, &why));
    TRY(set_number(p, "pause-ms", 0));
    if (!page->is_truncated) TRY(put_progress(s, p, at + 1, STR(""), failed_before + failed));
    else if (failed) TRY(put_progress(s, p, at, page->items[page->count - 1].key, failed_before + failed));
    return why;
}

/* A step that fails, and leaves its purge as it was, would be the next one too. An error is told once for each time that it is put off. */
static struct err step_or_put_off(struct store *s, struct purge *p)
{
    char why[256];
    const struct err e = step(s, p);

    if (e.code == ERR_OK) return OK;
    METRIC_ADD(maintenance_failures, 1);
    if (p->has_moved || !warehouse_is_to_blame(e)) return e;
    const struct err kept = err_keep(e, why, sizeof(why));
    TRY(put_off(s, p));
    return err_fail(kept.code, "%s", kept.why);
}

struct err purge_step(struct store *s, bool *ret_more)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    CLEANUP(purge_done) struct purge p = { .arena = arena };

    *ret_more = false;
    if (!arena) return no_memory();
    TRY(find_due(s, &p));
    *ret_more = p.json != NULL;
    if (*ret_more) return step_or_put_off(s, &p);
    return p.damaged.code == ERR_OK ? OK : err_fail(p.damaged.code, "%s", p.damaged.why);
}
