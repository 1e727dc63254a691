/*
 * table.c - firn table list | show | register | rename | drop
 */
#include "admin/cli/api.h"

#include "storage/base/thread.h"

/* ---- list ---- */

static struct err list_tables_of(struct cli *cli, const struct str ns, json_t *rows)
{
    CLEANUP(json_freep) json_t *idents = json_array();
    json_t *ident;
    struct str path;
    size_t i;

    TRY(catalog_namespace_path(cli, ns.data, &path));
    path = arena_printf(cli->arena, "%.*s/tables", STR_ARG(path));
    if (!path.data) return no_memory();
    TRY(catalog_pages(cli, path, "identifiers", idents));
    json_array_foreach(idents, i, ident)
    {
        json_t *levels = json_object_get(ident, "namespace");
        const struct str name = json_str(json_object_get(ident, "name"));
        json_t *row = json_pack("{s:O, s:o}", "namespace", levels, "name", json_of_str(name));
        json_object_set_new(row, "table", json_of_str(ident_print(levels, name, cli->arena)));
        if (json_array_append_new(rows, row) != 0) return no_memory();
    }
    return OK;
}

struct err table_list_all(struct cli *cli, const char *word, json_t *ret_rows)
{
    CLEANUP(json_freep) json_t *namespaces = json_array();
    struct ident parent = { .count = 0 };
    json_t *levels;
    size_t i;

    if (word) TRY(ident_parse(str_from_z(word), cli->arena, &parent));
    if (word) TRY(list_tables_of(cli, str_from_z(word), ret_rows));
    TRY(catalog_walk(cli, &parent, true, namespaces));
    json_array_foreach(namespaces, i, levels)
    {
        const struct str ns = ident_print(levels, STR_NONE, cli->arena);
        if (!ns.data) return no_memory();
        TRY(list_tables_of(cli, ns, ret_rows));
    }
    return OK;
}

/* Of one namespace, or of all. */
struct err verb_table_list(struct cli *cli)
{
    static const struct column columns[] = { { "table", "TABLE", COLUMN_TEXT }, { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();

    if (cli_word(cli, 0) && !cli->options->is_all)
        TRY(list_tables_of(cli, str_from_z(cli_word(cli, 0)), rows));
    else TRY(table_list_all(cli, cli_word(cli, 0), rows));
    return cli_print_rows(cli, columns, rows);
}

/* ---- show ---- */

static json_t *by_id(const json_t *list, const char *field, const json_t *id)
{
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)list, i, entry)
    {
        if (id && json_equal(json_object_get(entry, field), (json_t *)id)) return entry;
    }
    return NULL;
}

static void copy_to(json_t *facts, const char *to, const json_t *object, const char *from)
{
    json_t *value = json_object_get(object, from);

    if (value) json_object_set(facts, to, value);
}

/* "branch main at 123" for each. */
static json_t *ref_texts(struct cli *cli, const json_t *refs)
{
    json_t *list = json_array(), *ref;
    const char *name;

    json_object_foreach((json_t *)refs, name, ref)
    {
        const long long id = json_integer_value(json_object_get(ref, "snapshot-id"));
        const struct str type = json_str(json_object_get(ref, "type"));
        json_array_append_new(
            list, json_of_str(arena_printf(cli->arena, "%.*s %s at %lld", STR_ARG(type), name, id)));
    }
    return list;
}

/* Partition fields as "name = transform(source)". */
static json_t *partition_texts(struct cli *cli, const json_t *metadata, const json_t *schema)
{
    json_t *list = json_array(), *field;
    const json_t *spec = by_id(json_object_get(metadata, "partition-specs"), "spec-id",
                               json_object_get(metadata, "default-spec-id"));
    size_t i;

    json_array_foreach(json_object_get(spec, "fields"), i, field)
    {
        const json_t *source = by_id(json_object_get(schema, "fields"), "id",
                                     json_object_get(field, "source-id"));
        const struct str of = json_str(json_object_get(source, "name")),
                         transform = json_str(json_object_get(field, "transform"));
        json_array_append_new(
            list, json_of_str(arena_printf(cli->arena, "%.*s(%.*s)", STR_ARG(transform), STR_ARG(of))));
    }
    return list;
}

static json_t *facts_of(struct cli *cli, const json_t *loaded, const json_t *schema)
{
    const json_t *metadata = json_object_get(loaded, "metadata");
    const json_t *current = json_object_get(metadata, "current-snapshot-id");
    const json_t *snapshot = by_id(json_object_get(metadata, "snapshots"), "snapshot-id", current);
    const json_t *summary = json_object_get(snapshot, "summary");
    json_t *facts = json_object();

    json_object_set_new(facts, "table", json_string(cli_word(cli, 0)));
    copy_to(facts, "uuid", metadata, "table-uuid");
    copy_to(facts, "location", metadata, "location");
    copy_to(facts, "metadata", loaded, "metadata-location");
    copy_to(facts, "format", metadata, "format-version");
    copy_to(facts, "updated", metadata, "last-updated-ms");
    if (snapshot) copy_to(facts, "snapshot", metadata, "current-snapshot-id");
    json_object_set_new(facts, "snapshots",
                        json_integer((json_int_t)json_array_size(json_object_get(metadata, "snapshots"))));
    copy_to(facts, "rows", summary, "total-records");
    copy_to(facts, "files", summary, "total-data-files");
    copy_to(facts, "size", summary, "total-files-size");
    json_object_set_new(facts, "partition", partition_texts(cli, metadata, schema));
    json_object_set_new(facts, "refs", ref_texts(cli, json_object_get(metadata, "refs")));
    return facts;
}

/* Types of one word as they are; the others as what they are, since their insides need more than a cell. */
static json_t *schema_rows(const json_t *schema)
{
    json_t *rows = json_array(), *field;
    size_t i;

    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        json_t *type = json_object_get(field, "type"), *row = json_object();
        copy_to(row, "id", field, "id");
        copy_to(row, "name", field, "name");
        copy_to(row, "required", field, "required");
        copy_to(row, "doc", field, "doc");
        json_object_set(row, "type", json_is_string(type) ? type : json_object_get(type, "type"));
        json_array_append_new(rows, row);
    }
    return rows;
}

static struct err show_people(struct cli *cli, const json_t *loaded)
{
    static const struct column fact_columns[] = {
        { "table", "table", COLUMN_TEXT },
        { "uuid", "uuid", COLUMN_TEXT },
        { "location", "location", COLUMN_TEXT },
        { "metadata", "metadata", COLUMN_TEXT },
        { "format", "format version", COLUMN_NUMBER },
        { "updated", "last updated", COLUMN_TIME },
        { "snapshots", "snapshots", COLUMN_NUMBER },
        { "snapshot", "current snapshot", COLUMN_NUMBER },
        { "rows", "rows", COLUMN_NUMBER },
        { "files", "data files", COLUMN_NUMBER },
        { "size", "size", COLUMN_SIZE },
        { "partition", "partitioned by", COLUMN_TEXT },
        { "refs", "refs", COLUMN_TEXT },
        { NULL, NULL, COLUMN_TEXT },
    };
    static const struct column schema_columns[] = {
        { "id", "ID", COLUMN_NUMBER },   { "name", "COLUMN", COLUMN_TEXT },
        { "type", "TYPE", COLUMN_TEXT }, { "required", "REQUIRED", COLUMN_BOOL },
        { "doc", "DOC", COLUMN_TEXT },   { NULL, NULL, COLUMN_TEXT },
    };
    const json_t *metadata = json_object_get(loaded, "metadata");
    const json_t *schema = by_id(json_object_get(metadata, "schemas"), "schema-id",
                                 json_object_get(metadata, "current-schema-id"));
    if (!schema) schema = json_object_get(metadata, "schema"); /* version 1 */
    CLEANUP(json_freep) json_t *facts = facts_of(cli, loaded, schema);
    CLEANUP(json_freep) json_t *rows = schema_rows(schema);

    TRY(cli_print_facts(cli, fact_columns, facts));
    fputc('\n', cli->out);
    return cli_print_rows(cli, schema_columns, rows);
}

/* --json is the catalog's own answer, without what only a client's reader needs. */
struct err verb_table_show(struct cli *cli)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    struct str path;
    json_t *metadata;

    TRY(catalog_table_path(cli, cli_word(cli, 0), &path));
    TRY(catalog_call(cli, "GET", path, NULL, &loaded));
    TRY(json_need_object(loaded, "metadata", &metadata));
    json_object_del(loaded, "config");
    json_object_del(loaded, "storage-credentials");
    return cli->options->is_json ? layout_json(loaded, cli->out) : show_people(cli, loaded);
}

/* ---- register ---- */

struct err verb_table_register(struct cli *cli)
{
    CLEANUP(json_freep) json_t *body = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    struct ident ns;
    struct str table, path;

    TRY(table_word(cli, cli_word(cli, 0), &ns, &table));
    TRY(catalog_namespaces_path(cli, &path));
    path = arena_printf(cli->arena, "%.*s/%.*s/register", STR_ARG(path),
                        STR_ARG(ident_to_path(&ns, cli->arena)));
    body = json_pack("{s:o, s:s}", "name", json_of_str(table), "metadata-location", cli_word(cli, 1));
    if (!body || !path.data) return no_memory();
    TRY(catalog_call(cli, "POST", path, body, &answer));
    cli_say(cli, "table %s is registered", cli_word(cli, 0));
    return OK;
}

/* ---- rename and drop ---- */

static struct err ident_of_word(struct cli *cli, const char *word, json_t **ret)
{
    struct ident ns;
    struct str table;

    TRY(table_word(cli, word, &ns, &table));
    *ret = json_pack("{s:o, s:o}", "namespace", ident_to_json(&ns), "name", json_of_str(table));
    return *ret ? OK : no_memory();
}

struct err verb_table_rename(struct cli *cli)
{
    CLEANUP(json_freep) json_t *from = NULL;
    CLEANUP(json_freep) json_t *to = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str path;

    TRY(ident_of_word(cli, cli_word(cli, 0), &from));
    TRY(ident_of_word(cli, cli_word(cli, 1), &to));
    TRY(catalog_namespaces_path(cli, &path));
    path.len -= sizeof("namespaces") - 1;
    path = arena_printf(cli->arena, "%.*stables/rename", STR_ARG(path));
    CLEANUP(json_freep) json_t *body = json_pack("{s:O, s:O}", "source", from, "destination", to);
    if (!body || !path.data) return no_memory();
    TRY(catalog_call(cli, "POST", path, body, &answer));
    cli_say(cli, "table %s is now %s", cli_word(cli, 0), cli_word(cli, 1));
    return OK;
}

struct err verb_table_drop(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    const bool is_purge = cli->options->is_purge;
    struct str path;

    TRY(catalog_table_path(cli, cli_word(cli, 0), &path));
    path = arena_printf(cli->arena, "%.*s?purgeRequested=%s", STR_ARG(path), is_purge ? "true" : "false");
    if (!path.data) return no_memory();
    TRY(catalog_call(cli, "DELETE", path, NULL, &answer));
    cli_say(cli, "table %s is dropped%s", cli_word(cli, 0),
            is_purge ? ", and its files go" : "; its files are still there");
    return OK;
}
