/* fuzz_ref_names.c - what metadata names: each file once, in order, at a place of this store, or of another endpoint; and no snapshot's list is missing. */
#include <stdlib.h>

#include "catalog/refs/ref_source.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must_have_lists(const json_t *metadata, bool is_external, const struct ref_set *set, struct arena *arena)
{
    json_t *snapshot;
    size_t i;

    json_array_foreach(json_object_get(metadata, "snapshots"), i, snapshot)
    {
        const struct str url = json_str(json_object_get(snapshot, "manifest-list"));
        struct str place;
        if (url.len == 0 || ref_place(url, is_external, arena, &place).code != ERR_OK || place.len == 0) continue;
        if (!ref_set_has(set, ref_id_of(REF_LIST, place))) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    const struct ref_origin origin = { .location = STR("s3://bucket/t/metadata/1.metadata.json"), .is_external = len & 1 };
    struct ref_set set = { .count = 0 };
    json_t *metadata = NULL;

    if (metadata_parse(METADATA_TABLE, str_of(data, len), &metadata).code == ERR_OK
        && ref_metadata_names(metadata, &origin, arena, &set).code == ERR_OK) {
        if (set.count == 0) abort();
        for (size_t i = 0; i < set.count; i++) {
            if (i > 0 && ref_id_cmp(&set.files[i - 1].id, &set.files[i].id) >= 0) abort();
            if (str_find_char(set.files[i].place, '/') + 1 >= set.files[i].place.len) abort();
        }
        must_have_lists(metadata, origin.is_external, &set, arena);
    }
    json_decref(metadata);
    arena_free(arena);
    return 0;
}
