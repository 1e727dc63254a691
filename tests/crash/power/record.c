/*
 * record.c - libc's calls that change files, in front of libc's own.
 *
 * Why here and not in sysio.h: LMDB makes its calls itself, and what is proven must be the code that ships. A file is known by its inode, whatever descriptor is used: a name changes, and a
 * file that was put away and is written over under a new name is the same file, old blocks and all.
 *
 * Order: a change is made and recorded under one lock, so the log's order is one in which it happened. A sync is two events, with the lock free between: what others write meanwhile may or may not
 * be caught by it. It reaches no device and takes a fraction of a millisecond, so that batches gather as on a disk.
 *
 * Not seen: stores to mapped memory (LMDB does none but in its lock file), io_uring, hard links (there are none).
 */
#include "tests/crash/power/power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 16384

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static bool is_recording, ignores_syncs;
static int log_fd = -1;
static dev_t device;
static uint64_t sync_seed = 1;
/* What outlives a process that is killed. */
static struct {
    uint64_t next_id, next_sync;
    size_t file_count;
    struct {
        ino_t inode;
        uint64_t id;
    } files[FILES_MAX];
} * shared;

_Noreturn void fatal(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(3);
}

/* ---- the log ---- */

static void log_bytes(const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        const long n = syscall(SYS_write, log_fd, (const char *)bytes + done, len - done);
        if (n <= 0) fatal("the log cannot be written: %s", strerror(errno));
        done += (size_t)n;
    }
}

static void log_event(struct event e, const struct iovec *parts, int count)
{
    size_t left = e.len;

    log_bytes(&e, sizeof(e));
    for (int i = 0; i < count && left; i++) {
        const size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;
        log_bytes(parts[i].iov_base, len);
        left -= len;
    }
}

static void log_named(struct event e, const char *name)
{
    const struct iovec part = { (void *)(uintptr_t)name, strlen(name) };

    e.len = (uint32_t)part.iov_len;
    log_event(e, &part, 1);
}

/* ---- files by inode ---- */

/* 0: none of ours. An inode whose file is gone may come again: the last one counts. */
static uint64_t id_of(const struct stat *st)
{
    if (!is_recording || st->st_dev != device) return 0;
    for (size_t i = shared->file_count; i-- > 0;)
        if (shared->files[i].inode == st->st_ino) return shared->files[i].id;
    return 0;
}

static uint64_t id_of_fd(int fd)
{
    struct stat st;
    const int kept = errno;
    const uint64_t id = fstat(fd, &st) ? 0 : id_of(&st);

    errno = kept;
    return id;
}

static uint64_t id_new(const struct stat *st)
{
    if (shared->file_count == FILES_MAX) fatal("too many files in one life");
    shared->files[shared->file_count].inode = st->st_ino;
    shared->files[shared->file_count].id = ++shared->next_id;
    return shared->files[shared->file_count++].id;
}

/* The directory that path's last name is in, and that name. */
static uint64_t parent_of(const char *path, const char **ret_name)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat st;
    const int kept = errno;

    if (!is_recording || !slash || slash == path) return 0;
    snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    *ret_name = slash + 1;
    const uint64_t id = stat(parent, &st) ? 0 : id_of(&st);
    errno = kept;
    return id;
}

/* ---- the beginning ---- */

static void base_file(uint64_t id, uint64_t parent, const char *name, const char *path, size_t size)
{
    char *bytes = malloc(size + 1);
    const int fd = open(path, O_RDONLY);
    size_t done = 0;

    for (ssize_t n = 1; fd >= 0 && n > 0 && done < size; done += (size_t)n)
        n = read(fd, bytes + done, size - done);
    if (fd < 0 || done < size) fatal("%s cannot be read", path);
    close(fd);
    const struct iovec parts[] = { { (void *)(uintptr_t)name, strlen(name) }, { bytes, size } };
    log_event((struct event){ .kind = EVENT_BASE_FILE,
                              .len = (uint32_t)(strlen(name) + size),
                              .id = id,
                              .other = parent,
                              .offset = strlen(name) },
              parts, 2);
    free(bytes);
}

static void base_dir(const char *path, uint64_t id)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char child[PATH_MAX];
        struct stat st;
        if (entry->d_name[0] == '.') continue;
        snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (stat(child, &st)) fatal("%s cannot be looked at", child);
        const uint64_t own = id_new(&st);
        if (S_ISDIR(st.st_mode)) {
            log_named((struct event){ .kind = EVENT_BASE_DIR, .id = own, .other = id }, entry->d_name);
            base_dir(child, own);
        } else {
            base_file(own, id, entry->d_name, child, (size_t)st.st_size);
        }
    }
    if (dir) closedir(dir);
}

void record_prepare(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fatal("no memory");
}

void record_begin(const char *dir, const char *log, bool goes_on)
{
    struct stat st;

    log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (goes_on ? 0 : O_TRUNC), 0600);
    if (log_fd < 0 || stat(dir, &st)) fatal("%s or %s cannot be opened", dir, log);
    device = st.st_dev;
    if (goes_on) {
        log_event((struct event){ .kind = EVENT_KILL }, NULL, 0);
    } else {
        memset(shared, 0, sizeof(*shared));
        base_dir(dir, id_new(&st));
    }
    is_recording = true;
}

_Noreturn void record_die(void)
{
    pthread_mutex_lock(&lock);
    _exit(0);
}

void record_mark(enum mark_kind kind, uint32_t slot, struct value value)
{
    struct mark mark = { .kind = kind, .slot = slot, .value = value };
    const struct iovec part = { &mark, sizeof(mark) };

    pthread_mutex_lock(&lock);
    log_event((struct event){ .kind = EVENT_MARK, .len = sizeof(mark) }, &part, 1);
    pthread_mutex_unlock(&lock);
}

void record_ignore_syncs(void)
{
    ignores_syncs = true;
}

/* ---- opening and names ---- */

static int open_recorded(int dir, const char *path, int flags, mode_t mode)
{
    const char *name = NULL;
    struct stat st;

    if (!is_recording || !(flags & (O_CREAT | O_TRUNC)))
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    const uint64_t parent = parent_of(path, &name);
    const bool was_there = parent && !stat(path, &st);
    const int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && parent && !was_there && !fstat(fd, &st))
        log_named((struct event){ .kind = EVENT_CREATE, .id = id_new(&st), .other = parent }, name);
    if (fd >= 0 && was_there && flags & O_TRUNC)
        log_event((struct event){ .kind = EVENT_SIZE, .id = id_of(&st) }, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    const mode_t mode = va_arg(args, mode_t);
    va_end(args);
    return open_recorded(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int mkdir(const char *path, mode_t mode)
{
    const char *name = NULL;
    struct stat st;

    pthread_mutex_lock(&lock);
    const uint64_t parent = parent_of(path, &name);
    const int result = (int)syscall(SYS_mkdir, path, mode);
    if (!result && parent && !stat(path, &st))
        log_named((struct event){ .kind = EVENT_MKDIR, .id = id_new(&st), .other = parent }, name);
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to)
{
    const char *old = NULL, *new = NULL;

    pthread_mutex_lock(&lock);
    const uint64_t source = parent_of(from, &old), target = parent_of(to, &new);
    const int result = (int)syscall(SYS_rename, from, to);
    if (!result && source && target) {
        const struct iovec parts[] = { { (void *)(uintptr_t)old, strlen(old) + 1 },
                                       { (void *)(uintptr_t) new, strlen(new) } };
        log_event((struct event){ .kind = EVENT_RENAME,
                                  .len = (uint32_t)(parts[0].iov_len + parts[1].iov_len),
                                  .id = source,
                                  .other = target },
                  parts, 2);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int remove_name(const char *path, int flags)
{
    const char *name = NULL;

    pthread_mutex_lock(&lock);
    const uint64_t parent = parent_of(path, &name);
    const int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
    if (!result && parent) log_named((struct event){ .kind = EVENT_UNLINK, .id = parent }, name);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path)
{
    return remove_name(path, 0);
}

int rmdir(const char *path)
{
    return remove_name(path, AT_REMOVEDIR);
}

/* ---- bytes ---- */

static bool is_synced(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

/* offset -1: where the descriptor stands. */
static ssize_t write_recorded(int fd, const struct iovec *parts, int count, off_t offset)
{
    pthread_mutex_lock(&lock);
    const uint64_t id = id_of_fd(fd);
    off_t at = offset;
    if (id && offset < 0) at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    const ssize_t n = offset < 0 ? syscall(SYS_writev, fd, parts, count)
                                 : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    if (id && n > 0) {
        log_event((struct event){ .kind = is_synced(fd) ? EVENT_WRITE_SYNCED : EVENT_WRITE,
                                  .len = (uint32_t)n,
                                  .id = id,
                                  .offset = (uint64_t)at },
                  parts, count);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    const struct iovec part = { (void *)(uintptr_t)bytes, len };
    return is_recording ? write_recorded(fd, &part, 1, -1) : syscall(SYS_write, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_recorded(fd, parts, count, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    const struct iovec part = { (void *)(uintptr_t)bytes, len };
    return write_recorded(fd, &part, 1, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset) __attribute__((alias("pwrite")));

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_recorded(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((alias("pwritev")));

/* As a write of what is there afterwards. */
ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t len, unsigned flags)
{
    pthread_mutex_lock(&lock);
    const uint64_t id = id_of_fd(out);
    const off_t at = out_offset ? *out_offset : lseek(out, 0, SEEK_CUR);
    const ssize_t n = syscall(SYS_copy_file_range, in, in_offset, out, out_offset, len, flags);
    if (id && n > 0) {
        struct iovec part = { malloc((size_t)n), (size_t)n };
        if (pread(out, part.iov_base, part.iov_len, at) != n) fatal("a copied range cannot be read");
        log_event((struct event){ .kind = EVENT_WRITE, .len = (uint32_t)n, .id = id, .offset = (uint64_t)at },
                  &part, 1);
        free(part.iov_base);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- sizes and holes ---- */

int ftruncate(int fd, off_t length)
{
    pthread_mutex_lock(&lock);
    const uint64_t id = id_of_fd(fd);
    const int result = (int)syscall(SYS_ftruncate, fd, length);
    if (!result && id)
        log_event((struct event){ .kind = EVENT_SIZE, .id = id, .offset = (uint64_t)length }, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate64(int fd, off_t length) __attribute__((alias("ftruncate")));

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    pthread_mutex_lock(&lock);
    const uint64_t id = id_of_fd(fd);
    const int result = (int)syscall(SYS_fallocate, fd, mode, offset, len);
    const bool is_zero = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
    if (!result && id && mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE))
        fatal("fallocate with mode %d is not known here", mode);
    if (!result && id && is_zero)
        log_event(
            (struct event){
                .kind = EVENT_ZERO, .id = id, .offset = (uint64_t)offset, .other = (uint64_t)len },
            NULL, 0);
    if (!result && id && !(mode & FALLOC_FL_KEEP_SIZE))
        log_event((struct event){ .kind = EVENT_EXTEND, .id = id, .offset = (uint64_t)(offset + len) }, NULL,
                  0);
    pthread_mutex_unlock(&lock);
    return result;
}
int fallocate64(int fd, int mode, off_t offset, off_t len) __attribute__((alias("fallocate")));

/* ---- syncs ---- */

static int sync_recorded(int fd, bool is_whole)
{
    if (ignores_syncs) return 0;
    if (!is_recording) return (int)syscall(is_whole ? SYS_fsync : SYS_fdatasync, fd);

    struct event e = { .kind = EVENT_SYNC_BEGIN, .offset = is_whole };
    pthread_mutex_lock(&lock);
    e.id = id_of_fd(fd);
    e.other = ++shared->next_sync;
    const long pause_ns = 20000 + (long)random_below(&sync_seed, 200000);
    if (e.id) log_event(e, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (!e.id) return 0;

    nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
    e.kind = EVENT_SYNC_END;
    pthread_mutex_lock(&lock);
    log_event(e, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd)
{
    return sync_recorded(fd, true);
}

int fdatasync(int fd)
{
    return sync_recorded(fd, false);
}
