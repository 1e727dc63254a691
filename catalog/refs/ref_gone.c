/*
 * ref_gone.c - what is not named any more.
 */
#include "catalog/refs/ref_work.h"

#include <string.h>

#include "storage/base/thread.h"

/* Up to a slice of what owner holds behind *after and `keep` (NULL: nothing) does not have. */
static struct err held_by(struct ref_work *w, struct ref_id owner, const struct ref_set *keep,
                          struct ref_id *after, struct ref_id *ret, size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    uint8_t from[REF_HOLDS_KEY];
    size_t count = 0;

    TRY(view_open(w->store->meta, &view));
    rows_scan_begin(&scan, view, SPACE_REF_HOLDS, ref_key_holds(w->uuid, owner, *after, from), false);
    while (count < LIMIT_REF_SLICE && rows_scan_next(&scan, &key, &value)) {
        if (key.len != REF_HOLDS_KEY || memcmp(key.data, from, REF_PAIR) != 0) break;
        memcpy(after->bytes, key.data + REF_PAIR, REF_ID);
        if (!keep || !ref_set_has(keep, *after)) ret[count++] = *after;
    }
    const struct err e = scan.err;
    rows_scan_done(&scan);
    *ret_count = count;
    return e;
}

struct err ref_work_release(struct ref_work *w)
{
    struct ref_id ids[LIMIT_REF_SLICE], after = ref_root;
    size_t count = LIMIT_REF_SLICE;

    while (count == LIMIT_REF_SLICE) {
        TRY(held_by(w, ref_root, w->is_gone ? NULL : &w->wanted, &after, ids, &count));
        if (count)
            TRY(ref_slice_run(
                (struct ref_slice){ .work = w, .owner = ref_root, .ids = ids, .count = count }));
    }
    return OK;
}

static struct err take_apart(struct ref_work *w, struct ref_id owner)
{
    struct ref_id ids[LIMIT_REF_SLICE];
    size_t count = LIMIT_REF_SLICE;

    while (count == LIMIT_REF_SLICE) {
        struct ref_id after = ref_root;
        TRY(held_by(w, owner, NULL, &after, ids, &count));
        TRY(ref_slice_run(
            (struct ref_slice){ .work = w,
                                .owner = owner,
                                .ids = ids,
                                .count = count,
                                .then = count < LIMIT_REF_SLICE ? SLICE_ENDS_DROP : SLICE_ONLY }));
    }
    return OK;
}

static struct err first_drop(struct ref_work *w, struct ref_id *ret, bool *ret_found)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;

    TRY(view_open(w->store->meta, &view));
    rows_scan_begin(&scan, view, SPACE_REF_DROPS, w->uuid, false);
    *ret_found = rows_scan_next(&scan, &key, &value) && key.len == REF_PAIR && str_starts(key, w->uuid);
    if (*ret_found) memcpy(ret->bytes, key.data + REF_UUID, REF_ID);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err ref_work_drops(struct ref_work *w)
{
    struct ref_id owner;
    bool found = true;

    for (;;) {
        TRY(first_drop(w, &owner, &found));
        if (!found) return OK;
        TRY(take_apart(w, owner));
    }
}
