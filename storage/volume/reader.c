/*
 * reader.c - a body on its way out: verified block by block, never a wrong byte.
 *
 * A reader pins the body, then looks for its row in the caller's view: so either the view is older than the freeing
 * transaction, and the space stays while the view is open and, from then on, for the pin; or the row is not there. It
 * holds one file and the checksums of one extent (16 KiB at most), both brought in when first needed and changed as
 * reading moves on.
 *
 * Whole blocks are read straight into the caller's memory and verified there. Of a block that is wanted in part the rest passes through a
 * small buffer, so that its checksum can be computed; nothing is copied twice.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/volume/blob_state.h"

#define SCRATCH_BYTES (16 * KIB) /* on the stack of a thread of the HTTP library */
#define READ_STEP (256 * KIB)    /* of whole blocks: checksummed while the processor's cache has them */
#define NO_EXTENT UINT32_MAX

struct piece {
    struct extent x;
    uint64_t start; /* of its data in the body */
};

struct blob_reader {
    struct blobs *b;
    struct pin pin;
    uint64_t length;
    int fd; /* -1: none yet */
    uint64_t fd_volume;
    uint32_t *crcs; /* of extent crcs_of */
    uint32_t crcs_of;
    uint32_t count;
    struct piece pieces[];
};

/* Where bytes come from, and whether a disk may be waited for. */
struct source {
    struct blob_reader *r;
    const struct piece *piece;
    bool is_warm;
};

static struct err find_pieces(struct rows *rows, struct uid body, struct blob_reader **ret)
{
    struct body_row row;
    struct str value;
    const struct err e = rows_get(rows, SPACE_BODIES, key_body(&body), &value);

    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NOT_FOUND, "the body is gone");
    TRY(e);
    TRY(body_row_decode(value, &row));
    struct blob_reader *r = calloc(1, sizeof(*r) + row.count * sizeof(r->pieces[0]));
    if (!r) return FAIL(ERR_NO_MEMORY, "no memory for a reader");
    r->length = row.length;
    r->count = row.count;
    r->fd = -1;
    r->crcs_of = NO_EXTENT;
    uint64_t start = 0;
    for (uint32_t i = 0; i < row.count; i++) {
        r->pieces[i] = (struct piece){ .x = body_row_extent(&row, i), .start = start };
        start += r->pieces[i].x.data_len;
    }
    *ret = r;
    return OK;
}

struct err blob_reader_open(struct blobs *b, struct rows *rows, struct uid body, struct blob_reader **ret)
{
    struct blob_reader *r = NULL;
    struct pin first; /* until there is a reader to hold one */

    pins_add(&b->pins, &first, body);
    const struct err e = find_pieces(rows, body, &r);
    if (!e.code) {
        r->b = b;
        pins_add(&b->pins, &r->pin, body);
    }
    pins_remove(&b->pins, &first);
    TRY(e);
    *ret = r;
    return OK;
}

struct blob_reader *blob_reader_close(struct blob_reader *r)
{
    if (!r) return NULL;
    pins_remove(&r->b->pins, &r->pin);
    reclaim_unpinned(r->b->reclaim);
    sys_close(r->fd);
    free(r->crcs);
    free(r);
    return NULL;
}

uint64_t blob_reader_length(const struct blob_reader *r)
{
    return r->length;
}

/* ---- files and checksums ---- */

static struct err damaged(const struct source *s, const char *what)
{
    METRIC_ADD(body_blocks_damaged, 1);
    return err_fail(ERR_CORRUPT, "%s: volume %" PRIu64 ", extent at %" PRIu64, what, s->piece->x.volume,
                    s->piece->x.offset);
}

static struct err open_file(const struct source *s)
{
    struct blob_reader *r = s->r;
    char path[PATH_MAX];
    int fd = -1;

    if (r->fd >= 0 && r->fd_volume == s->piece->x.volume) return OK;
    volume_path(r->b->dir, s->piece->x.volume, path);
    const struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (e.code == ERR_NOT_FOUND) return damaged(s, "the file is missing");
    TRY(e);
    sys_close(r->fd);
    r->fd = fd;
    r->fd_volume = s->piece->x.volume;
    return OK;
}

/* len bytes at `at` of the extent's space. */
static struct err read_bytes(const struct source *s, void *out, size_t len, uint64_t at)
{
    const uint64_t offset = s->piece->x.offset + at;

    if (!s->is_warm) return sys_pread_all(s->r->fd, out, len, offset);
    for (size_t done = 0; done < len;) {
        size_t n = 0;
        bool is_cold = false;
        TRY(sys_pread_nowait(s->r->fd, (char *)out + done, len - done, offset + done, &n, &is_cold));
        if (is_cold) return FAIL(ERR_BUSY, "a disk would have to be waited for");
        if (!n) return damaged(s, "the file is too short");
        done += n;
    }
    return OK;
}

/* Have the file and the checksums of the source's extent at hand. */
static struct err prepare(const struct source *s)
{
    struct blob_reader *r = s->r;
    const struct extent *x = &s->piece->x;
    const uint32_t index = (uint32_t)(s->piece - r->pieces);

    if (r->crcs_of == index) return OK; /* and then r->fd is its file: both change here only */
    r->crcs_of = NO_EXTENT;
    TRY(open_file(s));

    const size_t len = record_trailer_bytes(x->data_len);
    uint8_t *trailer = malloc(len);
    uint32_t *crcs = trailer ? realloc(r->crcs, record_blocks(x->data_len) * sizeof(*crcs)) : NULL;
    if (!crcs) {
        free(trailer);
        return FAIL(ERR_NO_MEMORY, "no memory for the checksums of a body");
    }
    r->crcs = crcs;
    const struct record want = {
        .store = r->b->store,
        .body = r->pin.uid,
        .volume = x->volume,
        .offset = x->offset,
        .body_offset = s->piece->start,
        .data_len = x->data_len,
    };
    struct err e = read_bytes(s, trailer, len, x->data_len);
    if (!e.code && (e = record_decode(trailer, &want, crcs)).code) e = damaged(s, e.why);
    free(trailer);
    if (!e.code) r->crcs_of = index;
    return e;
}

/* ---- blocks ---- */

static uint32_t block_len(const struct extent *x, uint32_t block)
{
    const uint64_t left = x->data_len - LIMIT_BLOCK * block;

    return (uint32_t)(left < LIMIT_BLOCK ? left : LIMIT_BLOCK);
}

static struct err check_block(const struct source *s, uint32_t block, uint32_t crc)
{
    METRIC_ADD(body_blocks_verified, 1);
    return crc == s->r->crcs[block] ? OK : damaged(s, "the data does not match its checksum");
}

/* Feed bytes [at, at + len) of the extent to *crc; they are not wanted. */
static struct err pass_over(const struct source *s, uint64_t at, size_t len, uint32_t *crc)
{
    uint8_t scratch[SCRATCH_BYTES];

    while (len) {
        const size_t n = len < sizeof(scratch) ? len : sizeof(scratch);
        TRY(read_bytes(s, scratch, n, at));
        *crc = crc32c(*crc, scratch, n);
        at += n;
        len -= n;
    }
    return OK;
}

/* One block, of which [from, to) is wanted (nothing: from == to, and it is verified all the same). */
static struct err read_block(const struct source *s, uint32_t block, uint32_t from, uint32_t to, uint8_t *out)
{
    const uint64_t at = LIMIT_BLOCK * block;
    uint32_t crc = 0;

    TRY(pass_over(s, at, from, &crc));
    if (to > from) {
        TRY(read_bytes(s, out, to - from, at + from));
        crc = crc32c(crc, out, to - from);
    }
    TRY(pass_over(s, at + to, block_len(&s->piece->x, block) - to, &crc));
    return check_block(s, block, crc);
}

/* Whole blocks, from `block` on, that end at or before `end` (in the extent): one read for some of them. *ret_len: their bytes. */
static struct err read_whole_blocks(const struct source *s, uint32_t block, uint64_t end, uint8_t *out,
                                    size_t *ret_len)
{
    const uint64_t at = LIMIT_BLOCK * block;
    const size_t len = (size_t)(end == s->piece->x.data_len ? end - at
                                                            : (end - at) / LIMIT_BLOCK * LIMIT_BLOCK);

    TRY(read_bytes(s, out, len, at));
    for (size_t done = 0; done < len; block++) {
        const uint32_t n = block_len(&s->piece->x, block);
        TRY(check_block(s, block, crc32c(0, out + done, n)));
        done += n;
    }
    *ret_len = len;
    return OK;
}

/* Bytes [at, end) of one extent. */
static struct err read_extent(const struct source *s, uint64_t at, uint64_t end, uint8_t *out)
{
    TRY(prepare(s));
    while (at < end) {
        const uint32_t block = (uint32_t)(at / LIMIT_BLOCK);
        const uint64_t block_start = LIMIT_BLOCK * block,
                       block_end = block_start + block_len(&s->piece->x, block);
        const uint64_t stop = end < block_end ? end : block_end;
        size_t n = (size_t)(stop - at);

        if (at == block_start && end >= block_end) TRY(read_whole_blocks(s, block, end, out, &n));
        else TRY(read_block(s, block, (uint32_t)(at - block_start), (uint32_t)(stop - block_start), out));
        out += n;
        at += n;
    }
    return OK;
}

static bool is_inside(const struct blob_reader *r, uint64_t offset, uint64_t len)
{
    return offset <= r->length && len <= r->length - offset;
}

static const struct piece *piece_at(const struct blob_reader *r, uint64_t offset)
{
    uint32_t low = 0, high = r->count;

    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (r->pieces[middle].start <= offset) low = middle;
        else high = middle;
    }
    return &r->pieces[low];
}

static struct err read_pieces(struct blob_reader *r, uint64_t offset, uint8_t *out, size_t len, bool is_warm)
{
    while (len) {
        const struct piece *p = piece_at(r, offset);
        const struct source s = { .r = r, .piece = p, .is_warm = is_warm };
        const uint64_t at = offset - p->start, left = p->x.data_len - at;
        const size_t n = len < left ? len : (size_t)left;

        TRY(read_extent(&s, at, at + n, out));
        out += n;
        offset += n;
        len -= n;
    }
    return OK;
}

static struct err read_or_wipe(struct blob_reader *r, uint64_t offset, void *out, size_t len, bool is_warm)
{
    if (!is_inside(r, offset, len)) return FAIL(ERR_INVALID, "beyond the end of the body");
    const struct err e = read_pieces(r, offset, out, len, is_warm);
    if (e.code && len) memset(out, 0, len);
    return e;
}

struct err blob_read(struct blob_reader *r, uint64_t offset, void *out, size_t len)
{
    return read_or_wipe(r, offset, out, len, false);
}

struct err blob_read_warm(struct blob_reader *r, uint64_t offset, void *out, size_t len)
{
    return read_or_wipe(r, offset, out, len, true);
}

struct err blob_read_file(struct blob_reader *r, uint64_t offset, uint64_t len, int *ret_fd,
                          uint64_t *ret_file_offset)
{
    if (!is_inside(r, offset, len)) return FAIL(ERR_INVALID, "beyond the end of the body");
    if (!len) return FAIL(ERR_UNSUPPORTED, "nothing to send");
    const struct piece *p = piece_at(r, offset);
    const struct source s = { .r = r, .piece = p };
    const uint64_t at = offset - p->start;
    if (len > p->x.data_len - at) return FAIL(ERR_UNSUPPORTED, "the range lies in several pieces");

    TRY(prepare(&s));
    for (uint64_t block = at / LIMIT_BLOCK; block * LIMIT_BLOCK < at + len; block++) {
        TRY(read_block(&s, (uint32_t)block, 0, 0, NULL));
    }
    TRY(sys_dup(r->fd, ret_fd));
    *ret_file_offset = p->x.offset + at;
    return OK;
}
