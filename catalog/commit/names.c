/*
 * names.c - lists of names in order, by pages: namespaces, tables, views.
 *
 * A page token is the last name given, so a list stays right while names come and go between its pages.
 */
#include "catalog/commit/catalog.h"

#include "catalog/commit/entity.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

struct lister {
    struct arena *arena;
    struct name_page *page;
    size_t size, room; /* of the page (0: all); of names */
};

static struct err add_name(struct lister *l, struct str name)
{
    struct name_page *p = l->page;

    struct str *names = arena_grow(l->arena, p->names, p->count, &l->room, sizeof(*names));

    if (!names) return no_memory();
    p->names = names;
    p->names[p->count] = arena_str(l->arena, name);
    return p->names[p->count++].data ? OK : no_memory();
}

static bool is_full(struct lister *l)
{
    if (l->size == 0 || l->page->count < l->size) return false;
    l->page->next = l->page->names[l->page->count - 1];
    return true;
}

/* Where a scan begins: at the prefix, or just behind the token's subtree. */
static struct str scan_start(struct str prefix, struct str token, const char *behind, struct arena *arena)
{
    if (token.len == 0) return prefix;
    return arena_join(arena, arena_join(arena, prefix, token), str_from_z(behind));
}

/* ---- namespaces ---- */

/* From a child the scan goes on behind all below it: "name 0x1F ..." ends before "name 0x20". */
static struct err list_children(struct lister *l, struct rows *view, struct str prefix, struct str token)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;
    const struct str from = scan_start(prefix, token, "\x20", l->arena);

    if (!from.data) return no_memory();
    rows_scan_begin(&scan, view, SPACE_NAMESPACES, from, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, prefix)) {
        const struct str rest = str_from(key, prefix.len);
        const struct str name = str_slice(rest, 0, str_find_char(rest, 0x1f));
        if (l->page->count && str_eq(name, l->page->names[l->page->count - 1])) continue;
        if (name.len < rest.len) continue; /* below a sibling that the token named */
        if (is_full(l)) break;
        e = add_name(l, name);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err ns_list(struct store *s, struct str catalog, const struct ns_path *parent, struct str token,
                   size_t page_size, struct arena *arena, struct name_page *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct name_page page = { .count = 0 };
    struct lister l = { .arena = arena, .page = &page, .size = page_size };
    struct catalog_row c;
    struct ns_row row;

    TRY(view_open(s->meta, &view));
    TRY(catalog_row_get(view, catalog, arena, &c));
    if (parent->count) TRY(ns_row_get(view, c.id, parent, arena, &row));
    struct str prefix = ns_key(c.id, parent, arena);
    if (parent->count && prefix.data) prefix = arena_join(arena, prefix, STR("\x1f"));
    if (!prefix.data) return no_memory();
    TRY(list_children(&l, view, prefix, token));
    *ret = page;
    return OK;
}

/* ---- tables ---- */

static struct err list_names(struct lister *l, struct rows *view, enum space space, struct str prefix,
                             struct str token)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;
    const struct str from = scan_start(prefix, token, "\x01",
                                       l->arena); /* no name holds a control character */

    if (!from.data) return no_memory();
    rows_scan_begin(&scan, view, space, from, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, prefix)) {
        if (is_full(l)) break;
        e = add_name(l, str_from(key, prefix.len));
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err table_list(struct store *s, struct str catalog, const struct name_query *q, struct arena *arena,
                      struct name_page *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct name_page page = { .count = 0 };
    struct lister l = { .arena = arena, .page = &page, .size = q->page_size };
    struct catalog_row c;
    struct ns_row row;

    TRY(view_open(s->meta, &view));
    TRY(catalog_row_get(view, catalog, arena, &c));
    TRY(ns_row_get(view, c.id, q->ns, arena, &row));
    const struct str prefix = table_key(c.id, row.id, STR_NONE, arena);
    if (!prefix.data) return no_memory();
    TRY(list_names(&l, view, q->kind == METADATA_VIEW ? SPACE_VIEWS : SPACE_TABLES, prefix, q->token));
    *ret = page;
    return OK;
}
