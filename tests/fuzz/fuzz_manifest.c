/* fuzz_manifest.c - what is taken from a manifest or a manifest list is in range: paths are there and are text, sizes are not negative, pieces are inside. */
#include <stdlib.h>

#include "catalog/avro/manifest.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

static bool is_path(struct str s)
{
    return s.len > 0 && s.len <= LIMIT_AVRO_STRING && str_is_utf8(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct manifest_list list;
    struct manifest_file file;
    struct manifest manifest;
    struct manifest_entry e;

    if (manifest_list_open(input_of_bytes(str_of(data, len)), &list).code == ERR_OK) {
        while (manifest_list_next(&list, &file)) must(is_path(file.path) && file.length >= 0 && file.partition_spec_id >= 0 && file.added_files >= MANIFEST_NONE);
        must(!list.err.code || list.err.why);
        manifest_list_close(&list);
    }
    if (manifest_open(input_of_bytes(str_of(data, len)), &manifest).code != ERR_OK) return 0;
    while (manifest_next(&manifest, &e)) {
        must(is_path(e.file_path) && e.record_count >= 0 && e.file_size_bytes >= 0 && e.status <= MANIFEST_DELETED && e.content <= FILE_EQUALITY_DELETES);
        must(e.content_size == MANIFEST_NONE || e.content_offset + e.content_size <= e.file_size_bytes);
    }
    manifest_close(&manifest);
    return 0;
}
