/*
 * rows_copy_test.c - a copy is whole or not there; LMDB's file is taken apart without believing it: whatever bit of it is turned, it is found out, or it did not matter.
 */
#include "storage/meta/rows_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/lmdb_pages.h"
#include "storage/meta/lmdb_rows.h"
#include "tests/unit/test.h"

#define ROWS 400

static const char *path_in(const char *dir, const char *name, char out[600])
{
    (void)snprintf(out, 600, "%s/%s", dir, name);
    return out;
}

/* Rows of all kinds: large values, keys that go on in a child, and pages that became free. */
static struct lmdb_store *filled_with(const char *dir, unsigned long_every)
{
    static char value[20000];
    struct lmdb_store *l;
    char path[600], key[2000];

    CHECK_OK(lmdb_open(path_in(dir, "rows", path), 64 * MIB, &l));
    for (unsigned round = 0; round < 3; round++) {
        struct lmdb_txn *w;
        CHECK_OK(lmdb_write_begin(l, &w));
        for (unsigned i = 0; i < ROWS; i++) {
            const size_t len = i % 50 == 7 ? sizeof(value) : 40 + i % 60,
                         key_len = long_every && i % long_every == 3 ? 1500 : 8 + i % 20;
            memset(value, (int)(i + round), len);
            memset(key, 'k', key_len);
            put_be32(key, i);
            if (round == 1 && i % 3 == 0) CHECK_OK(lmdb_del(w, 3, str_of(key, key_len)));
            else CHECK_OK(lmdb_put(w, 3, str_of(key, key_len), str_of(value, len)));
        }
        CHECK_OK(lmdb_put_position(w, STR("journal"), STR("somewhere")));
        CHECK_OK(lmdb_commit(w));
    }
    return l;
}

static struct lmdb_store *filled(const char *dir)
{
    return filled_with(dir, 40);
}

static struct err no_pace(void *arg, uint64_t bytes)
{
    uint64_t *sum = arg;
    *sum += bytes;
    return OK;
}

static struct err write_copy(struct lmdb_store *l, const char *path)
{
    const struct rows_copy about = { .made_ms = 12345, .segment_from = 7, .journal_id = { 1, 2, 3 } };
    uint64_t paced = 0;
    return rows_copy_write(l, path, &about, no_pace, &paced);
}

static void check_same(struct lmdb_store *a, struct lmdb_store *b)
{
    struct lmdb_txn *ta, *tb;
    struct lmdb_cursor *ca, *cb;
    struct str ka, kb, va, vb;
    unsigned rows = 0;

    CHECK_OK(lmdb_read_begin(a, &ta));
    CHECK_OK(lmdb_read_begin(b, &tb));
    CHECK_OK(lmdb_cursor_open(ta, &ca));
    CHECK_OK(lmdb_cursor_open(tb, &cb));
    CHECK_OK(lmdb_seek(ca, 3, STR_NONE, false));
    CHECK_OK(lmdb_seek(cb, 3, STR_NONE, false));
    for (;; rows++) {
        const struct err ea = lmdb_next(ca, &ka, &va), eb = lmdb_next(cb, &kb, &vb);
        CHECK(ea.code == eb.code);
        if (ea.code) break;
        CHECK_STR(ka, kb);
        CHECK_STR(va, vb);
    }
    CHECK(rows == ROWS);
    lmdb_cursor_close(ca);
    lmdb_cursor_close(cb);
    lmdb_end(ta);
    lmdb_end(tb);
}

TEST(a_copy_gives_the_rows_it_was_made_of)
{
    const char *dir = test_dir();
    char copy[600], out[600], rows[600];
    struct lmdb_store *l = filled(dir), *again;
    struct rows_copy c;

    CHECK_OK(write_copy(l, path_in(dir, "copy", copy)));
    CHECK_OK(rows_copy_look(copy, &c));
    CHECK(c.made_ms == 12345 && c.segment_from == 7 && c.journal_id[2] == 3);
    CHECK_OK(sys_mkdir(path_in(dir, "again", out), 0700));
    CHECK_OK(rows_copy_unpack(copy, path_in(dir, "again/data.mdb", out), &c));
    CHECK_OK(lmdb_rows_check(out));
    CHECK_OK(lmdb_rows_check(path_in(dir, "rows/data.mdb", rows)));
    CHECK_OK(lmdb_open(path_in(dir, "again", out), 64 * MIB, &again));
    check_same(l, again);
    lmdb_close(again);
    lmdb_close(l);
}

TEST(a_copy_of_a_new_store_is_one)
{
    const char *dir = test_dir();
    char path[600];
    struct lmdb_store *l;

    CHECK_OK(lmdb_open(path_in(dir, "rows", path), 64 * MIB, &l));
    CHECK_OK(write_copy(l, path_in(dir, "copy", path)));
    lmdb_close(l);
}

/* ---- damage ---- */

static void turn_bit(const char *path, uint64_t bit)
{
    uint8_t byte;
    int fd;

    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_pread_all(fd, &byte, 1, bit / 8));
    byte ^= (uint8_t)(1u << bit % 8);
    CHECK_OK(sys_pwrite_all(fd, &byte, 1, bit / 8));
    sys_close(fd);
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    CHECK_OK(sys_stat(path, &st));
    return (uint64_t)st.st_size;
}

TEST(a_damaged_copy_is_refused_wherever_the_damage_is)
{
    const char *dir = test_dir();
    char copy[600], out[600];
    struct lmdb_store *l = filled(dir);
    struct rows_copy c;

    CHECK_OK(write_copy(l, path_in(dir, "copy", copy)));
    const uint64_t bits = 8 * file_bytes(copy);
    path_in(dir, "out", out);
    for (uint64_t i = 0; i < 300; i++) {
        const uint64_t bit = i < 100 ? bits - 1 - i * 5 : i * 7919 * 104729 % bits;
        turn_bit(copy, bit);
        CHECK_ERR(rows_copy_unpack(copy, out, &c), ERR_CORRUPT);
        turn_bit(copy, bit);
    }
    CHECK_OK(rows_copy_unpack(copy, out, &c));
    CHECK(truncate(copy, 100) == 0);
    CHECK_ERR(rows_copy_look(copy, &c), ERR_CORRUPT);
    lmdb_close(l);
}

struct digest_of {
    uint64_t sum, entries;
};

static struct err add_entry(void *arg, struct str key, struct str value)
{
    struct digest_of *d = arg;
    uint64_t h = 1469598103934665603ull;
    for (size_t i = 0; i < key.len; i++) h = (h ^ (uint8_t)key.data[i]) * 1099511628211ull;
    for (size_t i = 0; i < value.len; i++) h = (h ^ (uint8_t)value.data[i]) * 1099511628211ull;
    d->sum += h;
    d->entries++;
    return OK;
}

/* The whole search is `FIRN_FLIPS=10000`. A turned bit that is not found out is one in free pages, in padding, or in a head that is not the newest: the entries are the same then. */
TEST(a_turned_bit_of_lmdb_is_found_out_or_does_not_matter)
{
    const char *dir = test_dir(), *wanted = getenv("FIRN_FLIPS");
    struct digest_of whole = { 0 }, found;
    uint64_t flips = 600, refused = 0;
    char path[600];

    if (wanted) CHECK(str_to_u64(str_from_z(wanted), &flips));
    lmdb_close(filled_with(dir, 0)); /* what lies behind long keys is checked when it is read */
    path_in(dir, "rows/data.mdb", path);
    CHECK_OK(lmdb_pages_check(path, add_entry, &whole));
    CHECK(whole.entries > ROWS);
    const uint64_t bits = 8 * file_bytes(path);
    for (uint64_t i = 0; i < flips; i++) {
        const uint64_t bit = i % 2 ? (i * 2654435761u) % bits
                                   : (i / 2 * 37) % (2 * 8 * 4096); /* heads more than their share */
        turn_bit(path, bit);
        found = (struct digest_of){ 0 };
        struct err e = lmdb_rows_check(path);
        if (!e.code) e = lmdb_pages_check(path, add_entry, &found);
        if (e.code) CHECK_ERR(e, ERR_CORRUPT);
        refused += e.code != 0;
        if (!e.code) CHECK(found.sum == whole.sum || bit < 2 * 8 * 4096);
        turn_bit(path, bit);
    }
    CHECK(refused > flips / 20);
    CHECK_OK(lmdb_rows_check(path));
}

TEST(a_file_that_is_cut_short_is_found_out_by_a_look)
{
    const char *dir = test_dir();
    char path[600];

    lmdb_close(filled(dir));
    path_in(dir, "rows/data.mdb", path);
    CHECK_OK(lmdb_pages_look(path));
    const uint64_t bytes = file_bytes(path);
    for (uint64_t cut = 4096; cut <= bytes; cut += bytes / 7) {
        CHECK(truncate(path, (off_t)(bytes - cut)) == 0);
        CHECK_ERR(lmdb_pages_look(path), ERR_CORRUPT);
    }
}

/* ---- failures ---- */

/* Whichever call fails, there is no file of that name, or one that is refused, or a whole one. */
TEST(a_copy_that_fails_leaves_nothing_that_looks_like_one)
{
    const unsigned kinds[] = { FAULT_OPEN, FAULT_WRITE, FAULT_WRITE | FAULT_SHORT,
                               FAULT_SYNC, FAULT_READ,  FAULT_NAME };
    const char *dir = test_dir();
    char copy[600];
    struct lmdb_store *l = filled(dir);
    struct rows_copy c;

    path_in(dir, "copy", copy);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        bool struck = true;
        for (uint64_t n = 0; struck; n++) {
            fault_arm(kinds[k], n, k % 2 ? ENOSPC : EIO);
            const struct err e = write_copy(l, copy);
            struck = fault_disarm();
            if (!struck) CHECK_OK(e);
            else if (e.code) CHECK(rows_copy_look(copy, &c).code != 0);
            if (kinds[k] == FAULT_READ && n > 40) break; /* reading it again is many */
        }
        err_ignore(sys_unlink(copy));
    }
    lmdb_close(l);
}
