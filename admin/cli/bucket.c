/*
 * bucket.c - firn bucket list | create | delete | usage
 */
#include "admin/cli/api.h"
#include "admin/cli/elements.h"
#include "admin/cli/objects.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define LIMIT_BUCKET_PAGES 1000

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

static struct err list_buckets(struct cli *cli, json_t *rows)
{
    struct str path = STR("/"), body, next = STR("");

    for (int page = 0; page < LIMIT_BUCKET_PAGES && path.len; page++) {
        TRY(path.data ? s3_call(cli, "GET", path, &body) : no_memory());
        TRY(take_buckets(cli, body, rows));
        next = element_text(body, "ContinuationToken", cli->arena);
        path = next.len ? path_of(cli, "/?continuation-token=", next) : STR_NONE;
    }
    return OK;
}

struct err verb_bucket_list(struct cli *cli)
{
    static const struct column columns[] = { { "name", "NAME", COLUMN_TEXT },
                                             { "created", "CREATED", COLUMN_TIME },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();

    TRY(list_buckets(cli, rows));
    return cli_print_rows(cli, columns, rows);
}

/* ---- usage ---- */

/* Counted from the listing, so it is what this credential sees. */
static struct err usage_of(struct cli *cli, json_t *row, struct progress *progress)
{
    const struct remote where = { json_str(json_object_get(row, "name")), STR("") };
    CLEANUP(object_pages_close) struct object_pages pages;
    json_int_t objects = 0, bytes = 0;
    json_t *object;
    size_t i;

    TRY(object_pages_open(cli, where, true, &pages));
    while (object_pages_next(&pages)) {
        json_array_foreach(pages.rows, i, object)
        {
            bytes += json_integer_value(json_object_get(object, "size"));
        }
        objects += (json_int_t)json_array_size(pages.rows);
        progress_count(progress, (uint64_t)objects, 0, where.bucket);
    }
    TRY(pages.err);
    json_object_set_new(row, "objects", json_integer(objects));
    json_object_set_new(row, "bytes", json_integer(bytes));
    return OK;
}

struct err verb_bucket_usage(struct cli *cli)
{
    static const struct column columns[] = { { "name", "NAME", COLUMN_TEXT },
                                             { "objects", "OBJECTS", COLUMN_NUMBER },
                                             { "bytes", "SIZE", COLUMN_SIZE },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    struct progress progress;
    struct err e = OK;
    json_t *row;
    size_t i;

    if (cli_word(cli, 0)) json_array_append_new(rows, json_pack("{s:s}", "name", cli_word(cli, 0)));
    else TRY(list_buckets(cli, rows));
    progress_begin(&progress);
    json_array_foreach(rows, i, row)
    {
        json_object_del(row, "created");
        if (e.code == ERR_OK) e = usage_of(cli, row, &progress);
    }
    progress_end(&progress);
    TRY(e);
    return cli_print_rows(cli, columns, rows);
}

struct err verb_bucket_create(struct cli *cli)
{
    struct str body;
    const struct str path = path_of(cli, "/", str_from_z(cli_word(cli, 0)));

    if (!path.data) return no_memory();
    TRY(s3_call(cli, "PUT", path, &body));
    cli_say(cli, "bucket %s is there", cli_word(cli, 0));
    return OK;
}

struct err verb_bucket_delete(struct cli *cli)
{
    struct str body;
    const struct str path = path_of(cli, "/", str_from_z(cli_word(cli, 0)));

    if (!path.data) return no_memory();
    TRY(s3_call(cli, "DELETE", path, &body));
    cli_say(cli, "bucket %s is deleted", cli_word(cli, 0));
    return OK;
}
