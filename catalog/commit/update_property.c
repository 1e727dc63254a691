/*
 * update_property.c - uuid, format version, location, properties, statistics, encryption keys.
 */
#include "catalog/commit/draft.h"

#include "catalog/model/types.h"
#include "storage/base/thread.h"

/* ---- identity, version, place ---- */

static bool is_uuid(struct str s)
{
    if (s.len != 36) return false;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.data[i];
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (is_dash ? c != '-' : !is_hex) return false;
    }
    return true;
}

/* The reference lets a table's uuid change; a changed uuid makes every reader's cache wrong, so it is refused. */
struct err update_assign_uuid(struct draft *d, const json_t *update)
{
    const char *field = d->kind == METADATA_VIEW ? "view-uuid" : "table-uuid";
    const struct str before = json_str(json_object_get(d->metadata, field));
    struct str uuid;

    TRY(json_need_str(update, "uuid", &uuid));
    if (!is_uuid(uuid)) return err_fail(ERR_INVALID, "Invalid uuid: %.*s", STR_ARG(uuid));
    if (before.len && str_eq_nocase(before, uuid)) return OK;
    if (before.len && d->base) return FAIL(ERR_INVALID, "Cannot reassign uuid");
    draft_set(d, field, json_of_str(uuid));
    return OK;
}

struct err update_upgrade_format(struct draft *d, const json_t *update)
{
    const int max = d->kind == METADATA_VIEW ? 1 : FORMAT_VERSION_MAX;
    int64_t version;

    TRY(json_need_i64(update, "format-version", &version));
    const int64_t current = draft_int(d, "format-version", 1);
    if (version > max || version < 1)
        return err_fail(ERR_INVALID, "Cannot upgrade to unsupported format version: v%lld (supported: v%d)",
                        (long long)version, max);
    if (version < current)
        return err_fail(ERR_INVALID, "Cannot downgrade v%lld to v%lld", (long long)current,
                        (long long)version);
    if (version == current) return OK;
    draft_set_int(d, "format-version", version);
    if (version >= 2 && !json_object_get(d->metadata, "last-sequence-number"))
        draft_set_int(d, "last-sequence-number", 0);
    if (version >= 3 && !json_object_get(d->metadata, "next-row-id")) draft_set_int(d, "next-row-id", 0);
    return OK;
}

struct err update_set_location(struct draft *d, const json_t *update)
{
    struct str location;

    TRY(json_need_str(update, "location", &location));
    while (location.len > 1 && location.data[location.len - 1] == '/') location.len--;
    if (str_eq(location, json_str(json_object_get(d->metadata, "location")))) return OK;
    draft_set(d, "location", json_of_str(location));
    return OK;
}

/* ---- properties ---- */

/* Never stored: the reference answers them from the metadata (catalog.md 2.3). */
static const char *const reserved[] = { "format-version",           "uuid",
                                        "snapshot-count",           "current-snapshot-id",
                                        "current-snapshot-summary", "current-snapshot-timestamp-ms",
                                        "current-schema",           "default-partition-spec",
                                        "default-sort-order" };

static const json_t *field_or_legacy(const json_t *update, const char *field, const char *legacy)
{
    const json_t *value = json_object_get(update, field);
    return value ? value : json_object_get(update, legacy);
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (str_is(str_from_z(name), reserved[i])) return true;
    }
    return false;
}

struct err update_set_properties(struct draft *d, const json_t *update)
{
    const json_t *values = field_or_legacy(update, "updates", "updated");
    const char *name;
    json_t *value;

    if (!json_is_object(values)) return FAIL(ERR_INVALID, "field 'updates' must be an object");
    json_object_foreach((json_t *)values, name, value)
    {
        if (!json_is_string(value)) return err_fail(ERR_INVALID, "property '%s' must be a string", name);
        if (d->kind == METADATA_TABLE && is_reserved(name)) continue;
        json_t *before = json_object_get(json_object_get(d->metadata, "properties"), name);
        if (before && json_equal(before, value)) continue;
        json_t *properties = draft_own(d, "properties", false);
        if (!properties || json_object_set(properties, name, value) != 0) return no_memory();
    }
    return OK;
}

struct err update_remove_properties(struct draft *d, const json_t *update)
{
    const json_t *names = field_or_legacy(update, "removals", "removed");
    json_t *name;
    size_t i;

    if (!json_is_array(names)) return FAIL(ERR_INVALID, "field 'removals' must be an array");
    json_array_foreach((json_t *)names, i, name)
    {
        if (!json_is_string(name)) return FAIL(ERR_INVALID, "field 'removals' must be an array of strings");
        if (!json_object_get(json_object_get(d->metadata, "properties"), json_string_value(name))) continue;
        json_t *properties = draft_own(d, "properties", false);
        if (!properties) return no_memory();
        json_object_del(properties, json_string_value(name));
    }
    return OK;
}

/* ---- statistics: one for each snapshot ---- */

static struct err replace_by_snapshot(struct draft *d, const char *array, json_t *statistics)
{
    CLEANUP(json_freep) json_t *ids = json_array();

    json_array_append(ids, json_object_get(statistics, "snapshot-id"));
    TRY(draft_remove(d, array, "snapshot-id", ids));
    json_t *list = draft_own(d, array, true);
    return list && json_array_append(list, statistics) == 0 ? OK : no_memory();
}

static struct err remove_by_snapshot(struct draft *d, const char *array, const json_t *update)
{
    CLEANUP(json_freep) json_t *ids = json_array();
    int64_t id;

    TRY(json_need_i64(update, "snapshot-id", &id));
    json_array_append_new(ids, json_integer(id));
    return draft_remove(d, array, "snapshot-id", ids);
}

static struct err set_statistics(struct draft *d, const json_t *update, const char *field, const char *array)
{
    json_t *statistics;
    struct str path;
    int64_t number;

    TRY(json_need_object(update, field, &statistics));
    TRY(json_need_i64(statistics, "snapshot-id", &number));
    TRY(json_need_str(statistics, "statistics-path", &path));
    TRY(json_need_i64(statistics, "file-size-in-bytes", &number));
    return replace_by_snapshot(d, array, statistics);
}

struct err update_set_statistics(struct draft *d, const json_t *update)
{
    return set_statistics(d, update, "statistics", "statistics");
}

struct err update_remove_statistics(struct draft *d, const json_t *update)
{
    return remove_by_snapshot(d, "statistics", update);
}

struct err update_set_partition_statistics(struct draft *d, const json_t *update)
{
    return set_statistics(d, update, "partition-statistics", "partition-statistics");
}

struct err update_remove_partition_statistics(struct draft *d, const json_t *update)
{
    return remove_by_snapshot(d, "partition-statistics", update);
}

/* ---- encryption keys: carried, never used here ---- */

static json_t *find_key(const struct draft *d, struct str id)
{
    json_t *key;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, "encryption-keys"), i, key)
    {
        if (str_eq(json_str(json_object_get(key, "key-id")), id)) return key;
    }
    return NULL;
}

struct err update_add_key(struct draft *d, const json_t *update)
{
    json_t *key;
    struct str id;

    TRY(json_need_object(update, "encryption-key", &key));
    TRY(json_need_str(key, "key-id", &id));
    if (draft_format(d) < 3) return FAIL(ERR_INVALID, "Cannot add an encryption key before format version 3");
    if (find_key(d, id)) return OK;
    json_t *keys = draft_own(d, "encryption-keys", true);
    return keys && json_array_append(keys, key) == 0 ? OK : no_memory();
}

struct err update_remove_key(struct draft *d, const json_t *update)
{
    struct str id;
    size_t i;
    json_t *key;

    TRY(json_need_str(update, "key-id", &id));
    if (!find_key(d, id)) return OK;
    json_t *keys = draft_own(d, "encryption-keys", true);
    if (!keys) return no_memory();
    json_array_foreach(keys, i, key)
    {
        if (!str_eq(json_str(json_object_get(key, "key-id")), id)) continue;
        json_array_remove(keys, i);
        break;
    }
    return OK;
}
