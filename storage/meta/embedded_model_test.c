/*
 * embedded_model_test.c - random operations against a model, with checkpoints and reopenings at any moment; and many threads at once.
 *
 * The limits are tiny, so that memtables freeze, checkpoints run and segments turn all the time beside what is tested.
 */
#include <stdlib.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/meta/embedded.h"
#include "tests/unit/test.h"

static struct meta *open_tiny(const char *dir)
{
    struct meta *m;

    CHECK_OK(meta_open(&(struct meta_options){ .dir = dir,
                                               .segment_bytes = 256 * KIB,
                                               .disk_floor_bytes = MIB,
                                               .map_bytes = 256 * MIB,
                                               .checkpoint_rows_bytes = 32 * KIB,
                                               .checkpoint_log_bytes = 512 * KIB },
                       &m));
    return m;
}

/* ---- the model ---- */

#define MODEL_KEYS 400
#define BODY_MAX (20 * KIB)

struct model {
    struct meta *meta;
    const char *dir;
    uint64_t seed;
    uint32_t versions[MODEL_KEYS]; /* 0: absent */
};

static uint64_t next_random(struct model *md)
{
    md->seed = md->seed * 6364136223846793005ull + 1442695040888963407ull;
    return md->seed >> 33;
}

/* Keys of very different lengths, whose order is that of their numbers. */
static struct str key_of(uint32_t i, char out[1200])
{
    const size_t len = 4 + (i % 7 == 0 ? 1000 : i % 13);

    memset(out, 'k', len);
    put_be32(out, i);
    return str_of(out, len);
}

/* A version says all about a row: every third has a body, of a length and bytes that follow from it. */
static bool has_body(uint32_t version)
{
    return version % 3 == 0;
}

static struct str body_of(uint32_t version, char *out)
{
    const size_t len = version * 2654435761u % BODY_MAX;
    memset(out, (int)(version % 251), len);
    return str_of(out, len);
}

struct change {
    struct {
        uint32_t key, version;
    } rows[8];
    int count;
    bool is_refused;
};

static struct err drop_old(struct txn *txn, struct str key)
{
    struct str old;
    struct place p;
    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, key, &old);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (old.len == 4) return OK;
    place_decode((const uint8_t *)old.data + 4, &p);
    return txn_drop_body(txn, p);
}

static struct err change_fn(struct txn *txn, void *arg)
{
    static char bodies[8][BODY_MAX];
    const struct change *c = arg;
    char key_bytes[1200];
    struct place p;

    for (int i = 0; i < c->count; i++) {
        const struct str key = key_of(c->rows[i].key, key_bytes);
        const uint32_t version = c->rows[i].version;
        uint8_t value[4 + PLACE_BYTES];
        TRY(drop_old(txn, key));
        if (!version) {
            TRY(txn_del(txn, SPACE_OBJECTS, key));
            continue;
        }
        put_le32(value, version);
        if (has_body(version)) {
            TRY(txn_put_body(txn, SPACE_OBJECTS, key, body_of(version, bodies[i]), &p));
            place_encode(&p, value + 4);
        }
        TRY(txn_put(txn, SPACE_OBJECTS, key, str_of(value, has_body(version) ? sizeof(value) : 4)));
    }
    return c->is_refused ? FAIL(ERR_CONFLICT, "refused") : OK;
}

static void model_change(struct model *md, uint32_t *version)
{
    struct change c = { .count = (int)(next_random(md) % 8) + 1, .is_refused = next_random(md) % 10 == 0 };
    const uint32_t first = (uint32_t)next_random(md) % (MODEL_KEYS - 8);

    for (int i = 0; i < c.count; i++) {
        c.rows[i].key = first + (uint32_t)i;
        c.rows[i].version = next_random(md) % 4 ? ++*version : 0;
    }
    CHECK_ERR(meta_run(md->meta, change_fn, &c), c.is_refused ? ERR_CONFLICT : ERR_OK);
    for (int i = 0; i < c.count && !c.is_refused; i++) md->versions[c.rows[i].key] = c.rows[i].version;
}

static void check_row(struct model *md, uint32_t i, struct str key, struct str value)
{
    static char got[BODY_MAX], want[BODY_MAX];
    char key_bytes[1200];
    struct place p;

    CHECK(str_eq(key, key_of(i, key_bytes)));
    CHECK_U64(get_le32(value.data), md->versions[i]);
    if (!has_body(md->versions[i])) return;
    place_decode((const uint8_t *)value.data + 4, &p);
    CHECK_OK(meta_read_body(md->meta, p, got));
    CHECK(str_eq(str_of(got, p.length), body_of(md->versions[i], want)));
}

static void model_check(struct model *md, bool is_backward)
{
    struct rows *view;
    struct rows_scan scan;
    struct str key, value;
    uint64_t bodies = 0;

    CHECK_OK(view_open(md->meta, &view));
    rows_scan_begin(&scan, view, SPACE_OBJECTS, STR_NONE, is_backward);
    for (uint32_t n = 0; n < MODEL_KEYS; n++) {
        const uint32_t i = is_backward ? MODEL_KEYS - 1 - n : n;
        if (!md->versions[i]) continue;
        CHECK(rows_scan_next(&scan, &key, &value));
        check_row(md, i, key, value);
        bodies += has_body(md->versions[i]);
    }
    CHECK(!rows_scan_next(&scan, &key, &value));
    CHECK_OK(scan.err);
    rows_scan_done(&scan);
    view = view_close(view);
    CHECK_U64(segments_figures(embedded_of(md->meta)->segments).live_bodies, bodies);
}

static void model_run(uint64_t seed, int steps)
{
    struct model md = { .dir = test_dir(), .seed = seed };
    uint32_t version = 0;

    md.meta = open_tiny(md.dir);
    for (int i = 0; i < steps; i++) {
        const uint64_t what = next_random(&md) % 100;
        if (what < 96) model_change(&md, &version);
        else if (what < 97) CHECK_OK(meta_checkpoint(md.meta));
        else if (what < 99) model_check(&md, i % 2);
        else {
            meta_close(md.meta);
            md.meta = open_tiny(md.dir);
        }
    }
    model_check(&md, false);
    meta_close(md.meta);
}

TEST(random_operations_and_reopenings_give_what_a_model_gives)
{
    for (uint64_t seed = 1; seed <= 3; seed++) model_run(seed, 1500);
}

/* ---- many threads ---- */

#define WRITERS 6
#define READERS 3
#define PAIRS 20
#define ROUNDS 400

struct crowd {
    struct meta *meta;
    _Atomic int writing;
};

struct pair_put {
    uint8_t keys[2][3]; /* 'a' or 'z', writer, pair */
    uint32_t version;
};

static struct err pair_fn(struct txn *txn, void *arg)
{
    static const char bytes[2000];
    const struct pair_put *p = arg;
    uint8_t value[4 + PLACE_BYTES];
    struct place place;

    for (int i = 0; i < 2; i++) {
        TRY(drop_old(txn, str_of(p->keys[i], 3)));
        TRY(txn_put_body(txn, SPACE_OBJECTS, str_of(p->keys[i], 3), str_of(bytes, sizeof(bytes)), &place));
        put_le32(value, p->version);
        place_encode(&place, value + 4);
        TRY(txn_put(txn, SPACE_OBJECTS, str_of(p->keys[i], 3), str_of(value, sizeof(value))));
    }
    return OK;
}

struct member {
    struct crowd *crowd;
    uint8_t number;
};

static void write_pairs(void *arg)
{
    const struct member *me = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint8_t pair = (uint8_t)(i % PAIRS);
        struct pair_put p = { .keys = { { 'a', me->number, pair }, { 'z', me->number, pair } },
                              .version = i + 1 };
        CHECK_OK(meta_run(me->crowd->meta, pair_fn, &p));
    }
    atomic_fetch_sub(&me->crowd->writing, 1);
}

/* M3: both rows of a pair are of one version, versions do not go back, and the bodies are readable while the view is open. */
static void read_pairs(void *arg)
{
    struct crowd *crowd = arg;
    uint32_t seen[WRITERS][PAIRS] = { 0 };

    while (atomic_load(&crowd->writing)) {
        struct rows *view;
        CHECK_OK(view_open(crowd->meta, &view));
        for (int i = 0; i < WRITERS * PAIRS; i += 7) {
            const uint8_t w = (uint8_t)(i / PAIRS), pair = (uint8_t)(i % PAIRS);
            const uint8_t a[3] = { 'a', w, pair }, z[3] = { 'z', w, pair };
            struct str value_a, value_z;
            struct place p;
            char out[2000];
            const struct err e = rows_get(view, SPACE_OBJECTS, str_of(a, 3), &value_a);
            if (e.code == ERR_NOT_FOUND && !seen[w][pair]) continue;
            CHECK_OK(e);
            CHECK_OK(rows_get(view, SPACE_OBJECTS, str_of(z, 3), &value_z));
            const uint32_t version = get_le32(value_a.data);
            CHECK_U64(get_le32(value_z.data), version);
            CHECK(version >= seen[w][pair]);
            seen[w][pair] = version;
            place_decode((const uint8_t *)value_z.data + 4, &p);
            CHECK_OK(meta_read_body(crowd->meta, p, out));
        }
        view = view_close(view);
    }
}

TEST(readers_see_whole_transactions_beside_writers_and_checkpoints)
{
    const char *dir = test_dir();
    struct crowd crowd = { .meta = open_tiny(dir), .writing = WRITERS };
    struct member members[WRITERS];
    pthread_t writers[WRITERS], readers[READERS];

    for (uint8_t i = 0; i < WRITERS; i++) {
        members[i] = (struct member){ &crowd, i };
        CHECK_OK(thread_start("writer", write_pairs, &members[i], &writers[i]));
    }
    for (int i = 0; i < READERS; i++) CHECK_OK(thread_start("reader", read_pairs, &crowd, &readers[i]));
    for (int i = 0; i < WRITERS; i++) thread_join(writers[i]);
    for (int i = 0; i < READERS; i++) thread_join(readers[i]);
    CHECK_U64(segments_figures(embedded_of(crowd.meta)->segments).live_bodies, 2 * WRITERS * PAIRS);
    meta_close(crowd.meta);
    crowd.meta = open_tiny(dir);
    CHECK_U64(segments_figures(embedded_of(crowd.meta)->segments).live_bodies, 2 * WRITERS * PAIRS);
    meta_close(crowd.meta);
}
