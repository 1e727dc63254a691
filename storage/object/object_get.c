/*
 * object_get.c - reading the body of an object, whatever kind it is.
 *
 *   NONE    nothing to read
 *   SMALL   pinned in the journal (meta_pin). The common GET asks for all of it at once: one pread and one
 *           CRC, straight into the caller's memory. A part of it costs the whole, since the checksum is of the
 *           whole; it is kept then, for the next part.
 *   BLOB    a blob reader, which pins
 *   PARTS   the part map in memory, and a blob reader for the part that was read last. Parts are opened as the
 *           reading reaches them, each in a view of its own: a ranged GET of an object of 10,000 parts must
 *           not look 10,000 bodies up.
 *
 * What keeps the bodies of PARTS alive between the view in which the object's row was read and the opening of
 * a part? Not a pin, which would be one for each part. Every reader of PARTS stands in a list, entered while
 * its view is open; and what clears part maps (garbage_is_ripe) waits until the views that can see the old
 * row are closed, and then until the object is not in that list.
 */
#include "storage/object/object_get.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/part_map.h"

#define NO_PART SIZE_MAX

struct object_reader {
    struct store *store;
    enum body_kind kind;
    uint64_t size;

    struct place place; /* SMALL */
    char *bytes;        /* SMALL: the body, once a part of it was asked for. PARTS: the part map */

    struct blob_reader *blob;          /* BLOB; PARTS: of the part `open_part` */
    struct part_map map;               /* PARTS, of bytes */
    size_t open_part;                  /* index in map, or NO_PART */
    struct uid uid;                    /* PARTS: of the object */
    struct object_reader *prev, *next; /* PARTS: in the list */
};

/* ---- who is being read ---- */

static struct mutex readers_lock = MUTEX_INIT(LOCK_OBJECT);
static struct object_reader *readers; /* guarded by readers_lock: the open readers of PARTS */

static void enter(struct object_reader *o)
{
    mutex_lock(&readers_lock);
    o->next = readers;
    if (readers) readers->prev = o;
    readers = o;
    mutex_unlock(&readers_lock);
}

static void leave(struct object_reader *o)
{
    mutex_lock(&readers_lock);
    if (o->prev) o->prev->next = o->next;
    else readers = o->next;
    if (o->next) o->next->prev = o->prev;
    mutex_unlock(&readers_lock);
}

/* At most one reader a connection is in the list, and only the clearing of part maps asks. */
bool object_is_being_read(struct uid object)
{
    bool is_found = false;

    mutex_lock(&readers_lock);
    for (const struct object_reader *o = readers; o && !is_found; o = o->next)
        is_found = memcmp(o->uid.bytes, object.bytes, sizeof(object.bytes)) == 0;
    mutex_unlock(&readers_lock);
    return is_found;
}

/* ---- opening ---- */

static struct err open_blob(struct object_reader *o, struct rows *r, struct uid body, uint64_t size)
{
    struct blob_reader *blob;

    TRY(blob_reader_open(o->store->blobs, r, body, &blob));
    if (blob_reader_length(blob) != size) {
        blob_reader_close(blob);
        return FAIL(ERR_CORRUPT, "a body has another length than its object says");
    }
    o->blob = blob;
    return OK;
}

/* Enters the list first, so that o is to be closed whatever comes. */
static struct err open_parts(struct object_reader *o, struct place map)
{
    enter(o);
    o->bytes = malloc(map.length);
    if (!o->bytes) return FAIL(ERR_NO_MEMORY, "no memory for a part map");
    TRY(meta_read_body(o->store->meta, map, o->bytes));
    TRY(part_map_open(str_of(o->bytes, map.length), &o->map));
    return o->map.size == o->size ? OK
                                  : FAIL(ERR_CORRUPT, "a part map has another size than its object says");
}

struct err object_reader_open(struct store *s, struct rows *r, const struct object_info *info,
                              struct object_reader **ret)
{
    struct object_reader *o = calloc(1, sizeof(*o));
    struct err e = OK;

    if (!o) return FAIL(ERR_NO_MEMORY, "no memory for a reader");
    o->store = s;
    o->kind = info->body.kind;
    o->size = info->size;
    o->uid = info->uid;
    o->open_part = NO_PART;

    switch (o->kind) {
    case BODY_NONE_AT_ALL: break;
    case BODY_SMALL:
        o->place = info->body.place;
        meta_pin(s->meta, o->place);
        break;
    case BODY_BLOB: e = open_blob(o, r, info->body.uid, info->size); break;
    case BODY_PARTS: e = open_parts(o, info->body.place); break;
    }
    if (e.code) {
        object_reader_close(o);
        return e;
    }
    *ret = o;
    return OK;
}

struct object_reader *object_reader_close(struct object_reader *o)
{
    if (!o) return NULL;
    if (o->kind == BODY_SMALL) meta_unpin(o->store->meta, o->place);
    if (o->kind == BODY_PARTS) leave(o);
    blob_reader_close(o->blob);
    free(o->bytes);
    free(o);
    return NULL;
}

/* ---- reading ---- */

static struct err check_range(const struct object_reader *o, uint64_t offset, uint64_t len)
{
    if (offset > o->size || len > o->size - offset)
        return FAIL(ERR_INVALID_RANGE, err_text(ERR_INVALID_RANGE));
    return OK;
}

static struct err read_small(struct object_reader *o, uint64_t offset, void *out, size_t len)
{
    if (!o->bytes && len == o->size) return meta_read_body(o->store->meta, o->place, out);
    if (!o->bytes) {
        char *bytes = malloc(o->size);
        if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory for a body");
        const struct err e = meta_read_body(o->store->meta, o->place, bytes);
        if (e.code) {
            free(bytes);
            return e;
        }
        o->bytes = bytes;
    }
    memcpy(out, o->bytes + offset, len);
    return OK;
}

/* Make o->blob the reader of the part with the byte at offset. */
static struct err open_part_at(struct object_reader *o, uint64_t offset, struct part_entry *ret)
{
    const size_t index = part_map_find_offset(&o->map, offset);
    const struct part_entry part = part_map_at(&o->map, index);

    if (o->open_part != index) {
        CLEANUP(view_closep) struct rows *view = NULL;
        o->blob = blob_reader_close(o->blob);
        o->open_part = NO_PART;
        TRY(view_open(o->store->meta, &view));
        TRY(open_blob(o, view, part.body, part.size));
        o->open_part = index;
    }
    *ret = part;
    return OK;
}

typedef struct err blob_read_fn(struct blob_reader *r, uint64_t offset, void *out, size_t len);

static struct err read_parts(struct object_reader *o, uint64_t offset, char *out, size_t len,
                             blob_read_fn *read)
{
    while (len > 0) {
        struct part_entry part;
        TRY(open_part_at(o, offset, &part));
        const uint64_t left = part.offset + part.size - offset;
        const size_t n = left < len ? (size_t)left : len;

        TRY(read(o->blob, offset - part.offset, out, n));
        offset += n;
        out += n;
        len -= n;
    }
    return OK;
}

static struct err read_by(struct object_reader *o, uint64_t offset, void *out, size_t len, blob_read_fn *read)
{
    TRY(check_range(o, offset, len));
    if (len == 0) return OK;

    switch (o->kind) {
    case BODY_NONE_AT_ALL: return OK;
    case BODY_SMALL: return read_small(o, offset, out, len);
    case BODY_BLOB: return read(o->blob, offset, out, len);
    case BODY_PARTS: return read_parts(o, offset, out, len, read);
    }
    return FAIL(ERR_CORRUPT, "an object has a body of no known kind");
}

struct err object_read(struct object_reader *o, uint64_t offset, void *out, size_t len)
{
    return read_by(o, offset, out, len, blob_read);
}

struct err object_read_warm(struct object_reader *o, uint64_t offset, void *out, size_t len)
{
    return read_by(o, offset, out, len, blob_read_warm);
}

struct err object_read_file(struct object_reader *o, uint64_t offset, uint64_t len, int *ret_fd,
                            uint64_t *ret_offset)
{
    struct part_entry part;

    TRY(check_range(o, offset, len));
    if (len > 0 && o->kind == BODY_BLOB) return blob_read_file(o->blob, offset, len, ret_fd, ret_offset);
    if (len > 0 && o->kind == BODY_PARTS) {
        TRY(open_part_at(o, offset, &part));
        if (len <= part.offset + part.size - offset)
            return blob_read_file(o->blob, offset - part.offset, len, ret_fd, ret_offset);
    }
    return FAIL(ERR_UNSUPPORTED, "this range does not lie in one piece of one file");
}

struct err object_part_range(struct object_reader *o, uint32_t part, uint64_t *ret_offset, uint64_t *ret_len)
{
    struct part_entry entry = { .size = o->size }; /* part 1 of what has no parts */
    size_t index = 0;

    const bool is_there = o->kind == BODY_PARTS ? part_map_find_number(&o->map, part, &index) : part == 1;
    if (!is_there) return FAIL(ERR_INVALID_PART_NUMBER, err_text(ERR_INVALID_PART_NUMBER));
    if (o->kind == BODY_PARTS) entry = part_map_at(&o->map, index);
    *ret_offset = entry.offset;
    *ret_len = entry.size;
    return OK;
}

/* ---- all of it ---- */

struct err object_read_all(struct store *s, struct str bucket, struct str key, uint64_t bytes_max,
                           struct arena *arena, struct str *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_reader *o;
    struct object_info info;

    TRY(view_open(s->meta, &view));
    TRY(object_stat(view, bucket, key, NULL, &info));
    if (info.size > bytes_max)
        return FAIL(ERR_TOO_LARGE, "the object is larger than what may be read at once");
    char *bytes = arena_alloc(arena, info.size + 1); /* and a NUL, for those who parse it */
    if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory for an object");

    TRY(object_reader_open(s, view, &info, &o));
    view = view_close(view);
    const struct err e = object_read(o, 0, bytes, info.size);
    object_reader_close(o);
    TRY(e);
    *ret = str_of(bytes, info.size);
    return OK;
}
