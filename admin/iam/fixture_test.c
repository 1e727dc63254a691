/* fixture_test.c - see fixture_test.h. */
#include "admin/iam/fixture_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/base/sysio.h"

static struct arena *arena; /* of the test's process: never freed, but reachable */

const char *path_in(const char *dir, const char *name)
{
    if (!arena) arena = arena_new(1 << 20);
    return arena_printf(arena, "%s/%s", dir, name).data;
}

const char *file_with(const char *name, const char *text)
{
    const char *path = path_in(test_dir(), name);

    CHECK_OK(sys_write_file(path, str_from_z(text), 0600));
    return path;
}

struct iam_options options_in(const char *dir)
{
    struct iam_options o = {
        .data_dir = str_from_z(path_in(dir, "data")),
        .root_user = STR(ROOT_USER),
        .root_password = STR(ROOT_PASSWORD),
        .is_new_store = true,
    };

    memset(o.store_id, 7, sizeof(o.store_id));
    return o;
}

struct iam *iam_with(const char *identities)
{
    struct iam_options o = options_in(test_dir());
    struct iam *iam = NULL;
    bool made_root;

    if (identities) o.identities_file = str_from_z(file_with("s3.json", identities));
    CHECK_OK(iam_open(&o, &iam, &made_root));
    CHECK(!made_root);
    return iam;
}

const struct directory *directory_of(const struct iam *iam)
{
    if (!arena) arena = arena_new(1 << 20);
    const struct directory *d;

    CHECK_OK(iam_directory(iam, arena, &d));
    return d;
}

const struct principal *principal_called(const struct iam *iam, const char *name)
{
    return directory_find_name(directory_of(iam), str_from_z(name));
}

struct caller caller_of(const struct iam *iam, const char *name)
{
    const struct caller who = caller_of_principal(principal_called(iam, name));

    CHECK(who.principal);
    return who;
}
