/*
 * impact.c - from the roots that would go, down: a file goes when all that name it go.
 *
 * Level by level: lists, manifests, files. At each level what the owners that go hold is gathered, sorted, and of each file it is asked who else names it. So a manifest of two lists that both go is found,
 * and one of a list that stays is not.
 */
#include "catalog/maintain/impact.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/refs/ref_edge.h"
#include "catalog/refs/ref_source.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

struct dead {
    struct ref_id id;
    enum ref_kind kind;
    uint64_t size;
};

struct deads {
    struct buf bytes; /* of struct dead */
};

struct hunt {
    struct store *store;
    struct str uuid;
    const struct table_row *row;
    struct arena *arena;
    struct deads roots; /* whose edge from the metadata would go */
    struct deads all;   /* that would go, sorted */
    struct impact *impact;
};

/* ---- arrays ---- */

static void deads_init(struct deads *d)
{
    buf_init(&d->bytes, LIMIT_IMPACT_FILES * sizeof(struct dead));
}

static struct dead *deads_at(const struct deads *d)
{
    return (struct dead *)(void *)d->bytes.data;
}

static size_t deads_count(const struct deads *d)
{
    return d->bytes.len / sizeof(struct dead);
}

static int by_id(const void *a, const void *b)
{
    const struct dead *x = a, *y = b;

    return ref_id_cmp(&x->id, &y->id);
}

static void deads_sort(struct deads *d)
{
    struct dead *at = deads_at(d);
    size_t kept = 0;

    if (deads_count(d) == 0) return;
    qsort(at, deads_count(d), sizeof(*at), by_id);
    for (size_t i = 0; i < deads_count(d); i++) {
        if (kept == 0 || by_id(&at[kept - 1], &at[i]) != 0) at[kept++] = at[i];
    }
    d->bytes.len = kept * sizeof(*at);
}

static bool deads_have(const struct deads *d, struct ref_id id)
{
    const struct dead wanted = { .id = id };

    return deads_count(d) && bsearch(&wanted, deads_at(d), deads_count(d), sizeof(wanted), by_id) != NULL;
}

static struct err deads_add(struct deads *d, struct dead dead)
{
    buf_append(&d->bytes, &dead, sizeof(dead));
    return buf_err(&d->bytes);
}

/* ---- who names it ---- */

/* All owners in this table go, or there is none but them. */
static struct err is_dead(struct hunt *h, struct rows *view, struct ref_id file, bool *ret)
{
    uint8_t prefix[REF_HELD_KEY];
    struct rows_scan scan;
    struct str key, value;

    (void)ref_key_held(file, h->uuid, ref_root, prefix);
    *ret = true;
    rows_scan_begin(&scan, view, SPACE_REF_HELD, str_of(prefix, REF_PAIR), false);
    while (*ret && rows_scan_next(&scan, &key, &value) && key.len == REF_HELD_KEY
           && memcmp(key.data, prefix, REF_PAIR) == 0) {
        struct ref_id owner;
        memcpy(owner.bytes, key.data + REF_PAIR, REF_ID);
        *ret = ref_id_cmp(&owner, &ref_root) == 0 ? deads_have(&h->roots, file) : deads_have(&h->all, owner);
    }
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err count_path(struct hunt *h, struct str place)
{
    struct impact *i = h->impact;

    if (i->path_count == LIMIT_REPORT_PATHS) return OK;
    i->paths[i->path_count] = arena_printf(h->arena, "s3://%.*s", STR_ARG(place_plain(place)));
    return i->paths[i->path_count++].data ? OK : no_memory();
}

/* Its place is with the edge that one of its owners has. */
static struct err count_file(struct hunt *h, struct rows *view, const struct dead *dead)
{
    uint8_t prefix[REF_HELD_KEY], holds_key[REF_HOLDS_KEY];
    struct rows_scan scan;
    struct str key, value = STR_NONE;
    struct ref_file file;
    struct ref_id owner;

    (void)ref_key_held(dead->id, h->uuid, ref_root, prefix);
    rows_scan_begin(&scan, view, SPACE_REF_HELD, str_of(prefix, REF_PAIR), false);
    const bool found = rows_scan_next(&scan, &key, &value) && key.len == REF_HELD_KEY
        && memcmp(key.data, prefix, REF_PAIR) == 0;
    if (found) memcpy(owner.bytes, key.data + REF_PAIR, REF_ID);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    if (!found) return OK;
    TRY(rows_get(view, SPACE_REF_HOLDS, ref_key_holds(h->uuid, owner, dead->id, holds_key), &value));
    TRY(ref_file_decode(value, &file));
    if (!ref_is_own(&h->row->places, file.place)) return OK;
    h->impact->files[file.kind]++;
    h->impact->bytes[file.kind] += file.size;
    return count_path(h, file.place);
}

/* ---- a level ---- */

static struct err judge_some(struct hunt *h, const struct dead *at, size_t count, struct deads *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    bool dead = false;

    TRY(view_open(h->store->meta, &view));
    for (size_t i = 0; i < count; i++) {
        TRY(is_dead(h, view, at[i].id, &dead));
        if (!dead) continue;
        TRY(deads_add(ret, at[i]));
        TRY(count_file(h, view, &at[i]));
    }
    return OK;
}

/* Of the candidates, which have not been found before, those that go. */
static struct err judge(struct hunt *h, const struct deads *candidates, struct deads *ret)
{
    const size_t count = deads_count(candidates);

    for (size_t i = 0; i < count; i += LIMIT_IMPACT_VIEW)
        TRY(judge_some(h, deads_at(candidates) + i,
                       count - i < LIMIT_IMPACT_VIEW ? count - i : LIMIT_IMPACT_VIEW, ret));
    return OK;
}

static struct err children_of(struct hunt *h, struct ref_id owner, struct deads *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint8_t prefix[REF_HOLDS_KEY];
    struct rows_scan scan;
    struct str key, value;
    struct ref_file file;
    struct err e = OK;

    TRY(view_open(h->store->meta, &view));
    (void)ref_key_holds(h->uuid, owner, ref_root, prefix);
    rows_scan_begin(&scan, view, SPACE_REF_HOLDS, str_of(prefix, REF_PAIR), false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && key.len == REF_HOLDS_KEY
           && memcmp(key.data, prefix, REF_PAIR) == 0) {
        e = ref_file_decode(value, &file);
        if (e.code == ERR_OK && !deads_have(&h->all, file.id))
            e = deads_add(ret, (struct dead){ .id = file.id, .kind = file.kind, .size = file.size });
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err join(struct hunt *h, const struct deads *found)
{
    buf_append(&h->all.bytes, found->bytes.data, found->bytes.len);
    deads_sort(&h->all);
    return buf_err(&h->all.bytes);
}

static struct err next_level(struct hunt *h, const struct deads *owners, struct deads *candidates)
{
    for (size_t i = 0; i < deads_count(owners); i++) {
        const struct dead *owner = &deads_at(owners)[i];
        if (owner->kind == REF_LIST || owner->kind == REF_MANIFEST)
            TRY(children_of(h, owner->id, candidates));
    }
    deads_sort(candidates);
    return OK;
}

/* candidates and found are the caller's to free. */
static struct err levels(struct hunt *h, struct deads *candidates, struct deads *found)
{
    TRY(judge(h, &h->roots, found));
    while (deads_count(found)) {
        TRY(join(h, found));
        buf_clear(&candidates->bytes);
        TRY(next_level(h, found, candidates));
        buf_clear(&found->bytes);
        TRY(judge(h, candidates, found));
    }
    return OK;
}

/* ---- the roots ---- */

static struct err find_roots(struct hunt *h, const json_t *before, const json_t *after)
{
    struct ref_set old, new;

    const struct ref_origin origin = { .is_external = table_row_is_external(h->row) };
    TRY(ref_metadata_names(before, &origin, h->arena, &old));
    TRY(ref_metadata_names(after, &origin, h->arena, &new));
    for (size_t i = 0; i < old.count; i++) {
        const struct ref_file *f = &old.files[i];
        if (f->kind == REF_METADATA || ref_set_has(&new, f->id)) continue;
        TRY(deads_add(&h->roots, (struct dead){ .id = f->id, .kind = f->kind, .size = f->size }));
    }
    deads_sort(&h->roots);
    return OK;
}

/* *ret_turn: of the worker whose state it is. */
static struct err check_known(struct hunt *h, uint64_t *ret_turn)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct ref_table t;

    TRY(view_open(h->store->meta, &view));
    TRY(ref_table_is_whole(view, h->uuid, &h->impact->is_known, &h->impact->why));
    if (!h->impact->is_known) return OK;
    TRY(ref_table_get(view, h->uuid, &t));
    *ret_turn = t.turn;
    return OK;
}

/* The look took several views: what was seen is of one moment only if nobody has worked on the table since. */
static struct err check_unchanged(struct hunt *h, uint64_t turn)
{
    uint64_t now = turn;

    TRY(check_known(h, &now));
    if (h->impact->is_known && now == turn) return OK;
    *h->impact = (struct impact){ .why = "the table was changed while its files were looked at" };
    return OK;
}

struct err impact_of(struct store *s, const struct table_row *row, const json_t *before, const json_t *after,
                     struct arena *arena, struct impact *ret)
{
    struct hunt h = { .store = s, .uuid = str_from_z(row->uuid), .row = row, .arena = arena, .impact = ret };
    struct deads candidates, found;
    uint64_t turn = 0;

    *ret = (struct impact){ .paths = arena_array(arena, struct str, LIMIT_REPORT_PATHS) };
    if (!ret->paths) return no_memory();
    TRY(check_known(&h, &turn));
    if (!ret->is_known) return OK;
    deads_init(&h.roots);
    deads_init(&h.all);
    deads_init(&candidates);
    deads_init(&found);
    struct err e = find_roots(&h, before, after);
    if (e.code == ERR_OK) e = levels(&h, &candidates, &found);
    buf_done(&h.roots.bytes);
    buf_done(&h.all.bytes);
    buf_done(&candidates.bytes);
    buf_done(&found.bytes);
    TRY(e);
    return check_unchanged(&h, turn);
}
