/*
 * init_dir.c - walk a directory, and put its files by many threads.
 *
 * A small object costs one flush, and flushes are shared by those who wait at the same time: so what makes thousands of small files fast is that many threads put at
 * once. The walk gathers names into a batch; when that is full, threads take its names one by one until none is left. A queue between walk and threads would keep
 * them busy while the walk reads on, but the walk is a hundredth of the time.
 *
 * A file goes through the same body writer and transaction as a PUT, with If-None-Match: *. So there is no second way in which objects are made.
 */
#include "server/init_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/object_put.h"

static const struct {
    const char *suffix, *type;
} types[] = {
    { ".json", "application/json" },
    { ".jsonl", "application/x-ndjson" },
    { ".ndjson", "application/x-ndjson" },
    { ".csv", "text/csv" },
    { ".tsv", "text/tab-separated-values" },
    { ".txt", "text/plain" },
    { ".md", "text/markdown" },
    { ".html", "text/html" },
    { ".xml", "application/xml" },
    { ".yaml", "application/yaml" },
    { ".yml", "application/yaml" },
    { ".parquet", "application/vnd.apache.parquet" },
    { ".avro", "application/avro" },
    { ".gz", "application/gzip" },
    { ".zst", "application/zstd" },
    { ".zip", "application/zip" },
    { ".pdf", "application/pdf" },
    { ".png", "image/png" },
    { ".jpg", "image/jpeg" },
    { ".jpeg", "image/jpeg" },
};

struct str init_dir_content_type(struct str name)
{
    const size_t dot = str_rfind_char(name, '.');

    if (dot >= name.len) return STR_NONE;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_is_nocase(str_from(name, dot), types[i].suffix)) return str_from_z(types[i].type);
    }
    return STR_NONE;
}

struct load {
    const struct init_dir_options *options;
    struct init_dir_result *result;
    struct arena *arena;                 /* the paths of the batch; emptied with it */
    char root[PATH_MAX];                 /* the directory, without symbolic links in it */
    const char *paths[LIMIT_INIT_BATCH]; /* below root: "bucket/a/b.json" */
    size_t count;
    size_t depth;
    struct str bucket;  /* that the walk is in */
    uint64_t said_ms;   /* when progress was last told */
    atomic_size_t next; /* of paths */
    _Atomic uint64_t loaded, bytes, present;
    struct mutex lock;
    struct err err; /* guarded by lock: the first */
    char why[1024];
};

static struct err path_of(const struct load *l, const char *below, const char *name, char ret[PATH_MAX])
{
    if (snprintf(ret, PATH_MAX, "%s/%s%s", l->root, below, name) < PATH_MAX) return OK;
    return err_fail(ERR_INVALID, "init directory: a path below '%.200s' is too long", below);
}

/* ---- one file: on a thread of the batch ---- */

static struct err read_into(int fd, struct body_writer *w)
{
    char piece[LIMIT_INIT_PIECE];
    uint64_t offset = 0;
    size_t len;

    do {
        TRY(sys_pread(fd, piece, sizeof(piece), offset, &len));
        TRY(body_writer_write(w, str_of(piece, len)));
        offset += len;
    } while (len > 0);
    return body_writer_finish_wait(w);
}

static void body_freep(struct body_writer **w)
{
    *w = body_writer_free(*w);
}

static void fd_closep(int *fd)
{
    sys_close(*fd);
}

static struct err put_file(struct load *l, const char *path, struct object_put *put)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(body_freep) struct body_writer *w = NULL;
    struct stat st;

    TRY(sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd));
    TRY(sys_fstat(fd, &st));
    if (!S_ISREG(st.st_mode)) return FAIL(ERR_INVALID, "it is not a regular file any more");
    TRY(body_writer_new(put->store, (struct body_sums_wanted){ .checksum = DIGEST_NONE },
                        (uint64_t)st.st_size, &w));
    TRY(read_into(fd, w));
    put->body = w;
    const struct err e = meta_run(put->store->meta, object_put_fn, put);
    if (e.code == ERR_OK) {
        METRIC_ADD(init_files_loaded, 1);
        atomic_fetch_add_explicit(&l->loaded, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&l->bytes, body_writer_size(w), memory_order_relaxed);
    }
    return e;
}

static struct err is_present(struct object_put *put, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    TRY(view_open(put->store->meta, &view));
    const struct err e = object_stat(view, put->bucket, put->key, NULL, &info);
    if (e.code != ERR_OK && e.code != ERR_NO_SUCH_KEY) return e;
    *ret = e.code == ERR_OK;
    return OK;
}

static struct err load_file(struct load *l, const char *name)
{
    struct object_put put = { .store = l->options->store, .conditions.if_none_match = STR("*") };
    char path[PATH_MAX], real[PATH_MAX];
    bool present = false;

    put.key = str_cut(str_from_z(name), '/', &put.bucket);
    put.meta.headers[OBJECT_CONTENT_TYPE] = init_dir_content_type(put.key);
    TRY(object_key_check(put.key));
    TRY(is_present(&put, &present));
    TRY(path_of(l, "", name, path));
    if (!present && !realpath(path, real)) return err_errno(ERR_IO, errno, "realpath");
    const struct err e = present ? FAIL(ERR_PRECONDITION, "it is there") : put_file(l, real, &put);
    if (e.code != ERR_PRECONDITION) return e;
    atomic_fetch_add_explicit(&l->present, 1, memory_order_relaxed);
    return OK;
}

static void fail(struct load *l, const char *name, struct err e)
{
    mutex_lock(&l->lock);
    if (l->err.code == ERR_OK) {
        (void)snprintf(l->why, sizeof(l->why), "init directory: %.600s: %.300s", name, e.why);
        l->err = (struct err){ e.code, l->why };
    }
    mutex_unlock(&l->lock);
}

static bool has_failed(struct load *l)
{
    mutex_lock(&l->lock);
    const bool failed = l->err.code != ERR_OK;
    mutex_unlock(&l->lock);
    return failed;
}

static void load_files(void *arg)
{
    struct load *l = arg;
    size_t i;

    while ((i = atomic_fetch_add(&l->next, 1)) < l->count && !has_failed(l)) {
        const struct err e = load_file(l, l->paths[i]);
        if (e.code != ERR_OK) fail(l, l->paths[i], e);
    }
}

/* ---- a batch ---- */

static void say_progress(struct load *l)
{
    const uint64_t now = clock_mono_ms();

    if (now - l->said_ms < LIMIT_INIT_SAY_MS) return;
    l->said_ms = now;
    LOG_INFO("loading the init directory", U64("loaded", l->loaded), U64("present", l->present),
             U64("bytes", l->bytes));
}

static struct err run_batch(struct load *l)
{
    pthread_t threads[LIMIT_INIT_THREADS];
    size_t started = 0;

    atomic_store(&l->next, 0);
    while (started < LIMIT_INIT_THREADS && started + 1 < l->count) {
        if (thread_start("init", load_files, l, &threads[started]).code != ERR_OK) break;
        started++;
    }
    load_files(l); /* this thread too: so it goes on where no other could be started */
    while (started > 0) thread_join(threads[--started]);
    l->count = 0;
    arena_reset(l->arena);
    say_progress(l);
    l->result->is_stopped = l->options->should_stop && l->options->should_stop();
    return l->err;
}

/* ---- the walk ---- */

enum kind { KIND_FILE, KIND_DIRECTORY, KIND_OTHER };

/* I2: what is this, and may it be read? A link is what it leads to, if that is a file inside. */
static struct err kind_of(const struct load *l, const char *path, enum kind *ret)
{
    char real[PATH_MAX];
    struct stat st;
    const size_t len = strlen(l->root);

    *ret = KIND_OTHER;
    if (lstat(path, &st) != 0) return err_errno(ERR_IO, errno, "init directory: lstat %.300s", path);
    if (S_ISDIR(st.st_mode)) *ret = KIND_DIRECTORY;
    if (S_ISREG(st.st_mode)) *ret = KIND_FILE;
    if (!S_ISLNK(st.st_mode) || !realpath(path, real) || sys_stat(real, &st).code != ERR_OK) return OK;
    if (S_ISREG(st.st_mode) && strncmp(real, l->root, len) == 0 && real[len] == '/') *ret = KIND_FILE;
    return OK;
}

struct place_in {
    struct load *load;
    const char *below; /* root, ending in a slash or empty */
};

static struct err walk(struct load *l, const char *below);

static struct err make_bucket(struct load *l, const char *name)
{
    const struct str bucket = str_from_z(name);
    const struct err e = bucket_create(l->options->store, bucket, l->options->owner, STR_NONE);

    if (e.code == ERR_BUCKET_OWNED_BY_YOU || e.code == ERR_EXISTS) return OK;
    if (e.code != ERR_OK)
        return err_fail(e.code == ERR_INVALID_BUCKET_NAME ? ERR_INVALID : e.code,
                        "init directory: the bucket '%s' cannot be made: %s", name, e.why);
    LOG_INFO("bucket made", STRV("bucket", bucket));
    return OK;
}

static struct err enter(struct load *l, const char *below, const char *name)
{
    char next[PATH_MAX];

    if (l->depth == LIMIT_INIT_DEPTH)
        return err_fail(ERR_INVALID, "init directory: '%s' is nested deeper than %d directories", below,
                        LIMIT_INIT_DEPTH);
    if (below[0] == '\0') TRY(make_bucket(l, name));
    if (snprintf(next, sizeof(next), "%s%s/", below, name) >= (int)sizeof(next))
        return err_fail(ERR_INVALID, "init directory: a path below '%.200s' is too long", below);
    return walk(l, next);
}

static struct err take(struct load *l, const char *below, const char *name)
{
    const struct str path = arena_printf(l->arena, "%s%s", below, name);

    if (!path.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    l->paths[l->count++] = path.data;
    return l->count == LIMIT_INIT_BATCH ? run_batch(l) : OK;
}

static struct err visit(void *arg, const char *name)
{
    const struct place_in *place = arg;
    struct load *l = place->load;
    char path[PATH_MAX];
    enum kind kind = KIND_OTHER;

    if (l->result->is_stopped) return OK;
    TRY(path_of(l, place->below, name, path));
    if (name[0] != '.') TRY(kind_of(l, path, &kind));
    if (kind == KIND_DIRECTORY) return enter(l, place->below, name);
    if (kind == KIND_FILE && place->below[0]) return take(l, place->below, name);
    l->result->passed_over++;
    return OK;
}

static struct err walk(struct load *l, const char *below)
{
    char path[PATH_MAX];
    struct place_in place = { l, below };

    TRY(path_of(l, below, "", path));
    l->depth++;
    TRY(sys_list_dir(path, visit, &place));
    l->depth--;
    return OK;
}

static struct err load_all(struct load *l)
{
    char dir[PATH_MAX];
    const struct str given = l->options->dir;

    if (given.len >= sizeof(dir)) return FAIL(ERR_INVALID, "setting 'init-dir' is too long");
    (void)snprintf(dir, sizeof(dir), "%.*s", STR_ARG(given));
    if (!realpath(dir, l->root)) return err_errno(ERR_NOT_FOUND, errno, "setting 'init-dir': '%.300s'", dir);
    TRY(walk(l, ""));
    return l->count > 0 && !l->result->is_stopped ? run_batch(l) : OK;
}

struct err init_dir_load(const struct init_dir_options *options, struct init_dir_result *ret)
{
    static char why[1024]; /* of the only start that a process has */
    struct load *l = calloc(1, sizeof(*l));
    struct init_dir_result result = { 0 };

    if (!l) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    l->options = options;
    l->result = &result;
    l->said_ms = clock_mono_ms();
    l->arena = arena_new(LIMIT_INIT_BATCH * (PATH_MAX + 64));
    mutex_init(&l->lock, LOCK_SERVER);
    const struct err e = l->arena ? load_all(l) : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    const struct err kept = err_keep(e, why, sizeof(why));
    result.loaded = l->loaded;
    result.bytes = l->bytes;
    result.present = l->present;
    *ret = result;
    mutex_done(&l->lock);
    arena_free(l->arena);
    free(l);
    return kept;
}
