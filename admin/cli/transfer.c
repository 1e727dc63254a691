/*
 * transfer.c - bodies: one PUT, or parts when the file is large; down to a file by way of a second name.
 */
#include "admin/cli/transfer.h"

#include <sys/stat.h>

#include "admin/cli/elements.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define LIMIT_ONE_PUT                                                                                        \
    (64 * MIB) /* larger files go in parts: a broken connection costs one part, not the file */

static void file_close(FILE **file)
{
    if (*file) (void)fclose(*file);
}

/* ---- up ---- */

struct upload {
    struct cli *cli;
    struct remote to;
    FILE *file;
    struct request request; /* what all parts share */
    struct str id;          /* of the upload, percent-encoded */
    struct buf parts;       /* the body of CompleteMultipartUpload */
};

static struct str part_path(struct upload *u, int number)
{
    const struct str query = arena_printf(u->cli->arena, "?partNumber=%d&uploadId=%.*s", number,
                                          STR_ARG(u->id));

    return query.data ? remote_path(u->cli, u->to, query.data) : STR_NONE;
}

static struct err send_part(struct upload *u, int number, uint64_t offset, uint64_t bytes)
{
    struct request request = u->request;
    struct reply reply;

    if (fseeko(u->file, (off_t)offset, SEEK_SET) != 0) return FAIL(ERR_IO, "the file cannot be read");
    request.upload = u->file;
    request.upload_bytes = bytes;
    request.done = offset;
    TRY(s3_send(u->cli, &request, part_path(u, number), &reply));
    buf_printf(&u->parts, "<Part><PartNumber>%d</PartNumber><ETag>", number);
    xml_escape_to(&u->parts, reply.etag);
    buf_z(&u->parts, "</ETag></Part>");
    return buf_err(&u->parts);
}

static struct err send_parts(struct upload *u)
{
    const uint64_t size = u->request.total;
    uint64_t part = LIMIT_ONE_PUT;
    struct request finish = { .method = "POST", .type = "application/xml" };
    struct reply reply;
    int number = 0;

    if (size / part >= LIMIT_PARTS) part = (size / LIMIT_PARTS / MIB + 1) * MIB;
    buf_z(&u->parts, "<CompleteMultipartUpload>");
    for (uint64_t offset = 0; offset < size; offset += part)
        TRY(send_part(u, ++number, offset, size - offset < part ? size - offset : part));
    buf_z(&u->parts, "</CompleteMultipartUpload>");
    TRY(buf_err(&u->parts));
    finish.body = buf_view(&u->parts);
    const struct str query = arena_printf(u->cli->arena, "?uploadId=%.*s", STR_ARG(u->id));
    if (!query.data) return no_memory();
    TRY(s3_send(u->cli, &finish, remote_path(u->cli, u->to, query.data), &reply));
    /* Complete may answer 200 and say in the body that it failed. */
    const struct str code = element_text(reply.body, "Code", u->cli->arena);
    return code.len
        ? err_fail(ERR_INTERNAL, "the server could not put the parts together: %.*s", STR_ARG(code))
        : OK;
}

static struct err upload_in_parts(struct upload *u)
{
    struct request begin = { .method = "POST" };
    struct reply reply;
    struct str body;

    TRY(s3_send(u->cli, &begin, remote_path(u->cli, u->to, "?uploads="), &reply));
    const struct str id = element_text(reply.body, "UploadId", u->cli->arena);
    if (id.len == 0) return FAIL(ERR_INTERNAL, "the server's answer names no upload");
    u->id = api_path(u->cli, STR(""), id);
    if (!u->id.data) return no_memory();
    buf_init(&u->parts, 4 * MIB);
    const struct err e = send_parts(u);
    buf_done(&u->parts);
    if (e.code == ERR_OK) return OK;
    const struct str query = arena_printf(u->cli->arena, "?uploadId=%.*s", STR_ARG(u->id));
    if (query.data) err_ignore(s3_call(u->cli, "DELETE", remote_path(u->cli, u->to, query.data), &body));
    return e;
}

struct err transfer_up(struct cli *cli, const char *file_name, struct remote to, struct progress *progress)
{
    CLEANUP(file_close) FILE *file = NULL;
    struct upload u = { .cli = cli, .to = to };
    struct reply reply;
    struct stat info;

    TRY(sys_stat(file_name, &info));
    if (!S_ISREG(info.st_mode)) return err_fail(ERR_INVALID_ARGUMENT, "%s is not a file", file_name);
    file = u.file = fopen(file_name, "re");
    if (!file) return err_fail(ERR_IO, "%s cannot be read", file_name);
    u.request = (struct request){ .method = "PUT", .progress = progress, .label = str_from_z(file_name) };
    u.request.total = (uint64_t)info.st_size;
    if (u.request.total > LIMIT_ONE_PUT) return upload_in_parts(&u);
    u.request.upload = file;
    u.request.upload_bytes = u.request.total;
    return s3_send(cli, &u.request, remote_path(cli, to, ""), &reply);
}

/* ---- down ---- */

struct err transfer_down(struct cli *cli, struct remote from, const char *file_name,
                         struct progress *progress)
{
    const struct str partial = arena_printf(cli->arena, "%s.firn-part", file_name);
    struct request request = { .method = "GET", .progress = progress, .label = str_from_z(file_name) };
    struct reply reply;

    if (!partial.data) return no_memory();
    request.download = fopen(partial.data, "we");
    if (!request.download) return err_fail(ERR_IO, "%s cannot be written", partial.data);
    struct err e = s3_send(cli, &request, remote_path(cli, from, ""), &reply);
    if (fclose(request.download) != 0 && e.code == ERR_OK)
        e = err_fail(ERR_IO, "%s cannot be written", partial.data);
    if (e.code == ERR_OK) e = sys_rename(partial.data, file_name);
    if (e.code != ERR_OK) err_ignore(sys_unlink(partial.data));
    return e;
}

/* ---- within ---- */

struct err transfer_within(struct cli *cli, struct remote from, struct remote to)
{
    struct request request = { .method = "PUT" };
    const struct str source = remote_path(cli, from, "");
    struct reply reply;

    if (source.data)
        request.headers[0] = arena_printf(cli->arena, "x-amz-copy-source: %.*s", STR_ARG(source));
    if (!request.headers[0].data) return no_memory();
    TRY(s3_send(cli, &request, remote_path(cli, to, ""), &reply));
    const struct str code = element_text(reply.body, "Code", cli->arena); /* S3 may fail after it said 200 */
    return code.len ? err_fail(ERR_INTERNAL, "the server could not copy: %.*s", STR_ARG(code)) : OK;
}
