/*
 * threads_test.c - everybody at once: writers, copiers, deleters, readers that outlive what they read, checkpoints and reclaim. Nobody ever reads
 * a wrong byte, and in the end no space is lost. Run it under tsan.
 */
#include <stdlib.h>

#include "storage/volume/world_test.h"
#include "tests/unit/test.h"

enum { WRITERS = 8, READERS = 3, DELETERS = 2, PLACES = 24, UPLOADS = 25 };

struct shelf {
    struct world w;
    struct mutex lock; /* guards: places, writers_left */
    struct place_of {
        struct uid body, referrer;
        size_t len;
        uint64_t seed;
        bool is_taken;
    } places[PLACES];
    int writers_left;
    _Atomic uint32_t next_seed;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static bool is_over(struct shelf *s)
{
    mutex_lock(&s->lock);
    const bool over = s->writers_left == 0;
    mutex_unlock(&s->lock);
    return over;
}

/* Put `in` on a place and take out what was there. */
static struct place_of exchange(struct shelf *s, uint32_t place, struct place_of in)
{
    mutex_lock(&s->lock);
    const struct place_of out = s->places[place];
    s->places[place] = in;
    mutex_unlock(&s->lock);
    return out;
}

static void drop(struct shelf *s, struct place_of p)
{
    if (p.is_taken) CHECK_OK(world_unref(&s->w, p.body, p.referrer));
}

static void write_many(void *arg)
{
    struct shelf *s = arg;
    uint32_t random = atomic_fetch_add(&s->next_seed, 1);

    for (int i = 0; i < UPLOADS; i++) {
        struct place_of p = { .referrer = ids_uid(), .seed = next_random(&random), .is_taken = true };
        struct blob_writer *writer;
        p.len = next_random(&random) % (i % 8 ? 150000 : 1400000);
        CHECK_OK(blob_write_begin(s->w.b, 0, &writer));
        CHECK_OK(world_write(writer, p.len, p.seed, 40000));
        if (i % 5 == 1) { /* gave up half-way */
            blob_write_close(writer);
            continue;
        }
        CHECK_OK(blob_write_flush_wait(writer));
        p.body = blob_writer_uid(writer);
        if (i % 5 != 2) { /* or was refused */
            CHECK_OK(world_publish(&s->w, writer, p.referrer));
            drop(s, exchange(s, next_random(&random) % PLACES, p));
        }
        blob_write_close(writer);
    }
    mutex_lock(&s->lock);
    s->writers_left--;
    mutex_unlock(&s->lock);
}

static struct place_of look(struct shelf *s, uint32_t place)
{
    mutex_lock(&s->lock);
    const struct place_of p = s->places[place];
    mutex_unlock(&s->lock);
    return p;
}

/* Twice with one reader: what it has pinned stays, whatever became of the body meanwhile. */
static void read_twice(struct shelf *s, const struct place_of *p, uint32_t *random, uint8_t *data)
{
    struct blob_reader *r = NULL;
    const struct err e = world_reader(&s->w, p->body, &r);

    if (e.code == ERR_NOT_FOUND) return;
    CHECK_OK(e);
    CHECK_U64(blob_reader_length(r), p->len);
    for (int i = 0; i < 2 && p->len; i++) {
        const size_t at = next_random(random) % p->len, len = next_random(random) % (p->len - at) % 100000;
        CHECK_OK(blob_read(r, at, data, len));
        CHECK(pattern_is(data, len, p->seed, at));
    }
    blob_reader_close(r);
}

static void read_many(void *arg)
{
    struct shelf *s = arg;
    uint32_t random = atomic_fetch_add(&s->next_seed, 1);
    uint8_t *data = malloc(100000);

    while (!is_over(s)) {
        const struct place_of p = look(s, next_random(&random) % PLACES);
        if (p.is_taken) read_twice(s, &p, &random, data);
    }
    free(data);
}

/* Delete, or move to another reference first. */
static void delete_many(void *arg)
{
    struct shelf *s = arg;
    uint32_t random = atomic_fetch_add(&s->next_seed, 1);

    while (!is_over(s)) {
        const uint32_t place = next_random(&random) % PLACES;
        struct place_of p = exchange(s, place, (struct place_of){ 0 });
        if (p.is_taken && next_random(&random) % 2) {
            struct place_of copy = p;
            copy.referrer = ids_uid();
            CHECK_OK(world_ref(&s->w, p.body, copy.referrer)); /* p's own reference is ours, so it is there */
            drop(s, exchange(s, place, copy));
        }
        drop(s, p);
    }
}

static void reclaim_many(void *arg)
{
    struct shelf *s = arg;

    while (!is_over(s)) world_settle(&s->w);
}

TEST(everybody_at_once)
{
    static struct shelf s = { .lock = MUTEX_INIT(LOCK_OBJECT), .writers_left = WRITERS };
    pthread_t threads[WRITERS + READERS + DELETERS + 1];
    int count = 0;

    world_init(&s.w);
    s.w.blob_options.writers_open_max = 3;
    s.w.blob_options.is_reclaim_manual = false; /* beside the passes asked for here */
    world_open(&s.w);
    for (int i = 0; i < WRITERS; i++) CHECK_OK(thread_start("writer", write_many, &s, &threads[count++]));
    for (int i = 0; i < READERS; i++) CHECK_OK(thread_start("reader", read_many, &s, &threads[count++]));
    for (int i = 0; i < DELETERS; i++) CHECK_OK(thread_start("deleter", delete_many, &s, &threads[count++]));
    CHECK_OK(thread_start("reclaimer", reclaim_many, &s, &threads[count++]));
    for (int i = 0; i < count; i++) thread_join(threads[i]);

    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < PLACES; i++) {
            if (s.places[i].is_taken) check_body(&s.w, s.places[i].body, s.places[i].len, s.places[i].seed);
        }
        world_reopen(&s.w);
    }
    for (int i = 0; i < PLACES; i++) drop(&s, s.places[i]);
    world_settle(&s.w);
    CHECK_U64(world_rows(&s.w, SPACE_EXTENTS) + world_rows(&s.w, SPACE_FREED)
                  + world_rows(&s.w, SPACE_BODY_REFS),
              0);
    world_reopen(&s.w);
    CHECK_U64(world_files(&s.w), 0);
    CHECK_U64(world_rows(&s.w, SPACE_VOLUMES), 0);
    world_close(&s.w);
}
