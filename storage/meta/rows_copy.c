/*
 * rows_copy.c - LMDB's file through a pipe, so that it comes at our pace and every write of ours is one that tests can fail; then 64 bytes:
 *
 *    0  8 "FIRNCOPY"
 *    8  4 format, 1
 *   12  4 segment from which the journal belongs to it
 *   16  8 bytes of LMDB's file, before this
 *   24  8 when it was made, milliseconds since 1970
 *   32 16 journal id
 *   48  4 CRC32C of LMDB's file
 *   52  8 zero
 *   60  4 CRC32C of bytes 0 to 59
 */
#include "storage/meta/rows_copy.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/lmdb_rows.h"

#define END_BYTES 64
#define END_FORMAT 1
#define PIECE (256 * KIB)
#define WRITE_OUT (4 * MIB) /* asked for so often, so that no flush waits for more */

static const uint8_t end_magic[8] = "FIRNCOPY";

/* ---- the end ---- */

static void end_encode(const struct rows_copy *c, uint8_t out[END_BYTES])
{
    memset(out, 0, END_BYTES);
    memcpy(out, end_magic, sizeof(end_magic));
    put_le32(out + 8, END_FORMAT);
    put_le32(out + 12, c->segment_from);
    put_le64(out + 16, c->bytes);
    put_le64(out + 24, (uint64_t)c->made_ms);
    memcpy(out + 32, c->journal_id, sizeof(c->journal_id));
    put_le32(out + 48, c->crc32c);
    put_le32(out + 60, crc32c(0, out, 60));
}

static bool end_decode(const uint8_t in[END_BYTES], struct rows_copy *ret)
{
    if (memcmp(in, end_magic, sizeof(end_magic)) != 0 || get_le32(in + 8) != END_FORMAT) return false;
    if (get_le32(in + 60) != crc32c(0, in, 60)) return false;
    *ret = (struct rows_copy){
        .segment_from = get_le32(in + 12),
        .bytes = get_le64(in + 16),
        .made_ms = (int64_t)get_le64(in + 24),
        .crc32c = get_le32(in + 48),
    };
    memcpy(ret->journal_id, in + 32, sizeof(ret->journal_id));
    return true;
}

static struct err end_read(int fd, const char *path, struct rows_copy *ret)
{
    uint8_t end[END_BYTES];
    struct stat st;
    struct rows_copy c;

    TRY(sys_fstat(fd, &st));
    if (st.st_size < END_BYTES) return err_fail(ERR_CORRUPT, "%s: it is cut short", path);
    TRY(sys_pread_all(fd, end, sizeof(end), (uint64_t)st.st_size - END_BYTES));
    if (!end_decode(end, &c) || c.bytes != (uint64_t)st.st_size - END_BYTES)
        return err_fail(ERR_CORRUPT, "%s: its end is damaged", path);
    *ret = c;
    return OK;
}

struct err rows_copy_look(const char *path, struct rows_copy *ret)
{
    int fd = -1;

    TRY(sys_open(path, O_RDONLY, 0, &fd));
    const struct err e = end_read(fd, path, ret);
    sys_close(fd);
    return e;
}

/* ---- writing ---- */

/* Who gives the bytes: LMDB, in a thread of its own while they are taken. */
struct source {
    struct lmdb_store *lmdb;
    int fd;
    struct err e;
    char why[256];
};

static void source_main(void *arg)
{
    struct source *s = arg;

    s->e = err_keep(lmdb_copy_to_fd(s->lmdb, s->fd), s->why, sizeof(s->why));
    sys_close(s->fd); /* which is the end for who reads */
}

struct taking {
    uint8_t *piece;
    int from, to;
    struct rows_copy copy;
    rows_copy_pace_fn *pace;
    void *arg;
};

static struct err take_all(struct taking *t)
{
    uint64_t written_out = 0;

    for (size_t n = 1; n;) {
        TRY(sys_read(t->from, t->piece, PIECE, &n));
        TRY(sys_pwrite_all(t->to, t->piece, n, t->copy.bytes));
        t->copy.crc32c = crc32c(t->copy.crc32c, t->piece, n);
        t->copy.bytes += n;
        if (t->copy.bytes - written_out >= WRITE_OUT) {
            TRY(sys_sync_range(t->to, written_out, t->copy.bytes - written_out));
            written_out = t->copy.bytes;
        }
        TRY(t->pace(t->arg, n));
    }
    return OK;
}

/* The bytes to t->to. LMDB is done, or gave up because nobody reads any more, when this returns. */
static struct err stream(struct taking *t, struct lmdb_store *l)
{
    struct source s = { .lmdb = l };
    pthread_t thread;
    int fds[2];

    TRY(sys_pipe(fds));
    s.fd = fds[1];
    t->from = fds[0];
    struct err e = thread_start("copying", source_main, &s, &thread);
    if (e.code) {
        sys_close(fds[0]);
        sys_close(fds[1]);
        return e;
    }
    e = take_all(t);
    sys_close(fds[0]);
    thread_join(thread);
    if (e.code || !s.e.code) return e;
    return err_fail(s.e.code, "%s", s.why);
}

static struct err write_all(struct taking *t, struct lmdb_store *l)
{
    uint8_t end[END_BYTES];

    TRY(stream(t, l));
    end_encode(&t->copy, end);
    TRY(sys_pwrite_all(t->to, end, sizeof(end), t->copy.bytes));
    return sys_fsync(t->to);
}

struct err rows_copy_write(struct lmdb_store *l, const char *path, const struct rows_copy *about,
                           rows_copy_pace_fn *pace, void *arg)
{
    struct taking t = { .piece = malloc(PIECE), .to = -1, .copy = *about, .pace = pace, .arg = arg };
    if (!t.piece) return no_memory();

    t.copy.bytes = t.copy.crc32c = 0;
    struct err e = sys_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &t.to);
    if (!e.code) e = write_all(&t, l);
    sys_close(t.to);
    free(t.piece);
    if (!e.code) e = lmdb_rows_check(path);
    if (e.code) err_ignore(sys_unlink(path));
    return e;
}

/* ---- using ---- */

static struct err unpack(int from, const char *path, int to, uint8_t *piece, struct rows_copy *ret)
{
    struct rows_copy c;
    uint32_t crc = 0;

    TRY(end_read(from, path, &c));
    for (uint64_t at = 0, n; at < c.bytes; at += n) {
        n = c.bytes - at < PIECE ? c.bytes - at : PIECE;
        TRY(sys_pread_all(from, piece, n, at));
        TRY(sys_pwrite_all(to, piece, n, at));
        crc = crc32c(crc, piece, n);
    }
    if (crc != c.crc32c) return err_fail(ERR_CORRUPT, "%s: it does not match its checksum", path);
    TRY(sys_fsync(to));
    *ret = c;
    return OK;
}

struct err rows_copy_unpack(const char *path, const char *to, struct rows_copy *ret)
{
    int from = -1, out = -1;
    uint8_t *piece = malloc(PIECE);
    if (!piece) return no_memory();

    struct err e = sys_open(path, O_RDONLY, 0, &from);
    if (!e.code) e = sys_open(to, O_RDWR | O_CREAT | O_TRUNC, 0600, &out);
    if (!e.code) e = unpack(from, path, out, piece, ret);
    sys_close(from);
    sys_close(out);
    free(piece);
    return e;
}
