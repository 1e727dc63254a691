/*
 * lmdb_store.c - the only file that knows LMDB.
 *
 * Every call of LMDB that can fail is made through CALL, the seam for faults (as sysio.h is for system
 * calls), and its answer goes through fail(), the one table from LMDB's codes to ours.
 *
 * Read transactions: LMDB takes a mutex and searches its table of readers to begin one. A reset one keeps its
 * slot, and renewing it is a few stores. So ended ones are kept, and MDB_NOTLS unties them from threads.
 *
 * MDB_NORDAHEAD, measured with a cold cache on a file of 853 MB (1,000,000 rows): a random get reads 6 KiB in
 * 133 us, with read-ahead 405 KiB in 250 us; a scan takes 8 us a row, with read-ahead 3. Gets are what there
 * is most of, and what read-ahead brings in pushes out other files' pages.
 */
#include "storage/meta/lmdb_store.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define MAP_BYTES_MIN (1 * MIB) /* below this the system has no address space to speak of */
#define FULL_DISK_BYTES                                                                                      \
    (1 * MIB) /* LMDB calls a short write EIO; with less free than this it was a full disk */
#define ENV_FLAGS (MDB_NOTLS | MDB_NORDAHEAD)

/* Views are opened under LOCK_META_VIEWS and take their roots first. */
enum { LOCK_META_LMDB = LOCK_META_MEMTABLE + 1 };

struct lmdb_store {
    MDB_env *env;
    MDB_dbi dbi;
    _Atomic bool is_failed; /* L2 */
    char *dir;
    struct mutex lock;     /* guards: idle */
    struct lmdb_txn *idle; /* read transactions, reset */
};

struct lmdb_txn {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct lmdb_txn *next; /* in idle */
    enum err_code failed;  /* of the first put or del that failed: L1 */
    bool is_write;
};

struct lmdb_walk {
    MDB_cursor *cursor;
};

/* ---- faults and errors ---- */

static _Atomic bool fault_is_armed;
static _Atomic int64_t fault_left;
static _Atomic int fault_code;
static _Atomic bool fault_struck;

void lmdb_fault_arm(uint64_t nth, int code)
{
    fault_left = (int64_t)nth;
    fault_code = code;
    fault_struck = false;
    fault_is_armed = true;
}

bool lmdb_fault_disarm(void)
{
    fault_is_armed = false;
    return fault_struck;
}

/* What the call that is about to be made answers instead; 0: it is to be made. */
static int fault_now(void)
{
    if (!atomic_load_explicit(&fault_is_armed, memory_order_relaxed)) return 0;
    if (atomic_fetch_sub(&fault_left, 1) != 0) return 0;
    fault_struck = true;
    return fault_code;
}

/* Every call of LMDB that can fail is made through this. */
#define CALL(call_)                                                                                          \
    ({                                                                                                       \
        const int fault_ = fault_now();                                                                      \
        fault_ ? fault_ : (call_);                                                                           \
    })

static struct err fail(int code, const char *what)
{
    static const struct {
        int code;
        enum err_code err;
    } codes[] = {
        { MDB_NOTFOUND, ERR_NOT_FOUND },    { MDB_MAP_FULL, ERR_NO_SPACE },
        { ENOSPC, ERR_NO_SPACE },           { EDQUOT, ERR_NO_SPACE },
        { ENOMEM, ERR_NO_MEMORY },          { MDB_READERS_FULL, ERR_BUSY },
        { MDB_CORRUPTED, ERR_CORRUPT },     { MDB_INVALID, ERR_CORRUPT },
        { MDB_PAGE_NOTFOUND, ERR_CORRUPT }, { MDB_TXN_FULL, ERR_TOO_LARGE },
        { MDB_PANIC, ERR_UNAVAILABLE },     { MDB_VERSION_MISMATCH, ERR_UNSUPPORTED },
    };

    if (code == MDB_SUCCESS) return OK;
    if (code == MDB_NOTFOUND)
        return FAIL(ERR_NOT_FOUND, "there is no such row"); /* often, and not worth a format */
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == code) return err_fail(codes[i].err, "LMDB, %s: %s", what, mdb_strerror(code));
    return err_fail(code < 0 ? ERR_INTERNAL : ERR_IO, "LMDB, %s: %s", what, mdb_strerror(code));
}

/* ---- opening ---- */

/* One attempt with one map size. On failure there is no environment. */
static int env_try(const char *dir, uint64_t map_bytes, MDB_env **ret)
{
    MDB_env *env;
    int code = CALL(mdb_env_create(&env));
    if (code) return code;

    code = CALL(mdb_env_set_mapsize(env, map_bytes));
    if (!code) code = CALL(mdb_env_set_maxreaders(env, LMDB_READERS));
    if (!code) code = CALL(mdb_env_open(env, dir, ENV_FLAGS, 0600));
    if (code) {
        mdb_env_close(env);
        return code;
    }
    *ret = env;
    return MDB_SUCCESS;
}

static struct err env_open(const char *dir, uint64_t map_bytes, MDB_env **ret)
{
    int code;

    do {
        code = env_try(dir, map_bytes, ret);
        map_bytes /= 2;
    } while ((code == ENOMEM || code == EINVAL || code == EFBIG) && map_bytes >= MAP_BYTES_MIN);
    return fail(code, "open");
}

static struct err table_open(struct lmdb_store *s)
{
    MDB_txn *txn = NULL;

    if (mdb_env_get_maxkeysize(s->env) < LMDB_ENTRY_KEY_MAX)
        return FAIL(ERR_UNSUPPORTED, "this liblmdb takes keys of less than 511 bytes");
    TRY(lmdb_reader_check(s));
    TRY(fail(CALL(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn)), "begin"));
    const int code = CALL(mdb_dbi_open(txn, NULL, 0, &s->dbi));
    mdb_txn_abort(txn); /* the unnamed table's handle is the environment's */
    return fail(code, "open the table");
}

struct err lmdb_open(const char *dir, uint64_t map_bytes, struct lmdb_store **ret)
{
    struct lmdb_store *s = calloc(1, sizeof(*s));
    if (s) s->dir = strdup(dir);
    if (!s || !s->dir) {
        free(s);
        return FAIL(ERR_NO_MEMORY, "no memory for a store");
    }
    mutex_init(&s->lock, LOCK_META_LMDB);

    struct err e = sys_mkdir(dir, 0700);
    if (!e.code) e = env_open(dir, map_bytes ? map_bytes : LMDB_MAP_BYTES, &s->env);
    if (!e.code) e = table_open(s);
    if (!e.code) e = sys_sync_dir(dir);
    if (e.code) {
        lmdb_close(s);
        return e;
    }
    *ret = s;
    return OK;
}

struct lmdb_store *lmdb_close(struct lmdb_store *s)
{
    if (!s) return NULL;
    while (s->idle) {
        struct lmdb_txn *t = s->idle;
        s->idle = t->next;
        mdb_txn_abort(t->txn);
        free(t);
    }
    if (s->env) mdb_env_close(s->env);
    mutex_done(&s->lock);
    free(s->dir);
    free(s);
    return NULL;
}

void lmdb_closep(struct lmdb_store **s)
{
    *s = lmdb_close(*s);
}

/* ---- transactions ---- */

static struct err txn_new(struct lmdb_store *s, bool is_write, struct lmdb_txn **ret)
{
    struct lmdb_txn *t = calloc(1, sizeof(*t));
    if (!t) return FAIL(ERR_NO_MEMORY, "no memory for a transaction");
    t->store = s;
    t->is_write = is_write;
    const int code = CALL(mdb_txn_begin(s->env, NULL, is_write ? 0 : MDB_RDONLY, &t->txn));
    if (code) {
        free(t);
        return fail(code, "begin");
    }
    *ret = t;
    return OK;
}

struct err lmdb_read_begin(struct lmdb_store *s, struct lmdb_txn **ret)
{
    mutex_lock(&s->lock);
    struct lmdb_txn *t = s->idle;
    if (t) s->idle = t->next;
    mutex_unlock(&s->lock);
    if (!t) return txn_new(s, false, ret);

    const int code = CALL(mdb_txn_renew(t->txn));
    if (code) {
        mdb_txn_abort(t->txn);
        free(t);
        return fail(code, "renew");
    }
    *ret = t;
    return OK;
}

struct err lmdb_write_begin(struct lmdb_store *s, struct lmdb_txn **ret)
{
    if (s->is_failed) return FAIL(ERR_UNAVAILABLE, "LMDB: a commit has failed; a restart is needed");
    return txn_new(s, true, ret);
}

struct lmdb_txn *lmdb_end(struct lmdb_txn *t)
{
    if (!t) return NULL;
    if (t->is_write) {
        mdb_txn_abort(t->txn);
        free(t);
        return NULL;
    }
    struct lmdb_store *s = t->store;
    mdb_txn_reset(t->txn);
    mutex_lock(&s->lock);
    t->next = s->idle;
    s->idle = t;
    mutex_unlock(&s->lock);
    return NULL;
}

/* A full disk that LMDB took for something else. */
static bool is_disk_full(const struct lmdb_store *s)
{
    uint64_t available, total;
    const struct err e = sys_free_bytes(s->dir, &available, &total);
    return !e.code && available < FULL_DISK_BYTES;
}

struct err lmdb_commit(struct lmdb_txn *t)
{
    struct lmdb_store *s = t->store;

    if (t->failed) {
        const enum err_code failed = t->failed;
        lmdb_end(t);
        return FAIL(failed, "LMDB: a step of the transaction had failed");
    }
    int code = fault_now();
    if (code) mdb_txn_abort(t->txn);
    else code = mdb_txn_commit(t->txn);
    free(t);
    if (code == EIO && is_disk_full(s)) code = ENOSPC;
    const struct err e = fail(code, "commit");
    if (e.code && e.code != ERR_NO_SPACE && e.code != ERR_NO_MEMORY) s->is_failed = true;
    return e;
}

/* ---- entries ---- */

static MDB_val val_of(struct str s)
{
    return (MDB_val){ .mv_size = s.len, .mv_data = (void *)s.data };
}

static struct str str_of_val(MDB_val v)
{
    return str_of(v.mv_data, v.mv_size);
}

struct err lmdb_noted(struct lmdb_txn *t, struct err e)
{
    if (e.code && !t->failed) t->failed = e.code;
    return e;
}

struct err lmdb_entry_get(struct lmdb_txn *t, struct str key, struct str *ret)
{
    MDB_val k = val_of(key), v = { 0 };
    TRY(fail(CALL(mdb_get(t->txn, t->store->dbi, &k, &v)), "get"));
    *ret = str_of_val(v);
    return OK;
}

struct err lmdb_entry_put(struct lmdb_txn *t, struct str key, size_t len, void **ret)
{
    MDB_val k = val_of(key), v = { .mv_size = len };
    TRY(lmdb_noted(t, fail(CALL(mdb_put(t->txn, t->store->dbi, &k, &v, MDB_RESERVE)), "put")));
    *ret = v.mv_data;
    return OK;
}

struct err lmdb_entry_del(struct lmdb_txn *t, struct str key)
{
    MDB_val k = val_of(key);
    const struct err e = fail(CALL(mdb_del(t->txn, t->store->dbi, &k, NULL)), "del");
    return e.code == ERR_NOT_FOUND ? e : lmdb_noted(t, e);
}

struct err lmdb_walk_open(struct lmdb_txn *t, struct lmdb_walk **ret)
{
    struct lmdb_walk *w = malloc(sizeof(*w));
    if (!w) return FAIL(ERR_NO_MEMORY, "no memory for a cursor");
    const int code = CALL(mdb_cursor_open(t->txn, t->store->dbi, &w->cursor));
    if (code) {
        free(w);
        return fail(code, "cursor");
    }
    *ret = w;
    return OK;
}

struct lmdb_walk *lmdb_walk_close(struct lmdb_walk *w)
{
    if (w) mdb_cursor_close(w->cursor);
    free(w);
    return NULL;
}

struct err lmdb_walk_move(struct lmdb_walk *w, enum lmdb_move how, struct str *key, struct str *ret_value)
{
    static const MDB_cursor_op ops[] = {
        [LMDB_TO] = MDB_SET_KEY,   [LMDB_TO_OR_BEHIND] = MDB_SET_RANGE, [LMDB_TO_LAST] = MDB_LAST,
        [LMDB_TO_NEXT] = MDB_NEXT, [LMDB_TO_PREVIOUS] = MDB_PREV,
    };
    MDB_val k = val_of(*key), v = { 0 };
    TRY(fail(CALL(mdb_cursor_get(w->cursor, &k, &v, ops[how])), "cursor"));
    *key = str_of_val(k);
    *ret_value = str_of_val(v);
    return OK;
}

/* ---- state ---- */

struct err lmdb_usage(struct lmdb_store *s, struct lmdb_usage *ret)
{
    MDB_envinfo info = { 0 };
    MDB_stat stat = { 0 };

    TRY(fail(CALL(mdb_env_info(s->env, &info)), "info"));
    TRY(fail(CALL(mdb_env_stat(s->env, &stat)), "stat"));
    *ret = (struct lmdb_usage){
        .bytes_live = stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages),
        .bytes_file = stat.ms_psize * (info.me_last_pgno + 1),
        .bytes_map = info.me_mapsize,
        .entries = stat.ms_entries,
    };
    return OK;
}

struct err lmdb_reader_check(struct lmdb_store *s)
{
    int dead;
    return fail(CALL(mdb_reader_check(s->env, &dead)), "reader check");
}

struct err lmdb_copy(struct lmdb_store *s, const char *dir)
{
    char path[4096];
    int fd;

    if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
        return FAIL(ERR_INVALID, "the path of a copy is too long");
    TRY(sys_mkdir(dir, 0700));
    TRY(fail(CALL(mdb_env_copy2(s->env, dir, MDB_CP_COMPACT)), "copy"));
    TRY(sys_open(path, O_RDWR, 0, &fd)); /* LMDB does not sync it */
    const struct err e = sys_fsync(fd);
    sys_close(fd);
    TRY(e);
    return sys_sync_dir(dir);
}

struct err lmdb_copy_to_fd(struct lmdb_store *s, int fd)
{
    return fail(CALL(mdb_env_copyfd2(s->env, fd, MDB_CP_COMPACT)), "copy");
}
