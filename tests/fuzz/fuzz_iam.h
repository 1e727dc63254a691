/* fuzz_iam.h - identities with root alone, for the targets that need a key; opened once a run, in a directory of their own. */
#ifndef TESTS_FUZZ_FUZZ_IAM_H
#define TESTS_FUZZ_FUZZ_IAM_H

#include <stdio.h>
#include <stdlib.h>

#include "admin/iam/iam.h"

static inline void must(bool claim)
{
    if (!claim) abort();
}

static inline const struct iam *fuzz_iam(void)
{
    static struct iam *iam;
    char dir[] = "/tmp/fuzz-iam-XXXXXX", path[64];
    bool made_root;

    if (iam) return iam;
    must(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/data", dir);
    const struct iam_options o = { .data_dir = str_from_z(path), .root_user = STR("k"), .root_password = STR("s"), .is_new_store = true };
    must(iam_open(&o, &iam, &made_root).code == ERR_OK);
    snprintf(path, sizeof(path), "%s/data.key", dir);
    must(remove(path) == 0 && remove(dir) == 0);
    return iam;
}

static inline const struct principal *fuzz_root(struct arena *arena)
{
    const struct directory *d;

    must(iam_directory(fuzz_iam(), arena, &d).code == ERR_OK);
    return directory_find_name(d, STR("root"));
}

#endif
