/*
 * bucket.c - firn bucket list | create | delete
 */
#include "admin/cli/api.h"
#include "admin/cli/elements.h"

#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define LIMIT_BUCKET_PAGES 1000

static struct err no_memory(void)
{
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

/* "/" and a name, percent-encoded. */
static struct str path_of(struct cli *cli, const char *before, struct str name)
{
    struct buf out;

    buf_init(&out, 64 * KIB);
    buf_z(&out, before);
    percent_to(&out, name, "");
    const struct str text = buf_err(&out).code == ERR_OK ? arena_str(cli->arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    return text;
}

static struct err take_buckets(struct cli *cli, struct str body, json_t *rows)
{
    struct str bucket;

    while (element_next(&body, "Bucket", &bucket)) {
        const struct str name = element_text(bucket, "Name", cli->arena);
        const struct str created = element_text(bucket, "CreationDate", cli->arena);
        json_t *row = json_object();
        json_object_set_new(row, "name", json_of_str(name));
        json_object_set_new(row, "created", created.len ? json_of_str(created) : json_null());
        if (name.len == 0 || json_array_append_new(rows, row) != 0)
            return FAIL(ERR_INTERNAL, "the server's list of buckets cannot be read");
    }
    return OK;
}

struct err verb_bucket_list(struct cli *cli)
{
    static const struct column columns[] = { { "name", "NAME", COLUMN_TEXT },
                                             { "created", "CREATED", COLUMN_TIME },
                                             { NULL, NULL, COLUMN_TEXT } };
    struct str path = STR("/"), body, next = STR("");
    json_t *rows = json_array();
    struct err e = OK;

    for (int page = 0; page < LIMIT_BUCKET_PAGES && path.len; page++) {
        if (e.code == ERR_OK) e = path.data ? s3_call(cli, "GET", path, NULL, 0, &body) : no_memory();
        if (e.code == ERR_OK) e = take_buckets(cli, body, rows);
        next = e.code == ERR_OK ? element_text(body, "ContinuationToken", cli->arena) : STR_NONE;
        path = next.len ? path_of(cli, "/?continuation-token=", next) : STR_NONE;
    }
    if (e.code == ERR_OK) e = cli_print_rows(cli, columns, rows);
    json_decref(rows);
    return e;
}

struct err verb_bucket_create(struct cli *cli)
{
    struct str body;
    const struct str path = path_of(cli, "/", str_from_z(cli_word(cli, 0)));

    if (!path.data) return no_memory();
    TRY(s3_call(cli, "PUT", path, NULL, 0, &body));
    cli_say(cli, "bucket %s is there", cli_word(cli, 0));
    return OK;
}

struct err verb_bucket_delete(struct cli *cli)
{
    struct str body;
    const struct str path = path_of(cli, "/", str_from_z(cli_word(cli, 0)));

    if (!path.data) return no_memory();
    TRY(s3_call(cli, "DELETE", path, NULL, 0, &body));
    cli_say(cli, "bucket %s is deleted", cli_word(cli, 0));
    return OK;
}
