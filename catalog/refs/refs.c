/*
 * refs.c - bringing a table's references up to date.
 *
 * The order matters for speed, not for truth (ref_edge.h): first what the new metadata names is held, then lists and manifests are read, then what it does not name is released, so that a manifest
 * which moves from an old list to a new one is never taken apart. What was let go by commits between, before anybody looked, is held as well and released at once: that puts its files into the queue.
 */
#include "catalog/refs/refs.h"

#include <string.h>

#include "catalog/refs/ref_work.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

/* ---- what there is to do ---- */

static struct err keep_note(struct ref_work *w, const struct commit_note *note)
{
    struct commit_note *kept = &w->notes[w->note_count];

    *kept = *note;
    kept->metadata_location = w->newest;
    kept->dropped.names = arena_str(w->arena, note->dropped.names);
    w->is_gone = note->is_gone;
    w->note_count++;
    return kept->dropped.names.data ? OK : no_memory();
}

/* The first LIMIT_REF_NOTES, and of those behind the newest metadata alone: what is named now is what that says, and what the others let go is another round's. All up to the first that says that the
 * table was gone. */
static struct err read_notes(struct ref_work *w, struct rows *view)
{
    struct rows_scan scan;
    struct commit_note note;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, view, SPACE_REF_COMMITS, w->uuid, false);
    while (e.code == ERR_OK && !w->is_gone && rows_scan_next(&scan, &key, &value)
           && str_starts(key, w->uuid)) {
        e = commit_note_decode(key, value, &note);
        if (e.code != ERR_OK || (note.is_gone && w->note_count == LIMIT_REF_NOTES)) break;
        w->newest = arena_str(w->arena, note.metadata_location);
        if (!w->newest.data) e = no_memory();
        else if (w->note_count < LIMIT_REF_NOTES) e = keep_note(w, &note);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err look(struct ref_work *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(w->store->meta, &view));
    TRY(read_notes(w, view));
    if (w->is_gone) return OK;
    const struct err e = ref_row_of(view, w->uuid, w->arena, &w->row);
    /* A note without a table, and none that says that it is gone: it is gone, and that note comes later. */
    w->is_gone = e.code == ERR_NOT_FOUND;
    if (w->is_gone) return OK;
    TRY(e);
    return warehouse_for_upkeep(w->store, view, &w->row, w->arena, &w->home);
}

static struct err turn_fn(struct txn *txn, void *arg)
{
    struct ref_work *w = arg;
    struct ref_table t = { .grace_ms = -1, .has_gc = true };
    const struct err e = ref_table_get(txn_rows(txn), w->uuid, &t);

    if (e.code != ERR_NOT_FOUND) TRY(e);
    t.turn = w->turn = txn_number(txn);
    return ref_table_put(txn, w->uuid, &t);
}

/* ---- metadata ---- */

/* Of files, at most a slice that the root does not hold yet; *at goes on behind the last that was looked at. Most of what metadata names is known from the commit before. */
static struct err unheld(struct ref_work *w, const struct ref_set *set, size_t *at, struct ref_file *ret,
                         size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint8_t key[REF_HOLDS_KEY];
    size_t count = 0;
    struct err e = OK;

    TRY(view_open(w->store->meta, &view));
    for (; *at < set->count && count < LIMIT_REF_SLICE && e.code == ERR_OK; (*at)++) {
        const struct ref_file *f = &set->files[*at];
        if (!rows_have(view, SPACE_REF_HOLDS, ref_key_holds(w->uuid, ref_root, f->id, key), &e))
            ret[count++] = *f;
    }
    *ret_count = count;
    return e;
}

static struct err hold_all(struct ref_work *w, const struct ref_set *set)
{
    struct ref_file files[LIMIT_REF_SLICE];
    size_t count = 0;

    for (size_t at = 0; at < set->count;) {
        TRY(unheld(w, set, &at, files, &count));
        if (count)
            TRY(ref_slice_run(
                (struct ref_slice){ .work = w, .owner = ref_root, .files = files, .count = count }));
    }
    return OK;
}

static void read_properties(struct ref_work *w, const json_t *metadata)
{
    const json_t *properties = json_object_get(metadata, "properties");
    int64_t grace_ms = -1;

    if (!str_to_i64(json_str(json_object_get(properties, "firn.expire-grace-ms")), &grace_ms) || grace_ms < 0)
        grace_ms = -1;
    w->props = (struct ref_table){
        .has_gc = !str_is_nocase(json_str(json_object_get(properties, "gc.enabled")), "false"),
        .deletes_metadata = str_is_nocase(
            json_str(json_object_get(properties, "write.metadata.delete-after-commit.enabled")), "true"),
        .removes_orphans = str_is_nocase(json_str(json_object_get(properties, "firn.orphan-removal.enabled")),
                                         "true"),
        .grace_ms = grace_ms,
    };
}

/* The names are kept in `names`; the file's bytes, which may be many, are not. */
static struct err read_metadata(struct ref_work *w, struct str location, struct arena *names, bool is_newest,
                                struct ref_set *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    CLEANUP(json_freep) json_t *metadata = NULL;
    struct str bytes;

    if (!arena) return no_memory();
    TRY(warehouse_read(&w->home, location, arena, &bytes));
    TRY(metadata_parse(METADATA_TABLE, bytes, &metadata));
    if (is_newest) read_properties(w, metadata);
    const struct ref_origin origin = { location, bytes.len, w->home.is_external };
    return ref_metadata_names(metadata, &origin, names, ret);
}

/* What a commit let go, by its own note: held, so that it is released like anything else. What cannot be told to be ours is passed over: nothing names it any more. */
static struct err hold_dropped(struct ref_work *w, const struct commit_note *note, struct arena *arena)
{
    struct str names = note->dropped.names, url, place;
    enum commit_name kind;
    struct ref_set set = { .files = arena_array(arena, struct ref_file, names.len / 2 + 1) };

    if (!set.files) return no_memory();
    while (commit_name_next(&names, &kind, &url)) {
        const struct err e = ref_place(url, w->home.is_external, arena, &place);
        if (e.code == ERR_NO_MEMORY) return e;
        if (e.code != ERR_OK || place.len == 0) continue;
        const enum ref_kind ours = kind == COMMIT_LIST ? REF_LIST
            : kind == COMMIT_MANIFEST                  ? REF_MANIFEST
                                                       : REF_STATISTICS;
        set.files[set.count++] = ref_file_at(ours, place, 0);
    }
    return hold_all(w, &set);
}

/* The metadata before a commit that let go of more than its note could hold. One that is away is asked for again; the notes, which say that it is needed, stay until then. */
static struct err hold_before(struct ref_work *w, const struct commit_note *before, struct arena *arena)
{
    struct ref_set names = { .count = 0 };
    const struct err e = read_metadata(w, before->metadata_location, arena, false, &names);

    if (e.code == ERR_NO_MEMORY || e.code == ERR_BUSY || e.code == ERR_UNAVAILABLE) return e;
    if (e.code != ERR_OK)
        LOG_WARN("a table's earlier metadata cannot be read; files that only it named will be orphans",
                 STRV("file", before->metadata_location), ERRF(e));
    return hold_all(w, &names);
}

/* A state that another has followed: its metadata file, and what went with the commit that made it. */
static struct err hold_note(struct ref_work *w, const struct commit_note *note)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    struct str place;

    if (!arena) return no_memory();
    TRY(ref_place(note->metadata_location, w->home.is_external, arena, &place));
    struct ref_file file = ref_file_at(REF_METADATA, place, 0);
    TRY(hold_all(w, &(struct ref_set){ .files = &file, .count = 1 }));
    if (note->dropped.is_more && note > w->notes) TRY(hold_before(w, note - 1, arena));
    return hold_dropped(w, note, arena);
}

static struct err hold_metadata(struct ref_work *w)
{
    if (w->note_count == 0 || w->is_gone) return OK;
    TRY(read_metadata(w, w->newest, w->arena, true, &w->wanted));
    for (size_t i = 0; i < w->note_count; i++) TRY(hold_note(w, &w->notes[i]));
    return hold_all(w, &w->wanted);
}

/* ---- the end ---- */

static struct err first_why(struct rows *r, struct str uuid, char out[256])
{
    struct rows_scan scan;
    struct str key, value;
    struct ref_file file;
    struct err e = OK;

    out[0] = '\0';
    rows_scan_begin(&scan, r, SPACE_REF_TODO, uuid, false);
    if (rows_scan_next(&scan, &key, &value) && str_starts(key, uuid)) {
        e = ref_file_decode(value, &file);
        if (e.code == ERR_OK)
            (void)snprintf(out, 256, "s3://%.*s: %.*s", STR_ARG(place_plain(file.place)), STR_ARG(file.why));
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err delete_notes(struct txn *txn, const struct ref_work *w)
{
    uint8_t key[COMMIT_NOTE_KEY];

    memcpy(key, w->uuid.data, COMMIT_UUID);
    for (size_t i = 0; i < w->note_count; i++) {
        put_be64(key + COMMIT_UUID, w->notes[i].number);
        TRY(txn_del(txn, SPACE_REF_COMMITS, str_of(key, sizeof(key))));
    }
    return OK;
}

static struct err finish_fn(struct txn *txn, void *arg)
{
    const struct ref_work *w = arg;
    struct ref_change c = { .txn = txn, .uuid = w->uuid };

    TRY(ref_change_begin(&c, w->turn));
    TRY(delete_notes(txn, w));
    if (w->is_gone) return txn_del(txn, SPACE_REF_TABLES, w->uuid);
    if (w->note_count) {
        c.table.known = w->notes[w->note_count - 1].number;
        c.table.has_gc = w->props.has_gc;
        c.table.deletes_metadata = w->props.deletes_metadata;
        c.table.removes_orphans = w->props.removes_orphans;
        c.table.grace_ms = w->props.grace_ms;
    }
    c.table.known_ms = clock_now_ms();
    TRY(first_why(txn_rows(txn), w->uuid, c.table.why));
    return ref_change_end(&c);
}

struct forgetting {
    const struct ref_work *work;
    size_t count; /* out */
};

/* The queue of a table that is gone: its files are whoever's who registers it again. */
static struct err forget_queue_fn(struct txn *txn, void *arg)
{
    struct forgetting *f = arg;
    const struct str uuid = f->work->uuid;
    struct ref_change c = { .txn = txn, .uuid = uuid };
    struct rows_scan scan;
    struct str key, value;
    uint8_t keys[LIMIT_REF_SLICE][REF_PAIR];
    size_t count = 0;

    TRY(ref_change_begin(&c, f->work->turn));
    rows_scan_begin(&scan, txn_rows(txn), SPACE_REF_QUEUE, uuid, false);
    while (count < LIMIT_REF_SLICE && rows_scan_next(&scan, &key, &value) && str_starts(key, uuid)
           && key.len == REF_PAIR)
        memcpy(keys[count++], key.data, REF_PAIR);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    for (size_t i = 0; i < count; i++) TRY(txn_del(txn, SPACE_REF_QUEUE, str_of(keys[i], REF_PAIR)));
    f->count = count;
    return OK;
}

static struct err forget_queue(struct ref_work *w)
{
    struct forgetting f = { .work = w, .count = LIMIT_REF_SLICE };

    while (f.count == LIMIT_REF_SLICE) TRY(meta_run_freeing(w->store->meta, forget_queue_fn, &f));
    return OK;
}

/* The metadata itself cannot be made out: say so, where status looks. The notes stay, so the table is not whole. */
static struct err complain_fn(struct txn *txn, void *arg)
{
    struct ref_work *w = arg;
    struct ref_change c = { .txn = txn, .uuid = w->uuid };

    TRY(ref_change_begin(&c, w->turn));
    w->is_news = strcmp(c.table.why, w->props.why) != 0;
    memcpy(c.table.why, w->props.why, sizeof(c.table.why));
    return ref_change_end(&c);
}

static struct err complain(struct ref_work *w, const char *what, struct err own)
{
    (void)snprintf(w->props.why, sizeof(w->props.why), "%s: %s", what, own.why);
    TRY(meta_run_freeing(w->store->meta, complain_fn, w));
    if (w->is_news)
        LOG_WARN("a table's files cannot be made out: nothing of the table is deleted until they can",
                 STRV("table", w->uuid), STRF("why", w->props.why));
    return OK;
}

/* What keeps the table from being known is told with it. An endpoint that is away is tried again another time. */
static struct err stopped(struct ref_work *w, struct err e, bool is_metadata)
{
    if (w->home.is_external && e.code == ERR_UNAVAILABLE) {
        TRY(complain(w, "its files are elsewhere", e));
        return err_fail(ERR_UNAVAILABLE, "%s", w->props.why);
    }
    const bool is_told = is_metadata && (ref_is_the_files_own(e) || e.code == ERR_INTERNAL);
    return is_told ? complain(w, "its metadata", e) : e;
}

/* The turn first, then the look: who looked before another's whole turn would work in a state that is past, over a newer one. */
static struct err work_in(struct ref_work *w)
{
    TRY(meta_run_freeing(w->store->meta, turn_fn, w));
    TRY(look(w));
    struct err e = hold_metadata(w);
    if (e.code != ERR_OK) return stopped(w, e, true);
    e = ref_work_todo(w);
    if (e.code != ERR_OK) return stopped(w, e, false);
    if (w->note_count || w->is_gone) TRY(ref_work_release(w));
    TRY(ref_work_drops(w));
    if (w->is_gone) TRY(forget_queue(w));
    return meta_run_freeing(w->store->meta, finish_fn, w);
}

struct err refs_rest(struct store *s, struct str uuid, bool *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    CLEANUP(view_closep) struct rows *view = NULL;
    struct warehouse home;
    struct table_row row;

    *ret = false;
    if (!arena) return no_memory();
    TRY(view_open(s->meta, &view));
    const struct err e = ref_row_of(view, uuid, arena, &row);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(warehouse_for_upkeep(s, view, &row, arena, &home));
    *ret = row.places.count && warehouse_rests(&home, row.places.keys[0]);
    return OK;
}

struct err refs_work_in(struct store *s, struct str uuid, const atomic_bool *stop)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    CLEANUP(arena_freep) struct arena *scratch = arena_new(LIMIT_REQUEST_ARENA);

    bool rests;

    if (!arena || !scratch) return no_memory();
    TRY(refs_rest(s, uuid, &rests));
    /* Not even a turn is taken then: each would be a flush. */
    if (rests) return FAIL(ERR_UNAVAILABLE, "its S3 endpoint failed a moment ago");
    struct ref_work *w = arena_new_of(arena, struct ref_work);
    if (!w) return no_memory();
    w->store = s;
    w->uuid = uuid;
    w->stop = stop;
    w->arena = arena;
    w->scratch = scratch;
    return work_in(w);
}
