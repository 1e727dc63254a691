/*
 * complete.c - Complete: parts become an object, at one moment.
 *
 *   mark      (more than QUICK_PARTS parts) a transaction marks the upload: no part is put, replaced or removed while the mark stands
 *   check     in a view: the list against the rows; ETag, checksum, size of the whole (complete_parts.c)
 *   promote   (two parts or more) bodies of small parts move to volumes, row by row (complete_promote.c)
 *   publish   one transaction: are the parts still those? conditions; the object's row and, with it, the part map; the upload's row goes. What is
 *             left of the upload becomes garbage (clear.c)
 *
 * A crash before publish leaves the upload with all of its parts, whole, and a retry goes the same way (a mark that was left is taken over).
 * After it, the object is there and the upload is not. There is no state between.
 *
 * Why a retried Complete can answer the same, without a row that says so: **the object's uid is the upload's id**. If the upload is gone and
 * the key holds an object with that uid, this Complete was done before; its answer is in that row. The same choice makes the upload's id
 * the referrer of every body from the first part on, so publishing moves no references, whatever the number of parts.
 *
 * Why few parts are not marked: they are compared row by row inside the publishing transaction, which is as good and saves a flush: Create, a
 * tiny part and Complete are three (s3.md 42).
 *
 * One part makes a plain object (NONE, SMALL, BLOB) whose part count is 1: no part map. Two small parts or more do get one, also
 * when they would fit the journal together: a part that was written must be readable by its number.
 */
#include "storage/object/multipart.h"

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/complete_parts.h"
#include "storage/object/part_map.h"

#define QUICK_PARTS 32 /* this many part rows are compared and deleted inside the publishing transaction */
#define TRIES_MAX                                                                                            \
    16 /* each repetition means that somebody else changed the upload; then the client is told */
#define COMPLETE_ARENA_BYTES (8 * MIB) /* 10,000 parts take 1.5 MB */

struct completion {
    struct upload_complete *c;
    struct arena *arena; /* of this attempt */
    bool is_marking;
    struct uid mark_new, mark; /* ours, should there be none; the one that stands */
    struct listed_part *parts;
    struct object_info info; /* what is going to be published */
    struct str body;         /* SMALL: its bytes; PARTS: the map */
    struct buf map;
    uint8_t kept[PART_SET_BYTES_MAX];
    bool is_changed; /* the attempt failed because the upload is no longer what it was: try again */
};

/* ---- the mark ---- */

static struct err mark_fn(struct txn *txn, void *arg)
{
    struct completion *w = arg;
    struct upload_place place;
    struct upload_row row;

    TRY(upload_find(txn_rows(txn), w->c->bucket, w->c->key, w->c->upload, &place, &row));
    if (!upload_is_marked(&row)) row.mark = w->mark_new;
    row.mark_until_ms = clock_now_ms() + UPLOAD_MARK_LEASE_MS;
    w->mark = row.mark;
    return upload_row_put(txn, &place, &row);
}

/* After a failed check: parts are welcome again. Another Complete that works under the same mark notices, and begins again. */
static struct err unmark_fn(struct txn *txn, void *arg)
{
    const struct completion *w = arg;
    struct upload_place place;
    struct upload_row row;

    TRY(upload_find(txn_rows(txn), w->c->bucket, w->c->key, w->c->upload, &place, &row));
    if (!uid_eq(row.mark, w->mark)) return OK;
    row.mark = (struct uid){ { 0 } };
    return upload_row_put(txn, &place, &row);
}

/* ---- the publishing transaction ---- */

static struct err changed(struct completion *w)
{
    w->is_changed = true;
    return FAIL(ERR_CONFLICT, "the upload was changed while it was being completed");
}

static struct err check_unchanged(struct txn *txn, struct completion *w, const struct upload_row *upload)
{
    if (w->is_marking) return uid_eq(upload->mark, w->mark) ? OK : changed(w);

    for (size_t i = 0; i < w->c->part_count; i++) {
        bool is_unchanged;
        TRY(part_is_unchanged(txn, w->c->upload, w->parts[i].number, &w->parts[i].row, &is_unchanged));
        if (!is_unchanged) return changed(w);
    }
    return OK;
}

static struct err check_conditions(struct txn *txn, const struct completion *w)
{
    struct object_info current;

    if (!conditions_any(&w->c->conditions)) return OK;
    const struct err e = object_stat(txn_rows(txn), w->c->bucket, w->c->key, NULL, &current);
    if (e.code != ERR_NO_SUCH_KEY) TRY(e);
    return conditions_write(&w->c->conditions, e.code == ERR_OK ? &current : NULL);
}

/* The rows of the parts: few are deleted here, many are left to the background with a list of whose bodies the object has kept. */
static struct err leave_parts(struct txn *txn, struct completion *w, uint64_t bucket_id)
{
    const struct upload_complete *c = w->c;
    uint8_t key[PART_KEY_BYTES];

    if (w->is_marking) {
        const size_t kept_len = (w->parts[c->part_count - 1].number + 7) / 8;
        return upload_leave_parts(txn, bucket_id, c->upload, str_of(w->kept, kept_len));
    }
    for (size_t i = 0; i < c->part_count; i++) {
        const struct listed_part *part = &w->parts[i];
        if (part->row.body.kind == BODY_SMALL) TRY(txn_drop_body(txn, part->row.body.place));
        TRY(txn_del(txn, SPACE_PARTS, part_row_key(c->upload, part->number, key)));
    }
    return upload_leave_parts(txn, bucket_id, c->upload, STR_NONE);
}

static struct err publish_fn(struct txn *txn, void *arg)
{
    struct completion *w = arg;
    const struct upload_complete *c = w->c;
    struct upload_place place;
    struct upload_row upload;
    uint8_t key[OBJECT_ROW_KEY_SIZE];

    w->is_changed = false;
    TRY(object_guard_prefetch(c->guard, txn, c->bucket));
    TRY(upload_find(txn_rows(txn), c->bucket, c->key, c->upload, &place, &upload));
    TRY(check_unchanged(txn, w, &upload));
    TRY(check_conditions(txn, w));
    TRY(object_guard_ask_if_there(c->guard, txn_rows(txn), c->bucket, c->key));
    if (w->body.len)
        TRY(txn_put_body(txn, SPACE_OBJECTS, object_row_key(place.bucket_id, c->key, key), w->body,
                         &w->info.body.place));
    TRY(object_publish(txn, place.bucket_id, c->key, &w->info, w->arena));
    TRY(txn_del(txn, SPACE_UPLOADS, place.row_key));
    return leave_parts(txn, w, place.bucket_id);
}

/* ---- outside of it ---- */

static struct err prepare(struct completion *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct upload_complete *c = w->c;
    struct upload_info upload;

    TRY(view_open(c->store->meta, &view));
    TRY(upload_get(view, c->bucket, c->key, c->upload, w->arena, &upload));
    TRY(listed_read(view, c, w->arena, &w->parts));

    w->info = (struct object_info){ .uid = c->upload, .mtime_ms = clock_now_ms(), .meta = upload.meta };
    TRY(listed_sum(c, &upload, w->parts, &w->info));
    TRY(object_info_keep(&w->info, w->arena));
    if (c->part_count == 1 && w->parts[0].row.body.kind == BODY_SMALL)
        return listed_bytes(view, c, &w->parts[0], w->arena, &w->body, &w->is_changed);
    return OK;
}

/* 64 bytes a part; all of them are in volumes by now, or empty. */
static struct err map_parts(struct completion *w)
{
    uint64_t offset = 0;

    buf_reserve(&w->map, w->c->part_count * PART_ENTRY_BYTES);
    for (size_t i = 0; i < w->c->part_count; i++) {
        const struct part_row *row = &w->parts[i].row;
        const struct part_entry entry = {
            .number = w->parts[i].number, .size = row->size, .offset = offset, .body = row->body.uid
        };
        part_map_append(&w->map, &entry, row->md5);
        part_set_add(w->kept, entry.number);
        offset += row->size;
    }
    TRY(buf_err(&w->map));
    w->body = buf_view(&w->map);
    w->info.body.kind = BODY_PARTS;
    return OK;
}

static struct err attempt(struct completion *w)
{
    TRY(prepare(w));
    if (w->c->part_count == 1) {
        w->info.body = w->parts[0].row.body;
    } else if (w->info.size > 0) {
        TRY(listed_promote(w->c, w->parts, &w->is_changed));
        TRY(map_parts(w));
    }
    return meta_run(w->c->store->meta, publish_fn, w);
}

/* Everything once. *ret_is_changed: it is worth another time. */
static struct err complete_once(struct upload_complete *c, struct arena *arena, bool *ret_is_changed)
{
    CLEANUP(arena_freep) struct arena *own = arena_new(COMPLETE_ARENA_BYTES);
    struct completion w = {
        .c = c, .arena = own, .is_marking = c->part_count > QUICK_PARTS, .mark_new = ids_uid()
    };
    struct err e = OK;

    *ret_is_changed = false;
    if (!own) return FAIL(ERR_NO_MEMORY, "no memory to complete an upload");
    if (w.is_marking) TRY(meta_run(c->store->meta, mark_fn, &w));

    buf_init(&w.map, LIMIT_JOURNAL_BODY);
    e = attempt(&w);
    buf_done(&w.map);
    *ret_is_changed = e.code != ERR_OK && w.is_changed;
    if (e.code != ERR_OK) {
        /* If this fails too, the mark runs out by itself. */
        if (w.is_marking && !w.is_changed) err_ignore(meta_run_freeing(c->store->meta, unmark_fn, &w));
        return e;
    }
    TRY(object_info_keep(&w.info, arena));
    c->ret = w.info;
    return OK;
}

/* The upload is gone. Has a Complete of it made the object that is there? Then this is the answer that it gave. */
static struct err answer_again(struct upload_complete *c, struct arena *arena)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    TRY(view_open(c->store->meta, &view));
    const struct err e = object_stat(view, c->bucket, c->key, arena, &info);
    if (e.code == ERR_NO_SUCH_KEY || (e.code == ERR_OK && !uid_eq(info.uid, c->upload)))
        return FAIL(ERR_NO_SUCH_UPLOAD, err_text(ERR_NO_SUCH_UPLOAD));
    TRY(e);
    TRY(object_info_keep(&info, arena));
    c->ret = info;
    return OK;
}

struct err upload_complete(struct upload_complete *c, struct arena *arena)
{
    bool is_changed = true;
    struct err e = OK;

    TRY(listed_check(c->parts, c->part_count));
    for (int i = 0; i < TRIES_MAX && is_changed; i++) {
        e = complete_once(c, arena, &is_changed);
        is_changed = object_guard_again(c->guard, c->store, &e) || is_changed;
    }
    return e.code == ERR_NO_SUCH_UPLOAD ? answer_again(c, arena) : e;
}
