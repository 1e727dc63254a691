/*
 * scrub.c - passes over objects and parts, a bounded piece at a time.
 *
 * A step opens a view, goes on at the row where the last one stopped, and reads until it has had its share or something is damaged; the view is closed before anything is written. Between two steps nothing
 * is held: an object may be deleted, or written anew, in the middle of it.
 */
#include "storage/object/scrub.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/rate.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"
#include "storage/object/scrub_row.h"
#include "storage/object/upload_row.h"

#define READ_BYTES (1 * MIB) /* at once */
#define STEP_BYTES (8 * MIB) /* of one step: tens of milliseconds of a disk */
#define ROW_BYTES (4 * KIB)  /* that a row costs at least */
#define SAVE_MS 10000        /* between two writings of the state */
#define WHAT_SIZE 256

struct scrub {
    struct scrub_options options;
    struct scrub_state state;
    bool is_loaded;
    struct rate rate;
    uint64_t saved_ms;
    char *bytes; /* READ_BYTES */
};

struct err scrub_new(const struct scrub_options *options, struct scrub **ret)
{
    struct scrub *s = calloc(1, sizeof(*s));

    if (s) s->bytes = malloc(READ_BYTES);
    if (!s || !s->bytes) {
        scrub_free(s);
        return no_memory();
    }
    s->options = *options;
    s->rate = rate_of(options->rate);
    *ret = s;
    return OK;
}

struct scrub *scrub_free(struct scrub *s)
{
    if (!s) return NULL;
    free(s->bytes);
    free(s);
    return NULL;
}

/* ---- the state ---- */

static struct err put_state(struct txn *txn, void *arg)
{
    return scrub_state_put(txn, &((struct scrub *)arg)->state);
}

static struct err put(struct scrub *s)
{
    TRY(meta_run(s->options.store->meta, put_state, s));
    s->saved_ms = clock_mono_ms();
    return OK;
}

struct err scrub_save(struct scrub *s)
{
    return s->state.is_running ? put(s) : OK;
}

static struct err save_if_due(struct scrub *s)
{
    return clock_mono_ms() - s->saved_ms >= SAVE_MS ? scrub_save(s) : OK;
}

static struct err count_one(void *arg, const struct scrub_found *f)
{
    (void)f;
    ++*(uint64_t *)arg;
    return OK;
}

static struct err tell_metrics(struct scrub *s)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint64_t damaged = 0;

    TRY(view_open(s->options.store->meta, &view));
    TRY(scrub_found_each(view, count_one, &damaged));
    METRIC_SET(scrub_damaged, damaged);
    METRIC_SET(scrub_last_timestamp_seconds, (uint64_t)(s->state.ended_ms / 1000));
    return OK;
}

static struct err read_state(struct scrub *s)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(s->options.store->meta, &view));
    return scrub_state_get(view, &s->state);
}

/* A store that nobody has scrubbed yet has no state: then it begins now. One that cannot be read is nothing to lose: its pass begins anew. */
static struct err load(struct scrub *s)
{
    const struct err e = read_state(s);

    if (e.code == ERR_NOT_FOUND || e.code == ERR_CORRUPT) {
        s->state = (struct scrub_state){ .began_ms = clock_now_ms() };
        TRY(put(s));
    } else {
        TRY(e);
    }
    s->saved_ms = clock_mono_ms();
    s->is_loaded = true;
    return tell_metrics(s);
}

/* ---- passes ---- */

static bool is_due(const struct scrub *s)
{
    return clock_now_ms() - s->state.began_ms >= (int64_t)s->options.interval_s * 1000;
}

static void pass_begin(struct scrub *s)
{
    s->state = (struct scrub_state){ .is_running = true,
                                     .pass = s->state.pass + 1,
                                     .began_ms = clock_now_ms(),
                                     .ended_ms = s->state.ended_ms };
}

struct clear_work {
    uint64_t pass;
    bool more;
};

static struct err clear_fn(struct txn *txn, void *arg)
{
    struct clear_work *w = arg;
    return scrub_found_clear(txn, w->pass, &w->more);
}

/* What this pass has not found again is well, or gone. */
static struct err pass_end(struct scrub *s)
{
    struct clear_work w = { .pass = s->state.pass, .more = true };

    while (w.more) TRY(meta_run(s->options.store->meta, clear_fn, &w));
    s->state.is_running = false;
    s->state.ended_ms = clock_now_ms();
    s->state.place = (struct scrub_place){ .is_in_parts = false };
    TRY(put(s));
    METRIC_ADD(scrub_passes, 1);
    LOG_INFO("every object was read again", U64("pass", s->state.pass), U64("objects", s->state.objects),
             U64("bytes", s->state.bytes));
    return tell_metrics(s);
}

/* ---- reading ---- */

/* One step. */
struct walk {
    struct scrub *scrub;
    struct rows *view;
    uint64_t used;            /* bytes of its share */
    struct scrub_found found; /* found.what.len: something was damaged */
    char row_key[LIMIT_ROW_KEY], what[WHAT_SIZE];
};

static struct err row_parse(const struct walk *w, struct str key, struct str value, struct object_info *ret)
{
    struct part_row part;

    if (!w->scrub->state.place.is_in_parts) return object_decode(value, NULL, ret);
    TRY(part_row_decode(value, &part));
    *ret = (struct object_info){ .size = part.size, .body = part.body };
    memcpy(ret->uid.bytes, key.data,
           sizeof(ret->uid.bytes)); /* bodies of parts are referred to by the upload */
    return OK;
}

static struct err read_on(struct walk *w, struct object_reader *reader, uint64_t size)
{
    struct scrub *s = w->scrub;
    struct scrub_place *p = &s->state.place;

    while (p->offset < size && w->used < STEP_BYTES) {
        const uint64_t len = size - p->offset < READ_BYTES ? size - p->offset : READ_BYTES;
        TRY(object_read(reader, p->offset, s->bytes, (size_t)len));
        p->offset += len;
        s->state.bytes += len;
        w->used += len;
        METRIC_ADD(scrub_bytes, len);
    }
    return OK;
}

static struct err read_body(struct walk *w, const struct object_info *info)
{
    struct scrub_place *p = &w->scrub->state.place;
    struct object_reader *reader;

    if (memcmp(p->uid.bytes, info->uid.bytes, sizeof(p->uid.bytes)) != 0) p->offset = 0;
    p->uid = info->uid;
    TRY(object_reader_open(w->scrub->options.store, w->view, info, &reader));
    const struct err e = read_on(w, reader, info->size);
    object_reader_close(reader);
    return e;
}

/* The body of a part that is left from an upload which is over may be gone with the object that it became. Else the view has a row, so its body is there, or lost. */
static bool is_damage(const struct walk *w, struct err e)
{
    return e.code == ERR_CORRUPT || e.code == ERR_IO
        || (e.code == ERR_NOT_FOUND && !w->scrub->state.place.is_in_parts);
}

static void note_damage(struct walk *w, struct str key, struct uid uid, struct err e)
{
    (void)err_keep(e, w->what, sizeof(w->what));
    memcpy(w->row_key, key.data, key.len);
    w->found = (struct scrub_found){ .is_part = w->scrub->state.place.is_in_parts,
                                     .row_key = str_of(w->row_key, key.len),
                                     .uid = uid,
                                     .pass = w->scrub->state.pass,
                                     .found_ms = clock_now_ms(),
                                     .what = str_from_z(w->what) };
}

static void place_at(struct scrub_place *p, struct str key)
{
    memcpy(p->key, key.data, key.len);
    p->key_len = key.len;
}

/* The smallest key after its own. */
static void place_behind(struct scrub_place *p, struct str key)
{
    const bool is_longest = key.len == sizeof(p->key);

    *p = (struct scrub_place){ .is_in_parts = p->is_in_parts };
    place_at(p, key);
    p->key_len += !is_longest; /* of NUL */
}

/* Read its body, or a piece of it. */
static struct err walk_row(struct walk *w, struct str key, struct str value)
{
    struct scrub_state *state = &w->scrub->state;
    struct object_info info = { .size = 0 };

    place_at(&state->place, key);
    struct err e = row_parse(w, key, value, &info);
    if (!e.code) e = read_body(w, &info);
    if (!e.code && state->place.offset < info.size) return OK; /* its share is over */
    if (e.code && is_damage(w, e)) note_damage(w, key, info.uid, e);
    else if (e.code && e.code != ERR_NOT_FOUND) return e;
    place_behind(&state->place, key);
    state->objects++;
    w->used += info.size < ROW_BYTES ? ROW_BYTES - info.size : 0;
    METRIC_ADD(scrub_objects, 1);
    return OK;
}

/* *ret_is_end: there is nothing behind it. */
static struct err walk_rows(struct walk *w, bool *ret_is_end)
{
    const struct scrub_place from = w->scrub->state.place;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;
    bool is_over = false;

    rows_scan_begin(&scan, w->view, from.is_in_parts ? SPACE_PARTS : SPACE_OBJECTS,
                    str_of(from.key, from.key_len), false);
    while (!e.code && !is_over && rows_scan_next(&scan, &key, &value)) {
        e = walk_row(w, key, value);
        is_over = w->used >= STEP_BYTES || w->found.what.len;
    }
    *ret_is_end = !is_over;
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err walk_on(struct walk *w, bool *ret_is_end)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(w->scrub->options.store->meta, &view));
    w->view = view;
    const struct err e = walk_rows(w, ret_is_end);
    w->view = NULL;
    return e;
}

static struct err put_found(struct txn *txn, void *arg)
{
    return scrub_found_put(txn, arg);
}

/* If it cannot be written down it is to be found again. */
static struct err keep_found(struct walk *w)
{
    struct scrub *s = w->scrub;
    struct scrub_found *f = &w->found;

    LOG_ERROR("damage was found: see firn status", STRF("in", f->is_part ? "part" : "object"),
              STRV("key", f->is_part ? STR("-") : str_from(f->row_key, OBJECT_BUCKET_ID_BYTES)),
              STRV("what", f->what));
    const struct err e = meta_run(s->options.store->meta, put_found, f);
    if (e.code) {
        place_at(&s->state.place, f->row_key);
        return e;
    }
    return tell_metrics(s);
}

static struct err read_some(struct scrub *s)
{
    struct walk w = { .scrub = s };
    bool is_end = false;

    const struct err e = walk_on(&w, &is_end);
    rate_take(&s->rate, w.used);
    if (w.found.what.len) TRY(keep_found(&w));
    TRY(e);
    if (!is_end) return OK;
    if (s->state.place.is_in_parts) return pass_end(s);
    s->state.place = (struct scrub_place){ .is_in_parts = true };
    return OK;
}

/* ---- steps ---- */

struct err scrub_step(struct scrub *s, bool *ret_more)
{
    *ret_more = false;
    if (!s->options.interval_s) return OK;
    if (!s->is_loaded) TRY(load(s));
    if (!s->state.is_running) {
        if (!is_due(s)) return OK;
        pass_begin(s);
    }
    if (!rate_left(&s->rate)) return save_if_due(s);
    TRY(read_some(s));
    *ret_more = s->state.is_running && rate_left(&s->rate);
    return save_if_due(s);
}
