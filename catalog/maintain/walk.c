/*
 * walk.c - three nested scans, begun anew at the place where the last step left them.
 */
#include "catalog/maintain/walk.h"

#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

static void begin(struct walk *w)
{
    if (w->is_begun) return;
    buf_init(&w->catalog, LIMIT_ROW_KEY);
    buf_init(&w->ns, LIMIT_ROW_KEY);
    buf_init(&w->table, LIMIT_ROW_KEY + 1);
    w->is_begun = true;
}

void walk_done(struct walk *w)
{
    if (!w->is_begun) return;
    buf_done(&w->catalog);
    buf_done(&w->ns);
    buf_done(&w->table);
    w->is_begun = false;
}

static struct err keep(struct buf *place, struct str key)
{
    buf_clear(place);
    buf_str(place, key);
    return buf_err(place);
}

struct err walk_path(struct str key, struct ns_path *ret)
{
    struct str level;

    ret->count = 0;
    if (key.len <= 8) return FAIL(ERR_CORRUPT, "the key of a namespace is damaged");
    for (struct str_split it = str_split_on(str_from(key, 8), 0x1f); str_split_next(&it, &level);) {
        if (ret->count == NAMESPACE_LEVELS_MAX) return FAIL(ERR_CORRUPT, "the key of a namespace is damaged");
        ret->levels[ret->count++] = level;
    }
    return OK;
}

/* The first row at or behind `from` that begins with prefix, in the arena. */
static struct err first_row(struct rows *view, enum space space, struct str prefix, struct str from,
                            struct arena *arena, struct str *ret_key, struct str *ret_value)
{
    struct rows_scan scan;
    struct str key, value;

    rows_scan_begin(&scan, view, space, from, false);
    *ret_key = STR_NONE;
    if (rows_scan_next(&scan, &key, &value) && str_starts(key, prefix)) {
        *ret_key = arena_str(arena, key);
        *ret_value = arena_str(arena, value);
    }
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    return ret_key->len && (!ret_key->data || !ret_value->data) ? no_memory() : OK;
}

/* Just behind key. */
static struct str after(struct str key, struct arena *arena)
{
    return arena_join(arena, key, str_of("", 1));
}

/* The next table of the namespace that w->ns names, behind w->table. */
static struct err next_table(struct walk *w, struct rows *view, struct arena *arena, struct walked *ret,
                             bool *ret_found)
{
    CLEANUP(json_freep) json_t *ns = NULL;
    struct str key, value;
    struct table_row row;
    int64_t ns_id = 0;
    const struct str ns_key_bytes = buf_view(&w->ns);

    *ret_found = false;
    const struct err e = entity_get(view, SPACE_NAMESPACES, ns_key_bytes, &ns);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(json_need_i64(ns, "id", &ns_id));
    const struct str prefix = table_key(get_be64(ns_key_bytes.data), (uint64_t)ns_id, STR(""), arena);
    if (!prefix.data) return no_memory();
    const struct str from = w->table.len ? after(buf_view(&w->table), arena) : prefix;
    TRY(first_row(view, SPACE_TABLES, prefix, from, arena, &key, &value));
    if (key.len == 0) return OK;
    TRY(keep(&w->table, key));
    TRY(table_row_decode(key, value, arena, &row));
    ret->uuid = arena_str(arena, str_from_z(row.uuid));
    ret->ident = (struct table_ident){ .name = str_from(key, 16) };
    ret->is_external = table_row_is_external(&row);
    const struct str kept = arena_str(arena, ns_key_bytes);
    if (!ret->uuid.data || !kept.data) return no_memory();
    *ret_found = true;
    return walk_path(kept, &ret->ident.ns);
}

/* Move w->ns to the next namespace of the catalog. */
static struct err next_ns(struct walk *w, struct rows *view, struct arena *arena, bool *ret_found)
{
    struct catalog_row c;
    struct str key, value;

    *ret_found = false;
    const struct err e = catalog_row_get(view, buf_view(&w->catalog), arena, &c);
    if (e.code == ERR_NO_SUCH_WAREHOUSE) return OK;
    TRY(e);
    uint8_t prefix[8];
    put_be64(prefix, c.id);
    const struct str from = w->ns.len ? after(buf_view(&w->ns), arena) : str_of(prefix, sizeof(prefix));
    TRY(first_row(view, SPACE_NAMESPACES, str_of(prefix, sizeof(prefix)), from, arena, &key, &value));
    *ret_found = key.len > 0;
    buf_clear(&w->table);
    return keep(&w->ns, key);
}

static struct err next_catalog(struct walk *w, struct rows *view, struct arena *arena, bool *ret_found)
{
    struct str key, value;
    const struct str from = w->catalog.len ? after(buf_view(&w->catalog), arena) : STR_NONE;

    TRY(first_row(view, SPACE_CATALOGS, STR_NONE, from, arena, &key, &value));
    *ret_found = key.len > 0;
    buf_clear(&w->ns);
    buf_clear(&w->table);
    return keep(&w->catalog, key);
}

struct err walk_next(struct store *s, struct walk *w, struct arena *arena, struct walked *ret,
                     bool *ret_found)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool found = false, has_ns = false, has_catalog = true;

    begin(w);
    TRY(view_open(s->meta, &view));
    if (w->ns.len) TRY(next_table(w, view, arena, ret, &found));
    while (!found && has_catalog) {
        if (w->catalog.len) TRY(next_ns(w, view, arena, &has_ns));
        else has_ns = false;
        if (has_ns) TRY(next_table(w, view, arena, ret, &found));
        else TRY(next_catalog(w, view, arena, &has_catalog));
    }
    *ret_found = found;
    if (!found) return OK;
    ret->catalog = arena_str(arena, buf_view(&w->catalog));
    return ret->catalog.data ? OK : no_memory();
}
