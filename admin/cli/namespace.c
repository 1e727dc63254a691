/*
 * namespace.c - firn namespace list | create | show | set | drop | tree
 */
#include "admin/cli/api.h"

#include "storage/base/thread.h"

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

/* ---- properties ---- */

static json_t *property_rows(const json_t *properties)
{
    json_t *rows = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)properties, name, value)
    {
        json_array_append_new(rows, json_pack("{s:s, s:O}", "property", name, "value", value));
    }
    return rows;
}

struct err verb_namespace_show(struct cli *cli)
{
    static const struct column columns[] = { { "property", "PROPERTY", COLUMN_TEXT },
                                             { "value", "VALUE", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str path;

    TRY(catalog_namespace_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_call(cli, "GET", path, NULL, &answer));
    if (cli->options->is_json) return layout_json(answer, cli->out);
    CLEANUP(json_freep) json_t *rows = property_rows(json_object_get(answer, "properties"));
    return cli_print_rows(cli, columns, rows);
}

struct err property_change(const char *word, json_t *updates, json_t *removals)
{
    struct str name;
    const struct str all = str_from_z(word), value = str_cut(all, '=', &name);

    if (name.len == all.len && str_ends(all, STR("-")) && all.len > 1) {
        json_array_append_new(removals, json_of_str(str_slice(all, 0, all.len - 1)));
        return OK;
    }
    if (name.len == all.len || name.len == 0)
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' must be KEY=VALUE, or KEY- to remove", word);
    if (!str_is_utf8(all)) return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not UTF-8", word);
    json_object_setn_new(updates, name.data, name.len, json_of_str(value));
    return OK;
}

struct err verb_namespace_set(struct cli *cli)
{
    CLEANUP(json_freep) json_t *updates = json_object();
    CLEANUP(json_freep) json_t *removals = json_array();
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str path;

    for (int i = 1; cli_word(cli, i); i++) TRY(property_change(cli_word(cli, i), updates, removals));
    TRY(catalog_namespace_path(cli, cli_word(cli, 0), &path));
    path = arena_printf(cli->arena, "%.*s/properties", STR_ARG(path));
    CLEANUP(json_freep) json_t *body = json_pack("{s:O, s:O}", "removals", removals, "updates", updates);
    if (!path.data || !body) return no_memory();
    TRY(catalog_call(cli, "POST", path, body, &answer));
    if (cli->options->is_json) return layout_json(answer, cli->out);
    cli_say(cli, "namespace %s: %zu set, %zu removed, %zu were not there", cli_word(cli, 0),
            json_array_size(json_object_get(answer, "updated")),
            json_array_size(json_object_get(answer, "removed")),
            json_array_size(json_object_get(answer, "missing")));
    return OK;
}

/* ---- tree ---- */

static struct err tree_add(struct cli *cli, json_t *rows, const char *kind, const json_t *levels,
                           struct str name)
{
    const size_t count = json_array_size(levels);
    const size_t depth = name.data ? count : count - 1;
    const struct str last = name.data ? name : json_str(json_array_get(levels, count - 1));
    const struct str whole = ident_print(levels, name, cli->arena);
    const struct str label = arena_printf(cli->arena, "%*s%.*s", (int)(depth * 2), "", STR_ARG(last));
    json_t *row = json_pack("{s:s, s:O}", "kind", kind, "namespace", (json_t *)levels);

    json_object_set_new(row, "name", json_of_str(whole));
    json_object_set_new(row, "label", json_of_str(label));
    return whole.data && label.data && json_array_append_new(rows, row) == 0 ? OK : no_memory();
}

static struct err tree_items(struct cli *cli, const struct ident *ns, const char *kind, json_t *rows)
{
    CLEANUP(json_freep) json_t *items = json_array();
    struct str path;
    json_t *item;
    size_t i;

    TRY(catalog_namespaces_path(cli, &path));
    path = arena_printf(cli->arena, "%.*s/%.*s/%ss", STR_ARG(path), STR_ARG(ident_to_path(ns, cli->arena)),
                        kind);
    if (!path.data) return no_memory();
    TRY(catalog_pages(cli, path, "identifiers", items));
    json_array_foreach(items, i, item)
    {
        TRY(tree_add(cli, rows, kind, json_object_get(item, "namespace"),
                     json_str(json_object_get(item, "name"))));
    }
    return OK;
}

/* Recursion is as deep as levels are: an ident holds IDENT_LEVELS_MAX. */
static struct err tree_below(struct cli *cli, struct ident *ns, json_t *rows) // NOLINT(misc-no-recursion)
{
    CLEANUP(json_freep) json_t *children = json_array();
    json_t *levels;
    size_t i;

    if (ns->count) TRY(tree_items(cli, ns, "table", rows));
    if (ns->count) TRY(tree_items(cli, ns, "view", rows));
    TRY(catalog_walk(cli, ns, false, children));
    json_array_foreach(children, i, levels)
    {
        if (ns->count == IDENT_LEVELS_MAX || json_array_size(levels) != ns->count + 1)
            return FAIL(ERR_INTERNAL, "the server names a namespace of too many levels");
        TRY(tree_add(cli, rows, "namespace", levels, STR_NONE));
        ns->levels[ns->count] = json_str(json_array_get(levels, ns->count));
        ns->count++;
        TRY(tree_below(cli, ns, rows));
        ns->count--;
    }
    return OK;
}

struct err verb_namespace_tree(struct cli *cli)
{
    static const struct column columns[] = { { "label", "NAME", COLUMN_TEXT },
                                             { "kind", "KIND", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    struct ident ns = { .count = 0 };
    json_t *row;
    size_t i;

    if (cli_word(cli, 0)) TRY(ident_parse(str_from_z(cli_word(cli, 0)), cli->arena, &ns));
    TRY(tree_below(cli, &ns, rows));
    json_array_foreach(rows, i, row)
    {
        if (cli->options->is_json) json_object_del(row, "label");
    }
    return cli_print_rows(cli, columns, rows);
}
