/*
 * status.c - firn status: where the data is, how full, when rows were last carried to the tree.
 */
#include "admin/cli/api.h"

#include "storage/base/thread.h"

/* What the scrub found, a line each. */
static struct err print_damages(struct cli *cli, const json_t *document)
{
    static const struct column columns[] = {
        { "found", "damage found", COLUMN_TIME }, { "kind", "kind", COLUMN_TEXT },
        { "bucket", "bucket", COLUMN_TEXT },      { "key", "key", COLUMN_TEXT },
        { "what", "what", COLUMN_TEXT },          { NULL, NULL, COLUMN_TEXT },
    };
    const json_t *damages = json_object_get(json_object_get(document, "scrub"), "damages");

    return json_array_size(damages) ? cli_print_rows(cli, columns, damages) : OK;
}

/* {"disk": {"free_bytes": 1}} -> {"disk.free_bytes": 1}: columns name members of one object. */
static json_t *flat(const json_t *document)
{
    json_t *facts = json_object(), *value, *inner;
    const char *name, *field;
    char path[128];

    json_object_foreach((json_t *)document, name, value)
    {
        if (!json_is_object(value)) json_object_set(facts, name, value);
        json_object_foreach(value, field, inner)
        {
            (void)snprintf(path, sizeof(path), "%s.%s", name, field);
            json_object_set(facts, path, inner);
        }
    }
    return facts;
}

struct err verb_status(struct cli *cli)
{
    static const struct column columns[] = {
        { "data", "data directory", COLUMN_TEXT },
        { "writable", "takes writes", COLUMN_BOOL },
        { "why_not", "why not", COLUMN_TEXT },
        { "disk.free_bytes", "disk free", COLUMN_SIZE },
        { "disk.total_bytes", "disk size", COLUMN_SIZE },
        { "volumes.count", "volumes", COLUMN_NUMBER },
        { "volumes.live_bytes", "  bodies", COLUMN_SIZE },
        { "volumes.disk_bytes", "  on disk", COLUMN_SIZE },
        { "volumes.waiting_bytes", "  being freed", COLUMN_SIZE },
        { "journal.segments", "journal segments", COLUMN_NUMBER },
        { "journal.bytes", "  on disk", COLUMN_SIZE },
        { "rows.lmdb_bytes", "rows on disk", COLUMN_SIZE },
        { "rows.in_memory", "rows in memory", COLUMN_NUMBER },
        { "rows.in_memory_bytes", "  size", COLUMN_SIZE },
        { "rows.damaged", "damaged rows met", COLUMN_NUMBER },
        { "rows.last_checkpoint", "last checkpoint", COLUMN_TIME },
        { "rows.transactions", "transactions", COLUMN_NUMBER },
        { "rows.batches", "flushes", COLUMN_NUMBER },
        { "copy.state", "copy of the rows", COLUMN_TEXT },
        { "copy.why_not", "  why not anew", COLUMN_TEXT },
        { "copy.made", "  made", COLUMN_TIME },
        { "copy.bytes", "  size", COLUMN_SIZE },
        { "copy.held_bytes", "  journal kept for it", COLUMN_SIZE },
        { "scrub.ended", "all objects read again", COLUMN_TIME },
        { "scrub.began", "  last pass begun", COLUMN_TIME },
        { "scrub.objects", "  objects of it", COLUMN_NUMBER },
        { "scrub.bytes", "  bytes of it", COLUMN_SIZE },
        { "scrub.damaged", "damaged objects", COLUMN_NUMBER },
        { "postgresql.readers", "connections to read", COLUMN_NUMBER },
        { "postgresql.readers_waiting", "  waited for by", COLUMN_NUMBER },
        { "postgresql.lost", "  lost", COLUMN_NUMBER },
        { "postgresql.batches_retried", "flushes retried", COLUMN_NUMBER },
        { "shared.servers", "servers that share", COLUMN_NUMBER },
        { "shared.background_on", "  background on", COLUMN_TEXT },
        { NULL, NULL, COLUMN_TEXT },
    };
    CLEANUP(json_freep) json_t *document = NULL;

    TRY(catalog_get_own(cli, "/api/firn/v1/status", &document));
    if (!json_is_object(document)) return FAIL(ERR_INTERNAL, "the server's status cannot be read");
    if (cli->options->is_json) return layout_json(document, cli->out);
    CLEANUP(json_freep) json_t *facts = flat(document);
    TRY(cli_print_facts(cli, columns, facts));
    return print_damages(cli, document);
}
