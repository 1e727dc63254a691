/*
 * commit_note.c - the rows of SPACE_REF_COMMITS (docs/FORMAT.md).
 */
#include "catalog/commit/commit_note.h"

#include <string.h>

#include "catalog/commit/draft.h"
#include "catalog/commit/warehouse.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/row_code.h"

enum { VERSION = 1, IS_MORE = 1, GONE = 2 };

static struct err put(struct txn *txn, const struct table_row *row, uint8_t flags, struct str location,
                      struct str names)
{
    uint8_t key[COMMIT_NOTE_KEY];
    struct buf value;

    if (row->space != SPACE_TABLES) return OK;
    memcpy(key, row->uuid, COMMIT_UUID);
    put_be64(key + COMMIT_UUID, txn_number(txn));
    buf_init(&value, LIMIT_ROW_VALUE);
    row_put_uint(&value, VERSION, 1);
    row_put_uint(&value, flags, 1);
    row_put_str(&value, location);
    buf_str(&value, names);
    struct err e = buf_err(&value);
    if (e.code == ERR_OK) e = txn_put(txn, SPACE_REF_COMMITS, str_of(key, sizeof(key)), buf_view(&value));
    buf_done(&value);
    return e;
}

struct err commit_note_put(struct txn *txn, const struct table_row *row, const struct commit_dropped *dropped)
{
    return put(txn, row, dropped->is_more ? IS_MORE : 0, row->metadata_location, dropped->names);
}

struct err commit_note_gone(struct txn *txn, const struct table_row *row)
{
    return put(txn, row, GONE, STR_NONE, STR_NONE);
}

struct err commit_note_decode(struct str key, struct str value, struct commit_note *ret)
{
    struct row_reader r = row_reader_of(value);
    const uint64_t version = row_uint(&r, 1), flags = row_uint(&r, 1);
    const struct str location = row_str(&r);

    if (key.len != COMMIT_NOTE_KEY || r.is_bad || version != VERSION || (flags & ~(uint64_t)(IS_MORE | GONE)))
        return FAIL(ERR_CORRUPT, "the note of a commit is damaged");
    *ret = (struct commit_note){ .number = get_be64(key.data + COMMIT_UUID),
                                 .is_gone = flags & GONE,
                                 .dropped = { .is_more = flags & IS_MORE,
                                              .names = str_of(r.at, (size_t)(r.end - r.at)) },
                                 .metadata_location = location };
    return OK;
}

bool commit_name_next(struct str *names, enum commit_name *ret_kind, struct str *ret_url)
{
    struct row_reader r = row_reader_of(*names);
    const enum commit_name kind = (enum commit_name)row_uint(&r, 1);
    const struct str url = row_str(&r);

    if (names->len == 0 || r.is_bad) return false;
    *ret_kind = kind;
    *ret_url = url;
    *names = str_of(r.at, (size_t)(r.end - r.at));
    return true;
}

/* ---- what a commit drops ---- */

static void put_name(struct buf *out, enum commit_name kind, struct str url)
{
    if (url.len == 0) return;
    buf_char(out, (char)kind);
    row_put_str(out, url);
}

/* Snapshots of version 1 may name their manifests themselves. */
static void put_snapshot(struct buf *out, const json_t *snapshot)
{
    json_t *manifest;
    size_t i;

    put_name(out, COMMIT_LIST, json_str(json_object_get(snapshot, "manifest-list")));
    json_array_foreach(json_object_get(snapshot, "manifests"), i, manifest)
    {
        put_name(out, COMMIT_MANIFEST, json_str(manifest));
    }
}

static struct err put_snapshots(struct buf *out, const json_t *base, const json_t *metadata)
{
    CLEANUP(id_set_done) struct id_set kept = { NULL, 0 };
    json_t *snapshot;
    size_t i;

    TRY(id_set_of(json_object_get(metadata, "snapshots"), "snapshot-id", &kept));
    json_array_foreach(json_object_get(base, "snapshots"), i, snapshot)
    {
        if (!id_set_has(&kept, json_object_get(snapshot, "snapshot-id"))) put_snapshot(out, snapshot);
    }
    return OK;
}

/* All of a list that changed: which of them stay is seen later. */
static void put_statistics(struct buf *out, const json_t *base, const json_t *metadata, const char *list)
{
    const json_t *before = json_object_get(base, list);
    json_t *file;
    size_t i;

    if (json_equal(before, json_object_get(metadata, list))) return;
    json_array_foreach((json_t *)before, i, file)
    {
        put_name(out, COMMIT_STATISTICS, json_str(json_object_get(file, "statistics-path")));
    }
}

struct err commit_dropped_of(const json_t *base, const json_t *metadata, struct arena *arena,
                             struct commit_dropped *ret)
{
    struct commit_dropped dropped = { .is_more = false };
    struct buf names;

    buf_init(&names, LIMIT_NOTE_NAMES);
    struct err e = base ? put_snapshots(&names, base, metadata) : OK;
    if (base) put_statistics(&names, base, metadata, "statistics");
    if (base) put_statistics(&names, base, metadata, "partition-statistics");
    if (e.code == ERR_OK) e = buf_err(&names);
    if (e.code == ERR_TOO_LARGE) dropped.is_more = true;
    else dropped.names = arena_str(arena, buf_view(&names));
    buf_done(&names);
    if (e.code != ERR_TOO_LARGE) TRY(e);
    if (!dropped.is_more && !dropped.names.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = dropped;
    return OK;
}
