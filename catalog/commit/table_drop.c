/*
 * table_drop.c - renaming and dropping tables.
 *
 * Dropping is one transaction: the name is free at once. With purge a row of SPACE_PURGES is written with it, and the table keeps its places
 * until its files are gone (table_purge.c), so that no other table can be made where files are being deleted.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/commit_note.h"
#include "catalog/commit/entity.h"
#include "catalog/commit/securable.h"
#include "catalog/commit/warehouse.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- rename ---- */

struct rename_plan {
    struct str catalog;
    const struct table_ident *from, *to;
    const struct actor *who;
    struct arena *arena;
};

/* The reference has words of its own where a view is in it. */
static struct err rename_check(const struct rename_plan *plan, struct err e)
{
    const struct str from = table_ident_print(plan->from, plan->arena),
                     to = table_ident_print(plan->to, plan->arena);
    const bool is_taken = e.code == ERR_TABLE_EXISTS || e.code == ERR_VIEW_EXISTS;

    if (!is_taken || (e.code == ERR_TABLE_EXISTS && plan->from->kind == METADATA_TABLE)) return e;
    return err_fail(e.code, "Cannot rename %.*s to %.*s. %s already exists", STR_ARG(from), STR_ARG(to),
                    e.code == ERR_VIEW_EXISTS ? "View" : "Table");
}

static struct err rename_fn(struct txn *txn, void *arg)
{
    struct rename_plan *plan = arg;
    struct table_row row;
    struct ns_row ns;

    TRY(table_row_get(txn_rows(txn), plan->catalog, plan->from, plan->arena, &row));
    TRY(ns_row_get(txn_rows(txn), row.catalog_id, &plan->to->ns, plan->arena, &ns));
    const struct str key = table_key(row.catalog_id, ns.id, plan->to->name, plan->arena);
    if (!key.data) return no_memory();
    TRY(rename_check(plan, name_check_free(txn_rows(txn), plan->to, key, plan->arena)));
    TRY(txn_del(txn, row.space, row.key));
    row.key = key;
    TRY(table_row_put(txn, &row));
    TRY(txn_put(txn, SPACE_TABLE_IDS, str_of(row.uuid, 36), key));
    CLEANUP(json_freep)
    json_t *details = json_pack("{s:o}", "to", json_of_str(table_ident_print(plan->to, plan->arena)));
    return audit_put(txn, plan->who, row.space == SPACE_VIEWS ? "RenameView" : "RenameTable",
                     table_ident_print(plan->from, plan->arena), details);
}

struct err table_rename(struct store *s, struct str catalog, const struct table_ident *from,
                        const struct table_ident *to, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct rename_plan plan = { .catalog = catalog, .from = from, .to = to, .who = who, .arena = arena };

    if (!arena) return no_memory();
    TRY(table_name_check(to->name));
    return meta_run(s->meta, rename_fn, &plan);
}

/* ---- drop ---- */

struct drop_plan {
    struct str catalog;
    const struct table_ident *ident;
    bool is_purge;
    const struct actor *who;
    struct arena *arena;
    struct uid uid; /* of the purge */
};

/* The purge owns the places from now on, under an id of its own: the same table registered again meanwhile must not get files that are being deleted. */
static struct err queue_purge(struct txn *txn, struct drop_plan *plan, const struct table_row *row)
{
    CLEANUP(json_freep) json_t *list = json_array();
    char owner[2 * sizeof(plan->uid.bytes) + 1];

    hex_z(plan->uid.bytes, sizeof(plan->uid.bytes), owner);
    for (size_t i = 0; i < row->places.count; i++) {
        json_array_append_new(list, json_of_str(row->places.keys[i]));
        TRY(txn_put(txn, SPACE_LOCATIONS, row->places.keys[i], str_from_z(owner)));
    }
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:s, s:s, s:O}", "uuid", row->uuid, "owner", owner, "places", list);
    /* Kept as it is now: the catalog may go before its files do. */
    if (table_row_is_external(row)
        && json_object_set(json, "storage", json_object_get(row->catalog.json, "storage")) != 0)
        return no_memory();
    return entity_put(txn, SPACE_PURGES, str_of(plan->uid.bytes, sizeof(plan->uid.bytes)), json);
}

static struct err drop_fn(struct txn *txn, void *arg)
{
    struct drop_plan *plan = arg;
    struct table_row row;

    TRY(table_row_get(txn_rows(txn), plan->catalog, plan->ident, plan->arena, &row));
    TRY(txn_del(txn, row.space, row.key));
    TRY(txn_del(txn, SPACE_TABLE_IDS, str_of(row.uuid, 36)));
    const struct securable s = securable_of_uuid(row.space == SPACE_VIEWS ? SECURABLE_VIEW : SECURABLE_TABLE,
                                                 str_from_z(row.uuid));
    TRY(securable_forget(txn, &s, plan->arena));
    TRY(commit_note_gone(txn, &row));
    if (plan->is_purge) TRY(queue_purge(txn, plan, &row));
    for (size_t i = 0; i < row.places.count && !plan->is_purge; i++)
        TRY(location_release(txn, row.places.keys[i], str_of(row.uuid, 36)));
    CLEANUP(json_freep) json_t *details = json_pack("{s:s, s:b}", "uuid", row.uuid, "purge", plan->is_purge);
    return audit_put(txn, plan->who, row.space == SPACE_VIEWS ? "DropView" : "DropTable",
                     table_ident_print(plan->ident, plan->arena), details);
}

struct err table_drop(struct store *s, struct str catalog, const struct table_ident *t, bool is_purge,
                      const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct drop_plan plan = {
        .catalog = catalog, .ident = t, .is_purge = is_purge, .who = who, .arena = arena, .uid = ids_uid()
    };

    if (!arena) return no_memory();
    return meta_run_freeing(s->meta, drop_fn, &plan);
}
