/*
 * runner.c - runs the registered tests, each in a process of its own.
 *
 *   unit [-l] [-v] [-j N] [word]     -l lists, -v prints every test with its time, word: only tests with it in their names
 *
 * A test is forked, so a crash, a leak of state or a stuck thread is that test's alone; two run at once. A test has failed if a CHECK
 * did (exit 1), if a signal or its time limit ended it, if it left by itself with any status before its last line, or, in a
 * build with AddressSanitizer, if it leaked (that build's exit status). Each test is a process group, killed as a whole when the
 * test ends; its directories lie under one name that only the runner makes up, so they are removed even after a crash.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/postgresql.h"

#define TIMEOUT_S 120 /* of one test at scale 1; the whole of `make unit` should take 30 s */
#define JOBS_MAX 16
#define DIRS_MAX 1024 /* of one test */

/* A test that runs in a child. */
struct job {
    struct test_case *test; /* NULL: free */
    pid_t pid;
    struct timespec began;
    char dir[256];
};

static struct test_case *first_test, **last_next = &first_test;
static char root_dir[200];        /* everything that this run writes */
static _Atomic bool *is_finished; /* shared with the children, one for each job: the test came to its end */
static volatile sig_atomic_t interrupted;

/* In the child only. */
static const char *own_dir;
static char *dirs[DIRS_MAX]; /* keeps what test_dir gave reachable */
static atomic_int dir_count;

void test_register(struct test_case *t)
{
    *last_next = t;
    last_next = &t->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    fflush(NULL);
    _exit(1);
}

uint64_t test_scale(void)
{
    const char *text = getenv("FIRN_TEST_SCALE");
    const long scale = text ? strtol(text, NULL, 10) : 1;

    return scale > 0 ? (uint64_t)scale : 1;
}

const char *test_dir(void)
{
    const int i = atomic_fetch_add(&dir_count, 1);

    if (i >= DIRS_MAX || asprintf(&dirs[i], "%s/%d", own_dir, i) < 0)
        test_fail(__FILE__, __LINE__, "too many test directories");
    if ((mkdir(own_dir, 0700) != 0 && errno != EEXIST) || mkdir(dirs[i], 0700) != 0)
        test_fail(__FILE__, __LINE__, "mkdir %s: %s", dirs[i], strerrordesc_np(errno));
    return dirs[i];
}

int test_quiet_begin(void)
{
    const int kept = dup(STDERR_FILENO), fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    CHECK(kept >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    (void)close(fd);
    return kept;
}

void test_quiet_end(int kept)
{
    CHECK(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_signal(int signo)
{
    (void)signo;
    interrupted = 1;
}

static void job_start(struct job *job, int slot, struct test_case *test)
{
    static int started;

    snprintf(job->dir, sizeof(job->dir), "%s/t%d", root_dir, started++);
    clock_gettime(CLOCK_MONOTONIC, &job->began);
    atomic_store(&is_finished[slot], false);
    fflush(NULL);

    job->pid = fork();
    if (job->pid < 0) {
        perror("fork");
        exit(2);
    }
    if (job->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        own_dir = job->dir;
        alarm((unsigned)(TIMEOUT_S * test_scale()));
        test->fn();
        atomic_store(&is_finished[slot], true);
        exit(0);
    }
    job->test = test;
    setpgid(job->pid, job->pid);
}

/* What is wrong with how a test ended; NULL if nothing is. */
static const char *verdict(int status, bool finished, char *text, size_t size)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(text, size, "took more than %llu s", (unsigned long long)(TIMEOUT_S * test_scale()));
    } else if (WIFSIGNALED(status)) {
        snprintf(text, size, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(text, size, "exit status %d%s", WEXITSTATUS(status), finished ? " after its end" : "");
    } else if (!finished) {
        snprintf(text, size, "left before its end");
    } else {
        return NULL;
    }
    return text;
}

/* Clear up after a child that has ended. True if its test passed. */
static bool job_end(struct job *job, int slot, int status, bool is_verbose)
{
    char text[64];
    struct timespec now;
    const char *wrong = verdict(status, atomic_load(&is_finished[slot]), text, sizeof(text));

    clock_gettime(CLOCK_MONOTONIC, &now);
    kill(-job->pid, SIGKILL);
    remove_tree(job->dir);
    if (wrong) printf("FAIL %s: %s (%s)\n", job->test->file, job->test->name, wrong);
    if (!wrong && is_verbose) {
        const long ms = (now.tv_sec - job->began.tv_sec) * 1000
            + (now.tv_nsec - job->began.tv_nsec) / 1000000;
        printf("ok   %s: %s (%ld ms)\n", job->test->file, job->test->name, ms);
    }
    job->test = NULL;
    return !wrong;
}

static struct test_case *next_match(struct test_case *t, const char *word)
{
    while (t && word && !strstr(t->name, word)) t = t->next;
    return t;
}

static int run(const char *word, int job_count, bool is_verbose)
{
    struct job jobs[JOBS_MAX] = { 0 };
    struct test_case *next = next_match(first_test, word);
    int running = 0, passed = 0, failed = 0;

    while (!interrupted && (next || running > 0)) {
        for (int i = 0; i < job_count && next; i++) {
            if (jobs[i].test) continue;
            job_start(&jobs[i], i, next);
            next = next_match(next->next, word);
            running++;
        }
        int status;
        const pid_t pid = waitpid(-1, &status, 0);
        for (int i = 0; i < job_count && pid > 0; i++) {
            if (!jobs[i].test || jobs[i].pid != pid) continue;
            *(job_end(&jobs[i], i, status, is_verbose) ? &passed : &failed) += 1;
            running--;
        }
    }
    for (int i = 0; i < job_count; i++) {
        if (!jobs[i].test) continue;
        kill(-jobs[i].pid, SIGKILL);
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    bool is_listing = false, is_verbose = false;
    int job_count = 2, option;

    while ((option = getopt(argc, argv, "lvj:")) != -1) {
        if (option == 'l') is_listing = true;
        else if (option == 'v') is_verbose = true;
        else if (option == 'j') job_count = (int)strtol(optarg, NULL, 10);
        else return 2;
    }
    if (job_count < 1 || job_count > JOBS_MAX) job_count = 2;
    const char *word = argv[optind];

    if (is_listing) {
        for (struct test_case *t = next_match(first_test, word); t; t = next_match(t->next, word))
            printf("%s: %s\n", t->file, t->name);
        return 0;
    }

    const char *tmp = getenv("TMPDIR");
    snprintf(root_dir, sizeof(root_dir), "%s/firn-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    is_finished = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(root_dir) || is_finished == MAP_FAILED) {
        perror(root_dir);
        return 2;
    }
    test_postgresql_begin(root_dir);
    const struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    const int result = run(word, job_count, is_verbose);
    test_postgresql_end();
    remove_tree(root_dir);
    return result;
}
