/*
 * copy_keep.c - making a copy: hold the journal from the position that LMDB has now, let the bytes through at a rate, and only then let the file take the place of the one before.
 *
 * The position is read before LMDB is copied, so the one in the copy is the same or later, and what is held is enough. Between both no segment goes that it needs: those are
 * marked dead by the checkpoint thread, which reads copy_keep_from behind that.
 */
#include "storage/meta/copy_keep.h"

#include <stdio.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/rate.h"
#include "storage/base/sysio.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/embedded.h"
#include "storage/meta/rows_copy.h"

#define LOOK_MS 10000  /* is it time? */
#define RETRY_MS 60000 /* after an attempt that failed: a copy reads all rows */
#define WAIT_MS 20     /* for the rate */

static const char *path_of(const struct embedded *m, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/" ROWS_COPY_NAME "%s", m->dir, suffix);
    return out;
}

/* ---- the life of it ---- */

void copy_keep_init(struct embedded *m)
{
    mutex_init(&m->copy.lock, LOCK_META_COPY);
    cond_init(&m->copy.has_work);
    m->copy.kept_from = m->copy.making_from = SEGMENT_NONE;
}

void copy_keep_done(struct embedded *m)
{
    cond_done(&m->copy.has_work);
    mutex_done(&m->copy.lock);
}

static bool is_off(const struct embedded *m)
{
    return !m->options.copy_interval_ms && !m->options.is_offline;
}

struct err copy_keep_open(struct embedded *m)
{
    char path[SEGMENT_PATH_MAX];
    struct rows_copy found;

    if (!m->options.is_offline) TRY(sys_unlink_if_there(path_of(m, ".new", path)));
    const struct err e = rows_copy_look(path_of(m, "", path), &found);
    if (e.code == ERR_NOT_FOUND) return OK;
    if (e.code && e.code != ERR_CORRUPT) return e;
    if (!e.code && !is_off(m) && memcmp(found.journal_id, m->journal_id, sizeof(found.journal_id)) == 0) {
        m->copy.kept_from = found.segment_from;
        m->copy.made_ms = found.made_ms;
        m->copy.bytes = found.bytes;
        return OK;
    }
    if (e.code) LOG_WARN("the copy of the rows is damaged, a new one is needed", ERRF(e));
    TRY(sys_unlink_if_there(path));
    return sys_sync_dir(m->dir);
}

uint32_t copy_keep_from(struct embedded *m)
{
    struct copy_keep *k = &m->copy;

    mutex_lock(&k->lock);
    const uint32_t from = k->kept_from < k->making_from ? k->kept_from : k->making_from;
    mutex_unlock(&k->lock);
    return from;
}

/* ---- making one ---- */

struct pace {
    struct embedded *m;
    struct rate rate;
    uint64_t since_look;
};

/* Wait until more may be copied. */
static struct err pace(void *arg, uint64_t bytes)
{
    struct pace *p = arg;
    struct copy_keep *k = &p->m->copy;
    struct err e = OK;

    rate_take(&p->rate, bytes);
    p->since_look += bytes;
    if (p->since_look >= MIB) {
        p->since_look = 0;
        disk_look(p->m);
        if (!disk_has_room(p->m)) return FAIL(ERR_NO_SPACE, "there is no room for a copy of the rows");
    }
    mutex_lock(&k->lock);
    while (!e.code) {
        if (k->is_closing) e = FAIL(ERR_CLOSED, "the store is closing");
        else if (k->is_void) e = FAIL(ERR_NO_SPACE, "the copy was given up for want of space");
        else if (rate_left(&p->rate)) break;
        else (void)cond_wait_until(&k->has_work, &k->lock, clock_mono_ms() + WAIT_MS);
    }
    mutex_unlock(&k->lock);
    return e;
}

/* From now on the journal is held that a copy made from now on needs. */
static struct err begin(struct embedded *m, struct rows_copy *ret)
{
    struct copy_keep *k = &m->copy;
    struct journal_position now;

    mutex_lock(&k->lock);
    const struct err e = checkpoint_position_now(m, &now);
    if (!e.code) {
        k->making_from = now.segment_id;
        k->is_void = false;
    }
    mutex_unlock(&k->lock);
    TRY(e);
    *ret = (struct rows_copy){ .made_ms = clock_now_ms(), .segment_from = now.segment_id };
    memcpy(ret->journal_id, m->journal_id, sizeof(ret->journal_id));
    return OK;
}

/* It takes its name. When that may not last, both are held for. */
static struct err put_in_place_locked(struct embedded *m, const char *fresh, const struct rows_copy *c)
{
    struct copy_keep *k = &m->copy;
    char path[SEGMENT_PATH_MAX];

    if (k->is_void) return FAIL(ERR_NO_SPACE, "the copy was given up for want of space");
    TRY(sys_rename(fresh, path_of(m, "", path)));
    const struct err e = sys_sync_dir(m->dir);
    if (!e.code || c->segment_from < k->kept_from) k->kept_from = c->segment_from;
    TRY(e);
    k->made_ms = c->made_ms;
    k->is_given_up = k->is_want_told = false;
    return OK;
}

static struct err make(struct embedded *m, const char *fresh, const struct rows_copy *about)
{
    struct pace p = { .m = m, .rate = rate_of(LIMIT_ROWS_COPY_BYTES) };
    struct copy_keep *k = &m->copy;
    struct stat st;

    TRY(rows_copy_write(m->lmdb, fresh, about, pace, &p));
    TRY(sys_stat(fresh, &st));
    mutex_lock(&k->lock);
    const struct err e = put_in_place_locked(m, fresh, about);
    if (!e.code) k->bytes = (uint64_t)st.st_size;
    mutex_unlock(&k->lock);
    return e;
}

/* However it ended: the next one begins anew. */
static void end(struct embedded *m, struct err e)
{
    struct copy_keep *k = &m->copy;

    mutex_lock(&k->lock);
    k->making_from = SEGMENT_NONE;
    k->is_asked = false;
    k->why_not[0] = '\0';
    k->is_damaged = e.code == ERR_CORRUPT || (e.code && k->is_damaged);
    if (e.code) (void)err_keep(e, k->why_not, sizeof(k->why_not));
    mutex_unlock(&k->lock);
    if (!e.code) METRIC_ADD(rows_copies, 1);
    else if (e.code != ERR_CLOSED) METRIC_ADD(rows_copy_failures, 1);
}

/* Besides the copy's own bytes. One that replaces another is made while there is room at all. */
static uint64_t margin(struct embedded *m)
{
    const uint64_t tenth = atomic_load(&m->disk_total) / 10;

    mutex_lock(&m->copy.lock);
    const bool has_one = m->copy.made_ms != 0;
    mutex_unlock(&m->copy.lock);
    if (has_one) return 0;
    return tenth < LIMIT_COPY_MARGIN ? tenth : LIMIT_COPY_MARGIN;
}

/* Room for a copy beside the one there is. */
static bool has_room(struct embedded *m)
{
    struct lmdb_usage usage;

    disk_look(m);
    if (!disk_has_room(m) || lmdb_usage(m->lmdb, &usage).code) return false;
    return atomic_load(&m->disk_free) - m->options.disk_floor_bytes - 2 * m->options.segment_bytes
        > usage.bytes_live + margin(m);
}

static struct err look_for_room(struct embedded *m)
{
    const bool is_room = has_room(m);

    mutex_lock(&m->copy.lock);
    m->copy.is_without_room = !is_room;
    m->copy.is_room_back = false;
    mutex_unlock(&m->copy.lock);
    return is_room ? OK : FAIL(ERR_NO_SPACE, "there is no room for a copy of the rows");
}

struct err copy_keep_make(struct embedded *m)
{
    char fresh[SEGMENT_PATH_MAX];
    struct rows_copy about;

    struct err e = look_for_room(m);
    if (!e.code) e = embedded_checkpoint(&m->meta); /* so that little of the journal belongs to it */
    if (!e.code) e = begin(m, &about);
    if (!e.code) {
        e = make(m, path_of(m, ".new", fresh), &about);
        if (e.code) err_ignore(sys_unlink(fresh));
    }
    end(m, e);
    checkpoint_look_again(m);
    return e;
}

/* ---- when ---- */

/* Beyond this the next copy is due. */
static uint64_t held_max(struct embedded *m)
{
    const uint64_t tenth = atomic_load(&m->disk_free) / 10;
    return tenth < LIMIT_COPY_HELD ? tenth : LIMIT_COPY_HELD;
}

/* Let go of the copy there is, and of the one that is being made. */
static struct err give_up_locked(struct embedded *m)
{
    struct copy_keep *k = &m->copy;
    char path[SEGMENT_PATH_MAX];

    k->is_void = true;
    TRY(sys_unlink_if_there(path_of(m, "", path)));
    TRY(sys_sync_dir(m->dir));
    k->kept_from = k->making_from = SEGMENT_NONE;
    k->made_ms = 0;
    k->bytes = 0;
    k->is_given_up = true;
    return OK;
}

enum fullness { FULL_NOT, FULL_TIGHT, FULL_BELOW_FLOOR };

static enum fullness fullness(struct embedded *m)
{
    if (m->options.is_offline) return FULL_NOT;
    disk_look(m);
    if (atomic_load(&m->is_below_floor)) return FULL_BELOW_FLOOR;
    return disk_has_room(m) ? FULL_NOT : FULL_TIGHT;
}

/* What is kept, or being made, has to go: below the floor in any case, and before that where journal goes with it. */
static bool has_to_go_locked(const struct copy_keep *k, enum fullness full)
{
    if (k->kept_from == SEGMENT_NONE && k->making_from == SEGMENT_NONE) return false;
    if (full == FULL_NOT || (full == FULL_TIGHT && !k->held_bytes)) return false;
    return !k->is_damaged;
}

/* One that is made beside one that is kept may be what takes the room: then it goes first, and when it has, somebody looks again. Below the floor there is no time for that. */
static bool is_new_one_first_locked(const struct copy_keep *k, enum fullness full)
{
    return full != FULL_BELOW_FLOOR && k->kept_from != SEGMENT_NONE && k->making_from != SEGMENT_NONE;
}

static bool try_to_give_up_locked(struct embedded *m)
{
    struct copy_keep *k = &m->copy;
    const uint64_t bytes = k->bytes;
    const struct err e = give_up_locked(m);

    if (e.code) LOG_WARN("the copy of the rows could not be given up", ERRF(e));
    else if (!k->is_want_told) {
        k->is_want_told = true;
        LOG_WARN(
            "the disk is almost full: the copy of the rows is given up, and the journal kept for it goes",
            U64("bytes", bytes), U64("journal", k->held_bytes));
    }
    return !e.code;
}

bool copy_keep_held(struct embedded *m, uint64_t bytes)
{
    struct copy_keep *k = &m->copy;
    const enum fullness full = fullness(m);
    bool is_given_up = false;

    mutex_lock(&k->lock);
    k->held_bytes = bytes;
    const bool has_to_go = has_to_go_locked(k, full);
    if (has_to_go && is_new_one_first_locked(k, full)) {
        k->is_void = true;
        cond_broadcast(&k->has_work);
    } else if (has_to_go) {
        is_given_up = try_to_give_up_locked(m);
    } else if (bytes && bytes >= held_max(m)) {
        k->is_asked = true;
        cond_signal(&k->has_work);
    }
    mutex_unlock(&k->lock);
    return is_given_up;
}

void copy_keep_room_again(struct embedded *m)
{
    struct copy_keep *k = &m->copy;

    mutex_lock(&k->lock);
    k->is_room_back = true;
    cond_signal(&k->has_work);
    mutex_unlock(&k->lock);
}

static bool is_due_locked(const struct embedded *m)
{
    const struct copy_keep *k = &m->copy;
    const int64_t age = clock_now_ms() - k->made_ms, interval = (int64_t)m->options.copy_interval_ms;

    return k->is_asked || !k->made_ms || age >= interval || age < -interval; /* the clock went back */
}

/* Wait until one is due, and wait_ms are over. False: the end. */
static bool wait_until_due(struct embedded *m, uint64_t wait_ms)
{
    struct copy_keep *k = &m->copy;
    const uint64_t not_before = clock_mono_ms() + wait_ms;

    mutex_lock(&k->lock);
    while (!k->is_closing) {
        const uint64_t now = clock_mono_ms();
        if ((now >= not_before || (k->is_room_back && k->is_without_room)) && is_due_locked(m)) break;
        (void)cond_wait_until(&k->has_work, &k->lock, now < not_before ? not_before : now + LOOK_MS);
    }
    const bool goes_on = !k->is_closing;
    mutex_unlock(&k->lock);
    return goes_on;
}

/* A full disk may last for days, and an attempt is made every minute. */
static void tell_want_of_space(struct embedded *m, struct err e)
{
    struct copy_keep *k = &m->copy;

    mutex_lock(&k->lock);
    const bool is_told = k->is_want_told;
    k->is_want_told = true;
    mutex_unlock(&k->lock);
    if (!is_told) LOG_WARN("no copy of the rows was made, it is when there is room", ERRF(e));
}

static void copy_keep_main(void *arg)
{
    struct embedded *m = arg;
    struct meta_copy_status now;
    uint64_t wait_ms = 0;

    while (wait_until_due(m, wait_ms)) {
        const struct err e = copy_keep_make(m);
        wait_ms = e.code ? RETRY_MS : 0;
        copy_keep_status(m, &now);
        if (!e.code) LOG_INFO("the rows were copied", U64("bytes", now.bytes));
        else if (e.code == ERR_CORRUPT)
            LOG_ERROR(
                "the rows in LMDB are damaged, the copy before is kept: stop the server and run firn store check",
                ERRF(e));
        else if (e.code == ERR_NO_SPACE) tell_want_of_space(m, e);
        else if (e.code != ERR_CLOSED) LOG_WARN("no copy of the rows was made, it is tried again", ERRF(e));
    }
}

struct err copy_keep_start(struct embedded *m)
{
    if (!m->options.copy_interval_ms || m->options.is_offline || m->options.is_checkpoint_manual) return OK;
    TRY(thread_start("copy", copy_keep_main, m, &m->copy.thread));
    m->copy.has_thread = true;
    return OK;
}

void copy_keep_stop(struct embedded *m)
{
    mutex_lock(&m->copy.lock);
    m->copy.is_closing = true;
    cond_broadcast(&m->copy.has_work);
    mutex_unlock(&m->copy.lock);
    if (m->copy.has_thread) thread_join(m->copy.thread);
    m->copy.has_thread = false;
}

void copy_keep_status(struct embedded *m, struct meta_copy_status *ret)
{
    struct copy_keep *k = &m->copy;

    mutex_lock(&k->lock);
    *ret = (struct meta_copy_status){
        .state = k->made_ms  ? "kept"
            : k->is_given_up ? "given up"
            : is_off(m)      ? "off"
                             : "none yet",
        .is_wanted = !is_off(m),
        .made_ms = k->made_ms,
        .bytes = k->bytes,
        .held_bytes = k->held_bytes,
    };
    memcpy(ret->why_not, k->why_not, sizeof(ret->why_not));
    mutex_unlock(&k->lock);
}
