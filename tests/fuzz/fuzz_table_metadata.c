/* fuzz_table_metadata.c - a metadata file that is accepted can be committed to, and what comes of it is accepted again; the base is not touched. */
#include <stdlib.h>

#include "catalog/commit/apply.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_again(enum metadata_kind kind, const json_t *metadata)
{
    struct buf out;
    json_t *again = NULL;

    buf_init(&out, LIMIT_JSON_BYTES);
    if (json_print(metadata, &out).code != ERR_OK || metadata_parse(kind, buf_view(&out), &again).code != ERR_OK) abort();
    json_decref(again);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (int kind = METADATA_TABLE; kind <= METADATA_VIEW; kind++) {
        json_t *base, *updates = json_pack("[{s:s, s:{s:s}}]", "action", "set-properties", "updates", "fuzz", "ed");
        struct apply_output out = { .metadata = NULL };

        if (metadata_parse(kind, str_of(data, len), &base).code == ERR_OK) {
            json_t *before = json_deep_copy(base);
            const struct apply_input in = { .kind = kind, .base = base, .base_file = STR("s3://b/t/metadata/00007-x.metadata.json"), .updates = updates, .now_ms = 1 };
            if (apply_commit(&in, &out).code == ERR_OK) check_again(kind, out.metadata);
            if (!json_equal(base, before)) abort();
            json_decref(out.metadata);
            json_decref(before);
            json_decref(base);
        }
        json_decref(updates);
    }
    return 0;
}
