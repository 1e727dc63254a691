/*
 * profile_test.c
 */
#include "admin/cli/profile.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static struct err parse(const char *text, const char *name, struct arena *arena, struct profile *ret)
{
    bool has_secret;

    return profile_parse(str_from_z(text), name, arena, ret, &has_secret);
}

TEST(a_section_is_found_by_its_name)
{
    static const char text[] =
        "# mine\n\n[default]\nendpoint=http://a\n [ lab ] \r\n catalog = x = y \naccess-key=k\nsecret-key=#s\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct profile p;

    CHECK_OK(parse(text, "default", arena, &p));
    CHECK_STR(str_from_z(p.endpoint), STR("http://a"));
    CHECK(!p.access_key && !p.catalog);
    CHECK_OK(parse(text, "lab", arena, &p));
    CHECK_STR(str_from_z(p.catalog), STR("x = y"));
    CHECK_STR(str_from_z(p.secret_key), STR("#s"));
    CHECK(!p.endpoint);
    CHECK_ERR(parse(text, "none", arena, &p), ERR_NOT_FOUND);
}

TEST(what_is_wrong_in_a_file_is_named_with_its_line)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        { "[a]\nendpont = x\n", "line 2: unknown key 'endpont'; did you mean endpoint?" },
        { "endpoint = x\n", "line 1: 'endpoint' stands before the first [section]" },
        { "[a]\n\nwords\n", "line 3: 'words' is not KEY = VALUE" },
        { "[a]\nsecret-key hidden\n", "line 2: 'secret-key' is not KEY = VALUE" },
        { "[a]\nregion =\n", "line 2: 'region' is empty" },
        { "[a]\nregion = x\nregion = y\n", "line 3: 'region' is given twice" },
        { "[a]\n[b]\n[a]\n", "line 3: section [a] is there twice" },
        { "[a\n", "line 1: '[a' lacks its ]" },
        { "[]\n", "line 1: a section needs a name" },
        { "[b]\naccess-key = x\n[a]\n",
          "section [b] has one of access-key and secret-key without the other" },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct profile p;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = parse(rows[i].text, "a", arena, &p);
        CHECK(e.code == ERR_INVALID_ARGUMENT);
        CHECK_STR(str_from_z(e.why), str_from_z(rows[i].said));
    }
}

TEST(a_file_with_a_secret_is_its_owners_alone)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const char *path = arena_printf(arena, "%s/profiles", test_dir()).data;
    struct profile p;

    setenv("FIRN_PROFILES", path, 1);
    unsetenv("FIRN_PROFILE");
    CHECK_ERR(profile_load(NULL, arena, &p), ERR_INVALID_ARGUMENT); /* it was named, and is not there */
    CHECK_OK(sys_write_file(path, STR("[default]\nregion = r\n[x]\naccess-key = k\nsecret-key = s\n"), 0644));
    CHECK_ERR(profile_load(NULL, arena, &p), ERR_INVALID_ARGUMENT);
    CHECK(chmod(path, 0600) == 0);
    CHECK_OK(profile_load(NULL, arena, &p));
    CHECK_STR(str_from_z(p.region), STR("r"));
    CHECK(!p.is_asked_for);
    setenv("FIRN_PROFILE", "x", 1);
    CHECK_OK(profile_load(NULL, arena, &p));
    CHECK_STR(str_from_z(p.access_key), STR("k"));
    CHECK_OK(profile_load("default", arena, &p));
    CHECK(p.is_asked_for && !p.access_key);
    CHECK_ERR(profile_load("none", arena, &p), ERR_INVALID_ARGUMENT);
}

TEST(without_a_file_there_is_an_empty_profile)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct profile p;

    unsetenv("FIRN_PROFILES");
    unsetenv("FIRN_PROFILE");
    setenv("XDG_CONFIG_HOME", test_dir(), 1);
    CHECK_OK(profile_load(NULL, arena, &p));
    CHECK(!p.endpoint && !p.secret_key);
    CHECK_ERR(profile_load("x", arena, &p), ERR_INVALID_ARGUMENT);
}
