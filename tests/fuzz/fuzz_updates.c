/* fuzz_updates.c - updates and requirements of anybody, on a small table: what is accepted is metadata that is accepted again, and the base is not touched. */
#include <stdlib.h>

#include "catalog/commit/apply.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static json_t *table(void)
{
    json_t *t, *schema = json_pack("{s:s, s:[{s:i, s:s, s:b, s:s}, {s:i, s:s, s:b, s:s}]}", "type", "struct", "fields", "id", 1, "name", "a", "required", 0, "type", "long", "id", 2,
                                   "name", "d", "required", 0, "type", "date");
    const struct table_create_parts parts = { .schema = schema, .location = STR("s3://b/t"), .now_ms = 1 };

    if (apply_create_table(&parts, &t).code != ERR_OK) abort();
    json_decref(schema);
    return t;
}

/* Input: {"requirements": [...], "updates": [...]}, as a client sends it; with "new" the table is made by it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *body, *base = table(), *before = json_deep_copy(base), *again = NULL;
    struct apply_output out = { .metadata = NULL };
    struct buf text;

    if (json_parse(str_of(data, len), &body).code == ERR_OK) {
        const struct apply_input in = { .kind = METADATA_TABLE, .base = json_object_get(body, "new") ? NULL : base, .base_file = STR("s3://b/t/metadata/00000-x.metadata.json"),
                                        .requirements = json_object_get(body, "requirements"), .updates = json_object_get(body, "updates"), .now_ms = 2 };
        buf_init(&text, LIMIT_JSON_BYTES);
        if (apply_commit(&in, &out).code == ERR_OK && (json_print(out.metadata, &text).code != ERR_OK || metadata_parse(METADATA_TABLE, buf_view(&text), &again).code != ERR_OK)) abort();
        if (!json_equal(base, before)) abort();
        buf_done(&text);
        json_decref(again), json_decref(out.metadata), json_decref(body);
    }
    json_decref(before), json_decref(base);
    return 0;
}
