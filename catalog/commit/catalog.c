/*
 * catalog.c - reading catalogs: a name, and the place in the store below which its tables live. catalog_change.c makes, changes and drops them.
 *
 * Rows of earlier versions have neither a version nor storage: they read as version 1, of storage S3 in their base location.
 */
#include "catalog/commit/catalog.h"

#include "catalog/commit/catalog_row.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

static json_t *properties_of(const struct catalog_row *row)
{
    json_t *properties = json_deep_copy(json_object_get(row->json, "properties"));

    if (!properties) properties = json_object();
    if (properties && !json_object_get(properties, BASE_LOCATION_PROPERTY))
        (void)json_object_set_new(properties, BASE_LOCATION_PROPERTY, json_of_str(row->base_location));
    return properties;
}

static json_t *storage_of(const struct catalog_row *row)
{
    json_t *storage = json_object_get(row->json, "storage");

    if (storage) return json_incref(storage);
    return json_pack("{s:s, s:[o]}", "storageType", "S3", "allowedLocations",
                     json_of_str(row->base_location));
}

struct err catalog_row_info(const struct catalog_row *row, struct str name, struct arena *arena,
                            struct catalog_info *ret)
{
    struct catalog_info info = {
        .id = row->id,
        .name = arena_str(arena, name),
        .base_location = row->base_location,
        .version = 1,
        .is_external = row->is_external,
    };

    if (!info.name.data) return no_memory();
    TRY(json_want_i64(row->json, "created-ms", &info.created_ms));
    info.updated_ms = info.created_ms;
    TRY(json_want_i64(row->json, "updated-ms", &info.updated_ms));
    TRY(json_want_i64(row->json, "version", &info.version));
    info.properties = properties_of(row);
    if (!info.properties || !json_defer(arena, info.properties)) return no_memory();
    info.storage = storage_of(row);
    if (!info.storage || !json_defer(arena, info.storage)) return no_memory();
    *ret = info;
    return OK;
}

struct err catalog_get(struct store *s, struct str name, struct arena *arena, struct catalog_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row row;

    TRY(view_open(s->meta, &view));
    TRY(catalog_row_get(view, name, arena, &row));
    return catalog_row_info(&row, name, arena, ret);
}

struct err catalog_rows_list(struct rows *r, struct arena *arena, struct catalog_info **ret,
                             size_t *ret_count)
{
    struct catalog_info *all = arena_array(arena, struct catalog_info, LIMIT_CATALOGS);
    struct rows_scan scan;
    struct str name, value;
    struct err e = OK;
    size_t count = 0;

    if (!all) return no_memory();
    rows_scan_begin(&scan, r, SPACE_CATALOGS, STR_NONE, false);
    while (e.code == ERR_OK && count < LIMIT_CATALOGS && rows_scan_next(&scan, &name, &value)) {
        struct catalog_row row;
        const struct str kept = arena_str(arena, name);
        e = kept.data ? catalog_row_get(r, kept, arena, &row) : no_memory();
        if (e.code == ERR_OK) e = catalog_row_info(&row, kept, arena, &all[count++]);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = all;
    *ret_count = count;
    return OK;
}

struct err catalog_list(struct store *s, struct arena *arena, struct catalog_info **ret, size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(s->meta, &view));
    return catalog_rows_list(view, arena, ret, ret_count);
}
