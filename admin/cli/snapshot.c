/*
 * snapshot.c - firn snapshot list | expire
 */
#include <inttypes.h>

#include "admin/cli/api.h"
#include "admin/cli/expiry.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

#define EXPIRE_ATTEMPTS 5 /* somebody who commits all the time must not keep us here */

static const struct column snapshot_columns[] = {
    { "snapshot-id", "SNAPSHOT", COLUMN_NUMBER },
    { "parent-snapshot-id", "PARENT", COLUMN_NUMBER },
    { "timestamp-ms", "TIME", COLUMN_TIME },
    { "operation", "OPERATION", COLUMN_TEXT },
    { "added-rows", "ADDED", COLUMN_NUMBER },
    { "total-rows", "ROWS", COLUMN_NUMBER },
    { "refs", "REFS", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static struct err no_memory(void)
{
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

/* The table's metadata; *ret_loaded owns it. */
static struct err load(struct cli *cli, struct str path, json_t **ret_loaded, json_t **ret_metadata)
{
    TRY(catalog_call(cli, "GET", path, NULL, ret_loaded));
    return json_need_object(*ret_loaded, "metadata", ret_metadata);
}

static json_t *refs_at(const json_t *metadata, const json_t *id)
{
    json_t *names = json_array(), *ref;
    const char *name;

    json_object_foreach(json_object_get(metadata, "refs"), name, ref)
    {
        if (json_equal(json_object_get(ref, "snapshot-id"), (json_t *)id))
            json_array_append_new(names, json_string(name));
    }
    return names;
}

static json_t *row_of(const json_t *metadata, const json_t *snapshot)
{
    static const char *const copied[][2] = { { "operation", "operation" },
                                             { "added-rows", "added-records" },
                                             { "total-rows", "total-records" } };
    static const char *const own[] = { "snapshot-id", "parent-snapshot-id", "timestamp-ms",
                                       "sequence-number" };
    const json_t *summary = json_object_get(snapshot, "summary");
    json_t *row = json_object(), *value;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        value = json_object_get(snapshot, own[i]);
        if (value) json_object_set(row, own[i], value);
    }
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        value = json_object_get(summary, copied[i][1]);
        if (value) json_object_set(row, copied[i][0], value);
    }
    json_object_set_new(row, "refs", refs_at(metadata, json_object_get(snapshot, "snapshot-id")));
    return row;
}

struct err verb_snapshot_list(struct cli *cli)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *rows = json_array();
    json_t *metadata, *snapshot;
    struct str path;
    size_t i;

    TRY(catalog_table_path(cli, cli_word(cli, 0), &path));
    TRY(load(cli, path, &loaded, &metadata));
    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        if (json_array_append_new(rows, row_of(metadata, snapshot)) != 0) return no_memory();
    }
    return cli_print_rows(cli, snapshot_columns, rows);
}

/* ---- expire ---- */

static bool is_among(const int64_t *ids, size_t count, const json_t *id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == json_integer_value(id)) return true;
    }
    return false;
}

/* Both lists are in the order of the metadata, so each id is looked for from where the last one was found. */
static struct err print_removed(struct cli *cli, const json_t *metadata, const int64_t *ids, size_t count)
{
    CLEANUP(json_freep) json_t *rows = json_array();
    json_t *snapshot;
    size_t i, next = 0;

    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        if (next == count || !is_among(ids + next, 1, json_object_get(snapshot, "snapshot-id"))) continue;
        next++;
        if (json_array_append_new(rows, row_of(metadata, snapshot)) != 0) return no_memory();
    }
    if (count || cli->options->is_json) TRY(cli_print_rows(cli, snapshot_columns, rows));
    cli_say(cli, "%zu of %zu snapshots %s", count, json_array_size(json_object_get(metadata, "snapshots")),
            cli->options->is_dry_run ? "would be removed" : "removed");
    return OK;
}

/* Select on what the table is now, and commit under the condition that it still is. ERR_CONFLICT: it is not. */
static struct err expire_once(struct cli *cli, struct str path)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *body = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    const struct expiry_rule rule = { clock_now_ms(), cli->options->older_than_ms, cli->options->keep };
    json_t *metadata;
    int64_t *ids;
    size_t count;

    TRY(load(cli, path, &loaded, &metadata));
    TRY(expiry_select(metadata, &rule, cli->arena, &ids, &count));
    if (count && !cli->options->is_dry_run) {
        body = expiry_commit(metadata, ids, count);
        if (!body) return no_memory();
        TRY(catalog_call(cli, "POST", path, body, &answer));
    }
    return print_removed(cli, metadata, ids, count);
}

struct err verb_snapshot_expire(struct cli *cli)
{
    struct str path;
    struct err e = OK;

    TRY(catalog_table_path(cli, cli_word(cli, 0), &path));
    for (int attempt = 0; attempt < EXPIRE_ATTEMPTS; attempt++) {
        e = expire_once(cli, path);
        if (e.code != ERR_CONFLICT) return e;
    }
    return err_fail(ERR_CONFLICT, "others change the table all the time; nothing was removed, try again (%s)",
                    e.why);
}
