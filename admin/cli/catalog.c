/*
 * catalog.c - firn catalog list | show | create | delete
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

struct err verb_catalog_delete(struct cli *cli)
{
    return entity_delete(cli, base, cli_word(cli, 0), "catalog");
}
