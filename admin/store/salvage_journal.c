/*
 * salvage_journal.c - names, out of whatever still has some: LMDB's pages, those of its copy, the journal's segments. Which of several rows counts: salvage_order.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/salvage_state.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/checkpoint.h"
#include "storage/meta/lmdb_rows.h"
#include "storage/meta/record.h"
#include "storage/meta/rows_copy.h"
#include "storage/meta/segment.h"

#define SEGMENT_BYTES_MAX (GIB + MIB)

/* ---- a segment ---- */

/* Without it nothing in a segment can be told from what a client wrote there. Of a segment whose header is damaged it is that of the first batch. */
static bool salt_find(struct str bytes, uint32_t id, uint64_t *ret)
{
    const uint8_t *p = (const uint8_t *)bytes.data;
    struct segment_header h;

    if (bytes.len < JOURNAL_BLOCK + BATCH_HEADER_BYTES) return false;
    if (segment_header_decode(p, &h) && h.id == id) *ret = h.salt;
    else if (batch_header_looks_real(p + JOURNAL_BLOCK, id)) *ret = get_le64(p + JOURNAL_BLOCK + 8);
    else return false;
    return true;
}

static bool batch_at(struct str bytes, uint64_t at, uint64_t salt, uint32_t id, struct batch_header *ret)
{
    const uint8_t *p = (const uint8_t *)bytes.data + at;

    return batch_header_decode(p, salt, id, ret) && ret->bytes <= bytes.len - at - BATCH_HEADER_BYTES
        && batch_crc(salt, p + BATCH_HEADER_BYTES, ret->bytes) == ret->crc32c;
}

struct err salvage_segment(struct str bytes, uint32_t id, struct salvage_order *o, struct salvage_result *r)
{
    struct batch_header h;
    uint64_t salt;
    bool is_gap = false;

    r->segments++;
    if (!salt_find(bytes, id, &salt)) {
        r->gaps += bytes.len > JOURNAL_BLOCK;
        return OK;
    }
    for (uint64_t at = JOURNAL_BLOCK; at + BATCH_HEADER_BYTES <= bytes.len;) {
        if (!batch_at(bytes, at, salt, id, &h)) {
            is_gap = true; /* or the end */
            at += JOURNAL_BLOCK;
            continue;
        }
        r->gaps += is_gap;
        is_gap = false;
        r->batches++;
        const struct str records = str_slice(bytes, at + BATCH_HEADER_BYTES,
                                             at + BATCH_HEADER_BYTES + h.bytes);
        TRY(salvage_order_batch(o, h.number, records));
        at += batch_span(h.bytes);
    }
    return OK;
}

/* ---- all of them ---- */

struct ids {
    uint32_t *items;
    size_t count, size;
};

static struct err add_id(void *arg, const char *name)
{
    struct ids *ids = arg;
    uint32_t id;

    if (!segment_id_from(name, &id)) return OK;
    if (ids->count == ids->size) {
        const size_t size = ids->size ? 2 * ids->size : 64;
        uint32_t *more = realloc(ids->items, size * sizeof(*more));
        if (!more) return no_memory();
        ids->items = more;
        ids->size = size;
    }
    ids->items[ids->count++] = id;
    return OK;
}

static int compare_ids(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static struct err file_read(int fd, struct salvage_result *r, char **ret_bytes, size_t *ret_len)
{
    struct stat st;

    TRY(sys_fstat(fd, &st));
    if ((uint64_t)st.st_size > SEGMENT_BYTES_MAX)
        return FAIL(ERR_TOO_LARGE, "a file of the journal is larger than any");
    char *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes) return no_memory();
    const struct err e = salvage_read(fd, bytes, (size_t)st.st_size, 0, ret_len, &r->unreadable);
    if (e.code) free(bytes);
    else *ret_bytes = bytes;
    return e;
}

static struct err segment_file(const char *rows_dir, uint32_t id, struct salvage_order *o,
                               struct salvage_result *r)
{
    char path[SEGMENT_PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/journal/%08x.seg", rows_dir, id);
    struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (!e.code) e = file_read(fd, r, &bytes, &len);
    sys_close(fd);
    if (salvage_passes_over(e, r)) {
        r->gaps++;
        return OK;
    }
    TRY(e);
    e = salvage_segment(str_of(bytes, len), id, o, r);
    free(bytes);
    return e;
}

static struct err journal(const char *rows_dir, struct salvage_order *o, struct salvage_result *r)
{
    char path[SEGMENT_PATH_MAX];
    struct ids ids = { NULL, 0, 0 };

    (void)snprintf(path, sizeof(path), "%s/journal", rows_dir);
    struct err e = sys_list_dir(path, add_id, &ids);
    if (e.code == ERR_NOT_FOUND) e = OK;
    if (ids.count) qsort(ids.items, ids.count, sizeof(ids.items[0]), compare_ids);
    for (size_t i = 0; i < ids.count && !e.code; i++) e = segment_file(rows_dir, ids.items[i], o, r);
    free(ids.items);
    return e;
}

/* ---- LMDB's pages ---- */

static struct err add_row(void *arg, uint8_t space, struct str key, struct str value)
{
    struct salvage_order *o = arg;
    uint64_t batch;

    if (space != LMDB_SPACE_POSITIONS) return salvage_order_row(o, space, key, value);
    if (checkpoint_position_batch(key, value, &batch)) salvage_order_position(o, batch);
    return OK;
}

static struct err pages(const char *rows_dir, const char *name, struct salvage_order *o,
                        struct salvage_result *r)
{
    char path[SEGMENT_PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", rows_dir, name);
    const struct err e = lmdb_rows_scavenge(path, add_row, o);
    return e.code == ERR_NOT_FOUND || salvage_passes_over(e, r) ? OK : e;
}

struct err salvage_names(const char *rows_dir, struct memtable *names, struct salvage_result *r)
{
    struct salvage_order o;

    struct err e = salvage_order_init(&o, names);
    if (!e.code) e = pages(rows_dir, "rows/data.mdb", &o, r);
    if (!e.code) e = pages(rows_dir, ROWS_COPY_NAME, &o, r);
    if (!e.code) e = journal(rows_dir, &o, r); /* the position is to be known before */
    if (!e.code) e = salvage_order_settle(&o);
    salvage_order_done(&o);
    return e;
}
