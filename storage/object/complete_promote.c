/*
 * complete_promote.c - small parts on their way from the journal to volumes.
 *
 * A part map holds bodies in volumes only, so that reading a large object never depends on where the journal keeps what. A small part (the
 * last one, as a rule) is therefore written to a volume before its object is published: written and flushed by this worker, then
 * exchanged in its part's row. At any moment the row refers to a whole body, so this may stop anywhere, be repeated, or be done by two
 * at once: who comes second finds the row changed and gives its own copy up.
 */
#include "storage/object/complete_parts.h"

#include "storage/base/thread.h"

#define PROMOTE_SLICE 32 /* bodies in one transaction: each a handful of rows */

struct promotion {
    const struct upload_complete *c;
    struct listed_part *parts[PROMOTE_SLICE];
    struct blob_writer *writers[PROMOTE_SLICE];
    size_t count;
    bool is_changed;

    struct mutex lock;
    struct cond flushed;
    size_t flushing;    /* guarded by lock: writers whose flush was asked for and has not come */
    struct err failure; /* guarded by lock: the first */
    char why[200];
};

static struct part_row promoted(const struct promotion *p, size_t i)
{
    struct part_row row = p->parts[i]->row;

    row.body = (struct body_ref){ .kind = BODY_BLOB, .uid = blob_writer_uid(p->writers[i]) };
    return row;
}

static struct err promote_fn(struct txn *txn, void *arg)
{
    struct promotion *p = arg;
    const struct upload_complete *c = p->c;
    struct upload_place place;
    struct upload_row upload;

    p->is_changed = false;
    TRY(upload_find(txn_rows(txn), c->bucket, c->key, c->upload, &place, &upload));
    for (size_t i = 0; i < p->count; i++) {
        const struct listed_part *part = p->parts[i];
        const struct part_row row = promoted(p, i);
        bool is_unchanged;

        TRY(part_is_unchanged(txn, c->upload, part->number, &part->row, &is_unchanged));
        if (!is_unchanged) {
            p->is_changed = true;
            return FAIL(ERR_CONFLICT, "a part was changed while its upload was being completed");
        }
        TRY(blob_publish(txn, p->writers[i], c->upload));
        TRY(txn_drop_body(txn, part->row.body.place));
        TRY(part_row_put(txn, c->upload, part->number, &row));
    }
    return OK;
}

struct err listed_bytes(struct rows *r, const struct upload_complete *c, const struct listed_part *part,
                        struct arena *arena, struct str *ret, bool *ret_is_changed)
{
    uint8_t was[PART_ROW_BYTES_MAX], is[PART_ROW_BYTES_MAX];
    struct part_row row;

    const struct err e = part_find(r, c->upload, part->number, &row);
    if (e.code != ERR_OK && e.code != ERR_NOT_FOUND) return e;
    if (e.code == ERR_NOT_FOUND || !str_eq(part_row_encode(&part->row, was), part_row_encode(&row, is))) {
        *ret_is_changed = true;
        return FAIL(ERR_CONFLICT, "a part was changed while its upload was being completed");
    }
    char *bytes = arena_alloc(arena, row.body.place.length);
    if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory for a small part");
    TRY(meta_read_body(c->store->meta, row.body.place, bytes));
    *ret = str_of(bytes, row.body.place.length);
    return OK;
}

/* Write one part's bytes to a volume. */
static struct err write_one(struct promotion *p, struct listed_part *part)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_JOURNAL_BODY + 64 * KIB);
    struct str bytes;

    if (!arena) return FAIL(ERR_NO_MEMORY, "no memory for a small part");
    TRY(view_open(p->c->store->meta, &view));
    TRY(listed_bytes(view, p->c, part, arena, &bytes, &p->is_changed));
    view = view_close(view);

    struct blob_writer *writer;
    TRY(blob_write_begin(p->c->store->blobs, bytes.len, &writer));
    p->parts[p->count] = part;
    p->writers[p->count++] = writer; /* closed by the caller from now on */
    return blob_write(writer, bytes.data, bytes.len);
}

static void one_flushed(void *arg, struct err e)
{
    struct promotion *p = arg;

    mutex_lock(&p->lock);
    if (e.code && !p->failure.code) p->failure = err_keep(e, p->why, sizeof(p->why));
    p->flushing--;
    cond_signal(&p->flushed); /* under the lock: the waiter destroys it right after */
    mutex_unlock(&p->lock);
}

/* All at once, so that they share flushes. Returns when none is under way any more. */
static struct err flush_all(struct promotion *p)
{
    mutex_lock(&p->lock);
    p->flushing = p->count;
    mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) blob_write_flush(p->writers[i], one_flushed, p);

    mutex_lock(&p->lock);
    while (p->flushing > 0) cond_wait(&p->flushed, &p->lock);
    mutex_unlock(&p->lock);
    return p->failure;
}

static struct err promote_slice(struct promotion *p, struct listed_part *parts, size_t count)
{
    for (size_t i = 0; i < count && p->count < PROMOTE_SLICE; i++)
        if (parts[i].row.body.kind == BODY_SMALL) TRY(write_one(p, &parts[i]));
    if (p->count == 0) return OK;

    TRY(flush_all(p));
    TRY(meta_run(p->c->store->meta, promote_fn, p));
    for (size_t i = 0; i < p->count; i++) p->parts[i]->row = promoted(p, i);
    return OK;
}

struct err listed_promote(const struct upload_complete *c, struct listed_part *parts, bool *ret_is_changed)
{
    size_t done;

    do {
        struct promotion p = { .c = c, .lock = MUTEX_INIT(LOCK_OBJECT) };
        cond_init(&p.flushed);
        struct err e = promote_slice(&p, parts, c->part_count);
        if (e.code) e = err_fail(e.code, "%s", e.why); /* its text may be a writer's */
        for (size_t i = 0; i < p.count; i++) blob_write_close(p.writers[i]);
        cond_done(&p.flushed);
        mutex_done(&p.lock);
        if (e.code != ERR_OK) *ret_is_changed = p.is_changed;
        TRY(e);
        done = p.count;
    } while (done == PROMOTE_SLICE);
    return OK;
}
