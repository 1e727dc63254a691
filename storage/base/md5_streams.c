/*
 * md5_streams.c - a queue of streams that have a whole piece, and rounds that take the oldest piece of each.
 *
 * A stream's room is a ring of PIECES pieces. `waiting` of them, from `first` on, are whole and wait; the one behind them, `filling`, is the feeder's, who needs no lock for it.
 *
 * A stream is in one of three states: idle (nothing waits), queued, or taken (a round computes its oldest piece, without the lock). All pieces that wait are whole, so all lanes of a round have the same length; what is left at
 * the end is less than a piece, and is computed by who ends the stream.
 */
#include "storage/base/md5_streams.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/md5.h"
#include "storage/base/thread.h"

#define PIECE                                                                                                \
    ((size_t)64 * KIB) /* computed in 80 us; what came from a socket is still in the processor's cache */
#define PIECES 4

enum state { IDLE, QUEUED, TAKEN };

struct md5_stream {
    struct md5_streams *all;
    struct md5 md5;   /* of who took the stream, or of its owner while it is idle */
    unsigned filling; /* the piece that is being filled, and how much of it is. The owner's */
    size_t filled;
    uint8_t *room;    /* PIECES of PIECE */
    enum state state; /* the rest: all->lock */
    unsigned first, waiting;
    struct md5_stream *next;
};

struct md5_streams {
    struct mutex lock; /* guards: what follows, and state, first, waiting and next of each stream */
    struct cond work, done;
    struct md5_stream *head, **tail; /* the queue */
    unsigned open;
    bool is_stopping;
    pthread_t thread;
};

/* ---- the queue ---- */

static void push_locked(struct md5_streams *all, struct md5_stream *s)
{
    s->state = QUEUED;
    s->next = NULL;
    *all->tail = s;
    all->tail = &s->next;
    cond_signal(&all->work);
}

static struct md5_stream *pop_locked(struct md5_streams *all)
{
    struct md5_stream *s = all->head;

    all->head = s->next;
    if (!all->head) all->tail = &all->head;
    s->state = TAKEN;
    return s;
}

static void unlink_locked(struct md5_streams *all, struct md5_stream *s)
{
    struct md5_stream **at = &all->head;

    while (*at != s) at = &(*at)->next;
    *at = s->next;
    if (!*at) all->tail = at;
    s->state = IDLE;
}

/* ---- a round ---- */

static uint8_t *piece_of(const struct md5_stream *s, unsigned which)
{
    return s->room + which % PIECES * PIECE;
}

/* The oldest piece of each of the first streams in the queue, which is not empty. */
static void round_locked(struct md5_streams *all)
{
    struct md5_stream *taken[MD5_LANES];
    struct md5 *states[MD5_LANES];
    const uint8_t *data[MD5_LANES];
    int count = 0;

    for (; count < MD5_LANES && all->head; count++) {
        taken[count] = pop_locked(all);
        states[count] = &taken[count]->md5;
        data[count] = piece_of(taken[count], taken[count]->first);
    }
    mutex_unlock(&all->lock);
    md5_blocks_of_many(states, data, PIECE / MD5_BLOCK, count);
    mutex_lock(&all->lock);
    for (int i = 0; i < count; i++) {
        taken[i]->first = (taken[i]->first + 1) % PIECES;
        taken[i]->waiting--;
        taken[i]->state = IDLE;
        if (taken[i]->waiting) push_locked(all, taken[i]);
    }
    cond_broadcast(&all->done);
}

/* Until fewer than so many pieces wait. */
static void await_locked(struct md5_stream *s, unsigned waiting)
{
    while (s->waiting >= waiting) {
        if (s->state == QUEUED) round_locked(s->all);
        else cond_wait(&s->all->done, &s->all->lock);
    }
}

static void work(void *arg)
{
    struct md5_streams *all = arg;

    mutex_lock(&all->lock);
    while (!all->is_stopping) {
        if (all->head) round_locked(all);
        else cond_wait(&all->work, &all->lock);
    }
    mutex_unlock(&all->lock);
}

/* ---- all of them ---- */

static struct md5_streams *streams_free(struct md5_streams *all)
{
    cond_done(&all->done);
    cond_done(&all->work);
    mutex_done(&all->lock);
    free(all);
    return NULL;
}

struct err md5_streams_start(struct md5_streams **ret)
{
    struct md5_streams *all = calloc(1, sizeof(*all));

    if (!all) return no_memory();
    mutex_init(&all->lock, LOCK_MD5);
    cond_init(&all->work);
    cond_init(&all->done);
    all->tail = &all->head;
    const struct err e = thread_start("md5", work, all, &all->thread);
    if (e.code) streams_free(all);
    else *ret = all;
    return e;
}

struct md5_streams *md5_streams_stop(struct md5_streams *all)
{
    if (!all) return NULL;
    mutex_lock(&all->lock);
    assert(!all->open);
    all->is_stopping = true;
    cond_signal(&all->work);
    mutex_unlock(&all->lock);
    thread_join(all->thread);
    return streams_free(all);
}

/* ---- one ---- */

static bool count_in(struct md5_streams *all)
{
    mutex_lock(&all->lock);
    const bool is_room = all->open < LIMIT_MD5_STREAMS;
    all->open += is_room;
    mutex_unlock(&all->lock);
    return is_room;
}

static void count_out(struct md5_streams *all)
{
    mutex_lock(&all->lock);
    all->open--;
    mutex_unlock(&all->lock);
}

struct err md5_stream_open(struct md5_streams *all, struct md5_stream **ret)
{
    if (!count_in(all)) return FAIL(ERR_BUSY, "as many MD5s as may be are computed side by side");
    struct md5_stream *s = calloc(1, sizeof(*s));
    uint8_t *room = s ? malloc(PIECES * PIECE) : NULL;
    if (!room) {
        free(s);
        count_out(all);
        return no_memory();
    }
    s->all = all;
    s->room = room;
    md5_begin(&s->md5);
    *ret = s;
    return OK;
}

/* The piece is full: it waits from now on, and there is room for the next when this returns. */
static void hand_over(struct md5_stream *s)
{
    struct md5_streams *all = s->all;

    mutex_lock(&all->lock);
    s->waiting++;
    if (s->state == IDLE) push_locked(all, s);
    await_locked(s, PIECES);
    mutex_unlock(&all->lock);
    s->filling++;
    s->filled = 0;
}

void md5_stream_feed(struct md5_stream *s, const void *data, size_t len)
{
    const uint8_t *from = data;

    while (len) {
        const size_t n = len < PIECE - s->filled ? len : PIECE - s->filled;
        memcpy(piece_of(s, s->filling) + s->filled, from, n);
        s->filled += n;
        from += n;
        len -= n;
        if (s->filled == PIECE) hand_over(s);
    }
}

struct digest_value md5_stream_end(struct md5_stream *s)
{
    const size_t blocks = s->filled / MD5_BLOCK;
    const uint8_t *rest = piece_of(s, s->filling);

    mutex_lock(&s->all->lock);
    await_locked(s, 1);
    mutex_unlock(&s->all->lock);
    md5_blocks(&s->md5, rest, blocks);
    return md5_end(&s->md5, rest + blocks * MD5_BLOCK, s->filled % MD5_BLOCK);
}

struct md5_stream *md5_stream_close(struct md5_stream *s)
{
    if (!s) return NULL;
    mutex_lock(&s->all->lock);
    while (s->state == TAKEN) cond_wait(&s->all->done, &s->all->lock);
    if (s->state == QUEUED) unlink_locked(s->all, s);
    mutex_unlock(&s->all->lock);
    count_out(s->all);
    free(s->room);
    free(s);
    return NULL;
}
