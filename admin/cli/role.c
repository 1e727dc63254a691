/*
 * role.c - firn role and firn catalog-role: list | show | create | delete | grant | revoke
 *
 * Polaris has two kinds. A (principal) role is held by principals; a catalog role belongs to a catalog, holds privileges, and is held by roles.
 */
#include "admin/cli/entity.h"
#include "storage/base/thread.h"

static const struct str roles = { "/principal-roles/", sizeof("/principal-roles/") - 1 };

/* {MEMBER: {"name": NAME}}, with empty properties if it is to be made. */
static struct err named(const char *member, const char *name, bool is_new, json_t **ret)
{
    json_t *text = json_string(name);

    if (!text) return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not UTF-8", name);
    *ret = is_new ? json_pack("{s:{s:o, s:{}}}", member, "name", text, "properties")
                  : json_pack("{s:{s:o}}", member, "name", text);
    return *ret ? OK : no_memory();
}

/* before/NAME/behind */
static struct str path_of(struct cli *cli, struct str before, const char *name, const char *behind)
{
    const struct str path = api_path(cli, before, str_from_z(name));

    return path.data ? arena_join(cli->arena, path, str_from_z(behind)) : STR_NONE;
}

/* ---- roles of principals ---- */

struct err verb_role_list(struct cli *cli)
{
    return entity_list(cli, STR("/principal-roles"), "roles");
}

struct err verb_role_show(struct cli *cli)
{
    CLEANUP(json_freep) json_t *principals = json_array();
    CLEANUP(json_freep) json_t *catalog_roles = json_array();
    const char *name = cli_word(cli, 0);
    struct str catalog;

    TRY(entity_names(cli, path_of(cli, roles, name, "/principals"), "principals", principals));
    if (connect_catalog(cli->options)) {
        TRY(catalog_name(cli, &catalog));
        const struct str of_role = path_of(cli, roles, name, "/catalog-roles/");
        TRY(entity_names(cli, arena_join(cli->arena, of_role, catalog), "roles", catalog_roles));
    }
    return entity_show(cli, roles, name,
                       json_pack("{s:O, s:O}", "principals", principals, "catalog-roles", catalog_roles));
}

struct err verb_role_create(struct cli *cli)
{
    json_t *body;

    TRY(named("principalRole", cli_word(cli, 0), true, &body));
    TRY(entity_send(cli, "POST", STR("/principal-roles"), body));
    cli_say(cli, "role %s is created", cli_word(cli, 0));
    return OK;
}

struct err verb_role_delete(struct cli *cli)
{
    return entity_delete(cli, roles, cli_word(cli, 0), "role");
}

struct err verb_role_grant(struct cli *cli)
{
    const struct str path = path_of(cli, STR("/principals/"), cli_word(cli, 1), "/principal-roles");
    json_t *body;

    TRY(named("principalRole", cli_word(cli, 0), false, &body));
    TRY(entity_send(cli, "PUT", path, body));
    cli_say(cli, "principal %s has the role %s", cli_word(cli, 1), cli_word(cli, 0));
    return OK;
}

struct err verb_role_revoke(struct cli *cli)
{
    const struct str before = path_of(cli, STR("/principals/"), cli_word(cli, 1), "/principal-roles/");

    TRY(entity_send(cli, "DELETE", path_of(cli, before, cli_word(cli, 0), ""), NULL));
    cli_say(cli, "principal %s has the role %s no longer", cli_word(cli, 1), cli_word(cli, 0));
    return OK;
}

/* ---- roles of a catalog ---- */

static struct err catalog_roles_path(struct cli *cli, const char *behind, struct str *ret)
{
    struct str catalog;

    TRY(catalog_name(cli, &catalog));
    *ret = arena_printf(cli->arena, "/catalogs/%.*s/catalog-roles%s", STR_ARG(catalog), behind);
    return ret->data ? OK : no_memory();
}

struct err verb_catalog_role_list(struct cli *cli)
{
    struct str path;

    TRY(catalog_roles_path(cli, "", &path));
    return entity_list(cli, path, "roles");
}

struct err verb_catalog_role_show(struct cli *cli)
{
    CLEANUP(json_freep) json_t *holders = json_array();
    struct str base;

    TRY(catalog_roles_path(cli, "/", &base));
    TRY(entity_names(cli, path_of(cli, base, cli_word(cli, 0), "/principal-roles"), "roles", holders));
    return entity_show(cli, base, cli_word(cli, 0), json_pack("{s:O}", "principal-roles", holders));
}

struct err verb_catalog_role_create(struct cli *cli)
{
    struct str path;
    json_t *body;

    TRY(catalog_roles_path(cli, "", &path));
    TRY(named("catalogRole", cli_word(cli, 0), true, &body));
    TRY(entity_send(cli, "POST", path, body));
    cli_say(cli, "catalog role %s is created", cli_word(cli, 0));
    return OK;
}

struct err verb_catalog_role_delete(struct cli *cli)
{
    struct str base;

    TRY(catalog_roles_path(cli, "/", &base));
    return entity_delete(cli, base, cli_word(cli, 0), "catalog role");
}

/* Where a role's catalog roles of this catalog are. */
static struct err held_path(struct cli *cli, const char *role, struct str *ret)
{
    struct str catalog;

    TRY(catalog_name(cli, &catalog));
    const struct str before = path_of(cli, roles, role, "/catalog-roles/");
    *ret = before.data ? arena_join(cli->arena, before, catalog) : STR_NONE;
    return ret->data ? OK : no_memory();
}

struct err verb_catalog_role_grant(struct cli *cli)
{
    struct str path;
    json_t *body;

    TRY(held_path(cli, cli_word(cli, 1), &path));
    TRY(named("catalogRole", cli_word(cli, 0), false, &body));
    TRY(entity_send(cli, "PUT", path, body));
    cli_say(cli, "role %s has the catalog role %s", cli_word(cli, 1), cli_word(cli, 0));
    return OK;
}

struct err verb_catalog_role_revoke(struct cli *cli)
{
    struct str path;

    TRY(held_path(cli, cli_word(cli, 1), &path));
    path = arena_join(cli->arena, path, STR("/"));
    TRY(entity_send(cli, "DELETE", path_of(cli, path, cli_word(cli, 0), ""), NULL));
    cli_say(cli, "role %s has the catalog role %s no longer", cli_word(cli, 1), cli_word(cli, 0));
    return OK;
}
