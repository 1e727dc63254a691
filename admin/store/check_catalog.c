/*
 * check_catalog.c - catalogs, namespaces, tables, views and their places: does each point at what is there, and is it pointed at?
 */
#include <string.h>

#include "admin/store/check_state.h"
#include "catalog/commit/guarded.h"
#include "catalog/commit/warehouse.h"
#include "storage/base/encode.h"

#define ID_BYTES 8
#define UUID_BYTES 36

static struct err entity_of(struct check *c, struct str value, json_t **ret)
{
    json_t *json;

    TRY(entity_parse(value, &json));
    if (!json_defer(c->scratch, json)) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = json;
    return OK;
}

static struct err id_of(const json_t *json, uint8_t out[ID_BYTES])
{
    int64_t id;

    TRY(json_need_i64(json, "id", &id));
    put_be64(out, (uint64_t)id);
    return OK;
}

/* The property and the row that deletes look at say the same. */
static struct err check_guard(struct check *c, const json_t *catalog, uint64_t id)
{
    struct str location, bucket, path;
    uint64_t guarding = 0;
    bool on = false;

    TRY(guarded_by(json_object_get(catalog, "properties"), &on));
    TRY(json_need_str(catalog, "base-location", &location));
    TRY(location_parse(location, c->scratch, &bucket, &path));
    path = arena_printf(c->scratch, "%.*s%sx", STR_ARG(path), path.len ? "/" : "");
    if (!path.data) return no_memory();
    TRY(guarded_find(c->view, bucket, path, &guarding));
    if (on == (guarding == id)) return OK;
    return on ? FAIL(ERR_CORRUPT, "its live files are not guarded, though its property says so")
              : FAIL(ERR_CORRUPT, "its live files are guarded, though its property does not say so");
}

struct err check_catalog(struct check *c, struct str key, struct str value)
{
    uint8_t id[ID_BYTES];
    json_t *json;

    (void)key;
    TRY(entity_of(c, value, &json));
    TRY(id_of(json, id));
    TRY(known_ids_add(&c->catalogs, str_of(id, sizeof(id))));
    return check_guard(c, json, get_be64(id));
}

/* A row that holds the key of another: is it the one of this key? */
static struct err check_points_back(struct check *c, enum space space, struct str id, struct str key)
{
    struct str found;
    const struct err e = rows_get(c->view, space, id, &found);

    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_CORRUPT, "its id leads nowhere");
    TRY(e);
    return str_eq(found, key) ? OK : FAIL(ERR_CORRUPT, "its id leads to something else");
}

struct err check_namespace(struct check *c, struct str key, struct str value)
{
    uint8_t id[ID_BYTES];
    json_t *json;

    TRY(entity_of(c, value, &json));
    TRY(id_of(json, id));
    if (!known_ids_has(&c->catalogs, str_slice(key, 0, ID_BYTES)))
        return FAIL(ERR_CORRUPT, "its catalog is not there");
    return check_points_back(c, SPACE_NAMESPACE_IDS, str_of(id, sizeof(id)), key);
}

struct err check_namespace_id(struct check *c, struct str key, struct str value)
{
    (void)key;
    return check_has_row(c, SPACE_NAMESPACES, value, "namespace");
}

/* ---- tables and views ---- */

static struct err check_metadata_file(struct check *c, struct str location)
{
    struct object_info info;
    struct str bucket, key;

    TRY(location_parse(location, c->scratch, &bucket, &key));
    const struct err e = object_stat(c->view, bucket, key, NULL, &info);
    if (e.code == ERR_NO_SUCH_BUCKET || e.code == ERR_NO_SUCH_KEY)
        return err_fail(ERR_CORRUPT, "its metadata file is not there: %.*s", STR_ARG(location));
    return e;
}

static struct err check_places(struct check *c, const struct table_row *row)
{
    for (size_t i = 0; i < row->places.count; i++) {
        struct str owner;
        const struct err e = rows_get(c->view, SPACE_LOCATIONS, row->places.keys[i], &owner);
        if (e.code == ERR_NOT_FOUND || (!e.code && !str_eq(owner, str_of(row->uuid, UUID_BYTES))))
            return err_fail(ERR_CORRUPT, "its place %.*s is not its own", STR_ARG(row->places.keys[i]));
        TRY(e);
    }
    return OK;
}

struct err check_table(struct check *c, struct str key, struct str value)
{
    struct table_row row;
    uint8_t ns[ID_BYTES];

    TRY(table_row_decode(key, value, c->scratch, &row));
    if (!known_ids_has(&c->catalogs, str_slice(key, 0, ID_BYTES)))
        return FAIL(ERR_CORRUPT, "its catalog is not there");
    put_be64(ns, row.ns_id);
    TRY(check_has_row(c, SPACE_NAMESPACE_IDS, str_of(ns, sizeof(ns)), "namespace"));
    TRY(check_points_back(c, SPACE_TABLE_IDS, str_of(row.uuid, UUID_BYTES), key));
    /* What lies at another endpoint is not this store's to check. */
    if (!table_row_is_external(&row)) TRY(check_metadata_file(c, row.metadata_location));
    return check_places(c, &row);
}

struct err check_table_id(struct check *c, struct str key, struct str value)
{
    struct err e = OK;

    (void)key;
    if (rows_have(c->view, SPACE_TABLES, value, &e)) return OK;
    TRY(e);
    return check_has_row(c, SPACE_VIEWS, value, "table or view");
}

/* Whose it is: a table's or view's by its uuid, or a purge's by its id in hex. */
struct err check_location(struct check *c, struct str key, struct str value)
{
    uint8_t purge[16];

    (void)key;
    if (hex_from(value, purge, sizeof(purge)))
        return check_has_row(c, SPACE_PURGES, str_of(purge, sizeof(purge)), "purge, whose place it is");
    return check_has_row(c, SPACE_TABLE_IDS, value, "table or view, whose place it is");
}
