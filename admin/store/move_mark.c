/*
 * move_mark.c - the mark as a row.
 *
 *   OFFSET  SIZE  MEANING
 *   0       1     version: 1
 *   1       1     state (enum move_state)
 *   2       16    id of the move
 *   18      16    id of the store
 *   34            text, to the end
 */
#include "admin/store/move_mark.h"

#include <string.h>

#include "storage/base/thread.h"

#define VERSION 1
#define FIXED_BYTES 34

static struct err decode(struct str row, struct move_mark *ret)
{
    const uint8_t *in = (const uint8_t *)row.data;

    if (row.len < FIXED_BYTES || row.len > FIXED_BYTES + MOVE_TEXT_MAX || in[0] != VERSION
        || in[1] < MOVE_COPYING || in[1] > MOVE_MOVED)
        return FAIL(ERR_CORRUPT, "the row of a move of this store is of an unknown form");
    ret->state = (enum move_state)in[1];
    memcpy(ret->move.bytes, in + 2, 16);
    memcpy(ret->store.bytes, in + 18, 16);
    memcpy(ret->text, in + FIXED_BYTES, row.len - FIXED_BYTES);
    ret->text[row.len - FIXED_BYTES] = 0;
    return OK;
}

struct err move_mark_read(struct meta *m, struct move_mark *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str row;

    TRY(view_open(m, &view));
    ret->state = MOVE_NONE;
    const struct err e = rows_get(view, SPACE_SYSTEM, MOVE_MARK_KEY, &row);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    return decode(row, ret);
}

static struct err put_fn(struct txn *txn, void *arg)
{
    const struct move_mark *mark = arg;
    uint8_t row[FIXED_BYTES + MOVE_TEXT_MAX];
    const size_t len = strlen(mark->text);

    row[0] = VERSION;
    row[1] = (uint8_t)mark->state;
    memcpy(row + 2, mark->move.bytes, 16);
    memcpy(row + 18, mark->store.bytes, 16);
    memcpy(row + FIXED_BYTES, mark->text, len);
    return txn_put(txn, SPACE_SYSTEM, MOVE_MARK_KEY, str_of(row, FIXED_BYTES + len));
}

struct err move_mark_put(struct meta *m, const struct move_mark *mark)
{
    struct move_mark copy = *mark;

    return meta_run_freeing(m, put_fn, &copy);
}

static struct err del_fn(struct txn *txn, void *arg)
{
    (void)arg;
    return txn_del(txn, SPACE_SYSTEM, MOVE_MARK_KEY);
}

struct err move_mark_del(struct meta *m)
{
    return meta_run_freeing(m, del_fn, NULL);
}

struct err move_mark_refuse(struct meta *m)
{
    struct move_mark mark;

    TRY(move_mark_read(m, &mark));
    switch (mark.state) {
    case MOVE_NONE: return OK;
    case MOVE_COPYING:
    case MOVE_WHOLE:
        return FAIL(
            ERR_INVALID,
            "the rows here are those of a firn store move that was cut off: run the same command again, or start the server on the rows that were to be moved");
    case MOVE_MOVED:
        return err_fail(
            ERR_INVALID,
            "the rows of this store were moved from here to the data directory %s: take setting 'store' out",
            mark.text);
    }
    return FAIL(ERR_CORRUPT, "the row of a move of this store is of an unknown form");
}
