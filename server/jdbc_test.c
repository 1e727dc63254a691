/*
 * jdbc_test.c - what Polaris' variables become, and which are refused.
 */
#include "server/jdbc.h"

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(polaris_variables_become_a_connection_string)
{
    static const struct {
        const char *url, *user, *password, *want; /* want NULL: refused */
    } rows[] = {
        { "jdbc:postgresql://postgres:5432/polaris", "polaris", "polaris_secret",
          "postgresql://polaris:polaris_secret@postgres:5432/polaris" },
        { "jdbc:postgresql://a:1,b:2/db", "u", "", "postgresql://u@a:1,b:2/db" },
        { "jdbc:postgresql://h/db", "", "", "postgresql://h/db" },
        { "jdbc:postgresql://h/db", "a@b/c", "p:q?&#%", "postgresql://a%40b%2Fc:p%3Aq%3F%26%23%25@h/db" },
        { "jdbc:postgresql://h/db?user=u%40&password=p", "", "", "postgresql://u%40:p@h/db" },
        { "jdbc:postgresql://h/db?password=p@x:%25", "u", "", "postgresql://u:p%40x%3A%25@h/db" },
        { "jdbc:postgresql://h/db?password=%zz", "u", "", NULL },
        { "jdbc:postgresql://h/db?user=weak&sslmode=require", "strong", "",
          "postgresql://strong@h/db?sslmode=require" },
        { "jdbc:postgresql://h/db?ssl=true&connectTimeout=9", "", "",
          "postgresql://h/db?sslmode=verify-full&connect_timeout=9" },
        { "jdbc:postgresql://h/db?targetServerType=primary", "", "",
          "postgresql://h/db?target_session_attrs=read-write" },
        { "jdbc:postgresql://h/db?targetServerType=any", "", "", NULL },
        { "jdbc:postgresql://h/db?currentSchema=x", "", "", NULL },
        { "jdbc:postgresql://h", "", "", NULL },
        { "jdbc:postgresql://u@h/db", "", "", NULL },
        { "jdbc:postgresql:db", "", "", NULL },
        { "jdbc:h2:mem", "", "", NULL },
        { "postgresql://h/db", "", "", NULL },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct jdbc j = { .url = str_from_z(rows[i].url),
                                .user = str_from_z(rows[i].user),
                                .password = str_from_z(rows[i].password) };
        struct str store;
        const struct err e = jdbc_store(&j, arena, &store);
        if (rows[i].want ? e.code || !str_is(store, rows[i].want) : e.code != ERR_INVALID)
            test_fail(__FILE__, __LINE__, "%s: %s %.*s", rows[i].url, e.code ? e.why : "", STR_ARG(store));
    }
}

TEST(what_is_asked_for_but_not_there_is_named)
{
    static const struct {
        const char *variable, *value, *named; /* NULL: taken */
    } rows[] = {
        { "QUARKUS_DATASOURCE_DB_KIND", "h2", "h2" },
        { "QUARKUS_DATASOURCE_DB_KIND", "postgresql", "QUARKUS_DATASOURCE_JDBC_URL" },
        { "POLARIS_PERSISTENCE_TYPE", "in-memory", "in-memory" },
        { "POLARIS_PERSISTENCE_TYPE", "relational-jdbc", "QUARKUS_DATASOURCE_JDBC_URL" },
        { "QUARKUS_DATASOURCE_JDBC_MAX_SIZE", "3", "QUARKUS_DATASOURCE_JDBC_MAX_SIZE" },
        { "QUARKUS_HTTP_PORT", "1", NULL },
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jdbc j = { 0 };
        struct str store = STR_NONE;
        struct err e = jdbc_take(&j, str_from_z(rows[i].variable), str_from_z(rows[i].value));
        if (!e.code) e = jdbc_store(&j, arena, &store);
        CHECK_U64(store.len, 0);
        if (!rows[i].named) CHECK_OK(e);
        else if (e.code != ERR_INVALID || !strstr(e.why, rows[i].named))
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].variable, e.code ? e.why : "accepted");
    }
}
