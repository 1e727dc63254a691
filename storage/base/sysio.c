/*
 * sysio.c - the one table of system calls, in which the faults of tests strike (fault.h).
 *
 * Each call has a row: the kind under which a test arms faults for it, and the name that its errors carry. close has no row: closing
 * cannot lose what was written, and a halted machine closes its files too.
 *
 * A call that goes on after a short transfer passes the decision once for each system call it makes; trying
 * again after EINTR is the same call.
 */
#include "storage/base/sysio.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum call {
    CALL_OPEN,
    CALL_DUP,
    CALL_PIPE,
    CALL_LOCK,
    CALL_READ,
    CALL_PREAD,
    CALL_PREAD_NOWAIT,
    CALL_PWRITE,
    CALL_FDATASYNC,
    CALL_FSYNC,
    CALL_SYNC_RANGE,
    CALL_FTRUNCATE,
    CALL_FALLOCATE,
    CALL_PUNCH,
    CALL_FSTAT,
    CALL_STAT,
    CALL_STATVFS,
    CALL_UNLINK,
    CALL_RENAME,
    CALL_MKDIR,
    CALL_LIST,
};

static const struct {
    unsigned kind;
    const char *name;
} calls[] = {
    [CALL_OPEN] = { FAULT_OPEN, "open" },
    [CALL_DUP] = { FAULT_OPEN, "dup" },
    [CALL_PIPE] = { FAULT_OPEN, "pipe" },
    [CALL_LOCK] = { FAULT_OPEN, "lock" },
    [CALL_READ] = { FAULT_READ, "read" },
    [CALL_PREAD] = { FAULT_READ, "pread" },
    [CALL_PREAD_NOWAIT] = { FAULT_READ, "preadv2" },
    [CALL_PWRITE] = { FAULT_WRITE, "pwrite" },
    [CALL_FDATASYNC] = { FAULT_SYNC, "fdatasync" },
    [CALL_FSYNC] = { FAULT_SYNC, "fsync" },
    [CALL_SYNC_RANGE] = { FAULT_SYNC, "sync_file_range" },
    [CALL_FTRUNCATE] = { FAULT_SPACE, "ftruncate" },
    [CALL_FALLOCATE] = { FAULT_SPACE, "fallocate" },
    [CALL_PUNCH] = { FAULT_SPACE, "punch" },
    [CALL_FSTAT] = { FAULT_NAME, "fstat" },
    [CALL_STAT] = { FAULT_NAME, "stat" },
    [CALL_STATVFS] = { FAULT_NAME, "statvfs" },
    [CALL_UNLINK] = { FAULT_NAME, "unlink" },
    [CALL_RENAME] = { FAULT_NAME, "rename" },
    [CALL_MKDIR] = { FAULT_NAME, "mkdir" },
    [CALL_LIST] = { FAULT_NAME, "readdir" },
};

/* 0, or the errno with which this call is to fail without being made. */
static inline int strikes(enum call call)
{
    return fault_strikes(calls[call].kind);
}

/* ---- errors ---- */

/* The errno of a call that gives -1 when it fails (0: it went well), made again after EINTR. */
#define RETRY(expr_)                                                                                         \
    ({                                                                                                       \
        int retry_e_;                                                                                        \
        do {                                                                                                 \
            retry_e_ = (expr_) == -1 ? (errno ? errno : EIO) : 0;                                            \
        } while (retry_e_ == EINTR);                                                                         \
        retry_e_;                                                                                            \
    })

/* The same, and the call is not made at all when a fault strikes. */
#define ERRNO_OF(call_, expr_) (strikes(call_) ?: RETRY(expr_))

static enum err_code code_of(int errno_value)
{
    if (errno_value == ENOSPC || errno_value == EDQUOT) return ERR_NO_SPACE;
    if (errno_value == ENOENT) return ERR_NOT_FOUND;
    if (errno_value == EEXIST) return ERR_EXISTS;
    return ERR_IO;
}

static struct err path_result(enum call call, const char *path, int errno_value)
{
    if (!errno_value) return OK;
    return err_errno(code_of(errno_value), errno_value, "%s %s", calls[call].name, path);
}

static struct err fd_result(enum call call, int fd, int errno_value)
{
    if (!errno_value) return OK;
    return err_errno(code_of(errno_value), errno_value, "%s of fd %d", calls[call].name, fd);
}

/* ---- descriptors ---- */

struct err sys_open(const char *path, int flags, mode_t mode, int *ret_fd)
{
    int fd = -1;
    const int e = ERRNO_OF(CALL_OPEN, fd = open(path, flags | O_CLOEXEC, mode));

    if (!e) *ret_fd = fd;
    return path_result(CALL_OPEN, path, e);
}

struct err sys_dup(int fd, int *ret_fd)
{
    int copy = -1;
    const int e = ERRNO_OF(CALL_DUP, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0));

    if (!e) *ret_fd = copy;
    return fd_result(CALL_DUP, fd, e);
}

struct err sys_pipe(int ret_fds[2])
{
    int fds[2] = { -1, -1 };
    const int e = ERRNO_OF(CALL_PIPE, pipe2(fds, O_CLOEXEC));

    if (!e) memcpy(ret_fds, fds, sizeof(fds));
    return fd_result(CALL_PIPE, -1, e);
}

/* Linux frees the descriptor even when close says EINTR, so it is not tried again. */
void sys_close(int fd)
{
    if (fd >= 0) (void)close(fd);
}

static struct err lock_whole(int fd, short type)
{
    struct flock whole = { .l_type = type, .l_whence = SEEK_SET };
    const int e = ERRNO_OF(CALL_LOCK, fcntl(fd, F_OFD_SETLK, &whole));

    if (e == EAGAIN || e == EACCES) return FAIL(ERR_BUSY, "somebody else holds the lock");
    return fd_result(CALL_LOCK, fd, e);
}

struct err sys_lock(int fd)
{
    return lock_whole(fd, F_WRLCK);
}

struct err sys_lock_shared(int fd)
{
    return lock_whole(fd, F_RDLCK);
}

/* ---- reading ---- */

struct err sys_read(int fd, void *data, size_t len, size_t *ret_len)
{
    ssize_t n = 0;
    const int e = ERRNO_OF(CALL_READ, n = read(fd, data, len));

    if (!e) *ret_len = (size_t)n;
    return fd_result(CALL_READ, fd, e);
}

struct err sys_pread(int fd, void *data, size_t len, uint64_t offset, size_t *ret_len)
{
    ssize_t n = 0;
    const int e = fault_strikes_at(calls[CALL_PREAD].kind, offset, len)
        ?: RETRY(n = pread(fd, data, len, (off_t)offset));

    if (!e) *ret_len = (size_t)n;
    return fd_result(CALL_PREAD, fd, e);
}

struct err sys_pread_all(int fd, void *data, size_t len, uint64_t offset)
{
    for (size_t done = 0; done < len;) {
        size_t n = 0;
        TRY(sys_pread(fd, (char *)data + done, len - done, offset + done, &n));
        if (!n) {
            return err_fail(ERR_CORRUPT, "pread of fd %d: the file ends at %llu, %zu bytes early", fd,
                            (unsigned long long)(offset + done), len - done);
        }
        done += n;
    }
    return OK;
}

struct err sys_pread_nowait(int fd, void *data, size_t len, uint64_t offset, size_t *ret_len,
                            bool *ret_is_cold)
{
    const struct iovec part = { data, len };
    ssize_t n = 0;
    const int e = fault_strikes_at(calls[CALL_PREAD_NOWAIT].kind, offset, len)
        ?: RETRY(n = preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT));

    /* File systems that cannot promise not to wait say EOPNOTSUPP; old kernels say EINVAL or ENOSYS. */
    const bool is_cold = e == EAGAIN || e == EOPNOTSUPP || e == ENOSYS || e == EINVAL;
    if (e && !is_cold) return fd_result(CALL_PREAD_NOWAIT, fd, e);
    *ret_len = is_cold ? 0 : (size_t)n;
    *ret_is_cold = is_cold;
    return OK;
}

/* ---- writing ---- */

/* Drop n bytes, and empty parts behind them, from the front of parts. */
static void parts_skip(struct iovec **parts, int *count, size_t n)
{
    while (*count > 0 && n >= (*parts)->iov_len) {
        n -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    if (*count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + n;
        (*parts)->iov_len -= n;
    }
}

/* What FAULT_SHORT leaves behind: half of the bytes. It is the fault itself, and passes no decision. */
static void write_half(int fd, const struct iovec *parts, int count, uint64_t offset)
{
    size_t left = 0;

    for (int i = 0; i < count; i++) left += parts[i].iov_len;
    left /= 2;
    for (int i = 0; i < count && left; i++) {
        const size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (pwrite(fd, parts[i].iov_base, len, (off_t)offset) != (ssize_t)len) return;
        offset += len;
        left -= len;
    }
}

struct err sys_pwritev_all(int fd, struct iovec *parts, int count, uint64_t offset)
{
    parts_skip(&parts, &count, 0);
    while (count > 0) {
        const int batch = count < IOV_MAX ? count : IOV_MAX;
        const int struck = strikes(CALL_PWRITE);
        if (struck) {
            if (fault_is_short()) write_half(fd, parts, batch, offset);
            return fd_result(CALL_PWRITE, fd, struck);
        }
        ssize_t n = 0;
        const int e = RETRY(n = pwritev(fd, parts, batch, (off_t)offset));
        if (e || !n) return fd_result(CALL_PWRITE, fd, e ? e : EIO);
        parts_skip(&parts, &count, (size_t)n);
        offset += (size_t)n;
    }
    return OK;
}

struct err sys_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
    struct iovec part = { (void *)(uintptr_t)data, len };

    return sys_pwritev_all(fd, &part, 1, offset);
}

/* ---- durability and space ---- */

struct err sys_fdatasync(int fd)
{
    return fd_result(CALL_FDATASYNC, fd, ERRNO_OF(CALL_FDATASYNC, fdatasync(fd)));
}

struct err sys_fsync(int fd)
{
    return fd_result(CALL_FSYNC, fd, ERRNO_OF(CALL_FSYNC, fsync(fd)));
}

struct err sys_sync_dir(const char *path)
{
    int fd = -1;
    TRY(sys_open(path, O_RDONLY | O_DIRECTORY, 0, &fd));

    const struct err e = path_result(CALL_FSYNC, path, ERRNO_OF(CALL_FSYNC, fsync(fd)));
    sys_close(fd);
    return e;
}

struct err sys_sync_range(int fd, uint64_t offset, uint64_t len)
{
    const int e = ERRNO_OF(CALL_SYNC_RANGE,
                           sync_file_range(fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE));

    return fd_result(CALL_SYNC_RANGE, fd, e);
}

struct err sys_ftruncate(int fd, uint64_t len)
{
    return fd_result(CALL_FTRUNCATE, fd, ERRNO_OF(CALL_FTRUNCATE, ftruncate(fd, (off_t)len)));
}

struct err sys_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
    const int e = ERRNO_OF(CALL_FALLOCATE, fallocate(fd, mode, (off_t)offset, (off_t)len));

    return fd_result(CALL_FALLOCATE, fd, e);
}

struct err sys_punch(int fd, uint64_t offset, uint64_t len)
{
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const int e = ERRNO_OF(CALL_PUNCH, fallocate(fd, mode, (off_t)offset, (off_t)len));

    return fd_result(CALL_PUNCH, fd, e);
}

struct err sys_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs fs = { 0 };
    const int e = ERRNO_OF(CALL_STATVFS, statvfs(path, &fs));

    if (e) return path_result(CALL_STATVFS, path, e);
    const uint64_t set = fault_free();
    *ret_free = set != UINT64_MAX ? set : (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return OK;
}

/* ---- names ---- */

struct err sys_fstat(int fd, struct stat *ret)
{
    return fd_result(CALL_FSTAT, fd, ERRNO_OF(CALL_FSTAT, fstat(fd, ret)));
}

struct err sys_stat(const char *path, struct stat *ret)
{
    return path_result(CALL_STAT, path, ERRNO_OF(CALL_STAT, stat(path, ret)));
}

struct err sys_unlink(const char *path)
{
    return path_result(CALL_UNLINK, path, ERRNO_OF(CALL_UNLINK, unlink(path)));
}

struct err sys_unlink_if_there(const char *path)
{
    const struct err e = sys_unlink(path);

    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err sys_rename(const char *from, const char *to)
{
    return path_result(CALL_RENAME, from, ERRNO_OF(CALL_RENAME, rename(from, to)));
}

struct err sys_mkdir(const char *path, mode_t mode)
{
    const int e = ERRNO_OF(CALL_MKDIR, mkdir(path, mode));
    struct stat st = { 0 };

    if (e == EEXIST) {
        TRY(sys_stat(path, &st));
        if (S_ISDIR(st.st_mode)) return OK;
    }
    return path_result(CALL_MKDIR, path, e);
}

static struct err list_names(const char *path, DIR *dir, struct err (*fn)(void *arg, const char *name),
                             void *arg)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return path_result(CALL_LIST, path, errno);
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        TRY(fn(arg, entry->d_name));
    }
}

struct err sys_list_dir(const char *path, struct err (*fn)(void *arg, const char *name), void *arg)
{
    int fd = -1;
    TRY(sys_open(path, O_RDONLY | O_DIRECTORY, 0, &fd));

    DIR *dir = NULL;
    const int e = strikes(CALL_LIST) ?: ((dir = fdopendir(fd)) ? 0 : errno ? errno : EIO);
    if (e || !dir) {
        sys_close(fd);
        return path_result(CALL_LIST, path, e);
    }
    const struct err result = list_names(path, dir, fn, arg);
    (void)closedir(dir); /* and fd with it */
    return result;
}

/* ---- whole files ---- */

/* Read fd to its end into *data, which grows. By read and not pread, so that a pipe can give a secret too. */
static struct err read_to_end(int fd, size_t size, size_t bytes_max, char **data, size_t *ret_len)
{
    size_t len = 0;

    for (;;) {
        char *more = realloc(*data, size + 1); /* + 1: the NUL */
        if (!more) return FAIL(ERR_NO_MEMORY, "no memory to read a file");
        *data = more;

        ssize_t n = -1;
        while (n && len < size) {
            const int e = ERRNO_OF(CALL_READ, n = read(fd, *data + len, size - len));
            if (e) return fd_result(CALL_READ, fd, e);
            len += (size_t)n;
        }
        if (len > bytes_max) return err_fail(ERR_TOO_LARGE, "the file has more than %zu bytes", bytes_max);
        if (!n) break;
        size = size < bytes_max / 2 ? 2 * size : bytes_max + 1;
    }
    (*data)[len] = '\0';
    *ret_len = len;
    return OK;
}

struct err sys_read_file(const char *path, size_t bytes_max, char **ret_data, size_t *ret_len)
{
    char *data = NULL;
    struct stat st = { 0 };
    int fd = -1;
    TRY(sys_open(path, O_RDONLY, 0, &fd));

    struct err e = sys_fstat(fd, &st);
    if (!e.code) {
        /* One byte more than it should have, so that the end is seen; 4 KiB for what does not tell. */
        const uint64_t told = st.st_size > 0 ? (uint64_t)st.st_size : 4095;
        const size_t size = told < bytes_max ? (size_t)told + 1 : bytes_max + 1;
        e = read_to_end(fd, size, bytes_max, &data, ret_len);
    }
    sys_close(fd);
    if (e.code) {
        free(data);
        return e;
    }
    *ret_data = data;
    return OK;
}

/* The directory that holds path's last name. False: the path is too long. */
static bool parent_of(const char *path, char parent[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (len >= PATH_MAX) return false;
    memcpy(parent, slash ? path : ".", slash ? len : 1);
    parent[slash ? len : 1] = '\0';
    return true;
}

static struct err write_synced(const char *path, struct str data, mode_t mode)
{
    int fd = -1;
    TRY(sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, &fd));

    struct err e = sys_pwrite_all(fd, data.data, data.len, 0);
    if (!e.code) e = sys_fsync(fd);
    sys_close(fd);
    return e;
}

struct err sys_write_file(const char *path, struct str data, mode_t mode)
{
    char temporary[PATH_MAX], parent[PATH_MAX];
    const int n = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    if (n >= (int)sizeof(temporary) || !parent_of(path, parent))
        return path_result(CALL_OPEN, path, ENAMETOOLONG);

    struct err e = write_synced(temporary, data, mode);
    if (!e.code) e = sys_rename(temporary, path);
    if (e.code) {
        err_ignore(sys_unlink(temporary)); /* it may not be there; the next writer truncates it */
        return e;
    }
    return sys_sync_dir(parent);
}
