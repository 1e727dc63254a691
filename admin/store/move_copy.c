/*
 * move_copy.c - the pass: scan, load the body, digest, gather a slice, put it.
 *
 * A slice is one transaction. Its function runs more than once (meta.h), so each run writes the places that it was given into the values anew; the bytes lie in an arena that is emptied
 * when the slice is durable.
 */
#include "admin/store/move_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/move_mark.h"
#include "storage/base/arena.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/row_place.h"

#define SLICE_ROWS 500              /* half of LIMIT_TXN_ROWS */
#define SLICE_ROW_BYTES (512 * KIB) /* with one more row well below LIMIT_TXN_BYTES */
#define SLICE_BODY_BYTES (2 * MIB)  /* with one more body within a segment of 4 MiB */
#define ARENA_BYTES (32 * MIB)
#define PLACE_OWN_BYTES 12 /* offset and segment: the engine's. Length and CRC are the body's */

static const struct {
    enum space space;
    const char *name;
} spaces[MOVE_SPACE_COUNT] = {
#define SPACE(name, id, what) { SPACE_##name, #name },
#include "storage/meta/spaces.def"
#undef SPACE
};

/* A row in memory. */
struct moved_row {
    enum space space;
    struct str key;
    char *value;
    size_t value_len;
    struct row_place at; /* .at 0: it has no body */
    struct str body;
};

struct copying {
    const struct move_pass *pass;
    struct rows *view;
    struct arena *arena; /* of the slice */
    struct digest digest;
    struct move_space *tally;
    uint64_t rows, bodies; /* of all spaces so far */
    struct moved_row slice[SLICE_ROWS];
    size_t count, row_bytes, body_bytes;
};

static bool is_mark(enum space space, struct str key)
{
    return space == SPACE_SYSTEM && str_eq(key, MOVE_MARK_KEY);
}

/* An error, with the row that it is about: its space, and the beginning of its key in hex. */
static struct err about_row(struct err e, const char *space, struct str key)
{
    char hex[2 * 64 + 1], why[300];
    const struct err kept = err_keep(e, why, sizeof(why));

    hex_z(key.data, key.len < 64 ? key.len : 64, hex);
    return err_fail(kept.code, "%s %s%s: %s", space, hex, key.len > 64 ? "..." : "", why);
}

/* ---- one row ---- */

static struct err body_load(struct copying *c, struct moved_row *row)
{
    const uint32_t len = row->at.place.length;
    char *bytes;

    if (len > LIMIT_JOURNAL_BODY) return FAIL(ERR_CORRUPT, "its small body is too long to be one");
    bytes = arena_alloc(c->arena, len ? len : 1);
    if (!bytes) return no_memory();
    TRY(meta_read_body(c->pass->from, row->at.place, bytes));
    row->body = str_of(bytes, len);
    return OK;
}

static struct err row_load(struct copying *c, enum space space, struct str key, struct str value,
                           struct moved_row *ret)
{
    struct moved_row row = { .space = space, .key = arena_str(c->arena, key), .value_len = value.len };

    row.value = arena_z(c->arena, value);
    if (!row.key.data || !row.value) return no_memory();
    TRY(row_place_find(space, key, value, &row.at));
    if (row.at.at) TRY(body_load(c, &row));
    *ret = row;
    return OK;
}

static void digest_str(struct digest *d, struct str s)
{
    uint8_t len[8];

    put_be64(len, s.len);
    digest_update(d, len, sizeof(len));
    digest_update(d, s.data, s.len);
}

/* Leaves the place in row->value without what is the engine's. */
static void row_tally(struct copying *c, struct moved_row *row)
{
    struct move_space *t = c->tally;

    if (row->at.at) memset(row->value + row->at.at, 0, PLACE_OWN_BYTES);
    digest_str(&c->digest, row->key);
    digest_str(&c->digest, str_of(row->value, row->value_len));
    t->rows++;
    t->row_bytes += row->key.len + row->value_len;
    c->rows++;
    if (!row->at.at) return;
    digest_str(&c->digest, row->body);
    t->bodies++;
    t->body_bytes += row->body.len;
    c->bodies++;
}

/* ---- a slice ---- */

static struct err put_slice(struct txn *txn, void *arg)
{
    const struct copying *c = arg;

    for (size_t i = 0; i < c->count; i++) {
        const struct moved_row *row = &c->slice[i];
        struct place place;
        if (row->at.at) {
            TRY(txn_put_body(txn, row->space, row->key, row->body, &place));
            place_encode(&place, (uint8_t *)row->value + row->at.at);
        }
        TRY(txn_put(txn, row->space, row->key, str_of(row->value, row->value_len)));
    }
    return OK;
}

static struct err slice_flush(struct copying *c)
{
    if (c->count && c->pass->to) TRY(meta_run(c->pass->to, put_slice, c));
    if (c->pass->progress) c->pass->progress(c->pass->arg, c->rows, c->bodies);
    c->count = c->row_bytes = c->body_bytes = 0;
    arena_reset(c->arena);
    return OK;
}

static struct err slice_add(struct copying *c, const struct moved_row *row)
{
    c->slice[c->count++] = *row;
    c->row_bytes += row->key.len + row->value_len;
    c->body_bytes += row->body.len;
    if (c->count < SLICE_ROWS && c->row_bytes < SLICE_ROW_BYTES && c->body_bytes < SLICE_BODY_BYTES)
        return OK;
    return slice_flush(c);
}

/* ---- the pass ---- */

static struct err copy_rows(struct copying *c, enum space space, struct rows_scan *scan)
{
    struct moved_row row;
    struct str key, value;

    while (rows_scan_next(scan, &key, &value)) {
        if (is_mark(space, key)) continue;
        const struct err e = row_load(c, space, key, value, &row);
        if (e.code) return about_row(e, c->tally->name, key);
        row_tally(c, &row);
        TRY(slice_add(c, &row));
    }
    return scan->err;
}

static struct err copy_space(struct copying *c, enum space space)
{
    struct rows_scan scan;
    struct digest_value value;

    TRY(digest_init(&c->digest, DIGEST_SHA256));
    rows_scan_begin(&scan, c->view, space, STR_NONE, false);
    struct err e = copy_rows(c, space, &scan);
    rows_scan_done(&scan);
    if (!e.code) e = slice_flush(c);
    value = digest_final(&c->digest);
    digest_done(&c->digest);
    memcpy(c->tally->sha256, value.bytes, sizeof(c->tally->sha256));
    return e;
}

static struct err copy_all(struct copying *c, struct move_tally *tally)
{
    for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) {
        c->tally = &tally->spaces[i];
        *c->tally = (struct move_space){ .name = spaces[i].name };
        TRY(copy_space(c, spaces[i].space));
    }
    return OK;
}

struct err move_pass(const struct move_pass *pass, struct move_tally *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct copying *c = malloc(sizeof(*c));
    struct err e = arena && c ? view_open(pass->from, &view) : no_memory();

    if (!e.code) {
        *c = (struct copying){ .pass = pass, .view = view, .arena = arena };
        e = copy_all(c, ret);
    }
    free(c);
    return e;
}

struct err move_compare(const struct move_tally *source, const struct move_tally *target)
{
    for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) {
        const struct move_space *a = &source->spaces[i], *b = &target->spaces[i];
        if (a->rows != b->rows || a->bodies != b->bodies)
            return err_fail(ERR_CORRUPT,
                            "space %s has %" PRIu64 " rows and %" PRIu64
                            " small bodies, and what was read back from the target %" PRIu64 " and %" PRIu64,
                            a->name, a->rows, a->bodies, b->rows, b->bodies);
        if (memcmp(a->sha256, b->sha256, sizeof(a->sha256)) != 0)
            return err_fail(ERR_CORRUPT, "space %s reads back from the target as something else", a->name);
    }
    return OK;
}

/* ---- the target beforehand ---- */

static bool has_other_row(struct rows_scan *scan, enum space space)
{
    struct str key, value;

    while (rows_scan_next(scan, &key, &value)) {
        if (!is_mark(space, key)) return true;
    }
    return false;
}

struct err move_is_empty(struct meta *m, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool is_empty = true;

    TRY(view_open(m, &view));
    for (size_t i = 0; i < MOVE_SPACE_COUNT && is_empty; i++) {
        struct rows_scan scan;
        rows_scan_begin(&scan, view, spaces[i].space, STR_NONE, false);
        is_empty = !has_other_row(&scan, spaces[i].space);
        const struct err e = scan.err;
        rows_scan_done(&scan);
        TRY(e);
    }
    *ret = is_empty;
    return OK;
}

struct clearing {
    enum space space;
    bool is_end;
};

static struct err clear_row(struct txn *txn, enum space space, struct str key, struct str value)
{
    struct row_place at;

    TRY(row_place_find(space, key, value, &at));
    if (at.at) TRY(txn_drop_body(txn, at.place));
    return txn_del(txn, space, key);
}

static struct err clear_fn(struct txn *txn, void *arg)
{
    struct clearing *w = arg;
    struct rows_scan scan;
    struct str key, value;
    size_t count = 0;
    struct err e = OK;

    rows_scan_begin(&scan, txn_rows(txn), w->space, STR_NONE, false);
    while (!e.code && count < SLICE_ROWS && rows_scan_next(&scan, &key, &value)) {
        if (is_mark(w->space, key)) continue;
        e = clear_row(txn, w->space, key, value);
        count++;
    }
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    w->is_end = count < SLICE_ROWS;
    return e;
}

struct err move_clear(struct meta *m)
{
    for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) {
        struct clearing w = { .space = spaces[i].space };
        do TRY(meta_run_freeing(m, clear_fn, &w));
        while (!w.is_end);
    }
    return OK;
}
