/*
 * objects.c - the words of places, and listings.
 */
#include "admin/cli/objects.h"

#include "admin/cli/elements.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define LIMIT_PAGE_ARENA (64 * MIB) /* a page is 1,000 keys of at most 1 KiB, escaped, a few times over */

struct err remote_parse(const char *word, bool may_be_bucket, struct remote *ret)
{
    struct str text = str_from_z(word), bucket;

    if (str_starts(text, STR("s3://"))) text = str_from(text, 5);
    const struct str key = str_cut(text, '/', &bucket);
    if (bucket.len == 0 || (key.len == 0 && !may_be_bucket))
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' must be BUCKET/%s", word,
                        may_be_bucket ? "PREFIX" : "KEY");
    *ret = (struct remote){ bucket, key.len ? key : STR("") };
    return OK;
}

struct str remote_path(struct cli *cli, struct remote where, const char *query)
{
    struct buf out;

    buf_init(&out, 64 * KIB);
    buf_char(&out, '/');
    percent_to(&out, where.bucket, "");
    if (where.key.len) buf_char(&out, '/');
    percent_to(&out, where.key, "/");
    buf_z(&out, query);
    const struct str path = buf_err(&out).code == ERR_OK ? arena_str(cli->arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    return path;
}

/* ---- listings ---- */

struct err object_pages_open(struct cli *cli, struct remote where, bool is_deep, struct object_pages *ret)
{
    *ret = (struct object_pages){ .cli = cli, .where = where, .is_deep = is_deep };
    buf_init(&ret->token, 64 * KIB);
    ret->arena = arena_new(LIMIT_PAGE_ARENA);
    return ret->arena ? OK : no_memory();
}

void object_pages_close(struct object_pages *it)
{
    arena_free(it->arena);
    buf_done(&it->token);
    json_decref(it->rows);
}

/* The query is signed as it stands, so its keys are in order. */
static struct str page_path(struct object_pages *it)
{
    struct buf query;

    buf_init(&query, 64 * KIB);
    buf_char(&query, '?');
    if (it->token.len) buf_z(&query, "continuation-token=");
    percent_to(&query, buf_view(&it->token), "");
    if (it->token.len) buf_char(&query, '&');
    if (!it->is_deep) buf_z(&query, "delimiter=%2F&");
    buf_z(&query, "list-type=2&prefix=");
    percent_to(&query, it->where.key, "");
    const char *text = buf_err(&query).code == ERR_OK ? arena_z(it->arena, buf_view(&query)) : NULL;
    buf_done(&query);
    const struct remote bucket = { it->where.bucket, STR("") };
    return text ? remote_path(it->cli, bucket, text) : STR_NONE;
}

static struct err page_add(json_t *rows, json_t *row, struct str key)
{
    json_object_set_new(row, "key", json_of_str(key));
    if (key.len == 0 || json_array_append_new(rows, row) != 0)
        return FAIL(ERR_INTERNAL, "the server's list of objects cannot be read");
    return OK;
}

static struct err page_read(struct object_pages *it, struct str body, json_t *rows)
{
    struct str rest = body, entry;

    while (element_next(&rest, "CommonPrefixes", &entry))
        TRY(page_add(rows, json_object(), element_text(entry, "Prefix", it->arena)));
    for (rest = body; element_next(&rest, "Contents", &entry);) {
        uint64_t size;
        json_t *row = json_object();
        if (!str_to_u64(element_text(entry, "Size", it->arena), &size)) size = 0;
        json_object_set_new(row, "size", json_integer((json_int_t)size));
        json_object_set_new(row, "modified", json_of_str(element_text(entry, "LastModified", it->arena)));
        TRY(page_add(rows, row, element_text(entry, "Key", it->arena)));
    }
    return OK;
}

static struct err page_fetch(struct object_pages *it)
{
    struct str body;

    json_decref(it->rows);
    it->rows = json_array();
    const struct str path = page_path(it);
    if (!it->rows || !path.data) return no_memory();
    TRY(s3_call(it->cli, "GET", path, &body));
    TRY(page_read(it, body, it->rows));
    const struct str next = element_text(body, "NextContinuationToken", it->arena);
    it->is_over = next.len == 0;
    buf_clear(&it->token);
    buf_str(&it->token, next);
    return buf_err(&it->token);
}

bool object_pages_next(struct object_pages *it)
{
    struct arena *outer = it->cli->arena;

    if (it->is_over || it->err.code != ERR_OK) return false;
    it->err = api_credential(it->cli); /* lives as long as the verb, not as the page; so does the address */
    struct str base;
    if (it->err.code == ERR_OK) it->err = api_endpoint(it->cli, API_S3, &base);
    arena_reset(it->arena);
    it->cli->arena = it->arena;
    if (it->err.code == ERR_OK) it->err = page_fetch(it);
    it->cli->arena = outer;
    return it->err.code == ERR_OK;
}
