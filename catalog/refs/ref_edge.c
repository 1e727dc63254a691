/*
 * ref_edge.c - edges between owners and files.
 *
 * A file is born with its first edge and dies with its last. A list or manifest that is born is to be read (TODO), one that dies is to be taken apart (DROPS). Either can happen
 * again before the other is done: a snapshot that is removed and comes back (register, cherry-pick) makes its list live while it is half taken apart. It is read again then,
 * and what is there already is left as it is.
 */
#include "catalog/refs/ref_edge.h"

#include <string.h>

static bool is_read(enum ref_kind kind)
{
    return kind == REF_LIST || kind == REF_MANIFEST;
}

bool ref_is_own(const struct location_set *places, struct str place)
{
    for (size_t i = 0; i < places->count; i++) {
        if (location_is_inside(place, places->keys[i])) return true;
    }
    return false;
}

struct err ref_change_begin(struct ref_change *c, uint64_t turn)
{
    const struct err e = ref_table_get(txn_rows(c->txn), c->uuid, &c->table);

    if (e.code == ERR_NOT_FOUND || (e.code == ERR_OK && c->table.turn != turn))
        return FAIL(ERR_CONFLICT, "somebody else works on the references of this table");
    return e;
}

struct err ref_change_end(struct ref_change *c)
{
    return ref_table_put(c->txn, c->uuid, &c->table);
}

/* Does anything of this table name the file? */
static struct err is_live(struct ref_change *c, struct ref_id file, bool *ret)
{
    uint8_t key[REF_HELD_KEY];

    (void)ref_key_held(file, c->uuid, ref_root, key);
    return ref_any(txn_rows(c->txn), SPACE_REF_HELD, str_of(key, REF_PAIR), ret);
}

/* Owners may say different sizes and kinds of one file: the sums are for people, and never below nothing. */
static void less(uint64_t *sum, uint64_t n)
{
    *sum -= n < *sum ? n : *sum;
}

/* ---- a file is born ---- */

static struct err leave_queue(struct ref_change *c, struct str pair)
{
    struct ref_file queued;
    struct str value;
    const struct err e = rows_get(txn_rows(c->txn), SPACE_REF_QUEUE, pair, &value);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(ref_file_decode(value, &queued));
    less(&c->table.queued_files, 1);
    less(&c->table.queued_bytes, queued.size);
    return txn_del(c->txn, SPACE_REF_QUEUE, pair);
}

static struct err born(struct ref_change *c, const struct ref_file *file)
{
    uint8_t key[REF_PAIR];
    const struct str pair = ref_key_pair(c->uuid, file->id, key);

    c->table.live_files[file->kind]++;
    c->table.live_bytes[file->kind] += file->size;
    TRY(leave_queue(c, pair));
    if (!is_read(file->kind)) return OK;
    TRY(txn_del(c->txn, SPACE_REF_DROPS, pair));
    return ref_file_put(c->txn, SPACE_REF_TODO, pair, file);
}

/* What metadata names has no size there: the store knows it. At another endpoint it is known when the file is read (ref_learn_size). */
static struct err fill_size(struct ref_change *c, struct ref_file *file)
{
    struct object_info info;
    struct str bucket;

    if (file->size || (file->kind != REF_METADATA && file->kind != REF_LIST)) return OK;
    if (place_is_external(file->place)) return OK;
    const struct str key = str_cut(file->place, '/', &bucket);
    const struct err e = object_stat(txn_rows(c->txn), bucket, key, NULL, &info);
    if (e.code == ERR_OK) file->size = info.size;
    return e.code == ERR_NO_SUCH_BUCKET || e.code == ERR_NO_SUCH_KEY ? OK : e;
}

struct err ref_hold(struct ref_change *c, struct ref_id owner, const struct ref_file *file)
{
    uint8_t holds_key[REF_HOLDS_KEY], held_key[REF_HELD_KEY];
    const struct str holds = ref_key_holds(c->uuid, owner, file->id, holds_key);
    struct ref_file f = *file;
    struct err e = OK;
    bool was_live;

    if (rows_have(txn_rows(c->txn), SPACE_REF_HOLDS, holds, &e)) return OK;
    TRY(e);
    f.since_ms = 0;
    f.intent = 0;
    f.why = STR_NONE;
    TRY(fill_size(c, &f));
    TRY(is_live(c, f.id, &was_live));
    if (!was_live) TRY(born(c, &f));
    TRY(ref_file_put(c->txn, SPACE_REF_HOLDS, holds, &f));
    return txn_put(c->txn, SPACE_REF_HELD, ref_key_held(f.id, c->uuid, owner, held_key), STR("\1"));
}

struct err ref_learn_size(struct ref_change *c, const struct ref_file *file)
{
    uint8_t key[REF_HOLDS_KEY];
    struct ref_file held;
    struct str value;
    const struct str holds = ref_key_holds(c->uuid, ref_root, file->id, key);
    const struct err e = rows_get(txn_rows(c->txn), SPACE_REF_HOLDS, holds, &value);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(ref_file_decode(value, &held));
    if (held.size || file->size == 0) return OK;
    c->table.live_bytes[held.kind] += file->size;
    held.size = file->size;
    return ref_file_put(c->txn, SPACE_REF_HOLDS, holds, &held);
}

/* ---- a file dies ---- */

/* A metadata file that fell off the log stays unless the table asks for its deletion, as in the reference: somebody may still read it. */
static bool is_queued(const struct ref_change *c, const struct ref_file *file)
{
    if (!c->places || !ref_is_own(c->places, file->place)) return false;
    return file->kind != REF_METADATA || c->table.deletes_metadata;
}

static struct err died(struct ref_change *c, struct ref_file *file)
{
    uint8_t key[REF_PAIR];
    const struct str pair = ref_key_pair(c->uuid, file->id, key);

    less(&c->table.live_files[file->kind], 1);
    less(&c->table.live_bytes[file->kind], file->size);
    if (is_read(file->kind)) {
        TRY(txn_del(c->txn, SPACE_REF_TODO, pair));
        TRY(txn_put(c->txn, SPACE_REF_DROPS, pair, STR("\1")));
    }
    if (!is_queued(c, file)) return OK;
    c->table.queued_files++;
    c->table.queued_bytes += file->size;
    file->since_ms = c->now_ms;
    file->intent = 0;
    return ref_file_put(c->txn, SPACE_REF_QUEUE, pair, file);
}

struct err ref_release(struct ref_change *c, struct ref_id owner, struct ref_id id)
{
    uint8_t holds_key[REF_HOLDS_KEY], held_key[REF_HELD_KEY];
    const struct str holds = ref_key_holds(c->uuid, owner, id, holds_key);
    struct ref_file file;
    struct str value;
    bool lives;
    const struct err e = rows_get(txn_rows(c->txn), SPACE_REF_HOLDS, holds, &value);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(ref_file_decode(value, &file));
    TRY(txn_del(c->txn, SPACE_REF_HOLDS, holds));
    TRY(txn_del(c->txn, SPACE_REF_HELD, ref_key_held(id, c->uuid, owner, held_key)));
    TRY(is_live(c, id, &lives));
    return lives ? OK : died(c, &file);
}
