/*
 * snapshot.c - firn snapshot list | expire
 */
#include <inttypes.h>

#include "admin/cli/api.h"
#include "admin/cli/format.h"
#include "storage/base/thread.h"

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
    TRY(catalog_load(cli, path, &loaded, &metadata));
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

/* What the server is asked to do: it selects, under the rules of docs/OPERATE.md, and commits. With --all the word is a namespace, and may be missing. */
static struct err expire_body(struct cli *cli, json_t **ret)
{
    const struct options *o = cli->options;
    struct ident ns = { .count = 0 };
    struct str table = STR_NONE;

    if (!o->is_all) TRY(table_word(cli, cli_word(cli, 0), &ns, &table));
    else if (cli_word(cli, 0)) TRY(ident_parse(str_from_z(cli_word(cli, 0)), cli->arena, &ns));
    json_t *body = json_pack("{s:b}", "dry-run", o->is_dry_run);
    if (!body) return no_memory();
    if (ns.count) json_object_set_new(body, "namespace", ident_to_json(&ns));
    if (table.len) json_object_set_new(body, "table", json_of_str(table));
    if (o->older_than_ms >= 0) json_object_set_new(body, "older-than-ms", json_integer(o->older_than_ms));
    if (o->keep >= 0) json_object_set_new(body, "keep", json_integer(o->keep));
    *ret = body;
    return OK;
}

static struct err ids_of(const json_t *list, struct arena *arena, int64_t **ret)
{
    json_t *id;
    size_t i;

    *ret = arena_array(arena, int64_t, json_array_size(list) + 1);
    if (!*ret) return no_memory();
    json_array_foreach((json_t *)list, i, id)
    {
        (*ret)[i] = json_integer_value(id);
    }
    return OK;
}

/* Files go later, after the server's grace; of a table whose files are not all known, none does. */
static void say_files(struct cli *cli, const json_t *row)
{
    struct buf size;
    const json_int_t files = json_integer_value(json_object_get(row, "file-count"));

    if (cli->options->is_json || json_array_size(json_object_get(row, "snapshots")) == 0) return;
    if (!json_object_get(row, "file-count")) {
        cli_say(cli, "no file of the table is deleted: %s", json_string_value(json_object_get(row, "why")));
        return;
    }
    buf_init(&size, 64);
    size_to(&size, (uint64_t)json_integer_value(json_object_get(row, "byte-count")));
    cli_say(cli, "%lld files (%.*s) %s", (long long)files, STR_ARG(buf_view(&size)),
            cli->options->is_dry_run ? "would go with them" : "go with them, after the grace of the server");
    buf_done(&size);
}

static struct err expire_table(struct cli *cli)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *body = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *metadata;
    struct str path;
    int64_t *ids;

    TRY(catalog_table_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_load(cli, path, &loaded, &metadata));
    TRY(expire_body(cli, &body));
    TRY(catalog_own_call(cli, "POST", "/maintenance/expire", body, &answer));
    const json_t *row = json_array_get(json_object_get(answer, "tables"), 0),
                 *removed = json_object_get(row, "snapshots");
    TRY(ids_of(removed, cli->arena, &ids));
    TRY(print_removed(cli, metadata, ids, json_array_size(removed)));
    say_files(cli, row);
    return OK;
}

/* The members that people read, beside those of the server. */
static void expired_text(struct cli *cli, json_t *row)
{
    const struct str name = json_str(json_object_get(row, "name"));
    json_t *error = json_object_get(row, "error");

    json_object_set_new(row, "removed",
                        json_integer((json_int_t)json_array_size(json_object_get(row, "snapshots"))));
    json_object_set_new(row, "table",
                        json_of_str(ident_print(json_object_get(row, "namespace"), name, cli->arena)));
    if (error) json_object_set(row, "why", error);
}

/* The server goes over the tables; for people, what it did with each is a line. */
static struct err expire_all(struct cli *cli)
{
    static const struct column columns[] = {
        { "table", "TABLE", COLUMN_TEXT },        { "removed", "SNAPSHOTS", COLUMN_NUMBER },
        { "file-count", "FILES", COLUMN_NUMBER }, { "byte-count", "SIZE", COLUMN_SIZE },
        { "why", "WHY NOT", COLUMN_TEXT },        { NULL, NULL, COLUMN_TEXT }
    };
    CLEANUP(json_freep) json_t *body = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *rows, *row;
    size_t i;

    TRY(expire_body(cli, &body));
    TRY(catalog_own_call(cli, "POST", "/maintenance/expire", body, &answer));
    TRY(json_need_array(answer, "tables", &rows));
    for (i = 0; i < json_array_size(rows) && !json_object_get(json_array_get(rows, i), "error"); i++)
        continue;
    const bool is_whole = i == json_array_size(rows);
    if (!cli->options->is_json) {
        json_array_foreach(rows, i, row)
        {
            expired_text(cli, row);
        }
    }
    TRY(cli_print_rows(cli, columns, rows));
    return is_whole ? OK : FAIL(ERR_INVALID, "snapshots of some tables were not removed; the list says why");
}

struct err verb_snapshot_expire(struct cli *cli)
{
    if (cli->options->is_all) return expire_all(cli);
    if (!cli_word(cli, 0))
        return FAIL(ERR_INVALID_ARGUMENT, "which table? NAMESPACE.TABLE; or --all for all of the catalog");
    return expire_table(cli);
}
