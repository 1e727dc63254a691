/*
 * compact.c - choosing a segment, counting what lives in it, moving that.
 *
 *   IDLE    now and then: is there a segment that seems sparse?
 *   COUNT   walks over its bodies, asking of each whether its row still refers to it
 *   MOVE    walks again, and moves those; then the segment dies with the next checkpoint
 *
 * A segment that turned out not to be sparse, or that something else keeps alive, is remembered with what lived in it, and looked into again when less than half of that is left. Memory alone: after a
 * restart it is counted once more.
 */
#include "storage/object/compact.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/rate.h"
#include "storage/base/thread.h"
#include "storage/object/row_place.h"

#define BODY_OVERHEAD                                                                                        \
    512 /* bytes that a body costs beside its own: names, the row, its share of a batch's last block. A guess: too high a one is only careful */
#define MOVES_MAX                                                                                            \
    64 /* bodies of one transaction: their rows are within its limits, whatever their names and metadata are */
#define BATCHES_A_STEP 16 /* of 4 MiB at most, when they are counted */

struct seen {
    uint32_t id;
    uint64_t live_bodies;
};

struct move {
    struct str key; /* of the row in OBJECTS */
    struct place from;
    char *bytes;
};

enum phase { IDLE, COUNT, MOVE };

struct compact {
    struct compact_options options;
    enum phase phase;
    struct meta_segment segment; /* that is worked on */
    struct meta_body_walk walk;
    uint64_t live, all; /* of COUNT: bytes, with overhead */
    struct seen *seen;  /* segments not to be looked into for now */
    size_t seen_count, seen_size;
    uint64_t look_ms;    /* when to look again */
    struct rate rate;    /* of bytes moved */
    struct arena *arena; /* of one batch */
};

struct err compact_new(const struct compact_options *options, struct compact **ret)
{
    struct compact *c = calloc(1, sizeof(*c));

    if (c) c->arena = arena_new(64 * MIB);
    if (!c || !c->arena) {
        compact_free(c);
        return no_memory();
    }
    c->options = *options;
    c->rate = rate_of(options->rate);
    *ret = c;
    return OK;
}

struct compact *compact_free(struct compact *c)
{
    if (!c) return NULL;
    arena_free(c->arena);
    free(c->seen);
    free(c);
    return NULL;
}

/* ---- what was seen ---- */

static struct seen *seen_find(const struct compact *c, uint32_t id)
{
    for (size_t i = 0; i < c->seen_count; i++) {
        if (c->seen[i].id == id) return &c->seen[i];
    }
    return NULL;
}

/* Without memory for it the segment is looked into once more. */
static void seen_add(struct compact *c, uint32_t id, uint64_t live_bodies)
{
    struct seen *old = seen_find(c, id);

    if (!old && c->seen_count == c->seen_size) {
        const size_t size = c->seen_size ? 2 * c->seen_size : 64;
        struct seen *more = realloc(c->seen, size * sizeof(*more));
        if (!more) return;
        c->seen = more;
        c->seen_size = size;
    }
    *(old ? old : &c->seen[c->seen_count++]) = (struct seen){ .id = id, .live_bodies = live_bodies };
}

static void seen_forget_below(struct compact *c, uint32_t id)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->seen_count; i++) {
        if (c->seen[i].id >= id) c->seen[kept++] = c->seen[i];
    }
    c->seen_count = kept;
}

/* ---- choosing ---- */

static uint64_t seems_alive(const struct meta_segment *s)
{
    const uint64_t alive = s->live_bytes + s->live_bodies * BODY_OVERHEAD;
    return alive < s->bytes ? alive : s->bytes;
}

static bool is_candidate(const struct compact *c, const struct meta_segment *s)
{
    const struct seen *seen = seen_find(c, s->id);

    if (!s->live_bodies || 2 * seems_alive(s) >= s->bytes) return false;
    return !seen || 2 * s->live_bodies < seen->live_bodies;
}

/* The one with the least in it. False: there is none, or too little would be won. */
static bool choose(struct compact *c, struct meta_segment *ret)
{
    struct meta_segment s;
    uint64_t waste = 0;
    bool has_one = false, is_first = true;

    for (uint32_t id = 0; meta_segment_find(c->options.store->meta, id, &s); id = s.id + 1) {
        if (is_first) seen_forget_below(c, s.id);
        is_first = false;
        waste += s.bytes - seems_alive(&s);
        if (!is_candidate(c, &s) || (has_one && seems_alive(&s) >= seems_alive(ret))) continue;
        has_one = true;
        *ret = s;
    }
    return has_one && waste > c->options.spare * ret->bytes;
}

static void walk_begin(struct compact *c, enum phase phase)
{
    c->phase = phase;
    c->walk = (struct meta_body_walk){ .segment_id = c->segment.id };
}

static void look(struct compact *c)
{
    if (clock_mono_ms() < c->look_ms) return;
    c->live = c->all = 0;
    if (choose(c, &c->segment)) walk_begin(c, COUNT);
    else c->look_ms = clock_mono_ms() + c->options.look_ms;
}

/* ---- counting ---- */

static bool is_at(const struct row_place *row, const struct place *p)
{
    return row->at && row->place.segment_id == p->segment_id && row->place.offset == p->offset;
}

/* Does the row still refer to that body? */
static struct err is_live(struct rows *r, enum space space, struct str key, const struct place *p, bool *ret)
{
    struct row_place row;
    struct str value;

    *ret = false;
    if (space != SPACE_OBJECTS) return OK;
    const struct err e = rows_get(r, space, key, &value);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(row_place_find(space, key, value, &row));
    *ret = is_at(&row, p);
    return OK;
}

struct counting {
    struct compact *compact;
    struct rows *view;
};

static struct err count_body(void *arg, enum space space, struct str key, struct place p)
{
    const struct counting *w = arg;
    const uint64_t bytes = p.length + key.len + BODY_OVERHEAD;
    bool live;

    TRY(is_live(w->view, space, key, &p, &live));
    w->compact->all += bytes;
    w->compact->live += live ? bytes : 0;
    return OK;
}

static struct err count_batch(struct compact *c)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct counting w = { .compact = c };

    TRY(view_open(c->options.store->meta, &view));
    w.view = view;
    return meta_walk_bodies(c->options.store->meta, &c->walk, count_body, &w);
}

static struct err count(struct compact *c)
{
    for (int i = 0; i < BATCHES_A_STEP && !c->walk.is_end; i++) TRY(count_batch(c));
    if (!c->walk.is_end) return OK;
    if (2 * c->live <= c->all) {
        walk_begin(c, MOVE);
    } else {
        seen_add(c, c->segment.id, c->segment.live_bodies);
        c->phase = IDLE;
    }
    return OK;
}

/* ---- moving ---- */

/* The live ones of a batch. */
struct moving {
    struct compact *compact;
    struct rows *view;
    struct move *items;
    size_t count, room;
};

static struct err gather(void *arg, enum space space, struct str key, struct place p)
{
    struct moving *w = arg;
    struct arena *arena = w->compact->arena;
    bool live;

    TRY(is_live(w->view, space, key, &p, &live));
    if (!live) return OK;
    struct move *items = arena_grow(arena, w->items, w->count, &w->room, sizeof(*items));
    struct move m = { .key = arena_str(arena, key),
                      .from = p,
                      .bytes = arena_alloc(arena, p.length ? p.length : 1) };
    if (!items || !m.key.data || !m.bytes) return no_memory();
    TRY(meta_read_body(w->compact->options.store->meta, p, m.bytes));
    w->items = items;
    w->items[w->count++] = m;
    return OK;
}

struct slice {
    const struct move *items;
    size_t count;
};

/* Write it again, and its row with the new place. */
static struct err move_one(struct txn *txn, const struct move *m, struct str value)
{
    struct row_place at;
    struct place to;
    struct buf row;

    TRY(row_place_find(SPACE_OBJECTS, m->key, value, &at));
    if (!is_at(&at, &m->from)) return OK; /* it was written anew meanwhile */
    TRY(txn_put_body(txn, SPACE_OBJECTS, m->key, str_of(m->bytes, m->from.length), &to));
    buf_init(&row, LIMIT_ROW_VALUE);
    buf_append(&row, value.data, value.len);
    struct err e = buf_err(&row);
    if (!e.code) place_encode(&to, (uint8_t *)row.data + at.at);
    if (!e.code) e = txn_put(txn, SPACE_OBJECTS, m->key, buf_view(&row));
    buf_done(&row);
    TRY(e);
    return txn_drop_body(txn, m->from);
}

static struct err move_fn(struct txn *txn, void *arg)
{
    const struct slice *s = arg;

    for (size_t i = 0; i < s->count; i++) {
        struct str value;
        const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, s->items[i].key, &value);
        if (e.code == ERR_NOT_FOUND) continue;
        TRY(e);
        TRY(move_one(txn, &s->items[i], value));
    }
    return OK;
}

/* As many as one transaction takes: an eighth of a segment, so that no segment is cut short for it. */
static size_t slice_of(const struct compact *c, const struct move *items, size_t count, uint64_t *ret_bytes)
{
    size_t n = 0;

    for (*ret_bytes = 0; n < count && n < MOVES_MAX; n++) {
        if (n && *ret_bytes + items[n].from.length > c->segment.bytes / 8) break;
        *ret_bytes += items[n].from.length;
    }
    return n;
}

static struct err move_all(struct compact *c, const struct move *items, size_t count)
{
    while (count) {
        struct slice s = { .items = items };
        uint64_t bytes;
        s.count = slice_of(c, items, count, &bytes);
        TRY(meta_run_background(c->options.store->meta, move_fn, &s));
        METRIC_ADD(compacted_bodies, s.count);
        METRIC_ADD(compacted_bytes, bytes);
        rate_take(&c->rate, bytes + s.count * BODY_OVERHEAD);
        items += s.count;
        count -= s.count;
    }
    return OK;
}

static struct err gather_batch(struct moving *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(w->compact->options.store->meta, &view));
    w->view = view;
    const struct err e = meta_walk_bodies(w->compact->options.store->meta, &w->compact->walk, gather, w);
    w->view = NULL;
    return e;
}

/* What still lives in it then is somebody else's to let go of. */
static void moved(struct compact *c)
{
    struct meta_segment s;

    if (meta_segment_find(c->options.store->meta, c->segment.id, &s) && s.id == c->segment.id
        && s.live_bodies)
        seen_add(c, s.id, s.live_bodies);
    METRIC_ADD(compacted_segments, 1);
    LOG_DEBUG("a sparse journal segment was emptied", U64("segment", c->segment.id), U64("live", c->live),
              U64("all", c->all));
    c->phase = IDLE;
}

static struct err move_batch(struct compact *c)
{
    struct moving w = { .compact = c };

    TRY(gather_batch(&w));
    const struct err e = move_all(c, w.items, w.count);
    arena_reset(c->arena);
    TRY(e);
    if (c->walk.is_end) moved(c);
    return OK;
}

/* ---- steps ---- */

/* The segment is let go of: what is moved is moved, the rest stays where it is. It is not looked into again before half of it is gone, unless it was for want of something that may be there again. */
static struct err give_up(struct compact *c, struct err e)
{
    if (e.code == ERR_CORRUPT || e.code == ERR_IO) seen_add(c, c->segment.id, c->segment.live_bodies);
    c->phase = IDLE;
    c->look_ms = clock_mono_ms() + c->options.look_ms;
    arena_reset(c->arena);
    if (e.code == ERR_NOT_FOUND) return OK; /* it went by itself */
    return err_fail(e.code, "segment %08x cannot be emptied: %s", c->segment.id, e.why);
}

struct err compact_step(struct compact *c, bool *ret_more)
{
    *ret_more = false;
    if (c->phase == IDLE) look(c);
    if (c->phase == IDLE || (c->phase == MOVE && !rate_left(&c->rate))) return OK;
    const struct err e = c->phase == COUNT ? count(c) : move_batch(c);
    if (e.code) return give_up(c, e);
    *ret_more = true;
    return OK;
}
