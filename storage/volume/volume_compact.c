/*
 * volume_compact.c - choosing a volume, going through its extents, copying a body a piece at a time.
 *
 *   IDLE    until the next round
 *   CHOOSE  the next sparse volume in the order of ids; behind the last one the round is over
 *   PICK    the next body with an extent in it; behind the last one the volume is done with
 *   COPY    pieces of that body; then flush, move, and on to the next
 *
 * A body is found by its extent, so one that was moved, freed or written meanwhile is met no more.
 */
#include "storage/volume/volume_compact.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/rate.h"
#include "storage/volume/blob_state.h"

#define PIECE (1 * MIB) /* read and written at once; a step has a few of them */
#define PIECES_A_STEP 4

enum phase { IDLE, CHOOSE, PICK, COPY };

struct volume_compact {
    struct volume_compact_options options;
    enum phase phase;
    uint64_t round_ms; /* when the next round begins */
    struct rate rate;
    uint64_t volume; /* CHOOSE: from here on; then the one that is emptied */
    uint64_t offset; /* PICK: from here on */
    uint64_t moved;  /* bodies, of this volume */
    /* COPY: */
    struct uid body;
    struct buf row; /* its row when it was found */
    struct blob_reader *reader;
    struct blob_writer *writer;
    uint8_t *piece;
};

struct err volume_compact_new(const struct volume_compact_options *options, struct volume_compact **ret)
{
    struct volume_compact *c = calloc(1, sizeof(*c));

    if (c) c->piece = malloc(PIECE);
    if (!c || !c->piece) {
        free(c);
        return no_memory();
    }
    c->options = *options;
    c->rate = rate_of(options->rate);
    buf_init(&c->row, ROW_BODY_BYTES(ROW_BODY_EXTENTS_MAX));
    *ret = c;
    return OK;
}

/* What was copied and not moved is reclaim's to punch. */
static void let_go(struct volume_compact *c)
{
    c->writer = blob_write_close(c->writer);
    c->reader = blob_reader_close(c->reader);
}

struct volume_compact *volume_compact_free(struct volume_compact *c)
{
    if (!c) return NULL;
    let_go(c);
    buf_done(&c->row);
    free(c->piece);
    free(c);
    return NULL;
}

/* ---- choosing ---- */

static void begin_round(struct volume_compact *c)
{
    if (!c->options.blobs->dir || clock_mono_ms() < c->round_ms) return;
    c->volume = 0;
    c->phase = CHOOSE;
}

static void end_round(struct volume_compact *c)
{
    c->round_ms = clock_mono_ms() + c->options.round_ms;
    c->phase = IDLE;
}

static bool is_sparse(const struct volume_row *row)
{
    return row->state == VOLUME_SEALED && !row->is_own
        && row->bytes_taken < row->length / 100 * LIMIT_COMPACT_VOLUME;
}

/* The first sparse volume of a stretch of rows. *ret_is_end: there are no rows behind it. */
static struct err look(struct volume_compact *c, struct rows *view, bool *ret_found, bool *ret_is_end)
{
    struct rows_scan scan;
    struct str key, value;
    char from[KEY_VOLUME_BYTES];
    struct volume_row row;
    struct err e = OK;
    int visited = 0;

    *ret_found = false;
    rows_scan_begin(&scan, view, SPACE_VOLUMES, key_volume(c->volume, from), false);
    while (!*ret_found && visited++ < LIMIT_SCAN_ROWS && rows_scan_next(&scan, &key, &value)) {
        e = key_volume_decode(key, &c->volume);
        if (!e.code) e = volume_row_decode(value, &row);
        if (e.code) break;
        *ret_found = is_sparse(&row);
        if (!*ret_found) c->volume++;
    }
    *ret_is_end = !*ret_found && visited <= LIMIT_SCAN_ROWS;
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err choose(struct volume_compact *c)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool found, is_end;

    TRY(view_open(c->options.blobs->meta, &view));
    TRY(look(c, view, &found, &is_end));
    if (is_end) {
        end_round(c);
    } else if (found) {
        c->phase = PICK;
        c->offset = c->moved = 0;
    }
    return OK;
}

/* ---- picking ---- */

static void leave_volume(struct volume_compact *c)
{
    if (c->moved) LOG_DEBUG("a sparse volume was emptied", U64("volume", c->volume), U64("bodies", c->moved));
    METRIC_ADD(compacted_volumes, c->moved != 0);
    c->volume++;
    c->phase = CHOOSE;
}

/* The next extent of the volume, and whose it is. */
static struct err next_extent(struct volume_compact *c, struct rows *view, bool *ret_found)
{
    struct rows_scan scan;
    struct str key, value;
    char from[KEY_PLACE_BYTES];
    struct extent_row row = { 0 };
    uint64_t volume = 0, offset = 0;

    rows_scan_begin(&scan, view, SPACE_EXTENTS, key_place(c->volume, c->offset, from), false);
    *ret_found = rows_scan_next(&scan, &key, &value);
    struct err e = *ret_found ? key_place_decode(key, &volume, &offset) : scan.err;
    *ret_found = *ret_found && !e.code && volume == c->volume;
    if (*ret_found) {
        c->offset = offset + 1;
        e = extent_row_decode(value, &row);
        c->body = row.body;
    }
    rows_scan_done(&scan);
    return e;
}

static struct err begin_copy(struct volume_compact *c, struct rows *view)
{
    struct blobs *b = c->options.blobs;
    struct body_row row;
    struct str value;

    TRY(rows_get(view, SPACE_BODIES, key_body(&c->body), &value));
    TRY(body_row_decode(value, &row));
    if (row.length > b->own_file_bytes) return OK;
    buf_clear(&c->row);
    buf_append(&c->row, value.data, value.len);
    TRY(buf_err(&c->row));
    TRY(blob_reader_open(b, view, c->body, &c->reader));
    TRY(writer_begin(b, c->body, row.length, &c->writer));
    c->phase = COPY;
    return OK;
}

static struct err pick(struct volume_compact *c)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool found;

    TRY(view_open(c->options.blobs->meta, &view));
    TRY(next_extent(c, view, &found));
    if (found) return begin_copy(c, view);
    leave_volume(c);
    return OK;
}

/* ---- copying ---- */

struct moving {
    const struct blob_writer *writer;
    struct str row;
    bool is_moved;
};

static struct err move_fn(struct txn *txn, void *arg)
{
    struct moving *m = arg;

    return body_move(txn, m->writer, m->row, &m->is_moved);
}

static struct err finish(struct volume_compact *c)
{
    struct moving m = { .writer = c->writer, .row = buf_view(&c->row) };

    TRY(blob_write_flush_wait(c->writer));
    TRY(meta_run_background(c->options.blobs->meta, move_fn, &m));
    if (m.is_moved) {
        METRIC_ADD(compacted_volume_bytes, blob_writer_length(c->writer));
        c->moved++;
    }
    let_go(c);
    c->phase = PICK;
    return OK;
}

static struct err copy_piece(struct volume_compact *c)
{
    const uint64_t at = blob_writer_length(c->writer), left = blob_reader_length(c->reader) - at;
    const size_t len = left < PIECE ? (size_t)left : PIECE;

    TRY(blob_read(c->reader, at, c->piece, len));
    TRY(blob_write(c->writer, c->piece, len));
    rate_take(&c->rate, len);
    return OK;
}

static struct err copy(struct volume_compact *c)
{
    for (int i = 0; i < PIECES_A_STEP; i++) {
        if (blob_writer_length(c->writer) == blob_reader_length(c->reader)) return finish(c);
        TRY(copy_piece(c));
    }
    return OK;
}

/* ---- steps ---- */

static struct err (*const phases[])(struct volume_compact *c) = {
    [CHOOSE] = choose,
    [PICK] = pick,
    [COPY] = copy,
};

/* A body that is damaged or gone stays where it is, and the next one comes. What else is wrong (no space, a journal that takes no more, a row of no volume) is wrong for all: until the next round. */
static struct err give_up(struct volume_compact *c, struct err e, bool is_of_body)
{
    char why[200];
    const struct err kept = err_keep(e, why, sizeof(why));

    let_go(c);
    if (is_of_body && (e.code == ERR_CORRUPT || e.code == ERR_NOT_FOUND)) c->phase = PICK;
    else end_round(c);
    return err_fail(e.code, "volume %" PRIu64 " is not emptied: %s", c->volume, kept.why);
}

struct err volume_compact_step(struct volume_compact *c, bool *ret_more)
{
    *ret_more = false;
    if (c->phase == IDLE) begin_round(c);
    if (c->phase == IDLE || (c->phase == COPY && !rate_left(&c->rate))) return OK;
    const uint64_t offset = c->offset;
    const bool is_copying = c->phase == COPY;
    const struct err e = phases[c->phase](c);
    if (e.code) return give_up(c, e, is_copying || c->offset != offset);
    *ret_more = c->phase != IDLE;
    return OK;
}
