/* place_test.c - what forbids opening a store at a place, and what does not. */
#include "admin/store/place.h"

#include <string.h>

#include "admin/store/shelf_test.h"
#include "storage/base/sysio.h"
#include "tests/unit/test.h"

static void make(const char *dir, const char *name)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK_OK(sys_mkdir(path, 0700));
}

TEST(a_place_is_refused_for_what_lies_there)
{
    static const struct {
        bool has_rows, has_volumes, has_mark, is_in_postgresql;
        const char *said; /* NULL: it is fine */
    } rows[] = {
        { false, false, false, false, NULL },
        { false, false, false, true, NULL },
        { true, true, false, false, NULL },
        { true, false, false, false, NULL }, /* a first start that was cut off */
        { false, true, false, true, NULL },
        { true, true, false, true, "the rows of this store are in" },
        { true, false, false, true, "the rows of this store are in" },
        { false, true, false, false, "but not its rows" },
        { true, true, true, false, "a restore that was cut off" },
        { false, false, true, true, "a restore that was cut off" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char dir[300], name[16];
        (void)snprintf(name, sizeof(name), "data-%zu", i);
        (void)snprintf(dir, sizeof(dir), "%s", shelf_path(name));
        CHECK_OK(sys_mkdir(dir, 0700));
        if (rows[i].has_rows) make(dir, "rows");
        if (rows[i].has_volumes) {
            make(dir, "volumes");
            make(dir, "volumes/STORE");
        }
        if (rows[i].has_mark) make(dir, RESTORE_MARK);
        const struct store_place where = { .dir = dir,
                                           .store = rows[i].is_in_postgresql ? "postgresql://x" : NULL };
        const struct err e = store_place_check(&where);
        if (!rows[i].said) CHECK_OK(e);
        else CHECK(e.code == ERR_INVALID && strstr(e.why, rows[i].said));
    }
}
