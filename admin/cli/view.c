/*
 * view.c - firn view list | show | drop
 */
#include "admin/cli/api.h"
#include "storage/base/thread.h"

struct err verb_view_list(struct cli *cli)
{
    static const struct column columns[] = { { "view", "VIEW", COLUMN_TEXT }, { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    struct str path;
    json_t *row;
    size_t i;

    TRY(catalog_namespace_path(cli, cli_word(cli, 0), &path));
    path = arena_printf(cli->arena, "%.*s/views", STR_ARG(path));
    if (!path.data) return no_memory();
    TRY(catalog_pages(cli, path, "identifiers", rows));
    json_array_foreach(rows, i, row)
    {
        const struct str name = json_str(json_object_get(row, "name"));
        json_object_set_new(row, "view",
                            json_of_str(ident_print(json_object_get(row, "namespace"), name, cli->arena)));
    }
    return cli_print_rows(cli, columns, rows);
}

/* The representations of the current version: "DIALECT: SQL". */
static json_t *sql_of(struct cli *cli, const json_t *metadata)
{
    const json_t *current = json_object_get(metadata, "current-version-id");
    json_t *texts = json_array(), *version, *said;
    size_t i, j;

    json_array_foreach(json_object_get(metadata, "versions"), i, version)
    {
        if (!json_equal(json_object_get(version, "version-id"), (json_t *)current)) continue;
        json_array_foreach(json_object_get(version, "representations"), j, said)
        {
            const struct str dialect = json_str(json_object_get(said, "dialect")),
                             sql = json_str(json_object_get(said, "sql"));
            json_array_append_new(
                texts, json_of_str(arena_printf(cli->arena, "%.*s: %.*s", STR_ARG(dialect), STR_ARG(sql))));
        }
    }
    return texts;
}

struct err verb_view_show(struct cli *cli)
{
    static const struct column columns[] = {
        { "view", "view", COLUMN_TEXT },         { "view-uuid", "uuid", COLUMN_TEXT },
        { "location", "location", COLUMN_TEXT }, { "current-version-id", "version", COLUMN_NUMBER },
        { "sql", "sql", COLUMN_TEXT },           { NULL, NULL, COLUMN_TEXT }
    };
    CLEANUP(json_freep) json_t *loaded = NULL;
    struct str path;
    json_t *metadata;

    TRY(catalog_view_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_load(cli, path, &loaded, &metadata));
    json_object_del(loaded, "config");
    if (cli->options->is_json) return layout_json(loaded, cli->out);
    json_object_set_new(metadata, "view", json_string(cli_word(cli, 0)));
    json_object_set_new(metadata, "sql", sql_of(cli, metadata));
    return cli_print_facts(cli, columns, metadata);
}

struct err verb_view_drop(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str path;

    TRY(catalog_view_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_call(cli, "DELETE", path, NULL, &answer));
    cli_say(cli, "view %s is dropped", cli_word(cli, 0));
    return OK;
}
