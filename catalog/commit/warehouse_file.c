/*
 * warehouse_file.c - one of two: an object of this store, or a window on a file of another endpoint.
 *
 * A manifest is read from front to end in windows of the reader's (64 KiB); at another endpoint each would be a request, so a larger window is fetched and read from.
 */
#include "catalog/commit/warehouse_file.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/commit/catalog_row.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"

struct warehouse_file {
    struct warehouse warehouse; /* its texts are the caller's */
    struct str place;
    uint64_t size;
    struct object_reader *reader; /* of this store */
    struct arena *arena;          /* elsewhere: of the window */
    struct str window;
    uint64_t window_at;
};

/* ---- which ---- */

struct warehouse warehouse_elsewhere(struct store *s, const json_t *storage)
{
    const struct catalog_info c = { .base_location = STR(""),
                                    .is_external = true,
                                    .storage = (json_t *)storage };
    struct warehouse w = warehouse_of(s, &c);

    w.place.is_background = true;
    return w;
}

struct err warehouse_for_upkeep(struct store *s, struct rows *r, const struct table_row *row,
                                struct arena *arena, struct warehouse *ret)
{
    struct catalog_info *all;
    size_t count;

    *ret = (struct warehouse){ .store = s, .base_location = STR("") };
    if (!table_row_is_external(row)) return OK;
    TRY(catalog_rows_list(r, arena, &all, &count));
    for (size_t i = 0; i < count; i++) {
        if (all[i].id != row->catalog_id) continue;
        *ret = warehouse_elsewhere(s, all[i].storage);
        return OK;
    }
    return FAIL(ERR_NOT_FOUND, "the catalog of a table is not there");
}

static struct err split(const struct warehouse *w, struct str place, struct remote_place *ret,
                        struct str *ret_key)
{
    if (!w->store->remote) return FAIL(ERR_UNAVAILABLE, "this process does not reach other S3 endpoints");
    *ret = w->place;
    *ret_key = str_cut(place_plain(place), '/', &ret->bucket);
    return OK;
}

bool warehouse_rests(const struct warehouse *w, struct str place)
{
    struct remote_place at;
    struct str key;

    return w->is_external && split(w, place, &at, &key).code == ERR_OK && remote_rests(w->store->remote, &at);
}

bool warehouse_is_to_blame(struct err e)
{
    static const enum err_code blamed[] = { ERR_UNAVAILABLE, ERR_CORRUPT, ERR_INVALID, ERR_PRECONDITION,
                                            ERR_TOO_LARGE };

    for (size_t i = 0; i < sizeof(blamed) / sizeof(blamed[0]); i++) {
        if (e.code == blamed[i]) return true;
    }
    return false;
}

/* ---- reading ---- */

static struct err open_here(struct warehouse_file *f)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;
    struct str bucket;
    const struct str key = str_cut(f->place, '/', &bucket);

    TRY(view_open(f->warehouse.store->meta, &view));
    TRY(object_stat(view, bucket, key, NULL, &info));
    f->size = info.size;
    return object_reader_open(f->warehouse.store, view, &info, &f->reader);
}

/* The window that begins at offset. */
static struct err fetch(struct warehouse_file *f, uint64_t offset)
{
    struct remote_place place;
    struct str key;
    uint64_t size = 0;

    arena_reset(f->arena);
    f->window = STR("");
    TRY(split(&f->warehouse, f->place, &place, &key));
    TRY(remote_read(f->warehouse.store->remote, &place, key,
                    (struct remote_piece){ offset, LIMIT_REMOTE_WINDOW }, f->arena, &f->window, &size));
    if (f->size && size != f->size) return FAIL(ERR_CORRUPT, "the file changed while it was read");
    f->size = size;
    f->window_at = offset;
    return OK;
}

static struct err open_elsewhere(struct warehouse_file *f)
{
    f->arena = arena_new(LIMIT_REMOTE_WINDOW + LIMIT_REQUEST_ARENA);
    return f->arena ? fetch(f, 0) : no_memory();
}

struct err warehouse_file_open(const struct warehouse *w, struct str place, struct warehouse_file **ret)
{
    struct warehouse_file *f = calloc(1, sizeof(*f));

    if (!f) return no_memory();
    f->warehouse = *w;
    f->place = place;
    const struct err e = w->is_external ? open_elsewhere(f) : open_here(f);
    if (e.code != ERR_OK) f = warehouse_file_close(f);
    *ret = f;
    return e;
}

struct warehouse_file *warehouse_file_close(struct warehouse_file *f)
{
    if (!f) return NULL;
    object_reader_close(f->reader);
    arena_free(f->arena);
    free(f);
    return NULL;
}

uint64_t warehouse_file_size(const struct warehouse_file *f)
{
    return f->size;
}

/* Bytes of the window from offset on; none when it does not reach there. */
static struct str in_window(const struct warehouse_file *f, uint64_t offset)
{
    if (offset < f->window_at || offset - f->window_at >= f->window.len) return STR("");
    return str_from(f->window, (size_t)(offset - f->window_at));
}

struct err warehouse_file_read(void *arg, uint64_t offset, void *out, size_t len)
{
    struct warehouse_file *f = arg;
    char *at = out;

    if (f->reader) return object_read(f->reader, offset, out, len);
    while (len) {
        if (in_window(f, offset).len == 0) TRY(fetch(f, offset));
        struct str piece = in_window(f, offset);
        if (piece.len == 0) return FAIL(ERR_CORRUPT, "the file ends before its end");
        piece = str_slice(piece, 0, len);
        memcpy(at, piece.data, piece.len);
        at += piece.len;
        offset += piece.len;
        len -= piece.len;
    }
    return OK;
}

/* ---- external alone ---- */

struct err warehouse_stat(const struct warehouse *w, struct str place, struct arena *arena,
                          struct remote_file *ret)
{
    struct remote_place at;
    struct str key;

    TRY(split(w, place, &at, &key));
    return remote_stat(w->store->remote, &at, key, arena, ret);
}

struct err warehouse_remove(const struct warehouse *w, struct str place, struct arena *arena)
{
    struct remote_place at;
    struct str key;

    TRY(split(w, place, &at, &key));
    return remote_delete(w->store->remote, &at, key, arena);
}

struct err warehouse_list(const struct warehouse *w, struct warehouse_page page, struct arena *arena,
                          struct remote_listing *ret)
{
    struct remote_place at;
    struct remote_query q = { .after = page.after, .max = page.max };

    TRY(split(w, page.place, &at, &q.prefix));
    return remote_list(w->store->remote, &at, &q, arena, ret);
}
