/*
 * writer.c - a body on its way in.
 *
 * Bytes go from the caller's buffer straight to the page cache (pwrite), and are checksummed on the way. Space is reserved as bytes
 * arrive: 256 KiB to begin with, then as much again as there is, up to 64 MiB; so a client that claims much and sends little holds
 * little. What the client claims can only make a reservation smaller. A reservation grows in place while nobody stands behind it; else the
 * extent gets its trailer and another begins. What is left at the end goes back.
 *
 * Every 4 MiB the kernel is told to begin writing out, so that the flush of one body does not wait for a whole body.
 *
 * States: WRITING -> (flush) FLUSHING -> DURABLE or FAILED. Only a DURABLE one can be published. A writer that is closed and not published
 * goes to reclaim, which punches its space: that may wait for the disk, and close is called on HTTP threads.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"

#define CHUNK_MIN (256 * KIB)
#define SYNC_STEP (4 * MIB)
#define EXTENTS_FIRST 4

static uint64_t at_most(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

struct err blob_write_begin(struct blobs *b, uint64_t size_hint, struct blob_writer **ret)
{
    return writer_begin(b, ids_uid(), size_hint, ret);
}

struct err writer_begin(struct blobs *b, struct uid body, uint64_t size_hint, struct blob_writer **ret)
{
    uint64_t free_bytes, total;

    if (!b->dir)
        return FAIL(
            ERR_UNSUPPORTED,
            "a body of more than 1 MiB needs volumes, which servers that share a store do not have (setting store-shared)");
    TRY(sys_free_bytes(b->dir, &free_bytes, &total));
    if (free_bytes < b->place.floor_bytes) {
        reclaim_wake(b->reclaim, true);
        return FAIL(ERR_NO_SPACE, "the disk is full but for its reserve");
    }
    struct blob_writer *w = calloc(1, sizeof(*w));
    if (!w) return FAIL(ERR_NO_MEMORY, "no memory for a writer");
    const struct err e = volume_set_join(b->set, &w->slot);
    if (e.code) {
        free(w);
        return e;
    }
    w->b = b;
    w->size_hint = size_hint;
    atomic_init(&w->state, WRITER_WRITING);
    pins_add(&b->pins, &w->pin, body);
    *ret = w;
    return OK;
}

struct uid blob_writer_uid(const struct blob_writer *w)
{
    return w->pin.uid;
}

uint64_t blob_writer_length(const struct blob_writer *w)
{
    return w->length;
}

/* The first failure stays. */
static struct err fail(struct blob_writer *w, struct err e)
{
    if (e.code && !w->error.code) w->error = err_keep(e, w->why, sizeof(w->why));
    return w->error;
}

/* ---- extents ---- */

static struct extent *last_extent(struct blob_writer *w)
{
    return &w->extents[w->count - 1];
}

static struct volume *last_volume(struct blob_writer *w)
{
    return w->volumes[w->count - 1];
}

uint64_t writer_extent_end(const struct blob_writer *w, uint32_t i)
{
    if (w->is_extent_open && i == w->count - 1) return w->reserved_end;
    return w->extents[i].offset + record_bytes(w->extents[i].data_len);
}

static struct err extents_reserve(struct blob_writer *w)
{
    if (w->count < w->size) return OK;
    if (w->count == ROW_BODY_EXTENTS_MAX) return FAIL(ERR_TOO_LARGE, "the body has too many extents");

    const uint32_t size = w->size ? 2 * w->size : EXTENTS_FIRST;
    struct extent *extents = realloc(w->extents, size * sizeof(*extents));
    if (extents) w->extents = extents;
    struct volume **volumes = extents ? realloc(w->volumes, size * sizeof(*volumes)) : NULL;
    if (!volumes) return FAIL(ERR_NO_MEMORY, "no memory for the extents of a body");
    w->volumes = volumes;
    w->size = size;
    return OK;
}

/* Write the trailer of the open extent, and give back what it does not need. */
static struct err finish_extent(struct blob_writer *w, bool is_last)
{
    struct extent *x = last_extent(w);
    struct volume *v = last_volume(w);

    x->data_len = w->sums.data_len;
    const struct record r = {
        .store = w->b->store,
        .body = w->pin.uid,
        .volume = x->volume,
        .offset = x->offset,
        .body_offset = w->length - x->data_len,
        .body_length = w->length,
        .data_len = x->data_len,
        .is_last = is_last,
    };
    const size_t len = record_trailer_bytes(x->data_len);
    uint8_t *trailer = malloc(len);
    if (!trailer) return FAIL(ERR_NO_MEMORY, "no memory for the end of an extent");
    record_encode(&r, w->sums.crcs, trailer);
    const struct err e = volume_write(v, trailer, len, x->offset + x->data_len);
    free(trailer);
    TRY(e);

    volume_give_back(v, x->offset + record_bytes(x->data_len), w->reserved_end);
    w->is_extent_open = false;
    return OK;
}

static void own_retire(struct blob_writer *w)
{
    if (w->own) volume_set_retire(w->b->set, w->own);
    w->own = NULL;
}

/* In a file of the body's own, and in the next one when that is full. */
static struct err reserve_own(struct blob_writer *w, uint64_t bytes, uint64_t *ret_offset)
{
    if (w->own) {
        const struct err e = volume_reserve(w->own, bytes, ret_offset);
        if (e.code != ERR_BUSY) return e;
        own_retire(w);
    }
    TRY(volume_set_create_own(w->b->set, &w->own));
    return volume_reserve(w->own, bytes, ret_offset);
}

static bool is_for_own_file(const struct blob_writer *w)
{
    return w->length >= w->b->own_file_bytes || w->size_hint > w->b->own_file_bytes;
}

static struct err begin_extent(struct blob_writer *w, uint64_t bytes)
{
    struct extent x = { 0 };
    struct volume *v = NULL;

    TRY(extents_reserve(w));
    if (is_for_own_file(w)) {
        TRY(reserve_own(w, bytes, &x.offset));
        v = w->own;
    } else {
        TRY(volume_set_reserve(w->b->set, w->slot, bytes, &v, &x.offset));
    }
    x.volume = v->id;
    w->extents[w->count] = x;
    w->volumes[w->count] = v;
    w->count++;
    w->is_extent_open = true;
    w->reserved_end = x.offset + bytes;
    w->synced_end = x.offset;
    record_sums_reset(&w->sums);
    return OK;
}

/* How much to reserve when len bytes stand here: as much again as has come, and never more than the client says is still to come. */
static uint64_t reservation_for(const struct blob_writer *w, size_t len)
{
    uint64_t data = w->length > CHUNK_MIN ? w->length : CHUNK_MIN;

    if (data < len) data = len;
    if (w->size_hint > w->length) data = at_most(data, w->size_hint - w->length);
    if (!is_for_own_file(w)) data = at_most(data, w->b->own_file_bytes - w->length);
    return record_bytes((uint32_t)at_most(data, w->b->chunk_bytes_max));
}

/* How many bytes fit into the open extent; in a shared volume none beyond what may lie there. */
static uint32_t room(const struct blob_writer *w)
{
    if (!w->is_extent_open) return 0;
    const uint32_t i = w->count - 1;
    const uint64_t left = record_room(w->reserved_end - w->extents[i].offset) - w->sums.data_len;

    if (w->volumes[i]->is_own) return (uint32_t)left;
    return w->length < w->b->own_file_bytes ? (uint32_t)at_most(left, w->b->own_file_bytes - w->length) : 0;
}

/* The open extent has no room: make it longer, or begin another. */
static struct err make_room(struct blob_writer *w, size_t len)
{
    const uint64_t bytes = reservation_for(w, len);

    if (w->is_extent_open) {
        struct volume *v = last_volume(w);
        if (w->sums.data_len < RECORD_DATA_MAX && v->is_own == is_for_own_file(w)) {
            const struct err e = volume_grow(v, w->reserved_end, bytes);
            if (!e.code) w->reserved_end += bytes;
            if (e.code != ERR_BUSY) return e;
        }
        TRY(finish_extent(w, false));
    }
    return begin_extent(w, bytes);
}

/* ---- data ---- */

/* It promises nothing, so its failure means nothing: the flush will tell. */
static void begin_writing_out(struct blob_writer *w, uint64_t end)
{
    const uint64_t whole = end / RECORD_ALIGN * RECORD_ALIGN;

    if (whole < w->synced_end + SYNC_STEP) return;
    err_ignore(sys_sync_range(last_volume(w)->fd, w->synced_end, whole - w->synced_end));
    w->synced_end = whole;
}

/* In steps of 4 MiB, so that writing out keeps up also with a caller that brings all at once. */
static struct err write_piece(struct blob_writer *w, const uint8_t *data, size_t len)
{
    const uint64_t at = last_extent(w)->offset + w->sums.data_len;

    TRY(volume_write(last_volume(w), data, len, at));
    TRY(record_sums_add(&w->sums, data, len));
    w->length += len;
    begin_writing_out(w, at + len);
    return OK;
}

static struct err write_all(struct blob_writer *w, const uint8_t *data, size_t len)
{
    while (len) {
        if (!room(w)) TRY(make_room(w, len));
        const size_t n = (size_t)at_most(at_most(len, room(w)), SYNC_STEP);
        TRY(write_piece(w, data, n));
        data += n;
        len -= n;
    }
    return OK;
}

struct err blob_write(struct blob_writer *w, const void *data, size_t len)
{
    if (atomic_load(&w->state) != WRITER_WRITING) return FAIL(ERR_INVALID, "the body was flushed already");
    TRY(w->error);
    const struct err e = fail(w, write_all(w, data, len));
    if (e.code == ERR_NO_SPACE) reclaim_wake(w->b->reclaim, true);
    return e;
}

/* ---- flushing ---- */

static struct err finish_body(struct blob_writer *w)
{
    TRY(w->error);
    if (w->is_extent_open) TRY(finish_extent(w, true));
    w->row = malloc(ROW_BODY_BYTES(w->count));
    if (!w->row) return FAIL(ERR_NO_MEMORY, "no memory for the row of a body");
    body_row_encode(w->length, w->extents, w->count, w->row);
    return OK;
}

static void flush_finished(struct flush_request *r, struct err e)
{
    struct blob_writer *w = (struct blob_writer *)((char *)r - offsetof(struct blob_writer, request));

    /* After done the writer may be gone. */
    const struct err kept = fail(w, e);
    atomic_store(&w->state, kept.code ? WRITER_FAILED : WRITER_DURABLE);
    w->done(w->arg, kept);
}

void blob_write_flush(struct blob_writer *w, void (*done)(void *arg, struct err e), void *arg)
{
    assert(atomic_load(&w->state) == WRITER_WRITING);
    err_ignore(fail(w, finish_body(w)));
    own_retire(w);
    w->done = done;
    w->arg = arg;
    w->request = (struct flush_request){
        .volumes = w->volumes,
        .count = w->count,
        .refused = w->error,
        .finish = flush_finished,
    };
    atomic_store(&w->state, WRITER_FLUSHING);
    volume_set_flush(w->b->set, w->slot, &w->request);
}

struct waiter {
    struct mutex lock; /* guards: is_done, result */
    struct cond done;
    bool is_done;
    struct err result;
};

static void waiter_done(void *arg, struct err e)
{
    struct waiter *waiter = arg;

    mutex_lock(&waiter->lock);
    waiter->result = e;
    waiter->is_done = true;
    cond_signal(&waiter->done);
    mutex_unlock(&waiter->lock);
}

struct err blob_write_flush_wait(struct blob_writer *w)
{
    struct waiter waiter = { .lock = MUTEX_INIT(LOCK_VOLUME) };

    cond_init(&waiter.done);
    blob_write_flush(w, waiter_done, &waiter);
    mutex_lock(&waiter.lock);
    while (!waiter.is_done) cond_wait(&waiter.done, &waiter.lock);
    mutex_unlock(&waiter.lock);
    cond_done(&waiter.done);
    mutex_done(&waiter.lock);
    return waiter.result; /* its text is the writer's */
}

/* ---- closing ---- */

void writer_free(struct blob_writer *w)
{
    record_sums_done(&w->sums);
    free(w->extents);
    free(w->volumes);
    free(w->row);
    free(w);
}

/* Seen in a view opened now: what was acknowledged is there. False also when it cannot be told; then reclaim finds out. */
static bool is_known_published(struct blob_writer *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool is_published = false;

    if (atomic_load(&w->state) != WRITER_DURABLE || view_open(w->b->meta, &view).code) return false;
    return !writer_is_published(view, w, &is_published).code && is_published;
}

struct blob_writer *blob_write_close(struct blob_writer *w)
{
    if (!w) return NULL;
    struct blobs *b = w->b;

    assert(atomic_load(&w->state) != WRITER_FLUSHING);
    own_retire(w);
    volume_set_leave(b->set, w->slot);
    if (w->count == 0) {
        pins_remove(&b->pins, &w->pin);
        writer_free(w);
    } else if (is_known_published(w)) {
        reclaim_settle(b->reclaim, w);
    } else {
        reclaim_abandon(b->reclaim, w);
    }
    return NULL;
}
