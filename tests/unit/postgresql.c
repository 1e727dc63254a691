/*
 * postgresql.c - see postgresql.h.
 *
 * Tests are processes of their own, so the shared server is started by the one that comes first, under a lock on a file; pg_ctl puts it into a session of its own, so it outlives that
 * test. The runner knows it by its postmaster.pid.
 */
#include "tests/unit/postgresql.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define BIN_DEFAULT "/usr/lib/postgresql/15/bin"
#define ARGUMENTS_MAX 16
#define END_MS 20000

static char shared_dir[220];
static struct test_postgresql shared;
static atomic_int schemas;

static void drop_root(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;

    if (geteuid() != 0) return;
    if (!user || setgid(user->pw_gid) || setuid(user->pw_uid)) _exit(126);
}

/* Run a program of PostgreSQL as a user that it accepts, its output to the end of dir/log. The exit status. */
static int run(const char *dir, const char *program, const char *const *arguments)
{
    const char *bin = getenv("FIRN_POSTGRESQL_BIN");
    char path[300], log[300];
    char *argv[ARGUMENTS_MAX] = { path };
    int status;

    snprintf(path, sizeof(path), "%s/%s", bin ? bin : BIN_DEFAULT, program);
    snprintf(log, sizeof(log), "%s/log", dir);
    for (int i = 0; arguments[i] && i + 2 < ARGUMENTS_MAX; i++) argv[i + 1] = (char *)arguments[i];
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        drop_root();
        const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), none = open("/dev/null", O_RDONLY);
        sigset_t all;
        sigemptyset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        alarm(0);
        if (fd < 0 || dup2(none, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(dir)) _exit(125);
        execv(path, argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fail_with_log(const struct test_postgresql *p, const char *what, int status)
{
    char log[300], text[1500];

    snprintf(log, sizeof(log), "%s/log", p->dir);
    const int fd = open(log, O_RDONLY);
    if (fd >= 0) lseek(fd, -(off_t)(sizeof(text) - 1), SEEK_END);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    test_fail(__FILE__, __LINE__, "%s: status %d\n%s", what, status, text);
}

static void grant_way(const char *path)
{
    if (chmod(path, 0711)) test_fail(__FILE__, __LINE__, "chmod %s", path);
}

void test_postgresql_init(struct test_postgresql *p, const char *dir)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    static const char *const arguments[] = { "-D", "data", "-U",         "postgres", "-A", "trust",
                                             "-E", "UTF8", "--locale=C", "-N",       NULL };

    snprintf(p->dir, sizeof(p->dir), "%s", dir);
    snprintf(p->store, sizeof(p->store), "postgresql://postgres@/postgres?host=%s", dir);
    char parent[300];

    snprintf(parent, sizeof(parent), "%s/..", dir);
    grant_way(parent);
    if (user && chown(dir, user->pw_uid, user->pw_gid)) test_fail(__FILE__, __LINE__, "chown %s", dir);
    const int status = run(dir, "initdb", arguments);
    if (status) fail_with_log(p, "initdb", status);
}

/* Again after a kill: the old server's children may still be going. */
void test_postgresql_start(struct test_postgresql *p)
{
    char options[700];
    int status = -1;

    snprintf(
        options, sizeof(options),
        "-c listen_addresses= -c unix_socket_directories=%s -c max_connections=300 -c shared_buffers=32MB -c fsync=on",
        p->dir);
    const char *const arguments[] = { "start", "-D", "data", "-w", "-t", "60", "-o", options, NULL };
    for (int i = 0; i < 50 && status; i++) status = run(p->dir, "pg_ctl", arguments);
    if (status) fail_with_log(p, "pg_ctl start", status);
}

void test_postgresql_stop(struct test_postgresql *p)
{
    static const char *const arguments[] = { "stop", "-D", "data", "-w", "-m", "fast", NULL };
    const int status = run(p->dir, "pg_ctl", arguments);
    if (status) fail_with_log(p, "pg_ctl stop", status);
}

static pid_t postmaster_of(const char *dir)
{
    char path[300], text[32] = "";

    snprintf(path, sizeof(path), "%s/data/postmaster.pid", dir);
    const int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    if (read(fd, text, sizeof(text) - 1) <= 0) text[0] = 0;
    close(fd);
    return (pid_t)strtol(text, NULL, 10);
}

static void end_process(pid_t pid, int signo)
{
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0) return;
    kill(pid, signo);
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, END_MS);
    close(fd);
}

void test_postgresql_kill(struct test_postgresql *p)
{
    const pid_t pid = postmaster_of(p->dir);

    if (pid > 0) end_process(pid, SIGKILL);
}

/* ---- the shared one ---- */

void test_postgresql_begin(const char *root_dir)
{
    snprintf(shared_dir, sizeof(shared_dir), "%s/pg", root_dir);
    grant_way(root_dir);
}

const char *test_postgresql(void)
{
    char path[300];

    if (shared.dir[0]) return shared.store;
    snprintf(path, sizeof(path), "%s.lock", shared_dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX)) test_fail(__FILE__, __LINE__, "cannot lock %s", path);
    if (mkdir(shared_dir, 0711) == 0) {
        test_postgresql_init(&shared, shared_dir);
        test_postgresql_start(&shared);
    } else {
        snprintf(shared.dir, sizeof(shared.dir), "%s", shared_dir);
        snprintf(shared.store, sizeof(shared.store), "postgresql://postgres@/postgres?host=%s", shared_dir);
    }
    close(fd);
    return shared.store;
}

const char *test_schema(void)
{
    static char names[64][48];
    const int i = atomic_fetch_add(&schemas, 1) % 64;

    snprintf(names[i], sizeof(names[i]), "t%ld_%d", (long)getpid(), i);
    return names[i];
}

const char *test_store(void)
{
    const char *wanted = getenv("FIRN_TEST_STORE");
    return wanted && strcmp(wanted, "postgresql") == 0 ? test_postgresql() : NULL;
}

/* FNV-1a */
const char *test_store_schema(const char *dir)
{
    static char name[48];
    uint64_t hash = 14695981039346656037ull;

    for (const char *p = dir; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211ull;
    snprintf(name, sizeof(name), "d%016llx", (unsigned long long)hash);
    return name;
}

void test_postgresql_end(void)
{
    const pid_t pid = shared_dir[0] ? postmaster_of(shared_dir) : 0;

    if (pid > 0) end_process(pid, SIGQUIT);
}

/* ---- statements ---- */

void test_postgresql_sql(const char *store, const char *sql, char *out, size_t size)
{
    int ends[2];
    size_t len = 0;
    int status;

    if (pipe2(ends, O_CLOEXEC)) test_fail(__FILE__, __LINE__, "pipe");
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execlp("psql", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, store, NULL);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t n; len + 1 < size && (n = read(ends[0], out + len, size - len - 1)) > 0;) len += (size_t)n;
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    while (len && out[len - 1] == '\n') len--;
    out[len] = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        test_fail(__FILE__, __LINE__, "psql -c \"%s\": status %d", sql, status);
}
