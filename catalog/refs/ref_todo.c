/*
 * ref_todo.c - lists and manifests that are live and not read yet.
 */
#include "catalog/refs/ref_work.h"

#include <string.h>

#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

bool ref_is_the_files_own(struct err e)
{
    switch ((int)e.code) {
    case ERR_CORRUPT:
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
    case ERR_IO:
    case ERR_NO_SUCH_KEY:
    case ERR_NO_SUCH_BUCKET: return true;
    default: return false;
    }
}

/* Read the next files of src into a slice of the scratch arena. */
static struct err fill(struct ref_work *w, struct ref_source *src, struct ref_file *files, size_t *ret_count,
                       bool *ret_is_end)
{
    size_t count = 0;

    arena_reset(w->scratch);
    *ret_is_end = false;
    while (count < LIMIT_REF_SLICE && !*ret_is_end) {
        TRY(ref_source_next(src, w->scratch, &files[count], ret_is_end));
        count += !*ret_is_end;
    }
    *ret_count = count;
    return OK;
}

/* *ret_own: what is wrong with the file itself. */
static struct err read_source(struct ref_work *w, const struct ref_file *owner, struct ref_source *src,
                              struct err *ret_own)
{
    struct ref_file files[LIMIT_REF_SLICE], read = *owner;
    bool is_end = false;
    size_t count = 0;

    read.size = ref_source_size(src);
    while (!is_end) {
        const struct err e = fill(w, src, files, &count, &is_end);
        *ret_own = ref_is_the_files_own(e) ? e : OK;
        if (e.code != ERR_OK) return ref_is_the_files_own(e) ? OK : e;
        const struct ref_slice slice = { .work = w,
                                         .owner = owner->id,
                                         .files = files,
                                         .count = count,
                                         .read = &read,
                                         .then = is_end ? SLICE_ENDS_TODO : SLICE_ONLY };
        TRY(ref_slice_run(slice));
    }
    METRIC_ADD(refs_files_read, 1);
    return OK;
}

struct refusal {
    struct ref_work *work;
    struct ref_file file;
};

/* Keep why a file could not be read, unless it has gone from TODO meanwhile. */
static struct err refusal_fn(struct txn *txn, void *arg)
{
    struct refusal *r = arg;
    struct ref_change c = { .txn = txn, .uuid = r->work->uuid };
    uint8_t key[REF_PAIR];

    TRY(ref_change_begin(&c, r->work->turn));
    return ref_file_put(txn, SPACE_REF_TODO, ref_key_pair(r->work->uuid, r->file.id, key), &r->file);
}

static struct err refuse(struct ref_work *w, const struct ref_file *file, struct err own)
{
    struct refusal r = { .work = w, .file = *file };

    METRIC_ADD(refs_files_unreadable, 1);
    if (file->why.len == 0)
        LOG_WARN("a table's manifest cannot be read: nothing of the table is deleted until it can",
                 STRV("table", w->uuid), STRV("file", place_plain(file->place)), ERRF(own));
    r.file.why = arena_str(w->arena, str_from_z(own.why));
    return r.file.why.data ? meta_run_freeing(w->store->meta, refusal_fn, &r) : no_memory();
}

/* What lies in another's place is not read: its content would be told to who may see this table. */
static struct err read_file(struct ref_work *w, const struct ref_file *file)
{
    struct err own = OK;
    struct ref_source *src = NULL;

    if (!ref_is_own(&w->row.places, file->place)) {
        own = FAIL(ERR_INVALID, "it lies outside of the table's places");
    } else {
        own = ref_source_open(&w->home, file, w->arena, &src);
        if (own.code != ERR_OK && !ref_is_the_files_own(own)) return own;
    }
    const struct err e = own.code == ERR_OK ? read_source(w, file, src, &own) : OK;
    const struct err done = e.code == ERR_OK && own.code != ERR_OK ? refuse(w, file, own) : e;
    ref_source_close(src);
    return done;
}

/* The first row of TODO behind `after`. Lists come to it in the order of their ids, and what they name may fall before or behind: so the rows are gone through until a whole pass found
 * none that was not tried. */
static struct err next_todo(struct ref_work *w, struct ref_id after, struct ref_file *ret, bool *ret_found)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    uint8_t from[REF_PAIR];
    struct err e = OK;

    *ret_found = false;
    TRY(view_open(w->store->meta, &view));
    rows_scan_begin(&scan, view, SPACE_REF_TODO, ref_key_pair(w->uuid, after, from), false);
    while (!*ret_found && e.code == ERR_OK && rows_scan_next(&scan, &key, &value)
           && str_starts(key, w->uuid)) {
        if (key.len != REF_PAIR || memcmp(key.data, from, REF_PAIR) == 0) continue;
        e = ref_file_keep(value, w->arena, ret);
        *ret_found = e.code == ERR_OK;
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* A pass over TODO; *ret_found: there was something that had not been tried. */
static struct err todo_pass(struct ref_work *w, bool is_first, bool *ret_found)
{
    struct ref_id after = ref_root;
    struct ref_file file;
    bool found = true;

    *ret_found = false;
    for (;;) {
        TRY(next_todo(w, after, &file, &found));
        if (!found) return OK;
        after = file.id;
        if (!is_first && file.why.len) continue; /* tried in this very work, or in the pass before */
        *ret_found = true;
        TRY(read_file(w, &file));
    }
}

struct err ref_work_todo(struct ref_work *w)
{
    bool found = true;

    if (w->is_gone) return OK;
    for (bool is_first = true; found; is_first = false) TRY(todo_pass(w, is_first, &found));
    return OK;
}
