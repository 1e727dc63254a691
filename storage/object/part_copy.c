/*
 * part_copy.c - UploadPartCopy: a part from what is in the store already.
 *
 * A whole body in volumes is shared: a reference row under the upload's id, no byte moved. Everything else (a range, a small body, an object in
 * parts) is read and written as a part that a client sends, through a body writer.
 *
 * One body is never shared twice into one upload. References are rows (body, referrer) and not counts, so two parts with one body would have one
 * reference between them, and replacing one of them would take it from the other. The second one moves the bytes.
 *
 * A shared part needs the MD5 of its bytes. That is the source's ETag, unless the source was itself an upload of one part (md5 of md5); then, and when
 * the upload has an algorithm that the source has no checksum of, the bytes are read for their sums, but still not written.
 */
#include "storage/object/multipart.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/copy_source.h"
#include "storage/object/upload_row.h"

#define TRIES_MAX 16 /* each repetition means that the source was overwritten meanwhile */
#define COPY_ARENA_BYTES (1 * MIB)

struct copying {
    struct part_copy *c;
    struct copy_source from;
    struct arena *arena; /* of this attempt */
    struct object_info source;
    struct object_reader *reader;
    uint64_t offset, len;
    enum digest_kind algorithm; /* of the upload */
    struct part_row part;
    bool is_changed, is_shared_already;
};

/* ---- what is to be copied ---- */

static struct err set_range(struct copying *w)
{
    const struct part_copy *c = w->c;

    w->offset = 0;
    w->len = w->source.size;
    if (c->has_range && c->range_len) {
        if (c->range_offset > w->len || c->range_len > w->len - c->range_offset)
            return err_fail(ERR_INVALID_RANGE, "Range specified is not valid for source object of size: %llu",
                            (unsigned long long)w->len);
        w->offset = c->range_offset;
        w->len = c->range_len;
    }
    if (w->len > LIMIT_PUT_BYTES) return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
    return OK;
}

static struct err prepare(struct copying *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct part_copy *c = w->c;
    struct upload_place place;
    struct upload_row upload;

    TRY(view_open(c->store->meta, &view));
    TRY(upload_find(view, c->bucket, c->key, c->upload, &place, &upload));
    w->algorithm = upload.checksum;
    TRY(copy_source_stat(&w->from, view, w->arena, &w->source));
    TRY(set_range(w));
    return w->source.size ? object_reader_open(c->store, view, &w->source, &w->reader) : OK;
}

static bool may_share(const struct copying *w)
{
    return w->source.body.kind == BODY_BLOB && w->len == w->source.size && !w->is_shared_already;
}

/* ---- sharing ---- */

/* What the part's row says of the bytes. An upload without an algorithm takes what the source has, and is not worth reading 5 GiB. */
static struct err set_sums(struct copying *w)
{
    const struct object_checksum *known = &w->source.checksum;
    const bool is_usable = known->kind != DIGEST_NONE && known->type == CHECKSUM_FULL_OBJECT
        && (w->algorithm == DIGEST_NONE || known->kind == w->algorithm);
    const bool is_md5_known = w->source.part_count == 0;
    const enum digest_kind wanted = is_usable ? DIGEST_NONE : w->algorithm;

    w->part = (struct part_row){ .size = w->len, .body = w->source.body };
    memcpy(w->part.md5, w->source.etag_md5, sizeof(w->part.md5));
    if (is_usable) w->part.checksum = *known;
    else w->part.checksum.kind = wanted;
    if (is_md5_known && wanted == DIGEST_NONE) return OK;
    return copy_source_sums(w->reader, w->len, is_md5_known ? NULL : w->part.md5, wanted,
                            &w->part.checksum.value);
}

static struct err take_reference(struct txn *txn, struct copying *w)
{
    uint8_t ref[32]; /* body uid, referrer uid: spaces.def */
    struct err e;

    memcpy(ref, w->part.body.uid.bytes, 16);
    memcpy(ref + 16, w->c->upload.bytes, 16);
    w->is_shared_already = rows_have(txn_rows(txn), SPACE_BODY_REFS, str_of(ref, sizeof(ref)), &e);
    TRY(e);
    if (w->is_shared_already) return FAIL(ERR_CONFLICT, "another part of the upload has this body");
    return blob_ref(txn, w->part.body.uid, w->c->upload);
}

static struct err share_fn(struct txn *txn, void *arg)
{
    struct copying *w = arg;
    const struct part_copy *c = w->c;
    struct upload_row upload;
    struct part_row old = { 0 };
    bool is_still;

    w->is_changed = w->is_shared_already = false;
    TRY(upload_find_open(txn, c->bucket, c->key, c->upload, &upload));
    TRY(copy_source_is_still(&w->from, txn, w->source.uid, &is_still));
    if (!is_still) {
        w->is_changed = true;
        return FAIL(ERR_CONFLICT, "the source was overwritten while it was being copied");
    }
    const struct err e = part_find(txn_rows(txn), c->upload, c->number, &old);
    if (e.code != ERR_NOT_FOUND) TRY(e);

    /* The same copy again, after a lost answer: its reference stands. */
    const bool is_same = old.body.kind == BODY_BLOB && uid_eq(old.body.uid, w->part.body.uid);
    if (!is_same) {
        TRY(take_reference(txn, w));
        TRY(part_body_drop(txn, c->upload, &old));
    }
    w->part.mtime_ms = clock_now_ms();
    return part_row_put(txn, c->upload, c->number, &w->part);
}

static struct err share(struct copying *w)
{
    TRY(set_sums(w));
    TRY(meta_run(w->c->store->meta, share_fn, w));
    memcpy(w->c->ret_md5, w->part.md5, sizeof(w->c->ret_md5));
    w->c->ret_mtime_ms = w->part.mtime_ms;
    w->c->ret_checksum = w->part.checksum;
    return OK;
}

/* ---- moving bytes ---- */

static struct err write_piece(void *arg, struct str piece)
{
    return body_writer_write(arg, piece);
}

static struct err put_bytes(struct copying *w, struct body_writer *body)
{
    struct part_copy *c = w->c;
    struct part_put put = {
        .store = c->store,
        .bucket = c->bucket,
        .key = c->key,
        .upload = c->upload,
        .number = c->number,
        .checksum.kind = w->algorithm,
        .body = body,
    };

    if (w->len) TRY(copy_source_read(w->reader, w->offset, w->len, write_piece, body));
    TRY(body_writer_finish_wait(body));
    TRY(meta_run(c->store->meta, part_put_fn, &put));

    memcpy(c->ret_md5, put.ret_md5, sizeof(c->ret_md5));
    c->ret_mtime_ms = put.ret_mtime_ms;
    c->ret_checksum = (struct object_checksum){ .kind = body_writer_checksum_kind(body),
                                                .type = CHECKSUM_FULL_OBJECT,
                                                .value = body_writer_checksum(body) };
    return OK;
}

static struct err move(struct copying *w)
{
    struct body_writer *body;

    TRY(body_writer_new(w->c->store, (struct body_sums_wanted){ .checksum = w->algorithm }, w->len, &body));
    struct err e = put_bytes(w, body);
    if (e.code) e = err_fail(e.code, "%s", e.why); /* its text may be the writer's */
    body_writer_free(body);
    return e;
}

/* ---- */

static struct err copy_once(struct copying *w)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(COPY_ARENA_BYTES);

    if (!arena) return FAIL(ERR_NO_MEMORY, "no memory to copy a part");
    w->arena = arena;
    w->is_changed = false;
    struct err e = prepare(w);
    if (e.code == ERR_OK) e = may_share(w) ? share(w) : move(w);
    w->reader = object_reader_close(w->reader);
    return e;
}

struct err part_copy(struct part_copy *c, struct arena *arena)
{
    struct copying w = { .c = c, .from = { c->source_bucket, c->source_key, &c->source_conditions } };
    struct err e = OK;
    bool was_shared;

    (void)arena; /* the contract's; all answers are values */
    if (c->number < 1 || c->number > LIMIT_PARTS)
        return FAIL(ERR_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
    for (int i = 0; i < TRIES_MAX; i++) {
        was_shared = w.is_shared_already;
        e = copy_once(&w);
        if (e.code == ERR_OK || !(w.is_changed || (w.is_shared_already && !was_shared))) break;
    }
    return e;
}
