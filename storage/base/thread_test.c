/* thread_test.c - locks refuse the wrong order, conditions have deadlines, the pool runs all and no more. */
#include "storage/base/thread.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/base/clock.h"
#include "tests/unit/test.h"

static struct mutex low = MUTEX_INIT(10), high = MUTEX_INIT(20), high_too = MUTEX_INIT(20);

#ifndef NDEBUG
/* Does fn end its process by abort? */
static bool aborts(void (*fn)(void))
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        fn();
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void take_lower(void)
{
    mutex_lock(&high);
    mutex_lock(&low);
}

static void take_equal(void)
{
    mutex_lock(&high);
    mutex_lock(&high_too);
}

static void take_twice(void)
{
    mutex_lock(&low);
    mutex_lock(&low);
}

static void take_in_order(void)
{
    mutex_lock(&low);
    mutex_lock(&high);
    mutex_unlock(&high);
    mutex_unlock(&low);
}

static void unlock_unheld(void)
{
    mutex_unlock(&low);
}

static void wait_under_higher(void)
{
    struct cond c;

    cond_init(&c);
    mutex_lock(&low);
    mutex_lock(&high);
    (void)cond_wait_until(&c, &low, clock_mono_ms());
}

TEST(locks_are_taken_upwards_only)
{
    CHECK(aborts(take_lower));
    CHECK(aborts(take_equal));
    CHECK(aborts(take_twice));
    CHECK(aborts(unlock_unheld));
    CHECK(aborts(wait_under_higher));
    CHECK(!aborts(take_in_order));
}

static void ask_whether_held(void *arg)
{
    *(bool *)arg = mutex_is_held(&low);
}

TEST(a_lock_is_held_by_the_thread_that_took_it)
{
    bool other_has_it = true;
    pthread_t t;

    CHECK(!mutex_is_held(&low));
    mutex_lock(&low);
    CHECK(mutex_is_held(&low));
    CHECK_OK(thread_start("ask", ask_whether_held, &other_has_it, &t));
    thread_join(t);
    CHECK(!other_has_it);
    mutex_unlock(&low);
    CHECK(!mutex_is_held(&low));
}

TEST(locks_may_be_let_go_in_any_order)
{
    mutex_lock(&low);
    mutex_lock(&high);
    mutex_unlock(&low);
    CHECK(mutex_is_held(&high) && !mutex_is_held(&low));
    mutex_unlock(&high);
    mutex_lock(&low);
    mutex_unlock(&low);
}
#endif

static void look_at_self(void *arg)
{
    char *name = arg;
    sigset_t mask;

    CHECK(pthread_getname_np(pthread_self(), name, 16) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD) && !sigismember(&mask, SIGSEGV));
}

TEST(a_thread_has_its_name_and_takes_no_signals)
{
    char name[16] = "";
    sigset_t mask;
    pthread_t t;

    CHECK_OK(thread_start("a-very-long-name", look_at_self, name, &t));
    thread_join(t);
    CHECK_STR(str_from_z(name), STR("firn-a-very-lon"));
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGTERM));
}

struct meeting {
    struct mutex lock; /* guards: is_there */
    struct cond changed;
    bool is_there;
};

static void meeting_init(struct meeting *m)
{
    mutex_init(&m->lock, LOCK_SERVER);
    cond_init(&m->changed);
    m->is_there = false;
}

static void meeting_done(struct meeting *m)
{
    cond_done(&m->changed);
    mutex_done(&m->lock);
}

static void meeting_come(void *arg)
{
    struct meeting *m = arg;

    mutex_lock(&m->lock);
    m->is_there = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
}

static void meeting_wait(struct meeting *m)
{
    mutex_lock(&m->lock);
    while (!m->is_there) cond_wait(&m->changed, &m->lock);
    mutex_unlock(&m->lock);
}

TEST(waiting_ends_at_the_deadline_or_before)
{
    struct meeting m;
    pthread_t t;

    meeting_init(&m);
    mutex_lock(&m.lock);
    const uint64_t deadline = clock_mono_ms() + 20;
    while (cond_wait_until(&m.changed, &m.lock, deadline)) {
    }
    CHECK(clock_mono_ms() >= deadline);
    CHECK(!cond_wait_until(&m.changed, &m.lock, 0));

    CHECK_OK(thread_start("come", meeting_come, &m, &t));
    bool in_time = true;
    while (in_time && !m.is_there) in_time = cond_wait_until(&m.changed, &m.lock, clock_mono_ms() + 60000);
    CHECK(m.is_there);
    mutex_unlock(&m.lock);
    thread_join(t);
    meeting_done(&m);
}

/* A worker that says it is there and then waits to be let go. */
struct gate {
    struct meeting reached, opened;
};

static void pass_gate(void *arg)
{
    struct gate *g = arg;

    meeting_come(&g->reached);
    meeting_wait(&g->opened);
}

static void gate_init(struct gate *g)
{
    meeting_init(&g->reached);
    meeting_init(&g->opened);
}

static void gate_done(struct gate *g)
{
    meeting_done(&g->reached);
    meeting_done(&g->opened);
}

static int order[8];
static atomic_int ran;

static void note_order(void *arg)
{
    order[atomic_fetch_add(&ran, 1)] = *(int *)arg;
}

TEST(a_pool_has_a_bounded_queue_and_runs_it_in_order)
{
    static int numbers[] = { 1, 2, 3, 4 };
    struct pool *p = NULL;
    struct gate g;

    gate_init(&g);
    CHECK_OK(pool_start("test", 1, 3, &p));
    CHECK_OK(pool_submit(p, pass_gate, &g));
    meeting_wait(&g.reached);
    for (int i = 0; i < 3; i++) CHECK_OK(pool_submit(p, note_order, &numbers[i]));
    CHECK_ERR(pool_submit(p, note_order, &numbers[3]), ERR_BUSY);
    meeting_come(&g.opened);
    CHECK(pool_stop(p) == NULL);
    CHECK_U64(ran, 3);
    CHECK(order[0] == 1 && order[1] == 2 && order[2] == 3);
    gate_done(&g);
}

static void stop_pool(void *arg)
{
    (void)pool_stop(arg);
}

static void count_run(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
}

TEST(a_stopping_pool_takes_nothing_and_finishes_its_queue)
{
    struct pool *p = NULL;
    struct gate g;
    pthread_t stopper;
    int taken = 0;
    enum err_code code = ERR_OK;

    gate_init(&g);
    CHECK_OK(pool_start("test", 1, 1000000, &p));
    CHECK_OK(pool_submit(p, pass_gate, &g));
    meeting_wait(&g.reached);
    CHECK_OK(thread_start("stop", stop_pool, p, &stopper));
    for (; code == ERR_OK; taken += code == ERR_OK) code = pool_submit(p, count_run, NULL).code;
    CHECK(code == ERR_CLOSED);
    meeting_come(&g.opened);
    thread_join(stopper);
    CHECK_U64(ran, taken);
    gate_done(&g);
}

TEST(a_pool_of_many_runs_each_task_once)
{
    struct pool *p = NULL;

    CHECK_OK(pool_start("test", 4, 64, &p));
    for (int i = 0; i < 10000;) {
        const struct err e = pool_submit(p, count_run, NULL);
        CHECK(!e.code || e.code == ERR_BUSY);
        i += !e.code;
    }
    CHECK(pool_stop(p) == NULL);
    CHECK_U64(ran, 10000);
}

TEST(a_pool_of_nothing_is_refused)
{
    struct pool *p = NULL;

    CHECK_ERR(pool_start("test", 0, 1, &p), ERR_INVALID);
    CHECK_ERR(pool_start("test", 1, 0, &p), ERR_INVALID);
    CHECK(!p && !pool_stop(NULL));
}
