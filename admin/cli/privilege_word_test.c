/*
 * privilege_word_test.c
 */
#include "admin/cli/privilege_word.h"

#include <string.h>

#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static bool has(const struct grant_words *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++) {
        if (str_is(g->privileges[i], name)) return true;
    }
    return false;
}

TEST(words_of_sql_stand_for_privileges)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    struct grant_words g;

    CHECK_OK(
        grant_words_parse(WORDS("SELECT", "ON", "TABLE", "prod.sales", "TO", "analyst"), "to", arena, &g));
    CHECK(g.on == ON_TABLE && g.count == 2 && has(&g, "TABLE_READ_DATA") && has(&g, "TABLE_LIST"));
    CHECK_STR(str_from_z(g.object), STR("prod.sales"));
    CHECK_STR(str_from_z(g.role), STR("analyst"));
    CHECK_OK(grant_words_parse(WORDS("select,insert,view-list", "on", "namespace", "to", "to", "r"), "to",
                               arena, &g));
    CHECK(g.on == ON_NAMESPACE && has(&g, "TABLE_WRITE_DATA") && has(&g, "VIEW_LIST") && g.count == 7);
    CHECK_OK(grant_words_parse(WORDS("all", "on", "catalog", "from", "r"), "from", arena, &g));
    CHECK(g.on == ON_CATALOG && !g.object && g.count == 1 && has(&g, "CATALOG_MANAGE_CONTENT"));
    CHECK_OK(grant_words_parse(WORDS("all", "on", "catalog", "lake", "from", "r"), "from", arena, &g));
    CHECK_STR(str_from_z(g.object), STR("lake"));
}

TEST(a_wrong_word_of_a_grant_is_named)
{
    static const struct {
        const char *words[8], *said;
    } rows[] = {
        { { NULL }, "a privilege is missing" },
        { { "select" }, "'on' is missing" },
        { { "select", "at", "table", "a.b", "to", "r" }, "'at' stands" },
        { { "select", "on" }, "is missing behind 'on'" },
        { { "select", "on", "tabel", "a.b", "to", "r" }, "did you mean table" },
        { { "select", "on", "table" }, "the name of the table" },
        { { "select", "on", "table", "a.b" }, "'to' is missing" },
        { { "select", "on", "table", "a.b", "to" }, "a role is missing" },
        { { "select", "on", "table", "a.b", "to", "r", "s" }, "'s' is one" },
        { { "selct", "on", "table", "a.b", "to", "r" }, "did you mean select" },
        { { "select,", "on", "table", "a.b", "to", "r" }, "'' is not a privilege" },
        { { "TABLE_1", "on", "table", "a.b", "to", "r" }, "'TABLE_1'" },
        { { "insert", "on", "view", "a.b", "to", "r" }, "nothing on a view" },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    struct grant_words g;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = grant_words_parse(rows[i].words, "to", arena, &g);
        CHECK(e.code == ERR_INVALID_ARGUMENT);
        if (!strstr(e.why, rows[i].said)) test_fail(__FILE__, __LINE__, "%s: %s", rows[i].said, e.why);
    }
}
