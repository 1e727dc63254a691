/*
 * clear.c - what publishing transactions left behind, taken apart in slices (garbage.h says what there is).
 *
 *   PART_MAP   one reference less for each body of the map; at the end the map itself
 *   UPLOAD     the rows of its parts, each with its body, but bodies in volumes that the finished object kept
 *   BUCKET     the rows of its open uploads; each becomes garbage of its own
 *
 * One call does one slice of the first row that is ripe, in one transaction that re-reads what it removes. So a slice may be repeated, done by two at
 * once or stopped anywhere. The row of garbage goes with the last slice.
 *
 * How many rows it takes to free a body is the volumes' business (a large one has many extents), and a transaction may have 1,000. So a slice that
 * was refused as too large is tried again with a quarter of the bodies.
 */
#include "storage/object/multipart.h"

#include <stdlib.h>

#include "storage/base/thread.h"
#include "storage/object/garbage.h"
#include "storage/object/part_map.h"
#include "storage/object/upload_row.h"

#define SLICE 64 /* bodies or rows in one transaction, to begin with */

struct clearing {
    struct store *store;
    struct garbage seen; /* as it was read in a view (without kept) */
    struct part_map map; /* PART_MAP */
    size_t slice;
};

/* ---- one slice of each kind, in a transaction ---- */

static struct err clear_map(struct txn *txn, const struct clearing *w, struct garbage *g)
{
    struct part_cursor cursor = part_map_from(&w->map,
                                              g->progress < w->map.count ? g->progress : w->map.count);
    struct part_entry part;

    for (size_t i = 0; i < w->slice && part_map_next(&cursor, &part); i++) {
        if (part.size) TRY(blob_unref(txn, part.body, g->uid));
        g->progress++;
    }
    if (g->progress < w->map.count) return garbage_update(txn, g);
    TRY(txn_drop_body(txn, g->map));
    return garbage_del(txn, g);
}

static struct err clear_part(struct txn *txn, const struct garbage *g, struct str key, struct str value)
{
    struct part_row part;
    uint32_t number;

    TRY(part_row_key_parse(key, &number));
    TRY(part_row_decode(value, &part));
    if (part.body.kind != BODY_BLOB || !part_set_has(g->kept, number))
        TRY(part_body_drop(txn, g->uid, &part));
    return txn_del(txn, SPACE_PARTS, key);
}

static struct err clear_open_upload(struct txn *txn, const struct garbage *g, struct str key)
{
    struct uid id;

    TRY(upload_row_key_id(key, &id));
    TRY(txn_del(txn, SPACE_UPLOADS, key));
    return upload_leave_parts(txn, g->bucket_id, id, STR_NONE);
}

/* The rows of space that begin with prefix, up to a slice of them. *ret_is_end: there were no more. */
static struct err clear_rows(struct txn *txn, const struct clearing *w, const struct garbage *g,
                             struct str prefix, bool *ret_is_end)
{
    const bool is_bucket = g->kind == GARBAGE_BUCKET;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    *ret_is_end = true;
    rows_scan_begin(&scan, txn_rows(txn), is_bucket ? SPACE_UPLOADS : SPACE_PARTS, prefix, false);
    for (size_t i = 0; e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, prefix);
         i++) {
        *ret_is_end = i < w->slice;
        if (!*ret_is_end) break;
        e = is_bucket ? clear_open_upload(txn, g, key) : clear_part(txn, g, key, value);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err clear_upload_or_bucket(struct txn *txn, const struct clearing *w, const struct garbage *g)
{
    uint8_t bucket[8];
    struct str prefix = str_of(g->uid.bytes, sizeof(g->uid.bytes));
    bool is_end;

    if (g->kind == GARBAGE_BUCKET) prefix = upload_row_prefix(g->bucket_id, STR_NONE, bucket);
    TRY(clear_rows(txn, w, g, prefix, &is_end));
    return is_end ? garbage_del(txn, g) : OK;
}

static struct err clear_fn(struct txn *txn, void *arg)
{
    const struct clearing *w = arg;
    uint8_t key[GARBAGE_KEY_BYTES];
    struct garbage now;
    struct str row;

    const struct str at = garbage_key(&w->seen, key);
    const struct err e = rows_get(txn_rows(txn), SPACE_GARBAGE, at, &row);
    if (e.code == ERR_NOT_FOUND) return OK; /* somebody else was here */
    TRY(e);
    TRY(garbage_decode(at, row, &now));

    switch (now.kind) {
    case GARBAGE_PART_MAP:
        /* A copy that is under way after all has put it off. */
        if (now.due_ms != w->seen.due_ms || now.map.segment_id != w->seen.map.segment_id
            || now.map.offset != w->seen.map.offset)
            return OK;
        return clear_map(txn, w, &now);
    case GARBAGE_UPLOAD:
    case GARBAGE_BUCKET: return clear_upload_or_bucket(txn, w, &now);
    }
    return FAIL(ERR_CORRUPT, "a row of garbage is of no known kind");
}

/* ---- choosing, and running ---- */

/* Read the map of what was found, while the view still holds it. *ret_bytes is the caller's to free. */
static struct err read_map(struct clearing *w, char **ret_bytes)
{
    const struct place at = w->seen.map;
    char *bytes = malloc(at.length + 1);
    struct err e = bytes ? meta_read_body(w->store->meta, at, bytes)
                         : FAIL(ERR_NO_MEMORY, "no memory for a part map");

    if (e.code == ERR_OK) e = part_map_open(str_of(bytes, at.length), &w->map);
    if (e.code == ERR_OK) *ret_bytes = bytes;
    else free(bytes);
    return e;
}

static void seen(struct clearing *w, const struct garbage *g)
{
    w->seen = *g;
    w->seen.kept = STR_NONE; /* the transaction reads it anew */
}

/* The first row that can be worked on now. A map that cannot be read is passed over, so that it holds nothing else up; *ret_bad then says why. */
static struct err find_work(struct clearing *w, struct rows *view, bool *ret_found, char **ret_map,
                            struct err *ret_bad)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, view, SPACE_GARBAGE, STR_NONE, false);
    while (!*ret_found && e.code == ERR_OK && rows_scan_next(&scan, &key, &value)) {
        struct garbage g;
        e = garbage_decode(key, value, &g);
        if (e.code == ERR_OK && !garbage_is_ripe(w->store->meta, &g)) continue;
        if (e.code == ERR_OK) {
            seen(w, &g);
            if (g.kind == GARBAGE_PART_MAP) e = read_map(w, ret_map);
        }
        *ret_found = e.code == ERR_OK;
        if (e.code == ERR_CORRUPT) {
            *ret_bad = e;
            e = OK;
        }
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err run(struct clearing *w)
{
    struct err e = meta_run_freeing(w->store->meta, clear_fn, w);

    while (e.code == ERR_TOO_LARGE && w->slice > 1) {
        w->slice /= 4;
        e = meta_run_freeing(w->store->meta, clear_fn, w);
    }
    return e;
}

struct err multipart_clear(struct store *s, bool *ret_more)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct clearing w = { .store = s, .slice = SLICE };
    struct err bad = OK;
    char *map = NULL;
    bool is_found = false;

    TRY(view_open(s->meta, &view));
    struct err e = find_work(&w, view, &is_found, &map, &bad);
    view = view_close(view); /* a transaction with a view of ours open would hold up its own reclaiming */
    if (e.code == ERR_OK && is_found) e = run(&w);
    free(map);
    TRY(e);
    if (!is_found) TRY(bad);
    *ret_more = is_found;
    return OK;
}
