/*
 * ref_source.c - metadata, manifest lists and manifests as lists of files.
 *
 * A list or manifest is read a window at a time: one of a hundred thousand entries takes no more memory than a small one.
 */
#include "catalog/refs/ref_source.h"

#include <stdlib.h>

#include "catalog/avro/manifest.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- metadata ---- */

struct collector {
    struct arena *arena;
    struct ref_file *files;
    size_t count, size;
    bool is_external;
};

static struct err collect(struct collector *c, enum ref_kind kind, struct str url, uint64_t size)
{
    struct str place;

    if (url.len == 0) return OK;
    TRY(ref_place(url, c->is_external, c->arena, &place));
    if (place.len == 0) return OK;
    if (c->count == c->size) return FAIL(ERR_INTERNAL, "more files in the metadata than were counted");
    c->files[c->count++] = ref_file_at(kind, place, size);
    return OK;
}

static struct err collect_list(struct collector *c, const json_t *list, const char *field, enum ref_kind kind)
{
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)list, i, element)
    {
        const json_int_t size = json_integer_value(json_object_get(element, "file-size-in-bytes"));
        const struct str url = json_str(json_object_get(element, field));
        TRY(collect(c, kind, url, size > 0 ? (uint64_t)size : 0));
    }
    return OK;
}

/* Snapshots of version 1 may name their manifests themselves. */
static struct err collect_snapshots(struct collector *c, const json_t *snapshots)
{
    json_t *snapshot, *manifest;
    size_t i, j;

    TRY(collect_list(c, snapshots, "manifest-list", REF_LIST));
    json_array_foreach((json_t *)snapshots, i, snapshot)
    {
        json_array_foreach(json_object_get(snapshot, "manifests"), j, manifest)
        {
            TRY(collect(c, REF_MANIFEST, json_str(manifest), 0));
        }
    }
    return OK;
}

static size_t count_of(const json_t *metadata)
{
    static const char *const lists[] = { "snapshots", "metadata-log", "statistics", "partition-statistics" };
    size_t count = 1, i;
    json_t *snapshot;

    for (size_t n = 0; n < sizeof(lists) / sizeof(lists[0]); n++)
        count += json_array_size(json_object_get(metadata, lists[n]));
    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        count += json_array_size(json_object_get(snapshot, "manifests"));
    }
    return count;
}

static int by_id(const void *a, const void *b)
{
    const struct ref_file *x = a, *y = b;

    return ref_id_cmp(&x->id, &y->id);
}

static size_t without_repeats(struct ref_file *files, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || by_id(&files[kept - 1], &files[i]) != 0) files[kept++] = files[i];
    }
    return kept;
}

bool ref_set_has(const struct ref_set *set, struct ref_id id)
{
    const struct ref_file wanted = { .id = id };

    return bsearch(&wanted, set->files, set->count, sizeof(wanted), by_id) != NULL;
}

struct err ref_metadata_names(const json_t *metadata, const struct ref_origin *origin, struct arena *arena,
                              struct ref_set *ret)
{
    struct collector c = { .arena = arena, .size = count_of(metadata), .is_external = origin->is_external };

    c.files = arena_array(arena, struct ref_file, c.size);
    if (!c.files) return no_memory();
    TRY(collect(&c, REF_METADATA, origin->location, origin->size));
    TRY(collect_list(&c, json_object_get(metadata, "metadata-log"), "metadata-file", REF_METADATA));
    TRY(collect_snapshots(&c, json_object_get(metadata, "snapshots")));
    TRY(collect_list(&c, json_object_get(metadata, "statistics"), "statistics-path", REF_STATISTICS));
    TRY(collect_list(&c, json_object_get(metadata, "partition-statistics"), "statistics-path",
                     REF_STATISTICS));
    qsort(c.files, c.count, sizeof(c.files[0]), by_id);
    *ret = (struct ref_set){ .files = c.files, .count = without_repeats(c.files, c.count) };
    return OK;
}

/* ---- lists and manifests ---- */

struct ref_source {
    enum ref_kind kind; /* LIST or MANIFEST: of the owner */
    struct warehouse_file *file;
    struct manifest_list list;
    struct manifest manifest;
    bool is_open, is_external;
};

struct err ref_source_open(const struct warehouse *home, const struct ref_file *owner, struct arena *arena,
                           struct ref_source **ret)
{
    struct ref_source *src = arena_new_of(arena, struct ref_source);

    if (!src) return no_memory();
    src->kind = owner->kind;
    src->is_external = home->is_external;
    struct err e = warehouse_file_open(home, owner->place, &src->file);
    if (e.code == ERR_OK) {
        const struct input in = input_of_reader(warehouse_file_read, src->file, ref_source_size(src));
        e = src->kind == REF_LIST ? manifest_list_open(in, &src->list) : manifest_open(in, &src->manifest);
        src->is_open = e.code == ERR_OK;
    }
    if (e.code != ERR_OK) src = ref_source_close(src);
    *ret = src;
    return e;
}

uint64_t ref_source_size(const struct ref_source *src)
{
    return warehouse_file_size(src->file);
}

struct ref_source *ref_source_close(struct ref_source *src)
{
    if (!src) return NULL;
    if (src->is_open && src->kind == REF_LIST) manifest_list_close(&src->list);
    if (src->is_open && src->kind == REF_MANIFEST) manifest_close(&src->manifest);
    src->is_open = false;
    src->file = warehouse_file_close(src->file);
    return NULL;
}

/* ERR_OK with a path without bytes: the end. */
static struct err next_path(struct ref_source *src, struct str *ret_path, enum ref_kind *ret_kind,
                            int64_t *ret_size)
{
    struct manifest_file file;
    struct manifest_entry entry;

    *ret_path = STR_NONE;
    if (src->kind == REF_LIST) {
        if (!manifest_list_next(&src->list, &file)) return src->list.err;
        *ret_path = file.path;
        *ret_kind = REF_MANIFEST;
        *ret_size = file.length;
        return OK;
    }
    do {
        if (!manifest_next(&src->manifest, &entry)) return src->manifest.err;
    } while (entry.status == MANIFEST_DELETED);
    *ret_path = entry.file_path;
    *ret_kind = entry.content == FILE_DATA ? REF_DATA : REF_DELETES;
    *ret_size = entry.file_size_bytes;
    return OK;
}

struct err ref_source_next(struct ref_source *src, struct arena *place_arena, struct ref_file *ret,
                           bool *ret_is_end)
{
    struct str path, place = STR_NONE;
    enum ref_kind kind = REF_DATA;
    int64_t size = 0;

    while (place.len == 0) {
        TRY(next_path(src, &path, &kind, &size));
        *ret_is_end = path.len == 0;
        if (*ret_is_end) return OK;
        TRY(ref_place(path, src->is_external, place_arena, &place));
    }
    *ret = ref_file_at(kind, place, size > 0 ? (uint64_t)size : 0);
    return OK;
}
