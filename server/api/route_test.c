#include "server/api/route.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(a_path_matches_a_template_piece_by_piece)
{
    static const struct {
        const char *route, *path;
        bool matches;
    } rows[] = {
        { "/v1/config", "/v1/config", true },
        { "/v1/config", "/v1/config/", false },
        { "/v1/config", "/v1", false },
        { "/v1/config", "", false },
        { "/v1/{prefix}/tables", "/v1/p/tables", true },
        { "/v1/{prefix}/tables", "/v1/p%2Ftables/tables", true },
        { "/v1/{prefix}/tables", "/v1//tables", false },
        { "/v1/{prefix}/tables", "/v1/p/q/tables", false },
        { "/v1/{prefix}/tables", "/v1/p/tables/t", false },
        { "/v1/{prefix}", "/V1/p", false },
        { "/v1/{prefix}", "/v1/{prefix}", true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (route_matches(rows[i].route, str_from_z(rows[i].path)) != rows[i].matches)
            test_fail(__FILE__, __LINE__, "%s for %s", rows[i].path, rows[i].route);
    }
}

TEST(names_are_cut_first_and_decoded_then)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    struct route_names it = route_names_of("/v1/{a}/x/{b}", STR("/v1/one%2Ftwo/x/%C3%A4"), arena);
    struct str name, value;

    CHECK(route_names_next(&it, &name, &value));
    CHECK(str_is(name, "{a}") && str_is(value, "one/two"));
    CHECK(route_names_next(&it, &name, &value));
    CHECK(str_is(name, "{b}") && str_is(value, "\xc3\xa4"));
    CHECK(!route_names_next(&it, &name, &value));
    CHECK_OK(it.err);
}

TEST(a_name_that_is_no_encoded_utf8_is_refused)
{
    static const char *const paths[] = { "/%", "/%4", "/%zz", "/%FF", "/a%C3" };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct route_names it = route_names_of("/{a}", str_from_z(paths[i]), arena);
        struct str name, value;
        CHECK(!route_names_next(&it, &name, &value));
        CHECK_ERR(it.err, ERR_INVALID);
    }
}
