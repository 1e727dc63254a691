/*
 * object_model_test.c - random operations on a store, against a model that is an array; with stops of the machine and reopenings in between.
 *
 * The model is a value: buckets, what each key holds, open uploads. An operation is done to a copy of it first, which says what must come of it, then to the store. When the machine stops (a
 * fault of every system call from some call on), the store is opened again, and must be the model before or the model after the operation that got no answer: nothing in between, nothing else.
 */
#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_copy.h"
#include "storage/object/object_delete.h"
#include "storage/object/object_get.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

enum { BUCKETS = 3, KEYS = 40, UPLOADS = 5, PARTS = 4 };

/* ---- the model ---- */

/* Bytes that are known by their seed and size. */
struct piece {
    uint32_t seed, size;
};

/* What a key holds: one piece, or those of an upload. */
struct content {
    bool is_there;
    uint32_t part_count; /* 0: not made of parts */
    struct piece pieces[PARTS];
};

struct upload {
    bool is_open;
    uint32_t bucket, key;
    struct uid id;
    bool has[PARTS];
    struct piece parts[PARTS];
};

struct model {
    bool buckets[BUCKETS];
    struct content objects[BUCKETS][KEYS];
    struct upload uploads[UPLOADS];
};

struct world {
    struct fixture f;
    uint64_t random;
    struct model now, then; /* then: if what is being done happens */
    uint32_t pieces;        /* made so far: each has bytes of its own */
    bool is_beginning;      /* an upload, whose id is not known before it is answered */
};

static uint32_t pick(struct world *w, uint32_t limit)
{
    return (uint32_t)random_below(&w->random, limit);
}

static const char *const bucket_names[BUCKETS] = { "bucket", "bucket1", "other" };

static struct str bucket_of(uint32_t bucket)
{
    return str_from_z(bucket_names[bucket]);
}

/* In the order of their numbers; some lie in folders, two levels deep. */
static struct str key_of(struct world *w, uint32_t key)
{
    return arena_printf(w->f.arena, "%c%s%02u", 'a' + (int)(key / 10), key / 10 % 2 ? "/x/" : "-", key);
}

static uint32_t parts_of(const struct content *c)
{
    return c->part_count ? c->part_count : 1;
}

static struct str bytes_of(struct world *w, const struct content *c)
{
    struct str all = STR_NONE;

    for (uint32_t i = 0; i < parts_of(c); i++)
        all = arena_join(w->f.arena, all, fixture_body(&w->f, c->pieces[i].seed, c->pieces[i].size));
    return all;
}

static void etag_of(struct world *w, const struct content *c, char out[ETAG_SIZE])
{
    struct object_info info = { .part_count = c->part_count };
    uint8_t sums[16 * PARTS];

    for (uint32_t i = 0; i < parts_of(c); i++) {
        const struct str body = fixture_body(&w->f, c->pieces[i].seed, c->pieces[i].size);
        memcpy(sums + 16 * (size_t)i, digest_of(DIGEST_MD5, body.data, body.len).bytes, 16);
    }
    memcpy(info.etag_md5, sums, 16);
    if (c->part_count)
        memcpy(info.etag_md5, digest_of(DIGEST_MD5, sums, 16 * (size_t)c->part_count).bytes, 16);
    object_etag(&info, out);
}

static uint32_t size_of(const struct content *c)
{
    uint32_t size = 0;

    for (uint32_t i = 0; i < parts_of(c); i++) size += c->pieces[i].size;
    return size;
}

/* Empty, in the journal, or in a volume. */
static struct piece new_piece(struct world *w)
{
    static const uint32_t most[] = { 1, 200, FIXTURE_SMALL + 1, 12000 };

    return (struct piece){ ++w->pieces, pick(w, most[pick(w, 4)]) };
}

static bool is_empty(const struct model *m, uint32_t bucket)
{
    for (int k = 0; k < KEYS; k++)
        if (m->objects[bucket][k].is_there) return false;
    return true;
}

/* ---- is the store the model? ---- */

static bool holds_object(struct world *w, const struct content *c, uint32_t bucket, uint32_t key)
{
    struct str got;
    const struct err e = object_read_all(&w->f.store, bucket_of(bucket), key_of(w, key), MIB, w->f.arena,
                                         &got);

    if (!c->is_there) return e.code == ERR_NO_SUCH_KEY;
    return e.code == ERR_OK && str_eq(got, bytes_of(w, c));
}

static bool holds_listing(struct world *w, const struct model *m, uint32_t bucket)
{
    const struct list_query q = { .bucket = bucket_of(bucket), .max = 1000 };
    struct list_page page;
    size_t at = 0;
    const struct err e = object_list(&w->f.store, &q, w->f.arena, &page);

    if (!m->buckets[bucket]) return e.code == ERR_NO_SUCH_BUCKET;
    CHECK_OK(e);
    for (uint32_t k = 0; k < KEYS; k++) {
        const struct content *c = &m->objects[bucket][k];
        char etag[ETAG_SIZE];
        if (!c->is_there) continue;
        if (at == page.count || !str_eq(page.entries[at].name, key_of(w, k))) return false;
        etag_of(w, c, etag);
        if (page.entries[at].size != size_of(c) || strcmp(page.entries[at].etag, etag) != 0) return false;
        at++;
    }
    return at == page.count;
}

static bool holds_upload(struct world *w, const struct upload *u)
{
    const struct str bucket = bucket_of(u->bucket), key = key_of(w, u->key);
    struct part_page page;
    size_t at = 0;
    const struct err e = upload_list_parts(&w->f.store, bucket, key, u->id, 0, 1000, w->f.arena, &page);

    if (e.code) return false;
    for (uint32_t i = 0; i < PARTS; i++) {
        if (!u->has[i]) continue;
        if (at == page.count || page.parts[at].number != i + 1 || page.parts[at].size != u->parts[i].size)
            return false;
        const struct str body = fixture_body(&w->f, u->parts[i].seed, u->parts[i].size);
        if (memcmp(page.parts[at].md5, digest_of(DIGEST_MD5, body.data, body.len).bytes, 16) != 0)
            return false;
        at++;
    }
    return at == page.count;
}

/* Uploads that are there are the model's; one that got no answer is given up. */
static bool holds_no_other_upload(struct world *w, const struct model *m, uint32_t bucket)
{
    const struct upload_query q = { .bucket = bucket_of(bucket), .max = 1000 };
    struct upload_page page;

    CHECK_OK(upload_list(&w->f.store, &q, w->f.arena, &page));
    for (size_t i = 0; i < page.count; i++) {
        bool is_known = false;
        for (int u = 0; u < UPLOADS; u++)
            is_known |= m->uploads[u].is_open && uid_eq(m->uploads[u].id, page.entries[i].info.id);
        if (is_known) continue;
        if (!w->is_beginning) return false;
        CHECK_OK(upload_abort(&w->f.store, q.bucket, page.entries[i].key, page.entries[i].info.id));
        w->is_beginning = false;
    }
    return true;
}

static bool holds(struct world *w, const struct model *m)
{
    for (uint32_t b = 0; b < BUCKETS; b++) {
        if (!holds_listing(w, m, b)) return false;
        for (uint32_t k = 0; m->buckets[b] && k < KEYS; k++)
            if (!holds_object(w, &m->objects[b][k], b, k)) return false;
    }
    for (int u = 0; u < UPLOADS; u++)
        if (m->uploads[u].is_open && !holds_upload(w, &m->uploads[u])) return false;
    for (uint32_t b = 0; b < BUCKETS; b++)
        if (m->buckets[b] && !holds_no_other_upload(w, m, b)) return false;
    return true;
}

/* ---- operations: each changes w->then, says with which code the store must answer, and asks it ---- */

struct target {
    uint32_t bucket, key;
    struct content *then;
    struct str name;
};

static struct target some_target(struct world *w)
{
    const uint32_t bucket = pick(w, 8) ? pick(w, 2) : pick(w, BUCKETS), key = pick(w, KEYS);
    return (struct target){ bucket, key, &w->then.objects[bucket][key], key_of(w, key) };
}

/* None, or one that looks at what is there; *want is changed if that refuses. Conditions of what is not asked for by AWS of a delete are left out by the caller. */
static struct conditions some_conditions(struct world *w, const struct target *t, enum err_code *want)
{
    const struct content *c = &w->now.objects[t->bucket][t->key];
    struct conditions conditions = { 0 };
    const uint32_t kind = pick(w, 6);
    char etag[ETAG_SIZE];

    if (kind == 0) {
        conditions.if_none_match = STR("*");
        if (c->is_there) *want = ERR_PRECONDITION;
    } else if (kind <= 2) {
        const bool is_right = kind == 1;
        if (c->is_there) etag_of(w, c, etag);
        conditions.if_match = c->is_there && is_right ? arena_str(w->f.arena, str_from_z(etag))
                                                      : STR("\"00000000000000000000000000000000\"");
        if (!c->is_there) *want = ERR_NO_SUCH_KEY;
        else if (!is_right) *want = ERR_PRECONDITION;
    }
    if (!w->now.buckets[t->bucket]) *want = ERR_NO_SUCH_BUCKET;
    return conditions;
}

static struct err put(struct world *w, enum err_code *want)
{
    const struct target t = some_target(w);
    const struct piece piece = new_piece(w);
    struct object_put put = { .store = &w->f.store, .bucket = bucket_of(t.bucket), .key = t.name };

    put.conditions = some_conditions(w, &t, want);
    *t.then = (struct content){ .is_there = true, .pieces = { piece } };
    TRY(body_writer_new(&w->f.store, (struct body_sums_wanted){ 0 }, 0, &put.body));
    struct err e = body_writer_write(put.body, fixture_body(&w->f, piece.seed, piece.size));
    if (!e.code) e = body_writer_finish_wait(put.body);
    if (!e.code) e = meta_run(w->f.store.meta, object_put_fn, &put);
    body_writer_free(put.body);
    return e;
}

static struct err delete (struct world *w, enum err_code *want)
{
    const struct target t = some_target(w);
    struct object_delete d = { .store = &w->f.store, .bucket = bucket_of(t.bucket), .key = t.name };

    d.conditions.if_match = some_conditions(w, &t, want).if_match;
    if (!d.conditions.if_match.data) *want = w->now.buckets[t.bucket] ? ERR_OK : ERR_NO_SUCH_BUCKET;
    t.then->is_there = false;
    return meta_run_freeing(w->f.store.meta, object_delete_fn, &d);
}

static struct err copy(struct world *w, enum err_code *want)
{
    const struct target from = some_target(w), to = some_target(w);
    struct object_copy c = { .store = &w->f.store,
                             .source_bucket = bucket_of(from.bucket),
                             .source_key = from.name,
                             .bucket = bucket_of(to.bucket),
                             .key = to.name,
                             .replace_meta = true };

    if (!w->now.buckets[from.bucket]) *want = ERR_NO_SUCH_BUCKET;
    else if (!from.then->is_there) *want = ERR_NO_SUCH_KEY; /* the source is looked at first */
    else if (!w->now.buckets[to.bucket]) *want = ERR_NO_SUCH_BUCKET;
    *to.then = *from.then;
    return object_copy(&c, w->f.arena);
}

/* A whole object, or a range of it. */
static struct err get(struct world *w, enum err_code *want)
{
    const struct target t = some_target(w);
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_reader *reader;
    struct object_info info;

    if (!w->now.buckets[t.bucket]) *want = ERR_NO_SUCH_BUCKET;
    else if (!t.then->is_there) *want = ERR_NO_SUCH_KEY;
    TRY(view_open(w->f.store.meta, &view));
    TRY(object_stat(view, bucket_of(t.bucket), t.name, w->f.arena, &info));
    TRY(object_reader_open(&w->f.store, view, &info, &reader));
    const uint32_t size = size_of(t.then), from = pick(w, size + 1), len = pick(w, size - from + 1);
    char *out = arena_alloc(w->f.arena, len + 1);
    const struct err e = object_read(reader, from, out, len);
    object_reader_close(reader);
    if (!e.code) CHECK(str_eq(str_of(out, len), str_slice(bytes_of(w, t.then), from, from + len)));
    return e;
}

/* ---- listings ---- */

/* What the next entry behind `after` is, as the documentation of AWS has it: a key, or what keys have in common up to the delimiter. */
static bool next_entry(struct world *w, const struct list_query *q, uint32_t bucket, struct str after,
                       struct str *ret)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        const struct str key = key_of(w, k);
        if (!w->now.objects[bucket][k].is_there || !str_starts(key, q->prefix)) continue;
        const char *end = q->delimiter.len ? memchr(key.data + q->prefix.len, '/', key.len - q->prefix.len)
                                           : NULL;
        *ret = end ? str_of(key.data, (size_t)(end - key.data) + 1) : key;
        if (str_cmp(key, after) > 0 && !str_eq(*ret, after)) return true; /* not again what was given */
    }
    return false;
}

static struct err list(struct world *w, enum err_code *want)
{
    static const char *const prefixes[] = { "", "a", "b/", "b/x/1", "d/x/", "z" };
    const struct target t = some_target(w);
    struct list_query q = { .bucket = bucket_of(t.bucket), .max = 1 + pick(w, 20) };
    struct str wanted = STR_NONE;
    struct list_page page;

    q.prefix = str_from_z(prefixes[pick(w, 6)]);
    if (pick(w, 2)) q.delimiter = STR("/");
    if (pick(w, 2)) q.after = wanted = t.name;
    if (!w->now.buckets[t.bucket]) *want = ERR_NO_SUCH_BUCKET;
    TRY(object_list(&w->f.store, &q, w->f.arena, &page));
    for (size_t i = 0; i < page.count; i++) {
        CHECK(next_entry(w, &q, t.bucket, wanted, &wanted));
        CHECK_STR(page.entries[i].name, wanted);
    }
    CHECK_U64(page.is_truncated, next_entry(w, &q, t.bucket, wanted, &wanted));
    return OK;
}

/* ---- uploads ---- */

static struct upload *some_upload(struct world *w, bool is_open)
{
    const uint32_t first = pick(w, UPLOADS);

    for (uint32_t i = 0; i < UPLOADS; i++) {
        struct upload *u = &w->then.uploads[(first + i) % UPLOADS];
        if (u->is_open == is_open) return u;
    }
    return NULL;
}

static struct err begin_upload(struct world *w, enum err_code *want)
{
    const struct target t = some_target(w);
    const struct upload_info what = { .owner = STR("owner") };
    struct upload *u = some_upload(w, false), new = { .is_open = true, .bucket = t.bucket, .key = t.key };

    if (!u) return OK;
    if (!w->now.buckets[t.bucket]) *want = ERR_NO_SUCH_BUCKET;
    w->is_beginning = true;
    TRY(upload_create(&w->f.store, bucket_of(t.bucket), t.name, &what, &new.id));
    w->is_beginning = false;
    *u = new;
    return OK;
}

static struct err put_part(struct world *w, enum err_code *want)
{
    struct upload *u = some_upload(w, true);
    const struct piece piece = new_piece(w);
    const uint32_t part = pick(w, PARTS);

    (void)want;
    if (!u) return OK;
    u->has[part] = true;
    u->parts[part] = piece;
    struct part_put p = { .store = &w->f.store,
                          .bucket = bucket_of(u->bucket),
                          .key = key_of(w, u->key),
                          .upload = u->id,
                          .number = part + 1 };
    TRY(body_writer_new(&w->f.store, (struct body_sums_wanted){ 0 }, piece.size, &p.body));
    struct err e = body_writer_write(p.body, fixture_body(&w->f, piece.seed, piece.size));
    if (!e.code) e = body_writer_finish_wait(p.body);
    if (!e.code) e = meta_run(w->f.store.meta, part_put_fn, &p);
    body_writer_free(p.body);
    return e;
}

/* With all of its parts, or without some. */
static struct err complete(struct world *w, enum err_code *want)
{
    struct upload *u = some_upload(w, true);
    struct content new = { .is_there = true };
    struct sent_part parts[PARTS];

    if (!u) return OK;
    for (uint32_t i = 0; i < PARTS; i++) {
        if (!u->has[i] || pick(w, 8) == 0) continue;
        if (new.part_count && !new.pieces[new.part_count - 1].size)
            *want = ERR_ENTITY_TOO_SMALL; /* the fixture's least is 1 */
        parts[new.part_count] = (struct sent_part){ i + 1,
                                                    fixture_body(&w->f, u->parts[i].seed, u->parts[i].size) };
        new.pieces[new.part_count++] = u->parts[i];
    }
    struct upload_complete c = upload_list_of(&w->f, "", u->id, parts, new.part_count);
    c.bucket = bucket_of(u->bucket);
    c.key = key_of(w, u->key);
    if (!new.part_count) *want = ERR_MALFORMED_XML;
    w->then.objects[u->bucket][u->key] = new;
    u->is_open = false;
    return upload_complete(&c, w->f.arena);
}

static struct err give_up(struct world *w, enum err_code *want)
{
    struct upload *u = some_upload(w, true);

    (void)want;
    if (!u) return OK;
    u->is_open = false;
    return upload_abort(&w->f.store, bucket_of(u->bucket), key_of(w, u->key), u->id);
}

/* ---- buckets, and what goes on in the background ---- */

static struct err create_bucket(struct world *w, enum err_code *want)
{
    const uint32_t bucket = pick(w, BUCKETS);

    if (w->now.buckets[bucket]) *want = ERR_BUCKET_OWNED_BY_YOU;
    w->then.buckets[bucket] = true;
    return bucket_create(&w->f.store, bucket_of(bucket), STR("owner"), STR_NONE);
}

static struct err delete_bucket(struct world *w, enum err_code *want)
{
    const uint32_t bucket = BUCKETS - 1 - (pick(w, 20) == 0);

    if (!w->now.buckets[bucket]) *want = ERR_NO_SUCH_BUCKET;
    else if (!is_empty(&w->now, bucket)) *want = ERR_BUCKET_NOT_EMPTY;
    w->then.buckets[bucket] = false;
    for (int u = 0; u < UPLOADS; u++)
        if (w->then.uploads[u].bucket == bucket) w->then.uploads[u].is_open = false;
    return bucket_delete(&w->f.store, bucket_of(bucket));
}

static struct err tidy(struct world *w, enum err_code *want)
{
    uint64_t bytes;
    bool is_more;

    (void)want;
    TRY(meta_checkpoint(w->f.store.meta));
    TRY(multipart_clear(&w->f.store, &is_more));
    return blob_reclaim(w->f.store.blobs, &bytes);
}

/* ---- a run ---- */

static const struct {
    const char *name;
    struct err (*fn)(struct world *w, enum err_code *want);
    uint32_t share; /* of 100 */
} operations[] = {
    { "put", put, 26 },
    { "delete", delete, 12 },
    { "copy", copy, 7 },
    { "get", get, 20 },
    { "list", list, 10 },
    { "begin_upload", begin_upload, 5 },
    { "put_part", put_part, 9 },
    { "complete", complete, 3 },
    { "give_up", give_up, 2 },
    { "create_bucket", create_bucket, 2 },
    { "delete_bucket", delete_bucket, 3 },
    { "tidy", tidy, 1 },
};

/* True if the store answered as it must; false if it did not answer, which it may only when the machine was stopped. */
static bool step(struct world *w, bool may_stop)
{
    enum err_code want = ERR_OK;
    uint32_t share = pick(w, 100);
    size_t i = 0;

    while (share >= operations[i].share) share -= operations[i++].share;
    arena_reset(w->f.arena);
    w->then = w->now;
    const struct err e = operations[i].fn(w, &want);
    if (want != ERR_OK) w->then = w->now;
    if (e.code == want) {
        w->now = w->then;
        w->is_beginning = false;
        return true;
    }
    if (!may_stop)
        test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s (%s)", operations[i].name, err_name(want),
                  err_name(e.code), e.why);
    return false;
}

/* The machine stops somewhere in the next operations, and sometimes again while the store is being opened. */
static void stop_and_reopen(struct world *w)
{
    bool is_answered = true;

    fault_arm_stop(random_below(&w->random, 80));
    for (int i = 0; i < 100 && is_answered; i++) is_answered = step(w, true);
    fixture_stop(&w->f);
    fault_disarm();
    if (pick(w, 4) == 0) {
        fault_arm_stop(random_below(&w->random, 40));
        if (!fixture_start(&w->f).code) fixture_stop(&w->f);
        fault_disarm();
    }
    CHECK_OK(fixture_start(&w->f));
    arena_reset(w->f.arena);
    if (holds(w, &w->now)) return;
    CHECK(!is_answered);
    CHECK(holds(w, &w->then));
    w->now = w->then;
}

/* Everything is deleted, and nothing is left behind. */
static void check_end(struct world *w)
{
    arena_reset(w->f.arena);
    CHECK(holds(w, &w->now));
    upload_check_references(&w->f);
    for (uint32_t b = 0; b < BUCKETS; b++) {
        for (uint32_t k = 0; k < KEYS; k++) {
            struct object_delete d = { .store = &w->f.store, .bucket = bucket_of(b), .key = key_of(w, k) };
            if (w->now.objects[b][k].is_there)
                CHECK_OK(meta_run_freeing(w->f.store.meta, object_delete_fn, &d));
        }
        if (w->now.buckets[b]) CHECK_OK(bucket_delete(&w->f.store, bucket_of(b)));
    }
    upload_check_empty(&w->f);
}

static void run(uint64_t seed, uint64_t steps)
{
    struct world *w = calloc(1, sizeof(*w));

    *w = (struct world){ .random = seed, .now.buckets = { true } };
    fixture_open(&w->f);
    for (uint64_t i = 0; i < steps; i++) {
        const uint32_t what = pick(w, 400);
        if (what == 0) stop_and_reopen(w);
        else if (what == 1) fixture_reopen(&w->f);
        else if (what == 2) CHECK(holds(w, &w->now));
        else step(w, false);
    }
    check_end(w);
    fixture_done(&w->f);
    free(w);
}

TEST(random_operations_on_objects_with_stops_and_reopenings_are_those_of_a_model)
{
    const uint64_t seeds = test_store() ? 1 : 4; /* PostgreSQL is slower, and no stop of it is simulated */

    for (uint64_t seed = 1; seed <= seeds * test_scale(); seed++) run(seed, 5000);
}
