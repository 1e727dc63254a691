#include "admin/iam/privilege.h"

#include "tests/unit/test.h"

static struct privilege_set set_of(enum privilege p)
{
    struct privilege_set s = { { 0, 0 } };
    privilege_set_add(&s, p);
    return s;
}

TEST(there_are_102_privileges_and_each_is_found_by_its_name)
{
    int count = 0;

    for (int p = 1; p < PRIV_COUNT; p++) {
        enum privilege found = PRIV_NONE;
        CHECK(privilege_from_name(str_from_z(privilege_name((enum privilege)p)), &found));
        CHECK(found == (enum privilege)p);
        count++;
    }
    CHECK_U64(count, 102);
}

TEST(a_name_that_is_no_privilege_is_not_found)
{
    enum privilege found = PRIV_NONE;

    CHECK(!privilege_from_name(STR("TABLE_READ"), &found));
    CHECK(!privilege_from_name(STR(""), &found));
    CHECK(!privilege_from_name(STR("NONE"), &found));
    CHECK(found == PRIV_NONE);
}

TEST(each_privilege_gives_itself_and_an_empty_set_gives_nothing)
{
    const struct privilege_set none = { { 0, 0 } };

    for (int p = 1; p < PRIV_COUNT; p++) {
        CHECK(privilege_set_gives(set_of((enum privilege)p), (enum privilege)p));
        CHECK(!privilege_set_gives(none, (enum privilege)p));
    }
    CHECK(!privilege_set_gives(set_of(PRIV_CATALOG_MANAGE_CONTENT), PRIV_NONE));
}

TEST(inclusion_is_complete)
{
    for (int a = 1; a < PRIV_COUNT; a++) {
        for (int b = 1; b < PRIV_COUNT; b++) {
            for (int c = 1; c < PRIV_COUNT; c++) {
                if (privilege_set_gives(set_of((enum privilege)a), (enum privilege)b)
                    && privilege_set_gives(set_of((enum privilege)b), (enum privilege)c)
                    && !privilege_set_gives(set_of((enum privilege)a), (enum privilege)c))
                    CHECK_STR(str_from_z(privilege_name((enum privilege)a)),
                              str_from_z(privilege_name((enum privilege)c)));
            }
        }
    }
}

static const struct {
    enum privilege held, wanted;
    bool is_given;
} cases[] = {
    { PRIV_TABLE_WRITE_DATA, PRIV_TABLE_READ_DATA, true },
    { PRIV_TABLE_READ_DATA, PRIV_TABLE_WRITE_DATA, false },
    { PRIV_TABLE_READ_DATA, PRIV_TABLE_LIST, true },
    { PRIV_CATALOG_MANAGE_METADATA, PRIV_TABLE_READ_DATA, false },
    { PRIV_CATALOG_MANAGE_CONTENT, PRIV_CATALOG_MANAGE_METADATA, true },
    { PRIV_CATALOG_MANAGE_ACCESS, PRIV_TABLE_DROP, false },
    { PRIV_SERVICE_MANAGE_ACCESS, PRIV_CATALOG_CREATE, true },
    { PRIV_SERVICE_MANAGE_ACCESS, PRIV_CATALOG_MANAGE_ACCESS, false },
};

TEST(metadata_is_not_data_and_access_is_not_content)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(privilege_set_gives(set_of(cases[i].held), cases[i].wanted) == cases[i].is_given);
}

TEST(a_privilege_is_granted_only_where_it_means_something)
{
    CHECK(privilege_fits(PRIV_TABLE_CREATE, ON_NAMESPACE));
    CHECK(!privilege_fits(PRIV_TABLE_CREATE, ON_TABLE));
    CHECK(!privilege_fits(PRIV_VIEW_DROP, ON_TABLE));
    CHECK(!privilege_fits(PRIV_SERVICE_MANAGE_ACCESS, ON_CATALOG));
    CHECK(!privilege_fits(PRIV_NONE, ON_CATALOG));
}
