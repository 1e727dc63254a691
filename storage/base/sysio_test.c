/* sysio_test.c - system calls behave as documented, and faults strike where they were armed. */
#include "storage/base/sysio.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/test.h"

struct path {
    char z[PATH_MAX];
};

static struct path in_dir(const char *dir, const char *name)
{
    struct path path;

    CHECK(snprintf(path.z, sizeof(path.z), "%s/%s", dir, name) < (int)sizeof(path.z));
    return path;
}

static int new_file(void)
{
    int fd = -1;

    CHECK_OK(sys_open(in_dir(test_dir(), "file").z, O_RDWR | O_CREAT, 0600, &fd));
    return fd;
}

static uint64_t size_of(int fd)
{
    struct stat st;

    CHECK_OK(sys_fstat(fd, &st));
    return (uint64_t)st.st_size;
}

TEST(what_was_written_is_read)
{
    const int fd = new_file();
    char back[8] = "";
    size_t len = 0;

    CHECK_OK(sys_pwrite_all(fd, "abcdef", 6, 2));
    CHECK_OK(sys_pread_all(fd, back, 6, 2));
    CHECK_STR(str_of(back, 6), STR("abcdef"));
    CHECK_OK(sys_pread(fd, back, sizeof(back), 6, &len));
    CHECK_STR(str_of(back, len), STR("ef"));
    CHECK_OK(sys_pread(fd, back, sizeof(back), 8, &len));
    CHECK_U64(len, 0);
    sys_close(fd);
}

TEST(an_early_end_of_file_is_corrupt)
{
    const int fd = new_file();
    char back[8];

    CHECK_OK(sys_pwrite_all(fd, "abc", 3, 0));
    CHECK_ERR(sys_pread_all(fd, back, 4, 0), ERR_CORRUPT);
    CHECK_OK(sys_pread_all(fd, back, 0, 100));
    sys_close(fd);
}

TEST(descriptors_are_closed_on_exec)
{
    const int fd = new_file();
    int copy = -1;

    CHECK_OK(sys_dup(fd, &copy));
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(copy, F_GETFD) & FD_CLOEXEC);
    sys_close(copy);
    sys_close(fd);
    sys_close(-1);
}

/* More parts than one call takes, some of them empty. */
TEST(any_number_of_parts_is_written_in_order)
{
    enum { COUNT = 3 * IOV_MAX };
    static struct iovec parts[COUNT];
    static char bytes[COUNT], back[COUNT];
    const int fd = new_file();
    size_t len = 0;

    for (int i = 0; i < COUNT; i++) {
        bytes[len] = (char)('a' + i % 23);
        parts[i] = (struct iovec){ &bytes[len], i % 5 ? 1 : 0 };
        len += i % 5 ? 1 : 0;
    }
    CHECK_OK(sys_pwritev_all(fd, parts, COUNT, 7));
    CHECK_U64(size_of(fd), len + 7);
    CHECK_OK(sys_pread_all(fd, back, len, 7));
    CHECK_STR(str_of(back, len), str_of(bytes, len));

    parts[0] = (struct iovec){ bytes, 0 };
    CHECK_OK(sys_pwritev_all(fd, parts, 1, 100000));
    CHECK_U64(size_of(fd), len + 7);
    sys_close(fd);
}

TEST(reading_without_waiting_gives_bytes_or_says_cold)
{
    const int fd = new_file();
    char back[8];
    size_t len = 99;
    bool is_cold = false;

    CHECK_OK(sys_pwrite_all(fd, "abc", 3, 0));
    CHECK_OK(sys_pread_nowait(fd, back, sizeof(back), 0, &len, &is_cold));
    CHECK_U64(len, is_cold ? 0 : 3);
    sys_close(fd);
}

TEST(errors_say_which_call_which_file_and_why)
{
    int fd = -1;
    const struct err e = sys_open("/nowhere/at-all", O_RDONLY, 0, &fd);

    CHECK_ERR(e, ERR_NOT_FOUND);
    CHECK_STR(str_from_z(e.why), STR("open /nowhere/at-all: No such file or directory"));
    CHECK(fd == -1);
    CHECK(strstr(sys_fsync(-1).why, "fsync of fd -1"));
}

TEST(an_errno_has_its_code)
{
    static const struct {
        int errno_value;
        enum err_code code;
    } rows[] = { { ENOSPC, ERR_NO_SPACE }, { EDQUOT, ERR_NO_SPACE }, { ENOENT, ERR_NOT_FOUND },
                 { EEXIST, ERR_EXISTS },   { EIO, ERR_IO },          { EMFILE, ERR_IO } };
    const int fd = new_file();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fault_arm(FAULT_SYNC, 0, rows[i].errno_value);
        CHECK_ERR(sys_fdatasync(fd), rows[i].code);
        CHECK(fault_disarm());
    }
    sys_close(fd);
}

TEST(space_is_taken_and_given_back)
{
    const int fd = new_file();
    uint64_t free_bytes = 0, total = 0;
    struct stat st;

    CHECK_OK(sys_fallocate(fd, 0, 0, 1 << 20));
    CHECK_U64(size_of(fd), 1 << 20);
    CHECK_OK(sys_fdatasync(fd));
    CHECK_OK(sys_punch(fd, 0, 1 << 20));
    CHECK_OK(sys_fstat(fd, &st));
    CHECK_U64(st.st_blocks, 0);
    CHECK_OK(sys_ftruncate(fd, 10));
    CHECK_U64(size_of(fd), 10);
    CHECK_OK(sys_sync_range(fd, 0, 10));
    sys_close(fd);

    CHECK_OK(sys_free_bytes(test_dir(), &free_bytes, &total));
    CHECK(free_bytes > 0 && free_bytes <= total);
}

TEST(a_directory_may_be_there_already_but_not_a_file)
{
    const char *dir = test_dir();
    const struct path sub = in_dir(dir, "sub"), file = in_dir(dir, "file");
    struct stat st;

    CHECK_OK(sys_mkdir(sub.z, 0700));
    CHECK_OK(sys_mkdir(sub.z, 0700));
    CHECK_OK(sys_write_file(file.z, STR("x"), 0600));
    CHECK_ERR(sys_mkdir(file.z, 0700), ERR_EXISTS);
    CHECK_OK(sys_rename(file.z, in_dir(sub.z, "file").z));
    CHECK_ERR(sys_stat(file.z, &st), ERR_NOT_FOUND);
    CHECK_ERR(sys_unlink(file.z), ERR_NOT_FOUND);
    CHECK_OK(sys_unlink(in_dir(sub.z, "file").z));
    CHECK_OK(sys_sync_dir(sub.z));
}

/* An OFD lock belongs to the open file: a second open, even of the same process, does not get it. */
TEST(a_lock_is_for_one)
{
    const struct path path = in_dir(test_dir(), "lock");
    int first = -1, second = -1;

    CHECK_OK(sys_open(path.z, O_RDWR | O_CREAT, 0600, &first));
    CHECK_OK(sys_open(path.z, O_RDWR, 0600, &second));
    CHECK_OK(sys_lock(first));
    CHECK_ERR(sys_lock(second), ERR_BUSY);
    sys_close(first);
    CHECK_OK(sys_lock(second));
    sys_close(second);
}

TEST(a_shared_lock_is_for_many_who_only_read_and_keeps_the_one_out)
{
    const struct path path = in_dir(test_dir(), "lock");
    int first = -1, second = -1, writer = -1;

    CHECK_OK(sys_open(path.z, O_RDWR | O_CREAT, 0600, &writer));
    CHECK_OK(sys_open(path.z, O_RDONLY, 0, &first));
    CHECK_OK(sys_open(path.z, O_RDONLY, 0, &second));
    CHECK_OK(sys_lock(writer));
    CHECK_ERR(sys_lock_shared(first), ERR_BUSY);
    sys_close(writer);
    CHECK_OK(sys_lock_shared(first));
    CHECK_OK(sys_lock_shared(second));
    CHECK_OK(sys_open(path.z, O_RDWR, 0, &writer));
    CHECK_ERR(sys_lock(writer), ERR_BUSY);
    sys_close(first);
    sys_close(second);
    CHECK_OK(sys_lock(writer));
    sys_close(writer);
}

static struct err count_name(void *arg, const char *name)
{
    int *count = arg;

    CHECK(name[0] != '.');
    return ++*count == 100 ? FAIL(ERR_CLOSED, "enough") : OK;
}

TEST(a_directory_is_listed_until_its_reader_has_enough)
{
    const char *dir = test_dir();
    char name[16];
    int count = 0;

    for (int i = 0; i < 120; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        CHECK_OK(sys_mkdir(in_dir(dir, name).z, 0700));
        if (i == 49) CHECK_OK(sys_list_dir(dir, count_name, &count));
    }
    CHECK_U64(count, 50);
    count = 0;
    CHECK_ERR(sys_list_dir(dir, count_name, &count), ERR_CLOSED);
    CHECK_U64(count, 100);
    CHECK_ERR(sys_list_dir("/nowhere", count_name, &count), ERR_NOT_FOUND);
}

static void check_file(const char *path, struct str want)
{
    char *data = NULL;
    size_t len = 0;

    CHECK_OK(sys_read_file(path, 1 << 20, &data, &len));
    CHECK_STR(str_of(data, len), want);
    CHECK(data[len] == '\0');
    free(data);
}

TEST(a_whole_file_is_read_up_to_a_size)
{
    static const char bytes[10000] = "not only zeroes";
    static const size_t lens[] = { 0, 1, 4095, 4096, 4097, sizeof(bytes) };
    const struct path path = in_dir(test_dir(), "file");
    char *data = NULL;
    size_t len = 0;

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        CHECK_OK(sys_write_file(path.z, str_of(bytes, lens[i]), 0600));
        check_file(path.z, str_of(bytes, lens[i]));
        CHECK_OK(sys_read_file(path.z, lens[i], &data, &len));
        CHECK_U64(len, lens[i]);
        free(data);
        if (lens[i]) CHECK_ERR(sys_read_file(path.z, lens[i] - 1, &data, &len), ERR_TOO_LARGE);
    }
    /* Does not tell its size. */
    CHECK_OK(sys_read_file("/proc/self/status", 1 << 20, &data, &len));
    CHECK(len > 100);
    free(data);
    CHECK_ERR(sys_read_file("/proc/self/status", 100, &data, &len), ERR_TOO_LARGE);
}

static void *write_much(void *arg)
{
    static const char bytes[100000];

    CHECK(write(*(int *)arg, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
    CHECK(close(*(int *)arg) == 0);
    return NULL;
}

TEST(a_pipe_is_read_to_its_end)
{
    pthread_t writer;
    char path[32], *data = NULL;
    size_t len = 0;
    int ends[2];

    CHECK(pipe(ends) == 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    CHECK(pthread_create(&writer, NULL, write_much, &ends[1]) == 0);
    CHECK_OK(sys_read_file(path, 1 << 20, &data, &len));
    CHECK(pthread_join(writer, NULL) == 0);
    CHECK_U64(len, 100000);
    free(data);
    CHECK(close(ends[0]) == 0);
}

/* ---- faults ---- */

TEST(the_nth_call_of_the_armed_kinds_fails_once)
{
    const int fd = new_file();

    fault_arm(FAULT_SYNC, 1, EIO);
    CHECK_OK(sys_fsync(fd));
    CHECK_OK(sys_pwrite_all(fd, "x", 1, 0));
    CHECK_ERR(sys_fdatasync(fd), ERR_IO);
    CHECK_OK(sys_fdatasync(fd));
    CHECK_U64(fault_count(), 4);
    CHECK(fault_disarm());

    fault_arm(FAULT_ALL, 1, EIO);
    CHECK_OK(sys_fsync(fd));
    CHECK(!fault_disarm());
    CHECK_OK(sys_fsync(fd));
    CHECK_U64(fault_count(), 1);
    sys_close(fd);
}

static void count_visit(void *arg)
{
    struct stat st;

    *(int *)arg += 1;
    CHECK_OK(sys_stat(".", &st)); /* is not visited itself */
}

TEST(a_visit_comes_before_the_nth_call_and_nothing_fails)
{
    struct stat st;
    int visits = 0;

    fault_arm_visit(FAULT_NAME, 1, count_visit, &visits);
    CHECK_OK(sys_stat(".", &st));
    CHECK_U64(visits, 0);
    CHECK_OK(sys_stat(".", &st));
    CHECK_U64(visits, 1);
    CHECK_OK(sys_stat(".", &st));
    CHECK_U64(visits, 1);
    CHECK(fault_disarm());
    fault_arm(FAULT_NAME, 0, EIO); /* a fault is one again */
    CHECK_ERR(sys_stat(".", &st), ERR_IO);
    CHECK(fault_disarm());
    CHECK_U64(visits, 1);
}

TEST(a_sticky_fault_stays_until_it_is_disarmed)
{
    const int fd = new_file();

    fault_arm(FAULT_WRITE | FAULT_STICKY, 1, ENOSPC);
    CHECK_OK(sys_pwrite_all(fd, "a", 1, 0));
    CHECK_ERR(sys_pwrite_all(fd, "b", 1, 1), ERR_NO_SPACE);
    CHECK_ERR(sys_pwrite_all(fd, "c", 1, 2), ERR_NO_SPACE);
    CHECK_OK(sys_fsync(fd));
    CHECK(fault_disarm());
    CHECK_U64(size_of(fd), 1);
    CHECK_OK(sys_pwrite_all(fd, "b", 1, 1));
    sys_close(fd);
}

TEST(an_unreadable_place_fails_whatever_touches_it)
{
    const int fd = new_file();
    char bytes[300];
    size_t len;

    CHECK_OK(sys_ftruncate(fd, 1000));
    fault_arm_unreadable(200, 100);
    CHECK_OK(sys_pread_all(fd, bytes, 200, 0));
    CHECK_ERR(sys_pread_all(fd, bytes, 201, 0), ERR_IO);
    CHECK_ERR(sys_pread(fd, bytes, 1, 299, &len), ERR_IO);
    CHECK_ERR(sys_pread(fd, bytes, 300, 150, &len), ERR_IO);
    CHECK_OK(sys_pread_all(fd, bytes, 300, 300));
    CHECK_OK(sys_pwrite_all(fd, "x", 1, 250));
    CHECK(fault_disarm());
    CHECK_OK(sys_pread_all(fd, bytes, 201, 100));
    sys_close(fd);
}

TEST(a_short_fault_leaves_half_of_the_bytes)
{
    char a[] = "abc", b[] = "defgh", back[8];
    struct iovec parts[] = { { a, 3 }, { b, 5 } };
    const int fd = new_file();

    fault_arm(FAULT_WRITE | FAULT_SHORT, 0, EIO);
    CHECK_ERR(sys_pwritev_all(fd, parts, 2, 0), ERR_IO);
    CHECK(fault_disarm());
    CHECK_U64(size_of(fd), 4);
    CHECK_OK(sys_pread_all(fd, back, 4, 0));
    CHECK_STR(str_of(back, 4), STR("abcd"));
    sys_close(fd);
}

TEST(after_a_stop_nothing_happens_any_more)
{
    const char *dir = test_dir();
    const struct path path = in_dir(dir, "file");
    char back[1];
    int fd = -1, other = -1;

    CHECK_OK(sys_open(path.z, O_RDWR | O_CREAT, 0600, &fd));
    fault_arm_stop(1);
    CHECK_OK(sys_pwrite_all(fd, "a", 1, 0));
    CHECK_ERR(sys_pwrite_all(fd, "b", 1, 1), ERR_IO);
    CHECK_ERR(sys_pread_all(fd, back, 1, 0), ERR_IO);
    CHECK_ERR(sys_fsync(fd), ERR_IO);
    CHECK_ERR(sys_ftruncate(fd, 0), ERR_IO);
    CHECK_ERR(sys_unlink(path.z), ERR_IO);
    CHECK_ERR(sys_mkdir(in_dir(dir, "sub").z, 0700), ERR_IO);
    CHECK_ERR(sys_open(path.z, O_RDONLY, 0, &other), ERR_IO);
    CHECK(fault_disarm());
    check_file(path.z, STR("a"));
    sys_close(fd);
}

static bool is_there(const char *path)
{
    struct stat st;

    return sys_stat(path, &st).code == ERR_OK;
}

/* Whichever call fails or is the last before a stop, the file is the old one or the new one. */
static void sweep_write_file(bool is_stop)
{
    const struct path path = in_dir(test_dir(), "file");
    bool struck = true;

    for (uint64_t n = 0; struck; n++) {
        CHECK_OK(sys_write_file(path.z, STR("the old content"), 0600));
        if (is_stop) {
            fault_arm_stop(n);
        } else {
            fault_arm(FAULT_ALL | FAULT_SHORT, n, ENOSPC);
        }
        const struct err e = sys_write_file(path.z, STR("new"), 0600);
        struck = fault_disarm();
        CHECK(struck == (e.code != ERR_OK));

        char *data = NULL;
        size_t len = 0;
        CHECK_OK(sys_read_file(path.z, 100, &data, &len));
        const bool is_new = str_eq(str_of(data, len), STR("new"));
        CHECK(is_new || (struck && str_eq(str_of(data, len), STR("the old content"))));
        free(data);
    }
}

TEST(a_written_file_is_old_or_new_after_any_failure)
{
    sweep_write_file(false);
}

TEST(a_written_file_is_old_or_new_after_any_stop)
{
    sweep_write_file(true);
}

TEST(a_failed_write_leaves_no_temporary_file)
{
    const char *dir = test_dir();

    fault_arm(FAULT_SYNC, 0, EIO);
    CHECK_ERR(sys_write_file(in_dir(dir, "file").z, STR("new"), 0600), ERR_IO);
    CHECK(fault_disarm());
    CHECK(!is_there(in_dir(dir, "file").z) && !is_there(in_dir(dir, "file.tmp").z));
}

TEST(a_file_is_written_beside_the_working_directory)
{
    CHECK(chdir(test_dir()) == 0);
    CHECK_OK(sys_write_file("plain", STR("x"), 0600));
    check_file("plain", STR("x"));
}

#define COUNTING_THREADS 4
#define COUNTING_CALLS 1000

static void *stat_often(void *arg)
{
    int *failures = arg;
    struct stat st;

    for (int i = 0; i < COUNTING_CALLS; i++) *failures += sys_stat("/", &st).code != ERR_OK;
    return NULL;
}

TEST(a_fault_strikes_once_among_all_threads)
{
    pthread_t threads[COUNTING_THREADS];
    int failures[COUNTING_THREADS] = { 0 }, sum = 0;

    fault_arm(FAULT_NAME, 1500, EIO);
    for (int i = 0; i < COUNTING_THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, stat_often, &failures[i]) == 0);
    for (int i = 0; i < COUNTING_THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        sum += failures[i];
    }
    CHECK_U64(fault_count(), COUNTING_THREADS * COUNTING_CALLS);
    CHECK(fault_disarm());
    CHECK_U64(sum, 1);
}

TEST(a_fault_here_strikes_no_other_thread)
{
    pthread_t other;
    struct stat st;
    int failures = 0;

    fault_arm(FAULT_NAME | FAULT_HERE, 0, EIO);
    CHECK(pthread_create(&other, NULL, stat_often, &failures) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    CHECK_U64((uint64_t)failures, 0);
    CHECK_ERR(sys_stat("/", &st), ERR_IO);
    CHECK(fault_disarm());
}
