/*
 * catalog.c - firn catalog list | show | create | set | delete
 */
#include "admin/cli/entity.h"
#include "storage/base/thread.h"

static const struct str base = { "/catalogs/", sizeof("/catalogs/") - 1 };

struct err verb_catalog_list(struct cli *cli)
{
    return entity_list(cli, STR("/catalogs"), "catalogs");
}

struct err verb_catalog_show(struct cli *cli)
{
    return entity_show(cli, base, cli_word(cli, 0), NULL);
}

/* Its files are in this server: the storage configuration says so, and allows the catalog's own place. */
struct err verb_catalog_create(struct cli *cli)
{
    const char *name = cli_word(cli, 0);
    const struct str own = arena_printf(cli->arena, "s3://%s", name);
    const char *location = cli->options->location ? cli->options->location : own.data;
    const struct str said = str_from_z(location);

    if (!str_is_utf8(str_from_z(name))) return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not UTF-8", name);
    if (!str_starts(said, STR("s3://")) || !str_is_utf8(said))
        return err_fail(ERR_INVALID_ARGUMENT,
                        "flag --location must be s3://BUCKET or s3://BUCKET/PATH, not '%s'",
                        location ? location : "");
    TRY(entity_send(cli, "POST", STR("/catalogs"),
                    json_pack("{s:{s:s, s:s, s:{s:s}, s:{s:s, s:[s]}}}", "catalog", "type", "INTERNAL",
                              "name", name, "properties", "default-base-location", location,
                              "storageConfigInfo", "storageType", "S3", "allowedLocations", location)));
    cli_say(cli, "catalog %s is created, with its tables below %s", name, location);
    return OK;
}

/* The management API takes all properties at once, and the version that they were made from: who changed them meanwhile is not overwritten, but told as a conflict. */
struct err verb_catalog_set(struct cli *cli)
{
    CLEANUP(json_freep) json_t *catalog = NULL;
    CLEANUP(json_freep) json_t *updates = json_object();
    CLEANUP(json_freep) json_t *removals = json_array();
    const struct str path = api_path(cli, base, str_from_z(cli_word(cli, 0)));
    json_t *properties, *name;
    size_t i;

    for (int w = 1; cli_word(cli, w); w++) TRY(property_change(cli_word(cli, w), updates, removals));
    if (!path.data) return no_memory();
    TRY(management_call(cli, "GET", path, NULL, &catalog));
    TRY(json_need_object(catalog, "properties", &properties));
    if (json_object_update(properties, updates) != 0) return no_memory();
    json_array_foreach(removals, i, name)
    {
        json_object_del(properties, json_string_value(name));
    }
    TRY(entity_send(cli, "PUT", path,
                    json_pack("{s:O*, s:O}", "currentEntityVersion",
                              json_object_get(catalog, "entityVersion"), "properties", properties)));
    cli_say(cli, "catalog %s: %zu set, %zu removed", cli_word(cli, 0), json_object_size(updates),
            json_array_size(removals));
    return OK;
}

struct err verb_catalog_delete(struct cli *cli)
{
    return entity_delete(cli, base, cli_word(cli, 0), "catalog");
}
