/*
 * suggest_test.c
 */
#include "admin/cli/suggest.h"

#include "tests/unit/test.h"

static const char *const known[] = { "bucket", "object", "table", "list", "rm", "older-than", NULL };

static const char *nearest(const char *word)
{
    struct suggestion s = suggest_for(str_from_z(word));

    for (size_t i = 0; known[i]; i++) suggest_offer(&s, known[i]);
    return s.best;
}

TEST(a_mistyped_word_finds_the_one_that_was_meant)
{
    static const struct {
        const char *word, *meant;
    } rows[] = {
        { "bukcet", "bucket" }, { "buckets", "bucket" },       { "tabel", "table" }, { "lst", "list" },
        { "bucket", "bucket" }, { "olderthan", "older-than" }, { "r", "rm" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *best = nearest(rows[i].word);
        CHECK(best);
        CHECK_STR(str_from_z(best), str_from_z(rows[i].meant));
    }
}

TEST(a_word_far_from_all_finds_none)
{
    CHECK(!nearest("paint") && !nearest("") && !nearest("xy"));
    CHECK(!nearest("a-word-that-is-longer-than-any-that-we-know-of"));
}
