/*
 * sysio.h - every system call that can fail and that storage makes goes through here.
 *
 * Why: one seam for faults. A test says "fail the nth call of these kinds with this errno", or "stop the process at the nth", and
 * sweeps n from 0 until no fault strikes. In a server without faults armed the cost is one relaxed load and a predicted branch.
 *
 * Calls behave as their namesakes, but retry EINTR; the *_all forms go on after short transfers. Errors: ERR_NO_SPACE for ENOSPC and EDQUOT,
 * ERR_NOT_FOUND for ENOENT, ERR_EXISTS for EEXIST, ERR_IO for the rest; `why` names the call, the path or fd, and the errno's text.
 */
#ifndef STORAGE_BASE_SYSIO_H
#define STORAGE_BASE_SYSIO_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "storage/base/err.h"
#include "storage/base/fault.h"
#include "storage/base/str.h"

struct err sys_open(const char *path, int flags, mode_t mode, int *ret_fd); /* O_CLOEXEC is added */
struct err sys_dup(int fd, int *ret_fd);
void sys_close(int fd); /* -1 is fine */
struct err sys_pread_all(int fd, void *data, size_t len, uint64_t offset); /* ERR_CORRUPT at an early end of file */
struct err sys_pread(int fd, void *data, size_t len, uint64_t offset, size_t *ret_len); /* up to len; 0 at the end */
struct err sys_pipe(int ret_fds[2]); /* read from [0] what is written to [1] */
struct err sys_read(int fd, void *data, size_t len, size_t *ret_len); /* of a pipe: up to len, waiting for at least one byte; 0 at the end */
/* Without waiting for a disk: *ret_len = 0 and *ret_is_cold when nothing is in the page cache (preadv2 RWF_NOWAIT). Falls back to cold. */
struct err sys_pread_nowait(int fd, void *data, size_t len, uint64_t offset, size_t *ret_len, bool *ret_is_cold);
struct err sys_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);
struct err sys_pwritev_all(int fd, struct iovec *parts, int count, uint64_t offset); /* parts may be changed */
struct err sys_fdatasync(int fd);
struct err sys_fsync(int fd);
struct err sys_sync_dir(const char *path); /* open, fsync, close: makes names in it durable */
struct err sys_sync_range(int fd, uint64_t offset, uint64_t len); /* start writing out; no promise */
struct err sys_ftruncate(int fd, uint64_t len);
struct err sys_fallocate(int fd, int mode, uint64_t offset, uint64_t len);
struct err sys_punch(int fd, uint64_t offset, uint64_t len); /* FALLOC_FL_PUNCH_HOLE | KEEP_SIZE */
struct err sys_fstat(int fd, struct stat *ret); /* FAULT_NAME, as stat */
struct err sys_stat(const char *path, struct stat *ret);
struct err sys_unlink(const char *path); /* ERR_NOT_FOUND when it is not there */
struct err sys_unlink_if_there(const char *path); /* OK then, too */
struct err sys_rename(const char *from, const char *to);
struct err sys_mkdir(const char *path, mode_t mode); /* an existing directory is OK */
struct err sys_lock(int fd); /* exclusive, at once; ERR_BUSY if somebody else holds it (fcntl F_OFD_SETLK) */
struct err sys_lock_shared(int fd); /* the same, but others may hold it so, too; fd need only be readable */
struct err sys_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total); /* for unprivileged users (f_bavail) */

/* Names in a directory, without . and .., in no order. Call fn for each; stops at its first failure. */
struct err sys_list_dir(const char *path, struct err (*fn)(void *arg, const char *name), void *arg);
/* malloc'ed, NUL-terminated; ERR_TOO_LARGE above bytes_max. Reads pipes too. */
struct err sys_read_file(const char *path, size_t bytes_max, char **ret_data, size_t *ret_len);
/* Write path so that it is whole or absent, and durable: temporary name (path.tmp), fsync, rename, directory fsync. On failure path has
 * its old content or the new one. Two writers of one path at the same time are not allowed. */
struct err sys_write_file(const char *path, struct str data, mode_t mode);

#endif
