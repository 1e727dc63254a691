/*
 * table_write.c - metadata file, pointer, places and audit row of one table, in one transaction (design.md 8).
 */
#include "catalog/commit/table_write.h"

#include <string.h>

#include "catalog/commit/securable.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* A uuid owns places: whoever could make a second table of it would have the first one's (reliability.md D11). */
static struct err check_uuid_is_free(struct txn *txn, const struct table_write *w)
{
    struct err e = OK;

    if (rows_have(txn_rows(txn), SPACE_TABLE_IDS, str_of(w->uuid, 36), &e))
        return err_fail(ERR_LOCATION_TAKEN, "Unable to use table uuid %s: another table has it", w->uuid);
    return e;
}

/* A new table: its namespace is there, its name is free of tables and views. */
static struct err begin_new(struct txn *txn, struct str catalog, struct table_write *w, struct arena *arena,
                            struct table_row *row)
{
    struct catalog_row c;
    struct ns_row ns;

    TRY(catalog_row_get(txn_rows(txn), catalog, arena, &c));
    TRY(ns_row_get(txn_rows(txn), c.id, &w->ident.ns, arena, &ns));
    *row = (struct table_row){ .space = ident_space(&w->ident),
                               .key = table_key(c.id, ns.id, w->ident.name, arena),
                               .catalog_id = c.id,
                               .ns_id = ns.id };
    if (!row->key.data) return no_memory();
    TRY(name_check_free(txn_rows(txn), &w->ident, row->key, arena));
    return check_uuid_is_free(txn, w);
}

static struct err begin_existing(struct txn *txn, struct str catalog, const struct table_write *w,
                                 struct arena *arena, struct table_row *row)
{
    TRY(table_row_get(txn_rows(txn), catalog, &w->ident, arena, row));
    if (row->version == w->base_version) return OK;
    return err_fail(ERR_CONFLICT, "Table %.*s was changed by another commit",
                    STR_ARG(table_ident_print(&w->ident, arena)));
}

/* Registering over a table may put another table in its place: that one begins with places of its own. */
static struct err change_uuid(struct txn *txn, const struct table_write *w, struct arena *arena,
                              struct table_row *row)
{
    const struct str before = str_of(row->uuid, 36);

    if (w->is_new || str_eq_nocase(before, str_of(w->uuid, 36))) return OK;
    TRY(check_uuid_is_free(txn, w));
    for (size_t i = 0; i < row->places.count; i++) TRY(location_release(txn, row->places.keys[i], before));
    TRY(commit_note_gone(txn, row));
    row->places.count = 0;
    TRY(txn_del(txn, SPACE_TABLE_IDS, before));
    const struct securable s = securable_of_uuid(row->space == SPACE_VIEWS ? SECURABLE_VIEW : SECURABLE_TABLE,
                                                 before);
    return securable_forget(txn, &s, arena);
}

static struct err put_id(struct txn *txn, const struct table_row *row)
{
    return txn_put(txn, SPACE_TABLE_IDS, str_of(row->uuid, 36), row->key);
}

/* What lies below a place that the table has already is its own. */
static struct err take_places(struct txn *txn, const struct table_write *w, struct table_row *row)
{
    for (size_t i = 0; i < w->locations.count; i++) {
        const size_t before = row->places.count;
        TRY(location_set_add(&row->places, w->locations.keys[i]));
        if (row->places.count == before) continue;
        const struct err e = location_take(txn, w->locations.keys[i], str_of(w->uuid, 36));
        /* To a table that is there this is a wrong request and no conflict: trying again will not help (reliability.md D5). */
        if (e.code == ERR_LOCATION_TAKEN && !w->is_new) return (struct err){ ERR_INVALID, e.why };
        TRY(e);
    }
    return OK;
}

struct err table_write_fn(struct txn *txn, struct str catalog, struct table_write *w, const struct actor *who,
                          struct arena *arena)
{
    struct table_row row;

    if (w->is_new) TRY(begin_new(txn, catalog, w, arena, &row));
    else TRY(begin_existing(txn, catalog, w, arena, &row));
    TRY(change_uuid(txn, w, arena, &row));
    memcpy(row.uuid, w->uuid, sizeof(row.uuid));
    row.location = w->location;
    row.metadata_location = w->file.location;
    row.version = w->is_new ? 1 : w->base_version + 1;
    TRY(take_places(txn, w, &row));
    if (!w->is_registered) TRY(metadata_file_fn(txn, &w->file, arena));
    TRY(table_row_put(txn, &row));
    TRY(put_id(txn, &row));
    TRY(commit_note_put(txn, &row, &w->dropped));
    CLEANUP(json_freep)
    json_t *made = w->details ? NULL : json_pack("{s:o}", "location", json_of_str(w->location));
    return audit_put(txn, who, w->operation, table_ident_print(&w->ident, arena),
                     w->details ? w->details : made);
}

struct err table_write_prepare(const struct warehouse *home, const json_t *metadata, struct str previous_file,
                               struct arena *arena, struct table_write *w)
{
    struct str uuid, location;

    const char *field = w->ident.kind == METADATA_VIEW ? "view-uuid" : "table-uuid";

    TRY(json_need_str(metadata, field, &uuid));
    if (uuid.len != 36) return err_fail(ERR_INVALID, "field '%s' must be a UUID", field);
    memcpy(w->uuid, uuid.data, 36);
    TRY(json_need_str(metadata, "location", &location));
    while (location.len && location.data[location.len - 1] == '/') location.len--;
    w->location = arena_str(arena, location);
    if (!w->location.data) return no_memory();
    TRY(locations_of_metadata(metadata, home->base_location, arena, &w->locations));
    if (home->is_external) TRY(location_set_external(&w->locations, arena));
    TRY(location_set_show(&w->locations, w->location, arena, &w->shown));
    return w->is_registered ? OK : metadata_file_prepare(home, metadata, previous_file, arena, &w->file);
}

void table_write_result(const struct table_write *w, struct table_info *ret)
{
    *ret = w->shown;
    ret->location = w->location;
    ret->metadata_location = w->file.location;
    ret->metadata = w->file.bytes;
    ret->version = w->is_new ? 1 : w->base_version + 1;
    memcpy(ret->uuid, w->uuid, sizeof(ret->uuid));
}
