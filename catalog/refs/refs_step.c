/*
 * refs_step.c - which table is next.
 *
 * The cursor is in memory: after a restart the round begins anew. A table that fails is passed over until the cursor comes round again, so that it holds up nobody.
 */
#include "catalog/refs/refs.h"

#include <string.h>

#include "catalog/commit/commit_note.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

static struct str cursor_str(const struct refs_cursor *cursor)
{
    return str_from_z(cursor->uuid);
}

/* Behind all keys of the uuid: no byte of a key of one is greater. */
static struct str behind(const struct refs_cursor *cursor, char out[REF_UUID + 9])
{
    const struct str uuid = cursor_str(cursor);

    if (uuid.len == 0) return STR_NONE;
    memcpy(out, uuid.data, uuid.len);
    memset(out + uuid.len, 0xff, 9);
    return str_of(out, uuid.len + 9);
}

/* The next table with a note, which is then the cursor's. False at the end: the cursor is at the beginning again. */
static struct err next_noted(struct store *s, struct refs_cursor *cursor, bool *ret_found)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    char from[REF_UUID + 9];

    TRY(view_open(s->meta, &view));
    rows_scan_begin(&scan, view, SPACE_REF_COMMITS, behind(cursor, from), false);
    *ret_found = rows_scan_next(&scan, &key, &value) && key.len == COMMIT_NOTE_KEY;
    *cursor = (struct refs_cursor){ { 0 } };
    if (*ret_found) memcpy(cursor->uuid, key.data, REF_UUID);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* While the bucket rests nobody would be asked, so the pause does not grow. */
struct err refs_try(struct store *s, struct ref_pauses *pauses, struct str uuid, const atomic_bool *stop)
{
    bool rests = false;

    if (ref_pauses_has(pauses, uuid, clock_now_ms()))
        return FAIL(ERR_UNAVAILABLE, "its files could not be had the last time");
    TRY(refs_rest(s, uuid, &rests));
    const struct err e = refs_work_in(s, uuid, stop);
    if (e.code == ERR_OK) ref_pauses_forget(pauses, uuid);
    if (e.code == ERR_UNAVAILABLE && !rests) ref_pauses_grow(pauses, uuid, clock_now_ms());
    return e;
}

struct err refs_step(struct store *s, struct refs_cursor *cursor, struct ref_pauses *pauses,
                     const atomic_bool *stop, bool *ret_more)
{
    bool found = false;

    *ret_more = false;
    TRY(next_noted(s, cursor, &found));
    if (!found) return OK;
    *ret_more = true;
    const struct err e = refs_try(s, pauses, cursor_str(cursor), stop);
    /* Another works on it; or its endpoint is away, and others are not to wait for the thread's pause. A store that is away is told by the next view. */
    return e.code == ERR_CONFLICT || e.code == ERR_UNAVAILABLE ? OK : e;
}

/* ---- tables of an older store ---- */

struct adoption {
    struct store *store;
    struct arena *arena;
    struct refs_cursor *cursor;
    struct str uuids[LIMIT_ADOPTED];
    size_t count;
    uint64_t damaged; /* of them */
};

/* Neither known nor with a note. A row alone is not knowledge: who asks for a table's files before it is adopted takes a turn, and leaves one that says nothing more. A damaged row is passed over, so that others
 * are adopted. */
static struct err is_unknown(struct rows *view, struct str uuid, bool *ret)
{
    struct ref_table t = { .known = 0 };
    bool is_noted = false;
    const struct err e = ref_table_get(view, uuid, &t);

    *ret = false;
    if (e.code == ERR_CORRUPT || (e.code == ERR_OK && t.known)) return OK;
    if (e.code != ERR_NOT_FOUND) TRY(e);
    TRY(ref_any(view, SPACE_REF_COMMITS, uuid, &is_noted));
    *ret = !is_noted;
    return OK;
}

/* In the order of ids. */
static struct err unknown_tables(struct adoption *a, bool *ret_more)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str uuid, key;
    struct err e = OK;
    char from[REF_UUID + 9];
    size_t visited = 0;
    bool needs_note = false;

    TRY(view_open(a->store->meta, &view));
    rows_scan_begin(&scan, view, SPACE_TABLE_IDS, behind(a->cursor, from), false);
    while (e.code == ERR_OK && visited < LIMIT_SCAN_ROWS && a->count < LIMIT_ADOPTED
           && rows_scan_next(&scan, &uuid, &key)) {
        visited++;
        if (uuid.len != REF_UUID) continue;
        memcpy(a->cursor->uuid, uuid.data, REF_UUID);
        e = is_unknown(view, uuid, &needs_note);
        if (e.code != ERR_OK || !needs_note) continue;
        a->uuids[a->count] = arena_str(a->arena, uuid);
        if (!a->uuids[a->count++].data) e = no_memory();
    }
    *ret_more = visited == LIMIT_SCAN_ROWS || a->count == LIMIT_ADOPTED;
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err adopt_fn(struct txn *txn, void *arg)
{
    struct adoption *a = arg;

    a->damaged = 0;
    for (size_t i = 0; i < a->count; i++) {
        struct table_row row;
        const struct err e = ref_row_of(txn_rows(txn), a->uuids[i], a->arena, &row);
        const bool is_damaged = e.code == ERR_CORRUPT || e.code == ERR_INVALID;
        a->damaged += is_damaged;
        if (is_damaged || e.code == ERR_NOT_FOUND) continue; /* a view, or dropped since */
        TRY(e);
        TRY(commit_note_put(txn, &row, &(struct commit_dropped){ .is_more = false }));
    }
    return OK;
}

static struct err adopt_some(struct adoption *a, bool *ret_more)
{
    TRY(unknown_tables(a, ret_more));
    if (a->count) TRY(meta_run(a->store->meta, adopt_fn, a));
    if (a->damaged)
        LOG_WARN("tables whose rows are damaged were passed over: none of their files is deleted",
                 U64("tables", a->damaged));
    return OK;
}

struct err refs_adopt(struct store *s, struct refs_cursor *cursor, bool *ret_more)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct adoption a = { .store = s, .arena = arena, .cursor = cursor };
    const struct refs_cursor before = *cursor;

    if (!arena) return no_memory();
    const struct err e = adopt_some(&a, ret_more);
    if (e.code != ERR_OK) *cursor = before;
    return e;
}
