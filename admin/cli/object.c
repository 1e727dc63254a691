/*
 * object.c - firn object put: one file to one key. For more than that there are S3 clients.
 */
#include <sys/stat.h>

#include "admin/cli/api.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

static void file_close(FILE **file)
{
    if (*file) (void)fclose(*file);
}

/* "BUCKET/KEY" as "/BUCKET/KEY", percent-encoded. */
static struct err key_path(struct cli *cli, const char *word, struct str *ret)
{
    struct str bucket;
    const struct str key = str_cut(str_from_z(word), '/', &bucket);
    struct buf out;

    if (bucket.len == 0 || key.len == 0)
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' must be BUCKET/KEY", word);
    buf_init(&out, 64 * KIB);
    buf_char(&out, '/');
    percent_to(&out, bucket, "");
    buf_char(&out, '/');
    percent_to(&out, key, "/");
    *ret = buf_err(&out).code == ERR_OK ? arena_str(cli->arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    return ret->data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err verb_object_put(struct cli *cli)
{
    CLEANUP(file_close) FILE *file = NULL;
    const char *name = cli_word(cli, 0);
    struct stat info;
    struct str path, body;

    TRY(key_path(cli, cli_word(cli, 1), &path));
    TRY(sys_stat(name, &info));
    if (!S_ISREG(info.st_mode)) return err_fail(ERR_INVALID_ARGUMENT, "%s is not a file", name);
    if ((uint64_t)info.st_size > LIMIT_PUT_BYTES)
        return err_fail(ERR_TOO_LARGE, "%s is larger than 5 GiB: use an S3 client, which sends it in parts",
                        name);
    file = fopen(name, "re");
    if (!file) return err_fail(ERR_IO, "%s cannot be read", name);
    TRY(s3_call(cli, "PUT", path, file, (uint64_t)info.st_size, &body));
    cli_say(cli, "%s is at s3://%s", name, cli_word(cli, 1));
    return OK;
}
