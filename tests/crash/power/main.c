/*
 * main.c - rounds of lives.
 *
 *   power run DIR SEED IMAGES    rounds until so many images were checked; DIR should be in memory. Ends with "N passed, N failed"
 *   power lie DIR SEED           does it find out a disk that syncs nothing?
 *   power image LOG CUT SEED DIR one image again, made in DIR, and checked there
 *
 * A round is some lives. The first begins on nothing; each next one on an image of the life before, so that its recovery is recorded as well. The images of a life are made in one walk through its record, a third
 * of them cut in its opening. An image that fails keeps its record: log and seed are all that it takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/power/power.h"

enum { LIVES = 4, IMAGES_EACH = 100, OPERATIONS = 1400 };

struct log {
    const uint8_t *bytes;
    size_t len;
    uint64_t events, base,
        opened; /* how many; of them, before the life began, and until its store was open */
    uint64_t killed, opened_again; /* the same of the process after a kill; 0: there was none */
};

struct walk {
    const struct log *log;
    size_t at;
    uint64_t done;
    bool is_lying;
    struct disk *disk;
    struct state state;
};

/* ---- logs ---- */

static bool log_next(const struct log *log, size_t *at, struct event *ret, const uint8_t **ret_bytes)
{
    if (log->len - *at < sizeof(*ret)) return false;
    memcpy(ret, log->bytes + *at, sizeof(*ret));
    *ret_bytes = log->bytes + *at + sizeof(*ret);
    *at += sizeof(*ret) + ret->len;
    return true;
}

static struct log log_open(const char *path)
{
    struct log log = { 0 };
    struct stat st;
    struct event e;
    const uint8_t *bytes;
    const int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &st)) fatal("%s cannot be opened", path);
    log.len = (size_t)st.st_size;
    log.bytes = mmap(NULL, log.len + 1, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    bool has_begun = false, is_open = false;
    for (size_t at = 0; log_next(&log, &at, &e, &bytes); log.events++) {
        const bool is_mark = e.kind == EVENT_MARK;
        if (!has_begun && !is_mark && e.kind != EVENT_BASE_DIR && e.kind != EVENT_BASE_FILE) {
            has_begun = true;
            log.base = log.events;
        }
        if (e.kind == EVENT_KILL) {
            is_open = false;
            log.killed = log.events;
        }
        if (!has_begun || is_open || !is_mark) continue;
        is_open = true;
        if (log.killed) log.opened_again = log.events;
        else log.opened = log.events;
    }
    return log;
}

static void log_close(struct log *log)
{
    munmap((void *)(uintptr_t)log->bytes, log->len + 1);
}

static void walk_to(struct walk *w, uint64_t cut)
{
    struct event e;
    const uint8_t *bytes;

    while (w->done < cut && log_next(w->log, &w->at, &e, &bytes)) {
        if (e.kind == EVENT_MARK) {
            struct mark mark;
            memcpy(&mark, bytes, sizeof(mark));
            state_mark(&w->state, &mark);
        }
        if (!w->is_lying || (e.kind != EVENT_SYNC_END && e.kind != EVENT_SYNC_BEGIN))
            disk_apply(w->disk, &e, bytes);
        w->done++;
    }
}

/* ---- children ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static void remove_all(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int end_of(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fatal("a child is lost");
    return status;
}

static int check(const char *dir, const struct state *s)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) fatal("no child");
    if (!child) check_image(dir, s);
    return end_of(child);
}

/* One process of a life. */
static bool record_one(const char *dir, const char *log, const struct state *s, uint64_t seed, bool is_killed)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) fatal("no child");
    if (!child) {
        record_begin(dir, log, !s);
        if (s) state_to_log(s);
        work(dir, seed, OPERATIONS, is_killed);
    }
    return end_of(child) == 0;
}

/* Every other life has a kill in it: the process after it builds on what was only in the page cache, and then the power goes. */
static bool record(const char *dir, const char *log, const struct state *s, uint64_t seed)
{
    const bool is_killed = seed % 2;

    if (!record_one(dir, log, s, seed, is_killed)) return false;
    return !is_killed || record_one(dir, log, NULL, ~seed, false);
}

/* ---- lives ---- */

struct run {
    const char *dir;
    uint64_t random, images, passed, failed, lives;
    bool is_lying; /* the disk forgets that it was told to sync: violations are what is wanted */
};

static int compare_cuts(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(struct run *r, const struct log *log, const char *log_path, uint64_t at,
                   const struct cut *c, int status)
{
    char kept[PATH_MAX], how[200], command[3 * PATH_MAX];

    r->failed++;
    if (r->is_lying) return;
    snprintf(kept, sizeof(kept), "build/power/life-%llu.log", (unsigned long long)c->seed);
    snprintf(command, sizeof(command), "mkdir -p build/power && cp %s %s", log_path, kept);
    if (system(command) != 0) snprintf(kept, sizeof(kept), "(not kept)");
    cut_print(c, how, sizeof(how));
    if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
    printf(
        "VIOLATION: cut at event %llu of %llu (open at %llu), %s\n  again: build/power/power image %s %llu %llu DIR\n",
        (unsigned long long)at, (unsigned long long)log->events, (unsigned long long)log->opened, how, kept,
        (unsigned long long)at, (unsigned long long)c->seed);
}

static void one_image(struct run *r, struct walk *w, const char *log_path, uint64_t at)
{
    char dir[PATH_MAX];
    const struct cut c = cut_from(random_next(&r->random));

    snprintf(dir, sizeof(dir), "%s/image", r->dir);
    remove_all(dir);
    disk_image(w->disk, &c, dir);
    const int status = check(dir, &w->state);
    if (status) report(r, w->log, log_path, at, &c, status);
    else r->passed++;
}

/* Where to cut: a third in an opening, the rest anywhere; in order. */
static void choose_cuts(struct run *r, const struct log *log, uint64_t cuts[IMAGES_EACH])
{
    const uint64_t opening = log->opened - log->base + 1, all = log->events - log->base + 1;

    for (int i = 0; i < IMAGES_EACH; i++) {
        if (i % 3) cuts[i] = log->base + random_below(&r->random, all);
        else if (i % 2 && log->killed)
            cuts[i] = log->killed + random_below(&r->random, log->opened_again - log->killed + 1);
        else cuts[i] = log->base + random_below(&r->random, opening);
    }
    qsort(cuts, IMAGES_EACH, sizeof(*cuts), compare_cuts);
}

/* The images of one life; and the one that the next life begins on, as `base`, with what is to be in it. */
static void images(struct run *r, const char *log_path, const char *base, struct state *ret)
{
    struct log log = log_open(log_path);
    struct walk w = { .log = &log, .is_lying = r->is_lying, .disk = disk_new() };
    uint64_t cuts[IMAGES_EACH];
    const uint64_t heir = IMAGES_EACH / 2 + random_below(&r->random, IMAGES_EACH / 2);

    choose_cuts(r, &log, cuts);
    for (uint64_t i = 0; i < IMAGES_EACH; i++) {
        walk_to(&w, cuts[i]);
        if (r->passed + r->failed < r->images) one_image(r, &w, log_path, cuts[i]);
        if (i != heir) continue;
        const struct cut c = cut_from(random_next(&r->random));
        remove_all(base);
        disk_image(w.disk, &c, base);
        *ret = w.state;
    }
    disk_free(w.disk);
    log_close(&log);
}

static void round_of_lives(struct run *r)
{
    char base[PATH_MAX], log[PATH_MAX];
    struct state state = { 0 };

    snprintf(base, sizeof(base), "%s/life", r->dir);
    snprintf(log, sizeof(log), "%s/log", r->dir);
    remove_all(base);
    if (mkdir(base, 0700)) fatal("%s cannot be made", base);
    for (int life = 0; life < LIVES && r->passed + r->failed < r->images; life++) {
        const uint64_t seed = random_next(&r->random);
        if (!record(base, log, &state, seed)) {
            printf("a life ended in an error (seed %llu)\n", (unsigned long long)seed);
            r->failed++;
            return;
        }
        r->lives++;
        images(r, log, base, &state);
    }
}

/* One life on a disk that syncs nothing. Were no image bad, the proof would prove nothing. */
static int lie(const char *dir, uint64_t seed)
{
    struct run r = { .dir = dir, .random = seed, .images = IMAGES_EACH, .is_lying = true };

    (void)mkdir(dir, 0700);
    round_of_lives(&r);
    remove_all(dir);
    printf("of %u images of a disk that syncs nothing, %llu are found out\n", IMAGES_EACH,
           (unsigned long long)r.failed);
    return r.failed < IMAGES_EACH / 10;
}

static int run(const char *dir, uint64_t seed, uint64_t wanted)
{
    struct run r = { .dir = dir, .random = seed, .images = wanted };

    if (mkdir(dir, 0700) && errno != EEXIST) fatal("%s cannot be made", dir);
    printf("seed %llu\n", (unsigned long long)seed);
    for (uint64_t told = 0; r.passed + r.failed < wanted;) {
        round_of_lives(&r);
        if (r.passed + r.failed < told + 1000) continue;
        told = r.passed + r.failed;
        printf("%llu images of %llu lives, %llu violations\n", (unsigned long long)told,
               (unsigned long long)r.lives, (unsigned long long)r.failed);
        fflush(stdout);
    }
    remove_all(dir);
    printf("%llu images of %llu lives\n%llu passed, %llu failed\n", (unsigned long long)(r.passed + r.failed),
           (unsigned long long)r.lives, (unsigned long long)r.passed, (unsigned long long)r.failed);
    return r.failed ? 1 : 0;
}

static int again(const char *log_path, uint64_t cut, uint64_t seed, const char *dir)
{
    struct log log = log_open(log_path);
    struct walk w = { .log = &log, .disk = disk_new() };
    const struct cut c = cut_from(seed);
    char how[200];

    walk_to(&w, cut);
    cut_print(&c, how, sizeof(how));
    printf("event %llu of %llu, %s\n", (unsigned long long)w.done, (unsigned long long)log.events, how);
    disk_image(w.disk, &c, dir);
    const int status = check(dir, &w.state);
    puts(status ? "a violation" : "all is there");
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    record_prepare();
    if (argc == 5 && !strcmp(argv[1], "run"))
        return run(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    if (argc == 4 && !strcmp(argv[1], "lie")) return lie(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 6 && !strcmp(argv[1], "image"))
        return again(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), argv[5]);
    fprintf(stderr, "power run DIR SEED IMAGES | power lie DIR SEED | power image LOG CUT SEED DIR\n");
    return 2;
}
