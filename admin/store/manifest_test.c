/* manifest_test.c - what is printed is read again, and what is not of the form is refused with what is wrong. */
#include "admin/store/manifest.h"

#include <stdio.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "tests/unit/test.h"

#define FILE_ROW "{\"path\":\"volumes/1.vol\",\"file\":\"1-1.vol\",\"bytes\":5,\"mtime-ns\":7,\"crc32c\":9}"
#define MANIFEST(format, number, store, files)                                                               \
    "{\"format\":" format ",\"number\":" number ",\"made\":1,\"store\":\"" store "\",\"files\":[" files "]}\n"
#define STORE_ID "000102030405060708090a0b0c0d0e0f"

static struct err parse(struct arena *arena, const char *line, struct manifest *ret)
{
    struct str text = arena_printf(arena, "%s%08x\n", line, crc32c(0, line, strlen(line)));

    return manifest_parse(text, arena, ret);
}

TEST(a_printed_manifest_is_read_again)
{
    struct arena *arena = arena_new(1 * MIB);
    struct manifest m, again;
    struct buf text;

    CHECK_OK(parse(arena, MANIFEST("1", "4", STORE_ID, FILE_ROW), &m));
    buf_init(&text, 1 * MIB);
    CHECK_OK(manifest_print(&m, &text));
    CHECK_OK(manifest_parse(buf_view(&text), arena, &again));
    CHECK_U64(again.number, 4);
    const struct backup_file *file = manifest_find(&again, STR("volumes/1.vol"));
    CHECK(file != NULL && manifest_find(&again, STR("volumes/2.vol")) == NULL);
    CHECK(file->bytes == 5 && file->mtime_ns == 7 && file->crc32c == 9);
    CHECK_STR(file->file, STR("1-1.vol"));
    text.data[20] ^= 1;
    CHECK_ERR(manifest_parse(buf_view(&text), arena, &again), ERR_CORRUPT);
    buf_done(&text);
    arena_free(arena);
}

TEST(a_manifest_that_is_not_of_the_form_is_refused)
{
    static const struct {
        const char *line, *why;
    } rows[] = {
        { "[]\n", "format" },
        { MANIFEST("2", "1", STORE_ID, ""), "format 2 is not known" },
        { MANIFEST("1", "0", STORE_ID, ""), "number" },
        { MANIFEST("1", "1", "12", ""), "store" },
        { MANIFEST("1", "1", STORE_ID, FILE_ROW "," FILE_ROW), "named twice" },
        { MANIFEST("1", "1", STORE_ID,
                   "{\"path\":\"../x\",\"file\":\"x\",\"bytes\":5,\"mtime-ns\":7,\"crc32c\":9}"),
          "name" },
        { MANIFEST("1", "1", STORE_ID,
                   "{\"path\":\"/x\",\"file\":\"x\",\"bytes\":5,\"mtime-ns\":7,\"crc32c\":9}"),
          "name" },
        { MANIFEST("1", "1", STORE_ID,
                   "{\"path\":\"x/\",\"file\":\"x\",\"bytes\":5,\"mtime-ns\":7,\"crc32c\":9}"),
          "name" },
        { MANIFEST("1", "1", STORE_ID,
                   "{\"path\":\"x\",\"file\":\"a/b\",\"bytes\":5,\"mtime-ns\":7,\"crc32c\":9}"),
          "name" },
        { MANIFEST("1", "1", STORE_ID,
                   "{\"path\":\"x\",\"file\":\"x\",\"bytes\":-5,\"mtime-ns\":7,\"crc32c\":9}"),
          "number" },
        { MANIFEST("1", "1", STORE_ID, "{\"path\":\"x\",\"file\":\"x\",\"bytes\":5,\"mtime-ns\":7}"),
          "crc32c" },
    };
    struct arena *arena = arena_new(1 * MIB);
    struct manifest m;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = parse(arena, rows[i].line, &m);
        if (e.code != ERR_CORRUPT || !strstr(e.why, rows[i].why))
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].line, e.why ? e.why : "taken");
    }
    arena_free(arena);
}
