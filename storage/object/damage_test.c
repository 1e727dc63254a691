/*
 * damage_test.c - bits flip and tails tear in the files of a store: what is damaged is refused, and never are wrong bytes given.
 *
 * A store with bodies in the journal and in volumes, some of them behind a checkpoint and some to be replayed, is closed and its files kept. Every round lays them out, changes them somewhere,
 * opens the store and reads everything. Bits of bodies must be told as damage, by reading; bits anywhere else in the journal either stop the start or change nothing that is read.
 */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/meta/record.h"
#include "storage/object/fixture_test.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

enum { OBJECTS = 12, ROUNDS = 200, SECTOR = 512 };

struct patient {
    struct fixture f;
    struct tree *meta, *volumes;
    char meta_dir[300], volume_dir[300];
    struct str bodies[OBJECTS];
    uint64_t random;
};

static const char *key_of(struct patient *p, int i)
{
    return arena_printf(p->f.arena, "key%02d", i).data;
}

/* The last one is alone in the last batch of the journal. */
static void patient_init(struct patient *p)
{
    *p = (struct patient){ .random = 20261126 };
    fixture_open(&p->f);
    for (int i = 0; i < OBJECTS; i++) {
        p->bodies[i] = fixture_body(&p->f, (uint32_t)i, i % 3 == 1 ? 20000 : 700 + 250 * (size_t)i);
        CHECK_OK(fixture_put(&p->f, key_of(p, i), p->bodies[i]));
        if (i == OBJECTS / 2) CHECK_OK(meta_checkpoint(p->f.store.meta));
    }
    fixture_stop(&p->f);
    snprintf(p->meta_dir, sizeof(p->meta_dir), "%s/meta", p->f.dir);
    snprintf(p->volume_dir, sizeof(p->volume_dir), "%s/volumes", p->f.dir);
    p->meta = tree_read(p->meta_dir);
    p->volumes = tree_read(p->volume_dir);
}

static void patient_done(struct patient *p)
{
    tree_free(p->meta);
    tree_free(p->volumes);
    arena_free(p->f.arena);
}

/* How many objects are refused as damaged. Those that are not have their bytes; the last may be gone, if it may be torn. */
static int count_damaged(struct patient *p, bool may_miss_last, bool *ret_misses_last)
{
    struct arena *const kept = p->f.arena;
    int damaged = 0;

    p->f.arena = arena_new(MIB);
    *ret_misses_last = false;
    for (int i = 0; i < OBJECTS; i++) {
        struct str got;
        const struct err e = fixture_get(&p->f, key_of(p, i), &got);
        if (e.code == ERR_CORRUPT) damaged++;
        else if (may_miss_last && i == OBJECTS - 1 && e.code == ERR_NO_SUCH_KEY) *ret_misses_last = true;
        else CHECK_OK(e);
        if (!e.code) CHECK(str_eq(got, p->bodies[i]));
    }
    p->f.arena = arena_free(p->f.arena);
    p->f.arena = kept;
    return damaged;
}

/* Where the bytes of a body lie; the test fails if they lie nowhere. */
static char *find_body(struct tree *t, struct str body)
{
    for (size_t i = 0; i < t->count; i++) {
        char *at = memmem(t->files[i].data, t->files[i].len, body.data, body.len);
        if (at) return at;
    }
    test_fail(__FILE__, __LINE__, "a body is in no file");
}

TEST(a_flipped_bit_in_a_body_is_told_wherever_it_lies)
{
    struct patient p;
    bool misses_last;

    if (test_store()) return; /* no journal: PostgreSQL has its own */
    patient_init(&p);
    for (uint64_t i = 0; i < ROUNDS * test_scale(); i++) {
        const struct str body =
            p.bodies[random_below(&p.random, OBJECTS - 1)]; /* the last would be a torn tail */
        struct tree *const t = body.len > FIXTURE_SMALL ? p.volumes : p.meta;
        char *const at = find_body(t, body) + random_below(&p.random, body.len);
        const char was = *at;

        *at ^= (char)(1 << random_below(&p.random, 8));
        tree_write(p.meta, p.meta_dir);
        if (t == p.volumes) tree_write(p.volumes, p.volume_dir);
        const struct err e = fixture_start(&p.f);
        if (e.code) CHECK_U64(e.code, ERR_CORRUPT); /* a batch that is replayed */
        if (!e.code) {
            CHECK_U64(count_damaged(&p, false, &misses_last), 1);
            fixture_stop(&p.f);
        }
        *at = was;
        if (t == p.volumes) tree_write(p.volumes, p.volume_dir);
    }
    patient_done(&p);
}

/* Any file of the journal, any bit of what was written. */
TEST(a_flipped_bit_anywhere_in_the_journal_gives_no_wrong_byte)
{
    struct patient p;
    bool misses_last;
    uint64_t told = 0;

    if (test_store()) return;
    patient_init(&p);
    struct tree_file *const segment = tree_file(p.meta, "journal/00000001.seg");
    size_t end = segment->len;
    while (end && !segment->data[end - 1]) end--;
    for (uint64_t i = 0; i < ROUNDS * test_scale(); i++) {
        char *const at = segment->data + random_below(&p.random, end);
        const char was = *at;

        *at ^= (char)(1 << random_below(&p.random, 8));
        tree_write(p.meta, p.meta_dir);
        const struct err e = fixture_start(&p.f);
        if (e.code) CHECK_U64(e.code, ERR_CORRUPT);
        if (!e.code) {
            const int damaged = count_damaged(&p, true, &misses_last);
            CHECK(damaged <= 1);
            told += damaged != 0 || misses_last;
            fixture_stop(&p.f);
        }
        told += e.code != ERR_OK;
        *at = was;
    }
    CHECK(told > ROUNDS * test_scale() / 2); /* most of the journal is bodies and rows */
    patient_done(&p);
}

/* Where the last batch begins in the segment, where its records end, and its last block, which is filled up with zeros. */
static void last_batch(const struct tree_file *segment, uint64_t *ret_begin, uint64_t *ret_records_end,
                       uint64_t *ret_end)
{
    const uint8_t *data = (const uint8_t *)segment->data;
    struct segment_header s;
    struct batch_header b;

    CHECK(segment_header_decode(data, &s));
    *ret_end = JOURNAL_BLOCK;
    while (*ret_end + JOURNAL_BLOCK <= segment->len
           && batch_header_decode(data + *ret_end, s.salt, s.id, &b)) {
        *ret_begin = *ret_end;
        *ret_records_end = *ret_begin + BATCH_HEADER_BYTES + b.bytes;
        *ret_end += batch_span(b.bytes);
    }
}

/* A machine that stops while a batch is written leaves any of its sectors as they were, which is zeros or what an older segment held. */
TEST(a_torn_tail_takes_nothing_with_it_but_its_own_batch)
{
    struct patient p;
    bool misses_last;
    uint64_t begin = 0, records_end = 0, end;

    if (test_store()) return;
    patient_init(&p);
    struct tree_file *const segment = tree_file(p.meta, "journal/00000001.seg");
    last_batch(segment, &begin, &records_end, &end);
    CHECK(begin >= JOURNAL_BLOCK && end - begin >= 4 * SECTOR);
    char *const whole = malloc(end - begin);
    memcpy(whole, segment->data + begin, end - begin);
    for (uint64_t i = 0; i < ROUNDS * test_scale(); i++) {
        const bool is_cut = random_below(&p.random, 2), is_garbage = random_below(&p.random, 2);
        const uint64_t cut = begin + random_below(&p.random, end - begin);

        for (uint64_t at = begin; at < end; at++) {
            const bool is_lost = is_cut ? at >= cut : (at / SECTOR * 2654435761u + i) % 3 == 0;
            if (is_lost) segment->data[at] = is_garbage ? (char)random_next(&p.random) : 0;
        }
        const bool is_whole = memcmp(segment->data + begin, whole, records_end - begin) == 0;
        tree_write(p.meta, p.meta_dir);
        CHECK_OK(fixture_start(&p.f));
        CHECK_U64(count_damaged(&p, true, &misses_last), 0);
        CHECK(misses_last != is_whole);
        CHECK_OK(fixture_put(&p.f, "more", STR("it goes on")));
        fixture_stop(&p.f);
        memcpy(segment->data + begin, whole, end - begin);
    }
    free(whole);
    patient_done(&p);
}
