/*
 * entity.c - rows of the catalog as JSON, and how they are found by name.
 *
 * A namespace's key is its catalog's id and its levels joined by 0x1F, which no level may hold: so children follow their parent, before
 * any sibling whose name only begins the same.
 */
#include "catalog/commit/entity.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

static void json_drop(void *arg)
{
    json_decref(arg);
}

bool json_defer(struct arena *arena, json_t *json)
{
    if (arena_defer(arena, json_drop, json)) return true;
    json_decref(json);
    return false;
}

/* ---- values ---- */

struct err entity_parse(struct str value, json_t **ret)
{
    json_t *json = NULL;
    const struct err e = json_parse(value, &json);

    if (e.code == ERR_NO_MEMORY) return e;
    if (e.code != ERR_OK || !json_is_object(json)) {
        json_decref(json);
        return FAIL(ERR_CORRUPT, "a catalog row is not a JSON object");
    }
    *ret = json;
    return OK;
}

struct err entity_get(struct rows *r, enum space space, struct str key, json_t **ret)
{
    struct str value;

    TRY(rows_get(r, space, key, &value));
    return entity_parse(value, ret);
}

struct err entity_put(struct txn *txn, enum space space, struct str key, const json_t *value)
{
    struct buf out;

    buf_init(&out, ENTITY_ROW_BYTES);
    struct err e = value ? json_print(value, &out) : no_memory();
    if (e.code == ERR_OK) e = buf_err(&out);
    if (e.code == ERR_OK) e = txn_put(txn, space, key, buf_view(&out));
    buf_done(&out);
    return e;
}

struct err entity_new_id(struct txn *txn, uint64_t *ret)
{
    uint8_t bytes[8];
    struct str value;
    uint64_t id = 1;
    const struct err e = rows_get(txn_rows(txn), SPACE_SYSTEM, STR("catalog-next-id"), &value);

    if (e.code != ERR_NOT_FOUND) {
        TRY(e);
        if (value.len != 8) return FAIL(ERR_CORRUPT, "the counter of catalog ids is damaged");
        id = get_le64(value.data);
    }
    put_le64(bytes, id + 1);
    TRY(txn_put(txn, SPACE_SYSTEM, STR("catalog-next-id"), str_of(bytes, sizeof(bytes))));
    *ret = id;
    return OK;
}

/* ---- keys ---- */

struct str ns_key(uint64_t catalog_id, const struct ns_path *path, struct arena *arena)
{
    size_t len = 8;

    for (size_t i = 0; i < path->count; i++) len += path->levels[i].len + (i > 0);
    char *out = arena_alloc(arena, len);
    if (!out) return STR_NONE;
    put_be64(out, catalog_id);
    char *at = out + 8;
    for (size_t i = 0; i < path->count; i++) {
        if (i > 0) *at++ = 0x1f;
        memcpy(at, path->levels[i].data, path->levels[i].len);
        at += path->levels[i].len;
    }
    return str_of(out, len);
}

struct str table_key(uint64_t catalog_id, uint64_t ns_id, struct str name, struct arena *arena)
{
    char *out = arena_alloc(arena, 16 + name.len);

    if (!out) return STR_NONE;
    put_be64(out, catalog_id);
    put_be64(out + 8, ns_id);
    if (name.len) memcpy(out + 16, name.data, name.len);
    return str_of(out, 16 + name.len);
}

/* ---- by name ---- */

/* A row's id, always positive. */
static struct err row_id(const json_t *json, const char *field, uint64_t *ret)
{
    int64_t id;

    if (json_need_i64(json, field, &id).code != ERR_OK || id <= 0)
        return FAIL(ERR_CORRUPT, "a catalog row has no id");
    *ret = (uint64_t)id;
    return OK;
}

struct err catalog_row_get(struct rows *r, struct str name, struct arena *arena, struct catalog_row *ret)
{
    struct catalog_row row = { 0 };
    const struct err e = entity_get(r, SPACE_CATALOGS, name, &row.json);

    if (e.code == ERR_NOT_FOUND || e.code == ERR_INVALID)
        return err_fail(ERR_NO_SUCH_WAREHOUSE, "Unable to find warehouse %.*s", STR_ARG(name));
    TRY(e);
    if (!json_defer(arena, row.json)) return no_memory();
    TRY(row_id(row.json, "id", &row.id));
    TRY(json_need_str(row.json, "base-location", &row.base_location));
    TRY(json_want_bool(row.json, "external", &row.is_external));
    *ret = row;
    return OK;
}

struct err ns_row_get(struct rows *r, uint64_t catalog_id, const struct ns_path *path, struct arena *arena,
                      struct ns_row *ret)
{
    struct ns_row row = { 0 };
    const struct str key = ns_key(catalog_id, path, arena);

    if (!key.data) return no_memory();
    const struct err e = entity_get(r, SPACE_NAMESPACES, key, &row.json);
    if (e.code == ERR_NOT_FOUND || e.code == ERR_INVALID)
        return err_fail(ERR_NO_SUCH_NAMESPACE, "Namespace does not exist: %.*s",
                        STR_ARG(ns_path_print(path, arena)));
    TRY(e);
    if (!json_defer(arena, row.json)) return no_memory();
    TRY(row_id(row.json, "id", &row.id));
    *ret = row;
    return OK;
}

static struct err decode_places(const json_t *json, struct location_set *ret)
{
    json_t *list, *place;
    size_t i;

    TRY(json_need_array(json, "places", &list));
    json_array_foreach(list, i, place)
    {
        TRY(location_set_add(ret, json_str(place)));
    }
    return OK;
}

struct err table_row_decode(struct str key, struct str value, struct arena *arena, struct table_row *ret)
{
    struct table_row row = { .key = arena_str(arena, key) };
    struct str uuid;
    json_t *json;

    TRY(entity_parse(value, &json));
    if (!json_defer(arena, json) || !row.key.data) return no_memory();
    TRY(json_need_str(json, "uuid", &uuid));
    TRY(json_need_str(json, "location", &row.location));
    TRY(json_need_str(json, "metadata-location", &row.metadata_location));
    TRY(row_id(json, "version", &row.version));
    TRY(decode_places(json, &row.places));
    if (uuid.len != 36 || key.len < 17) return FAIL(ERR_CORRUPT, "a table's row is damaged");
    memcpy(row.uuid, uuid.data, 36);
    row.catalog_id = get_be64(key.data);
    row.ns_id = get_be64(key.data + 8);
    *ret = row;
    return OK;
}

static struct err no_table(const struct table_ident *t, struct arena *arena)
{
    const struct str name = table_ident_print(t, arena);

    if (t->kind == METADATA_VIEW)
        return err_fail(ERR_NO_SUCH_VIEW, "View does not exist: %.*s", STR_ARG(name));
    return err_fail(ERR_NO_SUCH_TABLE, "Table does not exist: %.*s", STR_ARG(name));
}

enum space ident_space(const struct table_ident *t)
{
    return t->kind == METADATA_VIEW ? SPACE_VIEWS : SPACE_TABLES;
}

struct err name_check_free(struct rows *r, const struct table_ident *t, struct str key, struct arena *arena)
{
    const char *same_kind = t->kind == METADATA_VIEW ? "View already exists" : "Table already exists";
    const struct str name = table_ident_print(t, arena);
    struct err e = OK;

    if (rows_have(r, SPACE_TABLES, key, &e))
        return err_fail(ERR_TABLE_EXISTS, "%s: %.*s",
                        t->kind == METADATA_TABLE ? same_kind : "Table with same name already exists",
                        STR_ARG(name));
    TRY(e);
    if (rows_have(r, SPACE_VIEWS, key, &e))
        return err_fail(ERR_VIEW_EXISTS, "%s: %.*s",
                        t->kind == METADATA_VIEW ? same_kind : "View with same name already exists",
                        STR_ARG(name));
    return e;
}

struct err table_row_get(struct rows *r, struct str catalog, const struct table_ident *t, struct arena *arena,
                         struct table_row *ret)
{
    struct catalog_row c;
    struct ns_row ns;
    struct str value;

    TRY(catalog_row_get(r, catalog, arena, &c));
    struct err e = ns_row_get(r, c.id, &t->ns, arena, &ns);
    if (e.code == ERR_NO_SUCH_NAMESPACE) return no_table(t, arena);
    TRY(e);
    const struct str key = table_key(c.id, ns.id, t->name, arena);
    if (!key.data) return no_memory();
    e = rows_get(r, ident_space(t), key, &value);
    if (e.code == ERR_NOT_FOUND) return no_table(t, arena);
    TRY(e);
    TRY(table_row_decode(key, value, arena, ret));
    ret->space = ident_space(t);
    ret->catalog = c;
    return OK;
}

struct err table_row_put(struct txn *txn, const struct table_row *row)
{
    json_t *places = json_array();

    for (size_t i = 0; i < row->places.count; i++)
        json_array_append_new(places, json_of_str(row->places.keys[i]));
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:s, s:o, s:o, s:I, s:o}", "uuid", row->uuid, "location",
                             json_of_str(row->location), "metadata-location",
                             json_of_str(row->metadata_location), "version", (json_int_t)row->version,
                             "places", places);
    return entity_put(txn, row->space, row->key, json);
}
