/*
 * salvage_order.c - which of several rows of a name counts.
 *
 * Rows of LMDB's pages and of the copy have no order among themselves but their times. The journal has one; but it has holes: segments go when nothing lives in them, and one that is older stays for the sake of a single small body. So
 * a record in it may be older than a row of LMDB whose own record is gone. What tells is the position up to which a checkpoint has carried the journal to LMDB, a row of LMDB itself:
 *
 *   behind it      nothing is gone, and LMDB has nothing that is newer: what the journal says counts, deletions too
 *   in front       a row of the journal counts where no page has the name, and where its time is later; deletions do not count against rows of pages
 *
 * The highest position that is still in a page is taken. LMDB may have rows from behind it all the same: the last position may be lost, a checkpoint cut off, a replay carried some. So where batches are missing, between two segments or
 * within one, what stands before them is taken for what is in front of the position: LMDB may have what they said. So is everything when no position is left.
 *
 * Whatever the position: a version that the journal shows to be written over or deleted is gone, for versions have uids that are never used again. The rows of the journal in front of the position are kept apart to the end, in
 * their own order, so a deletion there counts against what only the journal had.
 */
#include <string.h>

#include "admin/store/salvage_state.h"
#include "storage/meta/record.h"
#include "storage/object/bucket.h"

struct err salvage_order_init(struct salvage_order *o, struct memtable *names)
{
    *o = (struct salvage_order){
        .names = names, .older = memtable_new(), .newer = memtable_new(), .dead = memtable_new()
    };
    return o->older && o->newer && o->dead ? OK : FAIL(ERR_NO_MEMORY, "no memory for names");
}

void salvage_order_done(struct salvage_order *o)
{
    memtable_free(o->older);
    memtable_free(o->newer);
    memtable_free(o->dead);
}

static bool is_wanted(uint8_t space)
{
    return space == SPACE_OBJECTS || space == SPACE_BUCKETS;
}

static bool find(const struct memtable *t, uint8_t space, struct str key, struct memtable_row *ret)
{
    return memtable_find(memtable_working(t), space, key, ret) && !ret->is_deleted;
}

/* ---- versions ---- */

/* Small bodies move to other segments, whose ids grow: the row is another one then, of the same version. */
static uint32_t segment_of(const struct object_info *info)
{
    const bool has_place = info->body.kind == BODY_SMALL || info->body.kind == BODY_PARTS;
    return has_place ? info->body.place.segment_id : 0;
}

/* By their own account. One that cannot be read is older than all. */
static bool is_later_object(struct str a, struct str b)
{
    struct object_info x, y;

    if (object_decode(a, NULL, &x).code) return false;
    if (object_decode(b, NULL, &y).code) return true;
    if (x.mtime_ms != y.mtime_ms) return x.mtime_ms > y.mtime_ms;
    return memcmp(&x.uid, &y.uid, sizeof(x.uid)) == 0 && segment_of(&x) > segment_of(&y);
}

/* Of buckets with one name the one that was made later has the larger id. */
static bool is_later_bucket(struct str a, struct str b)
{
    struct bucket_info x, y;

    if (bucket_decode(a, NULL, &x).code) return false;
    return bucket_decode(b, NULL, &y).code || x.id > y.id;
}

static bool is_later(uint8_t space, struct str a, struct str b)
{
    return space == SPACE_OBJECTS ? is_later_object(a, b) : is_later_bucket(a, b);
}

/* The name of a version among the dead. False: it has none. */
struct version {
    size_t len;
    char bytes[OBJECT_ROW_KEY_SIZE + sizeof(struct uid)];
};
static bool version_of(uint8_t space, struct str key, struct str value, struct version *ret)
{
    struct object_info info;

    if (space != SPACE_OBJECTS || key.len > OBJECT_ROW_KEY_SIZE || object_decode(value, NULL, &info).code)
        return false;
    memcpy(ret->bytes, key.data, key.len);
    memcpy(ret->bytes + key.len, info.uid.bytes, sizeof(info.uid.bytes));
    ret->len = key.len + sizeof(info.uid.bytes);
    return true;
}

static bool is_dead(const struct salvage_order *o, const struct memtable_row *row)
{
    struct version v;
    struct memtable_row ignored;

    return version_of(row->space, row->key, row->value, &v)
        && find(o->dead, SPACE_OBJECTS, str_of(v.bytes, v.len), &ignored);
}

/* The version of that name that the journal had in t, if it had one, is followed by another, or by none (value of length 0). */
static struct err bury(struct salvage_order *o, const struct memtable *t, uint8_t space, struct str key,
                       struct str by)
{
    struct memtable_row row;
    struct version v, next;

    if (!find(t, space, key, &row) || !version_of(space, key, row.value, &v)) return OK;
    if (version_of(space, key, by, &next) && next.len == v.len && memcmp(next.bytes, v.bytes, v.len) == 0)
        return OK;
    return memtable_put(o->dead, SPACE_OBJECTS, str_of(v.bytes, v.len), STR_NONE);
}

/* ---- what there is ---- */

struct err salvage_order_row(struct salvage_order *o, uint8_t space, struct str key, struct str value)
{
    struct memtable_row known;

    if (!is_wanted(space)) return OK;
    if (find(o->names, space, key, &known) && !is_later(space, value, known.value)) return OK;
    return memtable_put(o->names, space, key, value);
}

void salvage_order_position(struct salvage_order *o, uint64_t batch)
{
    if (!o->has_position || batch > o->position) o->position = batch;
    o->has_position = true;
}

static struct err put_or_del(struct salvage_order *o, struct memtable *t, const struct memtable_row *row)
{
    TRY(bury(o, t, row->space, row->key, row->is_deleted ? STR_NONE : row->value));
    return row->is_deleted ? memtable_del(t, row->space, row->key)
                           : memtable_put(t, row->space, row->key, row->value);
}

/* What was taken for newer is not known to be. */
static struct err demote(struct salvage_order *o)
{
    struct memtable_cursor c;
    struct memtable_row row;

    for (bool more = memtable_seek(&c, memtable_working(o->newer), 0, STR_NONE, false); more;
         more = memtable_next(&c)) {
        memtable_at(&c, &row);
        TRY(put_or_del(o, o->older, &row));
    }
    memtable_clear(o->newer);
    return OK;
}

struct err salvage_order_batch(struct salvage_order *o, uint64_t number, struct str records)
{
    const bool is_newer = o->has_position && number > o->position;
    struct memtable *t = is_newer ? o->newer : o->older;
    struct record_reader reader = record_reader_of(records);
    struct entry e;

    if (number != o->last + 1) TRY(demote(o));
    o->last = number;
    while (record_reader_next(&reader, &e)) {
        if (!is_wanted(e.space) || (e.type != ENTRY_PUT && e.type != ENTRY_DEL)) continue;
        const struct memtable_row row = {
            .space = e.space, .is_deleted = e.type == ENTRY_DEL, .key = e.key, .value = e.value
        };
        TRY(put_or_del(o, t, &row));
    }
    return OK;
}

/* ---- what counts ---- */

static struct err settle_older(struct salvage_order *o, const struct memtable_row *row)
{
    struct memtable_row known;
    const bool has_one = find(o->names, row->space, row->key, &known),
               was_dead = has_one && is_dead(o, &known);

    if (row->is_deleted) return was_dead ? memtable_del(o->names, row->space, row->key) : OK;
    if (has_one && !was_dead && !is_later(row->space, row->value, known.value)) return OK;
    return memtable_put(o->names, row->space, row->key, row->value);
}

static struct err settle_newer(struct salvage_order *o, const struct memtable_row *row)
{
    return row->is_deleted ? memtable_del(o->names, row->space, row->key)
                           : memtable_put(o->names, row->space, row->key, row->value);
}

static struct err settle(struct salvage_order *o, const struct memtable *t,
                         struct err (*fn)(struct salvage_order *o, const struct memtable_row *row))
{
    struct memtable_cursor c;
    struct memtable_row row;

    for (bool more = memtable_seek(&c, memtable_working(t), 0, STR_NONE, false); more;
         more = memtable_next(&c)) {
        memtable_at(&c, &row);
        TRY(fn(o, &row));
    }
    return OK;
}

struct err salvage_order_settle(struct salvage_order *o)
{
    TRY(settle(o, o->older, settle_older));
    return settle(o, o->newer, settle_newer);
}
