/*
 * salvage_extents.c - extents, found by the footers at the ends of 4 KiB pieces; each names its body, so a sort puts bodies together.
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
        TRY(sys_pread(fd, bytes, LOOK_BYTES, at, &len));
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
    return e;
}

static int compare(const void *a, const void *b)
{
    const struct record *x = &((const struct salvage_extent *)a)->record,
                        *y = &((const struct salvage_extent *)b)->record;
    const int order = memcmp(x->body.bytes, y->body.bytes, sizeof(x->body.bytes));

    if (order) return order;
    return x->body_offset < y->body_offset ? -1 : x->body_offset > y->body_offset;
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
    bool has_end = false;

    for (size_t i = at; i < e->count; i++) {
        const struct record *r = &e->items[i].record;
        if (memcmp(r->body.bytes, first->body.bytes, sizeof(r->body.bytes)) != 0) break;
        b.is_whole &= !has_end && r->body_offset == b.length;
        b.length += r->data_len;
        b.count++;
        has_end |= r->is_last;
        if (r->is_last) b.is_whole &= r->body_length == b.length;
    }
    b.is_whole &= has_end;
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

static struct err blocks_read(int fd, const struct record *r, const uint32_t *crcs, uint8_t *block,
                              salvage_piece_fn *fn, void *arg)
{
    for (uint32_t at = 0, i = 0; at < r->data_len; at += (uint32_t)LIMIT_BLOCK, i++) {
        const size_t len = r->data_len - at < LIMIT_BLOCK ? r->data_len - at : LIMIT_BLOCK;
        TRY(sys_pread_all(fd, block, len, r->offset + at));
        if (crc32c(0, block, len) != crcs[i])
            return FAIL(ERR_CORRUPT, "its bytes do not match their checksum");
        TRY(fn(arg, str_of(block, len)));
    }
    return OK;
}

static struct err extent_read(const struct salvage_extents *e, const struct record *r, salvage_piece_fn *fn,
                              void *arg)
{
    const size_t trailer = record_trailer_bytes(r->data_len), table = 4 * (size_t)record_blocks(r->data_len);
    char path[PATH_MAX];
    int fd = -1;
    uint8_t *memory = malloc(trailer + table + LIMIT_BLOCK);
    if (!memory) return no_memory();
    uint32_t *crcs = (uint32_t *)(void *)memory;

    volume_path(e->dir, r->volume, path);
    struct err err = sys_open(path, O_RDONLY, 0, &fd);
    if (!err.code)
        err = sys_pread_all(fd, memory + table + LIMIT_BLOCK, trailer,
                            r->offset + record_bytes(r->data_len) - trailer);
    if (!err.code) err = record_decode(memory + table + LIMIT_BLOCK, r, crcs);
    if (!err.code) err = blocks_read(fd, r, crcs, memory + table, fn, arg);
    sys_close(fd);
    free(memory);
    return err;
}

struct err salvage_body_read(const struct salvage_extents *e, const struct salvage_body *b,
                             salvage_piece_fn *fn, void *arg)
{
    if (!b->is_whole) return FAIL(ERR_CORRUPT, "extents of its body are missing");
    for (size_t i = b->first; i < b->first + b->count; i++) TRY(extent_read(e, &e->items[i].record, fn, arg));
    return OK;
}
