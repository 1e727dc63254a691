/*
 * copy_file.c - copying in pieces, and leaving out what is zero.
 *
 * Volumes are sparse where bodies were freed, segments where they were made ahead. A block of zeros is not written: the new file has a hole there, and reads the same.
 */
#include "admin/store/copy_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"

#define PIECE_BYTES (1 * MIB) /* read at once: a good length for a disk */
#define HOLE_BYTES (64 * KIB) /* a shorter run of zeros is written */

static struct err may_go_on(const struct copy_job *job)
{
    if (job->is_stopping && atomic_load(job->is_stopping)) return FAIL(ERR_CLOSED, "the server is stopping");
    if (job->deadline_ms && clock_mono_ms() > job->deadline_ms)
        return FAIL(ERR_UNAVAILABLE,
                    "the backup took longer than it may keep freed space from being given back");
    return OK;
}

static bool is_zero(const char *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* All blocks of the piece that are not zero. */
static struct err write_piece(int fd, const char *piece, size_t len, uint64_t offset)
{
    for (size_t at = 0; at < len; at += HOLE_BYTES) {
        const size_t n = len - at < HOLE_BYTES ? len - at : HOLE_BYTES;
        if (!is_zero(piece + at, n)) TRY(sys_pwrite_all(fd, piece + at, n, offset + at));
    }
    return OK;
}

static struct err pump(const struct copy_job *job, int in, int out, struct copied *ret)
{
    struct copied done = { 0 };
    char *piece = malloc(PIECE_BYTES);
    struct err e = piece ? OK : FAIL(ERR_NO_MEMORY, "no memory to copy a file");

    while (!e.code && done.bytes < job->bytes_max) {
        const uint64_t left = job->bytes_max - done.bytes;
        size_t len = 0;
        e = may_go_on(job);
        if (!e.code)
            e = sys_pread(in, piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, done.bytes, &len);
        if (e.code || len == 0) break;
        done.crc32c = crc32c(done.crc32c, piece, len);
        if (out >= 0) e = write_piece(out, piece, len, done.bytes);
        done.bytes += len;
    }
    free(piece);
    TRY(e);
    *ret = done;
    return OK;
}

static struct err copy_to(const struct copy_job *job, int in, struct copied *ret)
{
    int out;

    TRY(sys_open(job->to, O_WRONLY | O_CREAT | O_TRUNC, 0600, &out));
    struct err e = pump(job, in, out, ret);
    if (!e.code) e = sys_ftruncate(out, ret->bytes); /* it may end with a hole */
    if (!e.code) e = sys_fsync(out);
    sys_close(out);
    return e;
}

struct err copy_file(const struct copy_job *job, struct copied *ret)
{
    int in;

    TRY(sys_open(job->from, O_RDONLY, 0, &in));
    const struct err e = copy_to(job, in, ret);
    sys_close(in);
    return e;
}

struct err copy_sum(const struct copy_job *job, struct copied *ret)
{
    int in;

    TRY(sys_open(job->from, O_RDONLY, 0, &in));
    const struct err e = pump(job, in, -1, ret);
    sys_close(in);
    return e;
}
