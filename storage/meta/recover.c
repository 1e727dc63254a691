/*
 * recover.c - replay, and winning back J1.
 *
 * Each segment from the checkpoint's on is read batch by batch for as long as the numbers follow. Where that ends, whole batches
 * with higher numbers are looked for within the reach of the largest batch: there are none behind a torn tail, because a
 * batch is written only when the one before it is durable. The same look at the segments behind covers a journal that went on
 * in the next file.
 *
 * Why the last batch is written again: it was perhaps only in the page cache, or its flush failed and the kernel has marked the
 * pages clean. Building upon it unflushed would lose it under what is acknowledged later.
 */
#include "storage/meta/recover.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"

#define LOOK_STEP (1 * MIB)

struct replay {
    struct segment_set *segments;
    struct memtable *into;
    const struct recover_spill *spill; /* NULL: none */
    struct recovery found;
    uint64_t last_span; /* of the last batch, which ends at found.end */
    uint8_t *records;   /* of one batch */
    size_t records_size;
    struct buf unused; /* ids of segments without a batch */
    /* the segment that is being read */
    int fd;
    uint64_t file_bytes;
    struct segment_header header;
    char path[SEGMENT_PATH_MAX];
};

static struct err damaged(const struct replay *r, uint64_t offset, const char *what)
{
    return err_fail(ERR_CORRUPT, "%.300s at %llu, batch %llu: %s", r->path, (unsigned long long)offset,
                    (unsigned long long)r->found.end.batch + 1, what);
}

/* ---- one batch ---- */

static struct err records_reserve(struct replay *r, size_t len)
{
    if (len <= r->records_size) return OK;
    uint8_t *more = realloc(r->records, len);
    if (!more) return FAIL(ERR_NO_MEMORY, "no memory to replay a batch");
    r->records = more;
    r->records_size = len;
    return OK;
}

/* Read the batch at offset. *ret_whole: it is there, and r->records has its records. */
static struct err batch_read(struct replay *r, uint64_t offset, struct batch_header *ret, bool *ret_whole)
{
    uint8_t head[BATCH_HEADER_BYTES];

    *ret_whole = false;
    if (offset + BATCH_HEADER_BYTES > r->file_bytes) return OK;
    TRY(sys_pread_all(r->fd, head, sizeof(head), offset));
    if (!batch_header_decode(head, r->header.salt, r->header.id, ret)) return OK;
    if (ret->bytes > r->file_bytes - offset - BATCH_HEADER_BYTES) return OK;
    TRY(records_reserve(r, ret->bytes));
    TRY(sys_pread_all(r->fd, r->records, ret->bytes, offset + BATCH_HEADER_BYTES));
    *ret_whole = batch_crc(r->header.salt, r->records, ret->bytes) == ret->crc32c;
    return OK;
}

static struct err batch_apply(struct replay *r, const struct batch_header *h, uint64_t offset)
{
    const struct str records = str_of(r->records, h->bytes);
    struct record_reader reader = record_reader_of(records);
    struct entry e;

    if (r->spill && memtable_bytes(r->into) >= r->spill->bytes_max) TRY(r->spill->fn(r->spill->arg, r->into));
    while (record_reader_next(&reader, &e)) {
        if (e.type == ENTRY_PUT) TRY(memtable_put(r->into, e.space, e.key, e.value));
        if (e.type == ENTRY_DEL) TRY(memtable_del(r->into, e.space, e.key));
        r->found.rows += e.type == ENTRY_PUT || e.type == ENTRY_DEL;
    }
    if (reader.is_bad || reader.records != h->records)
        return damaged(r, offset, "its records are not of the form");
    segments_count(r->segments, h->segment_id, records);
    if (reader.records) r->found.end.txn = reader.txn_number;
    r->found.batches++;
    r->found.transactions += reader.records;
    r->last_span = batch_span(h->bytes);
    r->found.end.segment_id = h->segment_id;
    r->found.end.offset = offset + r->last_span;
    r->found.end.batch = h->number;
    return OK;
}

/* ---- one segment ---- */

/* Is there a whole batch that should follow later than the next one? Looked for from offset on, as far as the largest batch reaches. */
static struct err look_behind(struct replay *r, uint64_t offset)
{
    const uint64_t reach = offset + journal_batch_max(r->header.bytes) + JOURNAL_BLOCK;
    const uint64_t end = reach < r->file_bytes ? reach : r->file_bytes;
    struct batch_header h;
    struct err e = OK;
    uint8_t *step = malloc(LOOK_STEP);
    if (!step) return FAIL(ERR_NO_MEMORY, "no memory to look through a segment");

    for (uint64_t at = offset; at < end && !e.code; at += LOOK_STEP) {
        const uint64_t len = end - at < LOOK_STEP ? end - at : LOOK_STEP;
        e = sys_pread_all(r->fd, step, len, at);
        for (uint64_t i = 0; i + BATCH_HEADER_BYTES <= len && !e.code; i += JOURNAL_BLOCK) {
            bool is_whole = false;
            if (!batch_header_decode(step + i, r->header.salt, r->header.id, &h)) continue;
            e = batch_read(r, at + i, &h, &is_whole);
            if (!e.code && is_whole && h.number > r->found.end.batch)
                e = damaged(r, offset, "it is missing or damaged, and later ones are there");
        }
    }
    free(step);
    return e;
}

/* *ret_has_header: false for a file that was being made when the process ended. */
static struct err header_read(struct replay *r, uint32_t id, bool *ret_has_header)
{
    uint8_t head[SEGMENT_HEADER_BYTES], first[BATCH_HEADER_BYTES];

    *ret_has_header = false;
    if (r->file_bytes < JOURNAL_BLOCK) return OK;
    TRY(sys_pread_all(r->fd, head, sizeof(head), 0));
    if (segment_header_decode(head, &r->header)) {
        if (r->header.id != id || memcmp(r->header.journal_id, segments_journal_id(r->segments), 16) != 0)
            return damaged(r, 0, "the segment is of another journal");
        *ret_has_header = true;
        return OK;
    }
    if (r->file_bytes < JOURNAL_BLOCK + BATCH_HEADER_BYTES) return OK;
    TRY(sys_pread_all(r->fd, first, sizeof(first), JOURNAL_BLOCK));
    return batch_header_looks_real(first, id) ? damaged(r, 0, "the segment's header is damaged") : OK;
}

static struct err segment_replay(struct replay *r, uint64_t offset)
{
    struct batch_header h;
    bool is_whole = true;

    for (;;) {
        TRY(batch_read(r, offset, &h, &is_whole));
        if (!is_whole || h.number != r->found.end.batch + 1) return look_behind(r, offset);
        TRY(batch_apply(r, &h, offset));
        offset = r->found.end.offset;
    }
}

/* Open a segment's file as the one that is being read. */
static struct err segment_enter(struct replay *r, uint32_t id, int flags)
{
    struct stat st;

    segments_path(r->segments, id, r->path);
    TRY(sys_open(r->path, flags, 0, &r->fd));
    const struct err e = sys_fstat(r->fd, &st);
    r->file_bytes = e.code ? 0 : (uint64_t)st.st_size;
    return e;
}

static void segment_leave(struct replay *r)
{
    sys_close(r->fd);
    r->fd = -1;
}

static struct err segment_read(struct replay *r, uint32_t id, const struct journal_position *from)
{
    const bool is_first = id == from->segment_id;
    const uint64_t batches = r->found.batches;
    bool has_header = false;

    TRY(segment_enter(r, id, O_RDONLY));
    TRY(header_read(r, id, &has_header));
    if (is_first && (!has_header || r->file_bytes < from->offset))
        return damaged(r, 0, "the segment is damaged or too short");
    if (has_header) TRY(segment_replay(r, is_first ? from->offset : JOURNAL_BLOCK));
    if (!is_first && r->found.batches == batches) buf_append(&r->unused, &id, sizeof(id));
    return buf_err(&r->unused);
}

static struct err read_all(struct replay *r, const struct journal_position *from)
{
    uint32_t id = 0;

    if (from->segment_id && (!segments_find(r->segments, from->segment_id, &id) || id != from->segment_id)) {
        segments_path(r->segments, from->segment_id, r->path);
        return damaged(r, from->offset, "the segment is not there");
    }
    for (uint32_t next = from->segment_id; segments_find(r->segments, next, &id); next = id + 1) {
        const struct err e = segment_read(r, id, from);
        segment_leave(r);
        TRY(e);
    }
    return OK;
}

/* ---- settling ---- */

/* Write the last batch again where it lies, and cut the file behind it. */
static struct err settle_end(struct replay *r, bool is_rewritten)
{
    const struct journal_position *end = &r->found.end;
    const uint64_t start = end->offset - r->last_span;

    if (is_rewritten) {
        const uint64_t there = r->file_bytes < end->offset ? r->file_bytes : end->offset;
        TRY(records_reserve(r, r->last_span));
        memset(r->records, 0, r->last_span);
        TRY(sys_pread_all(r->fd, r->records, there - start, start));
        TRY(sys_pwrite_all(r->fd, r->records, r->last_span, start));
    }
    TRY(sys_ftruncate(r->fd, end->offset));
    TRY(sys_fsync(r->fd));
    segments_set_bytes(r->segments, end->segment_id, end->offset);
    return OK;
}

static struct err settle(struct replay *r, uint64_t known_durable)
{
    if (r->found.end.segment_id) {
        TRY(segment_enter(r, r->found.end.segment_id, O_RDWR));
        const struct err e = settle_end(r, r->found.batches && r->found.end.batch > known_durable);
        segment_leave(r);
        TRY(e);
    }
    for (size_t i = 0; i < r->unused.len; i += sizeof(uint32_t)) {
        uint32_t id;
        memcpy(&id, r->unused.data + i, sizeof(id));
        TRY(segments_remove(r->segments, id));
    }
    return segments_sync_dir(r->segments);
}

struct err recover(struct segment_set *segments, const struct journal_position *from, uint64_t known_durable,
                   struct memtable *into, const struct recover_spill *spill, struct recovery *ret)
{
    struct replay *r = calloc(1, sizeof(*r));
    if (!r) return FAIL(ERR_NO_MEMORY, "no memory to replay the journal");

    r->segments = segments;
    r->into = into;
    r->spill = spill;
    r->fd = -1;
    r->found.end = *from;
    buf_init(&r->unused, MIB);
    struct err e = read_all(r, from);
    if (!e.code && r->found.end.batch < known_durable)
        e = damaged(r, r->found.end.offset, "it was durable, and the journal ends before it");
    if (!e.code) e = settle(r, known_durable);
    if (!e.code) *ret = r->found;
    segment_leave(r);
    buf_done(&r->unused);
    free(r->records);
    free(r);
    return e;
}
