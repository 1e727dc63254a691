/*
 * namespace.c - firn namespace list | create | drop
 */
#include "admin/cli/api.h"

#include "storage/base/thread.h"

static struct err no_memory(void)
{
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err verb_namespace_list(struct cli *cli)
{
    static const struct column columns[] = { { "name", "NAMESPACE", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *all = json_array();
    CLEANUP(json_freep) json_t *rows = json_array();
    struct ident parent = { .count = 0 };
    json_t *levels;
    size_t i;

    if (cli_word(cli, 0)) TRY(ident_parse(str_from_z(cli_word(cli, 0)), cli->arena, &parent));
    TRY(catalog_walk(cli, &parent, cli->options->is_all, all));
    json_array_foreach(all, i, levels)
    {
        json_t *row = json_pack("{s:O}", "levels", levels);
        json_object_set_new(row, "name", json_of_str(ident_print(levels, STR_NONE, cli->arena)));
        if (json_array_append_new(rows, row) != 0) return no_memory();
    }
    return cli_print_rows(cli, columns, rows);
}

struct err verb_namespace_create(struct cli *cli)
{
    CLEANUP(json_freep) json_t *body = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    struct ident ns;
    struct str path;

    TRY(ident_parse(str_from_z(cli_word(cli, 0)), cli->arena, &ns));
    TRY(catalog_namespaces_path(cli, &path));
    body = json_pack("{s:o}", "namespace", ident_to_json(&ns));
    if (!body) return no_memory();
    TRY(catalog_call(cli, "POST", path, body, &answer));
    cli_say(cli, "namespace %s is created", cli_word(cli, 0));
    return OK;
}

struct err verb_namespace_drop(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str path;

    TRY(catalog_namespace_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_call(cli, "DELETE", path, NULL, &answer));
    cli_say(cli, "namespace %s is dropped", cli_word(cli, 0));
    return OK;
}
