/*
 * object.c - firn object ls | cat | rm | put
 */
#include "admin/cli/elements.h"
#include "admin/cli/transfer.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define LIMIT_DELETE_BODY (16 * MIB) /* 1,000 keys of 1 KiB, each byte escaped */

struct err verb_object_list(struct cli *cli)
{
    static const struct column columns[] = { { "modified", "MODIFIED", COLUMN_TIME },
                                             { "size", "SIZE", COLUMN_SIZE },
                                             { "key", "KEY", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    CLEANUP(object_pages_close) struct object_pages pages = { .cli = cli };
    struct remote where;

    TRY(remote_parse(cli_word(cli, 0), true, &where));
    TRY(object_pages_open(cli, where, cli->options->is_recursive, &pages));
    while (object_pages_next(&pages)) {
        if (json_array_extend(rows, pages.rows) != 0) return no_memory();
    }
    TRY(pages.err);
    return cli_print_rows(cli, columns, rows);
}

struct err verb_object_cat(struct cli *cli)
{
    struct request request = { .method = "GET", .download = cli->out };
    struct remote where;
    struct reply reply;

    TRY(remote_parse(cli_word(cli, 0), false, &where));
    return s3_send(cli, &request, remote_path(cli, where, ""), &reply);
}

struct err verb_object_put(struct cli *cli)
{
    struct progress progress;
    struct remote to;

    TRY(remote_parse(cli_word(cli, 1), false, &to));
    progress_begin(&progress);
    const struct err e = transfer_up(cli, cli_word(cli, 0), to, &progress);
    progress_end(&progress);
    TRY(e);
    cli_say(cli, "%s is at s3://%.*s/%.*s", cli_word(cli, 0), STR_ARG(to.bucket), STR_ARG(to.key));
    return OK;
}

/* ---- rm ---- */

/* One DeleteObjects for a page of a listing. S3 wants a digest of this body. */
static struct err delete_page(struct cli *cli, struct remote where, const json_t *rows, struct buf *body)
{
    struct request request = { .method = "POST", .type = "application/xml" };
    const struct remote bucket = { where.bucket, STR("") };
    struct reply reply;
    json_t *row;
    struct str failed;
    size_t i;

    buf_clear(body);
    buf_z(body, "<Delete><Quiet>true</Quiet>");
    json_array_foreach((json_t *)rows, i, row)
    {
        buf_z(body, "<Object><Key>");
        xml_escape_to(body, json_str(json_object_get(row, "key")));
        buf_z(body, "</Key></Object>");
    }
    buf_z(body, "</Delete>");
    TRY(buf_err(body));
    request.body = buf_view(body);
    const struct digest_value md5 = digest_of(DIGEST_MD5, body->data, body->len);
    const struct str sum = base64_str(cli->arena, str_of(md5.bytes, md5.len));
    request.headers[0] = arena_printf(cli->arena, "Content-MD5: %.*s", STR_ARG(sum));
    if (!sum.data || !request.headers[0].data) return no_memory();
    TRY(s3_send(cli, &request, remote_path(cli, bucket, "?delete="), &reply));
    if (!element_next(&reply.body, "Error", &failed)) return OK;
    return err_fail(ERR_DENIED, "%.*s: %.*s", STR_ARG(element_text(failed, "Key", cli->arena)),
                    STR_ARG(element_text(failed, "Message", cli->arena)));
}

static struct err delete_all(struct cli *cli, struct remote where, uint64_t *ret_count)
{
    CLEANUP(object_pages_close) struct object_pages pages = { .cli = cli };
    CLEANUP(arena_freep) struct arena *scratch = arena_new(4 * LIMIT_DELETE_BODY);
    struct arena *outer = cli->arena;
    struct progress progress;
    struct buf body;
    struct err e = OK;

    if (!scratch) return no_memory();
    TRY(object_pages_open(cli, where, true, &pages));
    buf_init(&body, LIMIT_DELETE_BODY);
    progress_begin(&progress);
    while (e.code == ERR_OK && object_pages_next(&pages)) {
        if (json_array_size(pages.rows) == 0) continue;
        arena_reset(scratch);
        cli->arena = scratch;
        e = delete_page(cli, where, pages.rows, &body);
        cli->arena = outer;
        if (e.code == ERR_OK) *ret_count += json_array_size(pages.rows);
        progress_count(&progress, *ret_count, 0, where.bucket);
    }
    progress_end(&progress);
    buf_done(&body);
    return e.code == ERR_OK ? pages.err : e;
}

struct err verb_object_remove(struct cli *cli)
{
    const bool is_all = cli->options->is_recursive;
    uint64_t count = 0;
    struct remote where;
    struct str body;

    TRY(remote_parse(cli_word(cli, 0), is_all, &where));
    if (is_all) {
        const struct err e = delete_all(cli, where, &count);
        cli_say(cli, "%llu objects below %s are deleted", (unsigned long long)count, cli_word(cli, 0));
        return e;
    }
    TRY(s3_call(cli, "DELETE", remote_path(cli, where, ""), &body));
    cli_say(cli, "%s is deleted", cli_word(cli, 0));
    return OK;
}
