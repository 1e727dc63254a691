/*
 * principal.c - firn principal list | show | create | delete | rotate | reset
 *
 * A secret is told once, by the call that makes it: it goes to standard output, also with --json, and nowhere else.
 */
#include "admin/cli/entity.h"
#include "storage/base/thread.h"

static const struct str base = { "/principals/", sizeof("/principals/") - 1 };

/* The name as a JSON string, which has to be UTF-8. */
static struct err name_json(const char *name, json_t **ret)
{
    *ret = json_string(name);
    return *ret ? OK : err_fail(ERR_INVALID_ARGUMENT, "'%s' is not UTF-8", name);
}

/* "/principals/NAME" and what is behind it. */
static struct str path_of(struct cli *cli, const char *name, const char *behind)
{
    const struct str path = api_path(cli, base, str_from_z(name));

    return path.data ? arena_join(cli->arena, path, str_from_z(behind)) : STR_NONE;
}

static struct err print_credentials(struct cli *cli, const json_t *answer, const char *name)
{
    static const struct column columns[] = { { "principal", "principal", COLUMN_TEXT },
                                             { "clientId", "client id (access key)", COLUMN_TEXT },
                                             { "clientSecret", "client secret (secret key)", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *facts = json_object();
    json_t *credentials;

    TRY(json_need_object(answer, "credentials", &credentials));
    json_object_update(facts, credentials);
    json_object_set_new(facts, "principal", json_string(name));
    TRY(cli_print_facts(cli, columns, facts));
    cli_say(cli, "\nThe secret is told this once.");
    return OK;
}

struct err verb_principal_list(struct cli *cli)
{
    return entity_list(cli, STR("/principals"), "principals");
}

struct err verb_principal_show(struct cli *cli)
{
    CLEANUP(json_freep) json_t *roles = json_array();

    TRY(entity_names(cli, path_of(cli, cli_word(cli, 0), "/principal-roles"), "roles", roles));
    return entity_show(cli, base, cli_word(cli, 0), json_pack("{s:O}", "principal-roles", roles));
}

struct err verb_principal_create(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    CLEANUP(json_freep) json_t *name = NULL;

    TRY(name_json(cli_word(cli, 0), &name));
    CLEANUP(json_freep)
    json_t *body = json_pack("{s:{s:O, s:{}}, s:b}", "principal", "name", name, "properties",
                             "credentialRotationRequired", 0);
    if (!body) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(management_call(cli, "POST", STR("/principals"), body, &answer));
    return print_credentials(cli, answer, cli_word(cli, 0));
}

struct err verb_principal_delete(struct cli *cli)
{
    return entity_delete(cli, base, cli_word(cli, 0), "principal");
}

static struct err new_credentials(struct cli *cli, const char *how)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    CLEANUP(json_freep) json_t *body = json_object();
    const struct str path = path_of(cli, cli_word(cli, 0), how);

    if (!path.data || !body) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(management_call(cli, "POST", path, body, &answer));
    return print_credentials(cli, answer, cli_word(cli, 0));
}

struct err verb_principal_rotate(struct cli *cli)
{
    return new_credentials(cli, "/rotate");
}

struct err verb_principal_reset(struct cli *cli)
{
    return new_credentials(cli, "/reset");
}
