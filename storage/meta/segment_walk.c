/*
 * segment_walk.c - which bodies were put into a segment, and for which rows.
 *
 * Unlike recovery, which settles a journal's end, this reads full segments of an open store: batch after batch, until there is none.
 */
#include <stdlib.h>

#include "storage/base/thread.h"
#include "storage/meta/segment.h"

/* *ret_has: false behind the last batch. */
static struct err head_read(struct segment_set *s, const struct meta_body_walk *w, struct batch_header *ret,
                            bool *ret_has)
{
    uint8_t head[BATCH_HEADER_BYTES];
    size_t len;

    TRY(segments_read_bytes(s, w->segment_id, w->offset, head, sizeof(head), &len));
    *ret_has = len == sizeof(head) && batch_header_decode(head, w->salt, w->segment_id, ret);
    return OK;
}

/* The segment's salt, without which nothing in it can be told. */
static struct err walk_begin(struct segment_set *s, struct meta_body_walk *w)
{
    uint8_t head[SEGMENT_HEADER_BYTES];
    struct segment_header h;
    size_t len;

    TRY(segments_read_bytes(s, w->segment_id, 0, head, sizeof(head), &len));
    if (len < sizeof(head) || !segment_header_decode(head, &h))
        return err_fail(ERR_CORRUPT, "segment %08x: its header is damaged", w->segment_id);
    w->salt = h.salt;
    w->offset = JOURNAL_BLOCK;
    return OK;
}

static struct err each_body(const struct meta_body_walk *w, struct str records, meta_body_fn *fn, void *arg)
{
    struct record_reader reader = record_reader_of(records);
    struct entry e;

    while (record_reader_next_body(&reader, &e)) {
        if (e.type != ENTRY_BODY) continue;
        const struct place p = {
            .segment_id = w->segment_id,
            .offset = w->offset + BATCH_HEADER_BYTES + (uint64_t)(e.value.data - records.data),
            .length = (uint32_t)e.value.len,
            .crc32c = e.crc32c,
        };
        TRY(fn(arg, (enum space)e.space, e.key, p));
    }
    return reader.is_bad ? FAIL(ERR_CORRUPT, "a batch's records are not of the form") : OK;
}

static struct err batch_walk(struct segment_set *s, const struct meta_body_walk *w,
                             const struct batch_header *h, char *records, meta_body_fn *fn, void *arg)
{
    size_t len;

    TRY(segments_read_bytes(s, w->segment_id, w->offset + BATCH_HEADER_BYTES, records, h->bytes, &len));
    if (len < h->bytes || batch_crc(w->salt, records, h->bytes) != h->crc32c)
        return err_fail(ERR_CORRUPT, "segment %08x: the batch at %llu is damaged", w->segment_id,
                        (unsigned long long)w->offset);
    return each_body(w, str_of(records, h->bytes), fn, arg);
}

struct err segments_walk(struct segment_set *s, struct meta_body_walk *w, meta_body_fn *fn, void *arg)
{
    struct batch_header h;
    bool has_one = false;

    if (!w->offset) TRY(walk_begin(s, w));
    TRY(head_read(s, w, &h, &has_one));
    w->is_end = !has_one;
    if (w->is_end) return OK;

    char *records = malloc(h.bytes ? h.bytes : 1);
    if (!records) return no_memory();
    const struct err e = batch_walk(s, w, &h, records, fn, arg);
    free(records);
    TRY(e);
    w->offset += batch_span(h.bytes);
    return OK;
}
