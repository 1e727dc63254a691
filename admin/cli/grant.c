/*
 * grant.c - firn grant | grant list | revoke
 *
 * The catalog gives privileges to catalog roles alone, and people think of "the role". So the role that is named is a principal role, and its privileges are in a
 * catalog role of the same name, which is made and assigned here when it is not there. What is done twice is done once: every step may be repeated.
 */
#include "admin/cli/entity.h"
#include "admin/cli/privilege_word.h"
#include "storage/base/thread.h"

/* {"grant": {"type": ..., "namespace": ..., "tableName": ..., "privilege": ...}} */
static struct err grant_body(struct cli *cli, const struct grant_words *g, struct str privilege, json_t **ret)
{
    json_t *grant = json_pack("{s:s, s:o}", "type", securable_name(g->on), "privilege",
                              json_of_str(privilege));
    json_t *body = json_pack("{s:o}", "grant", grant);
    struct ident ident;
    struct str name;
    struct err e = OK;

    if (!body) return no_memory();
    if (g->on == ON_NAMESPACE) e = ident_parse(str_from_z(g->object), cli->arena, &ident);
    if (g->on == ON_TABLE || g->on == ON_VIEW) {
        e = table_word(cli, g->object, &ident, &name);
        if (e.code == ERR_OK)
            json_object_set_new(grant, g->on == ON_TABLE ? "tableName" : "viewName", json_of_str(name));
    }
    if (e.code == ERR_OK && g->on != ON_CATALOG)
        json_object_set_new(grant, "namespace", ident_to_json(&ident));
    if (e.code == ERR_OK) *ret = body;
    else json_decref(body);
    return e;
}

/* ".../catalog-roles/ROLE/grants" of the catalog that is meant. */
static struct err grants_path(struct cli *cli, const char *role, struct str *ret)
{
    struct str catalog;

    TRY(catalog_name(cli, &catalog));
    const struct str before = arena_printf(cli->arena, "/catalogs/%.*s/catalog-roles/", STR_ARG(catalog));
    const struct str path = before.data ? api_path(cli, before, str_from_z(role)) : STR_NONE;
    *ret = path.data ? arena_join(cli->arena, path, STR("/grants")) : STR_NONE;
    return ret->data ? OK : no_memory();
}

/* The catalog role of the role's name, held by the role. The role is looked for first, so that nothing is made for one that is mistyped. */
static struct err need_catalog_role(struct cli *cli, const char *role)
{
    const struct str role_path = api_path(cli, STR("/principal-roles/"), str_from_z(role));
    struct str catalog;

    TRY(entity_send(cli, "GET", role_path, NULL));
    TRY(catalog_name(cli, &catalog));
    const struct str made_in = arena_printf(cli->arena, "/catalogs/%.*s/catalog-roles", STR_ARG(catalog));
    const struct str held_in = arena_printf(cli->arena, "%.*s/catalog-roles/%.*s", STR_ARG(role_path),
                                            STR_ARG(catalog));
    const struct err e = entity_send(cli, "POST", made_in,
                                     json_pack("{s:{s:s, s:{}}}", "catalogRole", "name", role, "properties"));
    if (e.code != ERR_CONFLICT) TRY(e); /* it is there already */
    return entity_send(cli, "PUT", held_in, json_pack("{s:{s:s}}", "catalogRole", "name", role));
}

static struct err parse(struct cli *cli, const char *preposition, struct grant_words *ret)
{
    const char *words[OPTIONS_WORDS_MAX + 1] = { NULL };

    for (int i = 0; cli_word(cli, i); i++) words[i] = cli_word(cli, i);
    TRY(grant_words_parse(words, preposition, cli->arena, ret));
    if (ret->on == ON_CATALOG) cli->catalog_word = ret->object;
    if (!str_is_utf8(str_from_z(ret->role)))
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not UTF-8", ret->role);
    return OK;
}

/* Every body is made before the first is sent: a wrong name stops all of them. */
static struct err send_all(struct cli *cli, const struct grant_words *g, const char *method)
{
    json_t *bodies[PRIVILEGES_MAX] = { NULL };
    struct str path = STR_NONE;
    struct err e = OK;

    for (size_t i = 0; i < g->count && e.code == ERR_OK; i++)
        e = grant_body(cli, g, g->privileges[i], &bodies[i]);
    if (e.code == ERR_OK && str_is(str_from_z(method), "PUT")) e = need_catalog_role(cli, g->role);
    if (e.code == ERR_OK) e = grants_path(cli, g->role, &path);
    for (size_t i = 0; i < g->count; i++) {
        if (e.code == ERR_OK) e = entity_send(cli, method, path, json_incref(bodies[i]));
        json_decref(bodies[i]);
    }
    return e;
}

static void say(struct cli *cli, const struct grant_words *g, const char *verb)
{
    for (size_t i = 0; i < g->count; i++)
        cli_say(cli, "role %s %s %.*s on %s%s%s", g->role, verb, STR_ARG(g->privileges[i]),
                securable_name(g->on), g->object ? " " : "", g->object ? g->object : "");
}

struct err verb_grant(struct cli *cli)
{
    struct grant_words g;

    TRY(parse(cli, "to", &g));
    TRY(send_all(cli, &g, "PUT"));
    say(cli, &g, "has");
    return OK;
}

struct err verb_revoke(struct cli *cli)
{
    struct grant_words g;

    TRY(parse(cli, "from", &g));
    TRY(send_all(cli, &g, "POST"));
    say(cli, &g, "no longer has");
    return OK;
}

/* ---- list ---- */

static struct err list_of(struct cli *cli, const char *role, json_t *rows)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *grants, *grant;
    struct str path;
    size_t i;

    TRY(grants_path(cli, role, &path));
    TRY(management_call(cli, "GET", path, NULL, &answer));
    TRY(json_need_array(answer, "grants", &grants));
    json_array_foreach(grants, i, grant)
    {
        struct str name = json_str(json_object_get(grant, "tableName"));
        if (name.len == 0) name = json_str(json_object_get(grant, "viewName"));
        const struct str object = ident_print(json_object_get(grant, "namespace"), name, cli->arena);
        json_t *row = json_copy(grant);
        json_object_set_new(row, "catalog-role", json_string(role));
        if (object.len) json_object_set_new(row, "object", json_of_str(object));
        if (json_array_append_new(rows, row) != 0) return no_memory();
    }
    return OK;
}

struct err verb_grant_list(struct cli *cli)
{
    static const struct column columns[] = { { "catalog-role", "CATALOG ROLE", COLUMN_TEXT },
                                             { "privilege", "PRIVILEGE", COLUMN_TEXT },
                                             { "type", "ON", COLUMN_TEXT },
                                             { "object", "NAME", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *names = json_array();
    CLEANUP(json_freep) json_t *rows = json_array();
    struct str catalog;
    json_t *name;
    size_t i;

    if (cli_word(cli, 0)) {
        TRY(list_of(cli, cli_word(cli, 0), rows));
        return cli_print_rows(cli, columns, rows);
    }
    TRY(catalog_name(cli, &catalog));
    TRY(entity_names(cli, arena_printf(cli->arena, "/catalogs/%.*s/catalog-roles", STR_ARG(catalog)), "roles",
                     names));
    json_array_foreach(names, i, name)
    {
        TRY(list_of(cli, json_string_value(name), rows));
    }
    return cli_print_rows(cli, columns, rows);
}
