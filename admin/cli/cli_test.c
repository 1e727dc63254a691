/*
 * cli_test.c - words and exit codes that need no server.
 */
#include "admin/cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/cli/verb.h"
#include "tests/unit/test.h"

/* Nobody's terminal, nobody's settings, and quiet. */
static int run(const char *const *words)
{
    char *argv[12] = { (char *)"firn" };
    int argc = 1;

    const int null = open("/dev/null", O_RDWR);
    CHECK(null >= 0 && dup2(null, 0) == 0 && dup2(null, 2) == 2);
    CHECK(freopen("/dev/null", "w", stdout));
    setenv("HOME", test_dir(), 1);
    unsetenv("FIRN_PROFILES");
    unsetenv("XDG_CONFIG_HOME");
    setenv("FIRN_ROOT_USER", "u", 1);
    setenv("FIRN_ROOT_PASSWORD", "p", 1);
    for (; words[argc - 1]; argc++) argv[argc] = (char *)words[argc - 1];
    return cli_main(argc, argv);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })
#define NOBODY "--endpoint=http://127.0.0.1:1"

TEST(nouns_are_known)
{
    CHECK(cli_has_noun("bucket") && cli_has_noun("status"));
    CHECK(!cli_has_noun("serve") && !cli_has_noun("")); /* a row, but the server's own */
}

TEST(wrong_words_end_with_2)
{
    CHECK(RUN("bucket") == 2);
    CHECK(RUN("bucket", "paint") == 2);
    CHECK(RUN("bucket", "list", "x") == 2);
    CHECK(RUN("bucket", "create") == 2);
    CHECK(RUN("bucket", "list", "--no-such") == 2);
    CHECK(RUN("bucket", "list", "--keep", "1") == 2);
    CHECK(RUN("bucket", "list", "--endpoint", "ftp://x") == 2);
    CHECK(RUN("table", "show", "no_namespace", NOBODY) == 2);
    CHECK(RUN("object", "put", "/dev/null", "bucket-only", NOBODY) == 2);
}

TEST(help_ends_with_0)
{
    CHECK(RUN("bucket", "--help") == 0);
    CHECK(RUN("bucket", "list", "--help") == 0);
    CHECK(RUN("health", "-h") == 0);
}

TEST(nobody_there_ends_with_3)
{
    CHECK(RUN("bucket", "list", NOBODY) == 3);
    CHECK(RUN("table", "list", NOBODY) == 3);
    CHECK(RUN("health", NOBODY) == 3);
    CHECK(RUN("status", "--data", test_dir()) == 3);
}

TEST(what_destroys_is_refused_without_a_terminal_and_yes)
{
    CHECK(RUN("bucket", "delete", "b", NOBODY) == 2);
    CHECK(RUN("namespace", "drop", "n", NOBODY) == 2);
    CHECK(RUN("snapshot", "expire", "n.t", NOBODY) == 2);
    CHECK(RUN("bucket", "delete", "b", NOBODY, "--yes") == 3);
    CHECK(RUN("snapshot", "expire", "n.t", NOBODY, "--dry-run") == 3);
}

TEST(rows_of_verbs_are_whole)
{
    for (size_t i = 0; i < verb_count; i++) {
        CHECK(verbs[i].words_min >= 0 && verbs[i].words_min <= verbs[i].words_max);
        CHECK(verbs[i].words_max <= OPTIONS_WORDS_MAX);
        CHECK(!verbs[i].destroys || (verbs[i].flags & FLAG_YES));
        CHECK(!(verbs[i].flags & FLAG_ENDPOINT) || (verbs[i].flags & FLAG_PROFILE));
        for (size_t j = 0; j < i; j++) {
            const bool is_same_noun = strcmp(verbs[i].noun, verbs[j].noun) == 0;
            CHECK(!is_same_noun || !verbs[i].name || !verbs[j].name
                  || strcmp(verbs[i].name, verbs[j].name) != 0);
        }
    }
}
