/*
 * work.c - a store at work, with a mark before each operation and one after its answer.
 *
 * Writers share the store and no slots. What a big store does now and then happens all the time here: checkpoints and segments by small limits, reclaiming, compaction and clearing by a thread of their own.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/base/json.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/compact.h"
#include "storage/object/multipart.h"
#include "storage/object/object_copy.h"
#include "storage/object/object_delete.h"
#include "tests/crash/power/world.h"

struct writer {
    struct world *w;
    uint64_t random;
    unsigned operations;
    uint32_t first; /* slot */
    struct value held[SLOTS_EACH];
    pthread_t thread;
};

static atomic_bool is_over;
static atomic_uint operations_left; /* until the kill; 0: there is none */

static struct value *held(struct writer *me, uint32_t slot)
{
    return &me->held[slot - me->first];
}

static void begin(uint32_t slot, struct value value)
{
    record_mark(MARK_BEGIN, slot, value);
}

/* Whatever does not go well here is no answer that a client gets in peace: the recording is worth nothing. */
static void answered(struct writer *me, uint32_t slot, struct value value, struct err e)
{
    if (e.code) fatal("slot %u: %s (%s)", slot, err_name(e.code), e.why);
    record_mark(MARK_END, slot, value);
    if (me) *held(me, slot) = value;
}

/* ---- objects ---- */

static size_t some_size(uint64_t *random)
{
    const uint64_t kind = random_below(random, 80);

    if (kind == 0) return 0;
    if (kind == 1) return 1100000 + random_below(random, 900000); /* a file of its own */
    if (kind < 8) return 5000 + random_below(random, 120000);
    return 1 + random_below(random, 4000);
}

static void do_put(struct writer *me, uint32_t slot)
{
    char key[32];
    const struct value value = { { random_next(&me->random) | 1, some_size(&me->random) } };

    begin(slot, value);
    answered(me, slot, value, put_object(me->w, slot_key(slot, key), value.word[0], value.word[1]));
}

static void do_delete(struct writer *me, uint32_t slot)
{
    char key[32];
    struct object_delete d = { .store = &me->w->store, .bucket = BUCKET, .key = slot_key(slot, key) };

    begin(slot, (struct value){ 0 });
    answered(me, slot, (struct value){ 0 }, meta_run_freeing(me->w->store.meta, object_delete_fn, &d));
}

static void do_copy(struct writer *me, uint32_t slot, uint32_t source)
{
    char key[32], from[32];
    const struct value value = *held(me, source);
    struct arena *arena = arena_new(1 << 20);
    struct object_copy c = { .store = &me->w->store,
                             .source_bucket = BUCKET,
                             .source_key = slot_key(source, from),
                             .bucket = BUCKET,
                             .key = slot_key(slot, key) };

    begin(slot, value);
    answered(me, slot, value, object_copy(&c, arena));
    arena_free(arena);
}

static void on_object(struct writer *me)
{
    const uint32_t slot = me->first + (uint32_t)random_below(&me->random, OBJECTS);
    const uint32_t other = me->first + (uint32_t)random_below(&me->random, OBJECTS);
    const uint64_t what = random_below(&me->random, 10);

    if (what < 2) do_delete(me, slot);
    else if (what < 4 && slot != other && held(me, other)->word[0]) do_copy(me, slot, other);
    else do_put(me, slot);
}

/* ---- uploads ---- */

static struct err put_part(struct world *w, uint32_t slot, struct uid id, uint64_t generation,
                           uint32_t number)
{
    char key[32];
    const size_t size = part_size(generation, number);
    char *bytes = content_make(part_content(generation, number), size);
    struct part_put put = {
        .store = &w->store, .bucket = BUCKET, .key = slot_key(slot, key), .upload = id, .number = number
    };

    struct err e = body_writer_new(&w->store, (struct body_sums_wanted){ 0 }, size, &put.body);
    if (!e.code) e = body_writer_write(put.body, str_of(bytes, size));
    if (!e.code) e = body_writer_finish_wait(put.body);
    if (!e.code) e = meta_run(w->store.meta, part_put_fn, &put);
    body_writer_free(put.body);
    free(bytes);
    return e;
}

static void do_create(struct writer *me, uint32_t slot)
{
    char key[32], text[24];
    struct value value = *held(me, slot);
    struct uid id;

    value.word[0] = random_next(&me->random) >> 8 | 1;
    value.word[1] = 0;
    const struct str number = str_of(text,
                                     (size_t)snprintf(text, 24, "%llu", (unsigned long long)value.word[0]));
    const struct pair user = { STR("content"), number };
    const struct upload_info what = { .owner = number, .meta = { .user = &user, .user_count = 1 } };
    begin(slot, value);
    answered(me, slot, value, upload_create(&me->w->store, BUCKET, slot_key(slot, key), &what, &id));
}

static void on_upload(struct writer *me)
{
    char key[32];
    const uint32_t slot = me->first + OBJECTS + (uint32_t)random_below(&me->random, UPLOADS);
    const uint32_t number = 1 + (uint32_t)random_below(&me->random, PARTS);
    const uint64_t what = random_below(&me->random, 8);
    struct value value = *held(me, slot);
    struct arena *arena = arena_new(4 << 20);
    struct uid id;
    struct str owner;

    if (!value.word[0]) {
        do_create(me, slot);
        arena_free(arena);
        return;
    }
    const struct err found = find_upload(me->w, slot, arena, &id, &owner);
    if (found.code) fatal("an upload is gone: %s", found.why);
    if (what < 2 && value.word[1]) {
        value = (struct value){ { 0, 0, value.word[0], value.word[1] } };
        begin(slot, value);
        answered(me, slot, value, complete(me->w, slot, id, arena));
    } else if (what == 2) {
        value.word[0] = value.word[1] = 0;
        begin(slot, value);
        answered(me, slot, value, upload_abort(&me->w->store, BUCKET, slot_key(slot, key), id));
    } else {
        const uint64_t generation = value.word[0];
        value.word[1] |= 1u << (number - 1);
        begin(slot, value);
        answered(me, slot, value, put_part(me->w, slot, id, generation, number));
    }
    arena_free(arena);
}

/* ---- tables ---- */

static void on_tables(struct writer *me)
{
    const uint32_t slot = me->first + OBJECTS + UPLOADS;
    const struct value value = { { held(me, slot)->word[0] + 1 } };
    struct arena *arena = arena_new(16 << 20);
    struct table_change changes[2] = { 0 };
    struct table_info infos[2];
    char names[2][32], number[24];

    snprintf(number, sizeof(number), "%llu", (unsigned long long)value.word[0]);
    CLEANUP(json_freep)
    json_t *updates = json_pack("[{s:s, s:{s:s}}]", "action", "set-properties", "updates", "n", number);
    CLEANUP(json_freep) json_t *requirements = json_array();
    for (int i = 0; i < 2; i++) {
        slot_table(slot, i, &changes[i].ident, names[i]);
        changes[i].requirements = requirements;
        changes[i].updates = updates;
    }
    begin(slot, value);
    answered(me, slot, value, table_commit(&me->w->store, LAKE, changes, 2, &somebody, arena, infos));
    arena_free(arena);
}

/* ---- a life ---- */

static void write_on(void *arg)
{
    struct writer *me = arg;

    for (unsigned i = 0; i < me->operations; i++) {
        const uint64_t what = random_below(&me->random, 10);
        if (what < 6) on_object(me);
        else if (what < 9) on_upload(me);
        else on_tables(me);
        if (atomic_load(&operations_left) && atomic_fetch_sub(&operations_left, 1) == 1) record_die();
    }
}

static void keep_house(void *arg)
{
    struct world *w = arg;
    struct compact *c = NULL;
    const struct compact_options o = { .store = &w->store, .rate = 1u << 30, .look_ms = 1, .spare = 0 };
    uint64_t bytes;
    bool more;

    if (compact_new(&o, &c).code) fatal("no compactor");
    while (!atomic_load(&is_over)) {
        err_ignore(compact_step(c, &more));
        err_ignore(multipart_clear(&w->store, &more));
        err_ignore(blob_reclaim(w->store.blobs, &bytes));
        usleep(500);
    }
    compact_free(c);
}

static void make_tables(struct world *w, uint32_t slot, struct arena *arena)
{
    for (int i = 0; i < 2; i++) {
        char name[32];
        struct table_ident t;
        struct table_info info;
        slot_table(slot, i, &t, name);
        CLEANUP(json_freep)
        json_t *request = json_pack("{s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", name, "schema",
                                    "type", "struct", "fields", "id", 1, "name", "a", "required", 0, "type",
                                    "int");
        const struct err e = table_create(&w->store, LAKE, &t.ns, request, false, &somebody, arena, &info);
        if (e.code && e.code != ERR_TABLE_EXISTS) fatal("no table: %s", e.why);
    }
}

static void only(struct err e, enum err_code unless)
{
    if (e.code && e.code != unless) fatal("setting up: %s", e.why);
}

static void set_up(struct world *w)
{
    const struct ns_path ns = { .levels = { STR("ns") }, .count = 1 };
    struct arena *arena = arena_new(64 << 20);
    const struct value done = { { 1 } };

    begin(0, done);
    only(bucket_create(&w->store, BUCKET, STR("root"), STR_NONE), ERR_BUCKET_OWNED_BY_YOU);
    only(bucket_create(&w->store, LAKE, STR("root"), STR_NONE), ERR_BUCKET_OWNED_BY_YOU);
    only(catalog_ensure(&w->store, LAKE, STR("s3://lake"), &somebody), ERR_OK);
    only(ns_create(&w->store, LAKE, &ns, NULL, &somebody), ERR_NAMESPACE_EXISTS);
    for (uint32_t slot = 1; slot < SLOTS; slot++)
        if (slot_kind(slot) == SLOT_TABLES) make_tables(w, slot, arena);
    answered(NULL, 0, done, OK);
    arena_free(arena);
}

/* What was read once is there for good, whoever was told so. */
static void look(struct world *w, struct writer *writers)
{
    char why[512];

    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        struct value value;
        if (!world_read(w, slot, &value, why, sizeof(why))) fatal("slot %u: %s", slot, why);
        if (!slot) continue;
        record_mark(MARK_KNOWN, slot, value);
        writers[(slot - 1) / SLOTS_EACH].held[(slot - 1) % SLOTS_EACH] = value;
    }
}

_Noreturn void work(const char *dir, uint64_t seed, unsigned operations, bool is_killed)
{
    static struct writer writers[WRITERS];
    char why[512];
    pthread_t house;
    uint64_t random = seed;

    log_set_level(LOG_LEVEL_ERROR);
    struct world *w = world_open(dir, why, sizeof(why));
    if (!w) fatal("%s", why);
    look(w, writers);
    set_up(w);
    if (is_killed) atomic_store(&operations_left, 1 + (unsigned)random_below(&random, operations / 2));
    if (thread_start("house", keep_house, w, &house).code) fatal("no thread");
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i].w = w;
        writers[i].random = random_next(&random);
        writers[i].operations = operations / WRITERS;
        writers[i].first = 1 + i * SLOTS_EACH;
        if (thread_start("writer", write_on, &writers[i], &writers[i].thread).code) fatal("no thread");
    }
    for (uint32_t i = 0; i < WRITERS; i++) thread_join(writers[i].thread);
    atomic_store(&is_over, true);
    thread_join(house);
    if (random_below(&random, 2)) world_close(w);
    fflush(NULL);
    _exit(0);
}
