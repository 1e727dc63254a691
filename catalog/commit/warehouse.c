/*
 * warehouse.c - reading and writing metadata files, wherever they lie.
 */
#include "catalog/commit/warehouse.h"

#include "storage/base/limits.h"
#include "storage/object/object_get.h"
#include "storage/remote/endpoint.h"

/* What says where requests go. endpointInternal is where this server finds what clients find at endpoint. */
static const char *const address_fields[] = { "endpoint", "endpointInternal", "storageName",
                                              "pathStyleAccess", "region" };

static struct str text_of(const json_t *storage, const char *field)
{
    return json_str(json_object_get(storage, field));
}

static struct remote_place place_of(const json_t *storage)
{
    const struct str internal = text_of(storage, "endpointInternal");

    return (
        struct remote_place){ .endpoint = internal.len ? internal : text_of(storage, "endpoint"),
                              .region = text_of(storage, "region"),
                              .profile = text_of(storage, "storageName"),
                              .is_path_style = json_is_true(json_object_get(storage, "pathStyleAccess")) };
}

struct warehouse warehouse_of(struct store *s, const struct catalog_info *c)
{
    return (struct warehouse){ .store = s,
                               .base_location = c->base_location,
                               .is_external = c->is_external,
                               .place = place_of(c->storage) };
}

struct warehouse warehouse_of_row(struct store *s, const struct catalog_row *c)
{
    return (struct warehouse){ .store = s,
                               .base_location = c->base_location,
                               .is_external = c->is_external,
                               .place = place_of(json_object_get(c->json, "storage")) };
}

/* ---- files ---- */

static struct err find(const struct warehouse *w, struct str location, struct arena *arena,
                       struct remote_place *ret_place, struct str *ret_key)
{
    *ret_place = w->place;
    TRY(location_parse(location, arena, &ret_place->bucket, ret_key));
    if (w->store->remote || !w->is_external) return OK;
    return FAIL(ERR_UNAVAILABLE, "this process does not reach other S3 endpoints");
}

struct err warehouse_read(const struct warehouse *w, struct str location, struct arena *arena,
                          struct str *ret)
{
    struct remote_place place;
    struct str key;

    TRY(find(w, location, arena, &place, &key));
    if (!w->is_external) return object_read_all(w->store, place.bucket, key, LIMIT_JSON_BYTES, arena, ret);
    return remote_get(w->store->remote, &place, key, LIMIT_JSON_BYTES, arena, ret);
}

struct err warehouse_write(const struct warehouse *w, struct str location, struct str bytes,
                           struct arena *arena)
{
    struct remote_place place;
    struct str key;

    TRY(find(w, location, arena, &place, &key));
    const struct err e = remote_put(w->store->remote, &place, key, bytes, arena);
    /* None of these is the client's doing: nothing was changed, and it may try again. */
    return e.code == ERR_OK || e.code == ERR_NO_MEMORY ? e : (struct err){ ERR_UNAVAILABLE, e.why };
}

struct err warehouse_delete(const struct warehouse *w, struct str location, struct arena *arena)
{
    struct remote_place place;
    struct str key;

    TRY(find(w, location, arena, &place, &key));
    return remote_delete(w->store->remote, &place, key, arena);
}

/* ---- a new catalog ---- */

struct err warehouse_check(const json_t *storage)
{
    struct endpoint e;
    const struct str internal = text_of(storage, "endpointInternal");

    if (text_of(storage, "endpoint").len == 0)
        return FAIL(ERR_INVALID, "field 'storageConfigInfo.endpoint' must say where the catalog's files are");
    TRY(endpoint_parse(text_of(storage, "endpoint"), &e));
    return internal.len ? endpoint_parse(internal, &e) : OK;
}

bool warehouse_is_same(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < sizeof(address_fields) / sizeof(address_fields[0]); i++) {
        const json_t *x = json_object_get(a, address_fields[i]), *y = json_object_get(b, address_fields[i]);
        if (x != y && !json_equal(x, y)) return false;
    }
    return true;
}

struct err warehouse_look(struct store *s, const json_t *storage, struct str bucket, struct arena *arena,
                          bool *ret_is_external)
{
    struct remote_place place = place_of(storage);

    *ret_is_external = false;
    if (text_of(storage, "endpoint").len == 0 || !remote_has_keys(s->remote, place.profile)) return OK;
    TRY(warehouse_check(storage));
    place.bucket = bucket;
    TRY(remote_check_bucket(s->remote, &place, arena));
    *ret_is_external = true;
    return OK;
}

/* ---- places ---- */

bool place_is_external(struct str place)
{
    return str_starts(place, STR(PLACE_EXTERNAL));
}

struct str place_plain(struct str place)
{
    return place_is_external(place) ? str_from(place, sizeof(PLACE_EXTERNAL) - 1) : place;
}

struct err location_set_external(struct location_set *set, struct arena *arena)
{
    for (size_t i = 0; i < set->count; i++) {
        set->keys[i] = arena_join(arena, STR(PLACE_EXTERNAL), set->keys[i]);
        if (!set->keys[i].data) return no_memory();
    }
    return OK;
}

bool table_row_is_external(const struct table_row *row)
{
    return row->places.count && place_is_external(row->places.keys[0]);
}
