/*
 * live_guard.c - may a client take this file away?
 *
 * Two questions. Who names the file: its rows in HELD, whatever table's they are. And whose place it lies in: if that table has a commit that is not worked in, the file may be one of those that the commit
 * brought. Either may be in doubt, and either may be stale the other way round (the commit let go of the file), so a table that is behind is always worked in first.
 *
 * A metadata file is live while a table points to it; that is in the table's row, and needs no references. Those of the log are named too, but no snapshot needs them, and clients delete them themselves.
 */
#include "catalog/refs/live_guard.h"

#include <string.h>

#include "catalog/commit/guarded.h"
#include "catalog/commit/securable.h"
#include "catalog/refs/refs.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

_Static_assert(OBJECT_DOUBT_SIZE > REF_UUID, "a doubt is about a table");

enum {
    TEXT_BYTES = 240, /* of a refusal: an error that changes threads keeps 255 */
    NAME_BYTES = 120  /* of them the table's name */
};

/* One at a time: two who work on one table would take its turn from each other again and again. Guards nothing else. */
static struct mutex settling = MUTEX_INIT(LOCK_CATALOG);

struct question {
    struct object_guard *guard;
    struct rows *rows;
    struct arena *arena;
    uint64_t catalog_id;
    struct str place; /* "bucket/key" */
};

/* ---- the answers ---- */

static struct str cut(struct str text, size_t most)
{
    text = str_slice(text, 0, most < text.len ? most : text.len);
    while (text.len && !str_is_utf8(text)) text.len--;
    return text;
}

/* The table's name as people know it. */
static struct err name_of(const struct question *q, const struct table_row *row, struct str *ret)
{
    struct table_ident ident = { .name = str_from(row->key, 16) };
    struct securable_path path;

    TRY(securable_of_namespace(q->rows, row->ns_id, q->arena, &ident.ns, &path));
    const struct str name = table_ident_print(&ident, q->arena);
    *ret = cut(name, NAME_BYTES);
    return name.data ? OK : no_memory();
}

static struct err needed(const struct question *q, const struct table_row *row)
{
    struct str name;

    TRY(name_of(q, row, &name));
    return err_fail(ERR_IN_USE, "The live-file guard keeps this file: '%.*s' needs it.", STR_ARG(name));
}

static struct err incomplete(const struct question *q, const struct table_row *row, struct str why)
{
    struct str name;

    TRY(name_of(q, row, &name));
    const struct str text = arena_printf(
        q->arena, "The live-file guard keeps this file: which files '%.*s' needs is not known: %.*s",
        STR_ARG(name), STR_ARG(why));
    return text.data ? err_fail(ERR_IN_USE, "%.*s", STR_ARG(cut(text, TEXT_BYTES))) : no_memory();
}

static struct err doubt(const struct question *q, const struct table_row *row)
{
    (void)snprintf(q->guard->doubt, sizeof(q->guard->doubt), "%s", row->uuid);
    q->guard->is_in_doubt = true;
    return FAIL(ERR_BUSY, "the table's last commit has not been read yet");
}

/* ---- rows ---- */

/* Of a table or of a view. ERR_NOT_FOUND: it was dropped. */
static struct err row_of(const struct question *q, struct str uuid, struct table_row *ret)
{
    struct str key, value;

    TRY(rows_get(q->rows, SPACE_TABLE_IDS, uuid, &key));
    key = arena_str(q->arena, key);
    if (!key.data) return no_memory();
    enum space space = SPACE_TABLES;
    struct err e = rows_get(q->rows, space, key, &value);
    if (e.code == ERR_NOT_FOUND) {
        space = SPACE_VIEWS;
        e = rows_get(q->rows, space, key, &value);
    }
    TRY(e);
    TRY(table_row_decode(key, value, q->arena, ret));
    ret->space = space;
    return OK;
}

static struct err is_current(const struct question *q, const struct table_row *row, bool *ret)
{
    struct str place;

    TRY(ref_place(row->metadata_location, table_row_is_external(row), q->arena, &place));
    *ret = str_eq(place, q->place);
    return OK;
}

static struct err is_behind(const struct question *q, const struct table_row *row, bool *ret)
{
    struct ref_table t;
    const struct str uuid = str_from_z(row->uuid);
    const struct err e = ref_table_get(q->rows, uuid, &t);

    *ret = true;
    if (e.code == ERR_NOT_FOUND || (e.code == ERR_OK && t.known == 0)) return OK;
    TRY(e);
    return ref_any(q->rows, SPACE_REF_COMMITS, uuid, ret);
}

/* Behind, and not for want of looking: its metadata cannot be made out. */
static struct err behind(const struct question *q, const struct table_row *row)
{
    struct ref_table t;

    if (q->guard->tries == 0) return doubt(q, row);
    const struct err e = ref_table_get(q->rows, str_from_z(row->uuid), &t);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    return e.code == ERR_OK && t.why[0] ? incomplete(q, row, str_from_z(t.why)) : doubt(q, row);
}

/* ---- who names it ---- */

/* Is it a metadata file of the table's log? */
static struct err is_logged(const struct question *q, struct str uuid, struct ref_id owner, struct ref_id id,
                            bool *ret)
{
    uint8_t key[REF_HOLDS_KEY];
    struct ref_file file;
    struct str value;

    *ret = false;
    if (ref_id_cmp(&owner, &ref_root) != 0) return OK;
    TRY(rows_get(q->rows, SPACE_REF_HOLDS, ref_key_holds(uuid, owner, id, key), &value));
    TRY(ref_file_decode(value, &file));
    *ret = file.kind == REF_METADATA;
    return OK;
}

static struct err judge_edge(const struct question *q, struct str key)
{
    const struct str uuid = arena_str(q->arena, str_slice(key, REF_ID, REF_ID + REF_UUID));
    struct table_row row;
    struct ref_id id, owner;
    bool is_metadata = false, is_live = false, is_old = false;

    if (key.len != REF_HELD_KEY) return FAIL(ERR_CORRUPT, "a reference row is damaged");
    if (!uuid.data) return no_memory();
    memcpy(id.bytes, key.data, REF_ID);
    memcpy(owner.bytes, key.data + REF_ID + REF_UUID, REF_ID);
    const struct err e = row_of(q, uuid, &row);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (row.catalog_id != q->catalog_id) return OK;
    TRY(is_logged(q, uuid, owner, id, &is_metadata));
    TRY(is_current(q, &row, &is_live));
    if (is_metadata && !is_live) return OK;
    TRY(is_behind(q, &row, &is_old));
    return is_old && !is_live ? behind(q, &row) : needed(q, &row);
}

static struct err ask_names(const struct question *q)
{
    const struct ref_id id = ref_id_of(REF_DATA, q->place);
    const struct str prefix = str_of(id.bytes, REF_PLACE);
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, q->rows, SPACE_REF_HELD, prefix, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, prefix))
        e = judge_edge(q, key);
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* ---- whose place it lies in ---- */

/* Lists and manifests that are live and were not read: not tried yet, or in vain. */
static struct err ask_unread(const struct question *q, const struct table_row *row)
{
    const struct str uuid = str_from_z(row->uuid);
    struct ref_file file;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, q->rows, SPACE_REF_TODO, uuid, false);
    if (rows_scan_next(&scan, &key, &value) && str_starts(key, uuid))
        e = ref_file_keep(value, q->arena, &file);
    else e = scan.err.code == ERR_OK ? FAIL(ERR_NOT_FOUND, "all was read") : scan.err;
    rows_scan_done(&scan);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (file.why.len == 0 || q->guard->tries == 0) return doubt(q, row); /* it may be readable by now */
    const struct str why = arena_printf(q->arena, "%.*s (s3://%.*s)", STR_ARG(file.why), STR_ARG(file.place));
    return why.data ? incomplete(q, row, why) : no_memory();
}

static struct err ask_place(const struct question *q, struct str bucket, struct str key)
{
    struct table_row row;
    struct str uuid;
    bool is_live = false, is_old = false;
    struct err e = table_of_key(q->rows, bucket, key, q->arena, &uuid);

    if (e.code == ERR_OK) e = row_of(q, uuid, &row);
    if (e.code == ERR_NOT_FOUND) return OK; /* nobody's, or of a table that is being purged */
    TRY(e);
    TRY(is_current(q, &row, &is_live));
    if (is_live) return needed(q, &row);
    if (row.space == SPACE_VIEWS) return OK;
    TRY(is_behind(q, &row, &is_old));
    return is_old ? behind(q, &row) : ask_unread(q, &row);
}

/* ---- the rule ---- */

static struct err ask(struct object_guard *g, struct rows *r, struct str bucket, struct str key)
{
    struct question q = { .guard = g, .rows = r };

    TRY(guarded_find(r, bucket, key, &q.catalog_id));
    if (q.catalog_id == 0) return OK;
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    if (!arena) return no_memory();
    q.arena = arena;
    q.place = arena_printf(arena, "%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    if (!q.place.data) return no_memory();
    TRY(ask_names(&q));
    return ask_place(&q, bucket, key);
}

/* While this one waited for the lock, another may have done it. */
static struct err is_settled(struct store *s, struct str uuid, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const char *why;

    TRY(view_open(s->meta, &view));
    return ref_table_is_whole(view, uuid, ret, &why);
}

static struct err settle(struct object_guard *g, struct store *s)
{
    const struct str uuid = str_from_z(g->doubt);
    bool settled = false;

    mutex_lock(&settling);
    struct err e = is_settled(s, uuid, &settled);
    if (e.code == ERR_OK && !settled) {
        METRIC_ADD(guard_doubts, 1);
        e = refs_work_in(s, uuid, NULL);
    }
    mutex_unlock(&settling);
    return e.code == ERR_CONFLICT ? OK : e; /* another took the turn */
}

const struct object_guard_rule live_guard = { .prefetch = guarded_prefetch, .ask = ask, .settle = settle };
