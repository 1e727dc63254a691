/*
 * table_refs.c - firn table history | refs | tag | branch | drop-ref | rollback: which snapshots names point to.
 *
 * A change is one commit under the condition that the ref is still where we saw it, so two people at once do not undo each other silently.
 */
#include <inttypes.h>

#include "admin/cli/api.h"
#include "storage/base/thread.h"

static struct err load_word(struct cli *cli, struct str *ret_path, json_t **ret_loaded, json_t **ret_metadata)
{
    TRY(catalog_table_path(cli, cli_word(cli, 0), ret_path));
    return catalog_load(cli, *ret_path, ret_loaded, ret_metadata);
}

/* {"SNAPSHOT-ID": snapshot}: tables have thousands, and each is asked for. */
static json_t *snapshots_by_id(const json_t *metadata)
{
    json_t *by_id = json_object(), *snapshot;
    char name[32];
    size_t i;

    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        const json_int_t id = json_integer_value(json_object_get(snapshot, "snapshot-id"));
        (void)snprintf(name, sizeof(name), "%lld", (long long)id);
        json_object_set(by_id, name, snapshot);
    }
    return by_id;
}

static json_t *snapshot_of(const json_t *by_id, const json_t *id)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%lld", (long long)json_integer_value(id));
    return json_is_integer(id) ? json_object_get(by_id, name) : NULL;
}

/* {"SNAPSHOT-ID": true} for the current snapshot and all before it; at most as many as there are, also when damaged metadata goes in a circle. */
static json_t *ancestry(const json_t *metadata, const json_t *by_id)
{
    const json_t *id = json_object_get(metadata, "current-snapshot-id");
    json_t *set = json_object();
    char name[32];

    for (size_t i = 0; i <= json_object_size(by_id); i++) {
        const json_t *snapshot = snapshot_of(by_id, id);
        if (!snapshot) break;
        (void)snprintf(name, sizeof(name), "%lld", (long long)json_integer_value(id));
        json_object_set_new(set, name, json_true());
        id = json_object_get(snapshot, "parent-snapshot-id");
    }
    return set;
}

/* ---- history ---- */

struct err verb_table_history(struct cli *cli)
{
    static const struct column columns[] = { { "timestamp-ms", "CURRENT SINCE", COLUMN_TIME },
                                             { "snapshot-id", "SNAPSHOT", COLUMN_NUMBER },
                                             { "operation", "OPERATION", COLUMN_TEXT },
                                             { "is-ancestor", "LEADS TO NOW", COLUMN_BOOL },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *rows = json_array();
    json_t *metadata, *entry;
    struct str path;
    size_t i;

    TRY(load_word(cli, &path, &loaded, &metadata));
    CLEANUP(json_freep) json_t *by_id = snapshots_by_id(metadata);
    CLEANUP(json_freep) json_t *before = ancestry(metadata, by_id);
    json_array_foreach(json_object_get(metadata, "snapshot-log"), i, entry)
    {
        const json_t *id = json_object_get(entry, "snapshot-id");
        json_t *operation = json_object_get(json_object_get(snapshot_of(by_id, id), "summary"), "operation");
        json_t *row = json_copy(entry);
        json_object_set_new(row, "is-ancestor", json_boolean(snapshot_of(before, id)));
        if (operation) json_object_set(row, "operation", operation);
        if (json_array_append_new(rows, row) != 0) return no_memory();
    }
    return cli_print_rows(cli, columns, rows);
}

/* ---- refs ---- */

struct err verb_table_refs(struct cli *cli)
{
    static const struct column columns[] = { { "name", "REF", COLUMN_TEXT },
                                             { "type", "TYPE", COLUMN_TEXT },
                                             { "snapshot-id", "SNAPSHOT", COLUMN_NUMBER },
                                             { "min-snapshots-to-keep", "KEEPS", COLUMN_NUMBER },
                                             { "max-snapshot-age-ms", "SNAPSHOT AGE MS", COLUMN_NUMBER },
                                             { "max-ref-age-ms", "REF AGE MS", COLUMN_NUMBER },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *rows = json_array();
    json_t *metadata, *ref;
    const char *name;
    struct str path;

    TRY(load_word(cli, &path, &loaded, &metadata));
    json_object_foreach(json_object_get(metadata, "refs"), name, ref)
    {
        json_t *row = json_pack("{s:s}", "name", name);
        json_object_update(row, ref);
        if (json_array_append_new(rows, row) != 0) return no_memory();
    }
    return cli_print_rows(cli, columns, rows);
}

/* One update, if the table is this one and the ref is at `seen` (NULL: there is none of that name). Steals update. */
static struct err commit_ref(struct cli *cli, struct str path, const char *name, const json_t *seen,
                             json_t *update)
{
    CLEANUP(json_freep) json_t *owned = update;
    CLEANUP(json_freep) json_t *loaded = NULL;
    CLEANUP(json_freep) json_t *answer = NULL;
    CLEANUP(json_freep) json_t *id = seen ? json_deep_copy(seen) : json_null();
    CLEANUP(json_freep)
    json_t *body = json_pack("{s:[{s:s, s:s, s:O}], s:[O]}", "requirements", "type", "assert-ref-snapshot-id",
                             "ref", name, "snapshot-id", id, "updates", owned);

    if (!body) return no_memory();
    return catalog_call(cli, "POST", path, body, &answer);
}

/* The snapshot that is meant: wanted, or the current one if wanted is negative. ERR_NOT_FOUND: the table has none of that id. */
static struct err snapshot_pick(const char *table, const json_t *metadata, int64_t wanted, int64_t *ret)
{
    CLEANUP(json_freep) json_t *by_id = snapshots_by_id(metadata);
    CLEANUP(json_freep) json_t *id = wanted >= 0 ? json_integer(wanted) : NULL;
    const json_t *meant = id ? id : json_object_get(metadata, "current-snapshot-id");

    if (!snapshot_of(by_id, meant) && id)
        return err_fail(ERR_NOT_FOUND, "%s has no snapshot %" PRId64, table, wanted);
    if (!snapshot_of(by_id, meant)) return err_fail(ERR_NOT_FOUND, "%s has no snapshot yet", table);
    *ret = json_integer_value(meant);
    return OK;
}

static struct err make_ref(struct cli *cli, const char *type)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    const char *table = cli_word(cli, 0), *name = cli_word(cli, 1);
    json_t *metadata;
    struct str path;
    int64_t id;

    TRY(load_word(cli, &path, &loaded, &metadata));
    if (json_object_get(json_object_get(metadata, "refs"), name))
        return err_fail(ERR_EXISTS, "%s has a ref '%s' already", table, name);
    TRY(snapshot_pick(table, metadata, cli->options->snapshot, &id));
    json_t *update = json_pack("{s:s, s:s, s:s, s:I}", "action", "set-snapshot-ref", "ref-name", name, "type",
                               type, "snapshot-id", (json_int_t)id);
    TRY(commit_ref(cli, path, name, NULL, update));
    cli_say(cli, "%s %s of %s is at %" PRId64, type, name, table, id);
    return OK;
}

struct err verb_table_tag(struct cli *cli)
{
    return make_ref(cli, "tag");
}

struct err verb_table_branch(struct cli *cli)
{
    return make_ref(cli, "branch");
}

struct err verb_table_drop_ref(struct cli *cli)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    const char *name = cli_word(cli, 1);
    json_t *metadata;
    struct str path;

    TRY(load_word(cli, &path, &loaded, &metadata));
    const json_t *ref = json_object_get(json_object_get(metadata, "refs"), name);
    if (!ref) return err_fail(ERR_NOT_FOUND, "%s has no ref '%s'", cli_word(cli, 0), name);
    if (str_is(str_from_z(name), "main"))
        return FAIL(ERR_INVALID_ARGUMENT, "the branch main cannot be dropped");
    json_t *update = json_pack("{s:s, s:s}", "action", "remove-snapshot-ref", "ref-name", name);
    TRY(commit_ref(cli, path, name, json_object_get(ref, "snapshot-id"), update));
    cli_say(cli, "ref %s of %s is dropped; its snapshots stay until they expire", name, cli_word(cli, 0));
    return OK;
}

/* ---- rollback ---- */

/* Only to a snapshot that led to the current one: going elsewhere is not going back. */
struct err verb_table_rollback(struct cli *cli)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    const char *table = cli_word(cli, 0), *word = cli_word(cli, 1);
    json_t *metadata;
    struct str path;
    int64_t id;

    if (!str_to_i64(str_from_z(word), &id) || id < 0)
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not the id of a snapshot", word);
    TRY(load_word(cli, &path, &loaded, &metadata));
    TRY(snapshot_pick(table, metadata, id, &id));
    CLEANUP(json_freep) json_t *by_id = snapshots_by_id(metadata);
    CLEANUP(json_freep) json_t *before = ancestry(metadata, by_id);
    CLEANUP(json_freep) json_t *wanted = json_integer(id);
    if (!snapshot_of(before, wanted))
        return err_fail(ERR_INVALID, "snapshot %" PRId64 " did not lead to what %s is now", id, table);
    json_t *update = json_pack("{s:s, s:s, s:s, s:I}", "action", "set-snapshot-ref", "ref-name", "main",
                               "type", "branch", "snapshot-id", (json_int_t)id);
    TRY(commit_ref(cli, path, "main", json_object_get(metadata, "current-snapshot-id"), update));
    cli_say(cli, "table %s is as it was in snapshot %" PRId64, table, id);
    return OK;
}
