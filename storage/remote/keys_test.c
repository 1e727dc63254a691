#include "storage/remote/keys.h"

#include <sys/stat.h>

#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(profiles_are_found_by_name)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct key_ring ring;

    CHECK_OK(key_ring_parse(STR("# mine\n[default]\r\naws_access_key_id = A\r\naws_secret_access_key=S=x\n\n"
                                "[ other ]\n ; a comment\naws_secret_access_key = T\naws_access_key_id=B\n"
                                "aws_session_token = tok\nregion = eu-1\n"),
                            arena, &ring));
    CHECK_U64(ring.count, 2);
    CHECK_STR(key_ring_find(&ring, STR_NONE)->access_key, STR("A"));
    CHECK_STR(key_ring_find(&ring, STR("default"))->secret_key, STR("S=x"));
    CHECK_STR(key_ring_find(&ring, STR("other"))->session_token, STR("tok"));
    CHECK_STR(key_ring_find(&ring, STR("other"))->region, STR("eu-1"));
    CHECK(!key_ring_find(&ring, STR("none")));
}

TEST(a_wrong_file_is_refused_with_its_line_and_never_a_secret)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "line 1: there is no [section] with credentials" },
        { "aws_access_key_id = A\n", "line 1: 'aws_access_key_id' stands before the first [section]" },
        { "[a]\naws_acces_key_id = SECRET\n", "line 2: unknown key 'aws_acces_key_id'" },
        { "[a]\naws_access_key_id SECRET\n", "line 2: 'aws_access_key_id' is not of the form KEY = VALUE" },
        { "[a]\naws_access_key_id = A\n[b]\n",
          "line 1: section [a] needs both aws_access_key_id and aws_secret_access_key" },
        { "[a]\naws_access_key_id=A\naws_secret_access_key=SECRET\n[a]\n",
          "line 4: section [a] is there twice" },
        { "[a]\nregion = x\nregion = y\n", "line 3: 'region' is given twice" },
        { "[a]\nregion =\n", "line 2: 'region' is empty" },
        { "[a\n", "line 1: a section lacks its ]" },
        { "[ ]\n", "line 1: a section needs a name" },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct key_ring ring;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = key_ring_parse(str_from_z(rows[i].text), arena, &ring);
        CHECK_ERR(e, ERR_INVALID);
        CHECK_STR(str_from_z(e.why), str_from_z(rows[i].why));
    }
}

TEST(a_file_that_others_may_read_is_refused)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const char *path = arena_printf(arena, "%s/credentials", test_dir()).data;
    struct key_ring ring;

    CHECK_OK(sys_write_file(path, STR("[a]\naws_access_key_id=A\naws_secret_access_key=S\n"), 0600));
    CHECK_OK(key_ring_load(path, arena, &ring));
    CHECK(!chmod(path, 0640));
    CHECK_ERR(key_ring_load(path, arena, &ring), ERR_INVALID);
    CHECK_OK(sys_write_file(path, STR("[a]\nbroken\n"), 0600));
    const struct err e = key_ring_load(path, arena, &ring);
    CHECK_ERR(e, ERR_INVALID);
    CHECK(str_starts(str_from_z(e.why), str_from_z(path)) && str_contains(str_from_z(e.why), STR("line 2")));
    CHECK_ERR(key_ring_load("/nonexistent/file", arena, &ring), ERR_NOT_FOUND);
}
