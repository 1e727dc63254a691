/*
 * lmdb_rows_test.c - rows in LMDB against a sorted array: keys of all lengths, both directions, and damage.
 */
#include "storage/meta/lmdb_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/rows_model.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

enum { SPACES = 3 };

/* This test's one directory. */
static const char *dir(void)
{
    static const char *path;
    if (!path) path = test_dir();
    return path;
}

static struct lmdb_store *store_open(void)
{
    struct lmdb_store *s;
    CHECK_OK(lmdb_open(dir(), 256 * MIB, &s));
    return s;
}

static struct lmdb_txn *read_of(struct lmdb_store *s)
{
    struct lmdb_txn *t;
    CHECK_OK(lmdb_read_begin(s, &t));
    return t;
}

static struct lmdb_txn *write_of(struct lmdb_store *s)
{
    struct lmdb_txn *t;
    CHECK_OK(lmdb_write_begin(s, &t));
    return t;
}

/* `steps` rows from `from` on are those of the model. */
static void check_walk(struct lmdb_cursor *c, const struct model *m, uint8_t space, struct str from,
                       bool is_backward, size_t steps)
{
    const bool is_whole = is_backward && !from.len;
    size_t at = model_lower(m, is_whole ? (uint8_t)(space + 1) : space, from);
    struct str key, value;

    CHECK_OK(lmdb_seek(c, space, from, is_backward));
    for (; steps; steps--) {
        const struct model_row *want = NULL;
        if (is_backward && at > 0) want = &m->rows[--at];
        if (!is_backward && at < m->count) want = &m->rows[at++];
        if (!want || want->space != space) break;
        CHECK_OK(lmdb_next(c, &key, &value));
        CHECK_STR(key, want->key);
        CHECK_STR(value, want->value);
    }
    if (!steps) return;
    CHECK_ERR(lmdb_next(c, &key, &value), ERR_NOT_FOUND);
    CHECK_ERR(lmdb_next(c, &key, &value), ERR_NOT_FOUND);
}

static void check_rows(struct lmdb_txn *t, const struct model *m, uint64_t *seed)
{
    struct lmdb_cursor *c;
    struct str value;
    char bytes[LIMIT_ROW_KEY + 1000];

    for (size_t i = 0; i < m->count; i++) {
        CHECK_OK(lmdb_get(t, m->rows[i].space, m->rows[i].key, &value));
        CHECK_STR(value, m->rows[i].value);
    }
    CHECK_OK(lmdb_cursor_open(t, &c));
    for (int n = 0; n < SPACES; n++) {
        const uint8_t space = (uint8_t)(1 + n);
        check_walk(c, m, space, STR_NONE, false, SIZE_MAX);
        check_walk(c, m, space, STR_NONE, true, SIZE_MAX);
        for (int i = 0; i < 30; i++) {
            const struct str key = random_key(seed, random_below(seed, 8) ? LIMIT_ROW_KEY : sizeof(bytes),
                                              bytes);
            if (!model_find(m, space, key)) CHECK_ERR(lmdb_get(t, space, key, &value), ERR_NOT_FOUND);
            check_walk(c, m, space, key, random_below(seed, 2), random_below(seed, 6));
        }
    }
    lmdb_cursor_close(c);
}

static void change(struct lmdb_txn *t, struct model *m, uint64_t *seed)
{
    char key_bytes[LIMIT_ROW_KEY], value_bytes[RANDOM_VALUE_MAX];
    struct str key = random_key(seed, LIMIT_ROW_KEY, key_bytes);
    uint8_t space = (uint8_t)(1 + random_below(seed, SPACES));

    if (random_below(seed, 3)) {
        const struct str value = random_value(seed, value_bytes);
        CHECK_OK(lmdb_put(t, space, key, value));
        model_put(m, space, key, value);
        return;
    }
    if (m->count && random_below(seed, 4)) { /* one that is there */
        const struct model_row *r = &m->rows[random_below(seed, m->count)];
        memcpy(key_bytes, r->key.data, r->key.len);
        key = str_of(key_bytes, r->key.len);
        space = r->space;
    }
    CHECK_OK(lmdb_del(t, space, key));
    model_del(m, space, key);
}

/* R1 */
TEST(rows_of_any_length_are_those_of_a_sorted_array)
{
    CLEANUP(lmdb_closep) struct lmdb_store *s = store_open();
    CLEANUP(model_freep) struct model *m = model_new();
    struct lmdb_usage usage;
    uint64_t seed = 11;

    for (int round = 0; round < 30; round++) {
        struct lmdb_txn *t = write_of(s);
        for (int n = 0; n < 60; n++) change(t, m, &seed);
        if (random_below(&seed, 4) == 0) check_rows(t, m, &seed); /* a transaction sees itself */
        CHECK_OK(lmdb_commit(t));
        t = read_of(s);
        check_rows(t, m, &seed);
        lmdb_end(t);
    }
    CHECK(m->count > 300);

    struct lmdb_txn *t = write_of(s);
    while (m->count) {
        const struct model_row *r = &m->rows[random_below(&seed, m->count)];
        CHECK_OK(lmdb_del(t, r->space, r->key));
        model_del(m, r->space, r->key);
        if (m->count == 50) check_rows(t, m, &seed);
    }
    CHECK_OK(lmdb_commit(t));
    CHECK_OK(lmdb_usage(s, &usage));
    CHECK_U64(usage.entries, 1); /* the counter of children: no child and no link is left */
}

TEST(an_aborted_transaction_leaves_nothing)
{
    CLEANUP(lmdb_closep) struct lmdb_store *s = store_open();
    struct str value;

    struct lmdb_txn *t = write_of(s);
    CHECK_OK(lmdb_put(t, 1, STR("kept"), STR("1")));
    CHECK_OK(lmdb_commit(t));
    t = write_of(s);
    CHECK_OK(lmdb_put(t, 1, STR("lost"), STR("2")));
    CHECK_OK(lmdb_del(t, 1, STR("kept")));
    lmdb_end(t);
    t = read_of(s);
    CHECK_OK(lmdb_get(t, 1, STR("kept"), &value));
    CHECK_ERR(lmdb_get(t, 1, STR("lost"), &value), ERR_NOT_FOUND);
    lmdb_end(t);
}

TEST(impossible_rows_are_refused_and_end_the_transaction)
{
    CLEANUP(lmdb_closep) struct lmdb_store *s = store_open();
    static char bytes[LIMIT_ROW_VALUE + 1];
    struct str value;
    const struct {
        uint8_t space;
        size_t key_len, value_len;
    } rows[] = {
        { 0, 1, 1 }, { 255, 1, 1 }, { 1, 0, 1 }, { 1, LIMIT_ROW_KEY + 1, 1 }, { 1, 1, LIMIT_ROW_VALUE + 1 }
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lmdb_txn *t = write_of(s);
        const struct str key = str_of(bytes, rows[i].key_len);
        CHECK_ERR(lmdb_put(t, rows[i].space, key, str_of(bytes, rows[i].value_len)), ERR_INVALID);
        if (rows[i].value_len == 1) CHECK_ERR(lmdb_get(t, rows[i].space, key, &value), ERR_NOT_FOUND);
        CHECK_ERR(lmdb_commit(t), ERR_INVALID);
    }
    struct lmdb_txn *t = write_of(s);
    CHECK_OK(lmdb_put(t, LMDB_SPACE_MAX, str_of(bytes, LIMIT_ROW_KEY), str_of(bytes, LIMIT_ROW_VALUE)));
    CHECK_OK(lmdb_commit(t));
    t = read_of(s);
    CHECK_OK(lmdb_get(t, LMDB_SPACE_MAX, str_of(bytes, LIMIT_ROW_KEY), &value));
    CHECK_U64(value.len, LIMIT_ROW_VALUE);
    lmdb_end(t);
}

TEST(positions_are_kept_beside_the_rows)
{
    CLEANUP(lmdb_closep) struct lmdb_store *s = store_open();
    struct lmdb_cursor *c;
    struct str key, value;

    struct lmdb_txn *t = write_of(s);
    CHECK_ERR(lmdb_get_position(t, STR("journal"), &value), ERR_NOT_FOUND);
    CHECK_OK(lmdb_put_position(t, STR("journal"), STR("12")));
    CHECK_OK(lmdb_put_position(t, STR("journal"), STR("13")));
    CHECK_OK(lmdb_put_position(t, STR("gone"), STR("1")));
    CHECK_OK(lmdb_del_position(t, STR("gone")));
    CHECK_OK(lmdb_del_position(t, STR("gone")));
    CHECK_OK(lmdb_put(t, 1, STR("a"), STR("row")));
    CHECK_OK(lmdb_commit(t));

    s = lmdb_close(s);
    s = store_open();
    t = read_of(s);
    CHECK_OK(lmdb_get_position(t, STR("journal"), &value));
    CHECK_STR(value, STR("13"));
    CHECK_ERR(lmdb_get_position(t, STR("gone"), &value), ERR_NOT_FOUND);
    CHECK_OK(lmdb_cursor_open(t, &c));
    CHECK_OK(lmdb_seek(c, 1, STR_NONE, true));
    CHECK_OK(lmdb_next(c, &key, &value));
    CHECK_STR(key, STR("a"));
    CHECK_ERR(lmdb_next(c, &key, &value), ERR_NOT_FOUND);
    lmdb_cursor_close(c);
    lmdb_end(t);
}

/* Replace every occurrence of `from` in the data file. */
static int file_replace(const char *path, struct str from, struct str to)
{
    char *data;
    size_t len;
    int count = 0, fd;

    CHECK_OK(sys_read_file(path, 64 * MIB, &data, &len));
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    for (size_t i = 0; i + from.len <= len; i++) {
        if (memcmp(data + i, from.data, from.len) != 0) continue;
        CHECK_OK(sys_pwrite_all(fd, to.data, to.len, i));
        count++;
    }
    sys_close(fd);
    free(data);
    return count;
}

/* R2 */
TEST(a_changed_value_or_key_is_damage_and_named)
{
    char path[4096], long_key[600];
    struct str key, value;

    memset(long_key, 'L', sizeof(long_key));
    snprintf(path, sizeof(path), "%s/data.mdb", dir());
    struct lmdb_store *s = store_open();
    struct lmdb_txn *t = write_of(s);
    CHECK_OK(lmdb_put(t, 7, STR("key-one"), STR("value-one")));
    CHECK_OK(lmdb_put(t, 7, STR("key-two"), STR("value-two")));
    CHECK_OK(lmdb_put(t, 8, str_of(long_key, sizeof(long_key)), STR("value-three")));
    CHECK_OK(lmdb_commit(t));
    lmdb_close(s);
    CHECK(file_replace(path, STR("value-one"), STR("value-0ne")));
    CHECK(file_replace(path, STR("key-two"), STR("key-tw0")));
    CHECK(file_replace(path, STR("value-three"), STR("value-thr3e")));

    s = store_open();
    t = read_of(s);
    struct err e = lmdb_get(t, 7, STR("key-one"), &value);
    CHECK_ERR(e, ERR_CORRUPT);
    CHECK(strstr(e.why, "space 7") && strstr(e.why, "0x6b65792d6f6e65"));
    CHECK_ERR(lmdb_get(t, 7, STR("key-tw0"), &value), ERR_CORRUPT);
    CHECK_ERR(lmdb_get(t, 8, str_of(long_key, sizeof(long_key)), &value), ERR_CORRUPT);

    struct lmdb_cursor *c;
    CHECK_OK(lmdb_cursor_open(t, &c));
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        CHECK_OK(lmdb_seek(c, 7, STR_NONE, is_backward));
        CHECK_ERR(lmdb_next(c, &key, &value), ERR_CORRUPT);
        CHECK_ERR(lmdb_next(c, &key, &value), ERR_NOT_FOUND); /* it has ended */
    }
    lmdb_cursor_close(c);
    lmdb_end(t);
    lmdb_close(s);
}
