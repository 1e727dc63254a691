/*
 * file_scan.c - a walk over HOLDS, in the order of its keys: owner by owner.
 *
 * A file that several owners name is told at the first of them that is in the scope, which its rows in HELD say. So nothing has to be remembered of what was told, and a walk can begin anywhere.
 */
#include "catalog/maintain/file_scan.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- the scope ---- */

static int by_id(const void *a, const void *b)
{
    return ref_id_cmp(a, b);
}

static struct err head_add(struct file_scope *scope, struct ref_file file, size_t *room, struct arena *arena)
{
    struct ref_file *heads = arena_grow(arena, scope->heads, scope->head_count, room, sizeof(*heads));

    if (!heads) return no_memory();
    heads[scope->head_count++] = file;
    scope->heads = heads;
    return OK;
}

/* What the list holds. */
static struct err add_manifests(struct rows *r, struct ref_id list, size_t *room, struct arena *arena,
                                struct file_scope *scope)
{
    uint8_t prefix[REF_HOLDS_KEY];
    struct rows_scan scan;
    struct str key, value;
    struct ref_file file;
    struct err e = OK;

    (void)ref_key_holds(scope->uuid, list, ref_root, prefix);
    rows_scan_begin(&scan, r, SPACE_REF_HOLDS, str_of(prefix, REF_PAIR), false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value)
           && str_starts(key, str_of(prefix, REF_PAIR))) {
        e = ref_file_keep(value, arena, &file);
        if (e.code == ERR_OK) e = head_add(scope, file, room, arena);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err add_url(const json_t *url, enum ref_kind kind, size_t *room, struct arena *arena,
                          struct file_scope *scope)
{
    struct str place;

    TRY(ref_place(json_str(url), scope->is_external, arena, &place));
    return place.len ? head_add(scope, ref_file_at(kind, place, 0), room, arena) : OK;
}

/* A list that was read has its size with its edge from the metadata. */
static struct err take_size(struct rows *r, struct str uuid, struct ref_file *list)
{
    uint8_t key[REF_HOLDS_KEY];
    struct ref_file held;
    struct str value;
    const struct err e = rows_get(r, SPACE_REF_HOLDS, ref_key_holds(uuid, ref_root, list->id, key), &value);

    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(ref_file_decode(value, &held));
    list->size = held.size;
    return OK;
}

struct err file_scope_of(struct rows *r, const json_t *snapshot, struct arena *arena, struct file_scope *ret)
{
    const json_t *list = json_object_get(snapshot, "manifest-list");
    struct file_scope scope = { .uuid = ret->uuid, .is_external = ret->is_external };
    size_t room = 0, i;
    json_t *url;

    if (list) TRY(add_url(list, REF_LIST, &room, arena, &scope));
    json_array_foreach(json_object_get(snapshot, "manifests"), i, url)
    {
        TRY(add_url(url, REF_MANIFEST, &room, arena, &scope)); /* of version 1 */
    }
    const size_t given = scope.head_count;
    for (i = 0; i < given; i++) TRY(take_size(r, scope.uuid, &scope.heads[i]));
    if (list && given) TRY(add_manifests(r, scope.heads[0].id, &room, arena, &scope));
    struct ref_id *ids = arena_array(arena, struct ref_id, scope.head_count + 1);
    if (!ids) return no_memory();
    for (i = 0; i < scope.head_count; i++) {
        if (scope.heads[i].kind == REF_MANIFEST) ids[scope.manifest_count++] = scope.heads[i].id;
    }
    if (scope.manifest_count) qsort(ids, scope.manifest_count, sizeof(*ids), by_id);
    scope.manifests = ids;
    *ret = scope;
    return OK;
}

static bool is_in_scope(const struct file_scope *scope, struct ref_id owner)
{
    return scope->is_all
        || (scope->manifest_count
            && bsearch(&owner, scope->manifests, scope->manifest_count, sizeof(owner), by_id));
}

/* ---- how many snapshots ---- */

/* Append who names the file, by id. */
static struct err add_owners(struct file_scan *scan, struct ref_id file, struct buf *owners)
{
    uint8_t prefix[REF_HELD_KEY];
    struct rows_scan held;
    struct str key, value;

    (void)ref_key_held(file, scan->scope->uuid, ref_root, prefix);
    rows_scan_begin(&held, scan->rows, SPACE_REF_HELD, str_of(prefix, REF_PAIR), false);
    while (rows_scan_next(&held, &key, &value) && str_starts(key, str_of(prefix, REF_PAIR))) {
        buf_append(owners, key.data + REF_PAIR, REF_ID);
        scan->visited++;
    }
    const struct err e = held.err;
    rows_scan_done(&held);
    TRY(e);
    return buf_err(owners);
}

static const struct ref_id *ids_in(const struct buf *b, size_t *ret_count)
{
    *ret_count = b->len / sizeof(struct ref_id);
    return (const struct ref_id *)(const void *)b->data;
}

/* Different ids among them, but for the metadata itself. */
static uint64_t count_different(struct buf *b)
{
    size_t count;
    struct ref_id *ids = (struct ref_id *)(void *)b->data;
    uint64_t different = 0;

    (void)ids_in(b, &count);
    if (count) qsort(ids, count, sizeof(*ids), by_id);
    for (size_t i = 0; i < count; i++) {
        if (ref_id_cmp(&ids[i], &ref_root) != 0 && (i == 0 || ref_id_cmp(&ids[i - 1], &ids[i]) != 0))
            different++;
    }
    return different;
}

/* owners: of a data file, its manifests. */
static struct err count_of_manifests(struct file_scan *scan, const struct buf *owners, uint64_t *ret)
{
    size_t count;
    const struct ref_id *manifests = ids_in(owners, &count);

    if (count == 1 && ref_id_cmp(&manifests[0], &scan->manifest) == 0) {
        *ret = scan->manifest_lists;
        return OK;
    }
    buf_clear(&scan->lists);
    for (size_t i = 0; i < count; i++) TRY(add_owners(scan, manifests[i], &scan->lists));
    *ret = count_different(&scan->lists);
    if (count == 1) {
        scan->manifest = manifests[0];
        scan->manifest_lists = *ret;
    }
    return OK;
}

static struct err count_snapshots(struct file_scan *scan, const struct ref_file *file, struct buf *owners,
                                  uint64_t *ret)
{
    *ret = 0;
    switch (file->kind) {
    case REF_METADATA:
    case REF_STATISTICS: return OK;
    case REF_LIST: *ret = 1; return OK;
    case REF_MANIFEST: *ret = count_different(owners); return OK;
    case REF_DATA:
    case REF_DELETES: return count_of_manifests(scan, owners, ret);
    case REF_KIND_COUNT: break;
    }
    return FAIL(ERR_CORRUPT, "a reference row is damaged");
}

/* ---- the walk ---- */

void file_scan_begin(struct file_scan *scan, struct rows *r, const struct file_scope *scope,
                     struct file_place at)
{
    *scan = (struct file_scan){ .rows = r, .scope = scope, .at = at };
    buf_init(&scan->lists, LIMIT_IMPACT_FILES * sizeof(struct ref_id));
}

void file_scan_done(struct file_scan *scan)
{
    if (scan->is_open) rows_scan_done(&scan->edges);
    scan->is_open = false;
    buf_done(&scan->lists);
}

/* On to the next manifest of the scope behind an owner that is none. False: there is none. */
static bool skip_to(struct file_scan *scan, struct ref_id owner)
{
    const struct file_scope *scope = scan->scope;
    uint8_t key[REF_HOLDS_KEY];
    size_t from = 0, to = scope->manifest_count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (ref_id_cmp(&scope->manifests[middle], &owner) < 0) from = middle + 1;
        else to = middle;
    }
    if (from == scope->manifest_count) return false;
    rows_scan_seek(&scan->edges, ref_key_holds(scope->uuid, scope->manifests[from], ref_root, key));
    return true;
}

/* The next row of HOLDS in the scope, behind the place; the place is then at it. */
static struct err next_edge(struct file_scan *scan, struct ref_file *ret, bool *ret_is_end)
{
    const struct str uuid = scan->scope->uuid;
    uint8_t from[REF_HOLDS_KEY];
    struct str key, value;
    struct ref_id owner;

    (void)ref_key_holds(uuid, scan->at.owner, scan->at.file, from);
    if (!scan->is_open)
        rows_scan_begin(&scan->edges, scan->rows, SPACE_REF_HOLDS, str_of(from, sizeof(from)), false);
    scan->is_open = true;
    *ret_is_end = true;
    while (rows_scan_next(&scan->edges, &key, &value) && str_starts(key, uuid) && key.len == REF_HOLDS_KEY) {
        scan->visited++;
        memcpy(owner.bytes, key.data + REF_UUID, REF_ID);
        if (!is_in_scope(scan->scope, owner)) {
            if (!skip_to(scan, owner)) break;
            continue;
        }
        if (memcmp(key.data, from, sizeof(from)) == 0) continue; /* where the last walk ended */
        scan->at.owner = owner;
        memcpy(scan->at.file.bytes, key.data + REF_PAIR, REF_ID);
        *ret_is_end = false;
        return ref_file_decode(value, ret);
    }
    return scan->edges.err;
}

static bool is_first(const struct file_scan *scan, const struct buf *owners)
{
    size_t count;
    const struct ref_id *ids = ids_in(owners, &count);

    for (size_t i = 0; i < count; i++) {
        if (is_in_scope(scan->scope, ids[i])) return ref_id_cmp(&ids[i], &scan->at.owner) == 0;
    }
    return true;
}

static struct err next_held(struct file_scan *scan, struct buf *owners, struct ref_file *ret,
                            bool *ret_is_end)
{
    for (;;) {
        TRY(next_edge(scan, ret, ret_is_end));
        if (*ret_is_end) return OK;
        buf_clear(owners);
        TRY(add_owners(scan, ret->id, owners));
        if (is_first(scan, owners)) return OK;
    }
}

struct err file_scan_next(struct file_scan *scan, struct ref_file *ret, uint64_t *ret_snapshots,
                          bool *ret_is_end)
{
    CLEANUP(buf_done) struct buf owners;

    buf_init(&owners, LIMIT_IMPACT_FILES * sizeof(struct ref_id));
    *ret_is_end = false;
    if (scan->at.heads < scan->scope->head_count) {
        *ret = scan->scope->heads[scan->at.heads++];
        TRY(add_owners(scan, ret->id, &owners));
        return count_snapshots(scan, ret, &owners, ret_snapshots);
    }
    TRY(next_held(scan, &owners, ret, ret_is_end));
    return *ret_is_end ? OK : count_snapshots(scan, ret, &owners, ret_snapshots);
}
