/*
 * object_copy.c - copies inside the store, and the tags of an object.
 *
 *   NONE, SMALL   the bytes, through memory, in the publishing transaction
 *   BLOB          one more reference to the body, under the new object's uid, in the publishing transaction
 *   PARTS         the same map again, and a reference to each of its bodies: up to REFS_DIRECT of them in the publishing transaction, else in slices
 *                 before it (copy_refs.c)
 *
 * The source is read in a view, and its uid is compared inside the transaction; if it was overwritten meanwhile, all begins again. So a copy is
 * what the source was at one moment, and never refers to a body that is going.
 *
 * The ETag goes with the bytes: a copy of a multipart object keeps "...-N". AWS computes the MD5 of the content instead, which costs a reading
 * of all of it; here copying 5 GiB costs some rows. So does the checksum, but when the client asks for an algorithm that the source has not got:
 * then the bytes are read (not written), and the checksum is of the full object.
 */
#include "storage/object/object_copy.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/copy_refs.h"
#include "storage/object/copy_source.h"
#include "storage/object/object_put.h"
#include "storage/object/upload_row.h"

#define TRIES_MAX 16               /* each repetition means that the source was overwritten meanwhile */
#define COPY_ARENA_BYTES (4 * MIB) /* a part map of 640 KB, a row */
#define REFS_DIRECT                                                                                          \
    200 /* bodies that one transaction may refer to beside the rest of its work: one row each */

struct copying {
    struct object_copy *c;
    struct copy_source from;
    struct arena *arena; /* of this attempt */
    struct object_info source, info;
    struct str bytes; /* SMALL: the body; PARTS: the map */
    struct part_map map;
    bool has_refs_taken; /* in slices, by refs */
    struct copy_refs refs;
    bool is_changed;
};

/* ---- what the copy is going to be ---- */

/* The storage class and the website redirect are the request's, as with AWS; all other headers are the source's unless they are replaced. */
static void set_meta(struct copying *w)
{
    static const enum object_header own[] = { OBJECT_STORAGE_CLASS, OBJECT_WEBSITE_REDIRECT };
    const struct object_copy *c = w->c;
    struct object_meta meta = c->replace_meta ? c->meta : w->source.meta;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) meta.headers[own[i]] = c->meta.headers[own[i]];
    meta.tags = c->replace_tags ? c->meta.tags : w->source.meta.tags;
    meta.tag_count = c->replace_tags ? c->meta.tag_count : w->source.meta.tag_count;
    w->info.meta = meta;
}

static bool header_differs(const struct copying *w, enum object_header id)
{
    return !str_eq(w->c->meta.headers[id], w->source.meta.headers[id]);
}

static struct err check_self(const struct copying *w)
{
    const struct object_copy *c = w->c;

    if (!str_eq(c->bucket, c->source_bucket) || !str_eq(c->key, c->source_key)) return OK;
    if (c->replace_meta || c->replace_tags) return OK;
    if (c->checksum != DIGEST_NONE && c->checksum != w->source.checksum.kind) return OK;
    if (c->meta.headers[OBJECT_STORAGE_CLASS].data && header_differs(w, OBJECT_STORAGE_CLASS)) return OK;
    if (c->meta.headers[OBJECT_WEBSITE_REDIRECT].data && header_differs(w, OBJECT_WEBSITE_REDIRECT))
        return OK;
    return FAIL(
        ERR_INVALID_REQUEST,
        "This copy request is illegal because it is trying to copy an object to itself without changing the "
        "object's metadata, storage class, website redirect location or encryption attributes.");
}

/* Read what has to go through memory, and open what has to be read outside of the view. */
static struct err read_source(struct copying *w, struct rows *view, struct object_reader **ret_reader)
{
    const struct object_copy *c = w->c;
    const struct body_ref *body = &w->source.body;

    if (body->kind == BODY_SMALL || body->kind == BODY_PARTS) {
        char *bytes = arena_alloc(w->arena, body->place.length);
        if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory for a copy");
        TRY(meta_read_body(c->store->meta, body->place, bytes));
        w->bytes = str_of(bytes, body->place.length);
    }
    if (body->kind == BODY_PARTS) TRY(part_map_open(w->bytes, &w->map));
    if (c->checksum == DIGEST_NONE || c->checksum == w->source.checksum.kind) return OK;
    return object_reader_open(c->store, view, &w->source, ret_reader);
}

static struct err prepare(struct copying *w, struct object_reader **ret_reader)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct object_copy *c = w->c;

    TRY(view_open(c->store->meta, &view));
    TRY(copy_source_stat(&w->from, view, w->arena, &w->source));
    TRY(object_info_keep(&w->source, w->arena));
    if (w->source.size > LIMIT_PUT_BYTES) return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
    TRY(check_self(w));

    w->info = w->source;
    w->info.uid = ids_uid();
    w->info.mtime_ms = clock_now_ms();
    set_meta(w);
    return read_source(w, view, ret_reader);
}

static struct err set_checksum(struct copying *w, struct object_reader *reader)
{
    struct object_checksum sum = { .kind = w->c->checksum, .type = CHECKSUM_FULL_OBJECT };

    if (!reader) return OK;
    TRY(copy_source_sums(reader, w->source.size, NULL, sum.kind, &sum.value));
    w->info.checksum = sum;
    return OK;
}

/* ---- the publishing transaction ---- */

static struct err check_conditions(struct txn *txn, const struct copying *w)
{
    const struct object_copy *c = w->c;
    struct object_info current;

    if (!conditions_any(&c->conditions)) return OK;
    const struct err e = object_stat(txn_rows(txn), c->bucket, c->key, NULL, &current);
    if (e.code != ERR_NO_SUCH_KEY) TRY(e);
    return conditions_write(&c->conditions, e.code == ERR_OK ? &current : NULL);
}

/* References before object_publish: a copy of an object onto itself drops the old ones there. */
static struct err put_body(struct txn *txn, struct copying *w, uint64_t bucket_id)
{
    uint8_t key[OBJECT_ROW_KEY_SIZE];

    switch (w->info.body.kind) {
    case BODY_NONE_AT_ALL: return OK;
    case BODY_BLOB: return blob_ref(txn, w->info.body.uid, w->info.uid);
    case BODY_PARTS:
        if (w->has_refs_taken) TRY(copy_refs_publish(txn, &w->refs));
        else TRY(copy_refs_take(txn, &w->map, w->info.uid, 0, w->map.count));
        break;
    case BODY_SMALL: break;
    }
    return txn_put_body(txn, SPACE_OBJECTS, object_row_key(bucket_id, w->c->key, key), w->bytes,
                        &w->info.body.place);
}

static struct err publish_fn(struct txn *txn, void *arg)
{
    struct copying *w = arg;
    const struct object_copy *c = w->c;
    uint64_t bucket_id;
    bool is_still;

    w->is_changed = false;
    TRY(object_guard_prefetch(c->guard, txn, c->bucket));
    TRY(bucket_id_get(txn_rows(txn), c->bucket, &bucket_id));
    TRY(copy_source_is_still(&w->from, txn, w->source.uid, &is_still));
    if (!is_still) {
        w->is_changed = true;
        return FAIL(ERR_CONFLICT, "the source was overwritten while it was being copied");
    }
    TRY(check_conditions(txn, w));
    TRY(object_guard_ask_if_there(c->guard, txn_rows(txn), c->bucket, c->key));
    TRY(put_body(txn, w, bucket_id));
    return object_publish(txn, bucket_id, c->key, &w->info, w->arena);
}

static struct err publish(struct copying *w)
{
    struct meta *meta = w->c->store->meta;

    if (w->info.body.kind != BODY_PARTS || w->map.count <= REFS_DIRECT) return meta_run(meta, publish_fn, w);

    struct err e = copy_refs_begin(&w->refs, meta, &w->map, w->info.uid);
    if (e.code == ERR_OK) {
        w->has_refs_taken = true;
        e = meta_run(meta, publish_fn, w);
    }
    if (e.code == ERR_NOT_FOUND) { /* a body went, so the source did */
        w->is_changed = true;
        e = FAIL(ERR_CONFLICT, "the source was overwritten while it was being copied");
    }
    if (e.code != ERR_OK && e.code != ERR_OUTCOME_UNKNOWN) copy_refs_undo(&w->refs, meta);
    return e;
}

/* ---- */

static struct err copy_once(struct object_copy *c, struct arena *arena, bool *ret_is_changed)
{
    CLEANUP(arena_freep) struct arena *own = arena_new(COPY_ARENA_BYTES);
    struct copying w = { .c = c,
                         .arena = own,
                         .from = { c->source_bucket, c->source_key, &c->source_conditions } };
    struct object_reader *reader = NULL;

    *ret_is_changed = false;
    if (!own) return FAIL(ERR_NO_MEMORY, "no memory for a copy");
    struct err e = prepare(&w, &reader);
    if (e.code == ERR_OK) e = set_checksum(&w, reader);
    object_reader_close(reader);
    TRY(e);

    e = publish(&w);
    *ret_is_changed = e.code != ERR_OK && w.is_changed;
    TRY(e);
    TRY(object_info_keep(&w.info, arena));
    c->ret = w.info;
    return OK;
}

struct err object_copy(struct object_copy *c, struct arena *arena)
{
    bool is_changed = true;
    struct err e = OK;

    TRY(object_key_check(c->key));
    for (int i = 0; i < TRIES_MAX && is_changed; i++) {
        e = copy_once(c, arena, &is_changed);
        is_changed = object_guard_again(c->guard, c->store, &e) || is_changed;
    }
    return e;
}

/* ---- tags ---- */

struct tagging {
    struct str bucket, key;
    const struct pair *tags;
    size_t count;
    struct arena *arena;
};

/* The same version with other tags: uid, ETag, time and body stay, so the row is put and not published. */
static struct err set_tags_fn(struct txn *txn, void *arg)
{
    const struct tagging *t = arg;
    CLEANUP(buf_done) struct buf row;
    struct object_info info;
    uint64_t bucket_id;
    uint8_t key[OBJECT_ROW_KEY_SIZE];

    buf_init(&row, LIMIT_ROW_VALUE);
    TRY(bucket_id_get(txn_rows(txn), t->bucket, &bucket_id));
    TRY(object_stat(txn_rows(txn), t->bucket, t->key, t->arena, &info));
    info.meta.tags = t->tags;
    info.meta.tag_count = t->count;
    object_encode(&info, &row);
    TRY(buf_err(&row));
    return txn_put(txn, SPACE_OBJECTS, object_row_key(bucket_id, t->key, key), buf_view(&row));
}

struct err object_set_tags(struct store *s, struct str bucket, struct str key, const struct pair *tags,
                           size_t count, struct arena *arena)
{
    struct tagging t = { bucket, key, tags, count, arena };

    return meta_run(s->meta, set_tags_fn, &t);
}
