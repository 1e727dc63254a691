/*
 * ident_test.c
 */
#include "admin/cli/ident.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(names_are_read_and_printed)
{
    static const struct {
        const char *text, *path; /* path NULL: refused */
        size_t levels;
    } cases[] = {
        { "a", "a", 1 },
        { "a.b.c", "a%1Fb%1Fc", 3 },
        { "\"a.b\".c", "a.b%1Fc", 2 },
        { "\"x\"\"y\"", "x%22y", 1 },
        { "a/b \xc3\xbc.c", "a%2Fb%20%C3%BC%1Fc", 2 },
        { "", NULL, 0 },
        { ".", NULL, 0 },
        { "a.", NULL, 0 },
        { ".a", NULL, 0 },
        { "a..b", NULL, 0 },
        { "\"a", NULL, 0 },
        { "\"\"", NULL, 0 },
        { "\"a\"b", NULL, 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
        struct ident ident;
        const struct err e = ident_parse(str_from_z(cases[i].text), arena, &ident);
        if (!cases[i].path) {
            CHECK_ERR(e, ERR_INVALID_ARGUMENT);
            continue;
        }
        CHECK_OK(e);
        CHECK_U64(ident.count, cases[i].levels);
        CHECK_STR(ident_to_path(&ident, arena), str_from_z(cases[i].path));
        json_t *levels = ident_to_json(&ident);
        CHECK_STR(ident_print(levels, STR_NONE, arena), str_from_z(cases[i].text));
        json_decref(levels);
    }
}

TEST(a_table_stands_behind_its_namespace)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    json_t *levels = json_pack("[s, s]", "a", "b");

    CHECK_STR(ident_print(levels, STR("t.1"), arena), STR("a.b.\"t.1\""));
    json_decref(levels);
}

TEST(too_many_levels_are_refused)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    char text[2 * IDENT_LEVELS_MAX + 2];
    struct ident ident;

    for (size_t i = 0; i < sizeof(text) - 1; i++) text[i] = i % 2 ? '.' : 'a';
    text[sizeof(text) - 1] = '\0';
    CHECK_ERR(ident_parse(str_of(text, sizeof(text) - 1), arena, &ident), ERR_INVALID_ARGUMENT);
    CHECK_OK(ident_parse(str_of(text, sizeof(text) - 3), arena, &ident));
}
