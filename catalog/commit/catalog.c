/*
 * catalog.c - catalogs: a name, and the place in the store below which its tables live.
 */
#include "catalog/commit/catalog.h"

#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

struct ensure_plan {
    struct str name, base_location, bucket;
    const struct actor *who;
    struct arena *arena;
};

static struct err ensure_existing(const struct ensure_plan *plan, const struct catalog_row *row)
{
    if (str_eq(row->base_location, plan->base_location)) return OK;
    return err_fail(ERR_EXISTS, "catalog '%.*s' exists with the base location '%.*s'", STR_ARG(plan->name),
                    STR_ARG(row->base_location));
}

static struct err ensure_fn(struct txn *txn, void *arg)
{
    const struct ensure_plan *plan = arg;
    struct bucket_info bucket;
    struct catalog_row row;
    uint64_t id;
    const struct err e = catalog_row_get(txn_rows(txn), plan->name, plan->arena, &row);

    if (e.code == ERR_OK) return ensure_existing(plan, &row);
    if (e.code != ERR_NO_SUCH_WAREHOUSE) return e;
    TRY(bucket_get(txn_rows(txn), plan->bucket, plan->arena, &bucket));
    TRY(entity_new_id(txn, &id));
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:I, s:o, s:s, s:I, s:{}}", "id", (json_int_t)id, "base-location",
                             json_of_str(plan->base_location), "type", "INTERNAL", "created-ms",
                             (json_int_t)clock_now_ms(), "properties");
    TRY(entity_put(txn, SPACE_CATALOGS, plan->name, json));
    return audit_put(txn, plan->who, "CreateCatalog", plan->name, json);
}

struct err catalog_ensure(struct store *s, struct str name, struct str base_location, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct ensure_plan plan = { .name = name, .base_location = base_location, .who = who, .arena = arena };
    struct str key;

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(table_name_check(name));
    TRY(location_parse(base_location, arena, &plan.bucket, &key));
    return meta_run(s->meta, ensure_fn, &plan);
}

static struct err catalog_of_row(const struct catalog_row *row, struct str name, struct arena *arena,
                                 struct catalog_info *ret)
{
    struct catalog_info info = { .id = row->id,
                                 .name = arena_str(arena, name),
                                 .base_location = row->base_location };

    if (!info.name.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(json_want_i64(row->json, "created-ms", &info.created_ms));
    *ret = info;
    return OK;
}

struct err catalog_get(struct store *s, struct str name, struct arena *arena, struct catalog_info *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_row row;

    TRY(view_open(s->meta, &view));
    TRY(catalog_row_get(view, name, arena, &row));
    return catalog_of_row(&row, name, arena, ret);
}

enum { CATALOGS_MAX = 1000 };

static struct err list_into(struct rows *view, struct arena *arena, struct catalog_info *all, size_t *count)
{
    struct rows_scan scan;
    struct str name, value;
    struct err e = OK;

    rows_scan_begin(&scan, view, SPACE_CATALOGS, STR_NONE, false);
    while (e.code == ERR_OK && *count < CATALOGS_MAX && rows_scan_next(&scan, &name, &value)) {
        struct catalog_row row;
        const struct str kept = arena_str(arena, name);
        e = catalog_row_get(view, kept, arena, &row);
        if (e.code == ERR_OK) e = catalog_of_row(&row, kept, arena, &all[(*count)++]);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err catalog_list(struct store *s, struct arena *arena, struct catalog_info **ret, size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct catalog_info *all = arena_array(arena, struct catalog_info, CATALOGS_MAX);
    size_t count = 0;

    if (!all) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(view_open(s->meta, &view));
    TRY(list_into(view, arena, all, &count));
    *ret = all;
    *ret_count = count;
    return OK;
}
