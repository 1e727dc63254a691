/*
 * deletion_elsewhere.c - deleting files at another endpoint, which a transaction has decided upon (deletion.h).
 */
#include <string.h>

#include "catalog/maintain/deletion_slice.h"
#include "storage/base/thread.h"

enum { CLOCK_MS = 1000 }; /* HTTP tells times in seconds */

struct sending {
    struct store *store;
    struct deletion_slice *slice;
    size_t done;                         /* of going: those before it were tried */
    struct str whys[LIMIT_DELETE_SLICE]; /* why it could not be deleted; empty: it is settled */
};

/* The row as it is, if it has this intent still; ERR_NOT_FOUND. */
static struct err intended(struct rows *r, struct str uuid, const struct ref_file *file, struct ref_file *ret)
{
    uint8_t key[REF_PAIR];
    struct str value;

    TRY(rows_get(r, SPACE_REF_QUEUE, ref_key_pair(uuid, file->id, key), &value));
    TRY(ref_file_decode(value, ret));
    return ret->intent == file->intent ? OK : FAIL(ERR_NOT_FOUND, "somebody else has decided since");
}

static struct err is_still_intended(struct sending *s, const struct ref_file *file, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_file row;

    TRY(view_open(s->store->meta, &view));
    const struct err e = intended(view, s->slice->uuid, file, &row);
    *ret = e.code == ERR_OK;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* D5, the last look, and the deletion. */
static struct err send_one(struct sending *s, const struct ref_file *file)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    struct remote_file there = { .size = 0 };
    bool is_intended = false;

    if (!arena) return no_memory();
    const struct err e = warehouse_stat(&s->slice->home, file->place, arena, &there);
    if (e.code == ERR_NO_SUCH_KEY || e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    if (there.written_ms > file->since_ms + CLOCK_MS) return OK;
    TRY(is_still_intended(s, file, &is_intended));
    if (!is_intended) return OK;
    TRY(warehouse_remove(&s->slice->home, file->place, arena));
    s->slice->deleted++;
    s->slice->bytes += there.size;
    return OK;
}

static struct err note_failure(struct sending *s, struct err e)
{
    struct deletion_slice *slice = s->slice;

    if (slice->failed++ == 0) slice->first_failed = slice->going[s->done].id;
    s->whys[s->done] = arena_str(slice->arena, str_from_z(e.why));
    return s->whys[s->done].data ? OK : no_memory();
}

static struct err send_all(struct sending *s)
{
    const struct deletion_slice *slice = s->slice;
    bool rests = false;

    for (; s->done < slice->going_count && !rests; s->done++) {
        const struct ref_file *file = &slice->going[s->done];
        const struct err e = send_one(s, file);
        if (e.code == ERR_OK) continue;
        if (!warehouse_is_to_blame(e)) return e;
        TRY(note_failure(s, e));
        rests = warehouse_rests(&slice->home, file->place);
    }
    return OK;
}

/* ---- step 3 ---- */

static void less(uint64_t *sum, uint64_t n)
{
    *sum -= n < *sum ? n : *sum;
}

static struct err settle_one(struct txn *txn, struct sending *s, size_t i, struct ref_table *table)
{
    uint8_t key[REF_PAIR];
    struct ref_file row;
    const struct str pair = ref_key_pair(s->slice->uuid, s->slice->going[i].id, key);
    const struct err e = intended(txn_rows(txn), s->slice->uuid, &s->slice->going[i], &row);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (s->whys[i].len) {
        row.why = s->whys[i];
        return ref_file_put(txn, SPACE_REF_QUEUE, pair, &row);
    }
    less(&table->queued_files, 1);
    less(&table->queued_bytes, row.size);
    return txn_del(txn, SPACE_REF_QUEUE, pair);
}

static struct err settle_fn(struct txn *txn, void *arg)
{
    struct sending *s = arg;
    struct ref_table table;
    const struct err e = ref_table_get(txn_rows(txn), s->slice->uuid, &table);

    if (e.code == ERR_NOT_FOUND) return OK; /* the table is gone, and its queue with it */
    TRY(e);
    for (size_t i = 0; i < s->done; i++) TRY(settle_one(txn, s, i, &table));
    return ref_table_put(txn, s->slice->uuid, &table);
}

struct err deletion_elsewhere(struct store *s, struct deletion_slice *slice)
{
    struct sending sending = { .store = s, .slice = slice };

    TRY(send_all(&sending));
    return meta_run_freeing(s->meta, settle_fn, &sending);
}
