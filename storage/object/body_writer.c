/*
 * body_writer.c - a body that streams in (object_put.h).
 *
 * Up to store->small_body_max bytes stay in memory, in one piece, since a small body goes to the journal
 * whole. The byte beyond turns it into a large one: what was kept goes to a blob writer (blob.h), and so does
 * all that follows. What the client announced only sizes the first allocation, which holds the writer too: a
 * small PUT with a length costs one, and one for each digest of OpenSSL.
 *
 * Sums are computed as pieces come, while they are in the processor's cache; of bodies of LIMIT_MD5_STREAM_BYTES and more, or of unknown
 * length, the MD5 together with those of others (md5_streams.h). A failure is kept: whoever goes
 * on writing gets it again, and so does finish.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/md5_streams.h"
#include "storage/object/object_put.h"

#define ROOM_FIRST ((uint64_t)4096) /* when no length was announced */

enum { SUM_MD5, SUM_CHECKSUM, SUM_SHA256, SUM_COUNT };

struct body_writer {
    struct store *store;
    uint64_t size, size_hint;
    struct blob_writer *blob; /* NULL while it is small */
    char *data;               /* all of a small body; in `inside`, or malloc'ed when that was too small */
    uint64_t room;            /* of data */

    struct digest digests[SUM_COUNT]; /* SHA256 is of no kind when nobody asked for it, or CHECKSUM is one */
    struct md5_stream *md5;           /* in place of SUM_MD5, or NULL */
    struct digest_value values[SUM_COUNT];
    bool is_summed; /* values are final, digests may not be fed any more */

    struct err failure;
    char why[200];
    char inside[];
};

static uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct err body_writer_new(struct store *s, struct body_sums_wanted wanted, uint64_t size_hint,
                           struct body_writer **ret)
{
    const uint64_t room = u64_min(size_hint ? size_hint : ROOM_FIRST, s->small_body_max);
    const enum digest_kind checksum = wanted.checksum ? wanted.checksum : DIGEST_CRC64NVME;
    const enum digest_kind kinds[SUM_COUNT] = {
        [SUM_MD5] = DIGEST_MD5,
        [SUM_CHECKSUM] = checksum,
        [SUM_SHA256] = wanted.sha256 && checksum != DIGEST_SHA256 ? DIGEST_SHA256 : DIGEST_NONE,
    };

    struct body_writer *w = malloc(sizeof(*w) + room);
    if (!w) return FAIL(ERR_NO_MEMORY, "no memory for a body");
    *w = (struct body_writer){ .store = s, .size_hint = size_hint, .room = room };
    w->data = w->inside;
    for (int i = 0; i < SUM_COUNT; i++) {
        const struct err e = digest_init(&w->digests[i], kinds[i]);
        if (!e.code) continue;
        body_writer_free(w);
        return e;
    }
    *ret = w;
    return OK;
}

struct body_writer *body_writer_free(struct body_writer *w)
{
    if (!w) return NULL;
    blob_write_close(w->blob);
    md5_stream_close(w->md5);
    for (int i = 0; i < SUM_COUNT; i++) digest_done(&w->digests[i]);
    if (w->data != w->inside) free(w->data);
    free(w);
    return NULL;
}

/* ---- writing ---- */

/* Room for a small body of `size` bytes: doubled, so that one that comes in many pieces is not copied for
 * each. */
static struct err grow(struct body_writer *w, uint64_t size)
{
    if (size <= w->room) return OK;
    uint64_t room = w->room ? w->room : ROOM_FIRST;
    while (room < size) room *= 2;
    room = u64_min(room, w->store->small_body_max);

    char *data = realloc(w->data == w->inside ? NULL : w->data, room);
    if (!data) return FAIL(ERR_NO_MEMORY, "no memory for a body");
    if (w->data == w->inside) memcpy(data, w->inside, w->size);
    w->data = data;
    w->room = room;
    return OK;
}

/* Where it cannot be, its digest stays. */
static void md5_beside_others(struct body_writer *w)
{
    if (!w->store->md5 || (w->size_hint && w->size_hint < LIMIT_MD5_STREAM_BYTES)) return;
    if (md5_stream_open(w->store->md5, &w->md5).code) return;
    md5_stream_feed(w->md5, w->data, w->size);
    digest_done(&w->digests[SUM_MD5]);
    w->digests[SUM_MD5].kind = DIGEST_NONE;
}

/* From now on the body is a large one. */
static struct err spill(struct body_writer *w)
{
    TRY(blob_write_begin(w->store->blobs, w->size_hint, &w->blob));
    md5_beside_others(w);
    if (w->size) TRY(blob_write(w->blob, w->data, w->size));
    if (w->data != w->inside) free(w->data);
    w->data = w->inside;
    return OK;
}

static struct err write_piece(struct body_writer *w, struct str piece)
{
    if (piece.len > LIMIT_PUT_BYTES - w->size)
        return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
    const uint64_t size = w->size + piece.len;

    if (!w->blob && size > w->store->small_body_max) TRY(spill(w));
    if (w->blob) {
        TRY(blob_write(w->blob, piece.data, piece.len));
    } else {
        TRY(grow(w, size));
        memcpy(w->data + w->size, piece.data, piece.len);
    }
    for (int i = 0; i < SUM_COUNT; i++) {
        if (w->digests[i].kind != DIGEST_NONE) digest_update(&w->digests[i], piece.data, piece.len);
    }
    if (w->md5) md5_stream_feed(w->md5, piece.data, piece.len);
    w->size = size;
    return OK;
}

struct err body_writer_write(struct body_writer *w, struct str piece)
{
    assert(!w->is_summed);
    if (w->failure.code) return w->failure;
    if (piece.len == 0) return OK;
    const struct err e = write_piece(w, piece);
    if (e.code) w->failure = err_keep(e, w->why, sizeof(w->why));
    return w->failure;
}

/* ---- finishing ---- */

void body_writer_finish(struct body_writer *w, void (*done)(void *arg, struct err e), void *arg)
{
    if (w->failure.code || !w->blob) done(arg, w->failure);
    else blob_write_flush(w->blob, done, arg);
}

struct err body_writer_finish_wait(struct body_writer *w)
{
    return w->failure.code || !w->blob ? w->failure : blob_write_flush_wait(w->blob);
}

bool body_writer_is_small(const struct body_writer *w)
{
    return !w->blob;
}

uint64_t body_writer_size(const struct body_writer *w)
{
    return w->size;
}

static struct digest_value sum(struct body_writer *w, int which)
{
    if (!w->is_summed) {
        for (int i = 0; i < SUM_COUNT; i++) w->values[i] = digest_final(&w->digests[i]);
        if (w->md5) w->values[SUM_MD5] = md5_stream_end(w->md5);
        w->is_summed = true;
    }
    return w->values[which];
}

struct digest_value body_writer_md5(struct body_writer *w)
{
    return sum(w, SUM_MD5);
}

struct digest_value body_writer_checksum(struct body_writer *w)
{
    return sum(w, SUM_CHECKSUM);
}

struct digest_value body_writer_sha256(struct body_writer *w)
{
    return sum(w, w->digests[SUM_CHECKSUM].kind == DIGEST_SHA256 ? SUM_CHECKSUM : SUM_SHA256);
}

/* ---- publishing ---- */

enum digest_kind body_writer_checksum_kind(const struct body_writer *w)
{
    return w->digests[SUM_CHECKSUM].kind;
}

struct err body_writer_publish(struct txn *txn, const struct body_writer *w, struct uid referrer,
                               enum space space, struct str row_key, struct body_ref *ret)
{
    struct body_ref body = { .kind = BODY_NONE_AT_ALL };

    assert(!w || !w->failure.code);
    if (w && w->blob) {
        TRY(blob_publish(txn, w->blob, referrer));
        body.kind = BODY_BLOB;
        body.uid = blob_writer_uid(w->blob);
    } else if (w && w->size > 0) {
        TRY(txn_put_body(txn, space, row_key, str_of(w->data, w->size), &body.place));
        body.kind = BODY_SMALL;
    }
    *ret = body;
    return OK;
}
