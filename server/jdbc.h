/*
 * jdbc.h - the variables with which Polaris is told of its PostgreSQL, as a connection string of libpq.
 *
 *   QUARKUS_DATASOURCE_JDBC_URL   jdbc:postgresql://HOST[:PORT][,HOST[:PORT]...]/DATABASE[?PARAMETERS]
 *   QUARKUS_DATASOURCE_USERNAME, QUARKUS_DATASOURCE_PASSWORD
 *   QUARKUS_DATASOURCE_DB_KIND    postgresql
 *   POLARIS_PERSISTENCE_TYPE      relational-jdbc
 *
 * What is not understood is refused by its name: leaving it out could mean another database, or a connection without TLS. No text has a value in it, but that of a kind.
 */
#ifndef SERVER_JDBC_H
#define SERVER_JDBC_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

/* What was set; to begin with all zero. Strings are the caller's. */
struct jdbc {
    struct str url, user, password, kind, persistence;
};

/* Take a variable if it is one of these; ERR_INVALID for another one of QUARKUS_DATASOURCE_. */
struct err jdbc_take(struct jdbc *j, struct str variable, struct str value);

/* "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?...". Empty when none of the variables was set. ERR_INVALID names the variable that is wrong or missing. */
struct err jdbc_store(const struct jdbc *j, struct arena *arena, struct str *ret);

#endif
