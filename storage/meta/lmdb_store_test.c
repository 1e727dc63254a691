/*
 * lmdb_store_test.c - transactions and what may go wrong with them: every call of LMDB is made to fail once.
 */
#include "storage/meta/lmdb_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/lmdb_rows.h"
#include "tests/unit/test.h"

enum { MAP_FULL = -30792, CORRUPTED = -30796 }; /* LMDB's own codes */

/* A name in this test's directory; valid until the second call after it. */
static const char *dir_of(const char *name)
{
    static const char *dir;
    static char path[2][4096];
    static int turn;
    if (!dir) dir = test_dir();
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

static struct lmdb_store *store_open(const char *name)
{
    struct lmdb_store *s;
    CHECK_OK(lmdb_open(dir_of(name), 64 * MIB, &s));
    return s;
}

enum { KEYS = 20 };

static struct str key_of(int n, char out[1200])
{
    const size_t len = n % 2 ? 8 : 1200; /* every second one is two children deep */
    memset(out, 'k', len);
    put_be32(out + len - 4, (uint32_t)n);
    return str_of(out, len);
}

/* Set all keys to `number`. */
static struct err write_all(struct lmdb_store *s, uint64_t number)
{
    struct lmdb_txn *t;
    char key[1200], value[8];

    TRY(lmdb_write_begin(s, &t));
    struct err e = OK;
    put_le64(value, number);
    for (int n = 0; n < KEYS && !e.code; n++) e = lmdb_put(t, 1, key_of(n, key), str_of(value, 8));
    if (!e.code) e = lmdb_del(t, 1, key_of(KEYS, key));
    if (!e.code) e = lmdb_put(t, 1, key_of(KEYS, key), STR("x"));
    if (!e.code) e = lmdb_del(t, 1, key_of(KEYS, key));
    if (!e.code) e = lmdb_put_position(t, STR("number"), str_of(value, 8));
    const struct err committed = lmdb_commit(t); /* what failed before is refused */
    CHECK(!e.code || committed.code == e.code);
    return committed;
}

/* Read all in both directions: each has the same number. */
static struct err read_rows(struct lmdb_txn *t, uint64_t *ret_number)
{
    struct lmdb_cursor *c;
    struct str key, value;
    struct err e;
    uint64_t number = 0;
    int count = 0;

    TRY(lmdb_cursor_open(t, &c));
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        e = lmdb_seek(c, 1, STR_NONE, is_backward);
        while (!e.code) {
            e = lmdb_next(c, &key, &value);
            if (e.code) break;
            if (!count++) number = get_le64(value.data);
            CHECK_U64(get_le64(value.data), number);
        }
        if (e.code != ERR_NOT_FOUND) break;
    }
    lmdb_cursor_close(c);
    if (e.code != ERR_NOT_FOUND) return e;
    CHECK(count == 0 || count == 2 * KEYS);
    *ret_number = number;
    return OK;
}

static struct err read_all(struct lmdb_store *s, uint64_t *ret_number)
{
    struct lmdb_txn *t;
    struct str value;
    char key[1200];

    TRY(lmdb_read_begin(s, &t));
    struct err e = read_rows(t, ret_number);
    for (int n = 0; n < KEYS && !e.code; n++) e = lmdb_get(t, 1, key_of(n, key), &value);
    if (!e.code) e = lmdb_get_position(t, STR("number"), &value);
    if (!e.code) CHECK_U64(get_le64(value.data), *ret_number);
    lmdb_end(t);
    return e;
}

static struct err all_steps(uint64_t before, uint64_t *ret_written)
{
    struct lmdb_store *s;
    struct lmdb_usage usage;
    uint64_t number;

    TRY(lmdb_open(dir_of("store"), 64 * MIB, &s));
    struct err e = read_all(s, &number);
    if (!e.code) CHECK_U64(number, before);
    if (!e.code) e = write_all(s, before + 1);
    if (!e.code) *ret_written = before + 1;
    if (!e.code) e = read_all(s, &number);
    if (!e.code) CHECK_U64(number, before + 1);
    if (!e.code) e = lmdb_usage(s, &usage);
    if (!e.code) e = lmdb_copy(s, dir_of("copy"));
    lmdb_close(s);
    return e;
}

static void sweep(int code, enum err_code want)
{
    uint64_t number = 1, seen;
    bool struck = true;

    struct lmdb_store *s = store_open("store");
    CHECK_OK(write_all(s, number));
    lmdb_close(s);
    for (uint64_t n = 0; struck; n++) {
        lmdb_fault_arm(n, code);
        const struct err e = all_steps(number, &number);
        struck = lmdb_fault_disarm();
        CHECK(struck == (e.code != ERR_OK));
        if (struck) CHECK_ERR(e, want);
        err_ignore(sys_unlink(dir_of("copy/data.mdb")));

        s = store_open("store"); /* all of the transaction, or nothing */
        CHECK_OK(read_all(s, &seen));
        CHECK_U64(seen, number);
        lmdb_close(s);
        CHECK(n < 2000);
    }
}

TEST(a_call_of_lmdb_that_fails_is_an_error_and_leaves_the_rows_whole)
{
    sweep(EIO, ERR_IO);
}

TEST(a_full_map_is_want_of_space_wherever_it_shows)
{
    sweep(MAP_FULL, ERR_NO_SPACE);
}

TEST(damage_that_lmdb_finds_is_said)
{
    sweep(CORRUPTED, ERR_CORRUPT);
}

TEST(a_system_call_that_fails_at_open_or_copy_is_an_error)
{
    uint64_t number = 1;
    bool struck = true;

    struct lmdb_store *s = store_open("store");
    CHECK_OK(write_all(s, number));
    lmdb_close(s);
    for (uint64_t n = 0; struck; n++) {
        fault_arm(FAULT_ALL, n, EIO);
        const struct err e = all_steps(number, &number);
        struck = fault_disarm();
        CHECK(struck == (e.code != ERR_OK));
        err_ignore(sys_unlink(dir_of("copy/data.mdb")));
    }
}

/* L2 */
TEST(after_a_failed_commit_nothing_is_written_until_a_restart)
{
    const struct {
        int code;
        enum err_code want, then;
    } cases[] = { { EIO, ERR_IO, ERR_UNAVAILABLE },
                  { ENOSPC, ERR_NO_SPACE, ERR_OK },
                  { ENOMEM, ERR_NO_MEMORY, ERR_OK } };
    uint64_t number;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lmdb_store *s = store_open("store");
        struct lmdb_txn *t;
        CHECK_OK(write_all(s, 10 + i));
        CHECK_OK(lmdb_write_begin(s, &t));
        CHECK_OK(lmdb_put(t, 1, STR("more"), STR("12345678")));
        lmdb_fault_arm(0, cases[i].code);
        CHECK_ERR(lmdb_commit(t), cases[i].want);
        CHECK(lmdb_fault_disarm());
        CHECK_OK(read_all(s, &number));
        CHECK_U64(number, 10 + i);
        CHECK_ERR(write_all(s, 10 + i), cases[i].then);
        lmdb_close(s);
    }
}

TEST(a_store_without_room_says_so_and_can_be_read)
{
    struct lmdb_store *s;
    struct lmdb_txn *t;
    static char value[100 * KIB];
    struct err e = OK;
    uint64_t number;

    CHECK_OK(lmdb_open(dir_of("store"), 1 * MIB, &s));
    CHECK_OK(write_all(s, 1));
    CHECK_OK(lmdb_write_begin(s, &t));
    for (char n = 0; n < 20 && !e.code; n++) e = lmdb_put(t, 2, str_of(&n, 1), str_of(value, sizeof(value)));
    CHECK_ERR(e, ERR_NO_SPACE);
    CHECK_ERR(lmdb_commit(t), ERR_NO_SPACE); /* L1 */
    CHECK_OK(read_all(s, &number));
    CHECK_OK(write_all(s, 2));
    lmdb_close(s);
}

TEST(a_copy_has_all_rows_and_is_compact)
{
    struct lmdb_store *s = store_open("store");
    struct lmdb_usage usage, of_copy;
    uint64_t number;

    for (uint64_t n = 1; n <= 10; n++) CHECK_OK(write_all(s, n));
    CHECK_OK(lmdb_copy(s, dir_of("copy")));
    CHECK_OK(lmdb_usage(s, &usage));
    lmdb_close(s);
    s = store_open("copy");
    CHECK_OK(read_all(s, &number));
    CHECK_U64(number, 10);
    CHECK_OK(lmdb_usage(s, &of_copy));
    CHECK(of_copy.bytes_file < usage.bytes_file);
    CHECK_U64(of_copy.entries, usage.entries);
    lmdb_close(s);
}

TEST(too_many_readers_are_refused_and_ended_ones_used_again)
{
    struct lmdb_store *s = store_open("store");
    static struct lmdb_txn *readers[LMDB_READERS];
    struct lmdb_txn *more;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LMDB_READERS; i++) CHECK_OK(lmdb_read_begin(s, &readers[i]));
        CHECK_ERR(lmdb_read_begin(s, &more), ERR_BUSY);
        for (int i = 0; i < LMDB_READERS; i++) readers[i] = lmdb_end(readers[i]);
    }
    lmdb_close(s);
}

#if !defined(__SANITIZE_THREAD__) /* it shadows the whole map */
TEST(the_default_map_opens_and_is_larger_than_any_disk)
{
    struct lmdb_store *s;
    struct lmdb_usage usage;

    CHECK_OK(lmdb_open(dir_of("store"), 0, &s));
    CHECK_OK(lmdb_usage(s, &usage));
    CHECK(usage.bytes_map >= 1 * GIB && usage.bytes_map <= LMDB_MAP_BYTES);
    CHECK(usage.bytes_file < 1 * MIB);
    lmdb_close(s);
}
#endif

TEST(a_map_that_the_system_refuses_is_halved)
{
    struct lmdb_store *s;
    struct lmdb_usage usage;

    CHECK_OK(lmdb_open(dir_of("store"), 1ull << 50, &s)); /* more than 47 bits of address space */
    CHECK_OK(lmdb_usage(s, &usage));
    CHECK(usage.bytes_map < 1ull << 50);
    lmdb_close(s);
}

enum { BATCHES = 300, READERS = 3 };
static _Atomic bool is_over;
static _Atomic int started;
static _Atomic uint64_t returned; /* the last commit that has */

/* All of one commit, and not an older one than had returned when the read began. A commit that has not returned may be seen by one read and not by the
 * next: LMDB writes the page of commit n + 2 where a reader that is slow may still be looking for commit n. */
static void read_on(void *arg)
{
    uint64_t number;

    started++;
    while (!is_over) {
        const uint64_t before = returned;
        CHECK_OK(read_all(arg, &number));
        CHECK(number >= before);
    }
}

TEST(readers_on_other_threads_see_whole_commits)
{
    struct lmdb_store *s = store_open("store");
    pthread_t readers[READERS];

    CHECK_OK(write_all(s, 1));
    for (int i = 0; i < READERS; i++) CHECK_OK(thread_start("reader", read_on, s, &readers[i]));
    while (started < READERS) sched_yield();
    for (uint64_t n = 2; n < BATCHES; n++) {
        CHECK_OK(write_all(s, n));
        returned = n;
    }
    is_over = true;
    for (int i = 0; i < READERS; i++) thread_join(readers[i]);
    lmdb_close(s);
}
