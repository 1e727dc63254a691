/*
 * connect_test.c
 */
#include "admin/cli/connect.h"

#include <stdlib.h>

#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static const char *const variables[] = { "FIRN_ENDPOINT",     "FIRN_CATALOG_ENDPOINT", "FIRN_DATA",
                                         "FIRN_ROOT_USER",    "FIRN_ROOT_PASSWORD",    "FIRN_CATALOG",
                                         "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY" };

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) unsetenv(variables[i]);
}

/* DIR/data with endpoints.json, and DIR/data.root. */
static const char *store_dir(struct arena *arena)
{
    const struct str dir = arena_printf(arena, "%s/data", test_dir());

    CHECK_OK(sys_mkdir(dir.data, 0700));
    CHECK_OK(sys_write_file(arena_printf(arena, "%s/endpoints.json", dir.data).data,
                            STR("{\"s3\": [\"http://127.0.0.1:1\"], \"catalog\": [\"http://127.0.0.1:2\"]}"),
                            0600));
    CHECK_OK(sys_write_file(arena_printf(arena, "%s.root", dir.data).data,
                            STR("FIRN_ROOT_USER=someone\nFIRN_ROOT_PASSWORD=a=secret\n"), 0600));
    return dir.data;
}

TEST(the_stronger_address_wins)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    const char *dir = store_dir(arena);
    struct options o = { .data = NULL };
    struct str url;

    clear_environment();
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://127.0.0.1:8333"));
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("http://127.0.0.1:8181"));
    setenv("FIRN_DATA", dir, 1);
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("http://127.0.0.1:2"));
    setenv("FIRN_ENDPOINT", "http://e/", 1);
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://e"));
    setenv("FIRN_CATALOG_ENDPOINT", "https://c", 1);
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("https://c"));
    o.data = arena_printf(arena, "%s//", dir).data;
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://127.0.0.1:1"));
    o.endpoint = "http://flag";
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("http://flag"));
    o.catalog_endpoint = "http://own";
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("http://own"));
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://flag"));
}

TEST(a_server_that_does_not_run_is_unreachable)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    const struct options o = { .data = test_dir() };
    const struct options wrong = { .endpoint = "127.0.0.1:8333" };
    struct str url;

    clear_environment();
    CHECK_ERR(connect_endpoint(API_S3, &o, arena, &url), ERR_UNAVAILABLE);
    CHECK_ERR(connect_endpoint(API_S3, &wrong, arena, &url), ERR_INVALID_ARGUMENT);
}

TEST(the_credential_is_in_the_environment_or_beside_the_data)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    const struct options with_data = { .data = store_dir(arena) }, without = { .data = NULL };
    struct credential c;

    clear_environment();
    CHECK_ERR(connect_credential(&without, arena, &c), ERR_INVALID_ARGUMENT);
    CHECK_OK(connect_credential(&with_data, arena, &c));
    CHECK_STR(c.user, STR("someone"));
    CHECK_STR(c.password, STR("a=secret"));
    setenv("FIRN_ROOT_USER", "u", 1);
    CHECK_ERR(connect_credential(&with_data, arena, &c), ERR_INVALID_ARGUMENT);
    setenv("FIRN_ROOT_PASSWORD", "p", 1);
    CHECK_OK(connect_credential(&with_data, arena, &c));
    CHECK_STR(c.user, STR("u"));
}

TEST(a_profile_stands_above_the_environment_only_when_it_was_asked_for)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    struct options o = {
        .profile = { .endpoint = "http://p", .catalog = "c", .access_key = "pk", .secret_key = "ps" }
    };
    struct credential c;
    struct str url;

    clear_environment();
    CHECK_OK(connect_endpoint(API_CATALOG, &o, arena, &url));
    CHECK_STR(url, STR("http://p"));
    CHECK_STR(str_from_z(connect_catalog(&o)), STR("c"));
    setenv("AWS_ACCESS_KEY_ID", "ak", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "as", 1);
    CHECK_OK(connect_credential(&o, arena, &c));
    CHECK_STR(c.user, STR("pk"));
    setenv("FIRN_ENDPOINT", "http://e", 1);
    setenv("FIRN_CATALOG", "ec", 1);
    setenv("FIRN_ROOT_USER", "eu", 1);
    setenv("FIRN_ROOT_PASSWORD", "ep", 1);
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://e"));
    CHECK_STR(str_from_z(connect_catalog(&o)), STR("ec"));
    CHECK_OK(connect_credential(&o, arena, &c));
    CHECK_STR(c.user, STR("eu"));
    o.profile.is_asked_for = true;
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://p"));
    CHECK_STR(str_from_z(connect_catalog(&o)), STR("c"));
    CHECK_OK(connect_credential(&o, arena, &c));
    CHECK_STR(c.password, STR("ps"));
    o.endpoint = "http://flag";
    CHECK_OK(connect_endpoint(API_S3, &o, arena, &url));
    CHECK_STR(url, STR("http://flag"));
}

TEST(the_names_of_other_tools_are_the_last_resort)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    const struct options o = { .data = NULL };
    struct credential c;

    clear_environment();
    setenv("AWS_ACCESS_KEY_ID", "ak", 1);
    CHECK_ERR(connect_credential(&o, arena, &c), ERR_INVALID_ARGUMENT);
    setenv("AWS_SECRET_ACCESS_KEY", "as", 1);
    CHECK_OK(connect_credential(&o, arena, &c));
    CHECK_STR(c.password, STR("as"));
}

TEST(a_root_file_needs_both_lines)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
    struct credential c;

    CHECK_OK(root_file_parse(STR("# made\nFIRN_ROOT_PASSWORD=p\nFIRN_ROOT_USER=u"), arena, &c));
    CHECK_ERR(root_file_parse(STR("FIRN_ROOT_USER=u\n"), arena, &c), ERR_INVALID);
    CHECK_ERR(root_file_parse(STR("FIRN_ROOT_USER=u\nFIRN_ROOT_PASSWORD=\n"), arena, &c), ERR_INVALID);
    CHECK_ERR(root_file_parse(STR(""), arena, &c), ERR_INVALID);
}
