/*
 * salvage_extents.c - extents, found by the footers at the ends of 4 KiB pieces; each names its body, so a sort puts bodies together.
 *
 * A part of a body may be there more than once: a stop while a sparse volume is emptied (volume_compact.h) leaves the old extents and some of the new ones, which may be cut at other places. Which of them is the body's only the
 * lost rows knew; so any will do that verifies. A body is read from its begin on, each time from an extent that has the next byte; where a block of one does not verify, it goes on in the next one that has that byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/salvage_state.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/volume/volume.h"

#define LOOK_BYTES (1 * MIB)

/* ---- finding ---- */

struct finding {
    struct salvage_extents *extents;
    struct salvage_result *r;
    struct uid store; /* of STORE */
    bool has_store;
};

static struct err add(struct salvage_extents *e, const struct record *record)
{
    if (e->count == e->size) {
        const size_t size = e->size ? 2 * e->size : 256;
        struct salvage_extent *more = realloc(e->items, size * sizeof(*more));
        if (!more) return no_memory();
        e->items = more;
        e->size = size;
    }
    e->items[e->count++] = (struct salvage_extent){ .record = *record };
    return OK;
}

/* A footer that stands where it says, of this store. */
static struct err look(struct finding *f, const uint8_t *footer, uint64_t volume, uint64_t end)
{
    struct record r;

    if (record_parse(footer, &r).code) return OK;
    if (r.volume != volume || r.offset > end || end - r.offset != record_bytes(r.data_len)) return OK;
    if (f->has_store && memcmp(r.store.bytes, f->store.bytes, sizeof(r.store.bytes)) != 0) return OK;
    f->r->extents++;
    return add(f->extents, &r);
}

static struct err look_through(struct finding *f, int fd, uint64_t volume, uint8_t *bytes)
{
    size_t len = RECORD_ALIGN;

    for (uint64_t at = 0; len >= RECORD_ALIGN; at += len) {
        TRY(salvage_read(fd, bytes, LOOK_BYTES, at, &len, &f->r->unreadable));
        len -= len % RECORD_ALIGN;
        for (size_t i = RECORD_ALIGN; i <= len; i += RECORD_ALIGN)
            TRY(look(f, bytes + i - RECORD_FOOTER_BYTES, volume, at + i));
    }
    return OK;
}

static struct err find_in(void *arg, const char *name)
{
    struct finding *f = arg;
    char path[PATH_MAX];
    uint64_t volume;
    int fd = -1;

    if (!volume_id_from(name, &volume)) return OK;
    uint8_t *bytes = malloc(LOOK_BYTES);
    if (!bytes) return no_memory();
    f->r->volumes++;
    volume_path(f->extents->dir, volume, path);
    struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (!e.code) e = look_through(f, fd, volume, bytes);
    sys_close(fd);
    free(bytes);
    return salvage_passes_over(e, f->r) ? OK : e;
}

static int compare(const void *a, const void *b)
{
    const struct record *x = &((const struct salvage_extent *)a)->record,
                        *y = &((const struct salvage_extent *)b)->record;
    const int order = memcmp(x->body.bytes, y->body.bytes, sizeof(x->body.bytes));

    if (order) return order;
    if (x->body_offset != y->body_offset) return x->body_offset < y->body_offset ? -1 : 1;
    return x->volume > y->volume ? -1 : x->volume < y->volume; /* what was moved lies in the younger one */
}

static void store_id_read(struct finding *f)
{
    char path[PATH_MAX];
    char *text;
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/STORE", f->extents->dir);
    if (sys_read_file(path, 100, &text, &len).code) return;
    f->has_store = len >= 32 && hex_from(str_of(text, 32), f->store.bytes, sizeof(f->store.bytes));
    free(text);
}

struct err salvage_extents_find(struct salvage_extents *e, const char *volumes_dir, struct salvage_result *r)
{
    struct finding f = { .extents = e, .r = r };

    e->dir = volumes_dir;
    store_id_read(&f);
    const struct err listed = sys_list_dir(volumes_dir, find_in, &f);
    if (listed.code != ERR_NOT_FOUND) TRY(listed);
    if (e->count) qsort(e->items, e->count, sizeof(e->items[0]), compare);
    return OK;
}

void salvage_extents_done(struct salvage_extents *e)
{
    free(e->items);
    *e = (struct salvage_extents){ 0 };
}

/* ---- bodies ---- */

struct salvage_body salvage_body_at(const struct salvage_extents *e, size_t at)
{
    const struct record *first = &e->items[at].record;
    struct salvage_body b = { .first = at, .is_whole = true };
    uint64_t reach = 0;
    bool has_end = false;

    for (size_t i = at; i < e->count; i++) {
        const struct record *r = &e->items[i].record;
        const uint64_t end = r->body_offset + r->data_len;
        if (memcmp(r->body.bytes, first->body.bytes, sizeof(r->body.bytes)) != 0) break;
        b.is_whole &= r->body_offset <= reach && end > r->body_offset;
        if (end > reach) reach = end;
        if (r->is_last) b.is_whole &= r->body_length == end && (!has_end || b.length == end);
        if (r->is_last) b.length = end;
        has_end |= r->is_last;
        b.count++;
    }
    b.is_whole &= has_end && reach == b.length;
    return b;
}

bool salvage_body_find(const struct salvage_extents *e, struct uid uid, struct salvage_body *ret)
{
    size_t low = 0, high = e->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (memcmp(e->items[middle].record.body.bytes, uid.bytes, sizeof(uid.bytes)) < 0) low = middle + 1;
        else high = middle;
    }
    if (low == e->count || memcmp(e->items[low].record.body.bytes, uid.bytes, sizeof(uid.bytes)) != 0)
        return false;
    *ret = salvage_body_at(e, low);
    return true;
}

/* ---- reading one ---- */

struct reading {
    const struct salvage_extents *extents;
    salvage_piece_fn *fn;
    void *arg;
    uint64_t at;     /* of the body: all before it was given to fn */
    bool is_refused; /* fn has failed: that is no fault of the extent */
};

/* From the block on that has the next byte of the body; of that one what was not given yet. */
static struct err blocks_read(struct reading *g, int fd, const struct record *r, const uint32_t *crcs,
                              uint8_t *block)
{
    while (g->at - r->body_offset < r->data_len) {
        const uint32_t done = (uint32_t)(g->at - r->body_offset), i = done / (uint32_t)LIMIT_BLOCK;
        const uint32_t from = i * (uint32_t)LIMIT_BLOCK;
        const size_t len = r->data_len - from < LIMIT_BLOCK ? r->data_len - from : LIMIT_BLOCK;

        TRY(sys_pread_all(fd, block, len, r->offset + from));
        if (crc32c(0, block, len) != crcs[i])
            return FAIL(ERR_CORRUPT, "its bytes do not match their checksum");
        const struct err e = g->fn(g->arg, str_of(block + (done - from), len - (done - from)));
        g->is_refused = e.code != ERR_OK;
        TRY(e);
        g->at = r->body_offset + from + len;
    }
    return OK;
}

static struct err extent_read(struct reading *g, const struct record *r)
{
    const size_t trailer = record_trailer_bytes(r->data_len), table = 4 * (size_t)record_blocks(r->data_len);
    char path[PATH_MAX];
    int fd = -1;
    uint8_t *memory = malloc(trailer + table + LIMIT_BLOCK);
    if (!memory) return no_memory();
    uint32_t *crcs = (uint32_t *)(void *)memory;

    volume_path(g->extents->dir, r->volume, path);
    struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (!e.code)
        e = sys_pread_all(fd, memory + table + LIMIT_BLOCK, trailer,
                          r->offset + record_bytes(r->data_len) - trailer);
    if (!e.code) e = record_decode(memory + table + LIMIT_BLOCK, r, crcs);
    if (!e.code) e = blocks_read(g, fd, r, crcs, memory + table);
    sys_close(fd);
    free(memory);
    return e;
}

/* As far as the first extent goes that has the next byte and gives it. */
static struct err go_on(struct reading *g, const struct salvage_body *b)
{
    const uint64_t before = g->at;
    struct err e = FAIL(ERR_CORRUPT, "extents of its body are missing");

    for (size_t i = b->first; i < b->first + b->count; i++) {
        const struct record *r = &g->extents->items[i].record;
        if (r->body_offset > before) break;
        if (r->body_offset + r->data_len <= before) continue;
        e = extent_read(g, r);
        if (g->is_refused) return e;
        if (g->at > before) return OK;
    }
    return e;
}

struct err salvage_body_read(const struct salvage_extents *e, const struct salvage_body *b,
                             salvage_piece_fn *fn, void *arg)
{
    struct reading g = { .extents = e, .fn = fn, .arg = arg };

    if (!b->is_whole) return FAIL(ERR_CORRUPT, "extents of its body are missing");
    while (g.at < b->length) TRY(go_on(&g, b));
    return OK;
}
