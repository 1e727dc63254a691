/*
 * postgresql.h - a PostgreSQL for tests: started when the first test asks for it, stopped by the runner.
 *
 * All tests of one run share one server, with a schema for each that asks; what breaks its server (kill, restart) starts one of its own. It listens on a Unix socket in its directory only,
 * trusts everybody, and syncs to disk as a real one does. It does not run as root: when the tests do, it is the user `postgres`.
 */
#ifndef TESTS_UNIT_POSTGRESQL_H
#define TESTS_UNIT_POSTGRESQL_H

#include <sys/types.h>

struct test_postgresql {
    char dir[256];   /* data/ and the socket are in it */
    char store[400]; /* its connection string */
};

/* The shared one. The string lives as long as the test. */
const char *test_postgresql(void);
/* A name for a schema that nobody else has. Lives as long as the test. */
const char *test_schema(void);

/* For fixtures that run on the engine that FIRN_TEST_STORE names: the shared server when it is "postgresql", else NULL. The schema goes with the directory of the store. */
const char *test_store(void);
const char *test_store_schema(const char *dir);

/* A server of the test's own, in a directory that test_dir made. It is stopped with the test, or by these. */
void test_postgresql_init(struct test_postgresql *p, const char *dir); /* initdb; not started */
void test_postgresql_start(struct test_postgresql *p);                 /* and wait until it serves */
void test_postgresql_stop(struct test_postgresql *p);                  /* cleanly: "fast" */
void test_postgresql_kill(struct test_postgresql *p);                  /* SIGKILL; its children follow */
/* One statement as psql has it; its output, without the line end, to out. */
void test_postgresql_sql(const char *store, const char *sql, char *out, size_t size);

/* Of the runner: */
void test_postgresql_begin(const char *root_dir);
void test_postgresql_end(void);

#endif
