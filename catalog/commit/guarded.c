/*
 * guarded.c - the rows of guarded places.
 *
 * A row's value is a JSON object, {"places": [{"place": "bucket/path/", "catalog": 7}, ...]}: of all guarding catalogs whose base location lies in the bucket. No two of them overlap
 * (catalog_change.c), so at most one has a key.
 */
#include "catalog/commit/guarded.h"

#include <string.h>

#include "storage/base/thread.h"

#define ROW_NAME "guarded/"
enum { ROW_NAME_BYTES = sizeof(ROW_NAME) - 1, BUCKET_BYTES = 63 };

/* .data NULL: no bucket has such a name. */
static struct str row_key(struct str bucket, char out[ROW_NAME_BYTES + BUCKET_BYTES])
{
    if (bucket.len > BUCKET_BYTES) return STR_NONE;
    memcpy(out, ROW_NAME, ROW_NAME_BYTES);
    memcpy(out + ROW_NAME_BYTES, bucket.data, bucket.len);
    return str_of(out, ROW_NAME_BYTES + bucket.len);
}

struct err guarded_by(const json_t *properties, bool *ret)
{
    const json_t *value = json_object_get(properties, GUARD_PROPERTY);

    *ret = str_is(json_str(value), "true");
    if (!value || *ret || str_is(json_str(value), "false")) return OK;
    return FAIL(ERR_INVALID, "property '" GUARD_PROPERTY "' must be \"true\" or \"false\"");
}

/* ---- writing ---- */

/* The row's list without the catalog's own place, the caller's to json_decref. */
static struct err others_of(struct rows *r, struct str key, uint64_t catalog_id, json_t **ret)
{
    CLEANUP(json_freep) json_t *row = NULL;
    CLEANUP(json_freep) json_t *others = json_array();
    json_t *place;
    size_t i;
    const struct err e = entity_get(r, SPACE_SYSTEM, key, &row);

    if (e.code != ERR_NOT_FOUND) TRY(e);
    json_array_foreach(json_object_get(row, "places"), i, place)
    {
        if ((uint64_t)json_integer_value(json_object_get(place, "catalog")) != catalog_id
            && json_array_append(others, place) != 0)
            return no_memory();
    }
    *ret = json_incref(others);
    return others ? OK : no_memory();
}

/* One bucket's row: without the catalog's place that was there, and with `place`, when there is one. */
static struct err row_put(struct txn *txn, struct str bucket, uint64_t catalog_id, struct str place)
{
    char bytes[ROW_NAME_BYTES + BUCKET_BYTES];
    const struct str key = row_key(bucket, bytes);
    json_t *list = NULL;

    if (!key.data) return FAIL(ERR_INVALID_BUCKET_NAME, err_text(ERR_INVALID_BUCKET_NAME));
    TRY(others_of(txn_rows(txn), key, catalog_id, &list));
    CLEANUP(json_freep) json_t *row = json_pack("{s:o}", "places", list);
    if (!row) return no_memory();
    if (place.len
        && json_array_append_new(
               list, json_pack("{s:o, s:I}", "place", json_of_str(place), "catalog", (json_int_t)catalog_id))
            != 0)
        return no_memory();
    return json_array_size(list) ? entity_put(txn, SPACE_SYSTEM, key, row) : txn_del(txn, SPACE_SYSTEM, key);
}

static struct err place_of(struct str url, struct arena *arena, struct str *ret_bucket, struct str *ret_place)
{
    *ret_bucket = *ret_place = STR_NONE;
    if (url.len == 0) return OK;
    TRY(location_key(url, arena, ret_place));
    (void)str_cut(*ret_place, '/', ret_bucket);
    return OK;
}

struct err guarded_put(struct txn *txn, const struct guarded_change *change, struct arena *arena)
{
    struct str old_bucket, old_place, bucket, place;

    TRY(place_of(change->before, arena, &old_bucket, &old_place));
    TRY(place_of(change->after, arena, &bucket, &place));
    if (old_bucket.len && !str_eq(old_bucket, bucket))
        TRY(row_put(txn, old_bucket, change->catalog_id, STR_NONE));
    return bucket.len ? row_put(txn, bucket, change->catalog_id, place) : OK;
}

/* ---- asking ---- */

struct err guarded_prefetch(struct txn *txn, struct str bucket)
{
    char bytes[ROW_NAME_BYTES + BUCKET_BYTES];
    const struct str key = row_key(bucket, bytes);

    return key.data ? txn_prefetch(txn, SPACE_SYSTEM, &key, 1) : OK;
}

/* Is "bucket/key" below "bucket/path/"? Compared where they are, since this is in everybody's way. */
static bool is_below(struct str bucket, struct str key, struct str place)
{
    struct str place_bucket;
    const struct str path = str_cut(place, '/', &place_bucket);

    return str_eq(bucket, place_bucket) && str_starts(key, path);
}

struct err guarded_find(struct rows *r, struct str bucket, struct str key, uint64_t *ret_catalog_id)
{
    CLEANUP(json_freep) json_t *row = NULL;
    char bytes[ROW_NAME_BYTES + BUCKET_BYTES];
    const struct str name = row_key(bucket, bytes);
    json_t *place;
    size_t i;

    *ret_catalog_id = 0;
    if (!name.data) return OK;
    const struct err e = entity_get(r, SPACE_SYSTEM, name, &row);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    json_array_foreach(json_object_get(row, "places"), i, place)
    {
        if (is_below(bucket, key, json_str(json_object_get(place, "place"))))
            *ret_catalog_id = (uint64_t)json_integer_value(json_object_get(place, "catalog"));
    }
    return OK;
}
