/* fuzz_backup_manifest.c - a backup's manifest is refused, or no name in it leads out of a directory; and it prints to what parses to the same. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/store/manifest.h"
#include "storage/base/digest.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

/* Relative, and without a piece "." or ".."; "a..b" is a name as any other. */
static bool stays_inside(struct str path)
{
    struct str piece;

    for (struct str_split it = str_split_on(path, '/'); str_split_next(&it, &piece);) {
        if (!piece.len || str_is(piece, ".") || str_is(piece, "..")) return false;
    }
    return path.len > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64 * MIB);
    struct manifest m, again;
    struct buf text;

    buf_init(&text, 64 * MIB); /* the input is the line of JSON: its checksum is made to fit */
    buf_append(&text, data, len);
    buf_printf(&text, "%08x\n", crc32c(0, data, len));
    if (manifest_parse(buf_view(&text), arena, &m).code == ERR_OK) {
        for (size_t i = 0; i < m.count; i++) {
            must(stays_inside(m.files[i].path));
            must(!str_contains(m.files[i].file, STR("/")) && m.files[i].file.data[0] != '.');
        }
        buf_clear(&text);
        must(manifest_print(&m, &text).code == ERR_OK);
        must(manifest_parse(buf_view(&text), arena, &again).code == ERR_OK && again.count == m.count);
    }
    buf_done(&text);
    arena_free(arena);
    return 0;
}
