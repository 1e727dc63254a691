/*
 * commit_note.c - the rows of SPACE_REF_COMMITS (docs/FORMAT.md): one byte version, one byte flags, the metadata file.
 */
#include "catalog/commit/commit_note.h"

#include <string.h>

#include "catalog/commit/draft.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { VERSION = 1, DROPS = 1, GONE = 2 };

static struct err put(struct txn *txn, const struct table_row *row, uint8_t flags, struct str location)
{
    uint8_t key[COMMIT_NOTE_KEY], head[2] = { VERSION, flags };
    struct buf value;

    if (row->space != SPACE_TABLES) return OK;
    memcpy(key, row->uuid, COMMIT_UUID);
    put_be64(key + COMMIT_UUID, txn_number(txn));
    buf_init(&value, LIMIT_ROW_VALUE);
    buf_append(&value, head, sizeof(head));
    buf_str(&value, location);
    struct err e = buf_err(&value);
    if (e.code == ERR_OK) e = txn_put(txn, SPACE_REF_COMMITS, str_of(key, sizeof(key)), buf_view(&value));
    buf_done(&value);
    return e;
}

struct err commit_note_put(struct txn *txn, const struct table_row *row, bool drops)
{
    return put(txn, row, drops ? DROPS : 0, row->metadata_location);
}

struct err commit_note_gone(struct txn *txn, const struct table_row *row)
{
    return put(txn, row, GONE, STR_NONE);
}

struct err commit_note_decode(struct str key, struct str value, struct commit_note *ret)
{
    if (key.len != COMMIT_NOTE_KEY || value.len < 2 || value.data[0] != VERSION
        || (value.data[1] & ~(DROPS | GONE)))
        return FAIL(ERR_CORRUPT, "the note of a commit is damaged");
    *ret = (struct commit_note){ .number = get_be64(key.data + COMMIT_UUID),
                                 .is_gone = value.data[1] & GONE,
                                 .drops = value.data[1] & DROPS,
                                 .metadata_location = str_from(value, 2) };
    return OK;
}

/* ---- what a commit drops ---- */

static struct err snapshots_drop(const json_t *base, const json_t *metadata, bool *ret)
{
    CLEANUP(id_set_done) struct id_set kept = { NULL, 0 };
    json_t *snapshot;
    size_t i;

    TRY(id_set_of(json_object_get(metadata, "snapshots"), "snapshot-id", &kept));
    json_array_foreach(json_object_get(base, "snapshots"), i, snapshot)
    {
        if (id_set_has(&kept, json_object_get(snapshot, "snapshot-id"))) continue;
        *ret = true;
        return OK;
    }
    return OK;
}

struct err commit_drops(const json_t *base, const json_t *metadata, bool *ret)
{
    static const char *const lists[] = { "statistics", "partition-statistics" };
    bool drops = false;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && base; i++) {
        const json_t *before = json_object_get(base, lists[i]);
        drops |= json_array_size(before) > 0 && !json_equal(before, json_object_get(metadata, lists[i]));
    }
    if (base && !drops) TRY(snapshots_drop(base, metadata, &drops));
    *ret = drops;
    return OK;
}
