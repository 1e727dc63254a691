/*
 * location_rows.c - no two tables share a place: the rows of SPACE_LOCATIONS.
 *
 * A row's key is "bucket/key/" and its value the uuid of the table that owns it. The slash at the end makes "t" and "t2" different, and makes
 * "is below" the same as "begins with". Since no two rows overlap, only the nearest row on either side of a key can overlap it: two look-ups, exact, inside the
 * transaction (catalog.md 2.7; what the peers' read-then-write check gets wrong).
 */
#include "catalog/commit/warehouse.h"

#include <string.h>

/* Properties that send files somewhere else than below the table's location. */
static const char *const path_properties[] = { "write.data.path", "write.metadata.path",
                                               "write.object-storage.path", "write.folder-storage.path" };

struct err location_key(struct str url, struct arena *arena, struct str *ret)
{
    struct str bucket, key;

    TRY(location_parse(url, arena, &bucket, &key));
    const struct str text = key.len ? arena_printf(arena, "%.*s/%.*s/", STR_ARG(bucket), STR_ARG(key))
                                    : arena_printf(arena, "%.*s/", STR_ARG(bucket));
    if (!text.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = text;
    return OK;
}

bool location_is_inside(struct str inner, struct str outer)
{
    return str_starts(inner, outer);
}

static struct err taken(struct str key, struct str other)
{
    return err_fail(ERR_LOCATION_TAKEN,
                    "Unable to use location 's3://%.*s': it overlaps 's3://%.*s' of another table",
                    STR_ARG(key), STR_ARG(other));
}

/* The nearest row in one direction: is it another's, and does it overlap? */
static struct err check_neighbour(struct txn *txn, struct str key, struct str uuid, bool is_backward)
{
    struct rows_scan scan;
    struct str other, owner;
    struct err e = OK;

    rows_scan_begin(&scan, txn_rows(txn), SPACE_LOCATIONS, key, is_backward);
    while (e.code == ERR_OK && rows_scan_next(&scan, &other, &owner)) {
        const bool overlaps = str_starts(other, key) || str_starts(key, other);
        if (!overlaps) break;
        if (!str_eq(owner, uuid)) e = taken(key, other);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err location_take(struct txn *txn, struct str key, struct str uuid)
{
    TRY(check_neighbour(txn, key, uuid, false));
    TRY(check_neighbour(txn, key, uuid, true));
    return txn_put(txn, SPACE_LOCATIONS, key, uuid);
}

struct err location_release(struct txn *txn, struct str key, struct str uuid)
{
    struct str owner;
    const struct err e = rows_get(txn_rows(txn), SPACE_LOCATIONS, key, &owner);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    return str_eq(owner, uuid) ? txn_del(txn, SPACE_LOCATIONS, key) : OK;
}

struct err location_set_add(struct location_set *set, struct str key)
{
    for (size_t i = 0; i < set->count; i++) {
        if (location_is_inside(key, set->keys[i])) return OK;
    }
    if (set->count == LOCATIONS_MAX)
        return err_fail(ERR_INVALID, "Invalid location: a table may have had at most %d locations",
                        LOCATIONS_MAX);
    set->keys[set->count++] = key;
    return OK;
}

struct err location_set_show(const struct location_set *set, struct str location, struct arena *arena,
                             struct table_info *ret)
{
    TRY(location_key(location, arena, &ret->places[0]));
    ret->place_count = 1;
    ret->is_external = set->count && place_is_external(set->keys[0]);
    for (size_t i = 0; i < set->count && ret->place_count < TABLE_PLACES_SHOWN; i++) {
        const struct str place = place_plain(set->keys[i]);
        if (!location_is_inside(place, ret->places[0])) ret->places[ret->place_count++] = place;
    }
    return OK;
}

static struct err add_location(struct location_set *set, struct str url, const char *what, struct str base,
                               struct arena *arena)
{
    struct str key;

    TRY(location_key(url, arena, &key));
    if (!location_is_inside(key, base))
        return err_fail(
            ERR_INVALID,
            "Invalid location '%.*s' for %s: it is outside of the catalog's base location 's3://%.*s'",
            STR_ARG(url), what, STR_ARG(base));
    if (key.len == base.len)
        return err_fail(ERR_INVALID,
                        "Invalid location '%.*s' for %s: it is the catalog's base location itself",
                        STR_ARG(url), what);
    return location_set_add(set, key);
}

struct err locations_of_metadata(const json_t *metadata, struct str base_location, struct arena *arena,
                                 struct location_set *ret)
{
    struct location_set set = { .count = 0 };
    struct str base, url;
    const json_t *properties = json_object_get(metadata, "properties");

    TRY(location_key(base_location, arena, &base));
    TRY(json_need_str(metadata, "location", &url));
    TRY(add_location(&set, url, "the table", base, arena));
    for (size_t i = 0; i < sizeof(path_properties) / sizeof(path_properties[0]); i++) {
        const struct str path = json_str(json_object_get(properties, path_properties[i]));
        if (path.len) TRY(add_location(&set, path, path_properties[i], base, arena));
    }
    *ret = set;
    return OK;
}

struct err table_of_key(struct rows *r, struct str bucket, struct str key, struct arena *arena,
                        struct str *ret_uuid)
{
    struct rows_scan scan;
    struct str place, uuid;
    struct err e = FAIL(ERR_NOT_FOUND, "no table lives there");
    const struct str whole = arena_printf(arena, "%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));

    if (!whole.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    /* With its NUL: the scan ends before where it begins, and the place itself is of the table too. */
    rows_scan_begin(&scan, r, SPACE_LOCATIONS, str_of(whole.data, whole.len + 1), true);
    if (rows_scan_next(&scan, &place, &uuid) && str_starts(whole, place)) {
        *ret_uuid = arena_str(arena, uuid);
        e = ret_uuid->data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    }
    if (scan.err.code != ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}
