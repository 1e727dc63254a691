/*
 * build.c - what is done and checked once all updates of a commit were applied (catalog.md 2.3).
 */
#include "catalog/commit/draft.h"

#include <stdio.h>
#include <stdlib.h>

#include "catalog/model/partition.h"
#include "catalog/model/schema.h"
#include "storage/base/thread.h"

/* A property that is a positive number; the fallback otherwise. */
static uint64_t number_property(const struct draft *d, const char *name, uint64_t fallback)
{
    const struct str text = json_str(json_object_get(json_object_get(d->metadata, "properties"), name));
    uint64_t number;

    return text.data && str_to_u64(text, &number) && number > 0 ? number : fallback;
}

/* ---- time ---- */

/* Never before the last change: a clock that went back must not break a table. */
static void set_updated(struct draft *d)
{
    const int64_t before = d->base ? json_integer_value(json_object_get(d->base, "last-updated-ms")) : 0;
    draft_set_int(d, "last-updated-ms", d->now_ms > before ? d->now_ms : before);
}

/* ---- metadata log ---- */

/* The file that this commit replaces joins the log; what falls off its end is no more of this table's (catalog/refs sees to the file). */
static struct err log_previous(struct draft *d, struct str base_file)
{
    const size_t max = (size_t)number_property(d, "write.metadata.previous-versions-max", 100);

    if (base_file.len == 0) return OK;
    json_t *log = draft_own(d, "metadata-log", true);
    json_t *entry = json_pack("{s:I, s:o}", "timestamp-ms",
                              json_integer_value(json_object_get(d->base, "last-updated-ms")),
                              "metadata-file", json_of_str(base_file));
    if (!log || !entry || json_array_append_new(log, entry) != 0) return no_memory();
    while (json_array_size(log) > max) json_array_remove(log, 0);
    return OK;
}

/* ---- snapshot log ---- */

static bool was_added(const struct draft *d, int64_t id)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    return json_object_get(d->added_snapshots, text) != NULL;
}

/* Without snapshots that came and were replaced within this commit; and nothing before one that was removed, since the history would have a hole. */
static struct err trim_snapshot_log(struct draft *d)
{
    CLEANUP(id_set_done) struct id_set snapshots = { NULL, 0 };
    const int64_t current = draft_int(d, "current-snapshot-id", -1);
    json_t *entry;
    size_t i;

    if (json_object_size(d->added_snapshots) < 2 && !d->are_snapshots_removed) return OK;
    TRY(id_set_of(json_object_get(d->metadata, "snapshots"), "snapshot-id", &snapshots));
    json_t *kept = json_array();
    if (!kept) return no_memory();
    json_array_foreach(json_object_get(d->metadata, "snapshot-log"), i, entry)
    {
        const json_t *id = json_object_get(entry, "snapshot-id");
        if (!id_set_has(&snapshots, id)) json_array_clear(kept);
        else if (json_integer_value(id) == current || !was_added(d, json_integer_value(id)))
            json_array_append(kept, entry);
    }
    draft_set(d, "snapshot-log", kept);
    const json_t *last = json_array_get(kept, json_array_size(kept) - 1);
    if (last && current >= 0 && json_integer_value(json_object_get(last, "snapshot-id")) != current)
        return FAIL(ERR_INVALID, "Cannot set invalid snapshot log: latest entry is not the current snapshot");
    return OK;
}

/* ---- what must be true of a table ---- */

static struct err check_defaults(const struct draft *d)
{
    const json_t *schema = draft_schema(d);
    const json_t *spec = draft_find(d, "partition-specs", "spec-id", draft_int(d, "default-spec-id", -1));
    const json_t *order = draft_find(d, "sort-orders", "order-id", draft_int(d, "default-sort-order-id", -1));

    if (!schema) return FAIL(ERR_INVALID, "Invalid table metadata: it has no current schema");
    if (!spec) return FAIL(ERR_INVALID, "Invalid table metadata: its default partition spec does not exist");
    if (!order) return FAIL(ERR_INVALID, "Invalid table metadata: its default sort order does not exist");
    TRY(schema_check(schema, draft_format(d)));
    TRY(partition_check(spec, schema));
    return sort_check(order, schema);
}

/* Files written under the base's current schema must stay readable under the new one (catalog.md 2.5). It is asked of what the commit comes to, not of its steps; and not
 * when main was dropped on the way: a replaced table begins anew, and its old snapshots name their own schemas. */
static struct err check_evolution(const struct draft *d)
{
    const json_t *snapshot = d->base ? json_object_get(d->base, "current-snapshot-id") : NULL;
    const json_t *next = draft_schema(d), *schema;
    const int64_t before = json_integer_value(json_object_get(d->base, "current-schema-id"));
    size_t i;

    const int64_t current = draft_int(d, "current-snapshot-id", -1);
    if (!json_is_integer(snapshot) || json_integer_value(snapshot) < 0) return OK;
    if (d->is_main_dropped && (current < 0 || was_added(d, current))) return OK;
    json_array_foreach(json_object_get(d->base, "schemas"), i, schema)
    {
        if (json_integer_value(json_object_get(schema, "schema-id")) != before || schema == next) continue;
        return schema_check_evolution(schema, next, draft_format(d));
    }
    return OK;
}

static struct err check_refs(const struct draft *d)
{
    const char *name;
    json_t *ref;
    const int64_t current = draft_int(d, "current-snapshot-id", -1);

    json_object_foreach(json_object_get(d->metadata, "refs"), name, ref)
    {
        const int64_t id = json_integer_value(json_object_get(ref, "snapshot-id"));
        if (!draft_find(d, "snapshots", "snapshot-id", id))
            return err_fail(ERR_INVALID,
                            "Invalid table metadata: ref %s names a snapshot that does not exist", name);
        if (str_is(str_from_z(name), "main") && id != current)
            return FAIL(ERR_INVALID, "Invalid table metadata: main is not the current snapshot");
    }
    return OK;
}

/* Properties that the reference parses, and so refuses. */
static struct err check_properties(const struct draft *d)
{
    static const char *const numbers[] = { "commit.retry.num-retries", "commit.retry.min-wait-ms",
                                           "commit.retry.max-wait-ms", "commit.retry.total-timeout-ms" };
    uint64_t number;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct str text = json_str(
            json_object_get(json_object_get(d->metadata, "properties"), numbers[i]));
        if (text.data && !str_to_u64(text, &number))
            return err_fail(ERR_INVALID,
                            "Table property %s must have non-negative integer value, but got: %.*s",
                            numbers[i], STR_ARG(text));
    }
    return OK;
}

/* Fields that every version has, or that this version has and an upgrade brings. -1 is how versions 1 and 2 write "no snapshot"; version 3 writes null. */
static struct err complete(struct draft *d)
{
    static const struct {
        const char *field;
        bool is_array;
    } always[] = { { "properties", false },         { "snapshots", true }, { "snapshot-log", true },
                   { "metadata-log", true },        { "refs", false },     { "statistics", true },
                   { "partition-statistics", true } };

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        if (!json_object_get(d->metadata, always[i].field))
            json_object_set_new(d->metadata, always[i].field,
                                always[i].is_array ? json_array() : json_object());
    }
    if (draft_int(d, "current-snapshot-id", -1) < 0)
        json_object_set_new(d->metadata, "current-snapshot-id",
                            draft_format(d) >= 3 ? json_null() : json_integer(-1));
    if (draft_format(d) >= 2 && !json_object_get(d->metadata, "last-sequence-number"))
        json_object_set_new(d->metadata, "last-sequence-number", json_integer(0));
    if (draft_format(d) >= 3 && !json_object_get(d->metadata, "next-row-id"))
        json_object_set_new(d->metadata, "next-row-id", json_integer(0));
    if (!json_object_get(d->metadata, "last-partition-id"))
        json_object_set_new(d->metadata, "last-partition-id", json_integer(PARTITION_ID_FIRST - 1));
    return OK;
}

/* Version 1 also has the current schema and spec in its old places. */
static void put_legacy(struct draft *d)
{
    if (draft_format(d) != 1) {
        json_object_del(d->metadata, "schema");
        json_object_del(d->metadata, "partition-spec");
        return;
    }
    const json_t *spec = draft_find(d, "partition-specs", "spec-id", draft_int(d, "default-spec-id", -1));
    json_object_set(d->metadata, "schema", draft_schema(d));
    json_object_set(d->metadata, "partition-spec", json_object_get(spec, "fields"));
}

struct err draft_build_table(struct draft *d, struct str base_file)
{
    struct str location;

    set_updated(d);
    TRY(json_need_str(d->metadata, "location", &location));
    TRY(json_need_str(d->metadata, "table-uuid", &location));
    TRY(check_defaults(d));
    TRY(check_evolution(d));
    TRY(check_properties(d));
    TRY(trim_snapshot_log(d));
    TRY(complete(d));
    TRY(check_refs(d));
    put_legacy(d);
    return log_previous(d, base_file);
}

/* ---- views ---- */

static int by_version(const void *a, const void *b)
{
    const int64_t x = json_integer_value(json_object_get(*(json_t *const *)a, "version-id"));
    const int64_t y = json_integer_value(json_object_get(*(json_t *const *)b, "version-id"));
    return (x < y) - (x > y);
}

/* Keep the newest versions, the current one, and all that were added now; cut the log at a version that went. */
static struct err trim_versions(struct draft *d)
{
    size_t max = (size_t)number_property(d, "version.history.num-entries", 10);
    const size_t added = json_object_size(d->added_versions),
                 count = json_array_size(json_object_get(d->metadata, "versions"));
    const int64_t current = draft_int(d, "current-version-id", -1);

    if (max < added + 1) max = added + 1;
    if (count <= max) return OK;
    json_t **sorted = calloc(count, sizeof(json_t *));
    json_t *kept = json_array();
    if (!sorted || !kept) {
        free(sorted);
        json_decref(kept);
        return no_memory();
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(json_object_get(d->metadata, "versions"), i);
    qsort(sorted, count, sizeof(*sorted), by_version);
    json_array_append(kept, draft_find(d, "versions", "version-id", current));
    for (size_t i = 0; i < count && json_array_size(kept) < max; i++) {
        if (json_integer_value(json_object_get(sorted[i], "version-id")) != current)
            json_array_append(kept, sorted[i]);
    }
    free(sorted);
    draft_set(d, "versions", kept);
    return OK;
}

static struct err trim_version_log(struct draft *d)
{
    json_t *kept = json_array(), *entry;
    size_t i;

    if (!kept) return no_memory();
    json_array_foreach(json_object_get(d->metadata, "version-log"), i, entry)
    {
        if (draft_find(d, "versions", "version-id", json_integer_value(json_object_get(entry, "version-id"))))
            json_array_append(kept, entry);
        else json_array_clear(kept);
    }
    draft_set(d, "version-log", kept);
    return OK;
}

struct err draft_build_view(struct draft *d)
{
    struct str text;

    TRY(json_need_str(d->metadata, "location", &text));
    TRY(json_need_str(d->metadata, "view-uuid", &text));
    if (!draft_find(d, "versions", "version-id", draft_int(d, "current-version-id", -1)))
        return FAIL(ERR_INVALID, "Invalid view metadata: it has no current version");
    if (!json_object_get(d->metadata, "properties"))
        json_object_set_new(d->metadata, "properties", json_object());
    TRY(trim_versions(d));
    return trim_version_log(d);
}
