/*
 * audit.c - firn audit: who did what, newest first.
 */
#include "admin/cli/api.h"
#include "admin/cli/format.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

#define EVENTS_DEFAULT 100
#define PAGE_SIZE_MAX 1000       /* the server's */
#define LIMIT_AUDIT_PAGES 100000 /* a page may be empty and have a next one */

/* "&name=value", unless it is not given. */
static struct err add_text(struct cli *cli, const char *name, const char *value, struct str *query)
{
    if (!value) return OK;
    const struct str before = arena_printf(cli->arena, "%.*s&%s=", STR_ARG(*query), name);
    *query = before.data ? api_path(cli, before, str_from_z(value)) : STR_NONE;
    return query->data ? OK : no_memory();
}

/* A moment, or an age counted back from now. */
static struct err add_time(struct cli *cli, const char *name, const char *value, struct str *query)
{
    int64_t ms;

    if (!value) return OK;
    if (duration_parse(str_from_z(value), &ms)) ms = clock_now_ms() - ms;
    else if (!clock_parse(str_from_z(value), &ms))
        return err_fail(
            ERR_INVALID_ARGUMENT,
            "flag --%s must be a time such as 2026-11-21T09:30:00Z or an age such as 24h, not '%s'", name,
            value);
    *query = arena_printf(cli->arena, "%.*s&%s=%lld", STR_ARG(*query), name, (long long)(ms > 0 ? ms : 0));
    return query->data ? OK : no_memory();
}

static struct err query_of(struct cli *cli, struct str *ret)
{
    const struct options *o = cli->options;
    const int64_t size = o->limit < 0 ? EVENTS_DEFAULT : o->limit;

    *ret = arena_printf(cli->arena, "/audit?pageSize=%lld",
                        (long long)(size < PAGE_SIZE_MAX ? size : PAGE_SIZE_MAX));
    if (!ret->data) return no_memory();
    TRY(add_time(cli, "from", o->from, ret));
    TRY(add_time(cli, "to", o->to, ret));
    TRY(add_text(cli, "principal", o->principal, ret));
    TRY(add_text(cli, "operation", o->operation, ret));
    TRY(add_text(cli, "object", o->object, ret));
    TRY(add_text(cli, "outcome", o->outcome, ret));
    return add_text(cli, "catalog", o->catalog, ret);
}

/* Append what is still wanted of a page. */
static struct err take_page(struct cli *cli, struct str path, size_t wanted, json_t *rows,
                            struct str *ret_token)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    json_t *events, *event;
    size_t i;

    TRY(management_call(cli, "GET", path, NULL, &answer));
    TRY(json_need_array(answer, "events", &events));
    json_array_foreach(events, i, event)
    {
        if (json_array_size(rows) < wanted && json_array_append(rows, event) != 0) return no_memory();
    }
    *ret_token = arena_str(cli->arena, json_str(json_object_get(answer, "next-page-token")));
    return ret_token->data ? OK : no_memory();
}

struct err verb_audit(struct cli *cli)
{
    static const struct column columns[] = { { "time", "TIME", COLUMN_TIME },
                                             { "principal", "PRINCIPAL", COLUMN_TEXT },
                                             { "operation", "OPERATION", COLUMN_TEXT },
                                             { "catalog", "CATALOG", COLUMN_TEXT },
                                             { "object", "OBJECT", COLUMN_TEXT },
                                             { "outcome", "OUTCOME", COLUMN_TEXT },
                                             { "count", "TIMES", COLUMN_NUMBER },
                                             { "address", "FROM", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    const size_t wanted = cli->options->limit < 0 ? EVENTS_DEFAULT : (size_t)cli->options->limit;
    CLEANUP(json_freep) json_t *rows = json_array();
    struct str query, path, token = STR("");

    TRY(query_of(cli, &query));
    path = query;
    for (int page = 0; page < LIMIT_AUDIT_PAGES && json_array_size(rows) < wanted; page++) {
        TRY(take_page(cli, path, wanted, rows, &token));
        if (token.len == 0) break;
        path = query;
        TRY(add_text(cli, "pageToken", token.data, &path));
    }
    return cli_print_rows(cli, columns, rows);
}
