/*
 * health.c - firn health: do the two APIs answer, and are they ready? Needs no credential.
 */
#include "admin/cli/api.h"

#include "storage/base/thread.h"

/* One row: what GET /health/ready says. Whatever it is that hinders us is told in the row; *ret_worst keeps the first that failed. */
static struct err ask(struct cli *cli, enum api api, const char *name, json_t *rows, struct err *ret_worst)
{
    struct request request = { .method = "GET" };
    struct reply reply = { .status = 0 };
    struct str base;

    TRY(api_endpoint(cli, api, &base));
    request.url = arena_printf(cli->arena, "%.*s/health/ready", STR_ARG(base));
    if (!request.url.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    struct err e = client_send(cli->client, &request, cli->arena, &reply);
    if (e.code == ERR_OK && reply.status != 200)
        e = err_fail(ERR_BUSY, "%.*s is not ready (it answered %d)", STR_ARG(request.url), reply.status);
    json_t *row = json_pack("{s:s, s:b, s:s}", "api", name, "ready", e.code == ERR_OK, "why_not",
                            e.why ? e.why : "");
    json_object_set_new(row, "endpoint", json_of_str(base));
    if (e.code != ERR_OK && ret_worst->code == ERR_OK) *ret_worst = e;
    return json_array_append_new(rows, row) == 0 ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

/* --endpoint means that one server address; without it both APIs are asked. */
struct err verb_health(struct cli *cli)
{
    static const struct column columns[] = { { "api", "API", COLUMN_TEXT },
                                             { "endpoint", "ENDPOINT", COLUMN_TEXT },
                                             { "ready", "READY", COLUMN_BOOL },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    const struct options *o = cli->options;
    struct err worst = OK;

    if (o->endpoint && !o->s3_endpoint && !o->catalog_endpoint) {
        TRY(ask(cli, API_S3, "given", rows, &worst));
    } else {
        TRY(ask(cli, API_S3, "s3", rows, &worst));
        TRY(ask(cli, API_CATALOG, "catalog", rows, &worst));
    }
    TRY(cli_print_rows(cli, columns, rows));
    return worst;
}
