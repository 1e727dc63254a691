/*
 * entity.c - listings and facts of the management API.
 */
#include "admin/cli/entity.h"

#include "storage/base/thread.h"

struct err entity_list(struct cli *cli, struct str base, const char *member)
{
    static const struct column columns[] = { { "name", "NAME", COLUMN_TEXT },
                                             { "createTimestamp", "CREATED", COLUMN_TIME },
                                             { "lastUpdateTimestamp", "CHANGED", COLUMN_TIME },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *rows;

    if (!base.data) return no_memory();
    TRY(management_call(cli, "GET", base, NULL, &answer));
    TRY(json_need_array(answer, member, &rows));
    return cli_print_rows(cli, columns, rows);
}

struct err entity_names(struct cli *cli, struct str path, const char *member, json_t *ret_names)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *rows, *row;
    size_t i;

    if (!path.data) return no_memory();
    TRY(management_call(cli, "GET", path, NULL, &answer));
    TRY(json_need_array(answer, member, &rows));
    json_array_foreach(rows, i, row)
    {
        if (json_array_append(ret_names, json_object_get(row, "name")) != 0)
            return err_fail(ERR_INTERNAL, "the server's list of %s cannot be read", member);
    }
    return OK;
}

struct err entity_show(struct cli *cli, struct str base, const char *name, json_t *lists)
{
    static const struct column columns[] = {
        { "name", "name", COLUMN_TEXT },
        { "clientId", "client id", COLUMN_TEXT },
        { "type", "type", COLUMN_TEXT },
        { "location", "location", COLUMN_TEXT },
        { "principal-roles", "principal roles", COLUMN_TEXT },
        { "principals", "principals", COLUMN_TEXT },
        { "catalog-roles", "catalog roles", COLUMN_TEXT },
        { "createTimestamp", "created", COLUMN_TIME },
        { "lastUpdateTimestamp", "changed", COLUMN_TIME },
        { "entityVersion", "version", COLUMN_NUMBER },
        { NULL, NULL, COLUMN_TEXT },
    };
    CLEANUP(json_freep) json_t *owned = lists;
    CLEANUP(json_freep) json_t *answer = NULL;
    const struct str path = api_path(cli, base, str_from_z(name));

    if (!path.data) return no_memory();
    TRY(management_call(cli, "GET", path, NULL, &answer));
    json_t *location = json_object_get(json_object_get(answer, "properties"), "default-base-location");
    if (owned && json_object_update(answer, owned) != 0) return no_memory();
    if (cli->options->is_json) return layout_json(answer, cli->out);
    if (location) json_object_set(answer, "location", location);
    return cli_print_facts(cli, columns, answer);
}

struct err entity_send(struct cli *cli, const char *method, struct str path, json_t *body)
{
    CLEANUP(json_freep) json_t *owned = body;
    CLEANUP(json_freep) json_t *answer = NULL;

    if (!path.data) return no_memory();
    return management_call(cli, method, path, owned, &answer);
}

struct err entity_delete(struct cli *cli, struct str base, const char *name, const char *kind)
{
    TRY(entity_send(cli, "DELETE", api_path(cli, base, str_from_z(name)), NULL));
    cli_say(cli, "%s %s is deleted", kind, name);
    return OK;
}
