/* fuzz_rows.c - the rows of objects, uploads, parts, volumes and what waits to be cleared away: what is read is written as it was, to the byte. */
#include <stdlib.h>

#include "storage/object/garbage.h"
#include "storage/object/upload_row.h"
#include "storage/volume/volume_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

static bool append(struct buf *out, struct str s)
{
    buf_append(out, s.data, s.len);
    return true;
}

/* The input: which row, then its bytes; of garbage the key's before them. Each case: is it one, and as it is written again. */
static bool read_and_write(uint8_t kind, struct str row, struct arena *arena, struct buf *out)
{
    struct object_info object;
    struct upload_row upload;
    struct part_row part;
    struct garbage garbage;
    struct extent_row extent;
    struct freed_row freed;
    struct volume_row volume;
    static uint8_t bytes[PART_ROW_BYTES_MAX];

    switch (kind % 7) {
    case 0: return !object_decode(row, arena, &object).code && (object_encode(&object, out), true);
    case 1: return !upload_row_decode(row, &upload).code && (upload_row_encode(&upload, out), true);
    case 2: return !part_row_decode(row, &part).code && append(out, part_row_encode(&part, bytes));
    case 3:
        if (row.len < GARBAGE_KEY_BYTES || garbage_decode(str_slice(row, 0, GARBAGE_KEY_BYTES), str_slice(row, GARBAGE_KEY_BYTES, row.len), &garbage).code) return false;
        append(out, garbage_key(&garbage, bytes));
        garbage_encode(&garbage, out);
        return true;
    case 4: return !extent_row_decode(row, &extent).code && append(out, extent_row_encode(&extent, bytes));
    case 5: return !freed_row_decode(row, &freed).code && append(out, freed_row_encode(&freed, bytes));
    default: return !volume_row_decode(row, &volume).code && append(out, volume_row_encode(&volume, bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    const struct str row = str_of(data + 1, len ? len - 1 : 0);
    struct buf out, again;

    buf_init(&out, 64 * MIB);
    buf_init(&again, 64 * MIB);
    if (len && read_and_write(data[0], row, arena, &out)) {
        must(read_and_write(data[0], buf_view(&out), arena, &again));
        must(str_eq(buf_view(&out), buf_view(&again)));
    }
    buf_done(&out);
    buf_done(&again);
    arena_free(arena);
    return 0;
}
