/*
 * options_test.c - the words behind a verb.
 */
#include "admin/cli/options.h"

#include "tests/unit/test.h"

static struct err parse(unsigned allowed, const char *const *words, struct options *ret)
{
    char *argv[20];
    int argc = 0;

    while (words[argc]) {
        argv[argc] = (char *)words[argc];
        argc++;
    }
    return options_parse(argc, argv, allowed, ret);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(flags_and_words_may_be_mixed)
{
    struct options o;

    CHECK_OK(parse(FLAG_JSON | FLAG_OLDER_THAN | FLAG_KEEP,
                   WORDS("--keep=5", "a.b", "--older-than", "7d", "--json", "c"), &o));
    CHECK(o.word_count == 2 && strcmp(o.words[0], "a.b") == 0 && strcmp(o.words[1], "c") == 0);
    CHECK(o.is_json && !o.is_yes && !o.endpoint);
    CHECK(o.keep == 5 && o.older_than_ms == 7 * 86400000LL);
}

TEST(what_is_not_given_is_told_apart)
{
    struct options o;

    CHECK_OK(parse(0, WORDS("x"), &o));
    CHECK(o.keep == -1 && o.older_than_ms == -1 && !o.data);
}

TEST(two_dashes_end_the_flags)
{
    struct options o;

    CHECK_OK(parse(FLAG_JSON, WORDS("--", "--json"), &o));
    CHECK(!o.is_json && o.word_count == 1 && strcmp(o.words[0], "--json") == 0);
}

TEST(help_is_always_allowed)
{
    struct options o;

    CHECK_OK(parse(0, WORDS("--help"), &o));
    CHECK(o.is_help);
    CHECK_OK(parse(0, WORDS("-h"), &o));
    CHECK(o.is_help);
}

TEST(wrong_words_are_refused_by_name)
{
    static const struct {
        const char *words[18];
        const char *in_why;
    } cases[] = {
        { { "--jsn" }, "--jsn" },
        { { "--yes" }, "--yes" }, /* not one of this verb's */
        { { "--json", "--json" }, "twice" },
        { { "--json=1" }, "no value" },
        { { "--keep" }, "needs a value" },
        { { "--keep", "0" }, "'0'" },
        { { "--keep", "x" }, "'x'" },
        { { "--older-than", "soon" }, "'soon'" },
        { { "--older-than=" }, "empty" },
        { { "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "last" },
          "'last'" },
    };
    struct options o;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct err e = parse(FLAG_JSON | FLAG_KEEP | FLAG_OLDER_THAN, cases[i].words, &o);
        if (e.code != ERR_INVALID_ARGUMENT || !strstr(e.why, cases[i].in_why))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].words[0], e.why ? e.why : "was taken");
    }
}
