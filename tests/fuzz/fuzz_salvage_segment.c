/* fuzz_salvage_segment.c - whatever a journal segment holds, only rows of whole batches are taken out of it, and none more than there can be. */
#include <stdlib.h>

#include "admin/store/salvage_state.h"
#include "storage/meta/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memtable *names = memtable_new();
    struct salvage_result r = { 0 };
    struct salvage_order o;
    struct memtable_cursor c;
    struct memtable_row row;

    must(names && !salvage_order_init(&o, names).code);
    must(!salvage_segment(str_of((const char *)data, len), 1, &o, &r).code && !salvage_order_settle(&o).code);
    must(r.segments == 1 && r.batches <= len / 512 && r.gaps <= len / 512 + 1);
    must(r.batches || !memtable_rows(names));
    for (bool more = memtable_seek(&c, memtable_working(names), 0, STR_NONE, false); more; more = memtable_next(&c)) {
        memtable_at(&c, &row);
        must((row.space == SPACE_OBJECTS || row.space == SPACE_BUCKETS) && row.key.len > 0);
    }
    salvage_order_done(&o);
    memtable_free(names);
    return 0;
}
