/*
 * segment_live.c - what lives in the journal's segments, and when one may go (S2).
 *
 * The life of a count: committer --(batch durable)--> live --(freeze)--> frozen --(checkpoint on disk)--> kept. A segment is dead
 * when its frozen count is zero and the kept journal position lies in a later segment; dead_txn is then the checkpoint's last
 * transaction, which every view must see before the file goes.
 */
#include <assert.h>

#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/meta/segment_set.h"

/* ---- counts ---- */

static void count_locked(struct segment_set *s, uint32_t id, int64_t bodies, int64_t bytes)
{
    struct segment_entry *e = segments_find_locked(s, id);
    if (!e) return;
    e->live.bodies += (uint64_t)bodies;
    e->live.bytes += (uint64_t)bytes;
    e->is_changed = true;
}

void segments_count(struct segment_set *s, uint32_t segment_id, struct str records)
{
    struct record_reader r = record_reader_of(records);
    struct entry e;
    int64_t bodies = 0, bytes = 0;

    mutex_lock(&s->lock);
    while (record_reader_next_body(&r, &e)) {
        if (e.type == ENTRY_BODY) {
            bodies++;
            bytes += (int64_t)e.value.len;
        } else {
            count_locked(s, e.place.segment_id, -1, -(int64_t)e.place.length);
        }
    }
    count_locked(s, segment_id, bodies, bytes);
    mutex_unlock(&s->lock);
}

void segments_set_live(struct segment_set *s, const struct segment_live *live)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, live->id);
    if (e) {
        e->live = e->frozen = *live;
        e->is_changed = false;
    }
    mutex_unlock(&s->lock);
}

void segments_freeze(struct segment_set *s)
{
    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        struct segment_entry *e = &s->entries[i];
        e->frozen = e->live;
        e->is_frozen_changed |= e->is_changed;
        e->is_changed = false;
    }
    mutex_unlock(&s->lock);
}

bool segments_frozen_find(struct segment_set *s, uint32_t id, struct segment_live *ret)
{
    bool has_one = false;

    mutex_lock(&s->lock);
    for (size_t i = segments_index_of(s, id); i < s->count && !has_one; i++) {
        if (!s->entries[i].is_frozen_changed) continue;
        *ret = s->entries[i].frozen;
        has_one = true;
    }
    mutex_unlock(&s->lock);
    return has_one;
}

void segments_frozen_done(struct segment_set *s, uint32_t position_segment, uint64_t txn)
{
    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        struct segment_entry *e = &s->entries[i];
        e->is_frozen_changed = false;
        if (e->frozen.is_gone) {
            segments_remove_locked(s, e);
            i--;
        } else if (!e->is_dead && e->id < position_segment && !e->frozen.bodies) {
            e->is_dead = true;
            e->dead_txn = txn;
        }
    }
    mutex_unlock(&s->lock);
}

/* Dead, and nobody sees it any more. */
static bool is_dead_to_all(const struct segment_entry *e, uint64_t viewed_by_all)
{
    return e->is_dead && e->dead_txn <= viewed_by_all && !e->pins && !e->users;
}

bool segments_is_dead(struct segment_set *s, uint32_t id, uint64_t viewed_by_all)
{
    mutex_lock(&s->lock);
    const struct segment_entry *e = segments_find_locked(s, id);
    const bool is_it = e && is_dead_to_all(e, viewed_by_all);
    mutex_unlock(&s->lock);
    return is_it;
}

/* The first segment at or above id that may go. */
static bool find_dead(struct segment_set *s, uint32_t id, const struct segment_burial *b,
                      struct segment_waiting *ret_waiting, uint32_t *ret)
{
    bool has_one = false;

    mutex_lock(&s->lock);
    for (size_t i = segments_index_of(s, id); i < s->count && !has_one; i++) {
        const struct segment_entry *e = &s->entries[i];
        if (!e->is_dead || e->live.is_gone) continue;
        const bool is_free = is_dead_to_all(e, b->viewed_by_all);
        has_one = is_free && e->id < b->kept_from;
        if (has_one) *ret = e->id;
        else if (is_free) ret_waiting->held_bytes += e->bytes;
        else ret_waiting->is_seen = true;
    }
    mutex_unlock(&s->lock);
    return has_one;
}

/* Its file is gone: let go of what held it. The entry stays until a checkpoint has forgotten the count. */
static void set_gone(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, id);
    METRIC_ADD(journal_live_bytes, -(int64_t)e->bytes);
    if (e->fd >= 0 && !e->is_written_to) s->open_files--;
    sys_close(e->fd);
    e->fd = -1;
    e->bytes = 0;
    e->live.is_gone = e->is_changed = true;
    mutex_unlock(&s->lock);
}

/* Is its file to be kept for the next segment? A shorter one is of no use: recovery has cut it, or it was made on a full disk. */
static bool is_wanted(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    const struct segment_entry *e = segments_find_locked(s, id);
    const bool is_it = e && e->bytes == s->segment_bytes && s->spare_count < SEGMENT_SPARES;
    mutex_unlock(&s->lock);
    return is_it;
}

static void add_spare(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    s->spares[s->spare_count++] = id; /* this thread alone adds any */
    mutex_unlock(&s->lock);
}

static struct err unlink_spares(struct segment_set *s)
{
    char path[SEGMENT_PATH_MAX];
    uint32_t id;

    while (segments_take_spare(s, &id)) {
        segments_spare_path(s, id, path);
        TRY(sys_unlink(path));
    }
    return OK;
}

/* Its file goes, or is put away. */
static struct err bury(struct segment_set *s, uint32_t id, bool keeps_spares)
{
    char path[SEGMENT_PATH_MAX], spare[SEGMENT_PATH_MAX];
    const bool is_kept = keeps_spares && is_wanted(s, id);

    segments_path(s, id, path);
    segments_spare_path(s, id, spare);
    const struct err e = is_kept ? sys_rename(path, spare) : sys_unlink(path);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    set_gone(s, id);
    if (is_kept && !e.code) add_spare(s, id);
    LOG_DEBUG("journal segment is gone", U64("segment", id));
    return OK;
}

struct err segments_unlink_dead(struct segment_set *s, const struct segment_burial *b,
                                struct segment_waiting *ret)
{
    uint32_t id = 0;

    *ret = (struct segment_waiting){ 0 };
    while (find_dead(s, id + 1, b, ret, &id)) TRY(bury(s, id, b->keeps_spares));
    return b->keeps_spares ? OK : unlink_spares(s);
}

bool segments_find_full(struct segment_set *s, uint32_t id, struct meta_segment *ret)
{
    bool has_one = false;

    mutex_lock(&s->lock);
    for (size_t i = segments_index_of(s, id); i < s->count && !has_one; i++) {
        const struct segment_entry *e = &s->entries[i];
        if (e->is_written_to || e->is_dead) continue;
        *ret = (struct meta_segment){
            .id = e->id, .bytes = e->bytes, .live_bodies = e->live.bodies, .live_bytes = e->live.bytes
        };
        has_one = true;
    }
    mutex_unlock(&s->lock);
    return has_one;
}

struct segment_figures segments_figures(struct segment_set *s)
{
    struct segment_figures f = { 0 };

    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        f.count += !s->entries[i].live.is_gone;
        f.bytes += s->entries[i].bytes;
        f.live_bodies += s->entries[i].live.bodies;
        f.live_bytes += s->entries[i].live.bytes;
    }
    mutex_unlock(&s->lock);
    return f;
}
