/*
 * s3_api.c - S3 requests of the command line, and what both APIs share.
 */
#include "admin/cli/api.h"

#include "admin/cli/elements.h"

struct err api_endpoint(struct cli *cli, enum api api, struct str *ret)
{
    if (cli->endpoints[api].len == 0)
        TRY(connect_endpoint(api, cli->options, cli->arena, &cli->endpoints[api]));
    *ret = cli->endpoints[api];
    return OK;
}

struct err api_credential(struct cli *cli)
{
    return cli->credential.user.len ? OK : connect_credential(cli->options, cli->arena, &cli->credential);
}

struct err api_refusal(int status, struct str said)
{
    static const struct {
        int status;
        enum err_code code;
        const char *sentence;
        bool is_said_too; /* the server's sentence alone would not tell what to do */
    } rows[] = {
        { 401, ERR_UNAUTHENTICATED, "the server does not accept the credential", true },
        { 403, ERR_DENIED, "the credential is wrong or does not allow this", true },
        { 404, ERR_NOT_FOUND, "it does not exist", false },
        { 409, ERR_CONFLICT, "the server refuses, as things stand", false },
        { 503, ERR_BUSY, "the server is not ready, try again", true },
        { 507, ERR_NO_SPACE, "the server's disk is full", true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status != status) continue;
        if (said.len == 0) return FAIL(rows[i].code, rows[i].sentence);
        if (!rows[i].is_said_too) return err_fail(rows[i].code, "%.*s", STR_ARG(said));
        return err_fail(rows[i].code, "%s: %.*s", rows[i].sentence, STR_ARG(said));
    }
    const enum err_code code = status >= 400 && status < 500 ? ERR_INVALID : ERR_INTERNAL;
    if (code == ERR_INVALID && said.len) return err_fail(code, "%.*s", STR_ARG(said));
    return err_fail(code, "the server answered %d%s%.*s", status, said.len ? ": " : "", STR_ARG(said));
}

static struct str said_by_s3(struct cli *cli, struct str body)
{
    const struct str code = element_text(body, "Code", cli->arena);
    const struct str message = element_text(body, "Message", cli->arena);

    if (!code.data) return STR_NONE;
    return arena_printf(cli->arena, "%.*s (%.*s)", STR_ARG(message), STR_ARG(code));
}

struct err s3_send(struct cli *cli, struct request *request, struct str path, struct reply *ret)
{
    struct str base;

    TRY(api_endpoint(cli, API_S3, &base));
    TRY(api_credential(cli));
    request->url = path.data ? arena_join(cli->arena, base, path) : STR_NONE;
    if (!request->url.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    request->signer = &cli->credential;
    request->region = connect_region(cli->options);
    TRY(client_send(cli->client, request, cli->arena, ret));
    if (ret->status >= 200 && ret->status <= 299) return OK;
    return api_refusal(ret->status, said_by_s3(cli, ret->body));
}

struct err s3_call(struct cli *cli, const char *method, struct str path, struct str *ret_body)
{
    struct request request = { .method = method };
    struct reply reply;

    TRY(s3_send(cli, &request, path, &reply));
    *ret_body = reply.body;
    return OK;
}
