/*
 * table.c - reading tables.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/warehouse.h"
#include "storage/base/thread.h"

static struct err info_of_row(const struct table_row *row, struct arena *arena, struct table_info *ret)
{
    *ret = (struct table_info){ .location = row->location,
                                .metadata_location = row->metadata_location,
                                .version = row->version };
    memcpy(ret->uuid, row->uuid, sizeof(ret->uuid));
    return location_set_show(&row->places, row->location, arena, ret);
}

static struct err find(struct store *s, struct str catalog, const struct table_ident *t, struct arena *arena,
                       struct table_info *ret, struct warehouse *ret_warehouse)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct table_row row;

    TRY(view_open(s->meta, &view));
    TRY(table_row_get(view, catalog, t, arena, &row));
    *ret_warehouse = warehouse_of_row(s, &row.catalog);
    return info_of_row(&row, arena, ret);
}

struct err table_stat(struct store *s, struct str catalog, const struct table_ident *t, struct arena *arena,
                      struct table_info *ret)
{
    struct warehouse w;

    return find(s, catalog, t, arena, ret, &w);
}

/* The metadata file is immutable; that it is gone between the two views can only mean that a newer one replaced it. */
struct err table_load(struct store *s, struct str catalog, const struct table_ident *t, struct arena *arena,
                      struct table_info *ret)
{
    struct table_info info, again;
    struct warehouse w;

    for (int attempt = 0;; attempt++) {
        TRY(find(s, catalog, t, arena, &info, &w));
        const struct err e = warehouse_read(&w, info.metadata_location, arena, &info.metadata);
        if (e.code == ERR_OK) break;
        if (e.code != ERR_NO_SUCH_KEY && e.code != ERR_NO_SUCH_BUCKET) return e;
        TRY(table_stat(s, catalog, t, arena, &again));
        if (str_eq(again.metadata_location, info.metadata_location) || attempt == 3)
            return err_fail(ERR_INTERNAL, "the metadata file of table %.*s is gone: %.*s",
                            STR_ARG(table_ident_print(t, arena)), STR_ARG(info.metadata_location));
    }
    *ret = info;
    return OK;
}
