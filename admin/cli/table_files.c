/*
 * table_files.c - firn table files: which files a table needs, and which it does not need any more.
 */
#include "admin/cli/api.h"
#include "admin/cli/format.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define PAGES_MAX 1000000 /* a server that never ends a list is broken */

static const struct column live_columns[] = {
    { "kind", "KIND", COLUMN_TEXT },
    { "bytes", "SIZE", COLUMN_SIZE },
    { "snapshots", "SNAPSHOTS", COLUMN_NUMBER },
    { "path", "FILE", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};
static const struct column queued_columns[] = {
    { "kind", "KIND", COLUMN_TEXT },      { "bytes", "SIZE", COLUMN_SIZE },
    { "since-ms", "SINCE", COLUMN_TIME }, { "may-go-ms", "MAY GO", COLUMN_TIME },
    { "path", "FILE", COLUMN_TEXT },      { "why", "WHY NOT", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};
static const struct column orphan_columns[] = {
    { "bytes", "SIZE", COLUMN_SIZE },
    { "removable", "REMOVABLE", COLUMN_BOOL },
    { "path", "FILE", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static const struct {
    const char *state;
    const struct column *columns;
} states[] = { { "live", live_columns }, { "queued", queued_columns }, { "orphan", orphan_columns } };

static const struct column *columns_of(const struct cli *cli)
{
    const char *state = cli->options->state ? cli->options->state : "live";

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (str_is(str_from_z(state), states[i].state)) return states[i].columns;
    }
    return NULL;
}

/* ---- asking ---- */

static struct str add_query(struct cli *cli, struct str path, const char *name, struct str value)
{
    const struct str before = path.data && value.len
        ? arena_printf(cli->arena, "%.*s&%s=", STR_ARG(path), name)
        : path;

    return before.data && value.len ? api_path(cli, before, value) : before;
}

static struct err first_path(struct cli *cli, struct str *ret)
{
    const struct options *o = cli->options;
    struct ident ns;
    struct str table, path, snapshot = STR_NONE;

    TRY(table_word(cli, cli_word(cli, 0), &ns, &table));
    if (o->snapshot >= 0) snapshot = arena_printf(cli->arena, "%lld", (long long)o->snapshot);
    path = arena_printf(cli->arena, "/maintenance/files?namespace=%.*s",
                        STR_ARG(ident_to_path(&ns, cli->arena)));
    path = add_query(cli, path, "table", table);
    path = add_query(cli, path, "snapshot", snapshot);
    path = add_query(cli, path, "ref", str_from_z(o->ref ? o->ref : ""));
    path = add_query(cli, path, "state", str_from_z(o->state ? o->state : ""));
    path = add_query(cli, path, "all", o->is_all ? STR("true") : STR_NONE);
    *ret = path;
    return path.data ? OK : no_memory();
}

/* The first page's answer, with the files of all of them. */
static struct err all_pages(struct cli *cli, struct str path, json_t **ret)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct str token = STR_NONE, next = add_query(cli, path, "summary", STR("true"));
    json_t *files = NULL, *more;

    for (int pages = 0; pages < PAGES_MAX; pages++) {
        CLEANUP(json_freep) json_t *page = NULL;
        if (!next.data) return no_memory();
        TRY(catalog_own_call(cli, "GET", next.data, NULL, &page));
        TRY(json_need_array(page, "files", &more));
        if (!answer) answer = json_incref(page), files = more;
        else if (json_array_extend(files, more) != 0) return no_memory();
        token = json_str(json_object_get(page, "next-page-token"));
        if (token.len == 0) break;
        next = add_query(cli, path, "page-token", token);
    }
    if (token.len) return FAIL(ERR_INTERNAL, "the server does not come to the end of its list");
    json_object_del(answer, "next-page-token");
    *ret = json_incref(answer);
    return OK;
}

/* ---- telling ---- */

static struct str size_text(struct cli *cli, const json_t *sums)
{
    struct buf text;

    buf_init(&text, 64);
    size_to(&text, (uint64_t)json_integer_value(json_object_get(sums, "bytes")));
    const struct str size = arena_printf(cli->arena, "%lld files, %.*s",
                                         (long long)json_integer_value(json_object_get(sums, "files")),
                                         STR_ARG(buf_view(&text)));
    buf_done(&text);
    return size;
}

static void say_summary(struct cli *cli, const json_t *answer)
{
    const json_t *summary = json_object_get(answer, "summary");
    const json_t *expirable = json_object_get(summary, "expirable");
    const struct str why = json_str(json_object_get(answer, "why"));

    if (!cli->options->state || str_is(str_from_z(cli->options->state), "live"))
        cli_say(cli, "%.*s", STR_ARG(size_text(cli, json_object_get(summary, "live"))));
    if (expirable)
        cli_say(cli, "only snapshots without a branch or tag need %.*s", STR_ARG(size_text(cli, expirable)));
    if (why.len) cli_say(cli, "not all files of the table are known: %.*s", STR_ARG(why));
}

struct err verb_table_files(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    const struct column *columns = columns_of(cli);
    struct str path;

    if (!columns)
        return err_fail(ERR_INVALID_ARGUMENT, "flag --state must be live, queued or orphan, not '%s'",
                        cli->options->state);
    TRY(first_path(cli, &path));
    TRY(all_pages(cli, path, &answer));
    if (cli->options->is_json) return layout_json(answer, cli->out);
    TRY(cli_print_rows(cli, columns, json_object_get(answer, "files")));
    say_summary(cli, answer);
    return OK;
}
