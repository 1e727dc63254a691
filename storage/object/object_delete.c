/*
 * object_delete.c - deleting one object, or many.
 *
 * A DeleteObjects of 1,000 keys goes in slices of one transaction each, because a transaction has limits and
 * because the committer serves others between them. It promises no more: each key has its own outcome, and a
 * crash between slices leaves the rest undeleted, which the client, not having had an answer, asks for again.
 */
#include "storage/object/object_delete.h"

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/object/bucket.h"
#include "storage/object/garbage.h"

/* A large body of 5 GiB has about 100 rows in volumes, but a common object 1 to 6: this many seldom come near
 * LIMIT_TXN_ROWS, and when they do, the slice is done again one by one. */
#define SLICE_KEYS 100

/* ---- in a transaction ---- */

struct err object_drop_body(struct txn *txn, const struct object_info *old)
{
    struct garbage map;

    switch (old->body.kind) {
    case BODY_NONE_AT_ALL: return OK;
    case BODY_SMALL: return txn_drop_body(txn, old->body.place);
    case BODY_BLOB: return blob_unref(txn, old->body.uid, old->uid);
    case BODY_PARTS:
        map = (struct garbage){ .kind = GARBAGE_PART_MAP, .uid = old->uid, .map = old->body.place };
        return garbage_put(txn, &map);
    }
    return FAIL(ERR_CORRUPT, "an object has a body of no known kind");
}

/* ERR_NO_SUCH_KEY when it is not there. */
static struct err find(struct rows *r, struct str row_key, struct object_info *ret)
{
    struct str row;

    const struct err e = rows_get(r, SPACE_OBJECTS, row_key, &row);
    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NO_SUCH_KEY, err_text(ERR_NO_SUCH_KEY));
    TRY(e);
    return object_decode(row, NULL, ret);
}

static struct err remove_found(struct txn *txn, struct str row_key, const struct object_info *info)
{
    TRY(object_drop_body(txn, info));
    return txn_del(txn, SPACE_OBJECTS, row_key);
}

struct err object_unpublish(struct txn *txn, uint64_t bucket_id, struct str key, struct arena *arena,
                            bool *ret_was_there)
{
    uint8_t key_bytes[OBJECT_ROW_KEY_SIZE];
    struct object_info info;

    (void)arena; /* the row is decoded without its metadata */
    TRY(object_key_check(key));
    const struct str row_key = object_row_key(bucket_id, key, key_bytes);
    const struct err e = find(txn_rows(txn), row_key, &info);
    if (e.code && e.code != ERR_NO_SUCH_KEY) return e;
    if (!e.code) TRY(remove_found(txn, row_key, &info));
    if (ret_was_there) *ret_was_there = !e.code;
    return OK;
}

/* x-amz-if-match-size and x-amz-if-match-last-modified-time. One that cannot be read does not hold: nothing
 * is deleted on a condition that nobody understood. */
static struct err check_size_and_mtime(const struct object_delete *d, const struct object_info *info)
{
    uint64_t size;
    int64_t mtime_ms;

    if (d->if_match_size.data && (!str_to_u64(d->if_match_size, &size) || size != info->size))
        return FAIL(ERR_PRECONDITION, "x-amz-if-match-size: the size is another.");
    if (d->if_match_mtime.data
        && (!clock_parse(d->if_match_mtime, &mtime_ms) || mtime_ms / 1000 != info->mtime_ms / 1000))
        return FAIL(ERR_PRECONDITION, "x-amz-if-match-last-modified-time: the time is another.");
    return OK;
}

struct err object_delete_fn(struct txn *txn, void *arg)
{
    struct object_delete *d = arg;
    uint8_t key_bytes[OBJECT_ROW_KEY_SIZE];
    struct object_info info;
    uint64_t bucket_id;

    TRY(object_key_check(d->key));
    TRY(object_guard_prefetch(d->guard, txn, d->bucket));
    TRY(bucket_id_get(txn_rows(txn), d->bucket, &bucket_id));
    const struct str row_key = object_row_key(bucket_id, d->key, key_bytes);
    const struct err e = find(txn_rows(txn), row_key, &info);
    if (e.code == ERR_NO_SUCH_KEY) {
        if (d->if_match_size.data || d->if_match_mtime.data) return e;
        TRY(conditions_write(&d->conditions, NULL));
        d->was_there = false;
        return OK;
    }
    TRY(e);
    TRY(conditions_write(&d->conditions, &info));
    TRY(check_size_and_mtime(d, &info));
    TRY(object_guard_ask(d->guard, txn_rows(txn), d->bucket, d->key));
    TRY(remove_found(txn, row_key, &info));
    d->was_there = true;
    return OK;
}

/* ---- many ---- */

struct slice {
    struct str bucket;
    struct delete_item *items;
    size_t count;
    struct arena
        *arena; /* of the texts of outcomes: nobody else uses it while the transaction is waited for */
    struct object_guard *doubt; /* out: whose doubt it was that refused the transaction */
};

/* A refusal that is one key's alone. */
static bool is_items_own(struct err e)
{
    return e.code == ERR_OK || e.code == ERR_PRECONDITION || e.code == ERR_NO_SUCH_KEY
        || e.code == ERR_KEY_TOO_LONG || e.code == ERR_INVALID_URI || e.code == ERR_UNSUPPORTED
        || e.code == ERR_IN_USE;
}

/* Its text crosses threads: a guard's is made on the committer, those of the others are constants. */
static struct err outcome_kept(struct err e, struct arena *arena)
{
    if (e.code != ERR_IN_USE) return e;
    const struct str why = arena_str(arena, str_from_z(e.why));
    return FAIL(e.code, why.data ? why.data : err_text(e.code));
}

static struct err slice_fn(struct txn *txn, void *arg)
{
    struct slice *slice = arg;
    uint64_t bucket_id;

    slice->doubt = NULL;
    TRY(bucket_id_get(txn_rows(txn), slice->bucket, &bucket_id)); /* also when the slice is empty */
    for (size_t i = 0; i < slice->count; i++) {
        struct delete_item *item = &slice->items[i];
        struct object_delete d = { .bucket = slice->bucket,
                                   .key = item->key,
                                   .conditions = { .if_match = item->if_match },
                                   .guard = item->guard };
        item->outcome = outcome_kept(object_delete_fn(txn, &d), slice->arena);
        if (item->guard && item->guard->is_in_doubt) slice->doubt = item->guard;
        if (!is_items_own(item->outcome)) return item->outcome;
    }
    return OK;
}

/* Run one slice; its items' outcomes are final. ERR_NO_SUCH_BUCKET. */
static struct err run_slice(struct store *s, struct slice slice)
{
    struct err e = meta_run_freeing(s->meta, slice_fn, &slice);

    while (object_guard_again(slice.doubt, s, &e)) e = meta_run_freeing(s->meta, slice_fn, &slice);
    if (e.code == ERR_OK || e.code == ERR_NO_SUCH_BUCKET) return e;
    if (slice.count > 1 && (e.code == ERR_TOO_LARGE || e.code == ERR_CORRUPT)) {
        for (size_t i = 0; i < slice.count; i++)
            TRY(run_slice(s, (struct slice){ slice.bucket, &slice.items[i], 1, slice.arena, NULL }));
        return OK;
    }
    const struct str why = arena_str(slice.arena, str_from_z(e.why));
    for (size_t i = 0; i < slice.count; i++)
        slice.items[i].outcome = FAIL(e.code, why.data ? why.data : err_text(e.code));
    return OK;
}

struct err object_delete_many(struct store *s, struct str bucket, struct delete_item *items, size_t count,
                              struct arena *arena)
{
    for (size_t i = 0; i == 0 || i < count; i += SLICE_KEYS) {
        const size_t n = count - i < SLICE_KEYS ? count - i : SLICE_KEYS;
        TRY(run_slice(s, (struct slice){ bucket, items + i, n, arena, NULL }));
    }
    return OK;
}
