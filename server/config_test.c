/*
 * config_test.c - where settings come from, which source wins, and what is refused.
 */
#include "server/config.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static struct arena *arena;

static struct err load(char **flags, char **environment, struct config *ret)
{
    int count = 0;

    while (flags && flags[count]) count++;
    if (!arena) arena = arena_new(4 * MIB);
    return config_load(count, flags, environment, arena, ret);
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

TEST(defaults_are_loopback_and_a_data_directory_is_needed)
{
    struct config c;

    CHECK_ERR(load(NULL, NULL, &c), ERR_INVALID);
    CHECK_OK(load(WORDS("--data", "d"), NULL, &c));
    CHECK_U64(c.s3_address.count, 1);
    CHECK_STR(c.s3_address.items[0], STR("127.0.0.1:8333"));
    CHECK_STR(c.catalog_address.items[0], STR("127.0.0.1:8181"));
    CHECK_U64(c.segment_size, 64 * MIB);
    CHECK(!c.metrics);
}

TEST(flags_win_over_environment_over_file)
{
    struct config c;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/firn.conf", test_dir());
    CHECK_OK(sys_write_file(path, STR("# a comment\nregion = file\ndomain = \"file.example\"\ndrain = 3\r\n"),
                            0600));
    CHECK_OK(load(WORDS("--config", path, "--data=d", "--drain", "5"),
                  WORDS("FIRN_REGION=environment", "FIRN_DRAIN=4", "PATH=/bin"), &c));
    CHECK_STR(c.region, STR("environment"));
    CHECK_STR(c.domain, STR("file.example"));
    CHECK_U64(c.drain_s, 5);
}

TEST(rows_go_to_the_postgresql_that_polaris_was_given)
{
    struct config c;
    char **polaris = WORDS("QUARKUS_DATASOURCE_PASSWORD=s3:cret", "QUARKUS_DATASOURCE_USERNAME=polaris",
                           "QUARKUS_DATASOURCE_DB_KIND=postgresql",
                           "POLARIS_PERSISTENCE_TYPE=relational-jdbc",
                           "QUARKUS_DATASOURCE_JDBC_URL=jdbc:postgresql://postgres:5432/polaris", NULL);

    CHECK_OK(load(WORDS("--data", "d"), NULL, &c));
    CHECK_U64(c.store.len, 0);
    CHECK_OK(load(WORDS("--data", "d"), polaris, &c));
    CHECK_STR(c.store, STR("postgresql://polaris:s3%3Acret@postgres:5432/polaris"));
    CHECK_STR(c.store_schema, STR("firn"));
    polaris[5] = (char *)"FIRN_STORE=postgresql://other/db";
    CHECK_OK(load(WORDS("--data", "d"), polaris, &c));
    CHECK_STR(c.store, STR("postgresql://other/db"));
}

TEST(servers_that_share_are_given_what_they_have_in_common)
{
    struct config c;
    char **shared = WORDS("FIRN_STORE_SHARED=on", "FIRN_STORE=postgresql://h/d", "FIRN_ROOT_USER=u",
                          "FIRN_ROOT_PASSWORD=p");

    CHECK_OK(load(WORDS("--data", "d"), shared, &c));
    CHECK(c.store_shared);
    const struct err no_root = load(WORDS("--data", "d", "--root-password="), shared, &c);
    CHECK_U64(no_root.code, ERR_INVALID);
    CHECK(strstr(no_root.why, "FIRN_STORE_SHARED") && strstr(no_root.why, "'root-user' and 'root-password'"));
    const struct err no_store = load(WORDS("--data", "d", "--store="), shared, &c);
    CHECK_U64(no_store.code, ERR_INVALID);
    CHECK(strstr(no_store.why, "needs setting 'store'"));
}

TEST(a_connection_string_is_not_shown)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    CHECK_OK(config_show(3, WORDS("--data=d", "--store", "postgresql://u:hidden@h/d"), NULL, out));
    fclose(out);
    CHECK(strstr(text, "store = (set)") && !strstr(text, "hidden"));
    free(text);
}

TEST(other_servers_names_are_understood_and_ours_win)
{
    struct config c;

    CHECK_OK(load(WORDS("--data", "d"), WORDS("MINIO_ROOT_USER=u", "MINIO_ROOT_PASSWORD=p"), &c));
    CHECK_STR(c.root_user, STR("u"));
    CHECK_STR(c.root_password, STR("p"));
    CHECK_OK(load(WORDS("--data", "d"), WORDS("FIRN_ROOT_USER=own", "MINIO_ROOT_USER=u"), &c));
    CHECK_STR(c.root_user, STR("own"));
    CHECK_OK(load(WORDS("--data", "d"), WORDS("POLARIS_BOOTSTRAP_CREDENTIALS=POLARIS,root,s3cr3t"), &c));
    CHECK_STR(c.root_password, STR("s3cr3t"));
    CHECK_ERR(load(WORDS("--data", "d"), WORDS("POLARIS_BOOTSTRAP_CREDENTIALS=root,s3cr3t"), &c),
              ERR_INVALID);
    CHECK_OK(load(WORDS("--data", "d"), WORDS("AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s"), &c));
    CHECK_STR(c.external_access_key, STR("k"));
    CHECK_STR(c.external_secret_key, STR("s"));
}

TEST(lists_are_split_and_repeated_flags_add)
{
    struct config c;

    CHECK_OK(load(WORDS("--data", "d", "--buckets", "a, b,,c", "--s3-address", "127.0.0.1:1", "--s3-address",
                        "127.0.0.1:2"),
                  NULL, &c));
    CHECK_U64(c.buckets.count, 3);
    CHECK_STR(c.buckets.items[1], STR("b"));
    CHECK_U64(c.s3_address.count, 2);
    CHECK_STR(c.s3_address.items[1], STR("127.0.0.1:2"));
}

TEST(g3_what_is_unknown_or_wrong_stops_the_start_and_is_named)
{
    static const struct {
        const char *flag, *value, *environment, *named;
    } rows[] = {
        { "--sprockets", "1", NULL, "sprockets" },
        { "--segment-size", "lots", NULL, "lots" },
        { "--segment-size", "1", NULL, "segment-size" },
        { "--metrics", "perhaps", NULL, "perhaps" },
        { "--drain", "-1", NULL, "drain" },
        { "--drain", "99999", NULL, "drain" },
        { "--region", "x", "FIRN_SPROCKETS=1", "FIRN_SPROCKETS" },
        { "--region", "x", "QUARKUS_DATASOURCE_JDBC_URL=jdbc:oracle://p/x", "QUARKUS_DATASOURCE_JDBC_URL" },
        { "--region", "x", "POLARIS_PERSISTENCE_TYPE=relational-jdbc", "QUARKUS_DATASOURCE_JDBC_URL" },
        { "--store", "mysql://p/x", NULL, "store" },
        { "stray", "x", NULL, "stray" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        const struct err e = load(WORDS("--data", "d", (char *)rows[i].flag, (char *)rows[i].value),
                                  rows[i].environment ? WORDS((char *)rows[i].environment) : NULL, &c);
        if (e.code != ERR_INVALID || !strstr(e.why, rows[i].named))
            test_fail(__FILE__, __LINE__, "%s %s: %s", rows[i].flag, rows[i].value,
                      e.why ? e.why : "accepted");
    }
}

TEST(secrets_are_not_shown)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    CHECK(out != NULL);
    CHECK_OK(config_show(4, WORDS("--data", "d", "--root-password", "hunter2"), WORDS("FIRN_REGION=r"), out));
    CHECK(fclose(out) == 0);
    CHECK(!strstr(text, "hunter2"));
    CHECK(strstr(text, "root-password = (set)") != NULL);
    CHECK(strstr(text, "region = r  # environment FIRN_REGION") != NULL);
    free(text);
}

/* The file is read before anything is opened: a mistake in it is told with its line. */
TEST(what_is_wrong_in_a_file_is_named_with_its_line)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        { "region = r\n\nsprockets = 1\n", "line 3: unknown setting 'sprockets'" },
        { "# one\nsegment-size = lots\n",
          "line 2: setting 'segment-size' must be a size such as 64MiB, not 'lots'" },
        { "drain = 601", "line 1: setting 'drain' must be from 0 to 600, not '601'" },
        { "metrics = perhaps\r\n", "line 1: setting 'metrics' must be on or off, not 'perhaps'" },
        { "log-level = loud",
          "line 1: setting 'log-level' must be one of error, warn, info, debug, not 'loud'" },
        { "\n\nlog-format=xml", "line 3: setting 'log-format' must be one of text, json, not 'xml'" },
        { "region = r\nmetrics\n", "line 2: 'metrics' is not of the form name = value" },
    };
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/firn.conf", test_dir());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        CHECK_OK(sys_write_file(path, str_from_z(rows[i].text), 0600));
        const struct err e = load(WORDS("--config", path, "--data", "d"), NULL, &c);
        if (e.code != ERR_INVALID || !strstr(e.why, rows[i].wanted) || !strstr(e.why, path))
            test_fail(__FILE__, __LINE__, "wanted %s, got %s", rows[i].wanted, e.why ? e.why : "accepted");
    }
}
