/*
 * maintenance.c - firn maintenance status | orphans | remove-orphans: what the server knows of tables' files, and what nothing names.
 */
#include "admin/cli/api.h"
#include "storage/base/thread.h"

/* The tables that are meant: that of the word; with --all those of the namespace; without a word those of the catalog. table is empty for many. */
static struct err scope_of(struct cli *cli, struct ident *ret_ns, struct str *ret_table)
{
    const char *word = cli_word(cli, 0);

    *ret_ns = (struct ident){ .count = 0 };
    *ret_table = STR_NONE;
    if (!word) return OK;
    return cli->options->is_all ? ident_parse(str_from_z(word), cli->arena, ret_ns)
                                : table_word(cli, word, ret_ns, ret_table);
}

/* Print the rows of the answer, with the table's name as people write it. */
static struct err print_tables(struct cli *cli, const struct column *columns, const json_t *answer)
{
    json_t *rows, *row;
    size_t i;

    TRY(json_need_array(answer, "tables", &rows));
    if (cli->options->is_json) return layout_json(rows, cli->out);
    json_array_foreach(rows, i, row)
    {
        const struct str name = json_str(json_object_get(row, "name"));
        json_t *error = json_object_get(row, "error");
        json_object_set_new(row, "table",
                            json_of_str(ident_print(json_object_get(row, "namespace"), name, cli->arena)));
        if (error) json_object_set(row, "why", error);
    }
    return cli_print_rows(cli, columns, rows);
}

static struct err get_tables(struct cli *cli, const char *what, const struct column *columns)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct ident ns;
    struct str table, path = arena_printf(cli->arena, "/maintenance/%s", what);

    TRY(scope_of(cli, &ns, &table));
    if (path.data && ns.count)
        path = arena_printf(cli->arena, "%.*s?namespace=%.*s", STR_ARG(path),
                            STR_ARG(ident_to_path(&ns, cli->arena)));
    if (path.data && table.len) path = api_path(cli, arena_join(cli->arena, path, STR("&table=")), table);
    if (!path.data) return no_memory();
    TRY(catalog_own_call(cli, "GET", path.data, NULL, &answer));
    return print_tables(cli, columns, answer);
}

struct err verb_maintenance_status(struct cli *cli)
{
    static const struct column columns[] = { { "table", "TABLE", COLUMN_TEXT },
                                             { "complete", "COMPLETE", COLUMN_BOOL },
                                             { "live-files", "FILES", COLUMN_NUMBER },
                                             { "live-bytes", "SIZE", COLUMN_SIZE },
                                             { "queued-files", "GOING", COLUMN_NUMBER },
                                             { "queued-bytes", "SIZE", COLUMN_SIZE },
                                             { "expired-at-ms", "LAST EXPIRY", COLUMN_TIME },
                                             { "why", "WHY NOT", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };

    return get_tables(cli, "status", columns);
}

static const struct column orphan_columns[] = { { "table", "TABLE", COLUMN_TEXT },
                                                { "files", "ORPHANS", COLUMN_NUMBER },
                                                { "bytes", "SIZE", COLUMN_SIZE },
                                                { "removable-files", "REMOVABLE", COLUMN_NUMBER },
                                                { "removed-files", "REMOVED", COLUMN_NUMBER },
                                                { "why", "WHY NOT", COLUMN_TEXT },
                                                { NULL, NULL, COLUMN_TEXT } };

struct err verb_maintenance_orphans(struct cli *cli)
{
    return get_tables(cli, "orphans", orphan_columns);
}

struct err verb_maintenance_remove_orphans(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    CLEANUP(json_freep) json_t *body = json_pack("{s:b}", "dry-run", cli->options->is_dry_run);
    struct ident ns;
    struct str table;

    if (!body) return no_memory();
    TRY(scope_of(cli, &ns, &table));
    if (ns.count) json_object_set_new(body, "namespace", ident_to_json(&ns));
    if (table.len) json_object_set_new(body, "table", json_of_str(table));
    if (cli->options->older_than_ms >= 0)
        json_object_set_new(body, "older-than-ms", json_integer(cli->options->older_than_ms));
    TRY(catalog_own_call(cli, "POST", "/maintenance/orphans", body, &answer));
    return print_tables(cli, orphan_columns, answer);
}
