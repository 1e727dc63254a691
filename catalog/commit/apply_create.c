/*
 * apply_create.c - the metadata of a new table (catalog.md 2.4): fresh ids for everything, whatever the request numbered.
 */
#include "catalog/commit/apply.h"

#include <string.h>

#include "catalog/commit/draft.h"
#include "catalog/model/partition.h"
#include "catalog/model/schema.h"
#include "catalog/model/types.h"
#include "storage/base/ids.h"
#include "storage/base/thread.h"

/* `format-version` as a property chooses the version. */
static struct err format_version(const json_t *properties, int64_t *ret)
{
    const struct str text = json_str(json_object_get(properties, "format-version"));

    *ret = 2;
    if (!text.data) return OK;
    if (!str_to_i64(text, ret) || *ret < 1)
        return err_fail(ERR_INVALID, "Invalid format version: %.*s", STR_ARG(text));
    if (*ret > FORMAT_VERSION_MAX)
        return err_fail(ERR_INVALID, "Unsupported format version: v%lld (supported: v%d)", (long long)*ret,
                        FORMAT_VERSION_MAX);
    return OK;
}

struct created {
    json_t *schema, *ids, *spec, *order;
    int64_t last_column, last_partition;
};

static void created_done(struct created *c)
{
    json_decref(c->schema);
    json_decref(c->ids);
    json_decref(c->spec);
    json_decref(c->order);
}

/* Field ids of a request's spec are not kept: they are counted from 1000. */
static struct err create_spec(const struct table_create_parts *parts, struct created *c)
{
    CLEANUP(json_freep) json_t *mapped = NULL;
    json_t *field;
    size_t i;

    c->last_partition = PARTITION_ID_FIRST - 1;
    if (!parts->partition_spec) {
        c->spec = json_pack("{s:i, s:[]}", "spec-id", 0, "fields");
        return c->spec ? OK : no_memory();
    }
    TRY(transform_remap(parts->partition_spec, c->ids, &mapped));
    json_array_foreach(json_object_get(mapped, "fields"), i, field)
    {
        json_object_del(field, "field-id");
    }
    return partition_bind(mapped, c->schema, NULL, 0, &c->last_partition, &c->spec);
}

static struct err create_order(const struct table_create_parts *parts, struct created *c)
{
    CLEANUP(json_freep) json_t *mapped = NULL;

    if (!parts->write_order || sort_is_unsorted(parts->write_order)) {
        c->order = json_pack("{s:i, s:[]}", "order-id", 0, "fields");
        return c->order ? OK : no_memory();
    }
    TRY(transform_remap(parts->write_order, c->ids, &mapped));
    return sort_bind(mapped, c->schema, 1, &c->order);
}

static json_t *updates_of(const struct table_create_parts *parts, const struct created *c, const char *uuid,
                          int64_t version)
{
    json_t *properties = parts->properties ? json_copy((json_t *)parts->properties) : json_object();

    if (!json_object_get(properties, "write.parquet.compression-codec"))
        json_object_set_new(properties, "write.parquet.compression-codec", json_string("zstd"));
    return json_pack(
        "[{s:s, s:s}, {s:s, s:I}, {s:s, s:O}, {s:s, s:i}, {s:s, s:O}, {s:s, s:i}, {s:s, s:O}, {s:s, s:i}, {s:s, s:o}, {s:s, s:o}]",
        "action", "assign-uuid", "uuid", uuid, "action", "upgrade-format-version", "format-version",
        (json_int_t)version, "action", "add-schema", "schema", c->schema, "action", "set-current-schema",
        "schema-id", -1, "action", "add-spec", "spec", c->spec, "action", "set-default-spec", "spec-id", -1,
        "action", "add-sort-order", "sort-order", c->order, "action", "set-default-sort-order",
        "sort-order-id", -1, "action", "set-location", "location", json_of_str(parts->location), "action",
        "set-properties", "updates", properties);
}

/* A direct create is the commit that a staged one would send: one way to build a table, so that both come out the same. */
struct err apply_create_table(const struct table_create_parts *parts, json_t **ret)
{
    CLEANUP(created_done) struct created c = { NULL };
    char uuid[UUID_TEXT_SIZE];
    struct apply_output out = { 0 };
    int64_t version;

    TRY(format_version(parts->properties, &version));
    TRY(schema_check(parts->schema, (int)version));
    TRY(schema_with_fresh_ids(parts->schema, &c.schema, &c.ids, &c.last_column));
    TRY(create_spec(parts, &c));
    TRY(create_order(parts, &c));
    ids_uuid(uuid);
    CLEANUP(json_freep) json_t *updates = updates_of(parts, &c, uuid, version);
    if (!updates) return no_memory();
    const struct apply_input in = { .kind = METADATA_TABLE, .updates = updates, .now_ms = parts->now_ms };
    TRY(apply_commit(&in, &out));
    *ret = out.metadata;
    return OK;
}

struct err apply_create_view(const struct view_create_parts *parts, json_t **ret)
{
    char uuid[UUID_TEXT_SIZE];
    struct apply_output out = { 0 };

    ids_uuid(uuid);
    json_t *version = json_copy((json_t *)parts->view_version);
    json_object_set_new(version, "schema-id", json_integer(-1));
    CLEANUP(json_freep)
    json_t *updates = json_pack("[{s:s, s:s}, {s:s, s:O}, {s:s, s:o}, {s:s, s:i}, {s:s, s:o}]", "action",
                                "assign-uuid", "uuid", uuid, "action", "add-schema", "schema", parts->schema,
                                "action", "add-view-version", "view-version", version, "action",
                                "set-current-view-version", "view-version-id", -1, "action", "set-location",
                                "location", json_of_str(parts->location));
    if (!updates) return no_memory();
    if (parts->properties)
        json_array_append_new(
            updates, json_pack("{s:s, s:O}", "action", "set-properties", "updates", parts->properties));
    const struct apply_input in = { .kind = METADATA_VIEW, .updates = updates, .now_ms = parts->now_ms };
    TRY(apply_commit(&in, &out));
    *ret = out.metadata;
    return OK;
}
